//! `fedilake check`: nothing missing, nothing doubled.

use std::io::Write;
use std::process::ExitCode;

use crate::answers::Answers;
use crate::checked::CheckReport;
use crate::cli::{self, CheckFormat};
use crate::output;
use crate::process::checking;
use crate::settings::Settings;

/// Exits 1 when something is missing or doubled, naming it.
pub(super) async fn run(typed: &cli::Check, settings: &Settings) -> anyhow::Result<ExitCode> {
    let report = if typed.quick { quick(settings).await? } else { whole(settings).await? };
    match typed.format {
        CheckFormat::Json => {
            let mut out = output::stdout();
            serde_json::to_writer_pretty(&mut out, &report)?;
            writeln!(out)?;
        }
        CheckFormat::Table => report.write(&mut output::page())?,
    }
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

async fn whole(settings: &Settings) -> anyhow::Result<CheckReport> {
    let mut answers = Answers::of_any(&settings.data()?, settings).await?;
    let report = checking::shown(|progress| answers.check(progress)).await?;
    let closed = answers.close().await;
    // A lake that could not catch up is explained by the findings.
    if report.is_whole() {
        closed?;
    }
    Ok(report)
}

async fn quick(settings: &Settings) -> anyhow::Result<CheckReport> {
    let folder = settings.data()?;
    checking::shown(|progress| Answers::check_quickly(&folder, settings, progress)).await
}
