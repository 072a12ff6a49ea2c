//! The log of one process, on disk, with one partition. Concurrent appends share one synced write to [`fjall`].
//!
//! # On disk
//!
//! ```text
//! FOLDER/
//!   version      the layout's number: 1
//!   lock         an operating system's lock; it goes with the process that has the log open
//!   end          the end mark: offset before which all was acknowledged (u64, then the same bytes inverted)
//!   store/       a fjall database
//!     N.jnl        its journal: every write first goes here, and is synced here
//!     keyspaces/   its tables
//!   store.new/   a store that is being created; renamed to `store` when it is whole
//! ```
//!
//! The database has two keyspaces; all numbers are big-endian.
//!
//! ```text
//! blocks   offset of the first record (u64), number of the block (u64)
//!                           → appended_at_ms (i64), the block's version (u8): 0, number of records (u24), and for each record
//!                             length of the key (u32), length of the value (u32), key, value
//! state    "layout"         → "1"
//!          "id"             → the log's identity, a UUID
//!          "start"          → the log's first offset (u64), and from when it was set: the time of the last record (i64),
//!                             the number of the next block (u64)
//!          "trimmed"        → below which offset blocks were last removed (u64); nothing reads it
//!          "bookmarks"      → "1", the version of the bookmarks; written with the first of them
//!          "bookmark/NAME"  → a bookmark
//! ```
//!
//! A block holds records that were written together, up to about 1,000 or 256 KiB.
//!
//! # Guarantees
//!
//! - Offsets run from the start to the end without a hole, and so do the numbers of blocks. The end is the last record's
//!   offset plus one, or the start when no block is left.
//! - An append is answered after its records are in the journal, the journal is synced and the end mark is moved, in this
//!   order. Readers see a record no earlier than that.
//! - `start` is synced before anything below it is removed. Removing is by whole tables, from the oldest on; records
//!   below the start may stay for a while or come back from the journal at the next start of the process. Nobody sees them.
//! - `appended_at_ms` does not go back, whatever the clock does: more than a log promises, so no reader relies on it.
//! - After a write or a sync failed, nothing is written any more until the log is opened again: a sync that failed
//!   cannot be repeated, since the kernel may have dropped what it could not write.
//!
//! # Recovery
//!
//! Opening takes the lock, lets fjall read its journal again, then checks the result against the rules above.
//!
//! | found | then |
//! |---|---|
//! | a version beyond ours: of `version`, fjall's format, the layout, the bookmarks, a block | [`LogError::Newer`], and nothing was written |
//! | no `store` | a new log with a new identity; a `store.new` of an unfinished attempt and the old end mark are removed |
//! | an unfinished write at the journal's end | fjall cuts it off; it was never acknowledged |
//! | an end below the end mark or the start | [`LogError::Damaged`]: acknowledged records are lost |
//! | a hole between start and end | [`LogError::Damaged`] |
//! | a checksum that does not hold, a file that is gone | [`LogError::Damaged`], at once or when a reader comes to it |
//! | an end beyond the end mark | nothing: a write that was synced and not answered, or a mark that lagged |
//!
//! A damaged log is never repaired by guessing. Its folder can be removed: the next log has another identity, the table
//! keeps all it has, and what the log alone had is collected again as far as the servers still have it.

mod block;
mod bookmarks;
mod end_mark;
mod fault;
mod layout;
mod manifest;
mod reader;
mod recovery;
mod setup;
mod store;
#[cfg(test)]
mod tests;
mod version;
mod writer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use self::layout::PARTITION;
use self::reader::EmbeddedReader;
use self::store::{Sizes, Store};
use self::writer::Writer;
use crate::{Assignment, Bounds, Key, Log, LogError, LogId, LogReader, LogWriter, Offset, Partition};

/// An open log. Concurrent appends of any number of callers share one sync.
///
/// Dropping the log waits for the write under way. Its readers may live on: they read the existing records, then wait
/// for ever. The folder is released when they are dropped too.
pub struct EmbeddedLog {
    shared: Arc<Shared>,
    writer: Writer,
}

/// State shared by the writer and the readers of one log.
struct Shared {
    store: Store,
    id: LogId,
    /// The bounds that readers see. Moved only past durable records.
    bounds: watch::Sender<Bounds>,
}

impl EmbeddedLog {
    /// Opens the log in `folder`, or creates it with a new identity. Blocks while the journal is read again: at most
    /// about 100 MB. Call it on a runtime's blocking thread or before there is a runtime.
    ///
    /// Errors: `InUse`, `Damaged`, `Newer`, `Storage`.
    pub fn open(folder: impl AsRef<Path>) -> Result<EmbeddedLog, LogError> {
        EmbeddedLog::open_with(folder.as_ref(), Sizes::NORMAL, system_time_ms)
    }

    fn open_with(
        folder: &Path,
        sizes: Sizes,
        now_ms: impl Fn() -> i64 + Send + 'static,
    ) -> Result<EmbeddedLog, LogError> {
        let store = Store::open(folder, sizes)?;
        let recovered = recovery::recover(&store)?;
        store.trim(recovered.bounds.start)?;
        let bounds = watch::Sender::new(recovered.bounds);
        let shared = Arc::new(Shared { store, id: recovered.id.clone(), bounds });
        let writer = Writer::start(shared.clone(), recovered, now_ms)?;
        Ok(EmbeddedLog { shared, writer })
    }

    /// A new reader, independent of all others. Its first event is the assignment of partition 0.
    pub fn reader(&self) -> Box<dyn LogReader> {
        Box::new(EmbeddedReader::new(self.shared.clone(), self.writer.starts()))
    }

    /// Returns the bounds of the log's only partition.
    pub fn bounds(&self) -> Bounds {
        *self.shared.bounds.borrow()
    }
}

#[async_trait]
impl Log for EmbeddedLog {
    fn id(&self) -> &LogId {
        &self.shared.id
    }

    async fn bounds(&self) -> Result<BTreeMap<Partition, Bounds>, LogError> {
        Ok(BTreeMap::from([(PARTITION, EmbeddedLog::bounds(self))]))
    }

    fn table_start(&self, _: Bounds) -> Offset {
        Offset(0)
    }

    fn reader(&self, _: Assignment<'_>) -> Result<Box<dyn LogReader>, LogError> {
        Ok(EmbeddedLog::reader(self))
    }
}

#[async_trait]
impl LogWriter for EmbeddedLog {
    /// A call that is dropped before it returns may have appended all of its records or none.
    async fn append(&self, records: Vec<(Key, Bytes)>) -> Result<(), LogError> {
        self.writer.append(records).await
    }
}

fn system_time_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
