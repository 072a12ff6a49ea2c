//! The door to the terminal: text from outside passes it before a person sees it.
//!
//! Posts, names, servers' error bodies and file names may contain characters that a terminal obeys instead of
//! showing: escape codes that move the cursor, rename the window or hide text, and bidirectional controls that
//! reorder a line. Each is shown as `\u001b`, four hexadecimal digits. JSON uses the same notation, so JSON keeps its
//! meaning behind the door.

use std::borrow::Cow;

/// The escape codes that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// No codes: all text is from outside.
    Refused,
    /// The codes for weight and colour that this program writes itself, around text that was [`shown`].
    Own,
}

/// The parameters of the codes that [`Style`](crate::render::Style) and the log's formatter write.
const OWN: [&str; 9] = ["0", "1", "2", "3", "31", "32", "33", "34", "35"];

/// Makes `text` safe for a terminal: keeps line ends and tabs, writes all other characters that a terminal obeys as
/// `\u001b`.
pub fn shown(text: &str) -> Cow<'_, str> {
    match text.contains(is_obeyed) {
        true => Cow::Owned(escape(text, Codes::Refused)),
        false => Cow::Borrowed(text),
    }
}

/// Like [`shown`], on one line: line ends and tabs become spaces.
pub fn shown_in_line(text: &str) -> Cow<'_, str> {
    let is_space = |c: char| matches!(c, '\n' | '\t');
    match shown(text) {
        text if text.contains(is_space) => Cow::Owned(text.replace(is_space, " ")),
        text => text,
    }
}

/// True for characters that change how a terminal shows a line: controls except line end and tab, bidirectional
/// controls, and Unicode's separators of lines and paragraphs.
fn is_obeyed(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}' => true,
        c => c.is_control(),
    }
}

fn escape(text: &str, codes: Codes) -> String {
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(is_obeyed) {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(length) = own_code(rest).filter(|_| codes == Codes::Own) {
            shown.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let obeyed = rest.chars().next().expect("the text has the character that was found");
        shown.push_str(&format!("\\u{:04x}", u32::from(obeyed)));
        rest = &rest[obeyed.len_utf8()..];
    }
    shown.push_str(rest);
    shown
}

/// The length of the code at the start of `text`, if it is one of [`OWN`].
fn own_code(text: &str) -> Option<usize> {
    let (parameter, _) = text.strip_prefix("\u{1b}[")?.split_once('m')?;
    OWN.contains(&parameter).then(|| "\u{1b}[m".len() + parameter.len())
}

/// A door for bytes that come in pieces, which may split a character.
#[derive(Debug)]
pub struct Door {
    codes: Codes,
    waiting: Vec<u8>,
}

impl Door {
    /// A door that lets `codes` pass.
    pub fn new(codes: Codes) -> Door {
        Door { codes, waiting: Vec::new() }
    }

    /// Returns the safe text of the bytes so far. Invalid UTF-8 becomes U+FFFD.
    pub fn pass(&mut self, bytes: &[u8]) -> String {
        self.waiting.extend_from_slice(bytes);
        let complete = self.waiting.len() - unfinished(&self.waiting);
        let rest = self.waiting.split_off(complete);
        let text = String::from_utf8_lossy(&self.waiting);
        let shown = escape(&text, self.codes);
        self.waiting = rest;
        shown
    }
}

/// The number of bytes at the end that are the start of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let begins = |length: &usize| {
        let end = &bytes[bytes.len() - length..];
        std::str::from_utf8(end).is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
    };
    (1..=bytes.len().min(3)).find(begins).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBEYED: [(&str, &str); 16] = [
        ("\u{1b}[2J\u{1b}[31mred", "\\u001b[2J\\u001b[31mred"),
        ("\u{1b}]0;title\u{7}", "\\u001b]0;title\\u0007"),
        ("\u{1b}]8;;https://evil.example\u{1b}\\text", "\\u001b]8;;https://evil.example\\u001b\\text"),
        ("\u{9b}31m", "\\u009b31m"),
        ("\u{90}q\u{9c}", "\\u0090q\\u009c"),
        ("over\rwritten", "over\\u000dwritten"),
        ("back\u{8}\u{7f}", "back\\u0008\\u007f"),
        ("\0\u{b}\u{c}\u{85}", "\\u0000\\u000b\\u000c\\u0085"),
        ("\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}", "\\u202a\\u202b\\u202c\\u202d\\u202e"),
        ("\u{2066}\u{2067}\u{2068}\u{2069}", "\\u2066\\u2067\\u2068\\u2069"),
        ("\u{200e}\u{200f}\u{61c}", "\\u200e\\u200f\\u061c"),
        ("\u{2028}\u{2029}", "\\u2028\\u2029"),
        ("\u{1b}[0m\u{1b}[1m", "\\u001b[0m\\u001b[1m"),
        ("line\nline\ttab", "line\nline\ttab"),
        ("שלום, مرحبا, 日本語", "שלום, مرحبا, 日本語"),
        ("👩‍👩‍👧 🏴󠁧󠁢󠁷󠁬󠁳󠁿", "👩‍👩‍👧 🏴󠁧󠁢󠁷󠁬󠁳󠁿"),
    ];

    #[test]
    fn what_a_terminal_would_obey_is_shown_and_all_else_is_left() {
        for (text, expected) in OBEYED {
            assert_eq!(shown(text), expected);
            assert_eq!(Door::new(Codes::Refused).pass(text.as_bytes()), expected);
        }
        assert_eq!(shown_in_line("a\nb\tc\u{1b}"), "a b c\\u001b");
    }

    #[test]
    fn json_means_the_same_on_both_sides_of_the_door() {
        for (text, _) in OBEYED {
            let json = serde_json::to_string(text).unwrap();
            let passed = Door::new(Codes::Refused).pass(json.as_bytes());
            assert_eq!(serde_json::from_str::<String>(&passed).unwrap(), text, "{passed}");
        }
    }

    #[test]
    fn bytes_may_come_in_any_pieces() {
        for (text, expected) in OBEYED {
            let mut door = Door::new(Codes::Refused);
            let passed: String = text.bytes().map(|byte| door.pass(&[byte])).collect();
            assert_eq!(passed, expected);
        }
        let mut door = Door::new(Codes::Refused);
        assert_eq!(door.pass(b"a\xff\x9bb\xe2\x80"), "a\u{fffd}\u{fffd}b");
        assert_eq!(door.pass(b"\xae."), "\\u202e.");
    }

    #[test]
    fn of_codes_only_weight_and_colour_pass_and_only_where_they_are_our_own() {
        let mixed = "\u{1b}[1mbold\u{1b}[0m \u{1b}[8mhidden \u{1b}[2J\u{1b}[38;5;1m";
        let expected = "\u{1b}[1mbold\u{1b}[0m \\u001b[8mhidden \\u001b[2J\\u001b[38;5;1m";
        assert_eq!(Door::new(Codes::Own).pass(mixed.as_bytes()), expected);
        assert!(!Door::new(Codes::Refused).pass(mixed.as_bytes()).contains('\u{1b}'));
    }
}
