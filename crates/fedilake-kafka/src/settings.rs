//! Settings of a log over Kafka.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::ClientConfig;
use url::Url;

use crate::KafkaError;
use crate::feed::READER_GROUP;

/// Settings of a log: its place, and its form where it is created.
#[derive(Clone, Debug)]
pub struct KafkaSettings {
    /// `host:port`, several separated by commas.
    pub brokers: String,
    /// The log's topic.
    pub topic: String,
    /// The compacted topic of the servers and their bookmarks, partitioned by host: see [`crate::partition_by_host`].
    pub servers_topic: String,
    /// Number of partitions of the log's topic, when it is created.
    pub partitions: u32,
    /// Number of partitions of the servers' topic, when it is created: as many collectors can share the servers.
    pub servers_partitions: u32,
    /// Number of copies of each of the two topics, when it is created; -1 leaves the number to the broker.
    pub replication: i16,
    /// Retention of the log's topic, when it is created.
    pub retention: Duration,
    /// Silence after which a member of a group loses its partitions.
    pub session_timeout: Duration,
    /// Time for which an append is tried before it fails.
    pub delivery_timeout: Duration,
    /// Limit of the time for a question to a broker, and for each step of opening.
    pub request_timeout: Duration,
    /// Encryption and authentication.
    pub security: Security,
    /// The Schema Registry.
    pub registry: RegistrySettings,
    /// A folder, made when needed, in which a reader keeps schemas that the registry gave. Without one each start asks anew.
    pub schema_cache: Option<PathBuf>,
}

/// The Schema Registry.
#[derive(Clone, Debug)]
pub struct RegistrySettings {
    /// The address of the Confluent API, with or without a path before it.
    pub url: Url,
    /// User and password, for a registry that asks for them.
    pub login: Option<(String, Secret)>,
    /// Certificates (PEM) to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Limit of the time for one request.
    pub request_timeout: Duration,
    /// Time for which a reader asks again for a schema while the registry is away.
    pub patience: Duration,
}

/// Encryption and authentication.
#[derive(Clone, Debug, Default)]
pub struct Security {
    /// Encrypted, if given.
    pub tls: Option<Tls>,
    /// User and password, if the broker asks for them.
    pub sasl: Option<Sasl>,
}

/// An encrypted connection.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Certificates (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate (PEM), where the broker asks for one.
    pub certificate_file: Option<PathBuf>,
    /// Its key (PEM).
    pub key_file: Option<PathBuf>,
}

/// Name and password.
#[derive(Clone, Debug)]
pub struct Sasl {
    /// The mechanism by which the broker checks them.
    pub mechanism: SaslMechanism,
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A mechanism by which a broker checks name and password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslMechanism {
    /// PLAIN sends both as they are, so use it over TLS only.
    Plain,
    /// SCRAM-SHA-256.
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
}

/// A password, which no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl KafkaSettings {
    /// The default of `servers_topic`.
    pub const SERVERS_TOPIC: &'static str = "fedilake.servers";
    /// The default of `partitions`.
    pub const PARTITIONS: u32 = 4;
    /// The default of `servers_partitions`: what the topic holds is small, and its partitions cost little.
    pub const SERVERS_PARTITIONS: u32 = 16;
    /// The default of `retention`.
    pub const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
    /// The default of `session_timeout`.
    pub const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
    /// The default of `delivery_timeout`.
    pub const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);

    /// The settings that fit most: four partitions, the broker's replication, a week of retention.
    pub fn new(brokers: impl Into<String>, topic: impl Into<String>, registry: Url) -> KafkaSettings {
        KafkaSettings {
            brokers: brokers.into(),
            topic: topic.into(),
            servers_topic: Self::SERVERS_TOPIC.into(),
            partitions: Self::PARTITIONS,
            servers_partitions: Self::SERVERS_PARTITIONS,
            replication: -1,
            retention: Self::RETENTION,
            session_timeout: Self::SESSION_TIMEOUT,
            delivery_timeout: Self::DELIVERY_TIMEOUT,
            request_timeout: Duration::from_secs(10),
            security: Security::default(),
            registry: RegistrySettings {
                url: registry,
                login: None,
                ca_file: None,
                request_timeout: Duration::from_secs(10),
                patience: Duration::from_secs(30),
            },
            schema_cache: None,
        }
    }

    /// Configuration common to every client of the brokers.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", "fedilake");
        // Brokers close what is idle; that is no trouble to tell of.
        config.set("log.connection.close", "false").set("reconnect.backoff.max.ms", "2000");
        // With sparse connections, whoever looks for a partition's leader while its broker is away has librdkafka connect again
        // without the backoff: hundreds of times a second, a core of each process.
        config.set("enable.sparse.connections", "false");
        self.security.apply(&mut config);
        config
    }

    /// Configuration of a client that reads partitions of its own choice.
    pub(crate) fn reading_client(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", READER_GROUP)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true");
        config
    }

    /// The error for settings that librdkafka rejects.
    pub(crate) fn no_client(&self, error: impl fmt::Display) -> KafkaError {
        KafkaError::Settings { brokers: self.brokers.as_str().into(), why: error.to_string() }
    }
}

impl Security {
    /// Checks the certificate files, since librdkafka's own errors do not name them.
    pub(crate) fn check(&self) -> Result<(), String> {
        let Some(Tls { ca_file, certificate_file, key_file }) = &self.tls else { return Ok(()) };
        for file in [ca_file, certificate_file, key_file].into_iter().flatten() {
            std::fs::File::open(file).map_err(|error| format!("read {}: {error}", file.display()))?;
        }
        Ok(())
    }

    fn apply(&self, config: &mut ClientConfig) {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Some(Tls { ca_file, certificate_file, key_file }) = &self.tls {
            let files = [
                ("ssl.ca.location", ca_file),
                ("ssl.certificate.location", certificate_file),
                ("ssl.key.location", key_file),
            ];
            for (name, file) in files {
                if let Some(file) = file {
                    config.set(name, file.to_string_lossy());
                }
            }
        }
        if let Some(Sasl { mechanism, user, password }) = &self.sasl {
            config
                .set("sasl.mechanisms", mechanism.name())
                .set("sasl.username", user)
                .set("sasl.password", &password.0);
        }
    }
}

impl SaslMechanism {
    fn name(self) -> &'static str {
        match self {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(security: Security) -> KafkaSettings {
        let registry = Url::parse("http://127.0.0.1:8081").expect("a URL");
        KafkaSettings { security, ..KafkaSettings::new("127.0.0.1:9092", "t", registry) }
    }

    fn sasl(mechanism: SaslMechanism) -> Option<Sasl> {
        Some(Sasl { mechanism, user: "ann".into(), password: Secret("hunter2".into()) })
    }

    #[test]
    fn security_becomes_the_clients_settings() {
        let tls = || Some(Tls { ca_file: Some("/ca.pem".into()), ..Tls::default() });
        for (security, protocol, mechanism) in [
            (Security::default(), "plaintext", None),
            (Security { tls: tls(), sasl: None }, "ssl", None),
            (Security { tls: None, sasl: sasl(SaslMechanism::Plain) }, "sasl_plaintext", Some("PLAIN")),
            (Security { tls: tls(), sasl: sasl(SaslMechanism::ScramSha256) }, "sasl_ssl", Some("SCRAM-SHA-256")),
            (Security { tls: tls(), sasl: sasl(SaslMechanism::ScramSha512) }, "sasl_ssl", Some("SCRAM-SHA-512")),
        ] {
            let config = settings(security.clone()).client();
            assert_eq!(config.get("security.protocol"), Some(protocol));
            assert_eq!(config.get("sasl.mechanisms"), mechanism);
            assert_eq!(config.get("sasl.password"), mechanism.map(|_| "hunter2"));
            assert_eq!(config.get("ssl.ca.location"), security.tls.map(|_| "/ca.pem"));
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let settings = settings(Security { tls: None, sasl: sasl(SaslMechanism::Plain) });
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
