//! The log over Kafka, with Schema Registry: the seam of fedilake-log over librdkafka.
//!
//! The crate knows nothing of Mastodon: keys and values are bytes, and [`Schemas`] interprets their schemas.
//!
//! Guarantees:
//! - An append returns when every in-sync replica has all of its records; retries neither double nor reorder them.
//! - A record comes back as it was appended. In Kafka it is as Confluent's clients have it, so that others can read it.
//! - The log's id is the topic's: a topic that is made again is another log, and readers of the old one end with an error.
//! - A reader never skips: records that retention took are `BelowStart`, a schema that cannot be had is `Schema`.
//! - A reader writes nothing: no topic, no schema, no record. [`KafkaSource`] has no producer.
//! - `appended_at` is the broker's time of taking the record; it may go back when a broker's clock is set back.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod error;
mod feed;
mod listener;
mod log;
mod membership;
mod native;
mod remedy;
mod schema;
mod servers;
mod settings;
mod topic;
mod version;
mod writer;

pub use error::KafkaError;
pub use log::{KafkaLog, KafkaSource};
pub use schema::{Header, Schemas, Unlearned};
pub use servers::{LogBookmarks, SavedBookmarks, Servers, Share, ShareEvent, host_of, partition_by_host};
pub use settings::{KafkaSettings, RegistrySettings, Sasl, SaslMechanism, Secret, Security, Tls};
