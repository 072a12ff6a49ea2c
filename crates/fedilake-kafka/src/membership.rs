//! Membership in a consumer group: which partitions are ours.
//!
//! The membership is a client of its own that reads nothing. The group's decisions are answered at once and kept as changes for the
//! reader's loop; reading itself works as without a group (see [`crate::log`]), where a position can be set at any time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError as Rdkafka, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;

use crate::listener::Listener;
use crate::{KafkaError, KafkaSettings};

pub(crate) struct Membership {
    consumer: BaseConsumer<Changes>,
    topic: String,
}

/// A decision of the group.
#[derive(Debug, PartialEq)]
pub(crate) enum Change {
    Assigned(Vec<i32>),
    Revoked(Vec<i32>),
}

#[derive(Default)]
pub(crate) struct Changes {
    listener: Listener,
    changes: Mutex<VecDeque<Change>>,
    /// Set when something was heard, cleared by the next look.
    heard: AtomicBool,
}

impl Membership {
    pub(crate) fn join(settings: &KafkaSettings, group: &str) -> Result<Membership, KafkaError> {
        let failed = |error: Rdkafka| settings.no_client(format_args!("group {group}: {error}"));
        let session_ms = settings.session_timeout.as_millis().max(1);
        let mut config = settings.client();
        config
            .set("group.id", group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session_ms.to_string())
            // A member learns of a change in the group by its next heartbeat.
            .set("heartbeat.interval.ms", (session_ms / 4).clamp(1, 1_000).to_string())
            .set("max.poll.interval.ms", session_ms.max(300_000).to_string())
            .set("topic.metadata.refresh.interval.ms", "3000")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false");
        let consumer = BaseConsumer::from_config_and_context(&config, Changes::default()).map_err(failed)?;
        consumer.subscribe(&[&settings.topic]).map_err(failed)?;
        Ok(Membership { consumer, topic: settings.topic.clone() })
    }

    /// Calls `wake` when there may be something to hear.
    pub(crate) fn on_news(&mut self, wake: impl Fn() + Send + Sync + 'static) {
        self.consumer.set_nonempty_callback(wake);
    }

    /// Returns the next change, if there is one. An error does not pass by itself.
    pub(crate) fn hear(&self) -> Result<Option<Change>, String> {
        loop {
            if let Some(change) = self.consumer.context().changes().pop_front() {
                return Ok(Some(change));
            }
            match self.consumer.poll(Duration::ZERO) {
                Some(Err(error)) if is_lasting(&error) => return Err(error.to_string()),
                Some(Err(error)) => tracing::debug!("kafka group: {error}"),
                Some(Ok(_)) => {}
                None if self.consumer.context().heard.swap(false, Ordering::Relaxed) => {}
                None => return Ok(None),
            }
        }
    }

    /// Tells the group, some time, that everything below `offset` is done.
    pub(crate) fn commit(&self, partition: i32, offset: i64) -> KafkaResult<()> {
        let mut offsets = TopicPartitionList::with_capacity(1);
        offsets.add_partition_offset(&self.topic, partition, Offset::Offset(offset))?;
        self.consumer.commit(&offsets, CommitMode::Async)
    }
}

fn is_lasting(error: &Rdkafka) -> bool {
    use RDKafkaErrorCode::{
        GroupAuthorizationFailed, InconsistentGroupProtocol, InvalidGroupId, InvalidSessionTimeout,
        TopicAuthorizationFailed,
    };
    matches!(error, Rdkafka::MessageConsumptionFatal(_))
        || matches!(
            error.rdkafka_error_code(),
            Some(
                GroupAuthorizationFailed
                    | InconsistentGroupProtocol
                    | InvalidGroupId
                    | InvalidSessionTimeout
                    | TopicAuthorizationFailed
            )
        )
}

impl Changes {
    fn changes(&self) -> std::sync::MutexGuard<'_, VecDeque<Change>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Changes {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.listener.log(level, facility, message);
        self.heard.store(true, Ordering::Relaxed);
    }

    fn error(&self, error: Rdkafka, reason: &str) {
        self.listener.error(error, reason);
    }
}

impl ConsumerContext for Changes {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, what: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let partitions: Vec<i32> = partitions.elements().iter().map(|element| element.partition()).collect();
        // The group waits for an answer; it names no partition, since this client reads none.
        let nothing = TopicPartitionList::new();
        let (answered, change) = match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                (consumer.incremental_assign(&nothing), Change::Assigned(partitions))
            }
            _ => (consumer.incremental_unassign(&nothing), Change::Revoked(partitions)),
        };
        if let Err(error) = answered {
            tracing::warn!("answer the group's {change:?}: {error}");
        }
        self.changes().push_back(change);
        self.heard.store(true, Ordering::Relaxed);
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        self.heard.store(true, Ordering::Relaxed);
        if let Err(error) = result {
            // A hint that was lost: the next release gives a better one.
            tracing::debug!("commit to the group: {error}");
        }
    }
}
