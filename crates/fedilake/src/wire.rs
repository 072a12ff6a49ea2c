//! URLs → log, table, lake. The only place that names implementations.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Bookmarks, LogReader, LogWriter};
use fedilake_query::{Lake, LakeOptions};
use fedilake_table::{Table, sink};
use object_store::local::LocalFileSystem;

use crate::check::{Checker, LakeGate, ReaderSource};
use crate::owner::Ownership;
use crate::settings::Settings;

/// The log and the table that the settings name, and the folder that they and the lake are in.
pub struct Stores {
    pub log: Arc<dyn LogWriter>,
    pub bookmarks: Arc<dyn Bookmarks>,
    pub table: Arc<Table>,
    /// Where the table's files lie, for readers of plain files.
    pub table_folder: PathBuf,
    /// The lake's gate, for its follower and its checker.
    pub lake_gate: LakeGate,
    new_reader: ReaderSource,
    ownership: Ownership,
}

impl Stores {
    /// Opens both, making what is not there.
    pub async fn open(ownership: Ownership, settings: &Settings) -> anyhow::Result<Stores> {
        let folder = ownership.folder().to_owned();
        let table_folder = table_folder(&folder, settings)?;
        let table = Arc::new(open_table(&table_folder)?);
        let log_folder = local_folder(&folder, "log.url", settings)?;
        let log = tokio::task::spawn_blocking(move || EmbeddedLog::open(&log_folder)).await?.context("open the log")?;
        let log = Arc::new(log);
        let new_reader: ReaderSource = Arc::new({
            let log = Arc::clone(&log);
            move || log.reader()
        });
        Ok(Stores {
            log: log.clone(),
            bookmarks: log,
            table,
            table_folder,
            lake_gate: LakeGate::default(),
            new_reader,
            ownership,
        })
    }

    /// A reader of the log, without a position.
    pub fn reader(&self) -> Box<dyn LogReader> {
        (self.new_reader)()
    }

    /// What a check works on.
    pub fn checker(&self, lake: &Arc<Lake>) -> Checker {
        Checker {
            table: Arc::clone(&self.table),
            table_folder: self.table_folder.clone(),
            chunks_folder: self.folder().join("tmp"),
            new_reader: Arc::clone(&self.new_reader),
            lake: Arc::clone(lake),
            gate: Arc::clone(&self.lake_gate),
        }
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.ownership.folder()
    }

    /// The ownership of the data folder, to publish an address.
    pub fn ownership(&mut self) -> &mut Ownership {
        &mut self.ownership
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

/// When the sink seals a file.
pub fn sink_limits(settings: &Settings) -> anyhow::Result<sink::Limits> {
    Ok(sink::Limits {
        buffer_bytes_max: settings.number("sink.buffer_bytes_max")?,
        buffer_age_max: settings.seconds("sink.buffer_age_seconds_max")?,
        buffers_bytes_max: settings.number("sink.buffers_bytes_max")?,
    })
}

/// The lake beside them; blocking.
pub fn open_lake(folder: &Path, settings: &Settings) -> anyhow::Result<Lake> {
    let options = LakeOptions {
        memory_bytes_max: settings.number("lake.memory_bytes_max")?,
        threads: match settings.number("lake.threads")? {
            0 => std::thread::available_parallelism().map_or(2, usize::from),
            threads => threads,
        },
        ..LakeOptions::default()
    };
    let path = folder.join("lake.duckdb");
    Lake::open(&path, options).with_context(|| format!("open lake {}", path.display()))
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
