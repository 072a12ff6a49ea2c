//! `fedilake sql`: a question in SQL, read-only.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::answers::Answers;
use crate::cli;
use crate::output;
use crate::render::{self, Style};
use crate::settings::Settings;

/// Asks whoever answers for the data folder and prints the rows.
pub(super) async fn run(typed: &cli::Sql, settings: &Settings) -> anyhow::Result<ExitCode> {
    let query = query(&typed.query)?;
    let answers = Answers::of(&settings.data()?, settings).await?;
    let (format, style) = (typed.format, Style::of_stdout());
    answers.sql(query, move |rows| render::write_rows(rows, format, &style, &mut output::stdout())).await?;
    answers.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// The statement itself, a file's content where the argument names a file, standard input for `-`.
fn query(typed: &str) -> anyhow::Result<String> {
    if typed == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("read the question from standard input")?;
        return Ok(text);
    }
    let file = Path::new(typed);
    // A statement has spaces; a name with spaces that is a file is still a file.
    if file.is_file() || (typed.ends_with(".sql") && !typed.contains(char::is_whitespace)) {
        return std::fs::read_to_string(file).with_context(|| format!("read the question from {typed}"));
    }
    Ok(typed.to_owned())
}
