//! Bookmarks: a compacted topic, read again from where it was left off before each answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fedilake_log::LogError;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::task::spawn_blocking;

use crate::listener::Listener;
use crate::native::{Queue, What};
use crate::reader::READER_GROUP;
use crate::topic::Asker;
use crate::{KafkaError, KafkaSettings, partition_by_host};

/// How many messages are taken at once, and how long they are waited for.
const TAKEN: usize = 1_000;
const WAIT: Duration = Duration::from_millis(100);

pub(crate) struct Marks {
    topic: Arc<str>,
    partitions: u32,
    asker: Arc<Asker>,
    tail: Arc<Mutex<Tail>>,
    patience: Duration,
}

/// What was read so far.
struct Tail {
    queue: Queue,
    consumer: Arc<BaseConsumer<Listener>>,
    read: HashMap<u32, Read>,
}

#[derive(Default)]
struct Read {
    next: u64,
    values: HashMap<Vec<u8>, String>,
}

impl Marks {
    pub(crate) fn new(settings: &KafkaSettings, asker: Arc<Asker>, partitions: u32) -> Result<Marks, KafkaError> {
        let mut config = settings.client();
        config
            .set("group.id", READER_GROUP)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest");
        let consumer = BaseConsumer::from_config_and_context(&config, Listener::default());
        let consumer = consumer
            .map_err(|error| KafkaError::Settings { brokers: settings.brokers.clone(), why: error.to_string() })?;
        let consumer = Arc::new(consumer);
        let tail = Tail { queue: Queue::of(consumer.clone()), consumer, read: HashMap::new() };
        Ok(Marks {
            topic: settings.servers_topic.as_str().into(),
            partitions,
            asker,
            tail: Arc::new(Mutex::new(tail)),
            patience: settings.request_timeout,
        })
    }

    /// Where `key` belongs.
    pub(crate) fn partition(&self, key: &str) -> u32 {
        partition_by_host(key, self.partitions)
    }

    /// What any process saved last under `key`.
    pub(crate) async fn load(&self, key: &str) -> Result<Option<String>, LogError> {
        let (topic, asker, tail, patience) = (self.topic.clone(), self.asker.clone(), self.tail.clone(), self.patience);
        let (partition, key) = (self.partition(key), key.to_owned());
        let failed = format!("{topic} of Kafka {}", self.asker.brokers);
        let loaded = spawn_blocking(move || {
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            let (start, end) = asker.bounds(&topic, partition)?;
            let Tail { queue, consumer, read } = &mut *tail;
            let read = read.entry(partition).or_default();
            if read.next > end {
                // The topic was made again.
                *read = Read::default();
            }
            if read.next < end {
                read.next = read.next.max(start);
                read.up_to(end, queue, consumer, &topic, partition, patience)?;
            }
            Ok(read.values.get(key.as_bytes()).cloned())
        });
        let loaded: Result<Option<String>, String> = loaded.await.map_err(|_| LogError::Closed)?;
        loaded.map_err(|why| LogError::Storage { doing: "load a bookmark from", at: failed, why })
    }
}

impl Read {
    fn up_to(
        &mut self,
        end: u64,
        queue: &Queue,
        consumer: &BaseConsumer<Listener>,
        topic: &str,
        partition: u32,
        patience: Duration,
    ) -> Result<(), String> {
        let partition = i32::try_from(partition).map_err(|error| error.to_string())?;
        let mut from = TopicPartitionList::with_capacity(1);
        let offset = Offset::Offset(i64::try_from(self.next).map_err(|error| error.to_string())?);
        from.add_partition_offset(topic, partition, offset).map_err(|error| error.to_string())?;
        consumer.assign(&from).map_err(|error| error.to_string())?;
        let read = self.read(end, queue, patience);
        consumer.unassign().map_err(|error| error.to_string())?;
        read
    }

    fn read(&mut self, end: u64, queue: &Queue, patience: Duration) -> Result<(), String> {
        let mut deadline = Instant::now() + patience;
        while self.next < end {
            let mut messages = queue.take(TAKEN, WAIT);
            if messages.len() > 0 {
                deadline = Instant::now() + patience;
            } else if Instant::now() > deadline {
                return Err("the topic cannot be read to its end in time".into());
            }
            while let Some(message) = messages.peek() {
                let offset = u64::try_from(message.offset).unwrap_or(0);
                match message.what {
                    What::Record { key, value: Some(value), .. } => {
                        self.values.insert(key.to_owned(), String::from_utf8_lossy(value).into_owned());
                        self.next = offset + 1;
                    }
                    What::Record { key, value: None, .. } => {
                        self.values.remove(key);
                        self.next = offset + 1;
                    }
                    What::End => self.next = self.next.max(offset),
                    What::Failed { why, .. } if message.partition >= 0 => return Err(why),
                    What::Failed { .. } => {}
                }
                messages.advance();
            }
        }
        Ok(())
    }
}
