//! The schema that a record was written with: an id of the registry in Kafka, a fingerprint everywhere else.
//!
//! In Kafka a record is as Confluent's clients have it: `00`, an id of the registry (4 bytes, big endian) and the body.
//! Outside Kafka a record is ten bytes of header and the body. Only the header differs; a value with neither header is the same
//! in both.

mod cache;
mod registry;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fedilake_log::{Offset, Partition};
use tokio::time::{Instant, sleep};

pub(crate) use self::cache::Cache;
use self::registry::Refusal;
pub(crate) use self::registry::Registry;
use crate::remedy;

/// The bytes before a record's body outside Kafka.
pub type Header = [u8; 10];

/// The pause before a registry that does not have a schema is asked for it once more.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// The bytes before a record's body in Kafka.
pub(crate) const WIRE_BYTES: usize = 5;

/// The program's schemas. This crate knows nothing of their content.
pub trait Schemas: Send + Sync {
    /// The header of records that this program writes.
    fn header(&self) -> Header;

    /// Their schema.
    fn schema(&self) -> &str;

    /// Makes another schema known to the program's decoders and returns the header of its records. The error names the part of
    /// the schema that the program lacks.
    fn learn(&self, schema: &str) -> Result<Header, Unlearned>;

    /// True if records with this header can be decoded.
    fn is_known(&self, header: &Header) -> bool;

    /// True if the bytes are exactly the body of a record of any schema that the program knows.
    fn is_body(&self, body: &[u8]) -> bool;
}

/// The reason for which a schema cannot be learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlearned {
    /// A newer version of the program may have made the schema. The reader stops before its first record, and says this.
    Newer(String),
    /// The schema is of another program and its records are none of ours: readers hand them out as they are in Kafka.
    Foreign(String),
}

/// The framing of records that this program writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) header: Header,
    /// The registry's id of their schema.
    pub(crate) own_id: u32,
}

impl Frame {
    /// A value as Kafka has it: the bytes before its body, and the body. `None` for a value of another schema or of none.
    pub(crate) fn to_wire(self, value: &[u8]) -> Option<([u8; WIRE_BYTES], &[u8])> {
        let body = value.strip_prefix(&self.header)?;
        let [a, b, c, d] = self.own_id.to_be_bytes();
        Some(([0, a, b, c, d], body))
    }
}

/// The records with a schema id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Records of the program, whose header outside Kafka is this.
    Ours(Header),
    /// Another program's records.
    Foreign,
    /// The registry, which has the log's own schemas, has none of this id: no record of the program was written with it.
    Absent,
}

/// The meaning of each of the registry's ids that was met.
pub(crate) type Known = HashMap<u32, Meaning>;

/// Headers by the registry's ids. An id names one schema for ever, so an answer of the registry holds for ever: a [`Cache`] keeps
/// it over restarts, and a start does not need the registry for schemas that were met before.
pub(crate) struct Ids {
    registry: Registry,
    schemas: Arc<dyn Schemas>,
    /// The registry's subject of the log's schemas.
    subject: String,
    cache: Option<Cache>,
    known: Mutex<Arc<Known>>,
    /// True once a value that is no record was warned of.
    is_warned: AtomicBool,
}

impl Ids {
    pub(crate) fn new(registry: Registry, schemas: Arc<dyn Schemas>, subject: String, cache: Option<Cache>) -> Ids {
        Ids { registry, schemas, subject, cache, known: Mutex::default(), is_warned: AtomicBool::new(false) }
    }

    /// Adds an id.
    pub(crate) fn know(&self, id: u32, meaning: Meaning) {
        Arc::make_mut(&mut self.lock()).insert(id, meaning);
    }

    /// Warns, once, of a value without the registry's id of a schema, unless the value is a record all the same.
    pub(crate) fn meet_bare(&self, partition: Partition, offset: Offset, value: &[u8]) {
        if self.is_warned.load(Ordering::Relaxed)
            || value.first_chunk().is_some_and(|header| self.schemas.is_known(header))
        {
            return;
        }
        if !self.is_warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the value at {partition}:{offset} of the topic is no record of fedilake, and becomes a rejected row; so does each \
                 further one, without a warning"
            );
        }
    }

    /// The reason to stop before a record whose schema the registry does not have: the record reads as one of the program's, so
    /// the registry has lost schemas. `None` if the record is none of ours.
    pub(crate) fn is_lost(&self, id: u32, body: &[u8]) -> Option<String> {
        self.schemas.is_body(body).then(|| {
            self.lacking(
                id,
                "the value reads as a record of fedilake, so the registry has lost the schemas of the topic",
            )
        })
    }

    fn lacking(&self, id: u32, why: &str) -> String {
        format!(
            "the registry {} does not have schema {id}: {why}\n\
             hint: nothing is skipped; bring the registry's schemas back and start again\n\
             hint: if another program wrote this record by mistake, delete the records up to it \
             (kafka-delete-records.sh), then `fedilake sink --accept-gap`",
            self.registry.shown()
        )
    }

    /// All that are known now.
    pub(crate) fn known(&self) -> Arc<Known> {
        self.lock().clone()
    }

    /// Learns the schema of an id, from the cache or the registry. While the registry is away it is asked again, up to its
    /// patience. The error says why the schema cannot be had or used.
    pub(crate) async fn resolve(&self, id: u32) -> Result<(), String> {
        if let Some(schema) = self.cache.as_ref().and_then(|cache| cache.load(id))
            && let Ok(header) = self.schemas.learn(&schema)
        {
            self.know(id, Meaning::Ours(header));
            return Ok(());
        }
        let mut asked = self.schema(id).await;
        if let Err(Refusal::Absent(_)) = asked {
            // One of several registries may hear of a new schema a little later than another.
            sleep(ASKED_AGAIN).await;
            asked = self.schema(id).await;
        }
        let refusal = match asked {
            Err(Refusal::Absent(why)) => match self.patiently(id, || self.registry.has_subject(&self.subject)).await {
                Ok(true) => {
                    self.know_foreign(id, Meaning::Absent, &why);
                    return Ok(());
                }
                Ok(false) => {
                    let subject = &self.subject;
                    return Err(self.lacking(id, &format!("{why}, nor any schema of subject {subject}")));
                }
                Err(refusal) => Err(refusal),
            },
            asked => asked,
        };
        let schema = match refusal {
            Ok(schema) => schema,
            Err(Refusal::Foreign(why)) => {
                self.know_foreign(id, Meaning::Foreign, &why);
                return Ok(());
            }
            Err(Refusal::Final(why) | Refusal::Absent(why)) => {
                return Err(format!(
                    "schema {id} cannot be had from the registry {}: {why}\n\
                     hint: nothing is skipped; {}",
                    self.registry.shown(),
                    remedy::of_registry(&why)
                ));
            }
            Err(Refusal::Away(why)) => {
                return Err(format!(
                    "schema {id} cannot be had from the registry {}: {why}\n\
                     hint: nothing is skipped; start again when the registry answers\n\
                     hint: {}",
                    self.registry.shown(),
                    remedy::of_registry(&why)
                ));
            }
        };
        match self.schemas.learn(&schema) {
            Ok(header) => {
                if let Some(cache) = &self.cache {
                    cache.store(id, &schema);
                }
                self.know(id, Meaning::Ours(header));
                Ok(())
            }
            Err(Unlearned::Foreign(why)) => {
                self.know_foreign(id, Meaning::Foreign, &why);
                Ok(())
            }
            Err(Unlearned::Newer(why)) => Err(format!(
                "schema {id} was made by a newer fedilake, or by another program: {why}\n\
                 hint: use the fedilake that wrote it or a later one; nothing is skipped"
            )),
        }
    }

    fn know_foreign(&self, id: u32, meaning: Meaning, why: &str) {
        tracing::warn!(
            "records with schema {id} of the registry are another program's, and become rejected rows: {why}"
        );
        self.know(id, meaning);
    }

    async fn schema(&self, id: u32) -> Result<String, Refusal> {
        self.patiently(id, || self.registry.schema(id)).await
    }

    /// Asks again while the registry is away, up to its patience. The question is about the schema `id`.
    async fn patiently<T, F>(&self, id: u32, ask: impl Fn() -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<T, Refusal>>,
    {
        const WAIT_MAX: Duration = Duration::from_secs(5);
        let end = Instant::now() + self.registry.patience;
        let mut wait = Duration::from_millis(100);
        loop {
            match ask().await {
                Err(Refusal::Away(why)) if Instant::now() + wait >= end => {
                    let seconds = self.registry.patience.as_secs_f32();
                    return Err(Refusal::Away(format!("{why} (asked for {seconds} s)")));
                }
                Err(Refusal::Away(why)) => tracing::warn!("ask the registry for schema {id} again in {wait:?}: {why}"),
                answer => return answer,
            }
            sleep(wait).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registry's id in a value, and the body; `None` where it has none.
pub(crate) fn from_wire(value: &[u8]) -> Option<(u32, &[u8])> {
    let (id, body) = value.strip_prefix(&[0])?.split_first_chunk()?;
    Some((u32::from_be_bytes(*id), body))
}
