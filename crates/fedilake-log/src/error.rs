//! What can go wrong with a log, by what a caller can do about it.

use crate::{Offset, Partition};

/// An error of a log. Each variant is something a caller does differently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The offset was asked for but the log starts later: what lies between is released or was lost.
    #[error("log partition {partition} starts at offset {start}, beyond {wanted}")]
    BelowStart {
        /// The partition that was asked.
        partition: Partition,
        /// The offset that was asked for.
        wanted: Offset,
        /// The first offset that is there.
        start: Offset,
    },
    /// The offset was asked for but the log ends earlier: it is another log, or its end was lost.
    #[error("log partition {partition} ends at offset {end}, before {wanted}")]
    BeyondEnd {
        /// The partition that was asked.
        partition: Partition,
        /// The offset that was asked for.
        wanted: Offset,
        /// The offset that the next record gets.
        end: Offset,
    },
    /// The partition does not exist or is not assigned to this reader.
    #[error("log partition {partition} is not assigned to this reader")]
    NotAssigned {
        /// The partition that was asked for.
        partition: Partition,
    },
    /// Another process, or another handle in this one, owns the log.
    #[error("log {at} is in use by another process")]
    InUse {
        /// The log's folder.
        at: String,
    },
    /// What is on disk cannot be read as a log. Nothing was repaired; retrying does not help.
    #[error("log {at} is damaged: {why}")]
    Damaged {
        /// The file or folder that shows the damage.
        at: String,
        /// What is wrong with it.
        why: String,
    },
    /// The storage refused: a full disk, a missing permission. Nothing of the append was acknowledged, and nothing more
    /// is taken until the log is opened again.
    #[error("{doing} log {at}: {why}")]
    Storage {
        /// A verb: what was being done.
        doing: &'static str,
        /// The file or folder that it was done to.
        at: String,
        /// What the operating system said.
        why: String,
    },
    /// The schema that a record was written with cannot be had, or is none that a row can be made of. Nothing was handed out
    /// of the record or of what follows it: a good post must not be lost.
    #[error("record {partition}:{offset}: {why}")]
    Schema {
        /// The record's partition.
        partition: Partition,
        /// The record's offset.
        offset: Offset,
        /// What the registry said, or which field is unknown.
        why: String,
    },
    /// The log's own thread or the runtime is gone: the process is ending.
    #[error("the log is closed")]
    Closed,
}
