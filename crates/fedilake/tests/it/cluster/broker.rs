//! The operations of an operator or another program on a topic.

use std::time::Duration;

use fedilake_services::Services;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{Cluster, wait_for};

const PATIENCE: Duration = Duration::from_secs(20);

/// The topic of a cluster, as its operator sees it.
pub struct Broker {
    topic: String,
    registry: String,
    config: ClientConfig,
    admin: AdminClient<DefaultClientContext>,
    consumer: BaseConsumer,
    producer: BaseProducer,
    runtime: Runtime,
}

impl Broker {
    pub fn of(cluster: &Cluster) -> Broker {
        let Services { kafka, registry, .. } = &cluster.services;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka);
        Broker {
            topic: cluster.topic.clone(),
            registry: registry.clone(),
            admin: config.create().unwrap(),
            consumer: config.create().unwrap(),
            producer: config.create().unwrap(),
            runtime: Runtime::new().unwrap(),
            config,
        }
    }

    /// The first offset of a partition, and the offset of its next record.
    pub fn bounds(&self, partition: i32) -> (i64, i64) {
        self.consumer.fetch_watermarks(&self.topic, partition, PATIENCE).unwrap()
    }

    /// The topics of the cluster that are there.
    pub fn topics(&self) -> Vec<String> {
        let metadata = self.consumer.fetch_metadata(None, PATIENCE).unwrap();
        let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
        names.filter(|name| name.starts_with(&self.topic)).collect()
    }

    /// True if the topic of records is there.
    pub fn has_topic(&self) -> bool {
        self.topics().contains(&self.topic)
    }

    /// The registry's subjects of the cluster.
    pub fn subjects(&self) -> Vec<String> {
        let listed = self.asked(reqwest::Method::GET, &format!("{}/subjects", self.registry), None);
        let names = listed.as_array().into_iter().flatten().filter_map(Value::as_str);
        names.filter(|name| name.starts_with(&self.topic)).map(str::to_owned).collect()
    }

    /// Deletes records below an offset, as retention does.
    pub fn delete_records(&self, partition: i32, below: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.topic, partition, Offset::Offset(below)).unwrap();
        let deleted = self.runtime.block_on(self.admin.delete_records(&list, &AdminOptions::new())).unwrap();
        deleted.elements().iter().for_each(|element| element.error().unwrap());
        assert_eq!(self.bounds(partition).0, below);
    }

    pub fn add_partitions(&self, count: usize) {
        let partitions = NewPartitions::new(&self.topic, count);
        let added = self.runtime.block_on(self.admin.create_partitions([&partitions], &AdminOptions::new())).unwrap();
        assert!(added[0].is_ok(), "{added:?}");
    }

    pub fn delete_topic(&self) {
        let deleted = self.runtime.block_on(self.admin.delete_topics(&[&self.topic], &AdminOptions::new())).unwrap();
        assert!(deleted[0].is_ok(), "{deleted:?}");
    }

    /// Makes a topic of that name as soon as the old one is gone.
    pub fn create_topic(&self, partitions: i32) {
        let topic = NewTopic::new(&self.topic, partitions, TopicReplication::Fixed(1))
            .set("message.timestamp.type", "LogAppendTime");
        wait_for("the new topic", || {
            let created = self.runtime.block_on(self.admin.create_topics([&topic], &AdminOptions::new())).unwrap();
            created[0].is_ok()
        });
    }

    /// Writes a record. Returns its offset.
    pub fn produce(&self, partition: i32, payload: &[u8]) -> i64 {
        self.produce_with(partition, Some(payload), Some(b"foreign"))
    }

    /// The same for a record that may have no value or no key.
    pub fn produce_with(&self, partition: i32, payload: Option<&[u8]>, key: Option<&[u8]>) -> i64 {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.topic).partition(partition);
        (record.payload, record.key) = (payload, key);
        self.producer.send(record).map_err(|(error, _)| error).unwrap();
        self.producer.flush(PATIENCE).unwrap();
        self.bounds(partition).1 - 1
    }

    /// The value of a record, as it is in Kafka.
    pub fn value(&self, partition: i32, offset: i64) -> Vec<u8> {
        let reader: BaseConsumer = self.config.clone().set("group.id", "tests").create().unwrap();
        let mut at = TopicPartitionList::new();
        at.add_partition_offset(&self.topic, partition, Offset::Offset(offset)).unwrap();
        reader.assign(&at).unwrap();
        let message = reader.poll(PATIENCE).expect("a record").unwrap();
        message.payload().unwrap_or_default().to_vec()
    }

    /// The registry's newest schema of the topic: id and text.
    pub fn schema(&self) -> (u32, Value) {
        let answer = self.ask(reqwest::Method::GET, "versions/latest", None);
        let schema = serde_json::from_str(answer["schema"].as_str().unwrap()).unwrap();
        (id_of(&answer), schema)
    }

    /// Registers a schema for the topic. Returns its id.
    pub fn register(&self, schema: &Value) -> u32 {
        let body = json!({ "schema": schema.to_string() });
        id_of(&self.ask(reqwest::Method::POST, "versions", Some(body.to_string())))
    }

    /// Registers a schema under a subject of another program; its id.
    pub fn register_elsewhere(&self, schema: &Value) -> u32 {
        let body = json!({ "schema": schema.to_string() }).to_string();
        let name = schema["name"].as_str().unwrap_or("plain");
        let url = format!("{}/subjects/{}-other-{name}/versions", self.registry, self.topic);
        id_of(&self.asked(reqwest::Method::POST, &url, Some(body)))
    }

    fn ask(&self, method: reqwest::Method, path: &str, body: Option<String>) -> Value {
        self.asked(method, &format!("{}/subjects/{}-value/{path}", self.registry, self.topic), body)
    }

    fn asked(&self, method: reqwest::Method, url: &str, body: Option<String>) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.request(method, url).header("Content-Type", "application/json");
        let request = request.body(body.unwrap_or_default());
        let answer = self.runtime.block_on(async { request.send().await.unwrap().text().await.unwrap() });
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

fn id_of(answer: &Value) -> u32 {
    answer["id"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or_else(|| panic!("no id: {answer}"))
}

/// A value as Confluent's clients write it: the schema's id, then the body.
pub fn framed(id: u32, body: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], body].concat()
}
