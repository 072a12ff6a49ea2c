//! What an author's profile says about machines that read the author's posts.
//!
//! People write `#nobot` and `#noindex` wherever the profile has room: in the note, in a field's name or value, in
//! the display name. A hashtag counts if a person would see it as one: markup, comments and character references
//! within the word, letter case, full-width and other styled letters, and invisible characters do not matter.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::text;

/// Hashtags that forbid reading by machines; without underscores.
const NOBOT: [&str; 2] = ["nobot", "nobots"];

/// Hashtags that forbid indexing; without underscores.
const NOINDEX: [&str; 6] = ["noindex", "noindexes", "noindexed", "noindexing", "noindexer", "noindexers"];

/// One text of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statement<'a> {
    /// Plain text; some servers escape it all the same.
    Plain(&'a str),
    Html(&'a str),
}

/// Looks for #nobot and #noindex in a profile. Returns whether each was found.
pub(crate) fn of_profile(statements: &[Statement<'_>]) -> (bool, bool) {
    let (mut nobot, mut noindex) = (false, false);
    let mut look = |shown: &str| {
        for tag in hashtags(&folded(shown)) {
            let word = tag.replace('_', "");
            nobot |= NOBOT.contains(&word.as_str());
            noindex |= NOINDEX.contains(&word.as_str());
        }
    };
    for statement in statements {
        let (Statement::Plain(text) | Statement::Html(text)) = statement;
        if !may_have_hashtag(text.as_bytes()) {
            continue;
        }
        let is_plain = matches!(statement, Statement::Plain(_));
        if is_plain {
            look(text);
        }
        if !is_plain || text.contains(['<', '&']) {
            look(&text::from_html(text, false).text);
        }
    }
    (nobot, noindex)
}

/// The words after number signs.
fn hashtags(text: &str) -> impl Iterator<Item = &str> {
    text.split('#').skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

/// The text in lower case, without invisible characters, with styled letters made plain (Unicode's NFKC).
fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    Cow::Owned(ComposingNormalizerBorrowed::new_nfkc().normalize(&visible).to_lowercase())
}

/// Unicode characters that are never drawn.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// False if the text has no number sign in any spelling. Many profiles have none, and need not be parsed as HTML.
fn may_have_hashtag(text: &[u8]) -> bool {
    // The full-width and the small number sign begin with the byte 0xEF; a character reference (`&`) may be one.
    memchr::memchr3(b'#', b'&', 0xef, text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_note(note: &str) -> (bool, bool) {
        of_profile(&[Statement::Html(note)])
    }

    #[test]
    fn a_hashtag_is_what_a_person_sees_as_one() {
        for note in [
            "#nobot",
            "#NoBot",
            "I like <a href=\"https://h.example/tags/nobot\" rel=\"tag\">#<span>NoBot</span></a>.",
            "<p>no indexing, please<br>#NOBOTS</p>",
            "#no<b>bot</b>",
            "#no<wbr>bot",
            "#no<wbr/>bot",
            "#no<!-- x -->bot",
            "#<i></i>no<span class=\"x\">b</span>ot",
            "#n&#111;bot",
            "#n&#x6f;b&#111;t",
            "&#35;nobot",
            "&num;nobot",
            "#no&shy;bot",
            "#no\u{ad}bot",
            "#no\u{200b}bot",
            "#no&#8203;bot",
            "#no&zwj;bot",
            "\u{2060}#\u{feff}nobot\u{200d}",
            "#no\u{202a}bot",
            "＃nobot",
            "﹟nobot",
            "#ｎｏｂｏｔ",
            "＃ＮｏＢｏｔ",
            "#𝗻𝗼𝗯𝗼𝘁",
            "#ⓝⓞⓑⓞⓣ",
            "#No_Bot",
            "_#nobot_",
            "#nobot, please",
            "#nobot's",
            "(#nobot)",
            "é #nobot",
            "#bot#nobot#x",
            "#nobot\u{1f916}",
        ] {
            assert_eq!(in_note(note), (true, false), "{note}");
        }
        for note in ["#noindex", "#NoIndexing", "#no<b>index</b>", "#noindexes", "＃ｎｏｉｎｄｅｘ"] {
            assert_eq!(in_note(note), (false, true), "{note}");
        }
        assert_eq!(in_note("#NOBOT#NoIndex"), (true, true));
    }

    #[test]
    fn other_words_are_not_taken_for_it() {
        for note in [
            "",
            "nobot noindex",
            "# nobot",
            "#no bot",
            "#no<br>bot",
            "#no</p><p>bot",
            "#nobotany",
            "#nobotter",
            "#noindexed4ever",
            "#bot #index",
            "#annobot",
            "#noböt",
            "<a title=\"#nobot\">x</a>",
            "<!-- #nobot -->",
            "<#nobot",
        ] {
            let expected = note == "<#nobot";
            assert_eq!(in_note(note), (expected, false), "{note}");
        }
    }

    #[test]
    fn a_plain_text_is_read_as_it_is_and_as_a_server_may_have_escaped_it() {
        for name in ["Ann #nobot", "Ann <3 <nobody #nobot", "Ann &#35;nobot", "Ann #no<b>bot</b>", "A&B #nobot"] {
            assert_eq!(of_profile(&[Statement::Plain(name)]), (true, false), "{name}");
        }
        assert_eq!(of_profile(&[Statement::Plain("#no"), Statement::Plain("bot")]), (false, false));
        assert_eq!(of_profile(&[Statement::Html("#nobot"), Statement::Plain("#noindex")]), (true, true));
    }
}
