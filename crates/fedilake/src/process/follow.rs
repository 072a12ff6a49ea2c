//! The follower: moves the table's files and the log's tail into the lake, at most a second behind.
//!
//! The follower reads the log without a group. It takes the records of each [`FOLLOW_INTERVAL`], or up to
//! [`CHUNK_ROWS_MAX`] or [`CHUNK_BYTES_MAX`] when it is behind, into the lake as one small Parquet file; the same transaction moves the
//! lake's position. Records for the next take gather while one take runs, so a record waits at most for the rest of
//! one take and for its own. If the lake's position lies below the log's start, the follower takes the table's files
//! instead, but for damaged ones, whose records come from the log or are marked as lost (`seams.rs`). The lake is a
//! cache: when deleted, it is rebuilt here. When the lake's process ends, the follower goes back to the lake's position.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_log::{Assignment, Bounds, LogError, LogEvent, LogId, LogReader, Offset, Partition, Record, bounds_of};
use fedilake_query::{Chunk, LakeError, LakePosition};
use fedilake_table::{Chain, ChainFiles, DamagedFile, FileMeta, Snapshot, Table};
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::chunk::{offsets, position_of};
use crate::lake_process::{AskError, LakeProcess};
use crate::missing;
use crate::process::chunks::ChunkWriter;
use crate::process::seams::Seams;
use crate::telemetry::{self, Bar, Unit};
use crate::temporary::{Scratch, Temporary};
use crate::wire::{OpenLog, Stores, TableFiles};

/// How long records gather before the lake takes them.
pub const FOLLOW_INTERVAL: Duration = Duration::from_millis(250);
/// After this long without records, the lake seals its open days.
const REST: Duration = Duration::from_secs(2);
/// How long a follower that stops goes on sealing days: an end should not wait for what only makes reports faster.
const SEAL_AT_STOP: Duration = Duration::from_secs(2);
/// The most records in one transaction: a follower that is behind takes few large pieces, which is fastest. As many
/// again gather meanwhile.
const CHUNK_ROWS_MAX: usize = 200_000;
/// Bytes of records that are enough for a take, whatever their number is. The read that reaches it is the last one.
const CHUNK_BYTES_MAX: usize = 32 << 20;
/// How often a chunk is written for a lake that does not find it.
const TAKES_MAX: usize = 3;
/// The pauses before each further try of a take that found no memory.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
    Duration::from_secs(20),
];
/// Offsets of table files that are enough for one call of the lake, and the most files in it: those of a store elsewhere are all here
/// during the call.
const FILES_OFFSETS: u64 = 1_600_000;
const FILES_MAX: usize = 1_000;

/// The follower's state.
pub struct Follower {
    log: OpenLog,
    reader: Box<dyn LogReader>,
    table: Arc<Table>,
    files: TableFiles,
    /// The folder for chunks.
    folder: Temporary,
    lake: Arc<LakeProcess>,
    chunks: Arc<Mutex<ChunkWriter>>,
    /// The next offset that the lake needs of each partition of the reader's log, counting the running take as done.
    positions: HashMap<Partition, Offset>,
    /// The running take, if any.
    taking: Option<BoxFuture<'static, anyhow::Result<Taken>>>,
    /// True if a take was lost with the lake's process, so that `positions` may be ahead of the lake.
    is_ahead: bool,
    reached: watch::Sender<HashMap<Partition, Offset>>,
    /// The messages about missing offsets that were already logged, and the damaged files.
    told: HashSet<String>,
}

/// The outcome of a take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// The lake has the records.
    All,
    /// The lake's process ended; the lake may or may not have the records.
    Unknown,
}

impl Taken {
    fn of(taken: Result<(), AskError>) -> Result<Taken, AskError> {
        match taken {
            Ok(()) => Ok(Taken::All),
            Err(AskError::Ended(_)) => Ok(Taken::Unknown),
            Err(error) => Err(error),
        }
    }
}

/// Records that came from the log and that the lake does not have yet.
#[derive(Default)]
struct Gathered {
    records: Vec<Record>,
    /// Memory of the records: bytes.
    bytes: usize,
    /// Offsets that the log reported as reached: below them no more records come, because its last offsets may be
    /// holes.
    reached: HashMap<Partition, Offset>,
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.records.is_empty() && self.reached.is_empty()
    }

    fn is_full(&self) -> bool {
        self.records.len() >= CHUNK_ROWS_MAX || self.bytes >= CHUNK_BYTES_MAX
    }

    fn add(&mut self, records: Vec<Record>) {
        self.bytes += bytes(&records);
        self.records.extend(records);
    }

    fn forget(&mut self, partition: Partition) {
        self.records.retain(|record| record.partition != partition);
        self.bytes = bytes(&self.records);
        self.reached.remove(&partition);
    }
}

/// The files in parts of one call each.
fn calls(files: &[FileMeta]) -> impl Iterator<Item = &[FileMeta]> {
    let (mut count, mut together) = (0, 0);
    files.chunk_by(move |file, _| {
        count += 1;
        together += file.next.0 - file.first.0;
        let joins = count < FILES_MAX && together < FILES_OFFSETS;
        if !joins {
            (count, together) = (0, 0);
        }
        joins
    })
}

/// Memory of records: bytes.
fn bytes(records: &[Record]) -> usize {
    records.iter().map(|record| size_of::<Record>() + record.key.0.len() + record.value.len()).sum()
}

impl Follower {
    /// A follower that writes its chunks to `folder`, after deleting everything there.
    pub fn new(stores: &Stores, lake: Arc<LakeProcess>, folder: Temporary) -> anyhow::Result<Follower> {
        let log = stores.log.clone();
        let chunks = ChunkWriter::in_empty_folder(folder.clone(), &log.schemas)?;
        Ok(Follower {
            reader: log.source.reader(Assignment::All).context("open a reader of the log")?,
            log,
            table: Arc::clone(&stores.table),
            files: stores.files.clone(),
            folder,
            lake,
            chunks: Arc::new(Mutex::new(chunks)),
            positions: HashMap::new(),
            taking: None,
            is_ahead: false,
            reached: watch::Sender::new(HashMap::new()),
            told: HashSet::new(),
        })
    }

    /// The next offset that the lake needs of each partition, updated as the lake takes records.
    pub fn reached(&self) -> watch::Receiver<HashMap<Partition, Offset>> {
        self.reached.subscribe()
    }

    /// Follows until `shutdown`. First takes the table's files that the lake lacks.
    pub async fn run(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        self.prepare().await?;
        self.take_from_table(&shutdown).await?;
        let mut gathered = Gathered::default();
        let mut deadline = Instant::now();
        // The time to seal open days, unless records come before.
        let mut rest = Some(Instant::now());
        loop {
            if self.is_ahead {
                gathered = Gathered::default();
                self.go_back(&shutdown).await?;
            }
            tokio::select! {
                event = self.reader.next(), if !gathered.is_full() => match event {
                    Ok(LogEvent::Assigned(partition)) => self.begin(partition, &shutdown).await?,
                    Ok(LogEvent::Revoked(partition)) => gathered.forget(partition),
                    Ok(LogEvent::Reached(partition, offset)) => {
                        if gathered.is_empty() {
                            deadline = Instant::now() + FOLLOW_INTERVAL;
                        }
                        gathered.reached.insert(partition, offset);
                    }
                    Ok(LogEvent::Records(records)) => {
                        rest = Some(Instant::now() + REST);
                        if gathered.is_empty() {
                            deadline = Instant::now() + FOLLOW_INTERVAL;
                        }
                        gathered.add(records);
                        if gathered.is_full() {
                            deadline = Instant::now();
                        }
                    }
                    Err(LogError::BelowStart { partition, .. }) => {
                        // The log released records between two reads; the table has them.
                        self.finish().await?;
                        if self.is_ahead {
                            continue;
                        }
                        self.take(std::mem::take(&mut gathered));
                        self.begin(partition, &shutdown).await?;
                    }
                    Err(error) => return Err(error).context("follow the log"),
                },
                taken = ended(&mut self.taking), if self.taking.is_some() => {
                    self.taking = None;
                    self.note(taken?);
                }
                () = sleep_until(deadline), if !gathered.is_empty() && self.taking.is_none() => {
                    self.take(std::mem::take(&mut gathered));
                }
                () = sleep_until(rest.unwrap_or(deadline)), if rest.is_some() && gathered.is_empty() && self.taking.is_none() => {
                    // Records that come meanwhile are taken between two calls.
                    rest = self.seal().await?.then(Instant::now);
                }
                () = shutdown.cancelled() => {
                    self.finish().await?;
                    if rest.is_some() {
                        let end = Instant::now() + SEAL_AT_STOP;
                        while self.seal().await? && Instant::now() < end {}
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Starts again at the lake's own position, whatever take was lost.
    async fn go_back(&mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        // A lake whose file was lost begins again from the table.
        self.take_from_table(shutdown).await?;
        for partition in self.positions.keys().copied().collect::<Vec<_>>() {
            self.begin(partition, shutdown).await?;
        }
        self.is_ahead = false;
        self.publish();
        Ok(())
    }

    /// Lets the lake begin to read which posts it has, before the first ones come: a large lake reads for seconds.
    async fn prepare(&mut self) -> anyhow::Result<()> {
        let lake = Arc::clone(&self.lake);
        match tokio::task::spawn_blocking(move || lake.take(&[], &mut |_| {})).await.context("prepare the lake")? {
            // The first take begins it again.
            Err(AskError::Ended(_) | AskError::Lake(LakeError::OutOfMemory(_))) => Ok(()),
            prepared => prepared.context("prepare the lake"),
        }
    }

    /// Lets the lake store the figures of some days that changed, so that reports read them instead of counting. False if
    /// there are no such days.
    async fn seal(&mut self) -> anyhow::Result<bool> {
        let lake = Arc::clone(&self.lake);
        match tokio::task::spawn_blocking(move || lake.seal()).await.context("seal days")? {
            // Reports count the days that are not sealed; the next records bring another attempt.
            Err(AskError::Ended(_) | AskError::Lake(LakeError::OutOfMemory(_))) => Ok(false),
            sealed => sealed.context("seal days"),
        }
    }

    /// Seeks to the lake's position. If the log starts later, takes table files first.
    async fn begin(&mut self, partition: Partition, shutdown: &CancellationToken) -> anyhow::Result<()> {
        self.finish().await?;
        let mut tried: Option<Offset> = None;
        loop {
            let bounds = bounds_of(self.log.source.as_ref(), partition).await.context("follow the log")?;
            let positions = positions(Arc::clone(&self.lake)).await?;
            let position = match position_of(&positions, self.log.source.id(), partition) {
                Some(position) => position,
                None => self.chain_start(partition).await?.unwrap_or(self.log.source.table_start(bounds)),
            };
            match self.reader.seek(partition, position).await {
                Ok(()) => {
                    self.positions.insert(partition, position);
                    self.publish();
                    return Ok(());
                }
                // The sink went on while the lake took files, and the log released more: try again as long as the
                // position moves.
                Err(LogError::BelowStart { start, .. }) if tried != Some(position) => {
                    tracing::debug!(%partition, %position, %start, "the log starts later than the lake ends; the table has what lies between");
                    tried = Some(position);
                    self.take_from_table(shutdown).await?;
                    if shutdown.is_cancelled() {
                        return Ok(());
                    }
                }
                Err(LogError::BelowStart { start, .. }) => bail!(
                    "the lake needs offset {position} of log partition {partition}, the log starts at {start} and the table does not reach it\n\
                     hint: `fedilake check` names what is missing"
                ),
                Err(LogError::BeyondEnd { end, .. }) => bail!(
                    "the lake is at offset {position} of log partition {partition}, beyond the log's end {end}: it belongs to another state of the log\n\
                     hint: delete lake.duckdb in the data folder; it is rebuilt"
                ),
                Err(error) => return Err(error).context("follow the log"),
            }
        }
    }

    /// The offset at which the table's files of a partition begin. Read after the log's bounds: the log releases
    /// nothing before the table has it, so one of the two knows the first existing record.
    async fn chain_start(&mut self, partition: Partition) -> anyhow::Result<Option<Offset>> {
        let chain = Chain { log: self.log.source.id().clone(), partition };
        self.table.first_file(&chain).await.context("read the table")
    }

    /// Takes every table file with records that the lake lacks: other logs' chains, and those that the log has
    /// released.
    async fn take_from_table(&mut self, shutdown: &CancellationToken) -> anyhow::Result<()> {
        // After each end of the lake's process, asks the lake again what it lacks.
        while self.take_files_lacked(shutdown).await? == Taken::Unknown {}
        Ok(())
    }

    async fn take_files_lacked(&mut self, shutdown: &CancellationToken) -> anyhow::Result<Taken> {
        let mut snapshot = self.table.snapshot().await.context("read the table")?;
        let mut log_starts = HashMap::new();
        if !snapshot.damaged.is_empty() {
            // Before the table is listed again: what the log had let go of by then is in files, whole or damaged.
            log_starts = self::log_starts(&self.log).await?;
            snapshot = self.table.snapshot().await.context("read the table")?;
        }
        for damaged in &snapshot.damaged {
            self.tell_damaged(&damaged.location, &damaged.why);
        }
        let positions = positions(Arc::clone(&self.lake)).await?;
        let lacks = |file: &&FileMeta| {
            position_of(&positions, &file.chain.log, file.chain.partition).is_none_or(|next| file.next > next)
        };
        let wanted: Vec<FileMeta> =
            snapshot.chains.iter().flat_map(|chain| &chain.files).filter(lacks).cloned().collect();
        if wanted.is_empty() && snapshot.damaged.is_empty() {
            self.tell_missing(&positions);
            return Ok(Taken::All);
        }
        let mut seams = Seams::of(&snapshot, &self.table, &positions, &self.log).await?;
        let bar = telemetry::progress_bar("lake", offsets(&wanted), Unit::Posts);
        let mut done = 0;
        for files in calls(&wanted) {
            if shutdown.is_cancelled() {
                break;
            }
            let progress = (bar.clone(), done);
            if self.take_files(files, &snapshot, &mut seams, progress).await? == Taken::Unknown {
                bar.finish_and_clear();
                return Ok(Taken::Unknown);
            }
            done += offsets(files);
            bar.set_position(done);
        }
        bar.finish_and_clear();
        let scratch = Scratch::new(&self.folder);
        for chain in &snapshot.chains {
            if shutdown.is_cancelled() {
                break;
            }
            let end = end_of(chain, &snapshot.damaged, log_starts.get(&chain.chain).copied());
            let chunks = seams.close(&chain.chain, end, scratch.folder()).await?;
            if self.take_chunks(chunks, |_| {}).await.context("take the log's records into the lake")? == Taken::Unknown
            {
                return Ok(Taken::Unknown);
            }
        }
        self.tell_missing(&self::positions(Arc::clone(&self.lake)).await?);
        Ok(Taken::All)
    }

    /// Takes `files` in one call, all but the damaged ones. `progress` is the bar and what stands there.
    async fn take_files(
        &mut self,
        files: &[FileMeta],
        snapshot: &Snapshot,
        seams: &mut Seams,
        (bar, done): (Bar, u64),
    ) -> anyhow::Result<Taken> {
        let scratch = Scratch::new(&self.folder);
        let mut readable = Vec::new();
        for (file, chunk) in files.iter().zip(self.files.chunks(files, scratch.folder()).await?) {
            match chunk {
                Ok(chunk) => readable.push((file, chunk)),
                Err(why) => self.tell_damaged(file.location.as_ref(), &why),
            }
        }
        loop {
            let (mut joined, mut chunks) = (seams.clone(), Vec::new());
            for (file, chunk) in &readable {
                let lost_from = joined.end_before(&file.chain, file.first);
                if let Some(from) = lost_from
                    && self.has_more(snapshot, &file.chain, from..file.first).await?
                {
                    return Ok(Taken::Unknown);
                }
                chunks.extend(joined.join(&file.chain, chunk, scratch.folder()).await?);
            }
            let bar = bar.clone();
            match self.take_chunks(chunks, move |rows| bar.set_position(done + rows)).await {
                Ok(taken) => {
                    *seams = joined;
                    return Ok(taken);
                }
                Err(TakeError::Lake(AskError::Lake(LakeError::DamagedFile { path, reason }))) => {
                    let Some(at) = readable.iter().position(|(_, chunk)| chunk.parquet == path) else {
                        return Err(LakeError::DamagedFile { path, reason }).context("take table files into the lake");
                    };
                    let (file, _) = readable.remove(at);
                    self.tell_damaged(file.location.as_ref(), &reason);
                }
                Err(error) => return Err(error).context("take table files into the lake"),
            }
        }
    }

    /// Takes chunks in one call, patiently.
    async fn take_chunks(
        &mut self,
        chunks: Vec<Chunk>,
        progress: impl Fn(u64) + Send + 'static,
    ) -> Result<Taken, TakeError> {
        if chunks.is_empty() {
            return Ok(Taken::All);
        }
        let lake = Arc::clone(&self.lake);
        let take = move || Taken::of(patiently(PAUSES, || lake.take(&chunks, &mut |taken| progress(taken.rows))));
        Ok(tokio::task::spawn_blocking(take).await??)
    }

    /// True if the table has a file in the range that `snapshot` lacks: a listing of a folder that grows may miss one.
    async fn has_more(&mut self, snapshot: &Snapshot, chain: &Chain, range: Range<Offset>) -> anyhow::Result<bool> {
        let in_range = |snapshot: &Snapshot| {
            let files = snapshot.chains.iter().filter(|files| files.chain == *chain).flat_map(|files| &files.files);
            files.filter(|file| range.contains(&file.first)).count()
        };
        let now = self.table.snapshot().await.context("read the table")?;
        Ok(in_range(&now) > in_range(snapshot))
    }

    /// Logs each damaged file once.
    fn tell_damaged(&mut self, location: &str, why: &str) {
        if self.told.insert(location.to_owned()) {
            tracing::warn!(
                "table file {location} is damaged: {why}; its records are taken from the log, or left out where the log no \
                 longer has them"
            );
        }
    }

    /// Logs each range of missing offsets once.
    fn tell_missing(&mut self, positions: &[LakePosition]) {
        metrics::gauge!("fedilake_lake_missing_offsets").set(missing::count(positions) as f64);
        for sentence in missing::sentences(positions) {
            if self.told.insert(sentence.clone()) {
                tracing::warn!("{sentence}");
            }
        }
    }

    /// Starts to take the gathered records; [`Follower::taking`] ends when the lake has them.
    fn take(&mut self, Gathered { records, reached, .. }: Gathered) {
        assert!(self.taking.is_none(), "one take runs at a time");
        let newest_appended_at_ms = records.iter().map(|record| record.appended_at_ms).max();
        let mut by_partition: HashMap<Partition, Vec<Record>> =
            reached.keys().map(|partition| (*partition, Vec::new())).collect();
        for record in records {
            by_partition.entry(record.partition).or_default().push(record);
        }
        if by_partition.is_empty() {
            return;
        }
        let mut pieces = Vec::new();
        for (partition, records) in by_partition {
            let read = records.last().map(|record| record.offset.next());
            let next = read.max(reached.get(&partition).copied()).expect("an entry has a record or was reached");
            let first = *self.positions.get(&partition).expect("a partition is begun before its records come");
            self.positions.insert(partition, next);
            pieces.push((partition, first..next, records));
        }
        let (lake, writer, log) = (Arc::clone(&self.lake), Arc::clone(&self.chunks), self.log.source.id().clone());
        self.taking = Some(Box::pin(async move {
            let taken = tokio::task::spawn_blocking(move || take(&lake, &writer, &log, &pieces))
                .await
                .context("take records")?
                .context("take records into the lake")?;
            if let (Taken::All, Some(newest_appended_at_ms)) = (taken, newest_appended_at_ms) {
                let lag_ms = chrono::Utc::now().timestamp_millis() - newest_appended_at_ms;
                metrics::gauge!("fedilake_lake_lag_seconds").set(lag_ms as f64 / 1e3);
            }
            Ok(taken)
        }));
    }

    /// Waits for the running take, if any.
    async fn finish(&mut self) -> anyhow::Result<()> {
        let Some(taking) = self.taking.take() else { return Ok(()) };
        let taken = taking.await?;
        self.note(taken);
        Ok(())
    }

    fn note(&mut self, taken: Taken) {
        match taken {
            Taken::All => self.publish(),
            Taken::Unknown => self.is_ahead = true,
        }
    }

    fn publish(&self) {
        if !self.is_ahead {
            self.reached.send_replace(self.positions.clone());
        }
    }
}

async fn positions(lake: Arc<LakeProcess>) -> anyhow::Result<Vec<LakePosition>> {
    let asked = tokio::task::spawn_blocking(move || patiently(PAUSES, || lake.positions()));
    asked.await?.context("read the lake's position")
}

/// The error of a take of table files.
#[derive(Debug, thiserror::Error)]
enum TakeError {
    #[error(transparent)]
    Lake(#[from] AskError),
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}

/// The offset up to which the records of a chain are in its files, whole or damaged. Damaged files at a chain's end do not
/// say how far they reach: as far as the log has let go of records, else one offset.
fn end_of(chain: &ChainFiles, damaged: &[DamagedFile], log_start: Option<Offset>) -> Offset {
    let of_chain = damaged.iter().filter(|damaged| damaged.chain == chain.chain);
    let reached = of_chain.map(|damaged| log_start.unwrap_or(damaged.first.next())).max();
    chain.next().max(reached.unwrap_or(Offset(0)))
}

/// Waits for the running take to end. Cancel-safe: a cancelled wait leaves the take running.
async fn ended(taking: &mut Option<BoxFuture<'static, anyhow::Result<Taken>>>) -> anyhow::Result<Taken> {
    match taking {
        Some(taking) => taking.await,
        None => std::future::pending().await,
    }
}

/// The start of each of the log's partitions.
async fn log_starts(log: &OpenLog) -> anyhow::Result<HashMap<Chain, Offset>> {
    let bounds = log.source.bounds().await.context("read the log's bounds")?;
    let start =
        |(partition, bounds): (Partition, Bounds)| (Chain { log: log.source.id().clone(), partition }, bounds.start);
    Ok(bounds.into_iter().map(start).collect())
}

/// Records of one partition, in order, and the offsets that they cover.
type Piece = (Partition, Range<Offset>, Vec<Record>);

/// Writes the pieces as chunks and gives them to the lake, again if somebody deleted a chunk before the lake had it.
fn take(lake: &LakeProcess, writer: &Mutex<ChunkWriter>, log: &LogId, pieces: &[Piece]) -> anyhow::Result<Taken> {
    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    let mut attempts = 0;
    loop {
        let mut chunks = Vec::new();
        for (partition, offsets, records) in pieces {
            chunks.push(writer.write(&format!("{partition}.parquet"), log, *partition, offsets.clone(), records)?);
        }
        let began = Instant::now();
        let taken = Taken::of(patiently(PAUSES, || lake.take(&chunks, &mut |_| {})));
        metrics::histogram!("fedilake_lake_take_seconds").record(began.elapsed());
        let mut all_there = true;
        for chunk in &chunks {
            // A chunk that cannot be deleted is deleted at the next start.
            all_there &= std::fs::remove_file(&chunk.parquet).is_ok();
        }
        attempts += 1;
        if taken.is_ok() || all_there || attempts == TAKES_MAX {
            return Ok(taken?);
        }
    }
}

/// Tries again, after a pause each time, while the lake has no memory left: questions use the same memory, and they
/// end.
fn patiently<T>(
    pauses: impl IntoIterator<Item = Duration>,
    mut ask: impl FnMut() -> Result<T, AskError>,
) -> Result<T, AskError> {
    let mut pauses = pauses.into_iter();
    loop {
        match ask() {
            Err(AskError::Lake(LakeError::OutOfMemory(reason))) => {
                let Some(pause) = pauses.next() else { return Err(LakeError::OutOfMemory(reason).into()) };
                let (reason, _) = telemetry::without_engine_advice(&reason);
                tracing::warn!(reason, "the lake has too little memory to take new records; trying again");
                std::thread::sleep(pause);
            }
            answered => return answered,
        }
    }
}

#[cfg(test)]
mod tests {
    use fedilake_log::Key;
    use fedilake_query::LakeOptions;
    use fedilake_table::sink::{self, SinkProgress};

    use super::*;
    use crate::lake_process::Ended;
    use crate::owner::Ownership;
    use crate::settings::Settings;
    use crate::wire;

    #[test]
    fn a_call_has_many_small_files_or_few_large_ones() {
        let chain = Chain { log: LogId::new("l").unwrap(), partition: Partition(0) };
        let files = |count: u64, offsets: u64| -> Vec<FileMeta> {
            let file = |n| FileMeta {
                chain: chain.clone(),
                first: Offset(n * offsets),
                next: Offset((n + 1) * offsets),
                location: "f".into(),
                bytes: 1,
            };
            (0..count).map(file).collect()
        };
        let lengths = |files: &[FileMeta]| calls(files).map(<[FileMeta]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(&files(2_500, 100)), [1_000, 1_000, 500]);
        assert_eq!(lengths(&files(20, FILES_OFFSETS / 8)), [8, 8, 4]);
        assert_eq!(lengths(&files(3, 2 * FILES_OFFSETS)), [1, 1, 1]);
        assert!(lengths(&[]).is_empty());
    }

    #[tokio::test]
    async fn a_chain_that_began_while_the_lake_was_busy_is_followed_from_its_beginning() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let settings = Settings::load(None, [], &[])?;
        let ownership = Arc::new(Ownership::take(folder.path())?.context("free")?);
        let stores = Stores::open(Some(&ownership), &settings, wire::Use::Write).await?;
        let lake = Arc::new(wire::open_lake(Arc::clone(&ownership), &settings, 0)?);
        let mut follower = Follower::new(&stores, Arc::clone(&lake), ownership.temporary().clone())?;
        // The table was empty when the follower looked; then records came and were committed, and the log released
        // them.
        let record = || (Key(b"k".as_slice().into()), b"unreadable".as_slice().into());
        stores.log.appending().writer.append(vec![record(), record(), record()]).await?;
        let (stop, progress) = (CancellationToken::new(), Arc::<SinkProgress>::default());
        let (log, limits) = (Arc::clone(&stores.log.source), sink::Limits::default());
        let sink = sink::run(
            log,
            Assignment::All,
            stores.log.schemas.decoder(),
            stores.table.clone(),
            limits,
            progress.clone(),
            stop.clone(),
        );
        let sink = tokio::spawn(sink);
        while progress.positions().get(&Partition(0)).is_none_or(|position| position.read < Offset(3)) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        stop.cancel();
        sink.await??;
        assert_eq!(stores.log.source.bounds().await?[&Partition(0)].start, Offset(3));

        follower.begin(Partition(0), &CancellationToken::new()).await?;
        drop((follower, lake));
        let lake = fedilake_query::Lake::open(&folder.path().join("lake.duckdb"), LakeOptions::default())?;
        assert_eq!(lake.rejected()?, [("no_header".to_owned(), 3)]);
        Ok(())
    }

    #[test]
    fn what_gathers_is_bounded_in_records_and_in_bytes() {
        let record = |partition, bytes: usize| Record {
            partition: Partition(partition),
            offset: Offset(0),
            key: Key(b"k".as_slice().into()),
            value: vec![0; bytes].into(),
            appended_at_ms: 0,
        };
        let mut gathered = Gathered::default();
        gathered.add(vec![record(0, 1); CHUNK_ROWS_MAX - 1]);
        assert!(!gathered.is_full());
        gathered.add(vec![record(1, 1)]);
        assert!(gathered.is_full());
        gathered.forget(Partition(1));
        assert!(!gathered.is_full());
        let mut gathered = Gathered::default();
        gathered.add(vec![record(0, CHUNK_BYTES_MAX - 10_000)]);
        assert!(!gathered.is_full());
        gathered.add(vec![record(1, 10_000)]);
        assert!(gathered.is_full());
        gathered.forget(Partition(0));
        assert!(!gathered.is_full() && gathered.records.len() == 1);
    }

    #[test]
    fn only_a_lack_of_memory_is_waited_out_and_not_for_ever() {
        let short = || Err(LakeError::OutOfMemory(String::new()).into());
        let cases = [
            (vec![Ok(())], true, 1),
            (vec![short(), short(), Ok(())], true, 3),
            (vec![short(), short(), short(), short()], false, 3),
            (vec![Err(LakeError::Interrupted.into()), Ok(())], false, 1),
            (vec![Err(AskError::Ended(Ended::Unheard)), Ok(())], true, 1),
        ];
        for (answers, is_taken, times) in cases {
            let (mut answers, mut asked) = (answers.into_iter(), 0);
            let taken = Taken::of(patiently([Duration::ZERO; 2], || {
                asked += 1;
                answers.next().unwrap()
            }));
            assert_eq!((taken.is_ok(), asked), (is_taken, times));
        }
    }
}
