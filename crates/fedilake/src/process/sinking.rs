//! The sink of this process: log → table.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_log::{Assignment, Log, Offset, Partition, bounds_of};
use fedilake_table::sink::{self, Limits, SinkError, SinkProgress, SinkSummary};
use fedilake_table::{Chain, Commit};
use tokio::sync::watch;

use crate::figures::PartitionLag;
use crate::process::lag::Lag;
use crate::process::{Sinks, drained, progress};
use crate::task::Task;
use crate::telemetry;
use crate::wire::Stores;

/// Offsets of a partition that the log lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub partition: Partition,
    pub first: Offset,
    pub next: Offset,
}

/// A running sink.
pub struct Sinking {
    task: Task,
    log: Arc<dyn Log>,
    progress: Arc<SinkProgress>,
    lag: Option<Lag>,
    /// True if it stores all of the log before it stops.
    stores_all: bool,
}

impl Sinking {
    /// Starts a sink of the kind `sinks`; `is_watched` says whether anybody reads its figures.
    pub fn start(sinks: Sinks, stores: &Stores, limits: Limits, is_watched: bool) -> Sinking {
        let Stores { log, table, .. } = stores.clone();
        let (source, progress) = (Arc::clone(&log.source), Arc::<SinkProgress>::default());
        let lag = is_watched.then(|| Lag::watch(Arc::clone(&source), Arc::clone(&progress)));
        let sunk = Arc::clone(&progress);
        let task = Task::spawn("the sink", |stop| async move {
            let assignment = if sinks == Sinks::Shared { log.shared_by_sinks() } else { Assignment::All };
            let (source, decoder) = (Arc::clone(&log.source), log.schemas.decoder());
            let sunk = sink::run(source, assignment, decoder, table, limits, sunk, stop).await;
            sunk.map(|_| ()).map_err(with_hint)
        });
        Sinking { task, log: source, progress, lag, stores_all: sinks == Sinks::All }
    }

    /// Resolves when the sink fails. Cancel-safe.
    pub async fn failure(&mut self) -> anyhow::Error {
        self.task.early_end().await
    }

    /// The lag, if anybody reads it.
    pub fn lag(&self) -> Option<watch::Receiver<Option<Vec<PartitionLag>>>> {
        self.lag.as_ref().map(Lag::watched)
    }

    /// True if the sink is to read what the log holds before it stops: told to stop, a sink commits what it has read, but reads no more.
    pub fn is_to_read_on(&self) -> bool {
        self.stores_all && self.task.runs()
    }

    /// Waits until a sink of every partition has read what the log holds now.
    pub fn has_read_all(&self) -> impl Future<Output = anyhow::Result<()>> + use<> {
        let (log, progress) = (Arc::clone(&self.log), Arc::clone(&self.progress));
        async move { progress::all_read(log.as_ref(), &progress).await }
    }

    /// Commits what was read, and ends.
    pub async fn stop(self, within: Option<Duration>) -> anyhow::Result<SinkSummary> {
        drained(self.task, within).await?;
        Ok(self.progress.summary())
    }
}

/// Notes in the table that the log lost a gap's offsets.
pub async fn accept(Gap { partition, first, next }: Gap, stores: &Stores) -> anyhow::Result<()> {
    let log = stores.log.source.as_ref();
    let chain = Chain { log: log.id().clone(), partition };
    let bounds = bounds_of(log, partition).await.context("read the log's bounds")?;
    let accepted = stores.table.accept_gap(&chain, first, next, bounds).await;
    let accepted = accepted.with_context(|| format!("accept gap {partition}:{first}..{next}"))?;
    if let Commit::Superseded = accepted {
        bail!(
            "accept gap {partition}:{first}..{next}: the table has a file there already\n\
             hint: run `fedilake sink` again; it names the gap if there still is one"
        );
    }
    telemetry::say(&format!(
        "accepted: offsets {first}..{next} of log partition {partition} are not in the table; `fedilake check` lists them"
    ));
    Ok(())
}

/// The sink's error with its hint.
fn with_hint(error: SinkError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => anyhow::anyhow!("store posts: {error}\nhint: {hint}"),
        None => anyhow::Error::new(error).context("store posts"),
    }
}
