//! The findings of an import, for its progress bar and for its last words.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fedilake_collect::Tally;
use fedilake_log::{LogError, Offset, Partition};

use super::unusable::Unusable;

/// Findings of a sort that are kept to be shown; the counts count all.
pub const SHOWN_MAX: usize = 10;

/// Everything that an import met so far.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Files that were read.
    pub files: u64,
    /// Rows of them that the table did not have, those that were not kept included.
    pub rows: u64,
    /// The outcome of these rows; `accepted` were read, and may not be in the table if the import was stopped.
    pub tally: Tally,
    /// The rows and values that could not be used, those that earlier runs met included.
    pub unusable: Unusable,
    /// Offsets that no file has.
    pub missing: u64,
    /// The first ranges of such offsets.
    pub gaps: Vec<(Partition, Range<Offset>)>,
    /// Rows of offsets that an earlier file had.
    pub doubled: u64,
    /// The first file with such rows.
    pub doubled_in: Option<String>,
    /// Columns that the talk's record does not have.
    pub columns_ignored: BTreeSet<String>,
    /// Columns of the talk's record that a file does not have.
    pub columns_missing: BTreeSet<&'static str>,
    /// Files that could not be read, the first of each partition; the files behind them were not looked at.
    pub failures: Vec<LogError>,
}

/// Figures of a running import; anyone may look at any time.
#[derive(Debug, Default)]
pub struct Progress {
    bytes_passed: AtomicU64,
    findings: Mutex<Findings>,
}

impl Progress {
    /// Bytes of the files that were read, or that the table has.
    pub fn bytes_passed(&self) -> u64 {
        self.bytes_passed.load(Relaxed)
    }

    /// Rows read.
    pub fn rows(&self) -> u64 {
        self.lock().rows
    }

    /// The findings so far.
    pub fn findings(&self) -> Findings {
        self.lock().clone()
    }

    pub(super) fn pass(&self, bytes: u64) {
        self.bytes_passed.fetch_add(bytes, Relaxed);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Findings> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Findings {
    pub(super) fn gap(&mut self, partition: Partition, offsets: Range<Offset>) {
        self.missing = self.missing.saturating_add(offsets.end.0 - offsets.start.0);
        if self.gaps.len() < SHOWN_MAX {
            self.gaps.push((partition, offsets));
        }
    }

    pub(super) fn double(&mut self, file: &str) {
        self.doubled += 1;
        self.doubled_in.get_or_insert_with(|| file.to_owned());
    }
}
