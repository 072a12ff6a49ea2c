//! URLs → log, table, lake. The only place that names implementations.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Bookmarks, LogError, LogReader, LogWriter, Offset, Partition};
use fedilake_query::sql::SqlErrorKind;
use fedilake_query::{DirectOptions, Lake, LakeOptions, SqlError, SqlLimits};
use fedilake_table::{Table, sink};
use object_store::local::LocalFileSystem;
use tokio::sync::watch;

use crate::check::{Checker, ReaderSource};
use crate::owner::Ownership;
use crate::settings::Settings;

/// The log and the table that the settings name, and the folder that they and the lake are in.
pub struct Stores {
    pub log: Arc<dyn LogWriter>,
    pub bookmarks: Arc<dyn Bookmarks>,
    pub table: Arc<Table>,
    /// Where the table's files lie, for readers of plain files.
    pub table_folder: PathBuf,
    new_reader: ReaderSource,
    /// Last: the folder is let go when what is open in it is closed.
    ownership: Arc<Ownership>,
}

impl Stores {
    /// Opens both, making what is not there.
    pub async fn open(ownership: Ownership, settings: &Settings) -> anyhow::Result<Stores> {
        let folder = ownership.folder().to_owned();
        let table_folder = table_folder(&folder, settings)?;
        let table = Arc::new(open_table(&table_folder)?);
        let log_folder = local_folder(&folder, "log.url", settings)?;
        let opened = tokio::task::spawn_blocking({
            let log_folder = log_folder.clone();
            move || EmbeddedLog::open(log_folder)
        });
        let log = match opened.await? {
            Ok(log) => Arc::new(log),
            Err(error @ LogError::Damaged { .. }) => {
                let hint = damaged_log_hint(&log_folder, &table).await?;
                return Err(error).with_context(|| format!("open the log\n{hint}"));
            }
            Err(error) => return Err(error).context("open the log"),
        };
        // Who reads what the lake already has needs none of them.
        for damaged in table.snapshot().await.context("read the table")?.damaged {
            tracing::warn!(
                "table file {} is damaged: {}; `fedilake check` says what it held",
                damaged.location,
                damaged.why
            );
        }
        let new_reader: ReaderSource = Arc::new({
            let log = Arc::clone(&log);
            move || log.reader()
        });
        Ok(Stores { log: log.clone(), bookmarks: log, table, table_folder, new_reader, ownership: Arc::new(ownership) })
    }

    /// A reader of the log, without a position.
    pub fn reader(&self) -> Box<dyn LogReader> {
        (self.new_reader)()
    }

    /// What a check works on; `reached` is where the lake's follower is.
    pub fn checker(&self, lake: &Arc<Lake>, reached: watch::Receiver<HashMap<Partition, Offset>>) -> Checker {
        Checker {
            table: Arc::clone(&self.table),
            table_folder: self.table_folder.clone(),
            chunks_folder: self.folder().join("tmp"),
            new_reader: Arc::clone(&self.new_reader),
            lake: Arc::clone(lake),
            reached,
        }
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.ownership.folder()
    }

    /// The ownership of the data folder, to say where this process answers.
    pub fn ownership(&self) -> &Arc<Ownership> {
        &self.ownership
    }
}

/// The folder of the table, whether or not it is there.
pub fn table_folder(data: &Path, settings: &Settings) -> anyhow::Result<PathBuf> {
    local_folder(data, "table.url", settings)
}

/// Opens the table of the folder that this process owns, and removes what killed writers left.
fn open_table(folder: &Path) -> anyhow::Result<Table> {
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    let leftovers =
        fedilake_table::local::remove_leftovers(folder).with_context(|| format!("clean up {}", folder.display()))?;
    if leftovers.files > 0 {
        tracing::debug!(
            files = leftovers.files,
            bytes = leftovers.bytes,
            "removed what a killed process had not committed"
        );
    }
    let store = LocalFileSystem::new_with_prefix(folder)
        .with_context(|| format!("open table {}", folder.display()))?
        .with_fsync(true);
    Ok(Table::new(Arc::new(store), object_store::path::Path::default()))
}

/// Local disk takes small files at no cost.
const LOCAL_BUFFER_AGE: Duration = Duration::from_secs(15 * 60);
/// Each file on S3 costs its readers requests.
const S3_BUFFER_AGE: Duration = Duration::from_secs(60 * 60);

/// When the sink seals a file.
pub fn sink_limits(settings: &Settings) -> anyhow::Result<sink::Limits> {
    Ok(sink::Limits {
        buffer_bytes_max: settings.number("sink.buffer_bytes_max")?,
        buffer_age_max: match settings.seconds_unless_auto("sink.buffer_age_seconds_max")? {
            Some(age) => age,
            None if settings.text("table.url").starts_with("s3:") => S3_BUFFER_AGE,
            None => LOCAL_BUFFER_AGE,
        },
        buffers_bytes_max: settings.number("sink.buffers_bytes_max")?,
    })
}

/// The lake in an owned folder, which it keeps until it is closed; blocking.
pub fn open_lake(ownership: Arc<Ownership>, settings: &Settings) -> anyhow::Result<Lake> {
    let options = LakeOptions {
        memory_bytes_max: settings.number("lake.memory_bytes_max")?,
        threads: threads(settings)?,
        ..LakeOptions::default()
    };
    let path = ownership.folder().join("lake.duckdb");
    let lake = Lake::open(&path, options).with_context(|| format!("open lake {}", path.display()))?;
    Ok(lake.guarded_by(ownership))
}

fn threads(settings: &Settings) -> anyhow::Result<usize> {
    Ok(match settings.number("lake.threads")? {
        0 => std::thread::available_parallelism().map_or(2, usize::from),
        threads => threads,
    })
}

/// A DuckDB beside the lake, for one question to plain files: as large as a lake may be, for it is alone.
pub fn direct_options(settings: &Settings) -> anyhow::Result<DirectOptions> {
    Ok(DirectOptions {
        memory_bytes_max: settings.number("lake.memory_bytes_max")?,
        threads: threads(settings)?,
        spill_folder: std::env::temp_dir().join(format!("fedilake-direct-{}", std::process::id())),
        httpfs: Some(PathBuf::from(settings.text("sql.httpfs"))).filter(|file| !file.as_os_str().is_empty()),
    })
}

/// What a question to plain files may take: DuckDB's own limit holds for memory.
pub fn direct_limits(settings: &Settings) -> anyhow::Result<SqlLimits> {
    Ok(SqlLimits { memory_bytes_max: None, ..sql_limits(settings)? })
}

/// What a question in SQL may take: half of the lake's memory, so that the follower goes on beside it.
pub fn sql_limits(settings: &Settings) -> anyhow::Result<SqlLimits> {
    let lake_bytes_max: u64 = settings.number("lake.memory_bytes_max")?;
    Ok(SqlLimits {
        time: settings.seconds("sql.seconds_max")?,
        memory_bytes_max: Some(lake_bytes_max / 2),
        ..SqlLimits::default()
    })
}

/// Why a question failed, and the setting that allows it more where it met one of [`sql_limits`].
pub fn with_sql_hint(error: SqlError) -> anyhow::Error {
    let (more, setting) = match error.kind {
        SqlErrorKind::Memory => ("memory", "lake.memory_bytes_max"),
        SqlErrorKind::Time => ("time", "sql.seconds_max"),
        _ => return error.into(),
    };
    anyhow::anyhow!("{error}\nhint: ask for less at once, or give it more {more} with the setting {setting}")
}

/// What a person can do about a damaged log.
async fn damaged_log_hint(log: &Path, table: &Table) -> anyhow::Result<String> {
    let snapshot = table.snapshot().await.context("read the table")?;
    let has: Vec<String> =
        snapshot.chains.iter().map(|chain| format!("{} up to offset {}", chain.chain, chain.next())).collect();
    let has = if has.is_empty() { "nothing".to_owned() } else { has.join(", ") };
    Ok(format!(
        "hint: restore it from a copy, or move {} away: a new log begins, and its posts go beside the old ones\n\
         hint: the table has {has}; what only the log had is lost then, unless servers or recorded files give it again",
        log.display()
    ))
}

/// The folder that a `file:` URL names, relative ones below the data folder.
fn local_folder(data: &Path, key: &'static str, settings: &Settings) -> anyhow::Result<PathBuf> {
    let url = settings.text(key);
    match url.split_once(':') {
        Some(("file", path)) if !path.is_empty() => Ok(data.join(path.strip_prefix("//").unwrap_or(path))),
        Some((scheme, _)) => {
            bail!("setting {key} = {url:?}: this version has no {scheme}: only file:\nhint: use file:PATH")
        }
        None => bail!(
            "setting {key} = {url:?} is not a URL\nhint: use file:PATH, for example file:{}",
            &key[..key.len() - 4]
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> anyhow::Result<Settings> {
        Settings::load(Some(Path::new("/dev/null")), [], &[])
    }

    #[test]
    fn a_folder_is_let_go_when_its_lake_is_closed() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let ownership = Arc::new(Ownership::take(folder.path())?.context("free")?);
        let lake = open_lake(Arc::clone(&ownership), &defaults()?)?;
        drop(ownership);
        assert!(Ownership::take(folder.path())?.is_none(), "the lake is open");
        drop(lake);
        assert!(Ownership::take(folder.path())?.is_some());
        Ok(())
    }

    #[test]
    fn a_question_may_take_half_of_the_lakes_memory() -> anyhow::Result<()> {
        let settings =
            defaults()?.with("lake.memory_bytes_max", "1000".to_owned()).with("sql.seconds_max", "7".to_owned());
        let limits = sql_limits(&settings)?;
        assert_eq!((limits.memory_bytes_max, limits.time), (Some(500), std::time::Duration::from_secs(7)));
        Ok(())
    }
}
