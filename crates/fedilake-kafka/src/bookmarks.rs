//! The servers topic as a map. Before each answer it is caught up from the last offset read.
//!
//! A key belongs where [`partition_by_host`] puts it now. A record from before partitions were added lies where it was put then,
//! and counts as long as the key is not found where it belongs. A bookmark of a newer fedilake is [`LogError::Newer`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fedilake_log::LogError;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::task::spawn_blocking;

use crate::listener::Listener;
use crate::native::{Queue, What};
use crate::topic::Asker;
use crate::{KafkaError, KafkaSettings, partition_by_host, version};

/// Messages taken at once, and the wait for them.
const TAKEN: usize = 1_000;
const WAIT: Duration = Duration::from_millis(100);
/// Age at which the number of partitions is asked for again.
const COUNT: Duration = Duration::from_secs(2);

pub(crate) struct Marks {
    partitions: Arc<AtomicU32>,
    tail: Arc<Mutex<Tail>>,
    /// For errors.
    place: String,
}

/// The topic as far as it was read.
struct Tail {
    queue: Queue,
    consumer: Arc<BaseConsumer<Listener>>,
    read: HashMap<u32, Read>,
    topic: String,
    asker: Arc<Asker>,
    partitions: Arc<AtomicU32>,
    counted: Instant,
    patience: Duration,
}

#[derive(Default)]
struct Read {
    next: u64,
    values: HashMap<Vec<u8>, Value>,
}

#[derive(Clone)]
struct Value {
    text: String,
    /// The version, if a newer fedilake wrote it.
    newer: Option<String>,
}

impl Marks {
    pub(crate) fn new(settings: &KafkaSettings, asker: Arc<Asker>, partitions: u32) -> Result<Marks, KafkaError> {
        let mut config = settings.reading_client();
        config.set("auto.offset.reset", "earliest");
        let consumer = BaseConsumer::from_config_and_context(&config, Listener::default());
        let consumer = Arc::new(consumer.map_err(|error| settings.no_client(error))?);
        let partitions = Arc::new(AtomicU32::new(partitions));
        let place = format!("{} of Kafka {}", settings.servers_topic, asker.brokers);
        let tail = Tail {
            queue: Queue::of(consumer.clone()),
            consumer,
            read: HashMap::new(),
            topic: settings.servers_topic.clone(),
            asker,
            partitions: partitions.clone(),
            counted: Instant::now(),
            patience: settings.request_timeout,
        };
        Ok(Marks { partitions, tail: Arc::new(Mutex::new(tail)), place })
    }

    /// The partition that `key` belongs to, by the last known number of partitions.
    pub(crate) fn partition(&self, key: &str) -> u32 {
        partition_by_host(key, self.partitions.load(Ordering::Relaxed))
    }

    /// Returns the value that any process saved last under each key.
    pub(crate) async fn load(&self, keys: Vec<String>) -> Result<Vec<Option<String>>, LogError> {
        let names = keys.clone();
        let values = self.blocking("load a bookmark from", move |tail| {
            let partitions = tail.count(COUNT)?;
            let mut is_read = HashSet::new();
            let mut values = Vec::with_capacity(keys.len());
            for key in &keys {
                let home = partition_by_host(key, partitions);
                if is_read.insert(home) {
                    tail.read(home)?;
                }
                let mut value = tail.value(home, key);
                for partition in (0..partitions).filter(|partition| *partition != home) {
                    if value.is_some() {
                        break;
                    }
                    // A writer knows the partition of its key by now, so one read is enough.
                    if !tail.read.contains_key(&partition) {
                        tail.read(partition)?;
                    }
                    value = tail.value(partition, key);
                }
                values.push(value);
            }
            Ok(values)
        });
        let readable = |(name, value): (&String, Option<Value>)| match value {
            Some(Value { newer: Some(version), .. }) => Err(LogError::Newer {
                at: self.place.clone(),
                why: format!("{name} has version {version}, this one reads {}", version::OURS),
            }),
            value => Ok(value.map(|value| value.text)),
        };
        names.iter().zip(values.await?).map(readable).collect()
    }

    /// Returns, for each partition, the values of keys that begin with `prefix`, by the rest of the key.
    pub(crate) async fn all(&self, prefix: impl Into<String>) -> Result<Vec<BTreeMap<String, String>>, LogError> {
        let partitions = self.each(vec![prefix.into()]).await?;
        Ok(partitions.into_iter().map(|mut each| each.pop().unwrap_or_default()).collect())
    }

    /// The same for each of `prefixes`, none of which is the beginning of another: for each partition a map a prefix, in their order.
    pub(crate) async fn each(&self, prefixes: Vec<String>) -> Result<Vec<Vec<BTreeMap<String, String>>>, LogError> {
        self.blocking("read", move |tail| {
            let mut sorted: Vec<(&str, usize)> = prefixes.iter().map(String::as_str).zip(0..).collect();
            sorted.sort_unstable();
            let partitions = tail.count(Duration::ZERO)?;
            (0..partitions)
                .map(|partition| {
                    tail.read(partition)?;
                    let mut each = vec![BTreeMap::new(); sorted.len()];
                    for (key, value) in tail.read.get(&partition).into_iter().flat_map(|read| &read.values) {
                        let Ok(key) = std::str::from_utf8(key) else { continue };
                        // The last one that is not greater: no other can be the key's beginning.
                        let after = sorted.partition_point(|(prefix, _)| *prefix <= key);
                        let Some((prefix, nth)) = after.checked_sub(1).map(|last| sorted[last]) else { continue };
                        if let Some(rest) = key.strip_prefix(prefix) {
                            each[nth].insert(rest.to_owned(), value.text.clone());
                        }
                    }
                    Ok(each)
                })
                .collect()
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        doing: &'static str,
        ask: impl FnOnce(&mut Tail) -> Result<T, String> + Send + 'static,
    ) -> Result<T, LogError> {
        let tail = self.tail.clone();
        let answer = spawn_blocking(move || ask(&mut tail.lock().unwrap_or_else(PoisonError::into_inner)));
        let answer = answer.await.map_err(|_| LogError::Closed)?;
        answer.map_err(|why| LogError::Storage { doing, at: self.place.clone(), why })
    }
}

impl Tail {
    /// Returns the number of partitions, asked for again if it is older than `age_max`.
    fn count(&mut self, age_max: Duration) -> Result<u32, String> {
        if self.counted.elapsed() >= age_max {
            let topic = self.asker.describe(&self.topic)?.ok_or("the topic was deleted")?;
            self.partitions.store(topic.partitions, Ordering::Relaxed);
            self.counted = Instant::now();
        }
        Ok(self.partitions.load(Ordering::Relaxed))
    }

    /// Reads the partition to the end that it has now.
    fn read(&mut self, partition: u32) -> Result<(), String> {
        let (start, end) = self.asker.bounds(&self.topic, partition)?;
        let read = self.read.entry(partition).or_default();
        if read.next > end {
            // The topic was made again.
            *read = Read::default();
        }
        if read.next < end {
            read.next = read.next.max(start);
            read.up_to(end, &self.queue, &self.consumer, &self.topic, partition, self.patience)?;
        }
        Ok(())
    }

    fn value(&self, partition: u32, key: &str) -> Option<Value> {
        self.read.get(&partition)?.values.get(key.as_bytes()).cloned()
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
                        let newer = version::check(messages.header(version::HEADER_C)).err();
                        let text = String::from_utf8_lossy(value).into_owned();
                        self.values.insert(key.to_owned(), Value { text, newer });
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
