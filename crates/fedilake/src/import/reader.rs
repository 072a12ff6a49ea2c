//! A topic's files as a log, with the offsets that the rows had in Kafka.
//!
//! A file's rows are consecutive offsets from the one that its name says. Files are read whole, one partition after the other,
//! some ahead of their turn. Offsets that no file has are holes, as are rows that are not kept. Where files overlap, which
//! Connect leaves behind when it is set back, an offset's row is that of the first file by offset and name.
//!
//! The log is what the listing showed: it does not grow, and when all of it was handed out it cancels a token, since a reader
//! otherwise waits for more. A file that cannot be read ends its partition and is noted ([`Findings`](super::Findings)), so that
//! the sink commits what came before it.
//!
//! Limits: in memory are the files read ahead ([`BYTES_AHEAD`], or one larger one), decoded.

use std::collections::{BTreeMap, VecDeque};
use std::future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fedilake_log::{Bounds, LogError, LogEvent, LogId, LogReader, Offset, Partition, Record};
use fedilake_model::avro::Encoder;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use object_store::ObjectStore;
use tokio::task::{self, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::fetch::{self, RowCounts};
use super::file::{self, FileRows, Outcome};
use super::findings::Progress;
use super::name::OFFSETS_END;
use super::source::{SourceFile, Topic};
use super::unusable::{Counted, Memory, Unusable};

/// Files that are read ahead hold no more bytes than this, and are no more than [`FILES_AHEAD`].
const BYTES_AHEAD: u64 = 32 << 20;
const FILES_AHEAD: usize = 16;

/// A reader over the files of one topic.
pub(super) struct ImportReader {
    id: LogId,
    store: Arc<dyn ObjectStore>,
    partitions: BTreeMap<Partition, Reading>,
    unassigned: VecDeque<Partition>,
    row_counts: RowCounts,
    encoders: Encoders,
    progress: Arc<Progress>,
    done: CancellationToken,
    memory: Memory,
    saved_at: Instant,
}

/// The time between two saves of what was counted.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// Encoders that wait for the next file: making one takes as long as encoding a hundred posts.
type Encoders = Arc<Mutex<Vec<Encoder>>>;

/// A partition, and how far it is read.
struct Reading {
    files: Arc<Vec<SourceFile>>,
    bounds: Bounds,
    /// Files still to be asked for.
    wanted: VecDeque<usize>,
    /// Files asked for, in order.
    asked: FuturesOrdered<JoinHandle<(usize, Result<FileRows, LogError>)>>,
    bytes_asked: u64,
    /// The offset at which reading began; None before the first seek.
    sought: Option<Offset>,
    /// The next offset.
    position: Offset,
    /// The offset after the last one that was handed out.
    handed: Offset,
    ended: bool,
    /// The posts that the rows since `overlap_first` name, as hashes: a file that overlaps is compared with them.
    overlap: Vec<u64>,
    overlap_first: u64,
    appended_at_ms: i64,
    counted: Counted,
}

impl ImportReader {
    /// A reader of `topic`; `known` has the table's ends, `memory` what earlier runs could not use. Cancels `done` after the last record.
    pub(super) async fn open(
        topic: Topic,
        known: &BTreeMap<Partition, Offset>,
        memory: Memory,
        progress: Arc<Progress>,
        done: CancellationToken,
    ) -> Result<ImportReader, LogError> {
        let id = topic.log_id();
        let mut row_counts = RowCounts::default();
        let mut partitions = BTreeMap::new();
        let mut remembered = memory.load();
        for (partition, files) in topic.files {
            let counted = remembered.remove(&partition.0).unwrap_or_default();
            progress.lock().unusable.add(&counted.unusable);
            let first = files.first().map_or(Offset(0), |file| file.first);
            // Offsets between the table's end and the first file that is still there are a gap like any other.
            let start = known.get(&partition).map_or(first, |known| first.min(*known));
            let end = end(&files, &mut row_counts, topic.store.as_ref()).await?;
            partitions.insert(partition, Reading::new(Arc::new(files), Bounds { start, end }, counted));
        }
        let unassigned = partitions.keys().copied().collect();
        let encoders = Encoders::default();
        let (store, saved_at) = (topic.store, Instant::now());
        Ok(ImportReader { id, store, partitions, unassigned, row_counts, encoders, progress, done, memory, saved_at })
    }

    fn save(&mut self) -> Result<(), LogError> {
        self.saved_at = Instant::now();
        let counted = self.partitions.iter().map(|(partition, reading)| (*partition, &reading.counted));
        self.memory.save(counted).map_err(|error| LogError::Storage {
            doing: "remember",
            at: "what could not be used, in the data folder".to_owned(),
            why: error.to_string(),
        })
    }

    fn reading(&mut self, partition: Partition) -> Result<&mut Reading, LogError> {
        self.partitions.get_mut(&partition).ok_or(LogError::NotAssigned { partition })
    }
}

/// The offset after the last one that any file has. A file without a readable footer ends where it begins.
async fn end(files: &[SourceFile], counts: &mut RowCounts, store: &dyn ObjectStore) -> Result<Offset, LogError> {
    let last = files.last().map_or(Offset(0), |file| file.first);
    let mut end = last;
    for file in files.iter().filter(|file| reach(file) >= last) {
        let rows = counts.of(store, file).await?.unwrap_or(0);
        end = end.max(after(file, rows));
    }
    Ok(end)
}

/// The offset after the file's last row.
pub(super) fn after(file: &SourceFile, rows: u64) -> Offset {
    Offset(file.first.0.saturating_add(rows).min(OFFSETS_END))
}

/// An offset that the file surely ends before: each row names another post, which takes more than a byte. Spares the footers of
/// all files that end long before the place that is looked at.
pub(super) fn reach(file: &SourceFile) -> Offset {
    Offset(file.first.0.saturating_add(file.bytes))
}

impl Reading {
    fn new(files: Arc<Vec<SourceFile>>, bounds: Bounds, counted: Counted) -> Reading {
        Reading {
            files,
            bounds,
            wanted: VecDeque::new(),
            asked: FuturesOrdered::new(),
            bytes_asked: 0,
            sought: None,
            position: bounds.start,
            handed: bounds.start,
            ended: false,
            overlap: Vec::new(),
            overlap_first: 0,
            appended_at_ms: i64::MIN,
            counted,
        }
    }

    fn is_under_way(&self) -> bool {
        self.sought.is_some() && !self.ended
    }

    /// Requests the next files, as many as may be held.
    fn ask(&mut self, store: &Arc<dyn ObjectStore>, encoders: &Encoders) {
        while let Some(&at) = self.wanted.front() {
            let bytes = self.files[at].bytes;
            let is_full = self.asked.len() >= FILES_AHEAD || self.bytes_asked + bytes > BYTES_AHEAD;
            if is_full && !self.asked.is_empty() {
                return;
            }
            self.wanted.pop_front();
            self.bytes_asked += bytes;
            let (store, files, encoders) = (Arc::clone(store), Arc::clone(&self.files), Arc::clone(encoders));
            self.asked.push_back(task::spawn(async move { (at, read(&store, &files[at], encoders).await) }));
        }
    }

    /// Takes a file's rows at their turn; returns the records of those that may be kept.
    fn take(&mut self, partition: Partition, at: usize, read: FileRows, progress: &Progress) -> Vec<Record> {
        let file = &self.files[at];
        let shown = file.shown();
        let sought = self.sought.expect("nothing is asked for before the first seek");
        let is_counted = self.counted.has(file);
        // Of this file, what could not be used and is in no counts yet.
        let mut unusable = Unusable::default();
        let mut findings = progress.lock();
        let rows_before = findings.rows;
        findings.columns_ignored.extend(read.columns_ignored);
        findings.columns_missing.extend(read.columns_missing);
        if !is_counted {
            unusable.unreadable.extend(read.unreadable.into_iter().map(|(column, count)| (column.to_owned(), count)));
        }
        let end = file.first.0 + read.rows.len() as u64;
        if file.first > self.position && !read.rows.is_empty() {
            findings.gap(partition, self.position..file.first);
            self.position = file.first;
        }
        if file.first.0 >= self.overlap_first + self.overlap.len() as u64 {
            self.overlap.clear();
            self.overlap_first = file.first.0;
        }
        let mut records = Vec::new();
        for (offset, (number, row)) in (file.first.0..).map(Offset).zip((1..).zip(read.rows)) {
            let among = (offset.0 - self.overlap_first) as usize;
            match self.overlap.get(among) {
                Some(names) => {
                    if offset >= sought {
                        findings.double(&shown);
                    }
                    if !is_counted && *names != row.names {
                        unusable.conflict(&shown);
                    }
                }
                None => self.overlap.push(row.names),
            }
            // Before the sought one: the table has it.
            let is_new = offset >= self.position;
            let is_uncounted = !is_counted && offset.0 >= self.counted.next;
            findings.rows += u64::from(is_new);
            match row.outcome {
                Outcome::Admitted { key, value, received_at_ms, flaws } => {
                    // Nothing was received after the file that holds it was written: an odd row's claim goes no further.
                    self.appended_at_ms = self.appended_at_ms.max(received_at_ms.min(file.written_at_ms));
                    let lost = flaws.iter().filter(|flaw| is_uncounted && flaw.is_loss());
                    lost.for_each(|flaw| unusable.lose(&shown, number, flaw.as_str()));
                    if is_new {
                        findings.tally.accepted += 1;
                        flaws.iter().for_each(|flaw| findings.tally.add_flaw(flaw));
                        let appended_at_ms = self.appended_at_ms;
                        records.push(Record { partition, offset, appended_at_ms, key, value });
                        self.handed = offset.next();
                    }
                }
                Outcome::Skipped(skipped) if is_new => findings.tally.skip(skipped),
                Outcome::Rejected(why) => {
                    if is_uncounted {
                        unusable.reject(&shown, number, why);
                    }
                    if is_new {
                        findings.tally.reject(why);
                    }
                }
                Outcome::Skipped(_) => {}
            }
            if is_new {
                self.position = offset.next();
            }
        }
        findings.files += u64::from(findings.rows > rows_before);
        findings.unusable.add(&unusable);
        if !is_counted {
            self.counted.unusable.add(&unusable);
            self.counted.pass(file, end);
        }
        records
    }
}

#[async_trait]
impl LogReader for ImportReader {
    fn id(&self) -> &LogId {
        &self.id
    }

    async fn next(&mut self) -> Result<LogEvent, LogError> {
        if let Some(partition) = self.unassigned.pop_front() {
            return Ok(LogEvent::Assigned(partition));
        }
        // The caller asks for more, so it has taken the last records.
        while let Some((partition, reading)) = self.partitions.iter_mut().find(|(_, reading)| reading.is_under_way()) {
            reading.ask(&self.store, &self.encoders);
            match reading.asked.next().await {
                Some(Ok((at, read))) => {
                    let bytes = reading.files[at].bytes;
                    reading.bytes_asked -= bytes;
                    self.progress.pass(bytes);
                    match read {
                        Ok(read) => {
                            let records = reading.take(*partition, at, read, &self.progress);
                            if self.saved_at.elapsed() >= SAVE_INTERVAL {
                                self.save()?;
                            }
                            if !records.is_empty() {
                                return Ok(LogEvent::Records(records));
                            }
                        }
                        Err(error) => {
                            self.progress.lock().failures.push(error);
                            reading.ended = true;
                        }
                    }
                }
                Some(Err(_)) => return Err(LogError::Closed),
                None => {
                    reading.ended = true;
                    if reading.position > reading.handed {
                        return Ok(LogEvent::Reached(*partition, reading.position));
                    }
                }
            }
        }
        self.save()?;
        self.done.cancel();
        future::pending().await
    }

    async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        let Bounds { start, end } = self.bounds(partition).await?;
        if offset < start {
            return Err(LogError::BelowStart { partition, wanted: offset, start });
        }
        if offset > end {
            return Err(LogError::BeyondEnd { partition, wanted: offset, end });
        }
        let files = Arc::clone(&self.reading(partition)?.files);
        let mut wanted = VecDeque::new();
        for (at, file) in files.iter().enumerate() {
            let is_counted = self.reading(partition)?.counted.has(file);
            if is_counted
                && file.first < offset
                && !may_hold(&files, at, offset, &mut self.row_counts, self.store.as_ref()).await?
            {
                continue;
            }
            wanted.push_back(at);
        }
        let of_wanted: u64 = wanted.iter().map(|at| files[*at].bytes).sum();
        if self.reading(partition)?.sought.is_none() {
            let of_all: u64 = files.iter().map(|file| file.bytes).sum();
            self.progress.pass(of_all - of_wanted);
        }
        let counted = self.reading(partition)?.counted.clone();
        let anew = Reading::new(files, Bounds { start, end }, counted);
        let began = Reading { wanted, sought: Some(offset), position: offset, handed: offset, ..anew };
        self.partitions.insert(partition, began);
        Ok(())
    }

    async fn partitions(&mut self) -> Result<Vec<Partition>, LogError> {
        Ok(self.partitions.keys().copied().collect())
    }

    async fn bounds(&mut self, partition: Partition) -> Result<Bounds, LogError> {
        Ok(self.reading(partition)?.bounds)
    }

    /// The source is its owner's: nothing of it is let go.
    async fn release(&mut self, partition: Partition, _: Offset) -> Result<(), LogError> {
        self.reading(partition).map(|_| ())
    }
}

/// True if the file, which begins below `offset`, has a row at or above it. A file that cannot be read may have one,
/// if no other file begins between.
async fn may_hold(
    files: &[SourceFile],
    at: usize,
    offset: Offset,
    counts: &mut RowCounts,
    store: &dyn ObjectStore,
) -> Result<bool, LogError> {
    let file = &files[at];
    if reach(file) <= offset {
        return Ok(false);
    }
    let end = match counts.of(store, file).await? {
        Some(rows) => Some(after(file, rows)),
        None => files.get(at + 1).map(|next| next.first),
    };
    Ok(end.is_none_or(|end| end > offset))
}

async fn read(store: &Arc<dyn ObjectStore>, file: &SourceFile, encoders: Encoders) -> Result<FileRows, LogError> {
    let bytes = fetch::whole(store.as_ref(), file).await?;
    let written_at_ms = file.written_at_ms;
    let decoded = task::spawn_blocking(move || {
        let pool = || encoders.lock().unwrap_or_else(PoisonError::into_inner);
        let mut encoder = pool().pop().unwrap_or_default();
        let rows = file::rows(bytes, written_at_ms, &mut encoder);
        pool().push(encoder);
        rows
    });
    let rows = match decoded.await {
        Ok(rows) => rows,
        Err(error) if error.is_panic() => Err("its pages cannot be decoded".to_owned()),
        Err(_) => return Err(LogError::Closed),
    };
    let rows = rows.and_then(|read| match file.first.0.checked_add(read.rows.len() as u64) {
        Some(end) if end <= OFFSETS_END => Ok(read),
        _ => Err("its rows go beyond the last offset that a Kafka log has".to_owned()),
    });
    rows.map_err(|why| LogError::Damaged { at: file.shown(), why })
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use object_store::ObjectStoreExt;
    use object_store::local::LocalFileSystem;
    use parquet::arrow::ArrowWriter;

    use super::super::source::Source;
    use super::*;

    /// A file whose rows name posts by `numbers`; every seventh is none that is kept.
    fn file(numbers: std::ops::Range<u64>) -> Vec<u8> {
        let urls: Vec<String> = numbers.clone().map(|n| format!("https://a.test/@ann/{n}")).collect();
        let columns: [(&str, ArrayRef); 4] = [
            ("m_id", Arc::new(numbers.clone().map(|n| Some(n as i64)).collect::<Int64Array>())),
            (
                "url",
                Arc::new(numbers.clone().zip(&urls).map(|(n, u)| (n % 7 != 0).then_some(u)).collect::<StringArray>()),
            ),
            ("username", Arc::new(numbers.clone().map(|_| Some("ann")).collect::<StringArray>())),
            // Back and forth, and once in a year to come.
            (
                "created_at",
                Arc::new(
                    numbers
                        .map(|n| Some([1_600_000_100, 1_600_000_050, 1 << 40][n as usize % 3]))
                        .collect::<Int64Array>(),
                ),
            ),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    /// Everything from `offset` on, until the reader says that it is done: offsets, and where the holes at the end were reached.
    async fn read_from(topic: Topic, offset: Offset, progress: &Arc<Progress>) -> (Vec<Record>, Option<Offset>) {
        let done = CancellationToken::new();
        let known = BTreeMap::from([(Partition(0), Offset(2))]);
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::of(folder.path(), "log");
        let mut reader = ImportReader::open(topic, &known, memory, Arc::clone(progress), done.clone()).await.unwrap();
        assert_eq!(reader.bounds(Partition(0)).await.unwrap(), Bounds { start: Offset(2), end: Offset(36) });
        let (mut records, mut reached) = (Vec::new(), None);
        loop {
            let event = tokio::select! {
                biased;
                () = done.cancelled() => return (records, reached),
                event = reader.next() => event.unwrap(),
            };
            match event {
                LogEvent::Assigned(partition) => reader.seek(partition, offset).await.unwrap(),
                LogEvent::Records(more) => records.extend(more),
                LogEvent::Reached(_, offset) => reached = Some(offset),
                LogEvent::Revoked(_) => panic!("nobody takes it away"),
            }
        }
    }

    #[tokio::test]
    async fn wherever_reading_begins_it_gives_the_rows_from_there_on() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let store = LocalFileSystem::new_with_prefix(folder.path())?;
        // One file within another, one over its end; a gap; the last row of all is none that is kept.
        for numbers in [5..20, 7..9, 10..12, 15..25, 30..33, 33..36] {
            let name = format!("t/partition=0/t+0+{:010}.parquet", numbers.start);
            store.put(&name.as_str().into(), file(numbers).into()).await?;
        }
        let settings = crate::settings::Settings::load(None, [], &[])?;
        let topic = || async {
            Source::open(folder.path().to_str().unwrap(), &settings).await?.topics().await.map(|listing| listing.topics)
        };
        let kept: Vec<u64> = (5..25).chain(30..36).filter(|offset| offset % 7 != 0).collect();
        for from in 2..=36 {
            let (topic, progress) = (topic().await?.remove(0), Arc::<Progress>::default());
            let bytes = topic.bytes();
            let (records, reached) = read_from(topic, Offset(from), &progress).await;
            let offsets: Vec<u64> = records.iter().map(|record| record.offset.0).collect();
            let expected: Vec<u64> = kept.iter().copied().filter(|offset| *offset >= from).collect();
            assert_eq!(offsets, expected, "from {from}");
            // Each is the row that its file has there, and no time goes back or beyond now.
            assert!(records.iter().all(|record| record.key.0.ends_with(format!("/{}", record.offset).as_bytes())));
            assert!(records.is_sorted_by_key(|record| record.appended_at_ms));
            let now_ms = chrono::Utc::now().timestamp_millis();
            assert!(records.iter().all(|record| (1_600_000_050_000..=now_ms).contains(&record.appended_at_ms)));
            // 35 is no row that is kept.
            assert_eq!(reached, (from < 36).then_some(Offset(36)), "from {from}");
            let findings = progress.findings();
            let rows = (5..25).chain(30..36).filter(|offset| *offset >= from).count() as u64;
            let gaps = (2..5).chain(25..30).filter(|offset| *offset >= from).count() as u64;
            assert_eq!(
                (findings.rows, findings.missing, findings.unusable.conflicting),
                (rows, gaps, 0),
                "from {from}"
            );
            // Wherever reading begins, what was not counted yet is.
            assert_eq!(findings.unusable.rejected, BTreeMap::from([("no_url".to_owned(), 4)]), "from {from}");
            assert_eq!((progress.bytes_passed(), findings.failures.len()), (bytes, 0), "from {from}");
        }
        Ok(())
    }
}
