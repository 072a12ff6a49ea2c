//! An open log, to be read ([`KafkaSource`]) or to be written as well ([`KafkaLog`]).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use fedilake_log::{Bookmarks, Bounds, Key, LogError, LogId, LogReader, LogWriter, Offset, Partition};
use tokio::task::spawn_blocking;

use crate::cache::Cache;
use crate::membership::Membership;
use crate::native::{Topic, TopicId};
use crate::reader::KafkaReader;
use crate::registry::Registry;
use crate::schemas::{Frame, Ids, Meaning, Schemas};
use crate::servers::Servers;
use crate::topic::{self, Asker, Purpose};
use crate::writer::Writer;
use crate::{KafkaError, KafkaSettings, hosts};

/// Between two questions for a partition that its leader does not know yet.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A log in a topic of Kafka, open to be read: nothing is produced, no schema registered, and the Schema Registry is asked only
/// for schemas that records have and this program has not met. Readers may outlive it.
pub struct KafkaSource {
    shared: Arc<Shared>,
}

/// A log in a topic of Kafka, open to be written and read. Readers may outlive it.
pub struct KafkaLog {
    source: KafkaSource,
    frame: Frame,
    writer: Arc<Writer>,
    servers: Servers,
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
    pub async fn open(settings: KafkaSettings, schemas: Schemas) -> Result<KafkaSource, KafkaError> {
        let asker = Arc::new(Asker::new(&settings)?);
        let topic = topic::require(&settings, &asker, &settings.topic).await?;
        KafkaSource::of(settings, schemas, asker, topic.id)
    }

    /// The same for a sink, which may be the first to run: creates the topic if there is none, and refuses one whose settings
    /// would lose records.
    pub async fn open_or_create(settings: KafkaSettings, schemas: Schemas) -> Result<KafkaSource, KafkaError> {
        let asker = Arc::new(Asker::new(&settings)?);
        let topic = topic::ensure(&settings, &asker, &settings.topic, Purpose::Records).await?;
        KafkaSource::of(settings, schemas, asker, topic.id)
    }

    fn of(
        settings: KafkaSettings,
        schemas: Schemas,
        asker: Arc<Asker>,
        topic_id: TopicId,
    ) -> Result<KafkaSource, KafkaError> {
        let id = LogId::new(topic_id.for_urls()).expect("base64 for URLs is in an id's alphabet");
        let registry = Registry::new(&settings.registry)?;
        let cache = settings.schema_cache.as_ref().map(|folder| Cache::new(folder, &id));
        let ids = Ids::new(registry, schemas, subject(&settings), cache);
        Ok(KafkaSource { shared: Arc::new(Shared { settings, id, topic_id, ids, asker }) })
    }

    /// The log's identity: the topic's id.
    pub fn id(&self) -> &LogId {
        &self.shared.id
    }

    /// A reader of every partition, also of those that are added later, independent of all others. Its releases have no effect.
    pub fn reader(&self) -> Result<Box<dyn LogReader>, KafkaError> {
        Ok(Box::new(KafkaReader::new(self.shared.clone(), None)?))
    }

    /// A reader of the partitions that `group` gives it: each is one member's at a time. Its releases are committed as the
    /// group's offsets, for others to see the lag by.
    pub fn group_reader(&self, group: &str) -> Result<Box<dyn LogReader>, KafkaError> {
        let member = Membership::join(&self.shared.settings, group)?;
        Ok(Box::new(KafkaReader::new(self.shared.clone(), Some(member))?))
    }
}

impl KafkaLog {
    /// Registers the schema, creates the topics that are not there, and checks those that are.
    pub async fn open(settings: KafkaSettings, schemas: Schemas) -> Result<KafkaLog, KafkaError> {
        let asker = Arc::new(Asker::new(&settings)?);
        let registry = Registry::new(&settings.registry)?;
        let own_id = registry.register(&subject(&settings), schemas.schema).await?;
        let (topic, servers) = tokio::try_join!(
            topic::ensure(&settings, &asker, &settings.topic, Purpose::Records),
            topic::ensure(&settings, &asker, &settings.servers_topic, Purpose::Servers),
        )?;
        let writer = Arc::new(Writer::new(&settings)?);
        let servers = Servers::new(&settings, asker.clone(), Some(writer.clone()), servers.partitions)?;
        let source = KafkaSource::of(settings, schemas, asker, topic.id)?;
        source.shared.ids.know(own_id, Meaning::Ours(schemas.header));
        Ok(KafkaLog { source, frame: Frame { header: schemas.header, own_id }, writer, servers })
    }

    /// The log's identity: the topic's id.
    pub fn id(&self) -> &LogId {
        self.source.id()
    }

    /// The list of servers beside the log.
    pub fn servers(&self) -> &Servers {
        &self.servers
    }

    /// The same log, to be read.
    pub fn source(&self) -> &KafkaSource {
        &self.source
    }

    /// See [`KafkaSource::reader`].
    pub fn reader(&self) -> Result<Box<dyn LogReader>, KafkaError> {
        self.source.reader()
    }

    /// See [`KafkaSource::group_reader`].
    pub fn group_reader(&self, group: &str) -> Result<Box<dyn LogReader>, KafkaError> {
        self.source.group_reader(group)
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

impl KafkaLog {
    /// A bookmark's name in the topic that all logs of these servers share. A timeline's bookmark is common to all logs, since a
    /// server is collected into one of them; any other, such as the progress of a replay, belongs to this log.
    fn own<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if hosts::is_of_a_timeline(name) { name.into() } else { format!("{}/{name}", self.id()).into() }
    }
}

#[async_trait]
impl Bookmarks for KafkaLog {
    async fn load(&self, name: &str) -> Result<Option<String>, LogError> {
        self.servers.load(&self.own(name)).await
    }

    async fn load_each(&self, names: &[String]) -> Result<Vec<Option<String>>, LogError> {
        let own: Vec<String> = names.iter().map(|name| self.own(name).into_owned()).collect();
        self.servers.load_each(&own).await
    }

    async fn named(&self, prefix: &str) -> Result<BTreeMap<String, String>, LogError> {
        Ok(self.named_each(&[prefix.to_owned()]).await?.pop().unwrap_or_default())
    }

    async fn named_each(&self, prefixes: &[String]) -> Result<Vec<BTreeMap<String, String>>, LogError> {
        let own: Vec<String> = prefixes.iter().map(|prefix| self.own(prefix).into_owned()).collect();
        let found = self.servers.named_each(&own).await?;
        let others = hosts::timeline(self.id().as_str());
        let each = prefixes.iter().zip(&own).zip(found).map(|((prefix, own), found)| {
            let named = found.into_iter().filter(|(name, _)| !name.starts_with(&others));
            named.map(|(name, value)| (format!("{prefix}{}", &name[own.len()..]), value)).collect()
        });
        Ok(each.collect())
    }

    async fn save(&self, name: &str, value: &str) -> Result<(), LogError> {
        self.servers.save(&self.own(name), value).await
    }
}

impl Shared {
    /// The topic as it is now, if it is still the one that was opened.
    pub(crate) async fn topic(self: &Arc<Shared>) -> Result<Topic, LogError> {
        self.blocking(Shared::topic_now).await
    }

    /// The partition's bounds now, if the topic is still the one that was opened.
    pub(crate) async fn bounds(self: &Arc<Shared>, partition: Partition) -> Result<Bounds, LogError> {
        self.blocking(move |shared| shared.bounds_now(partition)).await
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

    fn bounds_now(&self, partition: Partition) -> Result<Bounds, LogError> {
        let until = Instant::now() + self.settings.request_timeout;
        loop {
            if partition.0 >= self.topic_now()?.partitions {
                return Err(LogError::NotAssigned { partition });
            }
            match self.asker.bounds(&self.settings.topic, partition.0) {
                Ok((start, end)) => return Ok(Bounds { start: Offset(start), end: Offset(end) }),
                // A partition that was just added is in the topic before its leader knows of it.
                Err(refusal) if refusal.is_of_unknown_partition() && Instant::now() < until => thread::sleep(ASK_AGAIN),
                Err(refusal) => return Err(self.failed("look up the bounds of", refusal.why)),
            }
        }
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
