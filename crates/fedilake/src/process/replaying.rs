//! Recorded posts, appended to the log of a running process until they end.

use std::sync::Arc;

use fedilake_collect::admission::Admission;
use fedilake_collect::replay::{self, Input, Pace, Progress, ReplayError, ReplaySettings, ReplaySummary};
use indicatif::HumanCount;
use tokio_util::sync::CancellationToken;

use crate::process::Process;
use crate::process::progress::show;
use crate::telemetry::{self, Unit};

impl Process {
    /// Appends all inputs, or as much as comes before `shutdown`; returns when the lake has them, and posts of people who say no are
    /// deleted. Shows its progress.
    pub async fn replay(
        &mut self,
        inputs: Vec<Input>,
        pace: Pace,
        admission: &Admission,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<ReplaySummary> {
        let mut settings = ReplaySettings::new(chrono::Utc::now());
        settings.pace = pace;
        settings.admission = admission.clone();
        let progress = Arc::new(Progress::default());
        let total = inputs.iter().map(Input::length).sum();
        let bar = telemetry::progress_bar("replay", total, Unit::Bytes);
        let log = self.log.appending();
        let replay =
            replay::run(inputs, settings, log.writer, log.bookmarks, Arc::clone(&progress), shutdown.child_token());
        let far = || (progress.bytes_read(), format!("{} events", HumanCount(progress.events_appended())));
        let summary = tokio::select! {
            summary = replay => summary.map_err(with_hint)?,
            never = show(&bar, far) => match never {},
            error = self.failure() => return Err(error),
        };
        bar.finish_and_clear();
        let bar = telemetry::progress_bar("lake", 0, Unit::Nothing);
        bar.set_message("takes what was replayed");
        self.lake_catches_up().await?;
        self.withdraw(admission).await?;
        bar.finish_and_clear();
        Ok(summary)
    }
}

/// The error with a hint at what to do.
pub fn with_hint(error: ReplayError) -> anyhow::Error {
    let hint = match &error {
        ReplayError::Read { line: 0, .. } => "hint: nothing of it could be read; get the file again",
        ReplayError::Read { .. } => {
            "hint: what came before is kept; get the whole file and replay it: a post that comes again stays one post"
        }
        ReplayError::Open { .. } | ReplayError::Refused { .. } | ReplayError::Log(_) => {
            return anyhow::Error::new(error).context("replay");
        }
    };
    anyhow::anyhow!("replay: {error}\n{hint}")
}
