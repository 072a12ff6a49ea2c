//! The store under the embedded log: a fjall database, how it is set up, read, trimmed, and what its errors mean.
//!
//! Two keyspaces: `blocks` only ever gets keys above all it has, so its tables never overlap and fjall moves them
//! between levels without rewriting them: a record is written twice, to the journal and to one table. `state` holds the
//! log's identity, its start and the bookmarks.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{AbstractTree, CompressionType, Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use uuid::Uuid;

use super::block::{Block, BlockKey};
use super::layout::{ID_KEY, LAYOUT, LAYOUT_KEY, START_KEY, Start};
use crate::{LogError, Offset, Record};

const LOCK_FILE: &str = "lock";
const END_MARK_FILE: &str = "end";
const STORE_FOLDER: &str = "store";
const NEW_STORE_FOLDER: &str = "store.new";
const PROBE_FILE: &str = "probe";
const PROBE_BYTES: usize = 64 << 10;

const STATE_MEMTABLE_BYTES_MAX: u64 = 4 << 20;
/// Sealed journals beyond this make fjall write out what they still hold, so that they can go.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;
/// Scans are sequential and rarely repeated.
const CACHE_BYTES: u64 = 8 << 20;
/// Of fjall's tables. Blocks of the log that are smaller share one.
const TABLE_BLOCK_BYTES: u32 = 32 << 10;

/// A read ends with the block that brings it to this many records or this many bytes.
const RECORDS_PER_READ: usize = 4_000;
const BYTES_PER_READ: usize = 1 << 20;

/// What tests make smaller, so that little data shows all that much data would.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Blocks held in memory until they become a table; the journal holds them too, and is read again at the next start.
    pub(super) memtable_bytes_max: u64,
}

impl Sizes {
    pub(super) const NORMAL: Sizes = Sizes { memtable_bytes_max: 32 << 20 };
}

/// The open store of one log. Blocking: not for async workers.
pub(super) struct Store {
    database: Database,
    blocks: Keyspace,
    state: Keyspace,
    folder: PathBuf,
    // Last, so that the lock outlives the database.
    _lock: File,
}

impl Store {
    /// Locks `folder`, creates the log in it if there is none, and opens it.
    pub(super) fn open(folder: &Path, sizes: Sizes) -> Result<Store, LogError> {
        fs::create_dir_all(folder).map_err(|error| storage("create", folder, error))?;
        let lock = lock(folder)?;
        let store = folder.join(STORE_FOLDER);
        if !store.try_exists().map_err(|error| storage("open", folder, error))? {
            create(folder, sizes)?;
        }
        let (database, blocks, state) = open_database(&store, sizes)?;
        Ok(Store { database, blocks, state, folder: folder.to_owned(), _lock: lock })
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

    /// What `state` holds under `key`.
    pub(super) fn state(&self, key: &[u8]) -> Result<Option<Bytes>, LogError> {
        let value = self.state.get(key).map_err(|error| from_fjall("read", self.state.path(), error))?;
        Ok(value.map(Bytes::from_owner))
    }

    /// The first block on disk; it may lie below the log's start.
    pub(super) fn first_key(&self) -> Result<Option<BlockKey>, LogError> {
        self.blocks.first_key_value().map(|entry| self.block_key(entry)).transpose()
    }

    /// The last block on disk.
    pub(super) fn last_block(&self) -> Result<Option<Block>, LogError> {
        self.blocks.last_key_value().map(|entry| self.block(entry)).transpose()
    }

    /// How many entries the keyspace of the blocks has: exact as long as none is there twice.
    pub(super) fn block_count(&self) -> u64 {
        self.blocks.approximate_len() as u64
    }

    /// All blocks on disk in order, from the last one on that begins at or below `from`: the one that has its record,
    /// if that is there.
    pub(super) fn blocks_from(&self, from: Offset) -> Result<impl Iterator<Item = Result<Block, LogError>>, LogError> {
        let at_most = BlockKey { first: from, number: u64::MAX };
        let first =
            self.blocks.range(..=at_most.encode()).next_back().map(|entry| self.block_key(entry)).transpose()?;
        let first = first.unwrap_or(at_most);
        Ok(self.blocks.range(first.encode()..).map(|entry| self.block(entry)))
    }

    /// The records from `from` up to but not including `to`, as many as one read brings and at least one.
    /// They are contiguous: an offset that is not there is `Damaged`.
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

    /// Gives back the disk space of tables that lie wholly below `start`. What is still in memory and in the journal
    /// follows when it has become a table.
    pub(super) fn trim(&self, start: Offset) -> Result<(), LogError> {
        let Some(block) = self.blocks_from(start).and_then(|mut blocks| blocks.next().transpose())? else {
            return Ok(());
        };
        let kept = if block.next > start { block.key } else { BlockKey { first: start, number: 0 } };
        let trimming = |error: fjall::Error| from_fjall("trim", self.blocks.path(), error);
        let before = self.blocks.disk_space();
        // fjall offers no range delete of its own; its tree does, without a tombstone an entry.
        self.blocks.tree.drop_range(..kept.encode()).map_err(|error| trimming(error.into()))?;
        if self.blocks.disk_space() < before {
            // fjall lets go of tables that no version refers to when a memtable is sealed.
            self.blocks.rotate_memtable().map_err(trimming)?;
        }
        Ok(())
    }

    /// A record is not where the log says that there is one.
    pub(super) fn missing(&self, offset: Offset) -> LogError {
        LogError::Damaged {
            at: self.blocks.path().display().to_string(),
            why: format!("the record at offset {offset} is missing"),
        }
    }

    /// What an error of a write says. fjall answers `Poisoned` when one of its own threads could not write, and keeps the
    /// cause to itself: what stopped it most likely stops a small file too.
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
        fs::remove_file(&path)?;
        written
    }

    fn block_key(&self, entry: fjall::Guard) -> Result<BlockKey, LogError> {
        let key = entry.key().map_err(|error| self.unreadable(error))?;
        BlockKey::decode(&key).ok_or_else(|| self.malformed())
    }

    fn block(&self, entry: fjall::Guard) -> Result<Block, LogError> {
        let (key, value) = entry.into_inner().map_err(|error| self.unreadable(error))?;
        BlockKey::decode(&key)
            .and_then(|key| Block::decode(key, Bytes::from_owner(value)))
            .ok_or_else(|| self.malformed())
    }

    fn unreadable(&self, error: fjall::Error) -> LogError {
        from_fjall("read", self.blocks.path(), error)
    }

    fn malformed(&self) -> LogError {
        LogError::Damaged {
            at: self.blocks.path().display().to_string(),
            why: "a block has not the form of one".to_owned(),
        }
    }
}

/// What is written in one go.
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

    /// Returns when all of it is durable. An error leaves the store refusing all further writes: what became of this one
    /// is known only after the next start.
    pub(super) fn commit(self) -> Result<(), LogError> {
        self.batch.commit().map_err(|error| self.store.refused(error))
    }
}

/// Takes the operating system's lock on the log; it goes with the process.
fn lock(folder: &Path) -> Result<File, LogError> {
    let path = folder.join(LOCK_FILE);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| storage("lock", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::InUse { at: folder.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(storage("lock", &path, error)),
    }
}

/// Makes an empty log with a new identity. It is built aside and renamed, so that a store is there whole or not at all.
fn create(folder: &Path, sizes: Sizes) -> Result<(), LogError> {
    let creating = |error: io::Error| storage("create", folder, error);
    remove_if_there(fs::remove_file(folder.join(END_MARK_FILE))).map_err(creating)?;
    let new = folder.join(NEW_STORE_FOLDER);
    remove_if_there(fs::remove_dir_all(&new)).map_err(creating)?;
    {
        let (database, _, state) = open_database(&new, sizes)?;
        let mut batch = database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&state, LAYOUT_KEY, LAYOUT);
        batch.insert(&state, ID_KEY, Uuid::new_v4().to_string());
        batch.insert(&state, START_KEY, Start::NEW.encode());
        batch.commit().map_err(|error| from_fjall("create", &new, error))?;
    }
    fs::rename(&new, folder.join(STORE_FOLDER)).map_err(creating)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(creating)
}

fn remove_if_there(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn open_database(path: &Path, sizes: Sizes) -> Result<(Database, Keyspace, Keyspace), LogError> {
    let opening = |error| from_fjall("open", path, error);
    let database = Database::builder(path)
        .cache_size(CACHE_BYTES)
        .max_journaling_size(JOURNAL_BYTES_MAX)
        .journal_compression(CompressionType::None)
        .worker_threads(1)
        .open()
        .map_err(opening)?;
    let blocks = database.keyspace("blocks", || blocks_options(sizes)).map_err(opening)?;
    let state = database
        .keyspace("state", || KeyspaceCreateOptions::default().max_memtable_size(STATE_MEMTABLE_BYTES_MAX))
        .map_err(opening)?;
    Ok((database, blocks, state))
}

fn blocks_options(sizes: Sizes) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(sizes.memtable_bytes_max)
        .data_block_size_policy(BlockSizePolicy::all(TABLE_BLOCK_BYTES))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
        // Blocks are scanned, never looked up by their whole key.
        .filter_policy(FilterPolicy::disabled())
}

/// An error of the file system, said about the log at `path`.
pub(super) fn storage(doing: &'static str, path: &Path, error: io::Error) -> LogError {
    LogError::Storage { doing, at: path.display().to_string(), why: error.to_string() }
}

/// What an error of fjall means: the storage refused, or what is stored makes no sense.
pub(super) fn from_fjall(doing: &'static str, path: &Path, error: fjall::Error) -> LogError {
    use fjall::{Error, LsmError};

    let at = path.display().to_string();
    match error {
        Error::Io(error) | Error::Storage(LsmError::Io(error)) => match error.kind() {
            // fjall makes new files and reads old ones: what it finds otherwise was changed by someone else.
            io::ErrorKind::NotFound
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidData => LogError::Damaged { at, why: error.to_string() },
            _ => LogError::Storage { doing, at, why: error.to_string() },
        },
        Error::Locked => LogError::InUse { at },
        Error::Poisoned => LogError::Storage { doing, at, why: "an earlier write in the background failed".to_owned() },
        Error::JournalRecovery(error) => LogError::Damaged { at: journals(path), why: error.to_string() },
        Error::Storage(error) => LogError::Damaged { at, why: error.to_string() },
        error => LogError::Damaged { at, why: error.to_string() },
    }
}

/// The journal's files in the store at `path`.
fn journals(path: &Path) -> String {
    let mut files: Vec<_> = fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jnl"))
        .map(|path| path.display().to_string())
        .collect();
    files.sort();
    if files.is_empty() { path.display().to_string() } else { files.join(" or ") }
}
