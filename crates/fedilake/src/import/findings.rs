//! The findings of an import, for its progress bar and for its last words.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fedilake_collect::Tally;
use fedilake_log::{LogError, Offset, Partition};
use fedilake_model::Flaw;

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
    /// The first rows that are no post, or of which a column could not be used whole.
    pub bad_rows: Vec<BadRow>,
    /// Offsets that no file has.
    pub missing: u64,
    /// The first ranges of such offsets.
    pub gaps: Vec<(Partition, Range<Offset>)>,
    /// Rows of offsets that an earlier file had.
    pub doubled: u64,
    /// The first file with such rows.
    pub doubled_in: Option<String>,
    /// Rows among the doubled ones that hold another post than the earlier file: the topic was made anew.
    pub conflicting: u64,
    /// The first file with such rows.
    pub conflicting_in: Option<String>,
    /// Values that are not what their column holds, by column: null in their rows.
    pub unreadable: BTreeMap<&'static str, u64>,
    /// Columns that the talk's record does not have.
    pub columns_ignored: BTreeSet<String>,
    /// Columns of the talk's record that a file does not have.
    pub columns_missing: BTreeSet<&'static str>,
    /// Files that could not be read, the first of each partition; the files behind them were not looked at.
    pub failures: Vec<LogError>,
}

/// A row that is no post, or one with a column that could not be used whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub row: u64,
    /// The label under which it is counted, or its column's.
    pub why: &'static str,
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
    /// True if a row or a value of the source is not in the table as it was given.
    pub fn is_lacking(&self) -> bool {
        self.conflicting > 0
            || self.tally.rejected_total() > 0
            || self.tally.lost_total() > 0
            || self.unreadable.values().any(|count| *count > 0)
    }

    pub(super) fn bad_row(&mut self, file: &str, row: u64, why: &'static str) {
        self.tally.reject(why);
        if self.bad_rows.len() < SHOWN_MAX {
            self.bad_rows.push(BadRow { file: file.to_owned(), row, why });
        }
    }

    pub(super) fn flaw(&mut self, file: &str, row: u64, flaw: Flaw) {
        self.tally.add_flaw(flaw);
        if flaw.is_loss() && self.bad_rows.len() < SHOWN_MAX {
            self.bad_rows.push(BadRow { file: file.to_owned(), row, why: flaw.as_str() });
        }
    }

    pub(super) fn gap(&mut self, partition: Partition, offsets: Range<Offset>) {
        self.missing = self.missing.saturating_add(offsets.end.0 - offsets.start.0);
        if self.gaps.len() < SHOWN_MAX {
            self.gaps.push((partition, offsets));
        }
    }

    pub(super) fn double(&mut self, file: &str, holds_another_post: bool) {
        self.doubled += 1;
        self.doubled_in.get_or_insert_with(|| file.to_owned());
        if holds_another_post {
            self.conflicting += 1;
            self.conflicting_in.get_or_insert_with(|| file.to_owned());
        }
    }
}
