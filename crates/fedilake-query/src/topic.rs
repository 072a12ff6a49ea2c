//! Topics: the rule by which a post mentions a word.
//!
//! The word stands in the text in any case, also inside of a longer word. A regular expression decides, when a followed
//! word is looked for while its post is taken and when any other is looked for later: of DuckDB's ways it is the fastest
//! that ignores case (texts in lower case, compared, take three times as long).

use std::collections::HashSet;

use crate::literal::literal;

/// The SQL condition that a row's `text` mentions the word; null if the row has no text.
pub(crate) fn mentions(word: &str) -> String {
    mentions_any(&[word])
}

/// The SQL condition that a row's `text` mentions at least one of the words.
pub(crate) fn mentions_any(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    format!("regexp_matches(text, {})", literal(&format!("(?i){}", words.join("|"))))
}

/// The same condition for words that were typed; `None` if there are none.
pub(crate) fn mentions_one(words: &[String]) -> Option<String> {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    (!words.is_empty()).then(|| mentions_any(&words))
}

/// The words without those that differ from an earlier one only in letter case.
pub(crate) fn distinct(words: &[String]) -> Vec<&str> {
    let mut seen = HashSet::new();
    words.iter().filter(|word| seen.insert(word.to_lowercase())).map(String::as_str).collect()
}

/// The regular expression that matches exactly the word.
fn quoted(word: &str) -> String {
    let special = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric();
    word.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_of_a_word_means_anything_else() {
        let engine = duckdb::Connection::open_in_memory().unwrap();
        for (text, word, mentioned) in [
            ("A BALLOONist", "balloon", true),
            ("ball oon", "balloon", false),
            ("costs 5.00", "5.0", true),
            ("costs 5x00", "5.0", false),
            ("it's a 'quote'", "'QUOTE'", true),
            ("a+b|c (d) [e] {f} ^g$ \\h", "+B|C (D) [E] {F} ^G$ \\H", true),
            ("地震です", "地震", true),
            ("ÄRGER", "ärger", true),
            ("line\nbreak", "e\nb", true),
        ] {
            let sql = format!("select {} from (select {} as text)", mentions(word), literal(text));
            let found: bool = engine.query_row(&sql, [], |row| row.get(0)).unwrap();
            assert_eq!(found, mentioned, "{word} in {text}");
        }
    }
}
