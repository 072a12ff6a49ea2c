//! A share of the list of servers: the partitions that a consumer group gives to this member, and what they list.
//!
//! The group alone decides which member has which partition. An assigned partition is read from its start to its end at that
//! moment and reported as a whole, so that older values which compaction has left do not show. From then on each change is
//! reported. A revoked partition, also one that the group took because it gave us up, is reported before anything else.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fedilake_log::LogError;
use rdkafka::ClientConfig;
use tokio::sync::Notify;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until};

use super::SERVER;
use crate::feed::{Feed, is_forbidden};
use crate::listener::Listener;
use crate::membership::{Change, Membership};
use crate::native::{Message, Refusal, What};
use crate::topic::Asker;
use crate::{KafkaError, KafkaSettings};

/// Interval at which the group is asked for news without a sign of any, and failed reads are tried again.
const LOOK: Duration = Duration::from_secs(1);
/// Messages taken at once.
const TAKEN: usize = 1_000;

/// A change of a member's share of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShareEvent {
    /// A partition is this member's from now on.
    Assigned {
        /// The partition.
        partition: u32,
        /// Its values by name when it was assigned, or a little later.
        entries: BTreeMap<String, String>,
    },
    /// A partition, with all its names, is another member's now.
    Revoked {
        /// The partition.
        partition: u32,
    },
    /// A name was added, or has another value.
    Put {
        /// A partition of this member.
        partition: u32,
        /// The name.
        name: String,
        /// Its new value.
        value: String,
    },
    /// A name is no longer in the partition.
    Removed {
        /// A partition of this member.
        partition: u32,
        /// The name.
        name: String,
    },
}

/// A member of a group that shares the list. Dropping it leaves the group and blocks meanwhile: see [`Share::leave`].
pub struct Share {
    topic: String,
    asker: Arc<Asker>,
    member: Membership,
    feed: Feed,
    /// Notified when a queue may have something.
    wake: Arc<Notify>,
    portions: HashMap<u32, Portion>,
    events: VecDeque<ShareEvent>,
    /// The ends of assigned partitions, being asked for.
    ends: JoinSet<(u32, Result<u64, String>)>,
    next_look: Instant,
}

/// The portion of a member: one partition and what was read of it.
#[derive(Default)]
struct Portion {
    next: u64,
    /// The offset up to which the partition is read before it is reported.
    end: Option<u64>,
    is_told: bool,
    entries: BTreeMap<String, String>,
}

impl Share {
    pub(crate) fn join(settings: &KafkaSettings, asker: Arc<Asker>, group: &str) -> Result<Share, KafkaError> {
        let topic = settings.servers_topic.clone();
        let mut member = Membership::join(&KafkaSettings { topic: topic.clone(), ..settings.clone() }, group)?;
        let wake = Arc::new(Notify::new());
        member.on_news({
            let wake = wake.clone();
            move || wake.notify_one()
        });
        let set = |config: &mut ClientConfig| {
            config.set("auto.offset.reset", "earliest").set("topic.metadata.refresh.interval.ms", "2000");
        };
        let feed = Feed::open(settings, &topic, Listener::default(), set, Some(&wake))?;
        Ok(Share {
            topic,
            asker,
            member,
            feed,
            wake,
            portions: HashMap::new(),
            events: VecDeque::new(),
            ends: JoinSet::new(),
            next_look: Instant::now(),
        })
    }

    /// The next change; waits for it. Cancel-safe. An error does not pass by itself.
    pub async fn next(&mut self) -> Result<ShareEvent, LogError> {
        loop {
            self.hear_group()?;
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            self.read()?;
            if !self.events.is_empty() {
                continue;
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep_until(self.next_look) => self.look()?,
                Some(found) = self.ends.join_next() => {
                    // One that panicked or was aborted says nothing of its partition; neither happens.
                    if let Ok((partition, end)) = found {
                        self.take_end(partition, end);
                    }
                }
            }
        }
    }

    /// Leaves the group, so that the others get our partitions at once.
    pub async fn leave(self) {
        // A task that panics has nothing to tell here.
        let _ = spawn_blocking(move || drop(self)).await;
    }

    /// Takes note of the group's decisions.
    fn hear_group(&mut self) -> Result<(), LogError> {
        while let Some(change) = self.member.hear().map_err(|why| self.feed.failed(why))? {
            match change {
                Change::Assigned(partitions) => {
                    for partition in partitions {
                        let partition = partition as u32;
                        if self.portions.insert(partition, Portion::default()).is_some() {
                            self.feed.stop(partition)?;
                        }
                        self.feed.start(partition, None)?;
                        self.ask_end(partition, Duration::ZERO);
                    }
                }
                Change::Revoked(partitions) => {
                    for partition in partitions {
                        let partition = partition as u32;
                        let Some(portion) = self.portions.remove(&partition) else { continue };
                        self.feed.stop(partition)?;
                        if portion.is_told {
                            self.events.push_back(ShareEvent::Revoked { partition });
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn ask_end(&mut self, partition: u32, after: Duration) {
        let (asker, topic) = (self.asker.clone(), self.topic.clone());
        self.ends.spawn(async move {
            sleep(after).await;
            let bounds = spawn_blocking(move || asker.bounds(&topic, &[partition])).await;
            let bounds = bounds.unwrap_or_else(|error| Err(Refusal::because(&error.to_string())));
            let end = bounds
                .and_then(|bounds| bounds.get(&partition).map(|(_, end)| *end).ok_or(Refusal::because("no answer")));
            (partition, end.map_err(String::from))
        });
    }

    fn take_end(&mut self, partition: u32, end: Result<u64, String>) {
        let Some(portion) = self.portions.get_mut(&partition).filter(|portion| portion.end.is_none()) else { return };
        match end {
            Ok(end) => {
                portion.end = Some(end);
                self.events.extend(portion.tell_if_read(partition));
            }
            Err(why) => {
                tracing::debug!("kafka: the end of partition {partition} of {}: {why}", self.topic);
                self.ask_end(partition, LOOK);
            }
        }
    }

    /// Takes the messages that were read.
    fn read(&mut self) -> Result<(), LogError> {
        loop {
            let mut messages = self.feed.take(TAKEN, Duration::ZERO);
            if messages.len() == 0 {
                return Ok(());
            }
            while let Some(message) = messages.peek() {
                match &message.what {
                    What::Failed { code, why } if is_forbidden(*code) => return Err(self.feed.failed(why.clone())),
                    What::Failed { why, .. } => tracing::debug!("kafka: read {}: {why}", self.topic),
                    _ => {}
                }
                let partition = message.partition as u32;
                if let Some(portion) = self.portions.get_mut(&partition) {
                    if matches!(message.what, What::Failed { .. }) {
                        self.feed.give_up(partition);
                    }
                    self.events.extend(portion.take(partition, message));
                    self.events.extend(portion.tell_if_read(partition));
                }
                messages.advance();
            }
        }
    }

    /// Starts failed reads again.
    fn look(&mut self) -> Result<(), LogError> {
        self.next_look = Instant::now() + LOOK;
        for partition in self.feed.stuck().collect::<Vec<_>>() {
            self.feed.stop(partition)?;
            if let Some(portion) = self.portions.get(&partition) {
                self.feed.start(partition, (portion.next > 0).then_some(portion.next))?;
            }
        }
        Ok(())
    }
}

impl Portion {
    /// Takes a message; returns its change if the partition was reported already.
    fn take(&mut self, partition: u32, message: Message<'_>) -> Option<ShareEvent> {
        let offset = message.offset as u64;
        let (key, value) = match message.what {
            What::Record { key, value, .. } => (key, value),
            What::End => {
                self.next = self.next.max(offset);
                // A later end than at the partition's assignment.
                self.end.get_or_insert(offset);
                return None;
            }
            What::Failed { .. } => return None,
        };
        self.next = offset + 1;
        let name = std::str::from_utf8(key).ok()?.strip_prefix(SERVER)?.to_owned();
        let is_news = match value {
            Some(value) => {
                let value = String::from_utf8_lossy(value).into_owned();
                self.entries.insert(name.clone(), value.clone()).as_ref() != Some(&value)
            }
            None => self.entries.remove(&name).is_some(),
        };
        let news = match self.entries.get(&name) {
            Some(value) => ShareEvent::Put { partition, value: value.clone(), name },
            None => ShareEvent::Removed { partition, name },
        };
        (self.is_told && is_news).then_some(news)
    }

    /// Returns the whole partition, once it is read as far as it must be.
    fn tell_if_read(&mut self, partition: u32) -> Option<ShareEvent> {
        if self.is_told || self.end.is_none_or(|end| self.next < end) {
            return None;
        }
        self.is_told = true;
        Some(ShareEvent::Assigned { partition, entries: self.entries.clone() })
    }
}
