//! Why a log over Kafka was not opened, by what a caller can do about it.

/// Why a log over Kafka was not opened. Nothing was appended or read.
#[derive(Debug, thiserror::Error)]
pub enum KafkaError {
    /// librdkafka rejects the settings.
    #[error("set up the client of Kafka at {brokers}: {why}")]
    Settings {
        /// The brokers' addresses.
        brokers: String,
        /// librdkafka's words.
        why: String,
    },
    /// No broker answered, or one refused.
    #[error("{doing} at Kafka {brokers}: {why}\nhint: {hint}")]
    Broker {
        /// The operation that failed, a verb and the thing.
        doing: String,
        /// The brokers' addresses.
        brokers: String,
        /// The broker's or the client's words.
        why: String,
        /// The setting to look at.
        hint: &'static str,
    },
    /// A reader found no topic of that name, and made none.
    #[error(
        "Kafka at {brokers} has no topic {topic}\n\
         hint: is its name right? `fedilake collect` creates the topics when it starts, `fedilake servers add` that of the servers; \
         a command that only reads creates none"
    )]
    NoTopic {
        /// The topic.
        topic: String,
        /// The brokers' addresses.
        brokers: String,
    },
    /// The brokers' access rules forbid the operation.
    #[error(
        "{doing} at Kafka {brokers}: {why}\n\
         hint: the user of log.user lacks a right: reading takes Describe and Read on topic {topic}; \
         a collector also needs Create and Write, and `servers add` the same on the servers' topic"
    )]
    Forbidden {
        /// The operation that was refused, a verb and the thing.
        doing: String,
        /// The brokers' addresses.
        brokers: String,
        /// The broker's words.
        why: String,
        /// The topic.
        topic: String,
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
        /// The consequence.
        why: &'static str,
        /// The value that fits.
        wanted: &'static str,
    },
    /// The registry did not answer, or refused.
    #[error("{doing} at the schema registry {url}: {why}\nhint: {hint}")]
    Registry {
        /// The operation that failed, a verb and the thing.
        doing: String,
        /// The registry's address.
        url: String,
        /// The registry's or the network's words.
        why: String,
        /// The setting to look at.
        hint: &'static str,
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
        /// The registry's words.
        why: String,
    },
}
