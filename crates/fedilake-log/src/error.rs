//! The errors of a log.

use crate::{Offset, Partition};

/// An error of a log. A caller handles each variant differently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The offset lies below the log's start: the records between them were released or lost.
    #[error("log partition {partition} starts at offset {start}, beyond {wanted}")]
    BelowStart {
        /// The partition that was asked.
        partition: Partition,
        /// The offset that was asked for.
        wanted: Offset,
        /// The first offset that is there.
        start: Offset,
    },
    /// The offset lies beyond the log's end: this is another log, or its end was lost.
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
    /// The stored bytes cannot be read as a log. Nothing was repaired; retrying does not help.
    #[error("log {at} is damaged: {why}")]
    Damaged {
        /// The file or folder that shows the damage.
        at: String,
        /// The damage in words.
        why: String,
    },
    /// A newer fedilake made the log, or a part of it. The log is intact and unchanged; the newer program reads it.
    #[error(
        "log {at} was made by a newer fedilake: {why}\nhint: use that version or a later one; nothing is wrong with the log"
    )]
    Newer {
        /// The file or folder of the newer version.
        at: String,
        /// Its version and ours.
        why: String,
    },
    /// A write failed: a full disk, a missing permission. No record of the append was acknowledged, and the log
    /// accepts no further appends until it is opened again.
    #[error("{doing} log {at}: {why}")]
    Storage {
        /// The operation that failed, a verb.
        doing: &'static str,
        /// The file or folder of the operation.
        at: String,
        /// The operating system's error.
        why: String,
    },
    /// The schema that a record was written with cannot be loaded, or no row can be made with it. The reader returned
    /// neither this record nor any after it: a good post must not be lost.
    #[error("record {partition}:{offset}: {why}")]
    Schema {
        /// The record's partition.
        partition: Partition,
        /// The record's offset.
        offset: Offset,
        /// The registry's answer, or the unknown field.
        why: String,
    },
    /// The log's own thread or the runtime is gone: the process is ending.
    #[error("the log is closed")]
    Closed,
}
