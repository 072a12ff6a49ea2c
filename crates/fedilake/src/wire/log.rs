//! The log that `log.url` names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Bookmarks, LogError, LogReader, LogWriter};

use super::{Scheme, kafka, path_below};
use crate::owner::Ownership;
use crate::settings::Settings;

/// Makes readers of the log.
pub type ReaderSource = Arc<dyn Fn() -> anyhow::Result<Box<dyn LogReader>> + Send + Sync>;

/// An open log, as who works with it needs it.
#[derive(Clone)]
pub struct Log {
    pub writer: Arc<dyn LogWriter>,
    pub bookmarks: Arc<dyn Bookmarks>,
    /// Makes readers that get every partition.
    pub readers: ReaderSource,
    /// Makes readers that share the partitions with those of other sinks.
    pub sink_readers: ReaderSource,
}

impl Log {
    /// Opens the log, making it if it is not there. One in the data folder needs its ownership, and keeps it.
    pub async fn open(ownership: Option<&Arc<Ownership>>, settings: &Settings) -> anyhow::Result<Log> {
        match Scheme::of("log.url", settings)? {
            Scheme::Kafka => open_kafka(settings).await,
            _ => {
                let ownership = ownership.context("a `file:` log has one owner")?.clone();
                open_embedded(ownership, settings).await
            }
        }
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

async fn open_kafka(settings: &Settings) -> anyhow::Result<Log> {
    let log = kafka::open(settings).await?;
    let group = settings.text("sink.group").to_owned();
    let (all, shared) = (Arc::clone(&log), Arc::clone(&log));
    Ok(Log {
        writer: log.clone(),
        bookmarks: log,
        readers: Arc::new(move || all.reader().context("open a reader of the log")),
        sink_readers: Arc::new(move || shared.group_reader(&group).context("open a reader of the log")),
    })
}

async fn open_embedded(ownership: Arc<Ownership>, settings: &Settings) -> anyhow::Result<Log> {
    let folder = folder(ownership.folder(), settings)?;
    let opened = tokio::task::spawn_blocking(move || EmbeddedLog::open(folder)).await?;
    let log = Arc::new(opened.context("open the log")?);
    let readers: ReaderSource = Arc::new({
        let log = Arc::clone(&log);
        // The folder is let go when what is open in it is closed.
        move || {
            let _ = &ownership;
            Ok(log.reader())
        }
    });
    Ok(Log { writer: log.clone(), bookmarks: log, sink_readers: Arc::clone(&readers), readers })
}

/// The folder of a `file:` log.
pub(super) fn folder(data: &Path, settings: &Settings) -> anyhow::Result<PathBuf> {
    path_below(data, "log.url", settings)
}

/// Whether a log could not be opened because what is on disk is no whole log.
pub(super) fn is_damaged(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(LogError::Damaged { .. }))
}
