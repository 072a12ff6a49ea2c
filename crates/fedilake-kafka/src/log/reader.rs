//! A reader: its partitions, its position in each, and the events that it hands out.
//!
//! A partition is given to librdkafka at its first seek and taken back and given again at every other, so that nothing
//! read before comes after. Records move from librdkafka's queue to the caller within one poll of `next`, and the position
//! with them: dropping the call loses nothing. What has to be waited for (a schema, a look at the topic) is a task that
//! belongs to the reader and not to the call.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedilake_log::{Bounds, LogError, LogEvent, LogReader, Offset, Partition};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::batch::Batch;
use crate::KafkaError;
use crate::feed::{Feed, is_forbidden};
use crate::listener::Listener;
use crate::membership::{Change, Membership};
use crate::native::{Messages, Topic, What};
use crate::schema::{Known, Meaning, from_wire};

/// Records handed out at once.
const RECORDS_MAX: usize = 4_096;
/// Interval between looks at the topic: is it still the same, and has it more partitions?
const LOOK: Duration = Duration::from_secs(2);

pub(crate) struct KafkaReader {
    shared: Arc<Shared>,
    /// Taken off the queue and not yet handed out.
    messages: Option<Messages>,
    feed: Feed,
    group: Option<Membership>,
    /// Notified when a queue may have something.
    wake: Arc<Notify>,
    states: Vec<PartitionState>,
    events: VecDeque<LogEvent>,
    known: Arc<Known>,
    check: Option<Check>,
    look: Option<JoinHandle<Result<Option<Topic>, LogError>>>,
    next_look: Instant,
    /// Number of looks in a row that found no topic.
    missed: u32,
    /// The error that ended the reader.
    ended: Option<LogError>,
}

/// The reader's state in a partition.
#[derive(Clone, Default)]
struct PartitionState {
    is_assigned: bool,
    /// The next offset to hand out; none before the first seek.
    position: Option<u64>,
}

/// A wait before records are handed out again.
enum Check {
    Schema { at: (Partition, Offset), task: JoinHandle<Result<(), String>> },
    Bounds { of: Partition, task: JoinHandle<Result<Bounds, LogError>> },
}

enum Step {
    Event(LogEvent),
    /// The next record has a schema that is not known.
    Schema(Partition, Offset, u32),
    Failed(LogError),
    Nothing,
}

impl KafkaReader {
    pub(crate) fn new(shared: Arc<Shared>, mut group: Option<Membership>) -> Result<KafkaReader, KafkaError> {
        let wake = Arc::new(Notify::new());
        if let Some(group) = &mut group {
            group.on_news({
                let wake = wake.clone();
                move || wake.notify_one()
            });
        }
        let listener = Listener::of_topic(shared.topic_id.of_librdkafka());
        let set = |config: &mut ClientConfig| {
            config
                .set("auto.offset.reset", "error")
                .set("isolation.level", "read_committed")
                // A queue that was full is filled again soon: the default stops reading for a second.
                .set("fetch.queue.backoff.ms", "5")
                .set("fetch.error.backoff.ms", "100")
                .set("queued.max.messages.kbytes", "65536")
                .set("topic.metadata.refresh.interval.ms", "2000")
                // Says when the topic has another id: see Listener.
                .set("debug", "topic")
                .set_log_level(RDKafkaLogLevel::Debug);
        };
        let feed = Feed::open(&shared.settings, &shared.settings.topic, listener, set, Some(&wake))?;
        Ok(KafkaReader {
            known: shared.ids.known(),
            shared,
            messages: None,
            feed,
            group,
            wake,
            states: Vec::new(),
            events: VecDeque::new(),
            check: None,
            look: None,
            next_look: Instant::now(),
            missed: 0,
            ended: None,
        })
    }

    /// Takes note of the group's decisions.
    fn hear_group(&mut self) -> Result<(), LogError> {
        while let Some(group) = &self.group {
            match group.hear().map_err(|why| self.shared.failed("read", why))? {
                None => break,
                Some(Change::Assigned(partitions)) => {
                    for partition in partitions {
                        self.assigned(partition as u32);
                    }
                }
                Some(Change::Revoked(partitions)) => {
                    for partition in partitions {
                        self.revoked(partition as u32)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn assigned(&mut self, partition: u32) {
        let at = partition as usize;
        if self.states.len() <= at {
            self.states.resize(at + 1, PartitionState::default());
        }
        if !self.states[at].is_assigned {
            self.states[at] = PartitionState { is_assigned: true, ..PartitionState::default() };
            self.events.push_back(LogEvent::Assigned(Partition(partition)));
        }
    }

    fn revoked(&mut self, partition: u32) -> Result<(), LogError> {
        let Some(state) = self.states.get_mut(partition as usize).filter(|state| state.is_assigned) else {
            return Ok(());
        };
        let PartitionState { position, .. } = std::mem::take(state);
        self.events.push_back(LogEvent::Revoked(Partition(partition)));
        if position.is_some() { self.stop(partition) } else { Ok(()) }
    }

    /// Hands out no more of the partition, not even records that were read already.
    fn stop(&mut self, partition: u32) -> Result<(), LogError> {
        if let Some(messages) = &mut self.messages {
            messages.discard(partition as i32);
        }
        if self.check.as_ref().is_some_and(|check| check.is_of(partition)) {
            self.check = None;
        }
        self.feed.stop(partition)
    }

    fn state(&mut self, partition: Partition) -> Result<&mut PartitionState, LogError> {
        let state = self.states.get_mut(partition.0 as usize).filter(|state| state.is_assigned);
        state.ok_or(LogError::NotAssigned { partition })
    }

    /// Returns the next event that needs no wait.
    fn step(&mut self) -> Step {
        loop {
            let messages = match &mut self.messages {
                Some(messages) if messages.len() > 0 => messages,
                messages => messages.insert(self.feed.take(RECORDS_MAX, Duration::ZERO)),
            };
            // librdkafka says so before it fetches the first record of another topic.
            if self.feed.topic_has_changed() {
                return Step::Failed(self.ended.insert(self.shared.made_again()).clone());
            }
            if messages.len() == 0 {
                return Step::Nothing;
            }
            match hand_out(messages, &mut self.feed, &mut self.states, &mut self.known, &self.shared) {
                Step::Nothing => {}
                step => return step,
            }
        }
    }

    /// Begins to ask for the bounds of a partition that librdkafka gave up.
    fn look_at_stuck(&mut self) {
        if let (None, Some(partition)) = (&self.check, self.feed.stuck().next()) {
            let of = Partition(partition);
            let shared = self.shared.clone();
            let task = tokio::spawn(async move { shared.bounds_of(of).await });
            self.check = Some(Check::Bounds { of, task });
        }
    }

    /// Goes on after a check, or returns its error.
    fn checked(&mut self, outcome: Checked) -> Result<(), LogError> {
        match outcome {
            Checked::Schema { at: (partition, offset), learned } => {
                learned.map_err(|why| LogError::Schema { partition, offset, why })
            }
            Checked::Bounds { of: partition, bounds } => {
                let Bounds { start, end } = bounds?;
                let Some(position) = self.states[partition.0 as usize].position else { return Ok(()) };
                let wanted = Offset(position);
                if wanted < start {
                    return Err(LogError::BelowStart { partition, wanted, start });
                }
                if wanted > end {
                    return Err(LogError::BeyondEnd { partition, wanted, end });
                }
                self.stop(partition.0)?;
                self.feed.start(partition.0, Some(position))
            }
        }
    }

    fn begin_look(&mut self) {
        if self.look.is_none() && Instant::now() >= self.next_look {
            self.next_look = Instant::now() + LOOK;
            let shared = self.shared.clone();
            self.look = Some(spawn_blocking(move || shared.describe()));
        }
    }

    fn looked(&mut self, found: Result<Option<Topic>, LogError>) -> Result<(), LogError> {
        match found {
            Ok(Some(topic)) if topic.id == self.shared.topic_id => {
                self.missed = 0;
                if self.group.is_none() {
                    (0..topic.partitions).for_each(|partition| self.assigned(partition));
                }
                Ok(())
            }
            Ok(Some(_)) => Err(self.ended.insert(self.shared.made_again()).clone()),
            Ok(None) => {
                // A broker that has just started may not know its topics yet.
                const MISSED_MAX: u32 = 2;
                self.missed += 1;
                if self.missed < MISSED_MAX { Ok(()) } else { Err(self.ended.insert(self.shared.gone()).clone()) }
            }
            // librdkafka goes on trying, and so does the next look.
            Err(error) => {
                tracing::debug!("{error}");
                Ok(())
            }
        }
    }
}

#[async_trait]
impl LogReader for KafkaReader {
    async fn next(&mut self) -> Result<LogEvent, LogError> {
        loop {
            if let Some(error) = &self.ended {
                return Err(error.clone());
            }
            self.hear_group()?;
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            if !matches!(self.check, Some(Check::Schema { .. })) {
                match self.step() {
                    Step::Event(event) => return Ok(event),
                    Step::Failed(error) => return Err(error),
                    Step::Schema(partition, offset, id) => {
                        let shared = self.shared.clone();
                        let task = tokio::spawn(async move { shared.ids.resolve(id).await });
                        self.check = Some(Check::Schema { at: (partition, offset), task });
                    }
                    Step::Nothing => {}
                }
            }
            self.look_at_stuck();
            self.begin_look();
            tokio::select! {
                () = self.wake.notified() => {}
                () = sleep_until(self.next_look), if self.look.is_none() => {}
                found = finished(&mut self.look) => {
                    self.look = None;
                    self.looked(found.unwrap_or(Err(LogError::Closed)))?;
                }
                outcome = Check::finished(&mut self.check) => {
                    self.check = None;
                    self.checked(outcome)?;
                }
            }
        }
    }

    async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        self.state(partition)?;
        let Bounds { start, end } = self.shared.bounds_of(partition).await?;
        if offset < start {
            return Err(LogError::BelowStart { partition, wanted: offset, start });
        }
        if offset > end {
            return Err(LogError::BeyondEnd { partition, wanted: offset, end });
        }
        if self.state(partition)?.position.take().is_some() {
            self.stop(partition.0)?;
        }
        self.feed.start(partition.0, Some(offset.0))?;
        *self.state(partition)? = PartitionState { is_assigned: true, position: Some(offset.0) };
        Ok(())
    }

    /// Of a group: commits the offset, some time. Without one: nothing.
    async fn release(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        self.state(partition)?;
        if let Some(group) = &self.group
            && let Err(error) = group.commit(partition.0 as i32, offset.0 as i64)
        {
            tracing::debug!("commit to the group: {error}");
        }
        Ok(())
    }
}

/// The outcome of a check.
enum Checked {
    Schema { at: (Partition, Offset), learned: Result<(), String> },
    Bounds { of: Partition, bounds: Result<Bounds, LogError> },
}

impl Check {
    fn is_of(&self, partition: u32) -> bool {
        let (Check::Schema { at: (of, _), .. } | Check::Bounds { of, .. }) = self;
        of.0 == partition
    }

    async fn finished(check: &mut Option<Check>) -> Checked {
        match check {
            Some(Check::Schema { at, task }) => {
                let learned = task.await.unwrap_or_else(|error| Err(error.to_string()));
                Checked::Schema { at: *at, learned }
            }
            Some(Check::Bounds { of, task }) => {
                Checked::Bounds { of: *of, bounds: task.await.unwrap_or(Err(LogError::Closed)) }
            }
            None => std::future::pending().await,
        }
    }
}

async fn finished<T>(task: &mut Option<JoinHandle<T>>) -> Result<T, tokio::task::JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

/// Takes the next event out of `messages`, with everything before it.
fn hand_out(
    messages: &mut Messages,
    feed: &mut Feed,
    states: &mut [PartitionState],
    known: &mut Arc<Known>,
    shared: &Shared,
) -> Step {
    let mut batch = Batch::with_capacity(messages.len());
    let mut last: Option<(u32, Meaning)> = None;
    while let Some(message) = messages.peek() {
        let (partition, offset) = (Partition(message.partition as u32), message.offset as u64);
        let state = states.get_mut(partition.0 as usize).filter(|state| state.position.is_some());
        let Some(PartitionState { position: Some(position), .. }) = state else {
            // Of a partition that was revoked meanwhile, or of none.
            if let What::Failed { code, why } = message.what {
                if is_forbidden(code) {
                    return Step::Failed(shared.failed("read", why));
                }
                tracing::debug!("kafka reader: {why}");
            }
            messages.advance();
            continue;
        };
        match message.what {
            What::Record { time_ms, key, value } if offset >= *position => {
                let value = value.unwrap_or_default();
                let at = (partition, Offset(offset), time_ms);
                match from_wire(value) {
                    None => {
                        shared.ids.meet_bare(partition, Offset(offset), value);
                        batch.push(at, key, &[], value);
                    }
                    Some((id, body)) => {
                        if last.is_none_or(|(last, _)| last != id) {
                            if !known.contains_key(&id) {
                                *known = shared.ids.known();
                            }
                            last = known.get(&id).map(|meaning| (id, *meaning));
                        }
                        match &last {
                            Some((_, Meaning::Ours(header))) => batch.push(at, key, header, body),
                            Some((_, Meaning::Foreign)) => batch.push(at, key, &[], value),
                            Some((_, Meaning::Absent)) => match shared.ids.is_lost(id, body) {
                                None => batch.push(at, key, &[], value),
                                Some(why) if batch.is_empty() => {
                                    return Step::Failed(LogError::Schema { partition, offset: Offset(offset), why });
                                }
                                Some(_) => break,
                            },
                            None if batch.is_empty() => return Step::Schema(partition, Offset(offset), id),
                            None => break,
                        }
                    }
                }
                *position = offset + 1;
            }
            What::Record { .. } => {}
            What::End if offset > *position => {
                if !batch.is_empty() {
                    break;
                }
                *position = offset;
                messages.advance();
                return Step::Event(LogEvent::Reached(partition, Offset(offset)));
            }
            What::End => {}
            What::Failed { code, why } => {
                if !batch.is_empty() {
                    break;
                }
                // A look at the log's bounds tells whether the position is still there.
                feed.give_up(partition.0);
                if !is_about_position(code) {
                    let failed = shared.failed("read", why);
                    messages.advance();
                    return Step::Failed(failed);
                }
            }
        }
        messages.advance();
    }
    if batch.is_empty() { Step::Nothing } else { Step::Event(LogEvent::Records(batch.records())) }
}

/// True if librdkafka does not know where to go on: a look at the log's bounds tells.
fn is_about_position(code: RDKafkaRespErr) -> bool {
    use RDKafkaRespErr::*;
    matches!(
        code,
        RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET
            | RD_KAFKA_RESP_ERR__NO_OFFSET
            | RD_KAFKA_RESP_ERR__LOG_TRUNCATION
            | RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE
            | RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART
            | RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID
            | RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
            | RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION
    )
}
