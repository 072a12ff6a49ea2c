//! The servers topic as a map. Before each answer it is caught up from the last offset read.
//!
//! A key belongs where [`partition_by_host`] puts it now. A record from before partitions were added lies where it was put then,
//! and counts as long as the key is not found where it belongs. A bookmark of a newer fedilake is [`LogError::Newer`].

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fedilake_log::LogError;
use rdkafka::ClientConfig;
use tokio::task::spawn_blocking;

use super::hosts::partition_by_host;
use crate::feed::Feed;
use crate::listener::Listener;
use crate::native::{Message, Messages, What};
use crate::topic::Asker;
use crate::{KafkaError, KafkaSettings, version};

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
    feed: Feed,
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
        let set = |config: &mut ClientConfig| {
            // A fetch that finds nothing new holds up the next look.
            config.set("auto.offset.reset", "earliest").set("fetch.wait.max.ms", "10");
        };
        let feed = Feed::open(settings, &settings.servers_topic, Listener::default(), set, None)?;
        let partitions = Arc::new(AtomicU32::new(partitions));
        let place = format!("{} of Kafka {}", settings.servers_topic, asker.brokers);
        let tail = Tail {
            feed,
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
            let homes: HashSet<u32> = keys.iter().map(|key| partition_by_host(key, partitions)).collect();
            tail.catch_up(homes)?;
            // A writer knows the partition of its key by now, so one read of the others is enough.
            let are_all_home = keys.iter().all(|key| tail.value(partition_by_host(key, partitions), key).is_some());
            if !are_all_home {
                let unread = (0..partitions).filter(|partition| !tail.read.contains_key(partition)).collect();
                tail.catch_up(unread)?;
            }
            let values: Vec<Option<Value>> = keys
                .iter()
                .map(|key| {
                    let home = partition_by_host(key, partitions);
                    tail.value(home, key).or_else(|| (0..partitions).find_map(|partition| tail.value(partition, key)))
                })
                .collect();
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
            tail.catch_up((0..partitions).collect())?;
            let values = (0..partitions).map(|partition| {
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
                each
            });
            Ok(values.collect())
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

    /// Reads the partitions, all at once, to the ends that they have now.
    fn catch_up(&mut self, partitions: HashSet<u32>) -> Result<(), String> {
        let partitions: Vec<u32> = partitions.into_iter().collect();
        let mut ends = HashMap::new();
        for (partition, (start, end)) in self.asker.bounds(&self.topic, &partitions)? {
            let read = self.read.entry(partition).or_default();
            if read.next > end {
                // The topic was made again.
                *read = Read::default();
            }
            if read.next < end {
                read.next = read.next.max(start);
                ends.insert(partition, end);
            }
        }
        let mut started = Vec::with_capacity(ends.len());
        let mut caught_up = Ok(());
        for partition in ends.keys() {
            let next = self.read.get(partition).map(|read| read.next);
            caught_up = self.feed.start(*partition, next);
            if caught_up.is_err() {
                break;
            }
            started.push(*partition);
        }
        let mut caught_up = caught_up.map_err(|error| error.to_string()).and_then(|()| self.read_to(ends));
        for partition in started {
            caught_up = caught_up.and(self.feed.stop(partition).map_err(|error| error.to_string()));
        }
        caught_up
    }

    /// Reads what is started until each partition is at its end.
    fn read_to(&mut self, mut ends: HashMap<u32, u64>) -> Result<(), String> {
        let mut deadline = Instant::now() + self.patience;
        while !ends.is_empty() {
            let mut messages = self.feed.take(TAKEN, WAIT);
            if messages.len() > 0 {
                deadline = Instant::now() + self.patience;
            } else if Instant::now() > deadline {
                return Err("the topic cannot be read to its end in time".into());
            }
            while let Some(message) = messages.peek() {
                if let What::Failed { why, .. } = &message.what
                    && message.partition >= 0
                {
                    return Err(why.clone());
                }
                let partition = u32::try_from(message.partition);
                if let Ok(partition) = partition
                    && let Some(end) = ends.get(&partition)
                {
                    let read = self.read.entry(partition).or_default();
                    read.take(&message, &messages);
                    if read.next >= *end {
                        ends.remove(&partition);
                    }
                }
                messages.advance();
            }
        }
        Ok(())
    }

    fn value(&self, partition: u32, key: &str) -> Option<Value> {
        self.read.get(&partition)?.values.get(key.as_bytes()).cloned()
    }
}

impl Read {
    fn take(&mut self, message: &Message<'_>, messages: &Messages) {
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
            What::Failed { .. } => {}
        }
    }
}
