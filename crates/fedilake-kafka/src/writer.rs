//! Appending: all records of a call are handed to librdkafka at once, and one signal says that all are acknowledged.
//!
//! The producer is idempotent and wants every in-sync replica's acknowledgement, so that retries neither double nor
//! reorder. A key's partition is that of Kafka's Java clients (murmur2).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fedilake_log::{Key, LogError};
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError as Rdkafka, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::listener::Listener;
use crate::schema::{Frame, WIRE_BYTES};
use crate::{KafkaError, KafkaSettings, remedy, version};

/// Wait for a full queue to drain before the next try.
const FULL: Duration = Duration::from_millis(2);
/// Records after which another task gets its turn.
const TURN: usize = 2_048;

pub(crate) struct Writer {
    producer: ThreadedProducer<Deliveries>,
    brokers: String,
}

/// The outcome of one call's records.
#[derive(Default)]
pub(crate) struct Delivery {
    /// Records that are not yet acknowledged or failed, and one for the call while it hands them over.
    open: AtomicUsize,
    failure: Mutex<Option<Rdkafka>>,
    done: Notify,
}

struct Deliveries {
    listener: Listener,
}

impl Writer {
    pub(crate) fn new(settings: &KafkaSettings) -> Result<Writer, KafkaError> {
        let mut config = settings.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.codec", "zstd")
            .set("compression.level", "1")
            .set("partitioner", "murmur2_random")
            // Partitions that are added get their share soon, and not after the default's five minutes.
            .set("topic.metadata.refresh.interval.ms", "3000")
            .set("linger.ms", "5")
            .set("batch.size", "1000000")
            .set("batch.num.messages", "10000")
            .set("queue.buffering.max.kbytes", "65536")
            .set("queue.buffering.max.messages", "100000")
            .set("delivery.timeout.ms", settings.delivery_timeout.as_millis().to_string());
        let producer = ThreadedProducer::from_config_and_context(&config, Deliveries { listener: Listener::default() });
        let producer = producer.map_err(|error| settings.no_client(error))?;
        Ok(Writer { producer, brokers: settings.brokers.clone() })
    }

    /// Returns when all are acknowledged, in the order given within each partition.
    pub(crate) async fn append(&self, topic: &str, records: &[(Key, Bytes)], frame: &Frame) -> Result<(), LogError> {
        let mut framed = Vec::new();
        let delivery = Delivery::begin();
        for (nth, (key, value)) in records.iter().enumerate() {
            let value = match frame.to_wire(value) {
                Some((head, body)) => {
                    framed.clear();
                    framed.reserve(WIRE_BYTES + body.len());
                    framed.extend_from_slice(&head);
                    framed.extend_from_slice(body);
                    &framed[..]
                }
                None => value,
            };
            let record = BaseRecord::with_opaque_to(topic, delivery.clone()).key(&key.0[..]).payload(value);
            self.hand_over(record, &delivery).await.map_err(|error| self.failed(topic, &error))?;
            if nth % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        delivery.end().await.map_err(|error| self.failed(topic, &error))
    }

    /// Returns when the record is acknowledged in that partition, with the version of its form in a header. Without a value a
    /// compacted topic forgets the key.
    pub(crate) async fn put(
        &self,
        topic: &str,
        partition: u32,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), LogError> {
        let delivery = Delivery::begin();
        let partition = i32::try_from(partition).expect("a partition's number is below 2^31");
        let record = BaseRecord::with_opaque_to(topic, delivery.clone()).partition(partition).key(key);
        let record = match value {
            Some(value) => {
                let version = version::OURS.to_string();
                let header = Header { key: version::HEADER, value: Some(&version) };
                record.payload(value).headers(OwnedHeaders::new_with_capacity(1).insert(header))
            }
            None => record,
        };
        let handed = self.hand_over(record, &delivery).await;
        handed.map_err(|error| self.failed(topic, &error))?;
        delivery.end().await.map_err(|error| self.failed(topic, &error))
    }

    async fn hand_over<P: rdkafka::message::ToBytes + ?Sized, K: rdkafka::message::ToBytes + ?Sized>(
        &self,
        mut record: BaseRecord<'_, K, P, Arc<Delivery>>,
        delivery: &Delivery,
    ) -> Result<(), Rdkafka> {
        delivery.open.fetch_add(1, Ordering::Relaxed);
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((Rdkafka::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    record = refused;
                    sleep(FULL).await;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    fn failed(&self, topic: &str, error: &Rdkafka) -> LogError {
        let why = match self.producer.context().listener.trouble() {
            Some(trouble) => format!("{error} ({trouble})\nhint: {}", remedy::of(&trouble)),
            None => error.to_string(),
        };
        LogError::Storage { doing: "append to", at: format!("topic {topic} of Kafka {}", self.brokers), why }
    }
}

impl Delivery {
    fn begin() -> Arc<Delivery> {
        Arc::new(Delivery { open: AtomicUsize::new(1), ..Delivery::default() })
    }

    fn settle(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_one();
        }
    }

    /// Waits for all that were handed over.
    async fn end(&self) -> Result<(), Rdkafka> {
        self.settle();
        self.done.notified().await;
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.listener.log(level, facility, message);
    }

    fn error(&self, error: Rdkafka, reason: &str) {
        self.listener.error(error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Delivery>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivery: Arc<Delivery>) {
        if let Err((error, _)) = result {
            delivery.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error.clone());
        }
        delivery.settle();
    }
}
