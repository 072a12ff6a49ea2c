//! `fedilake sql`: a read-only question in SQL, to the lake or, with `--direct`, to the Parquet files.

mod prompt;

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use fedilake_query::{SqlSummary, views};
use fedilake_table::s3::{S3, S3Url};

use crate::answers::Answers;
use crate::cli;
use crate::output;
use crate::render;
use crate::serve::api::STATEMENT_BYTES_MAX;
use crate::settings::Settings;
use crate::wire::{self, outcome, s3};

/// Finds who answers for the data folder, asks and prints the rows.
pub(super) async fn run(typed: &cli::Sql, settings: &Settings) -> anyhow::Result<ExitCode> {
    render::check(typed.format)?;
    let Some(query) = &typed.query else {
        return ask_at_prompt(typed, settings).await;
    };
    let query = query_of(query)?;
    if typed.direct {
        return direct(query, typed.format, settings).await;
    }
    let answers = Answers::of(&settings.data()?, settings).await?;
    let format = typed.format;
    answers.sql(query, move |rows| render::print_rows(rows, format)).await?;
    answers.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// Asks what is typed in a terminal.
async fn ask_at_prompt(typed: &cli::Sql, settings: &Settings) -> anyhow::Result<ExitCode> {
    if typed.direct || !std::io::stdin().is_terminal() || !output::is_terminal() {
        bail!(
            "there is no question\n\
             hint: give it in quotes, as a file, or as - for standard input; only a terminal has a prompt, and only for the lake"
        );
    }
    let folder = settings.data()?;
    let answers = Answers::of(&folder, settings).await?;
    let asked = prompt::run(&answers, &folder, typed.format).await;
    answers.close().await?;
    asked.map(|()| ExitCode::SUCCESS)
}

/// Asks the Parquet files, in a DuckDB of its own: uses no lake, and takes no folder.
async fn direct(query: String, format: cli::Format, settings: &Settings) -> anyhow::Result<ExitCode> {
    let table = s3::url(settings)?;
    let pattern = match &table {
        Some(url) => s3::pattern(url),
        None => {
            let folder = std::path::absolute(wire::table_folder(&settings.data()?, settings)?)?;
            format!("{}/posts/**/*.parquet", views::plain(&folder.display().to_string()))
        }
    };
    // The files of the table itself may be named, too.
    let names_table = pattern.strip_suffix("/posts/**/*.parquet").is_some_and(|table| query.contains(table));
    let bucket = named_bucket(&query);
    let mut store = table.map(|url| s3::open(&url, settings)).transpose()?;
    let mut asked = ask_files(&query, pattern.clone(), store.as_ref(), format, settings).await;
    // Only then is it certain that the statement reads S3, and has more than the words of it.
    if let (Err(error), None, Some(bucket)) = (&asked, &store, bucket)
        && error.to_string().contains("httpfs")
    {
        let named = s3::open(&bucket, settings)?;
        asked = ask_files(&query, pattern, Some(&named), format, settings).await;
        store = Some(named);
    }
    // DuckDB reports only the status code of a store that refuses access.
    if let (Err(error), Some(store)) = (&asked, store)
        && error.to_string().contains("HTTP")
    {
        store.reach().await?;
    }
    if asked?.may_read_table || names_table {
        wire::faults_of_table(settings).await?.iter().for_each(|sentence| tracing::warn!("{sentence}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks once, with access to `store`, and prints the rows.
async fn ask_files(
    query: &str,
    pattern: String,
    store: Option<&S3>,
    format: cli::Format,
    settings: &Settings,
) -> anyhow::Result<SqlSummary> {
    let secret = match store {
        Some(store) => Some(s3::secret(store).await?),
        None => None,
    };
    let (files, limits) = (wire::open_files(pattern, secret, settings)?, wire::direct_limits(settings)?);
    let (mut answer, mut out) = std::io::pipe().context("make a pipe")?;
    let query = query.to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        files.opened()?;
        anyhow::Ok(files.sql(&query, &limits, &mut out))
    });
    let read = tokio::task::spawn_blocking(move || render::print_rows(&mut answer, format));
    let (asked, read) = tokio::join!(asked, read);
    let (asked, read) = (asked??, read?);
    let summary = asked.clone();
    outcome(asked, read)?;
    Ok(summary?)
}

/// The bucket of an S3 URL in the question.
fn named_bucket(query: &str) -> Option<S3Url> {
    let (_, rest) = query.split_once("s3://")?;
    let bucket = rest.split(['/', '\'']).next()?;
    S3Url::parse(&format!("s3://{bucket}")).ok()
}

/// The statement: the argument itself, the content of the file that it names, or standard input for `-`.
fn query_of(typed: &str) -> anyhow::Result<String> {
    let file = Path::new(typed);
    let query = if typed == "-" {
        read(std::io::stdin()).context("read the question from standard input")?
    // A statement has spaces; but a file may have spaces in its name too.
    } else if file.is_file() || looks_like_a_path(typed) {
        let context = || format!("read the question from {typed}");
        match File::open(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => bail!(
                "read the question from {typed}: there is no such file\n\
                 hint: a question is SQL in quotes, the path of a file with SQL, or - for standard input"
            ),
            opened => read(opened.with_context(context)?).with_context(context)?,
        }
    } else {
        typed.to_owned()
    };
    if query.len() > STATEMENT_BYTES_MAX {
        bail!(
            "the statement has more than {} MiB\n\
             hint: put a long list of values into a Parquet file, and ask `fedilake sql --direct` with read_parquet",
            STATEMENT_BYTES_MAX >> 20
        );
    }
    Ok(query)
}

/// Words that begin a statement which may have no white space, such as `from'x.parquet'` and `select-4/2`.
const BEGINNINGS: [&str; 11] =
    ["describe", "desc", "explain", "from", "pivot", "select", "show", "summarize", "unpivot", "values", "with"];

/// True for a text that can be a path and no statement: one word with a separator or an extension.
fn looks_like_a_path(typed: &str) -> bool {
    let is_of_a_path = |c: char| c.is_alphanumeric() || "._-+~@%#:=/\\".contains(c);
    let first = typed.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let is_statement = BEGINNINGS.iter().any(|word| first.eq_ignore_ascii_case(word)) && !typed.ends_with(".sql");
    typed.chars().all(is_of_a_path) && typed.contains(['.', '/', '\\']) && !is_statement
}

/// All of a text, or the beginning of one that is too long.
fn read(from: impl Read) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    from.take(STATEMENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > STATEMENT_BYTES_MAX {
        // The end may split a character.
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    text(bytes)
}

/// The text of a file: UTF-8, or UTF-16 with a byte order mark, as PowerShell's `>` writes it.
fn text(bytes: Vec<u8>) -> anyhow::Result<String> {
    let of_pairs = |unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes[2..].as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().copied().map(unit).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    let text = match bytes.as_slice() {
        [0xff, 0xfe, ..] => of_pairs(u16::from_le_bytes),
        [0xfe, 0xff, ..] => of_pairs(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        _ => String::from_utf8(bytes.clone()).ok(),
    };
    text.context("expected UTF-8, or UTF-16 with a byte order mark\nhint: save the file as UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_with_a_separator_or_an_extension_is_a_path_and_a_statement_is_none() {
        for path in
            ["./nofile.txt", "nofile.txt", "../x/y", "/tmp/q", "~/q.sql", "C:\\q.sql", "select.sql", "q.SQL", "é.txt"]
        {
            assert!(looks_like_a_path(path), "{path}");
        }
        for statement in [
            "from posts",
            "posts",
            "select-4/2",
            "SELECT/**/1",
            "values(1.5)",
            "from'x.parquet'",
            "from/**/posts",
            "select.5",
            "(select(1.5))",
            "with/**/p/**/as(select/**/1)from/**/p",
            "",
        ] {
            assert!(!looks_like_a_path(statement), "{statement}");
        }
    }

    #[test]
    fn a_text_is_read_in_each_encoding_that_names_itself() {
        let question = "select 'é🐘'";
        let units: Vec<u16> = question.encode_utf16().collect();
        let pairs = |mark: [u8; 2], bytes: fn(u16) -> [u8; 2]| {
            mark.into_iter().chain(units.iter().flat_map(|unit| bytes(*unit))).collect::<Vec<u8>>()
        };
        let little = pairs([0xff, 0xfe], u16::to_le_bytes);
        for bytes in [
            question.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", question.as_bytes()].concat(),
            little.clone(),
            pairs([0xfe, 0xff], u16::to_be_bytes),
        ] {
            assert_eq!(text(bytes.clone()).unwrap(), question, "{bytes:?}");
        }
        let latin = b"select '\xe9'".to_vec();
        for bytes in [latin, little[..little.len() - 1].to_vec(), little[..little.len() - 4].to_vec()] {
            let error = text(bytes.clone()).unwrap_err().to_string();
            assert!(error.contains("UTF-8") && error.contains("hint: "), "{bytes:?}: {error}");
        }
    }
}
