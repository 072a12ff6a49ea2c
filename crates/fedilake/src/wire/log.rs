//! The log that `log.url` names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Bookmarks, LogError, LogReader, LogWriter};
use fedilake_model::Deletion;

use super::{Scheme, Use, kafka, path_below};
use crate::owner::Ownership;
use crate::settings::Settings;

/// The folder in a data folder that keeps schemas of a log in Kafka.
const SCHEMA_CACHE: &str = "schemas";

/// Makes readers of the log.
pub type ReaderSource = Arc<dyn Fn() -> anyhow::Result<Box<dyn LogReader>> + Send + Sync>;

/// An open log, as who works with it needs it.
#[derive(Clone)]
pub struct Log {
    /// None if the log was not opened to be written.
    appending: Option<Appending>,
    /// The bookmarks beside the log, to be read.
    pub bookmarks: Arc<dyn Bookmarks>,
    /// Makes readers that get every partition.
    pub readers: ReaderSource,
    /// Makes readers that share the partitions with those of other sinks.
    pub sink_readers: ReaderSource,
}

/// The writing ends of a log.
#[derive(Clone)]
pub struct Appending {
    pub writer: Arc<dyn LogWriter>,
    pub bookmarks: Arc<dyn Bookmarks>,
}

impl Appending {
    /// Appends deletes that no server told; returns when they are durable.
    pub async fn append_deletions(&self, deletions: &[Deletion]) -> Result<(), LogError> {
        fedilake_collect::append_deletions(self.writer.as_ref(), deletions).await
    }
}

impl Log {
    /// Opens the log. One in the data folder needs its ownership, keeps it, and is made if it is not there; in Kafka `used` says
    /// what is made.
    pub async fn open(ownership: Option<&Arc<Ownership>>, settings: &Settings, used: Use) -> anyhow::Result<Log> {
        match Scheme::of("log.url", settings)? {
            Scheme::Kafka => open_kafka(ownership, settings, used).await,
            _ => {
                let ownership = ownership.context("a `file:` log has one owner")?.clone();
                open_embedded(ownership, settings).await
            }
        }
    }

    /// The writing ends, of a log that was opened with [`Use::Write`]; panics for others.
    pub fn appending(&self) -> Appending {
        self.appending.clone().expect("only a log that was opened to be written is written")
    }

    /// A reader that gets every partition, without a position.
    pub fn reader(&self) -> anyhow::Result<Box<dyn LogReader>> {
        (self.readers)()
    }

    /// A reader that shares the partitions with those of other sinks.
    pub fn sink_reader(&self) -> anyhow::Result<Box<dyn LogReader>> {
        (self.sink_readers)()
    }
}

async fn open_kafka(ownership: Option<&Arc<Ownership>>, settings: &Settings, used: Use) -> anyhow::Result<Log> {
    let group = settings.text("sink.group").to_owned();
    let cache = ownership.map(|ownership| ownership.folder().join(SCHEMA_CACHE));
    let context = || "open a reader of the log";
    if used != Use::Write {
        let log = kafka::open_source(settings, cache, used).await?;
        let (all, shared) = (Arc::clone(&log), log);
        return Ok(Log {
            appending: None,
            bookmarks: kafka::bookmarks_to_read(settings)?,
            readers: Arc::new(move || all.reader().with_context(context)),
            sink_readers: Arc::new(move || shared.group_reader(&group).with_context(context)),
        });
    }
    let log = kafka::open(settings, cache).await?;
    let (all, shared) = (Arc::clone(&log), Arc::clone(&log));
    Ok(Log {
        bookmarks: log.clone(),
        appending: Some(Appending { writer: log.clone(), bookmarks: log }),
        readers: Arc::new(move || all.reader().with_context(context)),
        sink_readers: Arc::new(move || shared.group_reader(&group).with_context(context)),
    })
}

async fn open_embedded(ownership: Arc<Ownership>, settings: &Settings) -> anyhow::Result<Log> {
    let folder = folder(ownership.folder(), settings)?;
    let opened = tokio::task::spawn_blocking({
        let folder = folder.clone();
        move || EmbeddedLog::open(folder)
    });
    let log = Arc::new(opened.await?.context("open the log")?);
    ownership.hold(&folder)?;
    let readers: ReaderSource = Arc::new({
        let log = Arc::clone(&log);
        // The folder is let go when what is open in it is closed.
        move || {
            let _ = &ownership;
            Ok(log.reader())
        }
    });
    let bookmarks = log.clone();
    let appending = Some(Appending { writer: log.clone(), bookmarks: log });
    Ok(Log { appending, bookmarks, sink_readers: Arc::clone(&readers), readers })
}

/// The folder of a `file:` log.
pub(super) fn folder(data: &Path, settings: &Settings) -> anyhow::Result<PathBuf> {
    path_below(data, "log.url", settings)
}

/// True if a log could not be opened because it is damaged.
pub(super) fn is_damaged(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(LogError::Damaged { .. }))
}
