//! A sink's progress, for progress bars and metrics: `fedilake_sink_{rows,files,bytes,superseded}_total`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use fedilake_log::{Offset, Partition};
use metrics::counter;

use crate::DataFile;

/// Figures of a running sink; may be read at any time.
#[derive(Debug, Default)]
pub struct SinkProgress {
    read: AtomicU64,
    rows: AtomicU64,
    files: AtomicU64,
    bytes: AtomicU64,
    superseded: AtomicU64,
    positions: Mutex<BTreeMap<Partition, SinkPosition>>,
}

/// A sink's progress in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinkPosition {
    /// All records below this offset are in the table.
    pub committed: Offset,
    /// All records below this offset were read from the log.
    pub read: Offset,
}

/// Totals of a sink's work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SinkSummary {
    /// Records read from the log; a record that was read twice counts twice.
    pub read: u64,
    /// Rows committed to the table.
    pub rows: u64,
    /// Data files committed.
    pub files: u64,
    /// Size of these files in bytes.
    pub bytes: u64,
    /// Files that another writer, or an unclear answer, kept from their name at the first attempt.
    pub superseded: u64,
}

impl SinkProgress {
    /// The figures so far.
    pub fn summary(&self) -> SinkSummary {
        SinkSummary {
            read: self.read.load(Relaxed),
            rows: self.rows.load(Relaxed),
            files: self.files.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            superseded: self.superseded.load(Relaxed),
        }
    }

    /// The sink's progress in each partition that it has begun.
    pub fn positions(&self) -> BTreeMap<Partition, SinkPosition> {
        self.lock().clone()
    }

    pub(super) fn read(&self, records: usize) {
        self.read.fetch_add(records as u64, Relaxed);
    }

    pub(super) fn began(&self, partition: Partition, next: Offset) {
        self.lock().insert(partition, SinkPosition { committed: next, read: next });
    }

    pub(super) fn reached(&self, partition: Partition, next: Offset) {
        if let Some(position) = self.lock().get_mut(&partition) {
            position.read = next;
        }
    }

    pub(super) fn forgot(&self, partition: Partition) {
        self.lock().remove(&partition);
    }

    pub(super) fn superseded(&self) {
        self.superseded.fetch_add(1, Relaxed);
        counter!("fedilake_sink_superseded_total").increment(1);
    }

    pub(super) fn committed(&self, partition: Partition, file: &DataFile) {
        let (rows, bytes) = (file.footer().rows, file.bytes().len() as u64);
        self.rows.fetch_add(rows, Relaxed);
        self.files.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        counter!("fedilake_sink_rows_total").increment(rows);
        counter!("fedilake_sink_files_total").increment(1);
        counter!("fedilake_sink_bytes_total").increment(bytes);
        if let Some(position) = self.lock().get_mut(&partition) {
            position.committed = file.footer().next;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Partition, SinkPosition>> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
