//! `fedilake replay`: recorded posts into the log, the table and the lake.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_collect::replay::{self, Input, Pace, Progress, ReplayError, ReplaySettings, ReplaySummary};
use indicatif::ProgressBar;
use tokio_util::sync::CancellationToken;

use crate::cli;
use crate::command::collecting;
use crate::owner::Ownership;
use crate::pipeline::{Loops, Pipeline, Sinks};
use crate::render::counted;
use crate::settings::Settings;
use crate::shutdown;
use crate::telemetry::{self, Unit};

/// Replays until the files end; all of it is in the table and the lake then.
pub(super) async fn run(typed: &cli::Replay, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pace: Pace = typed.pace.parse()?;
    let names: Vec<String> = typed.files.iter().map(|file| file.display().to_string()).collect();
    for name in names.iter().filter(|name| *name != "-") {
        // Not opened: a pipe's writer would lose its reader.
        std::fs::metadata(name).with_context(|| format!("open {name}"))?;
    }
    let shutdown = shutdown::on_signal()?;
    let ownership = Ownership::take_or_refuse(&settings.data()?)?;
    // A port of its own: another fedilake may have the usual one.
    let listen = Some(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut pipeline = Pipeline::start(ownership, settings, Loops { sink: Sinks::All, listen }).await?;
    let inputs = names.iter().map(|name| Input::new(name)).collect();
    let summary = append(inputs, pace, &mut pipeline, &shutdown).await;
    // What was appended is stored also when the input broke off; the first error tells more than those that follow from it.
    let stopped = pipeline.stop().await;
    let summary = summary?;
    stopped?;
    say_summary(&summary);
    if summary.lines > 0 && summary.tally.accepted == 0 && summary.tally.rejected_total() == summary.lines {
        bail!(
            "no line could be used\nhint: a line is a Status of the Mastodon API, or {{\"server\",\"observed_at\",\"event\",\"payload\"}}"
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// Appends all inputs to the log of a running pipeline and waits until the lake has them, with a progress bar.
pub(super) async fn append(
    inputs: Vec<Input>,
    pace: Pace,
    pipeline: &mut Pipeline,
    shutdown: &CancellationToken,
) -> anyhow::Result<ReplaySummary> {
    let mut settings = ReplaySettings::new(chrono::Utc::now());
    settings.pace = pace;
    let progress = Arc::new(Progress::default());
    let total = inputs.iter().map(Input::length).sum();
    let bar = telemetry::progress_bar("replay", total, Unit::Bytes);
    let log = (pipeline.stores.log.writer.clone(), pipeline.stores.log.bookmarks.clone());
    let replay = replay::run(inputs, settings, log.0, log.1, Arc::clone(&progress), shutdown.child_token());
    let shown = show(&bar, &progress);
    let summary = tokio::select! {
        summary = replay => summary.map_err(with_hint)?,
        never = shown => match never {},
        error = pipeline.failure() => return Err(error),
    };
    bar.finish_and_clear();
    let bar = telemetry::progress_bar("lake", 0, Unit::Nothing);
    bar.set_message("takes what was replayed");
    pipeline.lake_catches_up().await?;
    bar.finish_and_clear();
    Ok(summary)
}

async fn show(bar: &ProgressBar, progress: &Progress) -> std::convert::Infallible {
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    loop {
        looks.tick().await;
        bar.set_position(progress.bytes_read());
        bar.set_message(format!("{} events", indicatif::HumanCount(progress.events_appended())));
    }
}

/// The error with what a person can do about it.
fn with_hint(error: ReplayError) -> anyhow::Error {
    let hint = match &error {
        ReplayError::Read { line: 0, .. } => "hint: nothing of it could be read; get the file again",
        ReplayError::Read { .. } => {
            "hint: what came before is kept; get the whole file and replay it: a post that comes again stays one post"
        }
        ReplayError::Open { .. } | ReplayError::Log(_) => return anyhow::Error::new(error).context("replay"),
    };
    anyhow::anyhow!("replay: {error}\n{hint}")
}

/// Says what was replayed, and which lines could not be used.
fn say_summary(summary: &ReplaySummary) {
    for bad in &summary.bad_lines {
        telemetry::say(&format!("{}:{}: {}", bad.input, bad.line, why(bad.why)));
    }
    let unshown = summary.tally.rejected_total().saturating_sub(summary.bad_lines.len() as u64);
    if unshown > 0 {
        telemetry::say(&format!("… and {} that could not be used", counted(unshown, "more line")));
    }
    if summary.lines_resumed > 0 {
        let earlier = counted(summary.lines_resumed, "line");
        telemetry::say(&format!("{earlier} of an earlier run: not appended again"));
    }
    collecting::say_tally(&summary.tally);
    if !summary.complete {
        telemetry::say("stopped before the end\nhint: the same command goes on from here");
    }
}

/// Why a line could not be used: a sentence, and the label under which it is counted.
fn why(label: &str) -> String {
    let sentence = match label {
        "not_utf8" => "the line is not UTF-8",
        "not_json" => "the line is no JSON",
        "not_an_object" => "the line is no JSON object",
        "cut_off" => "the file ends in the middle of this line",
        "too_long" => "the line is too long for a post",
        "too_deep" => "its objects and lists lie too deep in each other",
        "no_server" => "nothing says which server it is from: a status needs a uri or a url, a frame its server",
        "no_id" => "the status, or the delete, has no id",
        "no_uri" => "the status has no uri",
        "no_account" => "the status has no account with a name",
        _ => return label.to_owned(),
    };
    format!("{sentence} ({label})")
}
