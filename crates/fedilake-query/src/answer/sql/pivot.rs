//! PIVOT that takes its columns from the data: `pivot posts on language using count(*)`.
//!
//! For DuckDB this is several statements, the first of which makes an enum of the values, so it does not only read.
//! Here the values are queried first and written into the text, `on language in ('de', 'en')`, which makes it a
//! single SELECT. The [`guard`](super::guard) checks both the query for the values and the final text, so safety does
//! not depend on how well this file reads SQL: a text that it misreads fails, or is refused.

use std::ops::Range;

use duckdb::Connection;

use super::{SqlError, SqlErrorKind, guard};
use crate::literal::literal;

/// The most columns that one PIVOT may make of the data.
const COLUMNS_MAX: usize = 10_000;
/// The deepest nesting of PIVOTs that depend on each other.
const DEPTH_MAX: usize = 8;

/// A replaced part of a text, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    at: usize,
    removed: usize,
    inserted: usize,
}

/// A text, and the edits that made it from the typed text.
#[derive(Clone, Debug)]
pub(super) struct Edited {
    pub(super) text: String,
    /// The documented views that the statement names.
    pub(super) views: Vec<&'static str>,
    edits: Vec<Edit>,
}

impl Edited {
    pub(super) fn unchanged(text: String) -> Edited {
        Edited { text, views: Vec::new(), edits: Vec::new() }
    }

    /// The edit behind `text`, which stands before everything else.
    pub(super) fn behind(mut self, head: &str) -> Edited {
        let characters = head.chars().count();
        self.text.insert_str(0, head);
        self.edits.iter_mut().for_each(|edit| edit.at += characters);
        self
    }

    /// The statement between `head` and `tail`, without the semicolon that ends it.
    pub(super) fn within(&self, head: &str, tail: &str) -> Edited {
        let mut edited = self.clone();
        let ends = tokens(&self.text).into_iter().filter(|token| token.kind == Kind::Semicolon).map(|end| end.range);
        ends.rev().for_each(|end| edited.replace(end, ""));
        edited.replace(edited.text.len()..edited.text.len(), tail);
        edited.replace(0..0, head);
        edited
    }

    /// The position in the typed text of a character of this text.
    fn typed(&self, position: usize) -> usize {
        self.edits.iter().rev().fold(position, |position, edit| {
            if position >= edit.at + edit.inserted {
                position - edit.inserted + edit.removed
            } else {
                position.min(edit.at)
            }
        })
    }

    /// An error at a character of this text, shown in the typed text.
    pub(super) fn error(&self, typed: &str, kind: SqlErrorKind, message: String, position: usize) -> SqlError {
        SqlError::at(kind, message, typed, Some(self.typed(position)))
    }

    fn replace(&mut self, range: Range<usize>, by: &str) {
        let characters = |text: &str| text.chars().count();
        self.edits.push(Edit {
            at: characters(&self.text[..range.start]),
            removed: characters(&self.text[range.clone()]),
            inserted: characters(by),
        });
        self.text.replace_range(range, by);
    }
}

/// The text with the values of each PIVOT written into it; `None` if no PIVOT needs values.
pub(super) fn with_values(connection: &Connection, text: &str, depth: usize) -> Result<Option<Edited>, SqlError> {
    let mut edited = Edited::unchanged(text.to_owned());
    while let Some(open) = last_open(&edited.text) {
        let refused = |reason: &str| SqlError::plain(SqlErrorKind::Refused, reason.to_owned());
        if depth >= DEPTH_MAX {
            return Err(refused(
                "PIVOTs depend on each other too deeply\nhint: name the values: on column in ('a', 'b')",
            ));
        }
        let values = values(connection, &open.question, depth + 1).map_err(|error| {
            let characters = edited.text[..open.place.start].chars().count();
            edited.error(text, error.kind, error.message, characters)
        })?;
        if values.is_empty() {
            return Err(refused("there is no value to pivot on\nhint: name the values: on column in ('a', 'b')"));
        }
        let values: Vec<String> = values.iter().map(|value| literal(value)).collect();
        let list = format!(" in ({})", values.join(", "));
        edited.replace(open.place, &list);
    }
    Ok((!edited.edits.is_empty()).then_some(edited))
}

fn values(connection: &Connection, question: &str, depth: usize) -> Result<Vec<String>, SqlError> {
    let admitted = guard::admit_below(connection, question, depth)?;
    let failed = |error: duckdb::Error| SqlError::from_engine(&admitted, question, error);
    let mut statement = connection.prepare(&admitted.text).map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut values: Vec<String> = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let Some(value) = row.get::<_, Option<String>>(0).map_err(failed)? else { continue };
        if values.len() == COLUMNS_MAX {
            let reason = format!(
                "there are more than {COLUMNS_MAX} values to pivot on\nhint: name the values: on column in ('a', 'b')"
            );
            return Err(SqlError::plain(SqlErrorKind::Refused, reason));
        }
        values.push(value);
    }
    Ok(values)
}

/// A column of a PIVOT without its values.
struct Open {
    /// The part of the text that a list of the values replaces.
    place: Range<usize>,
    /// The query for the values, in order.
    question: String,
}

/// The last such column in a text. Of nested PIVOTs the inner one comes later in the text.
fn last_open(text: &str) -> Option<Open> {
    let tokens = tokens(text);
    let pivots = (0..tokens.len()).rev().filter(|at| tokens[*at].is(text, &["pivot", "pivot_wider"]));
    pivots.filter_map(|pivot| open_column(text, &tokens, pivot)).next()
}

/// Words that end the columns of a PIVOT.
const ENDS: [&str; 8] = ["using", "group", "order", "limit", "offset", "union", "except", "intersect"];

fn open_column(text: &str, tokens: &[Token], pivot: usize) -> Option<Open> {
    let depth = tokens[pivot].depth;
    let end = (pivot + 1..tokens.len()).find(|at| tokens[*at].depth < depth || tokens[*at].kind == Kind::Semicolon);
    let rest = pivot + 1..end.unwrap_or(tokens.len());
    if is_standard(text, &tokens[rest.clone()], depth) {
        return None;
    }
    let beside = |at: &usize| tokens[*at].depth == depth;
    // A join within the source has its own ON before that of the PIVOT.
    let last = rest.clone().filter(beside).find(|at| tokens[*at].is(text, &ENDS[1..])).unwrap_or(rest.end);
    let on = (rest.start..last).filter(beside).rfind(|at| tokens[*at].is(text, &["on"]))?;
    let last = (on..last).filter(beside).find(|at| tokens[*at].is(text, &ENDS)).unwrap_or(last);
    let source = spanned(text, &tokens[rest.start..on])?;
    let scope = scope(text, tokens, pivot);
    let mut columns = tokens[on + 1..last].split(|token| token.depth == depth && token.kind == Kind::Comma);
    columns.find_map(|column| {
        let expression = spanned(text, column)?;
        let Some(at) = column.iter().position(|token| token.depth == depth && token.is(text, &["in"])) else {
            let place = column.last()?.range.end..column.last()?.range.end;
            let question = format!(
                "select distinct (\n{expression}\n)::varchar from \n{source}\n where (\n{expression}\n) is not null"
            );
            return Some(Open { place, question: scope.of(&question) });
        };
        let listed = &column[at + 1..];
        if listed.first()?.kind != Kind::Open {
            return None;
        }
        if !listed.get(1)?.is(text, &["select", "with", "from", "values", "table", "pivot", "pivot_wider"]) {
            return None;
        }
        let subquery = spanned(text, listed)?;
        Some(Open {
            place: column[at].range.start..listed.last()?.range.end,
            question: scope.of(&format!("select distinct columns(*)::varchar from \n{subquery}\n")),
        })
    })
}

/// True for SQL's own `table PIVOT (count(*) FOR column IN (…))`, which already has its values.
fn is_standard(text: &str, rest: &[Token], depth: usize) -> bool {
    rest.first().is_some_and(|first| first.kind == Kind::Open)
        && rest
            .iter()
            .take_while(|token| token.depth > depth || token.kind == Kind::Open)
            .any(|token| token.depth == depth + 1 && token.is(text, &["for"]))
}

/// The definitions of common tables that a PIVOT can use, from the outermost WITH inwards.
struct Scope(Vec<String>);

impl Scope {
    /// A query with these definitions, its rows in order.
    fn of(&self, question: &str) -> String {
        let within = |question: String, with: &String| format!("{with}\n select * from (\n{question}\n)");
        self.0.iter().rev().fold(question.to_owned(), within) + " order by 1"
    }
}

fn scope(text: &str, tokens: &[Token], at: usize) -> Scope {
    let with = |depth: usize| {
        let start = (0..at).rev().find(|before| tokens[*before].depth < depth).map_or(0, |open| open + 1);
        let described = tokens[start..at].iter().take_while(|token| token.is(text, &["describe", "summarize", "show"]));
        let start = start + described.count();
        if !tokens[start..at].first()?.is(text, &["with"]) {
            return None;
        }
        let first = start + 1 + usize::from(tokens[start + 1].is(text, &["recursive"]));
        let last = last_definition(text, tokens, first..at, depth)?;
        spanned(text, &tokens[start..=last]).map(str::to_owned)
    };
    Scope((0..=tokens[at].depth).filter_map(with).collect())
}

/// The bracket that ends the last definition of a WITH within the range. Each definition is a name, AS and a query in
/// brackets.
fn last_definition(text: &str, tokens: &[Token], range: Range<usize>, depth: usize) -> Option<usize> {
    let (mut word_before, mut last) = (None, None);
    for at in range.filter(|at| tokens[*at].depth == depth) {
        match tokens[at].kind {
            Kind::Open => {}
            Kind::Close => {
                let is_body = |word: usize| tokens[word].is(text, &["as", "materialized"]);
                last = word_before.filter(|word| is_body(*word)).map(|_| at).or(last);
            }
            _ => word_before = Some(at),
        }
    }
    last
}

fn spanned<'a>(text: &'a str, tokens: &[Token]) -> Option<&'a str> {
    Some(&text[tokens.first()?.range.start..tokens.last()?.range.end])
}

/// A word or a sign of a statement.
#[derive(Debug)]
struct Token {
    range: Range<usize>,
    kind: Kind,
    /// The number of brackets and CASEs around it; a bracket is outside of itself.
    depth: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    /// A text, a number, an operator, or a name in quotes.
    Other,
    Open,
    Close,
    Comma,
    Semicolon,
}

impl Token {
    /// True for one of these words, in any case.
    fn is(&self, text: &str, words: &[&str]) -> bool {
        let own = &text[self.range.clone()];
        self.kind == Kind::Word && words.iter().any(|word| own.eq_ignore_ascii_case(word))
    }
}

/// The tokens of a text, without its comments.
fn tokens(text: &str) -> Vec<Token> {
    let (mut tokens, mut start): (Vec<Token>, usize) = (Vec::new(), 0);
    let mut open: Vec<Kind> = Vec::new();
    while let Some(first) = text[start..].chars().next() {
        let (kind, length) = token(&text[start..], first);
        let range = start..start + length;
        start = range.end;
        let Some(kind) = kind else { continue };
        let mut token = Token { range, kind, depth: open.len() };
        if kind == Kind::Open || token.is(text, &["case"]) {
            open.push(kind);
        } else if (kind == Kind::Close && open.last() == Some(&Kind::Open))
            || (token.is(text, &["end"]) && open.last() == Some(&Kind::Word))
        {
            open.pop();
            token.depth = open.len();
        }
        tokens.push(token);
    }
    tokens
}

/// The kind and the length of the token at the start of a text; no kind for space and comments.
fn token(text: &str, first: char) -> (Option<Kind>, usize) {
    let up_to = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
    match first {
        c if c.is_whitespace() => (None, c.len_utf8()),
        '-' if text.starts_with("--") => (None, up_to("\n", 0)),
        '/' if text.starts_with("/*") => (None, comment(text)),
        'e' | 'E' if text[1..].starts_with('\'') => (Some(Kind::Other), 1 + quoted(&text[1..], '\'', true)),
        '\'' | '"' => (Some(Kind::Other), quoted(text, first, false)),
        '$' => match dollar_tag(text) {
            Some(tag) => (Some(Kind::Other), up_to(tag, tag.len())),
            None => (Some(Kind::Other), 1),
        },
        '(' | '[' | '{' => (Some(Kind::Open), 1),
        ')' | ']' | '}' => (Some(Kind::Close), 1),
        ',' => (Some(Kind::Comma), 1),
        ';' => (Some(Kind::Semicolon), 1),
        c if is_word(c) => {
            let length = text.find(|c| !is_word(c)).unwrap_or(text.len());
            (Some(if c.is_ascii_digit() { Kind::Other } else { Kind::Word }), length)
        }
        c => (Some(Kind::Other), c.len_utf8()),
    }
}

/// The length of a comment, which may contain other comments.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        let step = match rest {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of a quoted text. A doubled quote does not end it, nor in `E'…'` a quote after a backslash.
fn quoted(text: &str, quote: char, has_backslashes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if has_backslashes && c == '\\' {
            characters.next();
        } else if c == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// The `$tag$` at the start of a text.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 1;
    let is_tag = text[1..end].chars().all(|c| c.is_alphanumeric() || c == '_');
    is_tag.then(|| &text[..=end])
}
