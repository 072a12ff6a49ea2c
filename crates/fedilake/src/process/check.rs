//! The check: the table's chains and files, the rows in them, and the lake against them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use fedilake_log::{Bounds, Offset, Partition};
use fedilake_query::{Cancel, Chunk, LakePosition};
use fedilake_table::{Chain, ChainFiles, Check, FileMeta, Table};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::checked::{CheckReport, Progress};
use crate::chunk::{chunk_of, position_of};
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
    files: Vec<FileMeta>,
    /// Of the log what the lake has and the table not.
    tail: Vec<Chunk>,
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
        let Moment { files, tail, mut lake, left_behind } = self.moment(scratch.folder()).await?;
        // Before the table is looked at: the log lets go of what a sink commits meanwhile.
        let logs = bounds(&self.log).await?;
        progress.say("reads the table's files", 0.0);
        // The comparison brings the files of a table elsewhere, and checks their bytes then.
        let mut checked = match self.files.are_here() {
            true => self.table.check().await,
            false => self.table.check_footers().await,
        }
        .context("check the table")?;
        hold_against(&mut checked, &logs);
        // A table with a damaged file has no rows to hold the lake against.
        if checked.findings.is_empty() && left_behind {
            bail!("the lake no longer follows, and lacks what the table has");
        }
        let (posts, compared) = if checked.findings.is_empty() {
            self.compare(lake, own_ends(files, &checked), tail, scratch, cancel, progress).await?
        } else {
            let posts = tokio::task::spawn_blocking(move || lake.posts()).await?.context("check the lake")?;
            (posts, Compared::No)
        };
        let found = match compared {
            Compared::Found(found) => found,
            Compared::No if self.files.are_here() => Vec::new(),
            Compared::No => {
                checked = self.table.check().await.context("check the table")?;
                hold_against(&mut checked, &logs);
                Vec::new()
            }
            Compared::Damaged(why) => {
                checked = self.table.check().await.context("check the table")?;
                hold_against(&mut checked, &logs);
                ensure!(
                    !checked.findings.is_empty(),
                    "copy {why}\nhint: try again: the store has it as it was written"
                );
                Vec::new()
            }
        };
        let mut report = report_of(&checked);
        report.posts = Some(posts);
        report.findings.extend(found);
        Ok(report)
    }

    /// The number of posts of the lake, and what its comparison with the rows of `files` and `tail` finds.
    async fn compare(
        &self,
        mut lake: Snapshot,
        files: Vec<FileMeta>,
        tail: Vec<Chunk>,
        scratch: Scratch,
        cancel: &Cancel,
        progress: &Arc<Progress>,
    ) -> anyhow::Result<(u64, Compared)> {
        let (cancel, progress, runtime) = (cancel.clone(), Arc::clone(progress), Handle::current());
        let mut window =
            Window { files, of_table: self.files.clone(), folder: scratch.folder().folder("table"), here: 0..0 };
        let work = move || {
            let mut compared = |share: f64| {
                progress.say("compares the lake with the table", TABLE_SHARE + (1.0 - TABLE_SHARE) * share);
            };
            compared(0.0);
            let posts = lake.posts()?;
            let mut chunks: Vec<Chunk> = window.files.iter().map(|file| window.chunk(file)).collect();
            chunks.extend(tail);
            let mut damaged = None;
            let mut bring = |range: Range<usize>| {
                damaged = runtime.block_on(window.bring(range))?;
                if damaged.is_some() { bail!("a file is damaged") } else { Ok(()) }
            };
            let found = lake.compare(&chunks, &mut bring, &cancel, &mut compared);
            drop(scratch);
            match damaged {
                Some(why) => anyhow::Ok((posts, Compared::Damaged(why))),
                None => Ok((posts, Compared::Found(found?))),
            }
        };
        tokio::task::spawn_blocking(work).await?.context("check the lake")
    }

    async fn moment(&self, folder: &Temporary) -> anyhow::Result<Moment> {
        // The log before the table: what it has let go of by then is in the table's files.
        let mut logs = bounds(&self.log).await?;
        let mut table = self.table.snapshot().await.context("read the table")?;
        for _ in 0..ATTEMPTS {
            let (lake, left_behind) = self.lake_with(&table).await?;
            let positions = lake.positions().to_vec();
            let files = table.chains.iter().flat_map(|chain| &chain.files).cloned().collect();
            if let Some(tail) = self.tail(&logs, &table, &positions, folder).await? {
                return Ok(Moment { files, tail, lake, left_behind });
            }
            logs = bounds(&self.log).await?;
            let now = self.table.snapshot().await.context("read the table")?;
            if now == table {
                // The log's tail is missing, which the check of the table says.
                return Ok(Moment { files, tail: Vec::new(), lake, left_behind });
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
        let logs = bounds(&self.log).await?.into_iter().filter(|(_, bounds)| bounds.start < bounds.end);
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

/// Checks what names and footers of the table show, and whether the table has what the log no longer has. Reads no rows and no lake.
pub async fn quick(table: &Table, log: &OpenLog) -> anyhow::Result<CheckReport> {
    // Before the table is looked at: the log lets go of what a sink commits meanwhile.
    let logs = bounds(log).await?;
    let mut checked = table.check_footers().await.context("check the table")?;
    hold_against(&mut checked, &logs);
    Ok(CheckReport { quick: true, ..report_of(&checked) })
}

/// The result of a comparison of the lake with the table's rows.
enum Compared {
    /// A sentence for each finding.
    Found(Vec<String>),
    /// Nothing was compared: the table has faults.
    No,
    /// A file's bytes are not as they were written, and which file's.
    Damaged(String),
}

/// The files of a table elsewhere that are here for a comparison, a few at a time.
struct Window {
    files: Vec<FileMeta>,
    of_table: TableFiles,
    folder: Temporary,
    here: Range<usize>,
}

impl Window {
    fn chunk(&self, file: &FileMeta) -> Chunk {
        chunk_of(file, file.next, self.of_table.path(file, &self.folder))
    }

    /// Brings the files at `range` in place of those that are here; chunks behind the last file are of the log's tail. `Some` says which
    /// file is damaged, and why.
    async fn bring(&mut self, range: Range<usize>) -> anyhow::Result<Option<String>> {
        if self.of_table.are_here() {
            return Ok(None);
        }
        let range = range.start.min(self.files.len())..range.end.min(self.files.len());
        for gone in std::mem::replace(&mut self.here, range.clone()) {
            if !range.contains(&gone) {
                let path = self.of_table.path(&self.files[gone], &self.folder);
                std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
            }
        }
        self.of_table.bring(&self.files[range], &self.folder).await
    }
}

/// Those of `files` that are readable, each with the end that its own footer says. The others are findings.
fn own_ends(files: Vec<FileMeta>, checked: &Check) -> Vec<FileMeta> {
    let ends: HashMap<_, _> = checked.readable.iter().map(|file| ((&file.chain, file.first), file.next)).collect();
    let own_end = |file: FileMeta| Some(FileMeta { next: *ends.get(&(&file.chain, file.first))?, ..file });
    files.into_iter().filter_map(own_end).collect()
}

/// The bounds of the log's partitions.
async fn bounds(log: &OpenLog) -> anyhow::Result<Vec<(Chain, Bounds)>> {
    let bounds = log.source.bounds().await.context("read the log's bounds")?;
    let chain = |partition| Chain { log: log.source.id().clone(), partition };
    Ok(bounds.into_iter().map(|(partition, bounds)| (chain(partition), bounds)).collect())
}

fn hold_against(checked: &mut Check, logs: &[(Chain, Bounds)]) {
    for (chain, bounds) in logs {
        checked.hold_against(chain, *bounds);
    }
}

/// The report of a table's check, without anything of a lake.
fn report_of(checked: &Check) -> CheckReport {
    CheckReport {
        chains: checked.chains,
        files: checked.files,
        rows: checked.rows,
        bytes: checked.bytes,
        posts: None,
        quick: false,
        accepted_gaps: checked
            .accepted_gaps
            .iter()
            .map(|gap| format!("offsets {}..{} of {}", gap.first, gap.next, gap.chain))
            .collect(),
        findings: checked.findings.iter().map(ToString::to_string).collect(),
    }
}

/// The end of a chain's readable files: nobody knows how far a damaged newest file reached.
fn whole_end(table: &fedilake_table::Snapshot, chain: &ChainFiles) -> Offset {
    let newest = chain.files.last().expect("a chain in a snapshot has a file");
    let is_damaged = table.damaged.iter().any(|damaged| damaged.chain == chain.chain && damaged.first == newest.first);
    if is_damaged { newest.first } else { newest.next }
}

#[cfg(test)]
mod tests {
    use fedilake_log::LogId;
    use fedilake_model::avro::Decoder;
    use fedilake_table::conformance::records;
    use fedilake_table::{Commit, DataFile};
    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{ObjectStore, ObjectStoreExt};

    use super::*;

    #[tokio::test]
    async fn a_table_elsewhere_is_here_a_window_at_a_time_and_a_bad_copy_is_named() -> anyhow::Result<()> {
        let store = Arc::new(InMemory::new());
        let table = Arc::new(Table::new(Arc::clone(&store) as Arc<dyn ObjectStore>, Path::default()));
        let chain = Chain { log: LogId::new("l").context("an id")?, partition: Partition(0) };
        table.next_offset(&chain, Bounds { start: Offset(0), end: Offset(99) }).await?;
        for first in [0, 10, 20] {
            let (first, next) = (Offset(first), Offset(first + 10));
            let records = records(chain.partition, first.0..next.0);
            let file = DataFile::seal(chain.clone(), first, next, &records, &mut Decoder::new())?;
            assert!(matches!(table.commit(&file).await?, Commit::Done(_)));
        }
        let checked = table.check_footers().await?;
        let base = tempfile::tempdir()?;
        let folder = Temporary::within(base.path(), "tmp")?;
        let of_table = TableFiles::elsewhere(table);
        let mut window = Window { files: checked.readable.clone(), of_table, folder, here: 0..0 };
        let paths: Vec<_> = window.files.iter().map(|file| window.chunk(file).parquet).collect();
        // The chunk behind the last file is of the log's tail. The last call is another pass.
        for (range, here) in [(0..2, 0..2), (2..4, 2..3), (4..4, 3..3), (0..2, 0..2), (1..3, 1..3)] {
            assert_eq!(window.bring(range.clone()).await?, None);
            for (at, path) in paths.iter().enumerate() {
                assert_eq!(path.exists(), here.contains(&at), "{at} of {range:?}");
            }
        }
        let location = checked.readable[0].location.clone();
        let mut bytes = store.get(&location).await?.bytes().await?.to_vec();
        bytes[9] ^= 1;
        store.put(&location, bytes.into()).await?;
        let damaged = window.bring(0..1).await?;
        assert!(
            damaged.as_ref().is_some_and(|why| why.contains(location.as_ref()) && why.contains("checksum")),
            "{damaged:?}"
        );
        Ok(())
    }
}
