//! What can go wrong with a log, by what a caller can do about it.

use crate::{Offset, Partition};

/// An error of a log. Each variant is something a caller does differently.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The offset was asked for but the log starts later: what lies between is released or was lost.
    #[error("log partition {partition} starts at offset {start}, beyond {wanted}")]
    BelowStart { partition: Partition, wanted: Offset, start: Offset },
    /// The offset was asked for but the log ends earlier: it is another log, or its end was lost.
    #[error("log partition {partition} ends at offset {end}, before {wanted}")]
    BeyondEnd { partition: Partition, wanted: Offset, end: Offset },
    /// The partition does not exist or is not assigned to this reader.
    #[error("log partition {partition} is not assigned to this reader")]
    NotAssigned { partition: Partition },
    /// Another process owns the log.
    #[error("log {at} is in use by another process")]
    InUse { at: String },
    /// What is on disk cannot be read as a log.
    #[error("log {at} is damaged: {why}")]
    Damaged { at: String, why: String },
    /// The storage refused: a full disk, a missing permission. Nothing of the append was acknowledged.
    #[error("{doing} log {at}: {why}")]
    Storage { doing: &'static str, at: String, why: String },
}
