//! What an author's note says about being read by machines.

use crate::text;

/// Which of `#nobot` and `#noindex` stand in a note. Letter case and the note's HTML do not matter.
pub(crate) fn of_note(note: &str) -> (bool, bool) {
    if !may_name_either(note.as_bytes()) {
        return (false, false);
    }
    let plain = text::from_html(note, false).text.to_ascii_lowercase();
    (names(&plain, "nobot"), names(&plain, "noindex"))
}

/// The hashtag stands in `text` and ends where the word ends.
fn names(text: &str, tag: &str) -> bool {
    text.match_indices(['#', '＃']).any(|(at, sign)| {
        let after = text[at + sign.len()..].strip_prefix(tag);
        after.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

/// Most notes have neither word: a look at the bytes saves reading them as HTML.
fn may_name_either(note: &[u8]) -> bool {
    let names_it = |at: usize| {
        let ends = |tail: &[u8]| note[at..].get(..tail.len()).is_some_and(|rest| rest.eq_ignore_ascii_case(tail));
        ends(b"nobot") || ends(b"noindex")
    };
    memchr::memchr2_iter(b'n', b'N', note).any(names_it)
}
