//! The check: the table's chains and files, the rows in them, and the lake against them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fedilake_log::{Bounds, Offset, Partition};
use fedilake_query::{Cancel, Chunk, LakePosition};
use fedilake_table::{Chain, ChainFiles, FileMeta, Table};
use tokio::sync::watch;

use crate::checked::{CheckReport, Progress};
use crate::chunk::position_of;
use crate::lake_process::{LakeProcess, Snapshot};
use crate::process::chunks;
use crate::temporary::{Scratch, Temporary};
use crate::wire::{OpenLog, TableFiles};

/// The table, the log and the lake that a check holds against each other.
#[derive(Clone)]
pub struct Checker {
    pub table: Arc<Table>,
    pub files: TableFiles,
    /// Where chunks may be written.
    pub temporary: Temporary,
    pub log: OpenLog,
    pub lake: Arc<LakeProcess>,
    /// Where the follower is; closed when it has ended.
    pub reached: watch::Receiver<HashMap<Partition, Offset>>,
}

/// Give up waiting when the lake has not advanced for this long. One transaction of a rebuild takes several files, hence the length.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The table may grow until the lake has what it had, and the log let go of that: how often to begin again. Only a sink that
/// commits several times a second, thousands of times as often as by default, makes it more than a few.
const ATTEMPTS: u32 = 50;
/// The share of a check that is done when each file was held against its checksum.
const TABLE_SHARE: f64 = 0.1;

/// A moment at which the table, the log's tail behind it and the lake belong together.
struct Moment {
    /// The table's files, and of the log what the lake has and the table not.
    chunks: Vec<Chunk>,
    lake: Snapshot,
    /// True if the follower had ended before the lake had all of the table.
    left_behind: bool,
}

impl Checker {
    /// Checks the table by itself and against what the log still holds, then, if it is whole, its rows against each other and
    /// the lake against them and the log's tail. The lake is looked at as it was at one moment; collectors, sink and follower go
    /// on. `cancel` ends what runs on a thread; all else ends when the call is dropped.
    pub async fn check(&self, cancel: &Cancel, progress: &Arc<Progress>) -> anyhow::Result<CheckReport> {
        progress.say("waits for the lake to have what the table and the log have", 0.0);
        let scratch = Scratch::new(&self.temporary);
        let Moment { chunks, lake: mut snapshot, left_behind } = self.moment(scratch.folder()).await?;
        // Before the table is looked at: the log lets go of what a sink commits meanwhile.
        let logs = self.logs().await?;
        progress.say("reads the table's files", 0.0);
        let mut checked = self.table.check().await.context("check the table")?;
        for (chain, bounds) in logs {
            checked.hold_against(&chain, bounds);
        }
        let mut findings: Vec<String> = checked.findings.iter().map(ToString::to_string).collect();
        // A table with a damaged file has no rows to hold the lake against.
        let compare = findings.is_empty();
        if compare && left_behind {
            bail!("the lake no longer follows, and lacks what the table has");
        }
        let (cancel, progress) = (cancel.clone(), Arc::clone(progress));
        let (found, posts) = tokio::task::spawn_blocking(move || {
            let mut compared = |share: f64| {
                progress.say("compares the lake with the table", TABLE_SHARE + (1.0 - TABLE_SHARE) * share);
            };
            compared(0.0);
            let found = if compare { snapshot.compare(&chunks, &cancel, &mut compared)? } else { Vec::new() };
            anyhow::Ok((found, snapshot.posts()?))
        })
        .await?
        .context("check the lake")?;
        findings.extend(found);
        Ok(CheckReport {
            chains: checked.chains,
            files: checked.files,
            rows: checked.rows,
            bytes: checked.bytes,
            posts,
            accepted_gaps: checked
                .accepted_gaps
                .iter()
                .map(|gap| format!("offsets {}..{} of {}", gap.first, gap.next, gap.chain))
                .collect(),
            findings,
        })
    }

    async fn moment(&self, folder: &Temporary) -> anyhow::Result<Moment> {
        // The log before the table: what it has let go of by then is in the table's files.
        let mut logs = self.logs().await?;
        let mut table = self.table.snapshot().await.context("read the table")?;
        for _ in 0..ATTEMPTS {
            let (lake, left_behind) = self.lake_with(&table).await?;
            let positions = lake.positions().to_vec();
            let files: Vec<FileMeta> = table.chains.iter().flat_map(|chain| &chain.files).cloned().collect();
            // A damaged file is a finding of the table's check, after which no rows are compared.
            let mut chunks: Vec<Chunk> = self.files.chunks(&files, folder).await?.into_iter().flatten().collect();
            if let Some(tail) = self.tail(&logs, &table, &positions, folder).await? {
                chunks.extend(tail);
                return Ok(Moment { chunks, lake, left_behind });
            }
            logs = self.logs().await?;
            let now = self.table.snapshot().await.context("read the table")?;
            if now == table {
                // The log's tail is missing, which the check of the table says.
                return Ok(Moment { chunks, lake, left_behind });
            }
            table = now;
        }
        bail!("the table grew {ATTEMPTS} times while the log's tail was read\nhint: try again when less is stored")
    }

    /// The lake when it has what the table and the log have now, or when it no longer gets there; and whether its follower is gone
    /// and the table has more.
    async fn lake_with(&self, table: &fedilake_table::Snapshot) -> anyhow::Result<(Snapshot, bool)> {
        let of_table: Vec<_> =
            table.chains.iter().map(|chain| (chain.chain.clone(), whole_end(table, chain))).collect();
        // A log without records gives the lake no position.
        let logs = self.logs().await?.into_iter().filter(|(_, bounds)| bounds.start < bounds.end);
        let of_log: Vec<_> = logs.map(|(chain, bounds)| (chain, bounds.end)).collect();
        let (mut stood, mut since) = (None, Instant::now());
        loop {
            // Before the lake is looked at: what a follower did before its end shows then.
            let follows = self.reached.has_changed().is_ok();
            let lake = Arc::clone(&self.lake);
            let lake = tokio::task::spawn_blocking(move || lake.snapshot()).await?.context("look at the lake")?;
            let has = |(chain, end): &(Chain, Offset)| {
                position_of(lake.positions(), &chain.log, chain.partition).is_some_and(|position| position >= *end)
            };
            let has_table = of_table.iter().all(has);
            if has_table && of_log.iter().all(has) || !follows {
                return Ok((lake, !has_table));
            }
            if stood.as_deref() != Some(lake.positions()) {
                (stood, since) = (Some(lake.positions().to_vec()), Instant::now());
            } else if since.elapsed() >= PATIENCE {
                return Ok((lake, false));
            }
            drop(lake);
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The bounds of the log's partitions.
    async fn logs(&self) -> anyhow::Result<Vec<(Chain, Bounds)>> {
        let bounds = self.log.source.bounds().await.context("read the log's bounds")?;
        let chain = |partition| Chain { log: self.log.source.id().clone(), partition };
        Ok(bounds.into_iter().map(|(partition, bounds)| (chain(partition), bounds)).collect())
    }

    /// The records that the lake at `positions` has and the table lacks, as chunks in `folder`; None when the log has let go of them.
    async fn tail(
        &self,
        logs: &[(Chain, Bounds)],
        table: &fedilake_table::Snapshot,
        positions: &[LakePosition],
        folder: &Temporary,
    ) -> anyhow::Result<Option<Vec<Chunk>>> {
        let mut tail = Vec::new();
        for (chain, bounds) in logs {
            let Some(next) = position_of(positions, &chain.log, chain.partition) else { continue };
            let of_chain = table.chains.iter().find(|files| files.chain == *chain);
            let first = of_chain.map_or(bounds.start, ChainFiles::next);
            if first < next {
                match chunks::from_log(&self.log, chain, first..next, folder).await? {
                    Some(read) => tail.extend(read),
                    None => return Ok(None),
                }
            }
        }
        Ok(Some(tail))
    }
}

/// The end of a chain's readable files: nobody knows how far a damaged newest file reached.
fn whole_end(table: &fedilake_table::Snapshot, chain: &ChainFiles) -> Offset {
    let newest = chain.files.last().expect("a chain in a snapshot has a file");
    let is_damaged = table.damaged.iter().any(|damaged| damaged.chain == chain.chain && damaged.first == newest.first);
    if is_damaged { newest.first } else { newest.next }
}
