//! The lake's failures, by what the caller does about each.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A failure of the lake.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum LakeError {
    /// Another process has the lake open.
    #[error("lake {path} is in use by another process: {reason}")]
    Busy {
        /// The lake's file.
        path: PathBuf,
        /// DuckDB's message, which names the process if the system knows it.
        reason: String,
    },
    /// The lake's file cannot be opened or created.
    #[error("open lake {path}: {reason}")]
    Open {
        /// The lake's file.
        path: PathBuf,
        /// DuckDB's or the system's message.
        reason: String,
    },
    /// A newer fedilake made the lake, which is not changed.
    #[error(
        "lake {path} was made by a newer fedilake: {why}\n\
         hint: use that version or a later one, or delete the lake: it is a cache, and is rebuilt from the table and the log"
    )]
    Newer {
        /// The lake's file.
        path: PathBuf,
        /// The lake's version and ours.
        why: String,
    },
    /// A Parquet file cannot be read. The call took nothing.
    #[error("data file {path} is damaged: {reason}")]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// The reader's words.
        reason: String,
    },
    /// The chunks leave out offsets that the lake lacks. The call took nothing.
    #[error("log {log} partition {partition}: the lake is at offset {position}, the next chunk begins at {first}")]
    Gap {
        /// The log's id.
        log: String,
        /// The partition.
        partition: i32,
        /// The next offset that the lake needs.
        position: i64,
        /// The first offset of the chunks.
        first: i64,
    },
    /// The lake's memory limit was too small, perhaps because of a query at the same time; a new try may succeed.
    #[error("lake out of memory: {0}")]
    OutOfMemory(String),
    /// What was asked for does not exist, such as a report or a time zone of this name.
    #[error("{0}")]
    Question(String),
    /// The query was cancelled.
    #[error("interrupted")]
    Interrupted,
    /// The disk refused a write.
    #[error("write lake: {0}")]
    Write(String),
    /// DuckDB closed the database, for example because a commit could not be written: the lake must be opened again.
    #[error("lake has to be opened again: {0}")]
    Fatal(String),
    /// The lake's file is not what DuckDB wrote. The lake is a cache: deleting the file repairs it.
    #[error(
        "lake is damaged: {0}\nhint: delete lake.duckdb in the data folder; it is rebuilt from the table and the log"
    )]
    Damaged(String),
    /// Any other error of DuckDB.
    #[error("lake: {0}")]
    Engine(String),
}

impl From<duckdb::Error> for LakeError {
    fn from(error: duckdb::Error) -> Self {
        let text = message(&error);
        match text.split_once(" Error: ").map(|(kind, _)| kind) {
            Some("INTERRUPT") => LakeError::Interrupted,
            Some("Out of Memory") => LakeError::OutOfMemory(text),
            Some("IO" | "FATAL" | "INTERNAL" | "Serialization") if is_of_damage(&text) => LakeError::Damaged(text),
            Some("IO") => LakeError::Write(text),
            Some("FATAL") => LakeError::Fatal(text),
            // "TransactionContext Error: Failed to commit: could not allocate block of size …", "Failed to append: failed to allocate …".
            _ if is_of_memory(&text) => LakeError::OutOfMemory(text),
            _ => LakeError::Engine(text),
        }
    }
}

/// True if DuckDB's message for another failure has an allocation that failed as its cause.
pub(crate) fn is_of_memory(text: &str) -> bool {
    [
        "Memory allocation failure",
        "bad_alloc",
        "Out of Memory",
        "could not allocate",
        "failed to allocate",
        "failed to pin block",
    ]
    .iter()
    .any(|sign| text.contains(sign))
}

/// True if DuckDB's message says that a file is damaged.
fn is_of_damage(text: &str) -> bool {
    ["Corrupt", "checksum", "Could not read enough bytes", "not a valid DuckDB database"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// DuckDB's own message, without the Rust client's prefix.
pub(crate) fn message(error: &duckdb::Error) -> String {
    match error {
        duckdb::Error::DuckDBFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}

/// The first line of DuckDB's message, without what it shows of the statement.
pub(crate) fn first_line(error: &duckdb::Error) -> String {
    message(error).lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_memory_is_known_however_it_is_told() {
        let texts = [
            "Out of Memory Error: could not allocate block of size 256.0 KiB (63.8 MiB/64.0 MiB used)",
            "TransactionContext Error: Failed to commit: failed to pin block of size 256.0 KiB (30.3 MiB/30.5 MiB used)",
            "Failed to append: failed to allocate data of size 16.0 KiB (87.8 MiB/64.0 MiB used)",
        ];
        for text in texts {
            let told = duckdb::Error::DuckDBFailure(duckdb::ffi::Error::new(1), Some(text.to_owned()));
            assert!(matches!(LakeError::from(told), LakeError::OutOfMemory(told) if told == text), "{text}");
        }
    }
}
