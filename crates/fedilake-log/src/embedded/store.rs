//! The store under the embedded log: blocks and state in a fjall database.
//!
//! The keyspace of blocks only ever gets keys above all existing ones, so its tables never overlap and fjall moves
//! them between levels without rewriting them: a record is written twice, to the journal and to one table.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use fjall::{AbstractTree, Database, Keyspace, OwnedWriteBatch, PersistMode};

use super::block::{Block, BlockKey, Unread};
use super::fault::{from_fjall, journals};
use super::layout::TRIMMED_KEY;
use super::setup::{self, END_MARK_FILE, Lock, STORE_FOLDER, Setup};
use super::version;
use crate::{LogError, Offset, Record};

const PROBE_FILE: &str = "probe";
const PROBE_BYTES: usize = 64 << 10;

const STATE_MEMTABLE_BYTES: u64 = 4 << 20;
/// fjall stops all writes when four sealed memtables wait to become tables.
const SEALED_MEMTABLES_MAX: usize = 3;
/// The interval at which a finished table is looked for: fjall offers nothing to wait on.
const TABLE_WAIT: Duration = Duration::from_millis(2);

/// A read ends with the block that brings it to this many records or bytes.
const RECORDS_PER_READ: usize = 4_000;
const BYTES_PER_READ: usize = 1 << 20;

/// Sizes that tests reduce, so that little data goes through every stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Blocks held in memory until they become a table; the journal holds them too, and is read again at the next
    /// start. Up to four times as much is held while tables are written more slowly than the journal.
    pub(super) memtable_bytes: u64,
}

impl Sizes {
    pub(super) const NORMAL: Sizes = Sizes { memtable_bytes: 32 << 20 };
}

/// The open store of one log. Blocking: not for async workers.
pub(super) struct Store {
    database: Database,
    blocks: Keyspace,
    state: Keyspace,
    folder: PathBuf,
    sizes: Sizes,
    // The last field, so that the lock outlives the database.
    _lock: Lock,
}

impl Store {
    /// Locks `folder`, creates the log in it if there is none, and opens it.
    pub(super) fn open(folder: &Path, sizes: Sizes) -> Result<Store, LogError> {
        let Setup { lock, database, blocks, state } = setup::open(folder)?;
        Ok(Store { database, blocks, state, folder: folder.to_owned(), sizes, _lock: lock })
    }

    /// The log's folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Path of the end mark.
    pub(super) fn end_mark_path(&self) -> PathBuf {
        self.folder.join(END_MARK_FILE)
    }

    /// The files that hold the log's end, to name in an error.
    pub(super) fn journals(&self) -> String {
        journals(&self.folder.join(STORE_FOLDER))
    }

    /// Returns the value under `key` in the keyspace `state`.
    pub(super) fn state(&self, key: &[u8]) -> Result<Option<Bytes>, LogError> {
        let value = self.state.get(key).map_err(|error| from_fjall("read", self.state.path(), error))?;
        Ok(value.map(Bytes::from_owner))
    }

    /// The keys in the keyspace `state` that begin with `prefix`, with their values.
    pub(super) fn states(&self, prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>, LogError> {
        let found = self.state.prefix(prefix).map(|entry| {
            let (key, value) = entry.into_inner().map_err(|error| from_fjall("read", self.state.path(), error))?;
            Ok((Bytes::from_owner(key), Bytes::from_owner(value)))
        });
        found.collect()
    }

    /// The first block on disk; it may lie below the log's start.
    pub(super) fn first_key(&self) -> Result<Option<BlockKey>, LogError> {
        self.blocks.first_key_value().map(|entry| self.block_key(entry)).transpose()
    }

    /// The last block on disk.
    pub(super) fn last_block(&self) -> Result<Option<Block>, LogError> {
        self.blocks.last_key_value().map(|entry| self.block(entry)).transpose()
    }

    /// Returns the number of entries in the blocks' keyspace: exact as long as none is there twice.
    pub(super) fn block_count(&self) -> u64 {
        self.blocks.approximate_len() as u64
    }

    /// Returns the blocks on disk in order, beginning with the last one whose first offset is at or below `from`: the block
    /// that has the record at `from`, if any has.
    pub(super) fn blocks_from(&self, from: Offset) -> Result<impl Iterator<Item = Result<Block, LogError>>, LogError> {
        let at_most = BlockKey { first: from, number: u64::MAX };
        let first =
            self.blocks.range(..=at_most.encode()).next_back().map(|entry| self.block_key(entry)).transpose()?;
        let first = first.unwrap_or(at_most);
        Ok(self.blocks.range(first.encode()..).map(|entry| self.block(entry)))
    }

    /// The records from `from` up to but not including `to`, as many as one read brings and at least one.
    /// Offsets are contiguous: a missing one is `Damaged`.
    pub(super) fn read(&self, from: Offset, to: Offset) -> Result<Vec<Record>, LogError> {
        assert!(from < to, "nothing to read between {from} and {to}");
        let mut records = Vec::new();
        let mut bytes = 0;
        let mut expected = from;
        let mut number = None;
        for block in self.blocks_from(from)? {
            let block = block?;
            let follows = match number {
                None => block.key.first <= expected && expected < block.next,
                Some(number) => block.key.first == expected && block.key.number == number + 1,
            };
            if !follows {
                return Err(self.missing(expected));
            }
            block.records_from(from, &mut records).ok_or_else(|| self.malformed())?;
            bytes += block.bytes();
            expected = block.next;
            number = Some(block.key.number);
            if expected >= to || records.len() >= RECORDS_PER_READ || bytes >= BYTES_PER_READ {
                break;
            }
        }
        if records.is_empty() {
            return Err(self.missing(expected));
        }
        assert!(expected <= to, "the end {to} lies within a block that ends at {expected}");
        Ok(records)
    }

    /// An empty batch.
    pub(super) fn batch(&self) -> Batch<'_> {
        Batch { batch: self.database.batch().durability(Some(PersistMode::SyncData)), store: self }
    }

    /// Starts to write memtables that are large enough as tables, and waits while the memtable of blocks grows faster
    /// than that. Called before each write.
    ///
    /// fjall itself would do this after each write, but without a bound on the memtable, and with a request to its
    /// thread for each write: with enough of them it waits for room in a queue that only it empties.
    pub(super) fn make_room(&self) -> Result<(), LogError> {
        let sealing = |error| self.refused(error);
        seal(&self.state, STATE_MEMTABLE_BYTES).map_err(sealing)?;
        seal(&self.blocks, self.sizes.memtable_bytes).map_err(sealing)?;
        while self.memtable_bytes() >= 2 * self.sizes.memtable_bytes {
            // Reports an error of the thread that writes tables: otherwise the wait would never end.
            self.database.persist(PersistMode::Buffer).map_err(sealing)?;
            thread::sleep(TABLE_WAIT);
            seal(&self.blocks, self.sizes.memtable_bytes).map_err(sealing)?;
        }
        Ok(())
    }

    /// Bytes of the blocks that are in memory and that no thread writes as a table yet.
    pub(super) fn memtable_bytes(&self) -> u64 {
        self.blocks.tree.active_memtable().size()
    }

    /// Frees the disk space of tables that lie wholly below `start`. Blocks in memory and in the journal follow once
    /// they are tables.
    pub(super) fn trim(&self, start: Offset) -> Result<(), LogError> {
        let Some(block) = self.blocks_from(start).and_then(|mut blocks| blocks.next().transpose())? else {
            return Ok(());
        };
        let kept = if block.next > start { block.key } else { BlockKey { first: start, number: 0 } };
        if self.first_key()?.is_none_or(|first| first.first >= kept.first) {
            return Ok(());
        }
        let trimming = |error: fjall::Error| from_fjall("trim", self.blocks.path(), error);
        let before = self.blocks.disk_space();
        // fjall itself has no range delete; its tree does, without a tombstone for each entry.
        self.blocks.tree.drop_range(..kept.encode()).map_err(|error| trimming(error.into()))?;
        if self.blocks.disk_space() < before {
            // fjall forgets the versions of its tree that refer to the dropped tables, and so their files, only when
            // it seals a memtable that was written after the drop. The memtable of the state is small.
            let mut batch = self.database.batch();
            batch.insert(&self.state, TRIMMED_KEY, kept.first.0.to_be_bytes());
            batch.commit().map_err(trimming)?;
            if self.state.sealed_memtable_count() < SEALED_MEMTABLES_MAX {
                self.state.rotate_memtable().map_err(trimming)?;
            }
        }
        Ok(())
    }

    /// The error for an offset inside the bounds that has no record.
    pub(super) fn missing(&self, offset: Offset) -> LogError {
        LogError::Damaged {
            at: self.blocks.path().display().to_string(),
            why: format!("the record at offset {offset} is missing"),
        }
    }

    /// Translates a failed write. fjall answers `Poisoned` if one of its own threads could not write, without the
    /// cause: writing a small file probably fails for the same cause, and names it.
    fn refused(&self, error: fjall::Error) -> LogError {
        let error = match error {
            fjall::Error::Poisoned => self.try_to_write().err().map_or(error, fjall::Error::Io),
            error => error,
        };
        from_fjall("append to", &self.folder, error)
    }

    fn try_to_write(&self) -> io::Result<()> {
        let path = self.folder.join(PROBE_FILE);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&[0; PROBE_BYTES])?;
            file.sync_all()
        });
        // The file may not exist.
        let _ = fs::remove_file(&path);
        written
    }

    fn block_key(&self, entry: fjall::Guard) -> Result<BlockKey, LogError> {
        let key = entry.key().map_err(|error| self.unreadable(error))?;
        BlockKey::decode(&key).ok_or_else(|| self.malformed())
    }

    fn block(&self, entry: fjall::Guard) -> Result<Block, LogError> {
        let (key, value) = entry.into_inner().map_err(|error| self.unreadable(error))?;
        let key = BlockKey::decode(&key).ok_or_else(|| self.malformed())?;
        Block::decode(key, Bytes::from_owner(value)).map_err(|unread| match unread {
            Unread::Malformed => self.malformed(),
            Unread::Newer(version) => {
                version::newer(self.blocks.path(), format!("it has a block of version {version}, this one reads 0"))
            }
        })
    }

    fn unreadable(&self, error: fjall::Error) -> LogError {
        from_fjall("read", self.blocks.path(), error)
    }

    fn malformed(&self) -> LogError {
        LogError::Damaged {
            at: self.blocks.path().display().to_string(),
            why: "a block has an invalid form".to_owned(),
        }
    }
}

/// Starts to write the memtable as a table if it holds at least `bytes` and is not already waiting for that.
fn seal(keyspace: &Keyspace, bytes: u64) -> fjall::Result<()> {
    if keyspace.sealed_memtable_count() == 0 && keyspace.tree.active_memtable().size() >= bytes {
        keyspace.rotate_memtable()?;
    }
    Ok(())
}

/// One atomic, synced write.
pub(super) struct Batch<'a> {
    batch: OwnedWriteBatch,
    store: &'a Store,
}

impl Batch<'_> {
    pub(super) fn put_block(&mut self, key: BlockKey, bytes: Vec<u8>) {
        self.batch.insert(&self.store.blocks, key.encode(), bytes);
    }

    pub(super) fn put_state(&mut self, key: &[u8], value: &[u8]) {
        self.batch.insert(&self.store.state, key, value);
    }

    /// Returns when the whole batch is durable. After an error the store refuses all further writes: whether this batch
    /// was written is known only after the next start.
    pub(super) fn commit(self) -> Result<(), LogError> {
        self.batch.commit().map_err(|error| self.store.refused(error))
    }
}
