//! `fedilake sql`: a read-only question in SQL, to the lake or, with `--direct`, to the Parquet files.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use fedilake_query::views;
use fedilake_table::s3::S3Url;

use crate::answers::{Answers, outcome};
use crate::cli;
use crate::render;
use crate::serve::api::STATEMENT_BYTES_MAX;
use crate::settings::Settings;
use crate::wire::{self, s3};

/// Finds who answers for the data folder, asks and prints the rows.
pub(super) async fn run(typed: &cli::Sql, settings: &Settings) -> anyhow::Result<ExitCode> {
    render::check(typed.format)?;
    let query = query(&typed.query)?;
    if typed.direct {
        return direct(query, typed.format, settings).await;
    }
    let answers = Answers::of(&settings.data()?, settings).await?;
    let format = typed.format;
    answers.sql(query, move |rows| render::print_rows(rows, format)).await?;
    answers.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// Parts of the names of the views over the table's files.
const TABLE_VIEWS: [&str; 5] = ["posts", "sightings", "replies", "mastodon_toot", "_rows"];

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
    let store = match table.or_else(|| named_bucket(&query)) {
        Some(url) => Some(s3::open(&url, settings)?),
        None => None,
    };
    let secret = match &store {
        Some(store) => Some(s3::secret(store).await?),
        None => None,
    };
    let asks_the_table = TABLE_VIEWS.iter().any(|name| query.contains(name));
    let (files, limits) = (wire::open_files(pattern, secret, settings)?, wire::direct_limits(settings)?);
    let (mut answer, mut out) = std::io::pipe().context("make a pipe")?;
    let asked = tokio::task::spawn_blocking(move || {
        files.opened()?;
        anyhow::Ok(files.sql(&query, &limits, &mut out))
    });
    let read = tokio::task::spawn_blocking(move || render::print_rows(&mut answer, format));
    let missing = async { if asks_the_table { wire::missing_from_table(settings).await } else { Ok(Vec::new()) } };
    let (asked, read, missing) = tokio::join!(asked, read, missing);
    let outcome = outcome(asked??, read?);
    // DuckDB reports only the status code of a store that refuses access.
    if let (Err(error), Some(store)) = (&outcome, store)
        && error.to_string().contains("HTTP")
    {
        store.reach().await?;
    }
    outcome?;
    missing?.iter().for_each(|sentence| tracing::warn!("{sentence}"));
    Ok(ExitCode::SUCCESS)
}

/// The bucket of an S3 URL in the question.
fn named_bucket(query: &str) -> Option<S3Url> {
    let (_, rest) = query.split_once("s3://")?;
    let bucket = rest.split(['/', '\'']).next()?;
    S3Url::parse(&format!("s3://{bucket}")).ok()
}

/// The statement: the argument itself, the content of the file that it names, or standard input for `-`.
fn query(typed: &str) -> anyhow::Result<String> {
    let file = Path::new(typed);
    let query = if typed == "-" {
        read(std::io::stdin()).context("read the question from standard input")?
    // A statement has spaces; but a file may have spaces in its name too.
    } else if file.is_file() || (typed.ends_with(".sql") && !typed.contains(char::is_whitespace)) {
        let context = || format!("read the question from {typed}");
        read(File::open(file).with_context(context)?).with_context(context)?
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

/// All of a text, or the beginning of one that is too long.
fn read(text: impl Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    text.take(STATEMENT_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > STATEMENT_BYTES_MAX {
        // The end may split a character.
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    String::from_utf8(bytes).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
}
