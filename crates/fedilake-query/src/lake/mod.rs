//! The lake's database: opens it, locks it down, and lends its connections.
//!
//! One DuckDB instance with one writing connection and as many reading ones as are busy at once. External access is
//! switched off and the configuration is locked before the first statement from outside, so neither SQL nor a damaged
//! file can reach another file. Readers see the last commit while a take runs.

pub(crate) mod gauge;
pub(crate) mod layout;
pub(crate) mod names;
mod position;
pub(crate) mod states;
pub(crate) mod uris;

use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use duckdb::{Config, Connection};
use serde::{Deserialize, Serialize};

use self::gauge::Gauge;
pub use self::position::LakePosition;
use crate::LakeError;
use crate::error::message;
use crate::lake::names::Names;
use crate::lake::states::States;
use crate::lake::uris::Uris;
use crate::rows;
use crate::views::Deletes;

/// The lake's limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LakeOptions {
    /// DuckDB's memory limit for the lake, and again for reading files: bytes.
    pub memory_bytes_max: u64,
    /// The number of threads of a query.
    pub threads: usize,
    /// The limit of a query's spill files beside the lake: bytes.
    pub spill_bytes_max: u64,
    /// The setting that says which deletes hide a post. A lake that was built with another setting is rebuilt.
    pub deletes: Deletes,
}

impl Default for LakeOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        LakeOptions { memory_bytes_max: 1 << 30, threads, spill_bytes_max: 4 << 30, deletes: Deletes::default() }
    }
}

/// The database that follows the table. Every method blocks and may be called from several threads.
pub struct Lake {
    path: PathBuf,
    options: LakeOptions,
    rebuilt: Option<String>,
    /// The connection that changes the lake, if none failed since.
    writer: Mutex<Option<Connection>>,
    pub(crate) names: Mutex<Names>,
    pub(crate) uris: Mutex<Uris>,
    outside: Mutex<Option<Connection>>,
    counter: Mutex<Connection>,
    readers: Mutex<Connection>,
    idle: Mutex<Vec<Connection>>,
    /// True while a take runs.
    pub(crate) taking: Arc<AtomicBool>,
    pub(crate) states: States,
    /// The last field, so that it is dropped after the database is closed.
    guard: Option<Box<dyn Any + Send + Sync>>,
}

impl Lake {
    /// Opens the lake at `path`, or creates an empty one. A lake of an older layout or another setting is deleted
    /// first, and so is a file that is not a database or only the start of one; [`Lake::rebuilt`] then says why
    /// and the positions are empty. A lake of a newer layout is an error. Data that a killed process's queries
    /// spilled is removed.
    pub fn open(path: &Path, options: LakeOptions) -> Result<Lake, LakeError> {
        let existed = path.exists();
        if !existed {
            // Its commits belong to a lake that somebody deleted.
            remove_if_there(&beside(path, WAL))?;
        }
        let (writer, rebuilt) = match connect(path, &options) {
            Ok(connection) if !existed => {
                layout::create(&connection, options.deletes)?;
                (connection, None)
            }
            Ok(connection) => match layout::outdated(&connection, options.deletes) {
                None => (connection, None),
                Some(why) => {
                    if let Some(why) = layout::newer(&connection) {
                        return Err(LakeError::Newer { path: path.to_owned(), why });
                    }
                    drop(connection);
                    (recreate(path, &options)?, Some(why))
                }
            },
            Err(error) if existed && is_of_newer_engine(&message(&error)) => {
                return Err(LakeError::Newer { path: path.to_owned(), why: message(&error) });
            }
            Err(error) if existed && is_unreadable(&message(&error)) => {
                (recreate(path, &options)?, Some(layout::unreadable(&error)))
            }
            Err(error) => return Err(refused(path, &error)),
        };
        // Only now is it certain that no other process uses these folders. DuckDB creates them when it first spills.
        remove_spills(path).map_err(|error| LakeError::Open { path: path.to_owned(), reason: error.to_string() })?;
        // Posts lie in them: they are for their user alone, also in a folder that is not.
        make_private(path)?;
        make_private(&beside(path, WAL))?;
        layout::enter(&writer)?;
        let counter = writer.try_clone()?;
        layout::enter(&counter)?;
        // Authors are numbered without gaps, so they can be counted by a table instead of a hash, which is five times
        // as fast. Other queries, which group by several columns, would waste memory on such large tables.
        counter.execute_batch("set perfect_ht_threshold = 24; set lock_configuration = true")?;
        let readers = Mutex::new(writer.try_clone()?);
        Ok(Lake {
            path: path.to_owned(),
            options,
            rebuilt,
            writer: Mutex::new(Some(writer)),
            names: Mutex::default(),
            uris: Mutex::default(),
            outside: Mutex::default(),
            counter: Mutex::new(counter),
            readers,
            idle: Mutex::default(),
            taking: Arc::default(),
            states: States::default(),
            guard: None,
        })
    }

    /// Keeps `guard`, such as a lock of the folder, until the database is closed.
    pub fn guarded_by(mut self, guard: impl Any + Send + Sync) -> Lake {
        self.guard = Some(Box::new(guard));
        self
    }

    /// Why the lake that was found was deleted when this one was opened, as a sentence about it; `None` if it was not.
    pub fn rebuilt(&self) -> Option<&str> {
        self.rebuilt.as_deref()
    }

    /// The path of the lake's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The limits with which the lake was opened.
    pub fn options(&self) -> &LakeOptions {
        &self.options
    }

    /// The next offset that the lake needs, for each log partition that it has taken from.
    pub fn positions(&self) -> Result<Vec<LakePosition>, LakeError> {
        self.read(position::positions)
    }

    /// The number of rows that are not posts, by reason.
    pub fn rejected(&self) -> Result<Vec<(String, u64)>, LakeError> {
        self.read(|connection| {
            let mut statement = connection.prepare("select reason, rows::ubigint from rejected order by reason")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// DuckDB's present memory use for the lake, in bytes.
    pub fn memory_bytes(&self) -> Result<u64, LakeError> {
        self.read(|connection| {
            let sql = "select coalesce(sum(memory_usage_bytes), 0)::ubigint from duckdb_memory()";
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        })
    }

    /// The lake as it is now. Later takes do not show in a snapshot, and do not wait for it.
    pub fn snapshot(&self) -> Result<Snapshot, LakeError> {
        let connection = self.another()?;
        connection.execute_batch(READS)?;
        // The transaction's snapshot is taken by its first statement.
        let positions = position::positions(&connection)?;
        Ok(Snapshot { connection, positions, deletes: self.options.deletes })
    }

    /// Lends a connection that can read the lake's own tables: an idle one, or a new one.
    pub(crate) fn read<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, LakeError>) -> Result<T, LakeError> {
        let idle = lock(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.inside()?,
        };
        let answer = ask(&connection);
        // A connection that failed may still be in a transaction, so it is not lent again.
        if answer.is_ok() {
            lock(&self.idle).push(connection);
        }
        answer
    }

    /// Lends the one connection that counts distinct authors fast.
    pub(crate) fn count<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, LakeError>) -> Result<T, LakeError> {
        ask(&lock(&self.counter))
    }

    /// Changes the lake in one transaction, after the changes that run; after an error the lake is as before.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&Connection) -> Result<T, LakeError>) -> Result<T, LakeError> {
        let mut writer = lock(&self.writer);
        let connection = match writer.take() {
            Some(connection) => connection,
            None => self.inside()?,
        };
        connection.execute_batch("begin")?;
        let changed = change(&connection)?;
        let commit = self.states.commit();
        connection.execute_batch("commit")?;
        drop(commit);
        // A connection that failed is closed, which ends its transaction: a rollback takes memory, of which there may be none.
        *writer = Some(connection);
        Ok(changed)
    }

    /// The in-memory DuckDB that may open files, created when first needed.
    pub(crate) fn outside(&self) -> Result<Outside<'_>, LakeError> {
        let mut outside = lock(&self.outside);
        if outside.is_none() {
            *outside = Some(outside_of(&self.path, ".files", &self.options)?);
        }
        Ok(Outside(outside))
    }

    /// A gauge of the memory that statements have.
    pub(crate) fn gauge(&self) -> Result<Gauge, LakeError> {
        Ok(Gauge::new(self.another()?, Arc::clone(&self.taking)))
    }

    /// A new connection that can read the lake's own tables.
    pub(crate) fn inside(&self) -> Result<Connection, LakeError> {
        let connection = self.another()?;
        layout::enter(&connection)?;
        Ok(connection)
    }

    /// A new connection that sees the documented views; does not wait for a running take.
    pub(crate) fn another(&self) -> Result<Connection, LakeError> {
        Ok(lock(&self.readers).try_clone()?)
    }
}

/// The lake at one moment.
pub struct Snapshot {
    pub(crate) connection: Connection,
    pub(crate) deletes: Deletes,
    positions: Vec<LakePosition>,
}

impl Snapshot {
    /// The lake's position in each log partition at that moment.
    pub fn positions(&self) -> &[LakePosition] {
        &self.positions
    }

    /// The number of visible posts at that moment.
    pub fn posts(&self) -> Result<u64, LakeError> {
        Ok(self.connection.query_row("select count(*)::ubigint from posts", [], |row| row.get(0))?)
    }
}

const READS: &str = "begin transaction read only";

/// Asks from one snapshot of the lake.
pub(crate) fn from_one_snapshot<T>(
    connection: &Connection,
    ask: impl FnOnce() -> Result<T, LakeError>,
) -> Result<T, LakeError> {
    if let Err(refused) = connection.execute_batch(READS) {
        // An earlier transaction is still open if its rollback failed, for want of memory.
        connection.execute_batch("rollback").map_err(|_| refused)?;
        connection.execute_batch(READS)?;
    }
    let answer = ask();
    let ended = connection.execute_batch("rollback");
    // The first error explains more than that of a failing rollback.
    let answer = answer?;
    ended?;
    Ok(answer)
}

/// Locks a mutex, even a poisoned one: a connection in a transaction is lent only by those who end it first.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The borrowed in-memory DuckDB.
pub(crate) struct Outside<'a>(MutexGuard<'a, Option<Connection>>);

impl Deref for Outside<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.0.as_ref().expect("made before it is lent")
    }
}

impl DerefMut for Outside<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.0.as_mut().expect("made before it is lent")
    }
}

/// The end of the name of a folder that queries spill into.
const SPILL: &str = ".spill";
/// The end of the name of a lake's write-ahead log.
const WAL: &str = ".wal";

/// An in-memory DuckDB that may open files, with its own folder for spilled data beside the lake.
pub(crate) fn outside_of(path: &Path, name: &str, options: &LakeOptions) -> Result<Connection, LakeError> {
    let config = Config::default()
        // The lake's own threads merge at the same time.
        .threads((options.threads / 2).max(1) as i64)?
        .with("temp_directory", beside(path, &format!("{name}{SPILL}")).to_string_lossy())?
        .with("max_temp_directory_size", format!("{}B", options.spill_bytes_max))?
        .max_memory(&format!("{}B", options.memory_bytes_max))?
        // Without this, DuckDB confuses a file with an earlier one of the same path and size, although the time
        // differs and `VALIDATE_ALL` is set.
        .with("enable_external_file_cache", "false")?
        .enable_autoload_extension(false)?;
    let connection = Connection::open_in_memory_with_flags(config)?;
    connection.execute_batch("set global timezone = 'UTC'")?;
    Ok(connection)
}

fn connect(path: &Path, options: &LakeOptions) -> duckdb::Result<Connection> {
    let config = Config::default()
        .threads(options.threads as i64)?
        .max_memory(&format!("{}B", options.memory_bytes_max))?
        .enable_autoload_extension(false)?
        // Compressing strings by zstd needs a newer storage format than DuckDB's default.
        .with("storage_compatibility_version", "v1.5.0")?
        // A quarter of the default, because each transaction leaves some blocks that are not full: 157 bytes a post instead of 165.
        .with("default_block_size", "65536")?
        .with("temp_directory", beside(path, SPILL).to_string_lossy())?
        .with("max_temp_directory_size", format!("{}B", options.spill_bytes_max))?;
    let connection = Connection::open_with_flags(path, config)?;
    // The folder for spilled data must be set before access is switched off.
    connection.execute_batch(&format!("{}; set enable_external_access = false", rows::SETTINGS))?;
    Ok(connection)
}

fn recreate(path: &Path, options: &LakeOptions) -> Result<Connection, LakeError> {
    remove_if_there(path)?;
    remove_if_there(&beside(path, WAL))?;
    let connection = connect(path, options).map_err(|error| refused(path, &error))?;
    layout::create(&connection, options.deletes)?;
    Ok(connection)
}

fn remove_if_there(file: &Path) -> Result<(), LakeError> {
    if_there(file, std::fs::remove_file(file))
}

/// Takes the rights of all but the user from a file that an earlier version or a copy left open.
fn make_private(file: &Path) -> Result<(), LakeError> {
    #[cfg(unix)]
    if_there(file, std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)))?;
    Ok(())
}

fn if_there(file: &Path, done: std::io::Result<()>) -> Result<(), LakeError> {
    match done {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LakeError::Open { path: file.to_owned(), reason: error.to_string() })
        }
        _ => Ok(()),
    }
}

/// Removes the folders with data that queries of a killed process spilled.
fn remove_spills(path: &Path) -> std::io::Result<()> {
    let (Some(folder), Some(lake)) = (path.parent(), path.file_name()) else { return Ok(()) };
    // A name without a folder is in the current folder.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let lake = format!("{}.", lake.to_string_lossy());
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&lake) && name.ends_with(SPILL) && entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// True if DuckDB's message says that a later DuckDB wrote the file: "… with version number 68, but we can only read
/// versions between 64 and 67".
fn is_of_newer_engine(reason: &str) -> bool {
    let Some((_, told)) = reason.split_once("version number ") else { return false };
    let numbers: Vec<u64> =
        told.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).take(3).collect();
    match numbers.as_slice() {
        [written, _, last] if told.contains("between") => written > last,
        [written, only, ..] => written > only,
        _ => false,
    }
}

/// True if DuckDB's message blames the file's content, and not the access to it.
fn is_unreadable(reason: &str) -> bool {
    [
        "not a valid DuckDB database",
        "Could not read enough bytes",
        "Serialization Error",
        "Corrupt",
        "checksum",
        "replaying WAL",
        "version number",
    ]
    .iter()
    .any(|sign| reason.contains(sign))
}

fn refused(path: &Path, error: &duckdb::Error) -> LakeError {
    let (path, reason) = (path.to_owned(), message(error));
    if reason.contains("Could not set lock") {
        LakeError::Busy { path, reason }
    } else {
        LakeError::Open { path, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lake of little memory.
    fn small_lake(folder: &Path) -> Lake {
        let options =
            LakeOptions { memory_bytes_max: 32 << 20, threads: 1, spill_bytes_max: 0, ..LakeOptions::default() };
        Lake::open(&folder.join("lake.duckdb"), options).unwrap()
    }

    /// A connection that has taken all memory, to the last row.
    fn hoarder(lake: &Lake) -> Connection {
        let hoarder = lake.another().unwrap();
        hoarder.execute_batch("create temp table hoard (n bigint, m bigint)").unwrap();
        for rows in [100_000, 10_000, 1_000, 100, 1] {
            let more = format!("insert into hoard select range, hash(range) // 2 from range({rows})");
            let failed = std::iter::repeat_with(|| hoarder.execute_batch(&more)).find_map(Result::err).unwrap();
            // A statement that is its own transaction fails at its end.
            assert!(matches!(failed.into(), LakeError::OutOfMemory(_)));
        }
        hoarder
    }

    #[test]
    fn a_change_that_finds_no_memory_leaves_a_lake_that_can_be_changed() {
        let folder = tempfile::tempdir().unwrap();
        let lake = small_lake(folder.path());
        let sql = "insert into topic select range + 1000, repeat('a', 1000) || range from range(100000)";
        let insert = || lake.change(|writer| Ok(writer.execute_batch(sql)?));
        let hoarder = hoarder(&lake);
        for _ in 0..3 {
            let failed = insert();
            assert!(matches!(&failed, Err(LakeError::OutOfMemory(_))), "{failed:?}");
        }
        drop(hoarder);
        lake.change(|writer| Ok(writer.execute_batch("insert into topic values (1000, 'a')")?)).unwrap();
    }

    #[test]
    fn a_database_of_a_later_engine_is_told_by_its_number() {
        let between = |number| format!("version number {number}, but we can only read versions between 64 and 67.");
        let cases = [
            (between(68), true),
            (between(1_000), true),
            (between(67), false),
            (between(63), false),
            ("version number 65, but we can only read version 64. DuckDB v1.0.0".to_owned(), true),
            ("version number 63, but we can only read version 64.".to_owned(), false),
            ("The file is not a valid DuckDB database file!".to_owned(), false),
            (String::new(), false),
        ];
        for (reason, is_newer) in cases {
            assert_eq!(is_of_newer_engine(&reason), is_newer, "{reason}");
        }
    }
}
