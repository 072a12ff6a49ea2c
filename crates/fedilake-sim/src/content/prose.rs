//! A post's content: HTML as Mastodon writes it, whose plain text has exactly the length asked for.
//!
//! Lengths are Unicode scalar values of the plain text: a newline for each `<br />`, two between paragraphs, entities
//! decoded, the whole of a link's address. The output stands inside a JSON string: `"` is already escaped.

use super::json::Push;
use super::vocabulary::{EXACT_MAX, Vocabulary, Word};
use crate::dice::Dice;

/// The parts of a post's content. A part is left out where the length has no room for it.
pub(crate) struct Brief<'a> {
    pub(crate) characters: usize,
    pub(crate) vocabulary: &'a Vocabulary,
    pub(crate) mention: Option<Mention<'a>>,
    /// A word that must occur.
    pub(crate) topic: Option<&'a str>,
    /// An address that begins with `https://`.
    pub(crate) link: Option<&'a str>,
    pub(crate) emoji: Option<&'a str>,
    pub(crate) tags: &'a [&'a str],
    /// Prefix of a hashtag's address.
    pub(crate) tag_base: &'a str,
}

/// A mentioned person.
#[derive(Clone, Copy)]
pub(crate) struct Mention<'a> {
    pub(crate) username: &'a str,
    /// `https://host`.
    pub(crate) base: &'a str,
}

/// The parts that found room.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) mention: bool,
    pub(crate) link: bool,
    pub(crate) emoji: bool,
    pub(crate) tags: usize,
}

/// Words that stay around the parts of a post.
const BODY_MIN: usize = 10;

/// Writes the content; its plain text has `brief.characters` scalar values.
pub(crate) fn write_content(brief: &Brief<'_>, dice: &mut Dice, out: &mut Vec<u8>) -> Held {
    let mut held = Held::default();
    if brief.characters == 0 {
        return held;
    }
    let mut left = brief.characters;
    let mut reserve = |characters: usize| {
        let fits = left >= characters + BODY_MIN;
        if fits {
            left -= characters;
        }
        fits
    };
    let topic = brief.topic.filter(|topic| reserve(topic.len() + 1));
    held.mention = brief.mention.is_some_and(|mention| reserve(mention.username.len() + 2));
    held.tags = brief.tags.iter().take_while(|tag| reserve(tag.chars().count() + 2)).count();
    let tags_apart = held.tags > 1 && dice.chance(0.6) && reserve(1);
    held.link = brief.link.is_some_and(|link| reserve(link.len() + 1));
    held.emoji = brief.emoji.is_some_and(|emoji| reserve(emoji.chars().count() + 1));

    out.text("<p>");
    if let Some(mention) = brief.mention.filter(|_| held.mention) {
        write_mention(&mention, out);
        out.push(b' ');
    }
    if let Some(topic) = topic {
        out.texts(&[topic, " "]);
    }
    Body { vocabulary: brief.vocabulary, dice, out, left, capital: topic.is_none() }.write();
    if let Some(emoji) = brief.emoji.filter(|_| held.emoji) {
        out.texts(&[" ", emoji]);
    }
    if let Some(link) = brief.link.filter(|_| held.link) {
        out.push(b' ');
        write_link(link, out);
    }
    for (at, tag) in brief.tags[..held.tags].iter().enumerate() {
        out.text(if at == 0 && tags_apart { "</p><p>" } else { " " });
        write_tag(tag, brief.tag_base, out);
    }
    out.text("</p>");
    held
}

fn write_mention(mention: &Mention<'_>, out: &mut Vec<u8>) {
    out.texts(&[
        "<span class=\\\"h-card\\\" translate=\\\"no\\\"><a href=\\\"",
        mention.base,
        "/@",
        mention.username,
        "\\\" class=\\\"u-url mention\\\">@<span>",
        mention.username,
        "</span></a></span>",
    ]);
}

fn write_tag(tag: &str, tag_base: &str, out: &mut Vec<u8>) {
    out.texts(&["<a href=\\\"", tag_base]);
    write_percent_encoded(tag, out);
    out.texts(&["\\\" class=\\\"mention hashtag\\\" rel=\\\"tag\\\">#<span>", tag, "</span></a>"]);
}

/// Bytes beyond ASCII as `%E5`; a hashtag holds nothing else that an address must not.
pub(crate) fn write_percent_encoded(tag: &str, out: &mut Vec<u8>) {
    for byte in tag.bytes() {
        if byte.is_ascii() {
            out.push(byte);
        } else {
            out.push(b'%');
            out.extend_from_slice(&[byte >> 4, byte & 15].map(|half| b"0123456789ABCDEF"[half as usize]));
        }
    }
}

/// A link as Mastodon shortens it: the hidden parts are hidden by CSS and belong to the text.
fn write_link(link: &str, out: &mut Vec<u8>) {
    let hidden = if link.starts_with("https://www.") { 12 } else { 8 };
    let shown_to = link.len().min(hidden + 30);
    let ellipsis = if shown_to < link.len() { " class=\\\"ellipsis\\\"" } else { "" };
    out.texts(&[
        "<a href=\\\"",
        link,
        "\\\" target=\\\"_blank\\\" rel=\\\"nofollow noopener noreferrer\\\" translate=\\\"no\\\"><span class=\\\"invisible\\\">",
        &link[..hidden],
        "</span><span",
        ellipsis,
        ">",
        &link[hidden..shown_to],
        "</span><span class=\\\"invisible\\\">",
        &link[shown_to..],
        "</span></a>",
    ]);
}

/// The running text of a post.
struct Body<'a> {
    vocabulary: &'a Vocabulary,
    dice: &'a mut Dice,
    out: &'a mut Vec<u8>,
    left: usize,
    /// The next word begins a sentence.
    capital: bool,
}

impl Body<'_> {
    fn write(mut self) {
        let mut sentence = self.sentence_length();
        self.word();
        while self.left > 1 {
            if sentence == 0 && self.left > 6 {
                self.out.text(self.vocabulary.stop);
                self.left -= 1;
                self.capital = true;
                sentence = self.sentence_length();
                self.between_sentences();
            } else {
                if self.left > 6 && self.dice.below(12) == 0 {
                    self.out.text(self.vocabulary.comma);
                    self.left -= 1;
                }
                if self.vocabulary.spaced {
                    self.out.push(b' ');
                    self.left -= 1;
                }
            }
            self.word();
            sentence = sentence.saturating_sub(1);
        }
        if self.left == 1 {
            self.out.text(self.vocabulary.stop);
        }
    }

    fn sentence_length(&mut self) -> u64 {
        4 + self.dice.below(8) + self.dice.below(6)
    }

    fn between_sentences(&mut self) {
        match self.dice.below(16) {
            0 | 1 if self.left > 30 => {
                self.out.text("</p><p>");
                self.left -= 2;
            }
            2 => {
                self.out.text("<br />");
                self.left -= 1;
            }
            _ if self.vocabulary.spaced => {
                self.out.push(b' ');
                self.left -= 1;
            }
            _ => {}
        }
    }

    /// Writes one word that leaves room for what must follow: nothing, or at least a full stop.
    fn word(&mut self) {
        if self.left > 6 {
            let word = self.vocabulary.word(self.dice);
            if word.characters == self.left || word.characters + 2 <= self.left {
                return self.put(word);
            }
        }
        for characters in (1..=self.left.min(EXACT_MAX)).rev() {
            if let Some(word) = self.vocabulary.word_of(characters, self.dice) {
                return self.put(word);
            }
        }
        // A language without a word this short: marks take its place.
        for _ in 0..self.left {
            self.out.text(self.vocabulary.stop);
        }
        self.left = 0;
    }

    fn put(&mut self, word: Word<'_>) {
        self.left -= word.characters;
        if std::mem::take(&mut self.capital) && self.vocabulary.cased {
            let mut rest = word.html.chars();
            let first = rest.next().expect("a word has characters");
            let mut upper = first.to_uppercase();
            if upper.len() == 1 {
                let mut bytes = [0; 4];
                let upper = upper.next().expect("one character");
                self.out.text(upper.encode_utf8(&mut bytes));
                return self.out.text(rest.as_str());
            }
        }
        self.out.text(word.html);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::language::{LANGUAGES, Language};
    use crate::dice::Purpose;
    use crate::testing::plain_text;

    #[test]
    fn the_plain_text_has_exactly_the_length_asked_for() {
        for (language, Language { code, .. }) in LANGUAGES.iter().enumerate() {
            for characters in (0..60).chain([133, 500, 4_097]).chain((language < 10).then_some(68_991)) {
                let mut dice = Dice::new(7, Purpose::Words, (language * 100_000 + characters) as u64);
                let brief = Brief {
                    characters,
                    vocabulary: Vocabulary::of(language),
                    mention: dice.chance(0.5).then_some(Mention { username: "una_berg", base: "https://a.example" }),
                    topic: dice.chance(0.5).then_some("balloon"),
                    link: dice.chance(0.5).then_some("https://www.brookford.example/articles/2023/a-long-walk-home"),
                    emoji: dice.chance(0.5).then_some("🎉"),
                    tags: &["Caturday", "写真"],
                    tag_base: "https://a.example/tags/",
                };
                let mut out = Vec::new();
                write_content(&brief, &mut dice, &mut out);
                let html: String = serde_json::from_str(&format!("\"{}\"", String::from_utf8(out).unwrap())).unwrap();
                let text = plain_text(&html);
                assert_eq!(text.chars().count(), characters, "{code} {html}");
                assert_eq!(text.trim(), text, "{html}");
            }
        }
    }
}
