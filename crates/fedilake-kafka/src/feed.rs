//! The partitions of one topic, as librdkafka reads them: each is started at an offset, stopped, and started again where librdkafka
//! gave it up.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fedilake_log::LogError;
use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError as Rdkafka;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use crate::listener::Listener;
use crate::native::{Messages, Queue};
use crate::{KafkaError, KafkaSettings};

/// The group that librdkafka wants of every consumer. Nothing joins it or commits to it.
pub(crate) const READER_GROUP: &str = "fedilake-reader";

pub(crate) struct Feed {
    topic: String,
    queue: Queue,
    consumer: Arc<BaseConsumer<Listener>>,
    /// Partitions of which librdkafka reads no further.
    stuck: BTreeSet<u32>,
    brokers: String,
}

impl Feed {
    /// Of a topic no partition of which is started. `set` adds to the client's configuration; `wake` is notified when there may be
    /// something to take.
    pub(crate) fn open(
        settings: &KafkaSettings,
        topic: &str,
        listener: Listener,
        set: impl FnOnce(&mut ClientConfig),
        wake: Option<&Arc<Notify>>,
    ) -> Result<Feed, KafkaError> {
        let mut config = settings.reading_client();
        set(&mut config);
        let consumer = BaseConsumer::from_config_and_context(&config, listener);
        let mut consumer = consumer.map_err(|error| settings.no_client(error))?;
        if let Some(wake) = wake.cloned() {
            consumer.set_nonempty_callback(move || wake.notify_one());
        }
        let consumer = Arc::new(consumer);
        find_leaders(&consumer, topic);
        Ok(Feed {
            topic: topic.to_owned(),
            queue: Queue::of(consumer.clone()),
            consumer,
            stuck: BTreeSet::new(),
            brokers: settings.brokers.clone(),
        })
    }

    /// Reads the partition, which is stopped, from `offset` on, or from its first record.
    pub(crate) fn start(&mut self, partition: u32, offset: Option<u64>) -> Result<(), LogError> {
        let from = match offset.map(i64::try_from) {
            None => Offset::Beginning,
            Some(Ok(offset)) => Offset::Offset(offset),
            Some(Err(_)) => return Err(self.failed(format!("{offset:?} is beyond every offset"))),
        };
        let started = self.list(partition, from).and_then(|list| self.consumer.incremental_assign(&list));
        started.map_err(|error| self.failed(error.to_string()))
    }

    /// Reads the partition no further. What was read of it and not taken does not come; what was taken is the caller's.
    pub(crate) fn stop(&mut self, partition: u32) -> Result<(), LogError> {
        self.stuck.remove(&partition);
        let stopped = self.list(partition, Offset::Invalid).and_then(|list| self.consumer.incremental_unassign(&list));
        stopped.map_err(|error| self.failed(error.to_string()))
    }

    /// Takes the messages that are there now, at most `max`; waits up to `patience` for the first.
    pub(crate) fn take(&self, max: usize, patience: Duration) -> Messages {
        self.queue.take(max, patience)
    }

    /// Notes that librdkafka gave up the partition: it said so instead of giving a record.
    pub(crate) fn give_up(&mut self, partition: u32) {
        self.stuck.insert(partition);
    }

    /// The partitions that librdkafka gave up and that were not started again.
    pub(crate) fn stuck(&self) -> impl Iterator<Item = u32> + '_ {
        self.stuck.iter().copied()
    }

    /// See [`Listener::topic_has_changed`].
    pub(crate) fn topic_has_changed(&self) -> bool {
        self.consumer.context().topic_has_changed()
    }

    /// The error of reading the topic.
    pub(crate) fn failed(&self, why: String) -> LogError {
        LogError::Storage { doing: "read", at: format!("{} of Kafka {}", self.topic, self.brokers), why }
    }

    fn list(&self, partition: u32, offset: Offset) -> Result<TopicPartitionList, Rdkafka> {
        let mut list = TopicPartitionList::with_capacity(1);
        list.add_partition_offset(&self.topic, partition as i32, offset)?;
        Ok(list)
    }
}

/// Has a client that reads find the leaders of the topic's partitions: left to itself it looks for them a second after the first
/// partition is started.
fn find_leaders(reader: &Arc<BaseConsumer<Listener>>, topic: &str) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let (reader, topic) = (reader.clone(), topic.to_owned());
    spawn_blocking(move || {
        // Whoever reads is told what is wrong.
        if let Err(error) = reader.fetch_metadata(Some(&topic), PATIENCE) {
            tracing::debug!("kafka: leaders of {topic}: {error}");
        }
    });
}

/// True if the error does not pass by itself.
pub(crate) fn is_forbidden(code: RDKafkaRespErr) -> bool {
    use RDKafkaRespErr::*;
    matches!(
        code,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED
            | RD_KAFKA_RESP_ERR__AUTHENTICATION
            | RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED
    )
}
