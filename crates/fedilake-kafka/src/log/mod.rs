//! An open log, to be read ([`KafkaSource`]) or to be written as well ([`KafkaLog`]).

mod batch;
mod reader;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use fedilake_log::{Assignment, Bounds, Key, Log, LogError, LogId, LogReader, LogWriter, Offset, Partition};
use tokio::task::spawn_blocking;

use self::reader::KafkaReader;
use crate::membership::Membership;
use crate::native::{Topic, TopicId};
use crate::schema::{Cache, Frame, Ids, Meaning, Registry, Schemas};
use crate::topic::{self, Asker, Purpose};
use crate::writer::Writer;
use crate::{KafkaError, KafkaSettings};

/// A log in a topic of Kafka, open to be read: nothing is produced, no schema registered, and the Schema Registry is asked only
/// for schemas that records have and this program has not met. Readers may outlive it.
pub struct KafkaSource {
    shared: Arc<Shared>,
}

/// A log in a topic of Kafka, open to be written and read. Readers may outlive it.
pub struct KafkaLog {
    source: KafkaSource,
    frame: Frame,
    writer: Writer,
}

/// State shared by a log and its readers.
pub(crate) struct Shared {
    pub(crate) settings: KafkaSettings,
    pub(crate) id: LogId,
    pub(crate) topic_id: TopicId,
    pub(crate) ids: Ids,
    pub(crate) asker: Arc<Asker>,
}

impl KafkaSource {
    /// Opens the log of a topic that is there, with the right to describe and read it. [`KafkaError::NoTopic`] if there is none.
    pub async fn open(settings: KafkaSettings, schemas: Arc<dyn Schemas>) -> Result<KafkaSource, KafkaError> {
        let asker = Arc::new(Asker::new(&settings)?);
        let topic = topic::require(&settings, &asker, &settings.topic).await?;
        KafkaSource::of(settings, schemas, asker, topic.id)
    }

    /// The same for a sink, which may be the first to run: creates the topic if there is none, and refuses one whose settings
    /// would lose records.
    pub async fn open_or_create(settings: KafkaSettings, schemas: Arc<dyn Schemas>) -> Result<KafkaSource, KafkaError> {
        let asker = Arc::new(Asker::new(&settings)?);
        let topic = topic::ensure(&settings, &asker, &settings.topic, Purpose::Records).await?;
        KafkaSource::of(settings, schemas, asker, topic.id)
    }

    fn of(
        settings: KafkaSettings,
        schemas: Arc<dyn Schemas>,
        asker: Arc<Asker>,
        topic_id: TopicId,
    ) -> Result<KafkaSource, KafkaError> {
        let id = LogId::new(topic_id.for_urls()).expect("base64 for URLs is in an id's alphabet");
        let registry = Registry::new(&settings.registry)?;
        let cache = settings.schema_cache.as_ref().map(|folder| Cache::new(folder, &id));
        let ids = Ids::new(registry, schemas, subject(&settings), cache);
        Ok(KafkaSource { shared: Arc::new(Shared { settings, id, topic_id, ids, asker }) })
    }
}

#[async_trait]
impl Log for KafkaSource {
    /// The topic's id.
    fn id(&self) -> &LogId {
        &self.shared.id
    }

    async fn bounds(&self) -> Result<BTreeMap<Partition, Bounds>, LogError> {
        self.shared.bounds().await
    }

    /// A reader's releases have no effect, and a group's are committed as its offsets, for others to see the lag by.
    fn reader(&self, assignment: Assignment<'_>) -> Result<Box<dyn LogReader>, LogError> {
        let opened = match assignment {
            Assignment::All => KafkaReader::new(self.shared.clone(), None),
            Assignment::Group(group) => Membership::join(&self.shared.settings, group)
                .and_then(|member| KafkaReader::new(self.shared.clone(), Some(member))),
        };
        let reader = opened.map_err(|error| self.shared.failed("open a reader of", error.to_string()))?;
        Ok(Box::new(reader))
    }
}

impl KafkaLog {
    /// Registers the schema, creates the topic if it is not there, and checks one that is.
    pub async fn open(settings: KafkaSettings, schemas: Arc<dyn Schemas>) -> Result<KafkaLog, KafkaError> {
        let asker = Arc::new(Asker::new(&settings)?);
        let registry = Registry::new(&settings.registry)?;
        let own_id = registry.register(&subject(&settings), schemas.schema()).await?;
        let topic = topic::ensure(&settings, &asker, &settings.topic, Purpose::Records).await?;
        let writer = Writer::new(&settings)?;
        let header = schemas.header();
        let source = KafkaSource::of(settings, schemas, asker, topic.id)?;
        source.shared.ids.know(own_id, Meaning::Ours(header));
        Ok(KafkaLog { source, frame: Frame { header, own_id }, writer })
    }
}

#[async_trait]
impl Log for KafkaLog {
    fn id(&self) -> &LogId {
        self.source.id()
    }

    async fn bounds(&self) -> Result<BTreeMap<Partition, Bounds>, LogError> {
        self.source.bounds().await
    }

    fn reader(&self, assignment: Assignment<'_>) -> Result<Box<dyn LogReader>, LogError> {
        self.source.reader(assignment)
    }
}

/// The registry's subject of a log's schemas.
fn subject(settings: &KafkaSettings) -> String {
    format!("{}-value", settings.topic)
}

#[async_trait]
impl LogWriter for KafkaLog {
    /// A call that is dropped before it returns may have appended any of its records.
    async fn append(&self, records: Vec<(Key, Bytes)>) -> Result<(), LogError> {
        self.writer.append(&self.source.shared.settings.topic, &records, &self.frame).await
    }
}

impl Shared {
    /// The bounds of every partition now, if the topic is still the one that was opened.
    pub(crate) async fn bounds(self: &Arc<Shared>) -> Result<BTreeMap<Partition, Bounds>, LogError> {
        self.blocking(|shared| {
            let partitions: Vec<u32> = (0..shared.topic_now()?.partitions).collect();
            shared.bounds_now(&partitions)
        })
        .await
    }

    /// The same of one partition.
    pub(crate) async fn bounds_of(self: &Arc<Shared>, partition: Partition) -> Result<Bounds, LogError> {
        self.blocking(move |shared| {
            let not_assigned = LogError::NotAssigned { partition };
            if partition.0 >= shared.topic_now()?.partitions {
                return Err(not_assigned);
            }
            shared.bounds_now(&[partition.0])?.remove(&partition).ok_or(not_assigned)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        self: &Arc<Shared>,
        ask: impl FnOnce(&Shared) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let shared = self.clone();
        spawn_blocking(move || ask(&shared)).await.map_err(|_| LogError::Closed)?
    }

    fn topic_now(&self) -> Result<Topic, LogError> {
        match self.describe()? {
            Some(topic) if topic.id == self.topic_id => Ok(topic),
            Some(_) => Err(self.made_again()),
            None => Err(self.gone()),
        }
    }

    /// The topic that has the name now, whichever it is. Blocks.
    pub(crate) fn describe(&self) -> Result<Option<Topic>, LogError> {
        self.asker.describe(&self.settings.topic).map_err(|refusal| self.failed("look up", refusal.why))
    }

    fn bounds_now(&self, partitions: &[u32]) -> Result<BTreeMap<Partition, Bounds>, LogError> {
        let found = self.asker.bounds(&self.settings.topic, partitions);
        let found = found.map_err(|refusal| match self.topic_now() {
            // It went away under the question.
            Err(gone) if refusal.is_of_unknown_partition() => gone,
            _ => self.failed("look up the bounds of", refusal.why),
        })?;
        let bounds =
            |(partition, (start, end))| (Partition(partition), Bounds { start: Offset(start), end: Offset(end) });
        Ok(found.into_iter().map(bounds).collect())
    }

    pub(crate) fn failed(&self, doing: &'static str, why: String) -> LogError {
        LogError::Storage { doing, at: format!("{} of Kafka {}", self.settings.topic, self.asker.brokers), why }
    }

    pub(crate) fn made_again(&self) -> LogError {
        let why = format!(
            "the topic was deleted and made again: it is no longer the log {}\n\
             hint: start again, and the new topic is followed beside what the table has of the old one",
            self.id
        );
        self.failed("read", why)
    }

    pub(crate) fn gone(&self) -> LogError {
        self.failed("read", "the topic was deleted\nhint: start again to have it made anew".into())
    }
}
