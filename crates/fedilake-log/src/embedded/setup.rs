//! Locks, creates and opens a log's folder, and configures fjall in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use uuid::Uuid;

use super::fault::{from_fjall, storage};
use super::layout::{ID_KEY, LAYOUT, LAYOUT_KEY, START_KEY, Start};
use super::{manifest, version};
use crate::LogError;

pub(super) const END_MARK_FILE: &str = "end";
pub(super) const STORE_FOLDER: &str = "store";
const NEW_STORE_FOLDER: &str = "store.new";
const LOCK_FILE: &str = "lock";

/// If sealed journals exceed this, fjall writes out the data that they still hold, and deletes them.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;
/// Keeps fjall from sealing memtables: the store does it.
const NEVER: u64 = u64::MAX;
/// Scans are sequential and rarely repeated.
const CACHE_BYTES: u64 = 8 << 20;
/// Block size of fjall's tables. Smaller blocks of the log share one.
const TABLE_BLOCK_BYTES: u32 = 32 << 10;

/// A log's folder, locked, with an open store in it.
pub(super) struct Setup {
    pub(super) lock: Lock,
    pub(super) database: Database,
    pub(super) blocks: Keyspace,
    pub(super) state: Keyspace,
}

/// The operating system's lock on a log. Unlocked on drop, and not only by closing the file: a process that was just
/// forked shares the open file until it executes its own program.
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // If unlocking fails, closing the file still releases the lock.
        let _ = self.0.unlock();
    }
}

/// Locks `folder`, creates the log in it if there is none, and opens it.
pub(super) fn open(folder: &Path) -> Result<Setup, LogError> {
    make_private(folder).map_err(|error| storage("create", folder, error))?;
    let lock = lock(folder)?;
    version::check(folder)?;
    let store = folder.join(STORE_FOLDER);
    if !store.try_exists().map_err(|error| storage("open", folder, error))? {
        create(folder)?;
    }
    version::check_store(&store)?;
    manifest::check(&store)?;
    version::write(folder)?;
    let (database, blocks, state) = open_database(&store)?;
    Ok(Setup { lock, database, blocks, state })
}

/// Makes a log's folder for its user alone, because it holds posts. Files in it follow the umask, so whoever opens
/// the folder to others opens all of it.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Takes the lock; the operating system releases it with the process at the latest.
fn lock(folder: &Path) -> Result<Lock, LogError> {
    let path = folder.join(LOCK_FILE);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| storage("lock", &path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(LogError::InUse { at: folder.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(storage("lock", &path, error)),
    }
}

/// Makes an empty log with a new identity. Built under another name and renamed, so that the store is complete or
/// does not exist.
fn create(folder: &Path) -> Result<(), LogError> {
    let creating = |error: io::Error| storage("create", folder, error);
    remove_if_there(fs::remove_file(folder.join(END_MARK_FILE))).map_err(creating)?;
    let new = folder.join(NEW_STORE_FOLDER);
    remove_if_there(fs::remove_dir_all(&new)).map_err(creating)?;
    {
        let (database, _, state) = open_database(&new)?;
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

fn open_database(path: &Path) -> Result<(Database, Keyspace, Keyspace), LogError> {
    let opening = |error| from_fjall("open", path, error);
    let database = Database::builder(path)
        .cache_size(CACHE_BYTES)
        .max_journaling_size(JOURNAL_BYTES_MAX)
        .journal_compression(CompressionType::None)
        .worker_threads(1)
        .open()
        .map_err(opening)?;
    let blocks = database.keyspace("blocks", blocks_options).map_err(opening)?;
    let state = database.keyspace("state", state_options).map_err(opening)?;
    Ok((database, blocks, state))
}

fn blocks_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(NEVER)
        .data_block_size_policy(BlockSizePolicy::all(TABLE_BLOCK_BYTES))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::None))
        // Blocks are scanned, never looked up by their whole key.
        .filter_policy(FilterPolicy::disabled())
}

fn state_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default().max_memtable_size(NEVER)
}
