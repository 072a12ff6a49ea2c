//! What an author's profile says about machines that read the author's posts.
//!
//! People write `#nobot` and `#noindex` wherever the profile has room: in the note, in a field's name or value, in
//! the display name. A hashtag counts if a person would see it as one: markup, comments and character references
//! within the word, letter case, full-width and other styled letters, and invisible characters do not matter. A link to
//! the hashtag's page counts without a number sign, and so does the word as a custom emoji, `:nobot:`. A part of the
//! profile that is not of the API's shape is searched for texts at any depth: in doubt, the author's wish counts.

use std::borrow::Cow;

use icu_normalizer::ComposingNormalizerBorrowed;
use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

use crate::json::Object;
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
    /// A list or an object, as JSON within a text.
    Json(&'a str),
}

impl<'a> Statement<'a> {
    /// Adds every text in `value`, at any depth, each as a `statement`; names of members are plain texts. The
    /// recursion is bounded by the JSON's depth.
    pub(crate) fn add_all(
        value: &'a Value,
        statement: fn(&'a str) -> Statement<'a>,
        statements: &mut Vec<Statement<'a>>,
    ) {
        if let Some(text) = value.as_str() {
            if !text.is_empty() {
                statements.push(statement(text));
            }
            if text.trim_start().starts_with(['[', '{']) {
                statements.push(Statement::Json(text));
            }
        } else if let Some(list) = value.as_array() {
            list.iter().for_each(|value| Statement::add_all(value, statement, statements));
        } else {
            for (name, value) in value.as_object().into_iter().flatten() {
                statements.push(Statement::Plain(name));
                Statement::add_all(value, statement, statements);
            }
        }
    }
}

/// Looks for #nobot and #noindex in a profile. Returns whether each was found.
pub(crate) fn of_profile(statements: &[Statement<'_>]) -> (bool, bool) {
    let mut wishes = (false, false);
    for statement in statements {
        match statement {
            Statement::Plain(text) | Statement::Html(text) if !may_say(text.as_bytes()) => continue,
            Statement::Plain(text) => {
                look(text, &mut wishes);
                if text.contains(['<', '&']) {
                    look(&text::of_profile(text), &mut wishes);
                }
            }
            Statement::Html(text) => look(&text::of_profile(text), &mut wishes),
            Statement::Json(text) => {
                let Ok(json) = Object::parse(format!("{{\"\":{text}}}").as_bytes()) else { continue };
                let mut inner = Vec::new();
                Statement::add_all(json.value(), Statement::Plain, &mut inner);
                let (nobot, noindex) = of_profile(&inner);
                wishes = (wishes.0 | nobot, wishes.1 | noindex);
            }
        }
        if let Statement::Plain(text) | Statement::Html(text) = statement {
            tag_pages(text).for_each(|word| take(word, &mut wishes));
        }
    }
    wishes
}

fn look(shown: &str, wishes: &mut (bool, bool)) {
    let shown = folded(shown);
    hashtags(&shown).chain(shortcodes(&shown)).for_each(|word| take(word, wishes));
}

fn take(word: &str, wishes: &mut (bool, bool)) {
    let word = word.replace('_', "").to_ascii_lowercase();
    wishes.0 |= NOBOT.contains(&word.as_str());
    wishes.1 |= NOINDEX.contains(&word.as_str());
}

/// The names of custom emoji, `:name:`.
fn shortcodes(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices(':').filter_map(|(at, _)| text[at + 1..].split_once(':').map(|(name, _)| name))
}

/// The hashtags whose pages are linked to, by the usual paths of such a page.
fn tag_pages(text: &str) -> impl Iterator<Item = &str> {
    ["/tags/", "/tag/", "/hashtag/", "/hashtags/", "?tag=", "&tag="].into_iter().flat_map(move |path| {
        text.match_indices(path).map(move |(at, _)| {
            let rest = &text[at + path.len()..];
            &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
        })
    })
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

/// False if the text has no number sign in any spelling, no hashtag's page and no emoji that matters. Many profiles have
/// none, and need not be parsed as HTML.
fn may_say(text: &[u8]) -> bool {
    // The full-width and the small number sign begin with the byte 0xEF; a character reference (`&`) may be one.
    memchr::memchr3(b'#', b'&', 0xef, text).is_some()
        || memchr::memchr_iter(b':', text).any(|at| matches!(text.get(at + 1), Some(b'n' | b'N' | b'_')))
        // The last letter is the rarest of the word.
        || memchr::memchr2_iter(b'g', b'G', text)
            .any(|at| at >= 2 && text[at - 2..=at].eq_ignore_ascii_case(b"tag"))
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
    fn a_link_to_the_hashtag_and_its_emoji_count_without_a_number_sign() {
        for text in [
            "<a href=\"https://h.example/tags/nobot\" class=\"mention hashtag\" rel=\"tag\">nobot</a>",
            "<a href=\"https://h.example/search?q=x\" class=\"Hashtag\">No<b>Bot</b></a>",
            "<a href='https://h.example/x' rel='nofollow TAG'>nobot</a>",
            "<a href=\"https://h.example/tag/NoBot/\">my wish</a>",
            "<a href=\"https://h.example/explore?tag=no_bot\">my wish</a>",
            "https://h.example/hashtag/nobot",
            "Ann :nobot:",
            ":cat::no_bot:",
            "<img class=\"custom-emoji\" alt=\":NoBot:\" src=\"x\">",
        ] {
            assert_eq!(in_note(text), (true, false), "{text}");
            assert_eq!(of_profile(&[Statement::Plain(text)]), (true, false), "{text}");
        }
        for text in [
            "<a href=\"https://h.example/tags/nobotany\" class=\"hashtag\">nobotany</a>",
            "<a href=\"https://h.example/x\" class=\"mention\">nobot</a>",
            "<a href=\"https://h.example/heritage/nobot\">nobot</a>",
            ":nobot",
            "note: nobot: x",
            ":nobotany:",
            "nobot:",
        ] {
            assert_eq!(in_note(text), (false, false), "{text}");
        }
        assert_eq!(in_note(":noindex: :nobot:"), (true, true));
    }

    #[test]
    fn texts_are_found_at_any_depth() {
        for json in [
            r##"["hi", ["#nobot"]]"##,
            r##"{"a":{"b":[{"c":"x #nobot"}]}}"##,
            r##"{"#nobot":"yes"}"##,
            r##""[{\"name\":\"x\",\"value\":\"#\\u006eobot\"}]""##,
            r##"["{\"a\":[\"#no\\u003cb\\u003ebot\"]}"]"##,
            r##""[broken #nobot""##,
        ] {
            let json = Object::parse(format!("{{\"x\":{json}}}").as_bytes()).unwrap();
            for statement in [Statement::Plain, Statement::Html] {
                let mut statements = Vec::new();
                Statement::add_all(json.value(), statement, &mut statements);
                assert_eq!(of_profile(&statements), (true, false), "{statements:?}");
            }
        }
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
