//! The log that `log.url` names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Assignment, Bookmarks, Log, LogError, LogWriter};
use fedilake_model::Deletion;
use fedilake_model::avro::Schemas;

use super::{Scheme, SharedList, Use, kafka, path_below};
use crate::owner::Ownership;
use crate::settings::{Settings, key};

/// The folder in a data folder that keeps schemas of a log in Kafka.
const SCHEMA_CACHE: &str = "schemas";

/// An open log with what is kept beside it.
#[derive(Clone)]
pub struct OpenLog {
    /// The log, to be asked and read.
    pub source: Arc<dyn Log>,
    /// The bookmarks beside the log, to be read.
    pub bookmarks: Arc<dyn Bookmarks>,
    /// The schemas of the log's records.
    pub schemas: Schemas,
    /// None if the log was not opened to be written.
    appending: Option<Appending>,
    /// True if no other process appends to the log while this one has it open.
    pub is_alone: bool,
    /// The consumer group of the log's sinks.
    sinks: String,
    /// The owner of the folder that a `file:` log lies in: it is let go when what is open in it is closed.
    _ownership: Option<Arc<Ownership>>,
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

impl OpenLog {
    /// Opens the log. One in the data folder needs its ownership, keeps it, and is made if it is not there; in Kafka `used` says
    /// what is made.
    pub async fn open(ownership: Option<&Arc<Ownership>>, settings: &Settings, used: Use) -> anyhow::Result<OpenLog> {
        match Scheme::of(key::LOG_URL, settings)? {
            Scheme::Kafka => open_kafka(ownership, settings, used).await,
            _ => open_embedded(ownership.context("a `file:` log has one owner")?, settings).await,
        }
    }

    /// The writing ends, of a log that was opened with [`Use::Write`]; panics for others.
    pub fn appending(&self) -> Appending {
        self.appending.clone().expect("only a log that was opened to be written is written")
    }

    /// The partitions of a sink that shares them with other sinks.
    pub fn shared_by_sinks(&self) -> Assignment<'_> {
        Assignment::Group(&self.sinks)
    }
}

async fn open_kafka(ownership: Option<&Arc<Ownership>>, settings: &Settings, used: Use) -> anyhow::Result<OpenLog> {
    let cache = ownership.map(|ownership| ownership.folder().join(SCHEMA_CACHE));
    let schemas = Schemas::named_by_the_log();
    let (log, bookmarks, appending): (Arc<dyn Log>, Arc<dyn Bookmarks>, _) = if used == Use::Write {
        let (log, bookmarks) = kafka::open(settings, &schemas, cache).await?;
        (log.clone(), bookmarks.clone(), Some(Appending { writer: log, bookmarks }))
    } else {
        let list = SharedList::of(settings)?.context("a log in Kafka has a list of servers")?;
        (kafka::open_source(settings, &schemas, cache, used).await?, list.bookmarks()?, None)
    };
    let sinks = settings.get(key::SINK_GROUP).to_owned();
    Ok(OpenLog { source: log, bookmarks, schemas, appending, is_alone: false, sinks, _ownership: ownership.cloned() })
}

async fn open_embedded(ownership: &Arc<Ownership>, settings: &Settings) -> anyhow::Result<OpenLog> {
    let folder = folder(ownership.folder(), settings)?;
    let opened = tokio::task::spawn_blocking({
        let folder = folder.clone();
        move || EmbeddedLog::open(folder)
    });
    let log = Arc::new(opened.await?.context("open the log")?);
    ownership.hold(&folder)?;
    let appending = Some(Appending { writer: log.clone(), bookmarks: log.clone() });
    let sinks = settings.get(key::SINK_GROUP).to_owned();
    Ok(OpenLog {
        bookmarks: log.clone(),
        source: log,
        schemas: Schemas::default(),
        appending,
        is_alone: true,
        sinks,
        _ownership: Some(Arc::clone(ownership)),
    })
}

/// The folder of a `file:` log.
pub(super) fn folder(data: &Path, settings: &Settings) -> anyhow::Result<PathBuf> {
    path_below(data, key::LOG_URL, settings)
}

/// True if a log could not be opened because it is damaged.
pub(super) fn is_damaged(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(LogError::Damaged { .. }))
}
