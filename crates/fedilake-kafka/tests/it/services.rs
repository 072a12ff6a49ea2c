//! The real broker and registry, where they are; and a log of a test's own on them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fedilake_kafka::{Header, KafkaLog, KafkaSettings, LogBookmarks, Schemas, Servers, Unlearned};
use fedilake_log::Log;
use fedilake_services::Services;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, Producer};
use url::Url;

/// The header of the tests' records, outside Kafka.
pub(crate) const HEADER: Header = *b"\xC3\x01ownownow";
/// The header of records with a learned schema.
pub(crate) const LEARNED: Header = *b"\xC3\x01learned!";

pub(crate) const SCHEMA: &str =
    r#"{"type": "record", "namespace": "test", "name": "Thing", "fields": [{"name": "a", "type": "int"}]}"#;

/// Schemas whose other versions are learned unless they have a field `strange`.
pub(crate) struct Things {
    /// Our own.
    pub(crate) schema: &'static str,
}

impl Schemas for Things {
    fn header(&self) -> Header {
        HEADER
    }

    fn schema(&self) -> &str {
        self.schema
    }

    fn learn(&self, schema: &str) -> Result<Header, Unlearned> {
        match schema {
            schema if schema.contains("\"strange\"") => Err(Unlearned::Newer("the field `strange`".to_owned())),
            schema if !schema.contains("Thing") => Err(Unlearned::Foreign("another name".to_owned())),
            _ => Ok(LEARNED),
        }
    }

    fn is_known(&self, header: &Header) -> bool {
        [HEADER, LEARNED].contains(header)
    }

    fn is_body(&self, body: &[u8]) -> bool {
        body.len() == 1 && body[0].is_ascii_digit()
    }
}

pub(crate) fn schemas() -> Arc<dyn Schemas> {
    Arc::new(Things { schema: SCHEMA })
}

/// Settings for a log of the test's own; `None`, and why on stderr, where there are no services.
pub(crate) fn settings(test: &str) -> Option<KafkaSettings> {
    let Services { kafka: brokers, registry, .. } = Services::shared(test)?;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let topic = format!("test.{test}.{:x}", since.as_nanos());
    let registry = Url::parse(&registry).expect("FEDILAKE_TEST_REGISTRY is a URL");
    let mut settings = KafkaSettings::new(brokers, &topic, registry);
    settings.servers_topic = format!("{topic}.servers");
    settings.servers_partitions = 4;
    settings.session_timeout = Duration::from_secs(6);
    Some(settings)
}

pub(crate) async fn open(settings: &KafkaSettings) -> KafkaLog {
    KafkaLog::open(settings.clone(), schemas()).await.unwrap()
}

/// The bookmarks of the log's collectors.
pub(crate) async fn bookmarks(settings: &KafkaSettings, log: &KafkaLog) -> LogBookmarks {
    LogBookmarks::new(Servers::open(settings.clone()).await.unwrap(), log.id().clone())
}

pub(crate) fn client(settings: &KafkaSettings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.brokers);
    config
}

/// Names of the broker's topics that begin with the test's own.
pub(crate) fn topics(settings: &KafkaSettings) -> Vec<String> {
    let admin = admin(settings);
    let metadata = admin.inner().fetch_metadata(None, Duration::from_secs(20)).unwrap();
    let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
    names.filter(|name| name.starts_with(&settings.topic)).collect()
}

/// The registry's subjects that begin with the test's own.
pub(crate) async fn subjects(settings: &KafkaSettings) -> Vec<String> {
    let url = settings.registry.url.join("subjects").unwrap();
    let answer = reqwest::Client::new().get(url).send().await.unwrap().bytes().await.unwrap();
    let subjects: Option<Vec<String>> = serde_json::from_slice(&answer).unwrap();
    subjects.unwrap_or_default().into_iter().filter(|name| name.starts_with(&settings.topic)).collect()
}

fn admin(settings: &KafkaSettings) -> AdminClient<DefaultClientContext> {
    client(settings).create().unwrap()
}

pub(crate) async fn delete_topic(settings: &KafkaSettings) {
    let deleted = admin(settings).delete_topics(&[&settings.topic], &AdminOptions::new()).await.unwrap();
    assert!(deleted[0].is_ok());
}

pub(crate) async fn create_topic(settings: &KafkaSettings, config: &[(&str, &str)]) {
    let mut topic = NewTopic::new(&settings.topic, 1, TopicReplication::Fixed(1));
    for (name, value) in config {
        topic = topic.set(name, value);
    }
    let created = admin(settings).create_topics(&[topic], &AdminOptions::new()).await.unwrap();
    assert!(created[0].is_ok(), "{created:?}");
}

pub(crate) async fn add_partitions(settings: &KafkaSettings, count: usize) {
    add_partitions_to(settings, &settings.topic, count).await;
}

pub(crate) async fn add_partitions_to(settings: &KafkaSettings, topic: &str, count: usize) {
    let partitions = rdkafka::admin::NewPartitions::new(topic, count);
    let added = admin(settings).create_partitions(&[partitions], &AdminOptions::new()).await.unwrap();
    assert!(added[0].is_ok());
}

pub(crate) async fn delete_records(settings: &KafkaSettings, partition: i32, below: i64) {
    let mut list = rdkafka::TopicPartitionList::new();
    list.add_partition_offset(&settings.topic, partition, rdkafka::Offset::Offset(below)).unwrap();
    admin(settings).delete_records(&list, &AdminOptions::new()).await.unwrap();
}

/// A producer with transactions, which is not ours.
pub(crate) fn transactional(settings: &KafkaSettings) -> BaseProducer {
    let producer: BaseProducer = client(settings).set("transactional.id", &settings.topic).create().unwrap();
    producer.init_transactions(Duration::from_secs(20)).unwrap();
    producer
}

/// Registers a schema under the topic's subject, as another program would; its id.
pub(crate) async fn register(settings: &KafkaSettings, schema: &str) -> u32 {
    let url = settings.registry.url.join(&format!("subjects/{}-value/versions", settings.topic)).unwrap();
    let body = serde_json::json!({ "schema": schema }).to_string();
    let request = reqwest::Client::new().post(url).header("Content-Type", "application/json").body(body);
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    u32::try_from(answer["id"].as_u64().unwrap_or_else(|| panic!("{answer}"))).unwrap()
}
