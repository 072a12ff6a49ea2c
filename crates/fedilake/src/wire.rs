//! Opens the log, table and lake that the settings' URLs name. No other module opens one.

mod kafka;
mod lake;
mod log;
pub mod s3;
mod table;

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use fedilake_query::answer::direct;
use fedilake_table::Table;

pub use self::kafka::SharedList;
pub use self::lake::{deletes, direct_limits, open_files, open_lake, outcome, sql_limits, to_fill, with_sql_hint};
pub use self::log::{Appending, OpenLog};
pub use self::table::{TableFiles, Use, faults_of_table, open_table, sink_limits, table_folder};
use crate::mask::masked;
use crate::owner::{self, Ownership};
use crate::settings::key::Text;
use crate::settings::{Key, Settings, key};

/// The log and the table of the settings.
#[derive(Clone)]
pub struct Stores {
    pub log: OpenLog,
    pub table: Arc<Table>,
    /// Access to the table's files for DuckDB.
    pub files: TableFiles,
}

impl Stores {
    /// Opens both stores for `used`, which decides whether missing ones are created. Stores in the data folder need its
    /// ownership, and keep it.
    pub async fn open(ownership: Option<&Arc<Ownership>>, settings: &Settings, used: Use) -> anyhow::Result<Stores> {
        let (table, files) = open_table(ownership, settings, used).await?;
        let log = match OpenLog::open(ownership, settings, used).await {
            Ok(log) => log,
            Err(error) if log::is_damaged(&error) => {
                let hint = damaged_log_hint(settings, &table).await?;
                return Err(error.context(format!("open the log\n{hint}")));
            }
            Err(error) => return Err(error),
        };
        Ok(Stores { log, table, files })
    }
}

/// Refuses a folder that no fedilake has used, before anything is written there, even a lock. An empty file in the lake's place, or a log
/// or table without an entry, is no sign of use. If the log or the table is elsewhere, an empty or absent folder is accepted: a reader stores
/// only its lake in it.
pub fn require_data_folder(folder: &Path, settings: &Settings) -> anyhow::Result<()> {
    let log_is_here = log_is_here(settings)?;
    let table_is_here = Scheme::of(key::TABLE_URL, settings)? == Scheme::File;
    let mut signs = vec![folder.join("lake.duckdb")];
    if log_is_here {
        signs.push(log::folder(folder, settings)?.join("store"));
    }
    if table_is_here {
        signs.push(table_folder(folder, settings)?.join("posts"));
    }
    if owner::is_signed(folder) {
        return Ok(());
    }
    for sign in signs {
        // A reader of a log or table elsewhere may have been killed before its lake had a byte.
        let is_there = if log_is_here && table_is_here { is_used(&sign) } else { sign.try_exists() };
        match is_there {
            Ok(true) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => bail!("{}", direct::denied(folder)),
            Ok(false) | Err(_) => {}
        }
    }
    if !(log_is_here && table_is_here) && is_empty_or_absent(folder) {
        return Ok(());
    }
    let what = match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => "is not a data folder of fedilake",
        Ok(_) => "is a file, not a data folder",
        Err(error) if error.kind() == ErrorKind::NotFound => "does not exist",
        Err(error) => bail!("read data folder {}: {error}", folder.display()),
    };
    bail!(
        "{} {what}\nhint: give the folder with --data DIR, or make one with `fedilake demo`, `fedilake run` or `fedilake replay`",
        folder.display()
    )
}

/// True for a folder with an entry, and for a DuckDB database.
fn is_used(path: &Path) -> std::io::Result<bool> {
    if std::fs::metadata(path)?.is_dir() {
        return Ok(std::fs::read_dir(path)?.next().is_some());
    }
    let mut head = [0; 12];
    match std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)) {
        Ok(()) => Ok(head.ends_with(b"DUCK")),
        // The lock, which is opened next, has the better hint.
        Err(error) => Ok(error.kind() == ErrorKind::PermissionDenied),
    }
}

/// Asks the stores elsewhere whether they can be read, before a reader makes a folder for its lake; asks nothing if the folder has one.
pub async fn reach_stores(folder: &std::path::Path, settings: &Settings) -> anyhow::Result<()> {
    if folder.join("lake.duckdb").exists() {
        return Ok(());
    }
    if Scheme::of(key::TABLE_URL, settings)? != Scheme::File {
        open_table(None, settings, Use::Read).await?;
    }
    if !log_is_here(settings)? {
        OpenLog::open(None, settings, Use::Read).await?;
    }
    Ok(())
}

/// Names that a reader's folder keeps after its lake was deleted, as an operator may.
const LEFT_BESIDE_A_LAKE: [&str; 3] = ["lock", "schemas", "tmp"];

/// True if the folder is not there, or holds nothing beyond the remains of a reader's folder.
fn is_empty_or_absent(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries
            .all(|entry| entry.is_ok_and(|entry| LEFT_BESIDE_A_LAKE.iter().any(|name| entry.file_name() == *name))),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

/// The measured parts of a data folder; `None` if a part is elsewhere.
#[derive(Debug, Clone)]
pub struct Parts {
    pub folder: PathBuf,
    pub log: Option<PathBuf>,
    pub table: Option<PathBuf>,
}

/// The parts of a data folder that are on this machine.
pub fn parts(folder: &Path, settings: &Settings) -> anyhow::Result<Parts> {
    let log = if log_is_here(settings)? { Some(log::folder(folder, settings)?) } else { None };
    let is_local = Scheme::of(key::TABLE_URL, settings)? == Scheme::File;
    let table = if is_local { Some(table_folder(folder, settings)?) } else { None };
    Ok(Parts { folder: folder.to_owned(), log, table })
}

/// True for a `file:` log.
fn log_is_here(settings: &Settings) -> anyhow::Result<bool> {
    Ok(Scheme::of(key::LOG_URL, settings)? == Scheme::File)
}

/// Takes the data folder for a verb that uses only the log and answers no questions; `None` if the log is elsewhere.
pub fn own_the_log(settings: &Settings) -> anyhow::Result<Option<Arc<Ownership>>> {
    if log_is_here(settings)? { own_silently(settings).map(Some) } else { Ok(None) }
}

/// Takes the data folder for a verb that uses the log and the table and answers no questions; `None` if both are
/// elsewhere.
pub fn own_what_is_local(settings: &Settings) -> anyhow::Result<Option<Arc<Ownership>>> {
    let is_local = log_is_here(settings)? || Scheme::of(key::TABLE_URL, settings)? == Scheme::File;
    if is_local { own_silently(settings).map(Some) } else { Ok(None) }
}

fn own_silently(settings: &Settings) -> anyhow::Result<Arc<Ownership>> {
    let ownership = Ownership::take_to_write(&settings.data()?)?;
    ownership.answers_nobody()?;
    Ok(Arc::new(ownership))
}

/// The parsed URL of a log or table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    File,
    Kafka,
    S3,
}

impl Scheme {
    /// Reads the setting `key` as a URL.
    pub(crate) fn of(key: Key<Text>, settings: &Settings) -> anyhow::Result<Scheme> {
        let (url, name) = (settings.get(key), key.name);
        let is_log = name == key::LOG_URL.name;
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("file") => Ok(Scheme::File),
            Some("kafka") if is_log => Ok(Scheme::Kafka),
            Some("s3") if !is_log => Ok(Scheme::S3),
            _ => {
                let other = if is_log { "kafka://BROKER:9092/TOPIC" } else { "s3://BUCKET/PREFIX" };
                bail!(
                    "setting {name} = {:?}: expected file:PATH or {other}\nhint: file:PATH lies in the data folder",
                    masked(url)
                )
            }
        }
    }
}

/// The hint for a damaged log.
async fn damaged_log_hint(settings: &Settings, table: &Table) -> anyhow::Result<String> {
    let snapshot = table.snapshot().await.context("read the table")?;
    let has: Vec<String> =
        snapshot.chains.iter().map(|chain| format!("{} up to offset {}", chain.chain, chain.next())).collect();
    let has = if has.is_empty() { "nothing".to_owned() } else { has.join(", ") };
    Ok(format!(
        "hint: restore it from a copy, or move {} away: a new log begins, and its posts go beside the old ones\n\
         hint: the table has {has}; what only the log had is lost then, unless servers or recorded files give it again",
        log::folder(&settings.data()?, settings)?.display()
    ))
}

/// The path of a `file:` URL; relative paths are below the data folder.
fn path_below(data: &Path, key: Key<Text>, settings: &Settings) -> anyhow::Result<PathBuf> {
    match settings.get(key).split_once(':') {
        Some(("file", path)) if !path.is_empty() => Ok(data.join(path.strip_prefix("//").unwrap_or(path))),
        _ => bail!("setting {} = {:?}: expected file:PATH", key.name, settings.get(key)),
    }
}
