//! The prompt of `fedilake sql` without a question: statements are typed, asked and answered until the user leaves.
//!
//! A statement may have many lines and ends with a semicolon. Lines are edited by rustyline, which also keeps their history.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::AsArray;
use arrow::ipc::reader::StreamReader;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::answers::Answers;
use crate::cli::Format;
use crate::render;
use crate::serve::{COLUMNS, FUNCTIONS};
use crate::settings;
use crate::telemetry;

const PROMPT: &str = "fedilake> ";

const HELP: &str = "\
A question is one statement in DuckDB's SQL that only reads; it ends with a semicolon.
  .tables   the views that can be asked
  .schema   the views with their columns
  .quit     leave; so does Ctrl-D
Tab completes names. Ctrl-C stops a statement that runs, or clears what is typed. A line that begins with a space is not remembered.";

/// Words of SQL that are completed, besides names.
const KEYWORDS: [&str; 46] = [
    "and",
    "as",
    "asc",
    "between",
    "by",
    "case",
    "cast",
    "count(*)",
    "cross",
    "date",
    "desc",
    "describe",
    "distinct",
    "else",
    "end",
    "except",
    "exists",
    "false",
    "filter",
    "from",
    "full",
    "group",
    "having",
    "in",
    "inner",
    "interval",
    "is",
    "join",
    "left",
    "like",
    "limit",
    "not",
    "null",
    "offset",
    "on",
    "or",
    "order",
    "over",
    "partition",
    "pivot",
    "select",
    "summarize",
    "union",
    "using",
    "where",
    "with",
];

/// Asks what is typed until the user leaves. An error is shown and the next statement is waited for.
pub(super) async fn run(answers: &Answers, folder: &Path, format: Format) -> anyhow::Result<()> {
    let mut editor = Editor::<Names, FileHistory>::with_config(
        Config::builder().history_ignore_space(true).completion_type(CompletionType::List).build(),
    )
    .context("read from the terminal")?;
    editor.set_helper(Some(Names::of(answers).await?));
    let history = history();
    if let Some(history) = &history {
        // There is none before the first statement.
        let _ = editor.load_history(history);
    }
    telemetry::say(&format!("answers from {}; .help tells what can be typed", folder.display()));
    // From now on Ctrl-C ends a statement, and not the process.
    let mut interrupt = signal(SignalKind::interrupt()).context("wait for Ctrl-C")?;
    loop {
        let (typed, returned) = tokio::task::spawn_blocking(move || (editor.readline(PROMPT), editor)).await?;
        editor = returned;
        let typed = match typed {
            Ok(typed) => typed,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(error).context("read from the terminal"),
        };
        if typed.trim().is_empty() {
            continue;
        }
        editor.add_history_entry(typed.as_str()).context("remember the statement")?;
        if let Some(history) = &history
            && let Err(error) = editor.append_history(history)
        {
            tracing::debug!("the history {} is not written: {error}", history.display());
        }
        let query = match typed.trim().trim_end_matches(';').trim_end() {
            "" => continue,
            ".quit" | ".exit" => return Ok(()),
            ".help" => {
                telemetry::say(HELP);
                continue;
            }
            ".tables" => "show tables".to_owned(),
            ".schema" => format!("select view, name as column, kind as type from ({COLUMNS})"),
            unknown if unknown.starts_with('.') => {
                telemetry::say_why(&format!("no command `{unknown}`\nhint: .help lists the commands"));
                continue;
            }
            _ => typed,
        };
        let stop = CancellationToken::new();
        let mut asked =
            std::pin::pin!(answers.sql_until(query, stop.clone(), move |rows| render::print_rows(rows, format)));
        let outcome = tokio::select! {
            outcome = &mut asked => outcome,
            _ = interrupt.recv() => {
                stop.cancel();
                asked.await
            }
        };
        match outcome {
            _ if stop.is_cancelled() => telemetry::say_why("cancelled"),
            Err(error) => telemetry::say_error(&error),
            Ok(()) => {}
        }
    }
}

/// The file of statements that were typed, for their user alone; none where there is no home.
fn history() -> Option<PathBuf> {
    let folder = settings::platform_state()?;
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("sql_history"))
}

/// What is completed: views, columns, functions and keywords.
#[derive(Clone)]
struct Names(Arc<BTreeSet<String>>);

impl Names {
    async fn of(answers: &Answers) -> anyhow::Result<Names> {
        let mut names: BTreeSet<String> = KEYWORDS.map(str::to_owned).into();
        names.extend(answers.sql(format!("select unnest([view, name]) from ({COLUMNS})"), texts).await?);
        names.extend(answers.sql(format!("select name || '(' from ({FUNCTIONS})"), texts).await?);
        Ok(Names(Arc::new(names)))
    }

    /// The place at which the last word begins, and the names that begin as it does.
    fn matching(&self, before: &str) -> (usize, Vec<&str>) {
        let begins = before
            .rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '.')
            .map_or(0, |at| at + before[at..].chars().next().map_or(0, char::len_utf8));
        let word = before[begins..].to_lowercase();
        // A column may be named behind its table: `p.cre`.
        let (begins, word) = match word.rsplit_once('.') {
            Some((table, column)) if !table.is_empty() => (begins + table.len() + 1, column.to_owned()),
            _ => (begins, word),
        };
        if word.is_empty() {
            return (begins, Vec::new());
        }
        (begins, self.0.range(word.clone()..).take_while(|name| name.starts_with(&word)).map(String::as_str).collect())
    }
}

/// The texts of the only column of an answer.
fn texts(answer: &mut dyn Read) -> anyhow::Result<Vec<String>> {
    let mut all = Vec::new();
    for batch in StreamReader::try_new(answer, None)? {
        let batch = batch?;
        let texts = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8)?;
        all.extend(texts.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    Ok(all)
}

impl Completer for Names {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (begins, names) = self.matching(&line[..at]);
        let pair = |name: &&str| Pair { display: (*name).to_owned(), replacement: (*name).to_owned() };
        Ok((begins, names.iter().map(pair).collect()))
    }
}

impl Validator for Names {
    fn validate(&self, typed: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_whole(typed.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {}

impl Helper for Names {}

/// True for an empty line, for a command, and for a statement that a semicolon ends.
fn is_whole(typed: &str) -> bool {
    let typed = typed.trim();
    typed.is_empty() || typed.starts_with('.') || ends_with_semicolon(typed)
}

/// True if the last character beside space and comments is a semicolon that is in no quotes and no comment.
fn ends_with_semicolon(sql: &str) -> bool {
    let mut rest = sql;
    let mut ends = false;
    while let Some(c) = rest.chars().next() {
        // What follows the quotes or the comment; all is inside if they do not end.
        let behind = |from: usize, end: &str| rest[from..].find(end).map_or("", |at| &rest[from + at + end.len()..]);
        let (after, is_comment) = match c {
            '\'' => (behind(1, "'"), false),
            '"' => (behind(1, "\""), false),
            '-' if rest.starts_with("--") => (behind(2, "\n"), true),
            '/' if rest.starts_with("/*") => (behind(2, "*/"), true),
            '$' => match dollar_tag(rest) {
                Some(tag) => (behind(tag.len(), tag), false),
                None => (&rest[1..], false),
            },
            _ => (&rest[c.len_utf8()..], c.is_whitespace()),
        };
        if !is_comment {
            ends = c == ';';
        }
        rest = after;
    }
    ends
}

/// The `$$` or `$tag$` with which a text begins.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 1;
    let tag = &text[1..end];
    let is_tag = tag.chars().all(|c| c.is_alphanumeric() || c == '_') && !tag.starts_with(|c: char| c.is_ascii_digit());
    is_tag.then_some(&text[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_with_a_semicolon_outside_of_quotes_and_comments() {
        for whole in [
            "",
            "  ",
            ".help",
            "select 1;",
            "select 1 ; ",
            "select ';';",
            "select 1; -- as asked\n",
            "select 1; /* so */ ",
            "select \"a;b\" from posts\nwhere x = 'it''s;'\n;",
            "select $$a;'b$$;",
            "select $t$ $$ ; $t$;",
            "select 1; -- ;",
        ] {
            assert!(is_whole(whole), "{whole}");
        }
        for part in [
            "select 1",
            "select ';",
            "select '; ",
            "select 1 -- ;",
            "select 1 /* ;",
            "select \";",
            "select $$ ;",
            "select $t$ ; $$;",
            "select 1; select 2",
            "select 'a;'",
        ] {
            assert!(!is_whole(part), "{part}");
        }
    }

    #[test]
    fn the_last_word_is_completed_also_behind_a_table() {
        let names = ["author", "author_bot", "created_at", "count(", "posts", "select"].map(str::to_owned);
        let names = Names(Arc::new(names.into()));
        for (typed, begins, found) in [
            ("select auth", 7, &["author", "author_bot"][..]),
            ("select p.cre", 9, &["created_at"]),
            ("SELECT count(*) FROM po", 21, &["posts"]),
            ("SEL", 0, &["select"]),
            ("select é,cou", 10, &["count("]),
            ("select ", 7, &[]),
            ("select zz", 7, &[]),
        ] {
            assert_eq!(names.matching(typed), (begins, found.to_vec()), "{typed}");
        }
    }
}
