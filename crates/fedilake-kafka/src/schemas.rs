//! Which schema a record was written with: an id of the registry in Kafka, a fingerprint everywhere else.
//!
//! In Kafka a record is as Confluent's clients have it, `00`, an id of the registry (4 bytes, big endian) and the body.
//! Outside it is ten bytes of header and the body. Only the header differs; what has neither is the same in both.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::registry::{Refusal, Registry};

/// The bytes before a record's body outside Kafka.
pub type Header = [u8; 10];

/// The bytes before a record's body in Kafka.
pub(crate) const WIRE_BYTES: usize = 5;

/// What the program says of its schemas. This crate knows nothing of what is in them.
#[derive(Clone, Copy, Debug)]
pub struct Schemas {
    /// The header of records that this program writes.
    pub header: Header,
    /// Their schema.
    pub schema: &'static str,
    /// Makes another schema known to the program's decoders; the header of its records. The error says which part of it
    /// the program lacks.
    pub learn: fn(&str) -> Result<Header, String>,
}

/// Headers by the registry's ids. An id names one schema for ever, so that what was asked once holds.
pub(crate) struct Ids {
    registry: Registry,
    own: Header,
    own_id: u32,
    learn: fn(&str) -> Result<Header, String>,
    known: Mutex<Arc<HashMap<u32, Header>>>,
}

impl Ids {
    pub(crate) fn new(registry: Registry, schemas: &Schemas, own_id: u32) -> Ids {
        let known = Mutex::new(Arc::new(HashMap::from([(own_id, schemas.header)])));
        Ids { registry, own: schemas.header, own_id, learn: schemas.learn, known }
    }

    /// What a value is in Kafka: the bytes before, and the rest.
    pub(crate) fn to_wire<'a>(&self, value: &'a [u8]) -> Option<([u8; WIRE_BYTES], &'a [u8])> {
        let body = value.strip_prefix(&self.own)?;
        let [a, b, c, d] = self.own_id.to_be_bytes();
        Some(([0, a, b, c, d], body))
    }

    /// All that are known now.
    pub(crate) fn known(&self) -> Arc<HashMap<u32, Header>> {
        self.lock().clone()
    }

    /// Learns what an id stands for. While the registry is away it is asked again, up to its patience. The error is why the
    /// schema cannot be had or used.
    pub(crate) async fn resolve(&self, id: u32) -> Result<(), String> {
        let schema = self.schema(id).await.map_err(|why| {
            let url = self.registry.shown();
            format!(
                "schema {id} cannot be had from the registry {url}: {why}\n\
                 hint: nothing is skipped; start again when the registry has the schema"
            )
        })?;
        let header = (self.learn)(&schema).map_err(|why| {
            format!(
                "schema {id} was made by a newer fedilake, or by another program: {why}\n\
                 hint: use the fedilake that wrote it or a later one; nothing is skipped"
            )
        })?;
        let mut known = self.lock();
        Arc::make_mut(&mut known).insert(id, header);
        Ok(())
    }

    async fn schema(&self, id: u32) -> Result<String, String> {
        const WAIT_MAX: Duration = Duration::from_secs(5);
        let end = Instant::now() + self.registry.patience;
        let mut wait = Duration::from_millis(100);
        loop {
            match self.registry.schema(id).await {
                Ok(schema) => return Ok(schema),
                Err(Refusal::Final(why)) => return Err(why),
                Err(Refusal::Away(why)) if Instant::now() + wait >= end => {
                    return Err(format!("{why} (asked for {} s)", self.registry.patience.as_secs_f32()));
                }
                Err(Refusal::Away(why)) => tracing::warn!("schema {id} is asked again in {wait:?}: {why}"),
            }
            sleep(wait).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Arc<HashMap<u32, Header>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registry's id in a value, and the body; `None` where it has none.
pub(crate) fn from_wire(value: &[u8]) -> Option<(u32, &[u8])> {
    let (id, body) = value.strip_prefix(&[0])?.split_first_chunk()?;
    Some((u32::from_be_bytes(*id), body))
}
