//! Topics of the talk's files, imported into the table, and then the lake over it.

use std::sync::Arc;

use fedilake_collect::admission::Admission;
use fedilake_query::Cancel;
use fedilake_table::Table;
use indicatif::HumanCount;
use tokio_util::sync::CancellationToken;

use crate::checked::CheckReport;
use crate::import::{self, Imported, Memory, Missing, Progress, Topic};
use crate::owner::Ownership;
use crate::process::progress::show;
use crate::process::{Append, Loops, Process, Sinks, checking};
use crate::settings::Settings;
use crate::telemetry::{self, Unit};
use crate::wire::{self, Use};

/// An import into the data folder of the settings.
pub struct Importing<'a> {
    ownership: Arc<Ownership>,
    table: Arc<Table>,
    settings: &'a Settings,
    admission: Admission,
}

/// The outcome of the check after an import.
pub struct Checked {
    pub report: CheckReport,
    /// Sightings that were deleted because their authors had opted out.
    pub deleted: u64,
}

impl Importing<'_> {
    /// Takes the folder and opens the table.
    pub async fn open(settings: &Settings, admission: Admission) -> anyhow::Result<Importing<'_>> {
        let ownership = Arc::new(Ownership::take_to_write(&settings.data()?)?);
        let (table, _) = wire::open_table(Some(&ownership), settings, Use::Write).await?;
        Ok(Importing { ownership, table, settings, admission })
    }

    /// Moves what the table lacks of a topic into it, or as much as comes before `shutdown`, and shows the progress.
    pub async fn topic(&self, topic: &Topic, shutdown: &CancellationToken) -> anyhow::Result<(Imported, Missing)> {
        let progress = Arc::new(Progress::default());
        let memory = Memory::of(self.ownership.folder(), topic.log_id().as_str());
        let import = import::run(
            topic.clone(),
            Arc::clone(&self.table),
            wire::sink_limits(self.settings)?,
            memory.clone(),
            self.admission.clone(),
            Arc::clone(&progress),
            shutdown,
        );
        let bar = telemetry::progress_bar("import", topic.bytes(), Unit::Bytes);
        let far = || (progress.bytes_passed(), format!("{} rows", HumanCount(progress.rows())));
        let imported = tokio::select! {
            imported = import => imported,
            never = show(&bar, far) => match never {},
        };
        bar.finish_and_clear();
        Ok((imported?, import::missing(topic, &self.table, &memory).await?))
    }

    /// Lets the lake take what was imported, checks all there is, and deletes what is held of those who opted out.
    pub async fn check(self) -> anyhow::Result<Checked> {
        // Imported rows say nothing of their authors' will, so that nobody refuses but by the list. Deletes go through the log.
        let is_deleting = !self.admission.opt_out().is_empty();
        let loops = match is_deleting {
            true => Loops { append: Append::Caller, sink: Sinks::All, follow: true, ..Loops::default() },
            false => Loops { sink: Sinks::Before, follow: true, ..Loops::default() },
        };
        // The table is opened again, with the log.
        drop(self.table);
        let settings = wire::to_fill(self.settings);
        let mut process = Process::start(Some(self.ownership), &settings, loops).await?;
        let (checker, cancel) = (process.checker(), Cancel::default());
        let report = match checking::shown(async |progress| checker.check(&cancel, &progress).await).await {
            // Why the lake could not follow explains more than that it did not.
            Err(_) if process.follower_ended() => return Err(process.failure().await),
            checked => checked?,
        };
        // The check has waited for the lake.
        let deleted = if is_deleting { process.withdraw(&self.admission).await? } else { 0 };
        // The process closes the lake when nobody else has it.
        drop(checker);
        let stopped = process.stop().await;
        // A lake that could not catch up is explained by the findings.
        if report.is_whole() {
            stopped?;
        }
        Ok(Checked { report, deleted })
    }
}
