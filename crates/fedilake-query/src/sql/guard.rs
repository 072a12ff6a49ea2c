//! Decides whether a statement only reads, by the tree that DuckDB's own parser makes of it.

use duckdb::Connection;
use serde::Deserialize;
use serde_json::Value;

use super::{SqlError, SqlErrorKind};
use crate::error::message;

/// Functions that a SELECT can call and that act on the instance, run text that this guard did not see, or follow
/// pointers.
const REFUSED: [&str; 14] = [
    "arrow_scan",
    "arrow_scan_dumb",
    "checkpoint",
    "disable_logging",
    "disable_profiling",
    "enable_logging",
    "enable_profiling",
    "force_checkpoint",
    "json_execute_serialized_sql",
    "pandas_scan",
    "query",
    "seq_scan",
    "truncate_duckdb_logs",
    "write_log",
];

/// DuckDB's `json_serialize_sql`: the statements as trees, or why there are none.
#[derive(Deserialize)]
struct Parsed {
    error: bool,
    error_type: Option<String>,
    error_message: Option<String>,
    position: Option<String>,
    #[serde(default)]
    statements: Vec<Value>,
}

/// The text to run: what the parser saw, behind EXPLAIN where the text asks for that, each character at its place. Refuses what
/// is not exactly one statement that only reads.
pub(super) fn admit(connection: &Connection, text: &str) -> Result<String, SqlError> {
    let (explain, inner) = split_explain(text);
    let parsed = parse(connection, inner)?;
    if parsed.error {
        return Err(match parsed.error_type.as_deref() {
            Some("not implemented") => refused(
                "only statements that read may run: SELECT, FROM, VALUES, WITH, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN",
            ),
            _ => {
                let message = parsed.error_message.unwrap_or_else(|| "cannot be parsed".to_owned());
                let skipped = explain.chars().count();
                let position = parsed.position.and_then(|position| position.parse::<usize>().ok());
                SqlError::at(SqlErrorKind::Syntax, message, text, position.map(|position| position + skipped))
            }
        });
    }
    match parsed.statements.as_slice() {
        [] => Err(refused("there is no statement")),
        [statement] => match refused_function(statement) {
            Some(name) => Err(refused(&format!("{name}() may not be called here"))),
            None => Ok(explain + inner),
        },
        [_, _, ..] => Err(refused("one statement at a time")),
    }
}

fn parse(connection: &Connection, text: &str) -> Result<Parsed, SqlError> {
    let failed = |reason: String| SqlError::plain(SqlErrorKind::Engine, reason);
    let json: String = connection
        .query_row("select json_serialize_sql(?::varchar)", [text], |row| row.get(0))
        .map_err(|error| failed(message(&error)))?;
    serde_json::from_str(&json).map_err(|error| failed(format!("read DuckDB's parse: {error}")))
}

fn refused(reason: &str) -> SqlError {
    SqlError::plain(SqlErrorKind::Refused, reason.to_owned())
}

fn refused_function(tree: &Value) -> Option<&str> {
    match tree {
        Value::Object(fields) => fields.iter().find_map(|(key, value)| match value.as_str() {
            Some(name) if key == "function_name" => {
                REFUSED.iter().find(|refused| name.eq_ignore_ascii_case(refused)).copied()
            }
            _ => refused_function(value),
        }),
        Value::Array(items) => items.iter().find_map(refused_function),
        _ => None,
    }
}

/// EXPLAIN and what it explains: the parser makes no tree of EXPLAIN itself. The first part is made anew from nothing but the
/// words, so whatever else stood there (comments, which can be nested) is not run. Without EXPLAIN, all of the text.
fn split_explain(text: &str) -> (String, &str) {
    let head = skip_blank(text);
    let Some(rest) = after_word(head, "explain") else { return (String::new(), text) };
    let explain = blank(&text[..text.len() - head.len()]) + "explain";
    let tail = skip_blank(rest);
    match after_word(tail, "analyze") {
        Some(inner) => (explain + &blank(&rest[..rest.len() - tail.len()]) + "analyze", inner),
        None => (explain, rest),
    }
}

/// As many spaces as there are characters, in as many lines.
fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { ' ' }).collect()
}

fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(word.len())?;
    let ends = !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
    (head.eq_ignore_ascii_case(word) && ends).then_some(rest)
}

/// Skips white space and comments.
fn skip_blank(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let comment = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else {
            return rest;
        };
        rest = rest[comment..].trim_start();
    }
}
