//! Why a log over Kafka was not opened, by what a caller can do about it.

/// Why a log over Kafka was not opened. Nothing was appended or read.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// The settings make no client.
    #[error("set up the client of Kafka at {brokers}: {why}")]
    Settings {
        /// The brokers' addresses.
        brokers: String,
        /// What librdkafka said.
        why: String,
    },
    /// No broker answered, or one refused.
    #[error(
        "{doing} at Kafka {brokers}: {why}\nhint: is a broker there, and are its address, TLS and SASL settings right?"
    )]
    Broker {
        /// A verb and the thing: what was being done.
        doing: String,
        /// The brokers' addresses.
        brokers: String,
        /// What the broker or the client said.
        why: String,
    },
    /// The topic is there, with settings that would lose data or break the log.
    #[error(
        "Kafka topic {topic} at {brokers} has {setting}={value}: {why}\n\
         hint: kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {setting}={wanted}"
    )]
    Topic {
        /// The topic.
        topic: Box<str>,
        /// The brokers' addresses.
        brokers: Box<str>,
        /// The setting's name.
        setting: &'static str,
        /// Its value.
        value: Box<str>,
        /// What would happen.
        why: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// The registry did not answer, or refused.
    #[error(
        "{doing} at the schema registry {url}: {why}\nhint: is the registry there, and are its address and login right?"
    )]
    Registry {
        /// A verb and the thing: what was being done.
        doing: String,
        /// The registry's address.
        url: String,
        /// What it or the network said.
        why: String,
    },
    /// Readers of what the subject holds could not read our records, or the other way round.
    #[error(
        "the schema of this fedilake is not compatible with subject {subject} at the schema registry {url}: {why}\n\
         hint: a newer fedilake or another program has registered a schema there; use another topic, or that version"
    )]
    Incompatible {
        /// The subject.
        subject: String,
        /// The registry's address.
        url: String,
        /// What the registry said.
        why: String,
    },
}
