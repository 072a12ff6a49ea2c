//! Rows and values of a source that could not be used, remembered so that each run says the same of them as the first.
//!
//! A file in the data folder, `import/LOG.json`, has for each partition the files and rows that were read, and the counts. The counts do
//! not hang on what the table has: a run that was killed before it saved them reads the files that are not counted yet once more, as does
//! the first run in a folder where the counts are missing or cannot be read.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use fedilake_log::Partition;
use serde::{Deserialize, Serialize};

use super::findings::SHOWN_MAX;
use super::offsets::OffsetSet;
use super::source::SourceFile;

/// Counts of rows and values that could not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Unusable {
    /// Rows that are no post, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Columns of rows that are not kept as they were given, by flaw.
    pub lost: BTreeMap<String, u64>,
    /// Values that are not what their column holds, by column: null in their rows.
    pub unreadable: BTreeMap<String, u64>,
    /// Rows of offsets that an earlier file, or the same file when it was read, had with another post: the topic was made anew.
    pub conflicting: u64,
    /// The first file with such rows.
    pub conflicting_in: Option<String>,
    /// The first rejected rows and lost columns.
    pub bad_rows: Vec<BadRow>,
}

/// A row that is no post, or one with a column that could not be used whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// The file's name.
    pub file: String,
    /// From 1.
    pub row: u64,
    /// The label under which it is counted, or its column's.
    pub why: String,
}

impl Unusable {
    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0 && self.conflicting == 0 && self.unreadable.values().all(|count| *count == 0)
    }

    /// Rejected rows and lost columns.
    pub fn rows(&self) -> u64 {
        self.rejected.values().chain(self.lost.values()).sum()
    }

    pub(super) fn reject(&mut self, file: &str, row: u64, why: &str) {
        *self.rejected.entry(why.to_owned()).or_default() += 1;
        self.show(file, row, why);
    }

    pub(super) fn lose(&mut self, file: &str, row: u64, flaw: &str) {
        *self.lost.entry(flaw.to_owned()).or_default() += 1;
        self.show(file, row, flaw);
    }

    pub(super) fn conflict(&mut self, file: &str) {
        self.conflict_all(file, 1);
    }

    pub(super) fn conflict_all(&mut self, file: &str, rows: u64) {
        self.conflicting += rows;
        self.conflicting_in.get_or_insert_with(|| file.to_owned());
    }

    pub(super) fn misread(&mut self, column: &str) {
        *self.unreadable.entry(column.to_owned()).or_default() += 1;
    }

    fn show(&mut self, file: &str, row: u64, why: &str) {
        if self.bad_rows.len() < SHOWN_MAX {
            self.bad_rows.push(BadRow { file: file.to_owned(), row, why: why.to_owned() });
        }
    }

    pub(super) fn add(&mut self, other: &Unusable) {
        for (mine, others) in [
            (&mut self.rejected, &other.rejected),
            (&mut self.lost, &other.lost),
            (&mut self.unreadable, &other.unreadable),
        ] {
            for (label, count) in others {
                *mine.entry(label.clone()).or_default() += count;
            }
        }
        self.conflicting += other.conflicting;
        self.conflicting_in = self.conflicting_in.take().or_else(|| other.conflicting_in.clone());
        let room = SHOWN_MAX.saturating_sub(self.bad_rows.len());
        self.bad_rows.extend(other.bad_rows.iter().take(room).cloned());
    }
}

/// The rows of a partition that were read, and the counts of those that could not be used. Rows are known by their offsets, files by
/// what they were when they were read: a file that comes late, or grows, is read again, and no row counts twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counted {
    /// By the hash of each file's URL.
    files: BTreeMap<u64, FileAsRead>,
    /// Offsets of the rows that were read.
    pub(super) rows: OffsetSet,
    /// Those of them whose rows may not be kept.
    pub(super) refused: OffsetSet,
    pub(super) unusable: Unusable,
}

/// A file as it was when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileAsRead {
    bytes: u64,
    written_at_ms: i64,
    pub(super) rows: u64,
    /// A hash of the posts that its rows named, in their order.
    pub(super) names: u64,
}

impl Counted {
    /// The file at this place, as it was when it was read.
    pub(super) fn as_read(&self, file: &SourceFile) -> Option<FileAsRead> {
        self.files.get(&file.url_hash()).copied()
    }

    /// The number of rows of `file`, if it was read and is as it was.
    pub(super) fn rows_of(&self, file: &SourceFile) -> Option<u64> {
        let is_same = |read: &FileAsRead| read.bytes == file.bytes && read.written_at_ms == file.written_at_ms;
        self.as_read(file).filter(is_same).map(|read| read.rows)
    }

    /// Remembers that the rows of `file` were read and counted.
    pub(super) fn pass(&mut self, file: &SourceFile, rows: u64, names: u64) {
        let SourceFile { bytes, written_at_ms, .. } = *file;
        self.files.insert(file.url_hash(), FileAsRead { bytes, written_at_ms, rows, names });
        self.rows.add(file.first.0..file.first.0 + rows);
    }
}

/// The file that keeps what was counted of a topic.
#[derive(Clone, Debug)]
pub struct Memory(PathBuf);

impl Memory {
    /// The memory of the log `log` in a data folder.
    pub fn of(data: &Path, log: &str) -> Memory {
        Memory(data.join("import").join(format!("{log}.json")))
    }

    pub(super) fn load(&self) -> BTreeMap<u32, Counted> {
        let read = std::fs::read(&self.0).ok();
        read.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }

    /// Replaces what was remembered, whole or not at all.
    pub(super) fn save<'a>(&self, counted: impl Iterator<Item = (Partition, &'a Counted)>) -> io::Result<()> {
        let counted: BTreeMap<u32, &Counted> = counted.map(|(partition, counted)| (partition.0, counted)).collect();
        let json = serde_json::to_vec(&counted)?;
        let folder = self.0.parent().ok_or(io::ErrorKind::NotFound)?;
        // One level only: a data folder that was moved away is not made anew.
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let beside = self.0.with_extension("json.tmp");
        std::fs::write(&beside, json)?;
        std::fs::rename(&beside, &self.0)
    }
}
