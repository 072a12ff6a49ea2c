//! Decides whether a statement only reads, from the tree that DuckDB's own parser makes of it.

use duckdb::Connection;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::pivot::{self, Edited};
use super::{SqlError, SqlErrorKind, failure, nearest};
use crate::error::message;
use crate::lake::layout::SCHEMA;
use crate::views::DOCUMENTED;

/// Functions that a SELECT can call and that act on the instance, run text that this guard has not seen, or follow
/// pointers.
const REFUSED: [&str; 15] = [
    "arrow_scan",
    "arrow_scan_dumb",
    "checkpoint",
    "disable_logging",
    "disable_profiling",
    "enable_logging",
    "enable_profiling",
    "force_checkpoint",
    "json_execute_serialized_sql",
    "json_serialize_plan",
    "pandas_scan",
    "query",
    "seq_scan",
    "truncate_duckdb_logs",
    "write_log",
];

/// Functions that take a table's name as a text.
const BY_NAME: [&str; 5] =
    ["duckdb_table_sample", "pragma_show", "pragma_storage_info", "pragma_table_info", "query_table"];

/// The catalog whose functions list everything, whatever [`LISTINGS`](crate::lake::layout::LISTINGS) leave out.
const SYSTEM: &str = "system";

/// The result of DuckDB's `json_serialize_sql`: the statements as trees, or the reason why there are none.
#[derive(Deserialize)]
struct Parsed {
    error: bool,
    error_type: Option<String>,
    error_message: Option<String>,
    position: Option<String>,
    #[serde(default)]
    statements: Vec<IgnoredAny>,
    /// Why the tree may not run.
    #[serde(skip)]
    refused: Option<String>,
    /// The documented views that the statement names.
    #[serde(skip)]
    views: Vec<&'static str>,
    /// True if the statement lists tables, views or columns.
    #[serde(skip)]
    lists_tables: bool,
}

/// Returns the text to run: the text that the parser saw, after EXPLAIN if the user typed that, and with the values
/// of each PIVOT written into it. All other characters are as typed. Refuses everything except one statement that
/// only reads.
pub(super) fn admit(connection: &Connection, text: &str) -> Result<Edited, SqlError> {
    admit_below(connection, text, 0)
}

/// As [`admit`], for a question that `depth` other questions wait for.
pub(super) fn admit_below(connection: &Connection, text: &str, depth: usize) -> Result<Edited, SqlError> {
    let (explain, inner) = split_explain(text);
    let parsed = parse(connection, inner)?;
    let with_values = if parsed.is_no_select() { pivot::with_values(connection, inner, depth)? } else { None };
    let (parsed, edited) = match with_values {
        Some(edited) => (parse(connection, &edited.text)?, edited),
        None => (parsed, Edited::unchanged(inner.to_owned())),
    };
    let mut edited = edited.behind(&explain);
    edited.views.clone_from(&parsed.views);
    check(&parsed).map_err(|refused| match refused.position {
        Some(position) => edited.error(text, refused.kind, refused.message, position + explain.chars().count()),
        None => SqlError::plain(refused.kind, refused.message),
    })?;
    Ok(edited)
}

/// Refuses a text that was made of an admitted one, as [`admit`] would.
pub(super) fn admit_made(connection: &Connection, made: &str) -> Result<(), SqlError> {
    check(&parse(connection, made)?).map_err(|refused| SqlError::plain(refused.kind, refused.message))
}

/// True if a text lists the tables that there are, whatever it makes of them: `show tables`, `information_schema`,
/// `duckdb_views()` and their like.
pub(crate) fn lists_tables(connection: &Connection, text: &str) -> bool {
    parse(connection, split_explain(text).1).is_ok_and(|parsed| parsed.lists_tables)
}

/// Why a text may not run.
struct Refused {
    kind: SqlErrorKind,
    message: String,
    position: Option<usize>,
}

fn check(parsed: &Parsed) -> Result<(), Refused> {
    let refused =
        |reason: &str| Err(Refused { kind: SqlErrorKind::Refused, message: reason.to_owned(), position: None });
    if parsed.is_no_select() {
        return refused(
            "only statements that read may run: SELECT, FROM, VALUES, WITH, PIVOT, UNPIVOT, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN",
        );
    }
    if parsed.error {
        let message = parsed.error_message.as_deref().unwrap_or("cannot be parsed");
        let message = failure::with_possible_advice(message);
        let position = parsed.position.as_ref().and_then(|position| position.parse().ok());
        return Err(Refused { kind: SqlErrorKind::Syntax, message, position });
    }
    match parsed.statements.as_slice() {
        [] => refused("there is no statement"),
        [_] => parsed.refused.as_deref().map_or(Ok(()), refused),
        [_, _, ..] => refused("one statement at a time"),
    }
}

impl Parsed {
    /// True if the text is SQL for which DuckDB makes no tree.
    fn is_no_select(&self) -> bool {
        self.error && self.error_type.as_deref() == Some("not implemented")
    }
}

fn parse(connection: &Connection, text: &str) -> Result<Parsed, SqlError> {
    let failed = |reason: String| SqlError::plain(SqlErrorKind::Engine, reason);
    let json: String = connection
        .query_row("select json_serialize_sql(?::varchar)", [text], |row| row.get(0))
        .map_err(|error| failed(message(&error)))?;
    let parsed: Parsed =
        serde_json::from_str(&json).map_err(|error| failed(format!("read DuckDB's parse: {error}")))?;
    let refused = refused_call(&json).or_else(|| names_internals(&json).then(internals));
    let lists_tables = LISTED.iter().any(|(key, begin)| named(&json, key).any(|name| name.starts_with(begin)));
    let is_named = |view: &str| named(&json, "table_name").any(|name| name.eq_ignore_ascii_case(view));
    let views = DOCUMENTED.into_iter().filter(|view| is_named(view)).collect();
    Ok(Parsed { refused, views, lists_tables, ..parsed })
}

/// Members of a tree, and the beginnings of their values in statements that list tables.
const LISTED: [(&str, &str); 9] = [
    ("show_type", "SHOW_UNQUALIFIED"),
    ("show_type", "SHOW_FROM"),
    ("function_name", "duckdb_"),
    ("function_name", "pragma_"),
    ("schema_name", "information_schema"),
    ("schema_name", "pg_catalog"),
    ("table_name", "duckdb_"),
    ("table_name", "pg_"),
    ("table_name", "sqlite_"),
];

/// True if a tree in JSON names a table of the schema [`SCHEMA`].
fn names_internals(json: &str) -> bool {
    named(json, "schema_name").any(|name| name.eq_ignore_ascii_case(SCHEMA))
}

/// True if DuckDB may find the table of this name in the schema [`SCHEMA`].
fn is_internal(table: &str) -> bool {
    table.split('.').any(|part| part.trim().trim_matches('"').eq_ignore_ascii_case(SCHEMA))
}

/// Why a question may not name a table of the schema [`SCHEMA`].
fn internals() -> String {
    format!(
        "the tables of the schema `{SCHEMA}` cannot be asked: they hold posts that the views leave out, and change with every version\n\
         hint: SQL reads the views {}",
        nearest::all()
    )
}

/// An argument of a call in a tree.
#[derive(Deserialize)]
struct Argument {
    class: String,
    #[serde(default)]
    value: Option<Value>,
}

/// The value of a constant in a tree.
#[derive(Deserialize)]
struct Value {
    #[serde(default)]
    value: serde_json::Value,
}

/// The texts among a call's arguments; `behind` begins behind the function's name. `None` if an argument is no constant.
fn constants(behind: &str) -> Option<Vec<String>> {
    let (_, arguments) = behind.split_once("\"children\":")?;
    let mut arguments = serde_json::Deserializer::from_str(arguments).into_iter::<Vec<Argument>>();
    let text = |argument: Argument| match argument.value?.value {
        serde_json::Value::String(text) if argument.class == "CONSTANT" => Some(text),
        _ => None,
    };
    arguments.next()?.ok()?.into_iter().map(text).collect()
}

fn refused_by_name(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|refused| name.eq_ignore_ascii_case(refused)).copied()
}

/// The first reason for which a call in a tree in JSON may not run.
fn refused_call(json: &str) -> Option<String> {
    let is_system = |key: &str| named(json, key).any(|name| name.eq_ignore_ascii_case(SYSTEM));
    let is_qualified = is_system("catalog") || is_system("schema");
    texts(json, "function_name").find_map(|(name, behind)| {
        if let Some(name) = refused_by_name(&name) {
            return Some(format!("{name}() may not be called here"));
        }
        if is_qualified && name.to_ascii_lowercase().starts_with("duckdb_") {
            return Some(format!("`{SYSTEM}` may not be named here\nhint: ask {}() alone", name.to_ascii_lowercase()));
        }
        BY_NAME.iter().find(|by_name| name.eq_ignore_ascii_case(by_name)).and_then(|by_name| match constants(behind) {
            Some(tables) => tables.iter().any(|table| is_internal(table)).then(internals),
            None => Some(format!(
                "{by_name}() takes a table's name as one plain text here\nhint: `from posts` needs no function"
            )),
        })
    })
}

/// The texts of all members `key` of a tree in JSON. The tree is as deep as its statement (a sum of a hundred terms is a hundred levels),
/// so its strings are looked at one after the other, and no level is gone into.
fn named<'a>(json: &'a str, key: &'a str) -> impl Iterator<Item = String> + 'a {
    texts(json, key).map(|(text, _)| text)
}

/// As [`named`], each with the JSON behind it.
fn texts<'a>(json: &'a str, key: &'a str) -> impl Iterator<Item = (String, &'a str)> + 'a {
    let mut is_name = false;
    strings(json).filter_map(move |(text, is_key, behind)| {
        let found = is_name && !is_key;
        is_name = is_key && text.get(1..text.len() - 1) == Some(key);
        found.then(|| (serde_json::from_str(text).unwrap_or_else(|_| text.to_owned()), behind))
    })
}

/// The strings of well-formed JSON with their quotes, whether each is a member's key, and the JSON behind each.
fn strings(json: &str) -> impl Iterator<Item = (&str, bool, &str)> {
    let mut rest = json;
    std::iter::from_fn(move || {
        let begin = rest.find('"')?;
        let (mut end, mut escaped) = (begin + 1, false);
        for byte in rest[begin + 1..].bytes() {
            end += 1;
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => break,
                _ => {}
            }
        }
        let text = &rest[begin..end];
        rest = &rest[end..];
        Some((text, rest.trim_start().starts_with(':'), rest))
    })
}

/// Splits a text into EXPLAIN and the statement that it explains, because the parser makes no tree of EXPLAIN itself.
/// The first part is written anew from the words alone, so that nothing else in it (comments, which may be nested)
/// runs. Without EXPLAIN, the second part is the whole text.
fn split_explain(text: &str) -> (String, &str) {
    let head = skip_blank(text);
    let Some(rest) = after_word(head, "explain") else { return (String::new(), text) };
    let explain = blank(&text[..text.len() - head.len()]) + "explain";
    let tail = skip_blank(rest);
    let between = blank(&rest[..rest.len() - tail.len()]);
    match (after_word(tail, "analyze"), options(tail)) {
        (Some(inner), _) => (explain + &between + "analyze", inner),
        (None, Some((options, inner))) => (explain + &between + &options, inner),
        (None, None) => (explain, rest),
    }
}

/// Options of EXPLAIN.
const OPTIONS: [&str; 2] = ["analyze", "format"];

/// Splits a text that begins with `(format json)` or another list of EXPLAIN's options, words and commas, into the list and the rest.
fn options(text: &str) -> Option<(String, &str)> {
    let (listed, rest) = text.strip_prefix('(')?.split_once(')')?;
    let is_option = |option: &str| OPTIONS.iter().any(|name| after_word(option.trim_start(), name).is_some());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ',' || c.is_whitespace();
    (listed.chars().all(is_plain) && listed.split(',').all(is_option)).then(|| (format!("({listed})"), rest))
}

/// As many spaces and line ends as the text has characters and lines.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_at_any_depth_and_nothing_else_passes_for_one() {
        let cases: [(&str, &[&str]); 7] = [
            (r#"{"function_name":"abs"}"#, &["abs"]),
            (r#"{"a" : [{"function_name" : "one"}, {"function_name":"two","x":1}]}"#, &["one", "two"]),
            (r#"{"value":"function_name","function_name":"real"}"#, &["real"]),
            (r#"{"value":"\"function_name\":\"query\""}"#, &[]),
            (r#"{"value":"\\","function_name":"after\\"}"#, &["after\\"]),
            (r#"{"function_name":null,"alias":"query"}"#, &[]),
            (r#"{"function_name":"qu\u0065ry"}"#, &["query"]),
        ];
        for (json, expected) in cases {
            assert_eq!(named(json, "function_name").collect::<Vec<_>>(), expected, "{json}");
        }
        let deep = format!("{}{{\"function_name\":\"query\"}}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert!(refused_call(&deep).is_some_and(|reason| reason.starts_with("query() may not")));
    }
}
