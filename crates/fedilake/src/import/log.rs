//! A topic's files as a log, with the offsets that the rows had in Kafka.
//!
//! A file's rows are consecutive offsets from the one that its name says. Files are read whole, one partition after the other,
//! some ahead of their turn. Offsets that no file has are holes, as are rows that are not kept. Where files overlap, which
//! Connect leaves behind when it is set back, an offset's row is that of the first file by offset and name.
//!
//! The log is what the listing showed: it does not grow, and when all of it was handed out it cancels a token, since a reader
//! otherwise waits for more. A file that cannot be read, as a link to nothing, ends its partition and is noted ([`Findings`](super::Findings)), so that
//! the sink commits what came before it.
//!
//! Limits: in memory are the files read ahead ([`BYTES_AHEAD`], or one larger one), decoded.

use std::collections::{BTreeMap, VecDeque};
use std::future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::DateTime;
use fedilake_log::{Assignment, Bounds, Log, LogError, LogEvent, LogId, LogReader, Offset, Partition, Record};
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use object_store::ObjectStore;
use tokio::task::{self, JoinHandle};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::Xxh3;

use super::fetch::{self, RowCounts};
use super::file::{self, FileRows, Outcome, ROWS_MAX, Row, Terms};
use super::findings::Progress;
use super::name::OFFSETS_END;
use super::offsets::OffsetSet;
use super::source::{SourceFile, Topic};
use super::unusable::{Counted, Memory, Unusable};
use crate::telemetry::catching;

/// Files that are read ahead hold no more bytes than this, and are no more than [`FILES_AHEAD`].
const BYTES_AHEAD: u64 = 32 << 20;
const FILES_AHEAD: usize = 16;

/// The files of one topic, listed and counted.
pub(super) struct ImportLog {
    id: LogId,
    store: Arc<dyn ObjectStore>,
    partitions: BTreeMap<Partition, Listed>,
    row_counts: RowCounts,
    progress: Arc<Progress>,
    done: CancellationToken,
    memory: Memory,
    terms: Terms,
}

/// A partition's files, in order.
struct Listed {
    files: Arc<Vec<SourceFile>>,
    bounds: Bounds,
    /// What earlier runs counted.
    counted: Counted,
}

/// A reader over the files of one topic.
struct ImportReader {
    store: Arc<dyn ObjectStore>,
    partitions: BTreeMap<Partition, Reading>,
    unassigned: VecDeque<Partition>,
    row_counts: RowCounts,
    progress: Arc<Progress>,
    done: CancellationToken,
    memory: Memory,
    save_at: Instant,
    terms: Terms,
}

/// The least time between two saves of the counts.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);
/// Saves take at most this part of the time.
const SAVE_SHARE: u32 = 20;

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
    overlap: Vec<Named>,
    overlap_first: u64,
    appended_at_ms: i64,
    counted: Counted,
}

/// The post that a row names.
#[derive(Clone, Copy)]
struct Named {
    hash: u64,
    /// True if an earlier run read its file as it is.
    is_counted: bool,
}

impl ImportLog {
    /// The log of `topic`; `known` has the table's ends, `memory` the rows that earlier runs read. Its reader cancels `done` after
    /// the last record, and counts in `progress` what it finds.
    pub(super) async fn open(
        topic: Topic,
        known: &BTreeMap<Partition, Offset>,
        memory: Memory,
        progress: Arc<Progress>,
        terms: Terms,
        done: CancellationToken,
    ) -> Result<ImportLog, LogError> {
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
            for file in &files {
                if let Some(rows) = counted.rows_of(file) {
                    row_counts.know(file, rows);
                }
            }
            let end = end(&files, &mut row_counts, topic.store.as_ref(), known.get(&partition).copied()).await?;
            partitions.insert(partition, Listed { files: Arc::new(files), bounds: Bounds { start, end }, counted });
        }
        Ok(ImportLog { id, store: topic.store, partitions, row_counts, progress, done, memory, terms })
    }
}

#[async_trait]
impl Log for ImportLog {
    fn id(&self) -> &LogId {
        &self.id
    }

    async fn bounds(&self) -> Result<BTreeMap<Partition, Bounds>, LogError> {
        Ok(self.partitions.iter().map(|(partition, listed)| (*partition, listed.bounds)).collect())
    }

    fn reader(&self, _: Assignment<'_>) -> Result<Box<dyn LogReader>, LogError> {
        let reading =
            |Listed { files, bounds, counted }: &Listed| Reading::new(files.clone(), *bounds, counted.clone());
        Ok(Box::new(ImportReader {
            store: self.store.clone(),
            partitions: self.partitions.iter().map(|(partition, listed)| (*partition, reading(listed))).collect(),
            unassigned: self.partitions.keys().copied().collect(),
            row_counts: self.row_counts.clone(),
            progress: self.progress.clone(),
            done: self.done.clone(),
            memory: self.memory.clone(),
            save_at: Instant::now() + SAVE_INTERVAL,
            terms: self.terms.clone(),
        }))
    }
}

impl ImportReader {
    fn save(&mut self) -> Result<(), LogError> {
        let began = Instant::now();
        let counted = self.partitions.iter().map(|(partition, reading)| (*partition, &reading.counted));
        self.memory.save(counted).map_err(|error| LogError::Storage {
            doing: "remember",
            at: "what could not be used, in the data folder".to_owned(),
            why: error.to_string(),
        })?;
        self.save_at = Instant::now() + SAVE_INTERVAL.max(began.elapsed() * SAVE_SHARE);
        Ok(())
    }

    fn reading(&mut self, partition: Partition) -> Result<&mut Reading, LogError> {
        self.partitions.get_mut(&partition).ok_or(LogError::NotAssigned { partition })
    }
}

/// The offset after the last one that any file has. A file without a readable footer ends where it begins.
///
/// Only files that may end it are asked for their footers: first those that do if their rows take more than a byte each. If the table
/// is beyond the end of these, so is another file, if the source still has it.
async fn end(
    files: &[SourceFile],
    counts: &mut RowCounts,
    store: &dyn ObjectStore,
    known: Option<Offset>,
) -> Result<Offset, LogError> {
    let last = files.last().map_or(Offset(0), |file| file.first);
    let mut end = last;
    for file in files.iter().filter(|file| file.first.0.saturating_add(file.bytes) >= last.0) {
        let rows = counts.of(store, file).await?.unwrap_or(0);
        end = end.max(after(file, rows));
    }
    let Some(known) = known else { return Ok(end) };
    for file in files.iter().rev().filter(|file| file.first.0.saturating_add(ROWS_MAX) >= known.0) {
        if end >= known {
            break;
        }
        let rows = counts.of(store, file).await?.unwrap_or(0);
        end = end.max(after(file, rows));
    }
    Ok(end)
}

/// The offset after the file's last row.
fn after(file: &SourceFile, rows: u64) -> Offset {
    Offset(file.first.0.saturating_add(rows).min(OFFSETS_END))
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
    fn ask(&mut self, store: &Arc<dyn ObjectStore>, terms: &Terms) {
        while let Some(&at) = self.wanted.front() {
            let bytes = self.files[at].bytes;
            let is_full = self.asked.len() >= FILES_AHEAD || self.bytes_asked + bytes > BYTES_AHEAD;
            if is_full && !self.asked.is_empty() {
                return;
            }
            self.wanted.pop_front();
            self.bytes_asked += bytes;
            let (store, files, terms) = (Arc::clone(store), Arc::clone(&self.files), terms.clone());
            self.asked.push_back(task::spawn(async move { (at, read(&store, &files[at], terms).await) }));
        }
    }

    /// True if the table had all rows of the file when it was read earlier: nothing behind it waits for them.
    fn is_taken(&self, at: usize) -> bool {
        let file = &self.files[at];
        let before = self.counted.as_read(file);
        before.zip(self.sought).is_some_and(|(before, sought)| after(file, before.rows) <= sought)
    }

    /// Takes a file's rows at their turn; returns the records of those that may be kept.
    fn take(&mut self, partition: Partition, at: usize, read: FileRows, progress: &Progress) -> Vec<Record> {
        let file = &self.files[at];
        let shown = file.shown();
        let sought = self.sought.expect("nothing is asked for before the first seek");
        let is_counted = self.counted.rows_of(file).is_some();
        // Of this file, the rows and values that could not be used and are in no counts yet.
        let mut unusable = Unusable::default();
        let mut refused = OffsetSet::default();
        let names = names_of(&read.rows);
        if let Some(before) = self.counted.as_read(file).filter(|_| !is_counted) {
            let still = read.rows.len().min(usize::try_from(before.rows).unwrap_or(usize::MAX));
            if (still as u64) < before.rows || names_of(&read.rows[..still]) != before.names {
                unusable.conflict_all(&shown, still as u64);
            }
        }
        let mut findings = progress.lock();
        let rows_before = findings.rows;
        findings.columns_ignored.extend(read.columns_ignored);
        findings.columns_missing.extend(read.columns_missing);
        let count = read.rows.len() as u64;
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
                Some(named) => {
                    if offset >= sought {
                        findings.double(&shown);
                    }
                    if !(is_counted && named.is_counted) && named.hash != row.names {
                        unusable.conflict(&shown);
                    }
                }
                None => self.overlap.push(Named { hash: row.names, is_counted }),
            }
            // Before the sought one: the table has it.
            let is_new = offset >= self.position;
            let is_uncounted = !self.counted.rows.has(offset.0);
            findings.rows += u64::from(is_new);
            if is_uncounted {
                row.unreadable().for_each(|column| unusable.misread(column));
                if !matches!(row.outcome, Outcome::Admitted { .. }) {
                    refused.add(offset.0..offset.0 + 1);
                }
            }
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
        self.counted.unusable.add(&unusable);
        self.counted.refused.add_all(&refused);
        if !is_counted {
            self.counted.pass(file, count, names);
        }
        records
    }
}

#[async_trait]
impl LogReader for ImportReader {
    async fn next(&mut self) -> Result<LogEvent, LogError> {
        if let Some(partition) = self.unassigned.pop_front() {
            return Ok(LogEvent::Assigned(partition));
        }
        // The caller asks for more, so it has taken the last records.
        while let Some((partition, reading)) = self.partitions.iter_mut().find(|(_, reading)| reading.is_under_way()) {
            reading.ask(&self.store, &self.terms);
            match reading.asked.next().await {
                Some(Ok((at, read))) => {
                    let bytes = reading.files[at].bytes;
                    reading.bytes_asked -= bytes;
                    self.progress.pass(bytes);
                    match read {
                        Ok(read) => {
                            let records = reading.take(*partition, at, read, &self.progress);
                            if Instant::now() >= self.save_at {
                                self.save()?;
                            }
                            if !records.is_empty() {
                                return Ok(LogEvent::Records(records));
                            }
                        }
                        Err(error) => {
                            self.progress.lock().failures.push(error);
                            reading.ended = !reading.is_taken(at);
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
        let Bounds { start, end } = self.reading(partition)?.bounds;
        if offset < start {
            return Err(LogError::BelowStart { partition, wanted: offset, start });
        }
        if offset > end {
            return Err(LogError::BeyondEnd { partition, wanted: offset, end });
        }
        let files = Arc::clone(&self.reading(partition)?.files);
        let counted = self.reading(partition)?.counted.clone();
        let known: Vec<Option<u64>> = files.iter().map(|file| counted.rows_of(file)).collect();
        // Offsets that the table is past, of files that came or changed since: other files that have them are compared.
        let mut late = OffsetSet::default();
        if known.iter().any(Option::is_some) {
            for (file, _) in files.iter().zip(&known).filter(|(file, rows)| rows.is_none() && file.first < offset) {
                let rows = self.row_counts.of(self.store.as_ref(), file).await?.unwrap_or(0);
                late.add(file.first.0..after(file, rows).0);
            }
        }
        let is_wanted = |file: &SourceFile, rows: Option<u64>| {
            let end = rows.map(|rows| after(file, rows));
            end.is_none_or(|end| end > offset || !late.within(&(file.first.0..end.0)).is_empty())
        };
        let wanted = files.iter().zip(&known).enumerate().filter(|(_, (file, rows))| is_wanted(file, **rows));
        let wanted: VecDeque<usize> = wanted.map(|(at, _)| at).collect();
        let of_wanted: u64 = wanted.iter().map(|at| files[*at].bytes).sum();
        if self.reading(partition)?.sought.is_none() {
            let of_all: u64 = files.iter().map(|file| file.bytes).sum();
            self.progress.pass(of_all - of_wanted);
        }
        let anew = Reading::new(files, Bounds { start, end }, counted);
        let began = Reading { wanted, sought: Some(offset), position: offset, handed: offset, ..anew };
        self.partitions.insert(partition, began);
        Ok(())
    }

    /// The source is its owner's: nothing of it is let go.
    async fn release(&mut self, partition: Partition, _: Offset) -> Result<(), LogError> {
        self.reading(partition).map(|_| ())
    }
}

/// A hash of the posts that rows name, in their order.
fn names_of(rows: &[Row]) -> u64 {
    let mut hash = Xxh3::new();
    rows.iter().for_each(|row| hash.update(&row.names.to_le_bytes()));
    hash.digest()
}

async fn read(store: &Arc<dyn ObjectStore>, file: &SourceFile, terms: Terms) -> Result<FileRows, LogError> {
    let bytes = fetch::whole(store.as_ref(), file).await?;
    let written_at = DateTime::from_timestamp_millis(file.written_at_ms).unwrap_or(terms.now).min(terms.now);
    let decoded = task::spawn_blocking(move || {
        catching(|| file::rows(bytes, written_at, &terms))
            .unwrap_or_else(|_panic| Err("its pages cannot be decoded".to_owned()))
    });
    let rows = decoded.await.map_err(|_| LogError::Closed)?;
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

    use chrono::Utc;
    use fedilake_collect::admission::Admission;

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
        let terms = Terms { now: Utc::now(), admission: Admission::default() };
        let opened = ImportLog::open(topic, &known, memory, Arc::clone(progress), terms, done.clone());
        let log = opened.await.unwrap();
        let bounds = Bounds { start: Offset(2), end: Offset(36) };
        assert_eq!(log.bounds().await.unwrap(), BTreeMap::from([(Partition(0), bounds)]));
        let mut reader = log.reader(Assignment::All).unwrap();
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
