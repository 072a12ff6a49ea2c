//! The progress of a replay, for a progress bar.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counters that a replay moves and anyone may read.
#[derive(Debug, Default)]
pub struct Progress {
    bytes_total: AtomicU64,
    bytes_read: AtomicU64,
    events_appended: AtomicU64,
}

impl Progress {
    /// Bytes of all inputs as they lie on disk; 0 where no input knows its length.
    pub fn bytes_total(&self) -> u64 {
        self.bytes_total.load(Relaxed)
    }

    /// Bytes of the inputs read so far, as they lie on disk.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Relaxed)
    }

    /// Events that are durable in the log.
    pub fn events_appended(&self) -> u64 {
        self.events_appended.load(Relaxed)
    }

    pub(super) fn expect(&self, bytes: u64) {
        self.bytes_total.store(bytes, Relaxed);
    }

    pub(super) fn read(&self, bytes: u64) {
        self.bytes_read.fetch_add(bytes, Relaxed);
    }

    pub(super) fn appended(&self, events: u64) {
        self.events_appended.fetch_add(events, Relaxed);
    }
}
