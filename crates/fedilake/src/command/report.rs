//! `fedilake report`: one report in any format, or those of the overview for people.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use fedilake_query::answer::catalogue::{self, Report, Tab};
use fedilake_query::{Calendar, Filter, Names, Question};

use crate::answers::Answers;
use crate::cli::{self, Format};
use crate::filters;
use crate::output;
use crate::render::html::{self, Answered};
use crate::render::{self, Style};
use crate::settings::{Settings, key};
use crate::telemetry;

/// Finds who answers for the data folder, asks and prints.
pub(super) async fn run(typed: &cli::Report, settings: &Settings) -> anyhow::Result<ExitCode> {
    render::check(typed.format)?;
    let calendar = filters::calendar(&typed.calendar)?;
    let filter = filters::filter(&typed.filters, &calendar.zone)?;
    let named = typed.names.iter().map(|name| fedilake_query::answer::report::named(name));
    let reports = match typed.names.is_empty() {
        false => named.collect::<Result<Vec<_>, _>>()?,
        true if typed.html.is_some() => catalogue::reports().iter().collect(),
        true => overview(),
    };
    if reports.len() > 1 && typed.format != Format::Table {
        bail!(
            "only --format table can print several reports\nhint: name one, for example `fedilake report daily --format csv`"
        );
    }
    if !typed.topics.is_empty() && !reports.iter().any(|report| report.words) {
        bail!("--topic applies only to the topics report\nhint: `fedilake report topics --topic WORD`");
    }
    let words = if typed.topics.is_empty() { settings.get(key::REPORT_TOPICS) } else { typed.topics.clone() };
    let questions: Vec<_> = reports.iter().map(|report| report.question(&words, &filter, &calendar)).collect();
    if typed.sql {
        for (report, question) in reports.iter().zip(&questions) {
            writeln!(output::stdout(), "{}", report.sql(question))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let answers = Answers::of(&settings.data()?, settings).await?;
    let printed = match &typed.html {
        Some(path) => write_html(&answers, &questions, path).await,
        None => print(&answers, &questions, typed.format, &Style::of_stdout()).await,
    };
    let told = match printed {
        Ok(()) => say_unknown(&answers, &filter).await,
        Err(error) => Err(error),
    };
    answers.close().await?;
    told.map(|()| ExitCode::SUCCESS)
}

/// Writes the answers to an HTML file, or to standard output.
async fn write_html(answers: &Answers, questions: &[Question], path: &Path) -> anyhow::Result<()> {
    let mut answered = Vec::new();
    for question in questions {
        let (report, rows) =
            (fedilake_query::answer::report::named(&question.report)?, answers.report(question).await?);
        let sql = report.sql(question);
        answered.push(Answered { report, rows: render::read_rows(&rows.ipc)?, note: rows.note, sql });
    }
    let about = questions.first().map(|question| filters::said(&question.filter, &question.calendar));
    let now = chrono::Utc::now().format("%Y-%m-%d %H:%M UTC");
    let made_at = format!("Made on {now} by fedilake {}", env!("CARGO_PKG_VERSION"));
    let mut page = Vec::new();
    html::write(&answered, &about.unwrap_or_default(), &made_at, &mut page)?;
    if path == Path::new("-") {
        return Ok(output::stdout().write_all(&page)?);
    }
    std::fs::write(path, &page).with_context(|| format!("write {}", path.display()))
}

/// The talk's reports.
fn overview() -> Vec<&'static Report> {
    catalogue::reports().iter().filter(|report| report.header.tab == Tab::Overview).collect()
}

/// Prints the names in the filter that no post has: with a misspelt name the answer is silently empty or incomplete.
async fn say_unknown(answers: &Answers, filter: &Filter) -> anyhow::Result<()> {
    type Alone = fn(Vec<String>) -> Names;
    let sorts: [(&str, &str, &[String], Alone); 4] = [
        ("origin", "author_domain", &filter.only.origins, |origins| Names { origins, ..Names::default() }),
        ("server", "server", &filter.only.servers, |servers| Names { servers, ..Names::default() }),
        ("language", "language", &filter.only.languages, |languages| Names { languages, ..Names::default() }),
        ("app", "app", &filter.only.apps, |apps| Names { apps, ..Names::default() }),
    ];
    for (what, column, names, alone) in sorts {
        for name in names {
            if !has_posts(answers, alone(vec![name.clone()])).await? {
                telemetry::say(&format!(
                    "no such {what}: no post has {name}\n\
                     hint: `fedilake sql \"select {column}, count(*) from posts group by 1 order by 2 desc\"` lists all of them"
                ));
            }
        }
    }
    Ok(())
}

async fn has_posts(answers: &Answers, only: Names) -> anyhow::Result<bool> {
    let filter = Filter { only, ..Filter::default() };
    let rows = answers.report(&Question { filter, ..Question::of("languages") }).await?;
    Ok(render::read_rows(&rows.ipc)?.num_rows() > 0)
}

/// Prints the reports of the overview, for the demo.
pub(super) async fn print_all(answers: &Answers, words: &[String], style: &Style) -> anyhow::Result<()> {
    let (filter, calendar) = (Filter::default(), Calendar::default());
    let questions: Vec<_> = overview().into_iter().map(|report| report.question(words, &filter, &calendar)).collect();
    print(answers, &questions, Format::Table, style).await
}

/// Prints what came in within the last minutes, for the demo.
pub(super) async fn print_live(answers: &Answers, style: &Style) -> anyhow::Result<()> {
    let from = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    let filter = Filter { from: Some(from.timestamp_millis()), ..Filter::default() };
    writeln!(output::stdout(), "\nthe last hour")?;
    print(answers, &[Question { filter, ..Question::of("statistics") }], Format::Table, style).await
}

async fn print(answers: &Answers, questions: &[Question], format: Format, style: &Style) -> anyhow::Result<()> {
    for (index, question) in questions.iter().enumerate() {
        let rows = answers.report(question).await?;
        if format != Format::Table {
            render::print_rows(rows.ipc.as_slice(), format)?;
            continue;
        }
        let mut out = output::page();
        if index > 0 {
            writeln!(out)?;
        }
        let report = fedilake_query::answer::report::named(&question.report)?;
        let zone = &question.calendar.zone;
        render::report::write(report, zone, &render::read_rows(&rows.ipc)?, rows.note.as_deref(), style, &mut out)?;
    }
    Ok(())
}
