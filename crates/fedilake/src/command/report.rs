//! `fedilake report`: one report in any format, or all seven for people.

use std::io::Write;
use std::process::ExitCode;

use anyhow::bail;
use fedilake_query::{Filter, Report};

use crate::answers::Answers;
use crate::cli::{self, Format, ReportName};
use crate::filters;
use crate::output;
use crate::render::{self, Style};
use crate::serve::api::ReportRequest;
use crate::settings::Settings;
use crate::telemetry;

/// The order of the reports for people.
const ALL: [ReportName; 7] = [
    ReportName::Statistics,
    ReportName::Daily,
    ReportName::Hours,
    ReportName::Languages,
    ReportName::Lengths,
    ReportName::Apps,
    ReportName::Topics,
];

/// Finds who answers for the data folder, asks and prints.
pub(super) async fn run(typed: &cli::Report, settings: &Settings) -> anyhow::Result<ExitCode> {
    render::check(typed.format)?;
    let filter = filters::filter(&typed.filters)?;
    let names = match (typed.name, typed.format) {
        (Some(name), _) => vec![name],
        (None, Format::Table) => ALL.to_vec(),
        (None, _) => bail!(
            "only --format table can print all seven reports\nhint: name one, for example `fedilake report daily --format csv`"
        ),
    };
    if !typed.topics.is_empty() && !names.contains(&ReportName::Topics) {
        bail!("--topic applies only to the topics report\nhint: `fedilake report topics --topic WORD`");
    }
    let words = if typed.topics.is_empty() { settings.list("report.topics") } else { typed.topics.clone() };
    let answers = Answers::of(&settings.data()?, settings).await?;
    let printed = print(&answers, &names, &words, &filter, typed.format, &Style::of_stdout()).await;
    let told = match printed {
        Ok(()) => say_unknown(&answers, &filter).await,
        Err(error) => Err(error),
    };
    answers.close().await?;
    told.map(|()| ExitCode::SUCCESS)
}

/// Prints the names in the filter that no post has: with a misspelt name the answer is silently empty or incomplete.
async fn say_unknown(answers: &Answers, filter: &Filter) -> anyhow::Result<()> {
    let of_origin = |name: &String| Filter { origins: vec![name.clone()], ..Filter::default() };
    let of_server = |name: &String| Filter { servers: vec![name.clone()], ..Filter::default() };
    let of_language = |name: &String| Filter { languages: vec![name.clone()], ..Filter::default() };
    let origins = filter.origins.iter().map(|name| ("origin", name, of_origin(name)));
    let servers = filter.servers.iter().map(|name| ("server", name, of_server(name)));
    let languages = filter.languages.iter().map(|name| ("language", name, of_language(name)));
    for (what, name, alone) in origins.chain(servers).chain(languages) {
        if !has_posts(answers, alone).await? {
            let column = match what {
                "origin" => "author_domain",
                column => column,
            };
            telemetry::say(&format!(
                "no such {what}: no post has {name}\n\
                 hint: `fedilake sql \"select {column}, count(*) from posts group by 1 order by 2 desc\"` lists all of them"
            ));
        }
    }
    Ok(())
}

async fn has_posts(answers: &Answers, filter: Filter) -> anyhow::Result<bool> {
    let rows = answers.report(&ReportRequest { report: Report::Languages, filter }).await?;
    Ok(render::read_rows(&rows.ipc)?.num_rows() > 0)
}

/// Prints all seven reports, for the demo.
pub(super) async fn print_all(answers: &Answers, words: &[String], style: &Style) -> anyhow::Result<()> {
    print(answers, &ALL, words, &Filter::default(), Format::Table, style).await
}

/// Prints what came in within the last minutes, for the demo.
pub(super) async fn print_live(answers: &Answers, style: &Style) -> anyhow::Result<()> {
    let from = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    let filter = Filter { from: Some(from.timestamp_millis()), ..Filter::default() };
    writeln!(output::stdout(), "\nthe last hour")?;
    print(answers, &[ReportName::Statistics], &[], &filter, Format::Table, style).await
}

async fn print(
    answers: &Answers,
    names: &[ReportName],
    words: &[String],
    filter: &Filter,
    format: Format,
    style: &Style,
) -> anyhow::Result<()> {
    for (index, name) in names.iter().enumerate() {
        let request = ReportRequest { report: report(*name, words), filter: filter.clone() };
        let rows = answers.report(&request).await?;
        if format != Format::Table {
            render::print_rows(rows.ipc.as_slice(), format)?;
            continue;
        }
        let mut out = output::page();
        if index > 0 {
            writeln!(out)?;
        }
        render::report::write(*name, &render::read_rows(&rows.ipc)?, rows.note.as_deref(), style, &mut out)?;
    }
    Ok(())
}

fn report(name: ReportName, words: &[String]) -> Report {
    match name {
        ReportName::Statistics => Report::Statistics,
        ReportName::Daily => Report::Daily,
        ReportName::Apps => Report::Apps,
        ReportName::Hours => Report::Hours,
        ReportName::Languages => Report::Languages,
        ReportName::Lengths => Report::Lengths,
        ReportName::Topics => Report::Topics { words: words.to_vec() },
    }
}
