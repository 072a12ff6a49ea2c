//! Why a statement failed, and at which place of its text.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::pivot::Edited;
use crate::LakeError;
use crate::answer::sql::nearest;
use crate::error::{is_of_memory, message};

/// The kind of a failed statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SqlErrorKind {
    /// The text is not valid SQL.
    Syntax,
    /// The statement would do more than read, or is more than one.
    Refused,
    /// The statement ran longer than allowed.
    Time,
    /// The statement needed more memory than allowed.
    Memory,
    /// The statement was cancelled.
    Cancelled,
    /// A name, a type or a value in the statement is wrong.
    Statement,
    /// The lake failed.
    Engine,
    /// The answer could not be written; its reader knows why.
    Output,
}

/// A failed statement. The display is for people: the message, then the line with a caret below the place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlError {
    /// The kind of the failure.
    pub kind: SqlErrorKind,
    /// The message: the fault and its cause.
    pub message: String,
    /// The line of the place, from 1.
    pub line: Option<usize>,
    /// The column of the place in characters, from 1.
    pub column: Option<usize>,
    /// The line with a caret below the place: two lines of text.
    pub excerpt: Option<String>,
}

impl std::error::Error for SqlError {}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        if let (Some(line), Some(column), Some(excerpt)) = (self.line, self.column, &self.excerpt) {
            write!(f, "\nline {line}, column {column}:\n{excerpt}")?;
        }
        Ok(())
    }
}

impl From<LakeError> for SqlError {
    fn from(error: LakeError) -> Self {
        let kind = match error {
            LakeError::Interrupted => SqlErrorKind::Cancelled,
            LakeError::OutOfMemory(_) => SqlErrorKind::Memory,
            _ => SqlErrorKind::Engine,
        };
        SqlError::plain(kind, error.to_string())
    }
}

impl SqlError {
    /// An error without a place.
    pub(super) fn plain(kind: SqlErrorKind, message: String) -> SqlError {
        SqlError { kind, message: shortened(message), line: None, column: None, excerpt: None }
    }

    /// An error at a character of the text, counted from 0.
    pub(super) fn at(kind: SqlErrorKind, message: String, text: &str, position: Option<usize>) -> SqlError {
        let Some(position) = position else { return SqlError::plain(kind, message) };
        let byte = text.char_indices().nth(position).map_or(text.len(), |(byte, _)| byte);
        let before = &text[..byte];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[line_start..].chars().count() + 1;
        let line_text = text[line_start..].lines().next().unwrap_or_default();
        SqlError {
            kind,
            message: shortened(message),
            line: Some(before.matches('\n').count() + 1),
            column: Some(column),
            excerpt: Some(excerpt(line_text, column)),
        }
    }

    /// DuckDB's error for `ran`, whose message may end in `LINE n: …` and a caret; the place is shown in the text
    /// `typed`.
    pub(super) fn from_engine(ran: &Edited, typed: &str, error: duckdb::Error) -> SqlError {
        let full = message(&error);
        let (message, place) = match split_place(&full) {
            (message, Some(place)) => (message, position(&ran.text, place)),
            (message, None) => (message, None),
        };
        let kind = match full.split_once(" Error: ").map(|(kind, _)| kind) {
            Some("INTERRUPT") => SqlErrorKind::Cancelled,
            Some("Out of Memory") => SqlErrorKind::Memory,
            Some("FATAL" | "INTERNAL") if is_of_memory(&full) => {
                return SqlError::plain(SqlErrorKind::Memory, format!("{NO_MEMORY} an allocation failed"));
            }
            Some("IO" | "FATAL" | "INTERNAL" | "Serialization") => SqlErrorKind::Engine,
            Some("Parser") => SqlErrorKind::Syntax,
            Some("Permission") => SqlErrorKind::Refused,
            _ => SqlErrorKind::Statement,
        };
        let (kind, message) = match kind {
            SqlErrorKind::Engine => {
                let SqlError { kind, message, .. } = SqlError::from(LakeError::from(without_place(error)));
                (kind, message)
            }
            kind => {
                let message = nearest::documented(message, &ran.views).unwrap_or_else(|| message.to_owned());
                (kind, with_possible_advice(&message))
            }
        };
        match place {
            Some(place) => ran.error(typed, kind, message, place),
            None => SqlError::plain(kind, message),
        }
    }

    /// The error for a statement that DuckDB interrupted by itself, without a cause in any attempt: so end some
    /// statements that find no memory while they are planned.
    pub(super) fn interrupted() -> SqlError {
        SqlError::plain(SqlErrorKind::Memory, format!("{NO_MEMORY} DuckDB gave the statement up without a reason"))
    }

    /// Replaces the error by the watch's reason if the watch stopped the statement.
    pub(super) fn explain(self, stopped: Option<(SqlErrorKind, String)>) -> SqlError {
        match stopped {
            Some((kind, message)) if matches!(self.kind, SqlErrorKind::Cancelled) => SqlError::plain(kind, message),
            _ => self,
        }
    }
}

/// How DuckDB begins its errors for want of memory.
const NO_MEMORY: &str = "Out of Memory Error:";

/// DuckDB's message, and the place behind it: `2: …part of the line…` with a caret below.
fn split_place(full: &str) -> (&str, Option<&str>) {
    match full.split_once("\n\nLINE ").or_else(|| full.split_once("\nLINE ")) {
        Some((message, place)) => (message, Some(place)),
        None => (full, None),
    }
}

/// DuckDB's error without the place in its message.
pub(crate) fn without_place(error: duckdb::Error) -> duckdb::Error {
    match error {
        duckdb::Error::DuckDBFailure(code, Some(full)) => {
            duckdb::Error::DuckDBFailure(code, Some(split_place(&full).0.to_owned()))
        }
        other => other,
    }
}

/// Characters of a message that are told from its beginning, and from its end, where hints are.
const TOLD: (usize, usize) = (4_000, 1_000);

/// A message without its middle where it is long: DuckDB repeats in it the value that could not be cast, of any size.
fn shortened(message: String) -> String {
    let (head, tail) = TOLD;
    let after = |count| message.char_indices().nth(count).map(|(byte, _)| byte);
    let before = |count: usize| message.char_indices().rev().nth(count - 1).map(|(byte, _)| byte);
    match (after(head), after(head + tail), before(tail)) {
        (Some(end), Some(_), Some(begin)) if begin > end => format!("{} … {}", &message[..end], &message[begin..]),
        _ => message,
    }
}

/// DuckDB's message, with advice that applies here instead of advice that is refused here. The message may contain a
/// post's text, so a line in it that looks like our own hint is not treated as one.
pub(super) fn with_possible_advice(message: &str) -> String {
    let own = message.replace("\nhint: ", "\n hint: ");
    let advice = ADVICE.iter().find(|(sign, ..)| own.contains(sign));
    let Some((_, end, hint)) = advice else { return own };
    let kept = end.and_then(|end| own.find(end)).map_or(own.as_str(), |end| &own[..end]);
    format!("{}\nhint: {hint}", kept.trim_end())
}

/// A text that a message contains, the start of DuckDB's advice, and the advice that replaces it.
const ADVICE: [(&str, Option<&str>, &str); 7] = [
    (
        "Max expression depth limit",
        Some(" Use \"SET"),
        "say a part of it in a subquery with a name: with part as (select ...) select ... from part",
    ),
    (
        "but it exists in the",
        Some("\n\nPlease try installing"),
        "extensions of DuckDB cannot be loaded here; `fedilake views` gives the views to a DuckDB of your own",
    ),
    (
        "requires the extension",
        Some("\n\nPlease try installing"),
        "extensions of DuckDB cannot be loaded here; files are read from disk and from s3://BUCKET/…: download others first",
    ),
    (
        "disabled by configuration",
        None,
        "this asks the lake, which reads no files; `fedilake sql --direct` asks Parquet files",
    ),
    ("Variant columns", None, "cast it in the question: column::json or column::varchar"),
    ("Wrong number of parameters", None, "write the values into the statement"),
    ("pivot_limit", None, "name the values: on column in ('a', 'b')"),
];

/// The position of the character at which DuckDB points. `place` is the text after LINE: `2: …part of the line…`,
/// with a caret below.
fn position(text: &str, place: &str) -> Option<usize> {
    let (number, shown) = place.split_once(": ")?;
    let line: usize = number.parse().ok()?;
    let (part, below) = shown.split_once('\n')?;
    let caret = below.find('^')?;
    // The caret is placed below the whole `LINE n: part`.
    let in_part = caret.checked_sub("LINE ".len() + number.len() + ": ".len())?;
    let line_start: usize =
        text.split_inclusive('\n').take(line.checked_sub(1)?).map(|line| line.chars().count()).sum();
    let line_text = text.lines().nth(line - 1)?;
    // Of a long line only the middle is shown, between dots.
    let (shown, dots) = match part.strip_prefix("...") {
        Some(shown) => (shown, 3),
        None => (part, 0),
    };
    let shown = shown.strip_suffix("...").unwrap_or(shown);
    let offset = line_text[..line_text.find(shown)?].chars().count();
    Some(line_start + offset + in_part.checked_sub(dots)?)
}

/// The number of characters of a long line that are shown on each side of the caret.
const AROUND: usize = 60;

fn excerpt(line: &str, column: usize) -> String {
    let start = column.saturating_sub(AROUND + 1);
    let shown: String = line.chars().skip(start).take(2 * AROUND).map(|c| if c == '\t' { ' ' } else { c }).collect();
    format!("{shown}\n{}^", " ".repeat(column - 1 - start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_any_length_keeps_its_beginning_and_its_end() {
        let (head, tail) = TOLD;
        for length in [0, 1, head, head + tail] {
            assert_eq!(shortened("é".repeat(length)), "é".repeat(length));
        }
        let long = format!("cannot cast {}\nhint: cast it", "é".repeat(1_000_000));
        let told = shortened(long);
        assert!(told.starts_with("cannot cast é") && told.ends_with("é\nhint: cast it"), "{}", told.len());
        assert_eq!(told.chars().count(), head + tail + 3);
    }
}
