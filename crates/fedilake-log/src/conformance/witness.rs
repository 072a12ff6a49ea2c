//! Shared by the properties: records to append, and a reader that remembers every event.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::Subject;
use crate::{
    Assignment, Bounds, Key, Log, LogError, LogEvent, LogReader, LogWriter, Offset, Partition, Record, bounds_of,
};

/// The longest wait, so that a test fails instead of hanging.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// Silence for this long counts as "never".
pub(super) const SILENCE: Duration = Duration::from_millis(100);

/// A record with `key` whose value is its number among that key's records.
pub(super) fn record(key: &str, nth: usize) -> (Key, Bytes) {
    (Key(Bytes::copy_from_slice(key.as_bytes())), Bytes::from(format!("{key}:{nth}")))
}

/// Makes `count` records over five keys, numbered within each key from `first` on.
pub(super) fn records(first: usize, count: usize) -> Vec<(Key, Bytes)> {
    (first..first + count).map(|nth| record(&format!("key-{}", nth % 5), nth)).collect()
}

pub(super) async fn append(writer: &dyn LogWriter, records: Vec<(Key, Bytes)>) {
    timeout(PATIENCE, writer.append(records)).await.expect("an append returns").expect("append");
}

/// A reader with the events that it has seen.
pub(super) struct Witness {
    log: Arc<dyn Log>,
    pub(super) reader: Box<dyn LogReader>,
    /// Partitions assigned to this reader now.
    pub(super) assigned: BTreeSet<Partition>,
    /// Records in the order in which they came.
    pub(super) seen: Vec<Record>,
    /// Assigned partitions that have a position.
    sought: BTreeSet<Partition>,
}

impl Witness {
    /// Makes a reader with at least one partition assigned and no position in any.
    pub(super) async fn assigned(subject: &impl Subject) -> Witness {
        let log = subject.log();
        let reader = log.reader(Assignment::All).expect("a reader");
        let mut witness = Witness { log, reader, assigned: BTreeSet::new(), seen: Vec::new(), sought: BTreeSet::new() };
        while witness.assigned.is_empty() {
            witness.step().await;
        }
        witness
    }

    /// Returns the next event after noting it.
    pub(super) async fn step(&mut self) {
        let event = timeout(PATIENCE, self.reader.next()).await.expect("an event comes").expect("next");
        self.note(event);
    }

    /// Gives every assigned partition without a position one: after the last record seen of it, or its start.
    pub(super) async fn take_positions(&mut self) {
        for partition in self.assigned.clone() {
            if !self.sought.contains(&partition) {
                let last = self.seen.iter().rev().find(|record| record.partition == partition);
                let from = match last.map(|record| record.offset.next()) {
                    Some(next) => next,
                    None => self.bounds(partition).await.start,
                };
                self.seek(partition, from).await.expect("seek");
            }
        }
    }

    /// Reads every partition, those that are assigned later too, until `count` records have been seen.
    pub(super) async fn read(&mut self, count: usize) -> &[Record] {
        self.take_positions().await;
        while self.seen.len() < count {
            self.step().await;
            self.take_positions().await;
        }
        assert_eq!(self.seen.len(), count, "more records were read than appended");
        &self.seen
    }

    pub(super) fn note(&mut self, event: LogEvent) {
        match event {
            LogEvent::Assigned(partition) => {
                assert!(self.assigned.insert(partition), "partition {partition} was assigned twice");
            }
            LogEvent::Revoked(partition) => {
                assert!(self.assigned.remove(&partition), "partition {partition} was revoked without being assigned");
                self.sought.remove(&partition);
            }
            LogEvent::Records(records) => {
                assert!(!records.is_empty(), "records are never empty");
                for record in &records {
                    assert!(self.assigned.contains(&record.partition), "a record of a partition that is not assigned");
                }
                self.seen.extend(records);
            }
            LogEvent::Reached(partition, offset) => {
                let last = self.seen.iter().rev().find(|record| record.partition == partition);
                assert!(last.is_none_or(|record| record.offset < offset), "{offset} was reached before");
            }
        }
    }

    /// Asserts that no records come.
    pub(super) async fn hears_nothing(&mut self) {
        let seen = self.seen.len();
        while let Ok(event) = timeout(SILENCE, self.reader.next()).await {
            self.note(event.expect("next"));
            assert_eq!(self.seen.len(), seen, "records came that should not: {:?}", &self.seen[seen..]);
        }
    }

    pub(super) async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        timeout(PATIENCE, self.reader.seek(partition, offset)).await.expect("a seek returns")?;
        self.sought.insert(partition);
        Ok(())
    }

    pub(super) async fn bounds(&self, partition: Partition) -> Bounds {
        let bounds = timeout(PATIENCE, bounds_of(&*self.log, partition)).await.expect("bounds return").expect("bounds");
        assert!(bounds.start <= bounds.end);
        bounds
    }

    pub(super) async fn release(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        timeout(PATIENCE, self.reader.release(partition, offset)).await.expect("a release returns")
    }
}

/// All records that a fresh reader gives, from the start on.
pub(super) async fn read_all(subject: &impl Subject, count: usize) -> Vec<Record> {
    let mut witness = Witness::assigned(subject).await;
    witness.read(count).await;
    witness.seen
}

/// Values by key, in the order in which they were read; asserts that each key has one partition, that offsets grow
/// within a partition, and that time does not go back: in these tests no partition is added and no clock is set back.
pub(super) fn by_key(records: &[Record]) -> BTreeMap<Bytes, Vec<Bytes>> {
    let mut partitions = BTreeMap::new();
    let mut last: BTreeMap<Partition, (Offset, i64)> = BTreeMap::new();
    let mut values: BTreeMap<Bytes, Vec<Bytes>> = BTreeMap::new();
    for record in records {
        let partition = *partitions.entry(record.key.0.clone()).or_insert(record.partition);
        assert_eq!(partition, record.partition, "a key has one partition as long as none are added");
        if let Some((offset, time)) = last.insert(record.partition, (record.offset, record.appended_at_ms)) {
            assert!(record.offset > offset, "offset {} came after {offset}", record.offset);
            assert!(record.appended_at_ms >= time, "appended_at went back, and no clock did");
        }
        values.entry(record.key.0.clone()).or_default().push(record.value.clone());
    }
    values
}

/// The result of [`by_key`] for records read in the order of their appends.
pub(super) fn appended_by_key(records: &[(Key, Bytes)]) -> BTreeMap<Bytes, Vec<Bytes>> {
    let mut values: BTreeMap<Bytes, Vec<Bytes>> = BTreeMap::new();
    for (key, value) in records {
        values.entry(key.0.clone()).or_default().push(value.clone());
    }
    values
}
