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
        /// DuckDB's words; they name the process where the system tells.
        reason: String,
    },
    /// The lake's file cannot be opened or created.
    #[error("open lake {path}: {reason}")]
    Open {
        /// The lake's file.
        path: PathBuf,
        /// DuckDB's or the system's words.
        reason: String,
    },
    /// A newer fedilake made the lake, which is left as it is.
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
    /// A Parquet file cannot be read. Nothing of the call was taken.
    #[error("data file {path} is damaged: {reason}")]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// The reader's words.
        reason: String,
    },
    /// The chunks leave out offsets that the lake does not have. Nothing of the call was taken.
    #[error("log {log} partition {partition}: the lake is at offset {position}, the next chunk begins at {first}")]
    Gap {
        /// The log's id.
        log: String,
        /// The partition.
        partition: i32,
        /// The next offset that the lake needs.
        position: i64,
        /// The first offset that was given.
        first: i64,
    },
    /// The lake's memory limit was too small for this, perhaps because of a query beside it; trying again may do.
    #[error("lake out of memory: {0}")]
    OutOfMemory(String),
    /// The query was cancelled.
    #[error("interrupted")]
    Interrupted,
    /// The disk refused a write.
    #[error("write lake: {0}")]
    Write(String),
    /// DuckDB gave the database up, as after a commit that could not be written: the lake has to be opened again.
    #[error("lake has to be opened again: {0}")]
    Fatal(String),
    /// The lake's file is not what DuckDB wrote. The lake is a cache: deleting the file repairs it.
    #[error(
        "lake is damaged: {0}\nhint: delete lake.duckdb in the data folder; it is rebuilt from the table and the log"
    )]
    Damaged(String),
    /// Anything else that DuckDB says.
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
            _ => LakeError::Engine(text),
        }
    }
}

/// Whether DuckDB's words mean that what it reads is not what it wrote.
fn is_of_damage(text: &str) -> bool {
    ["Corrupt", "checksum", "Could not read enough bytes", "not a valid DuckDB database"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// DuckDB's own words, without the Rust client's wrapping.
pub(crate) fn message(error: &duckdb::Error) -> String {
    match error {
        duckdb::Error::DuckDBFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    }
}
