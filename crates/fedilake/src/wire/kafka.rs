//! The log in Kafka that a `kafka:` URL and the settings beside it name.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail};
use fedilake_kafka::{
    Header, KafkaLog, KafkaSettings, KafkaSource, LogBookmarks, RegistrySettings, Sasl, SaslMechanism, SavedBookmarks,
    Schemas, Secret, Security, Servers, Tls, Unlearned,
};
use fedilake_log::{Bookmarks, Log};
use fedilake_model::{avro, schema};
use reqwest::Url;

use super::{Scheme, Use};
use crate::mask::masked;
use crate::secret;
use crate::settings::key::Text;
use crate::settings::{Key, Settings, key};

/// Opens the log to be written, and the bookmarks beside it: registers the schema, and makes the topics that are not there. What the
/// registry brings is learned by `schemas`; `cache` keeps it.
pub(super) async fn open(
    settings: &Settings,
    schemas: &avro::Schemas,
    cache: Option<PathBuf>,
) -> anyhow::Result<(Arc<KafkaLog>, Arc<LogBookmarks>)> {
    let kafka = kafka_settings(settings)?;
    let servers = Servers::open(kafka.clone());
    let log = KafkaLog::open(KafkaSettings { schema_cache: cache, ..kafka }, OurSchemas::of(schemas));
    let (log, servers) = tokio::try_join!(log, servers).context("open the log")?;
    let bookmarks = LogBookmarks::new(servers, log.id().clone());
    Ok((Arc::new(log), Arc::new(bookmarks)))
}

/// Opens the log to be read, or stored in the table.
pub(super) async fn open_source(
    settings: &Settings,
    schemas: &avro::Schemas,
    cache: Option<PathBuf>,
    used: Use,
) -> anyhow::Result<Arc<KafkaSource>> {
    let kafka = KafkaSettings { schema_cache: cache, ..kafka_settings(settings)? };
    let opened = match used {
        Use::Read => KafkaSource::open(kafka, OurSchemas::of(schemas)).await,
        Use::Store | Use::Write => KafkaSource::open_or_create(kafka, OurSchemas::of(schemas)).await,
    };
    Ok(Arc::new(opened.context("open the log")?))
}

/// The model's schemas, as the log asks them.
struct OurSchemas {
    schemas: avro::Schemas,
    /// Tells which bytes are the body of a post event of any version.
    bodies: Mutex<avro::Decoder>,
}

impl OurSchemas {
    fn of(schemas: &avro::Schemas) -> Arc<dyn Schemas> {
        Arc::new(OurSchemas { schemas: schemas.clone(), bodies: Mutex::new(schemas.decoder()) })
    }
}

impl Schemas for OurSchemas {
    fn header(&self) -> Header {
        avro::own_header()
    }

    fn schema(&self) -> &str {
        schema::AVRO
    }

    fn learn(&self, schema: &str) -> Result<Header, Unlearned> {
        self.schemas.learn(schema).map_err(|error| {
            let why = error.to_string();
            if is_of_fedilake(schema) { Unlearned::Newer(why) } else { Unlearned::Foreign(why) }
        })
    }

    fn is_known(&self, header: &Header) -> bool {
        self.schemas.is_known(header)
    }

    fn is_body(&self, body: &[u8]) -> bool {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).is_body(body)
    }
}

/// True if a schema has the name of ours: every version of fedilake keeps it.
fn is_of_fedilake(schema: &str) -> bool {
    let name = |schema: &str| {
        let schema = serde_json::from_str::<serde_json::Value>(schema).ok()?;
        let (name, namespace) = (schema["name"].as_str()?, schema["namespace"].as_str());
        // A name with a dot brings its namespace along.
        Some(match namespace.filter(|_| !name.contains('.')) {
            Some(namespace) => format!("{namespace}.{name}"),
            None => name.to_owned(),
        })
    };
    name(schema) == name(schema::AVRO)
}

/// The list of servers that the collectors of a log share. It is kept beside the log, with their bookmarks.
pub struct SharedList(Settings);

impl SharedList {
    /// The list beside the log of the settings. `None` for a log that one process has: that keeps its servers in its folder.
    pub fn of(settings: &Settings) -> anyhow::Result<Option<SharedList>> {
        Ok((Scheme::of(key::LOG_URL, settings)? == Scheme::Kafka).then(|| SharedList(settings.clone())))
    }

    /// Opens the list to be read, or to be changed by [`Use::Write`].
    pub async fn open(&self, used: Use) -> anyhow::Result<Servers> {
        let kafka = self.kafka()?;
        let opened = match used {
            Use::Read | Use::Store => Servers::open_to_read(kafka).await,
            Use::Write => Servers::open(kafka).await,
        };
        opened.context("open the list of servers")
    }

    /// The collectors' bookmarks, for a process that only reads.
    pub fn bookmarks(&self) -> anyhow::Result<Arc<dyn Bookmarks>> {
        Ok(Arc::new(SavedBookmarks::new(self.kafka()?)))
    }

    /// The settings of Kafka.
    pub fn kafka(&self) -> anyhow::Result<KafkaSettings> {
        kafka_settings(&self.0)
    }
}

/// The settings of Kafka and the registry.
fn kafka_settings(settings: &Settings) -> anyhow::Result<KafkaSettings> {
    let url = settings.get(key::LOG_URL);
    let (brokers, topic) = brokers_and_topic(url).with_context(|| {
        format!(
            "setting log.url = {:?}\nhint: write it like kafka://broker-1:9092,broker-2:9092/fedilake.posts",
            masked(url)
        )
    })?;
    let registry: Url = match settings.get(key::LOG_REGISTRY_URL) {
        "" => bail!(
            "a log in Kafka needs a Schema Registry, and setting log.registry_url is empty\n\
             hint: FEDILAKE_LOG_REGISTRY_URL=http://127.0.0.1:8081, or registry_url below [log] in fedilake.toml"
        ),
        registry => registry.parse().with_context(|| format!("setting log.registry_url = {:?}", masked(registry)))?,
    };
    Ok(KafkaSettings {
        servers_topic: settings.get(key::COLLECT_SERVERS_TOPIC).to_owned(),
        partitions: settings.get(key::LOG_PARTITIONS),
        servers_partitions: settings.get(key::LOG_PARTITIONS).max(KafkaSettings::SERVERS_PARTITIONS),
        replication: match settings.get(key::LOG_REPLICATION) {
            0 => -1,
            copies => copies,
        },
        retention: settings.get(key::LOG_RETENTION_SECONDS),
        session_timeout: settings.get(key::LOG_SESSION_TIMEOUT_MILLISECONDS),
        delivery_timeout: settings.get(key::LOG_APPEND_SECONDS_MAX),
        security: security(settings)?,
        registry: RegistrySettings {
            login: login(
                settings,
                key::LOG_REGISTRY_USER,
                key::LOG_REGISTRY_PASSWORD_FILE,
                "FEDILAKE_LOG_REGISTRY_PASSWORD",
            )?,
            ca_file: file(settings, key::LOG_CA_FILE),
            ..KafkaSettings::new("", "", registry.clone()).registry
        },
        ..KafkaSettings::new(brokers, topic, registry)
    })
}

/// The parts of `kafka://BROKER,BROKER/TOPIC`.
fn brokers_and_topic(url: &str) -> anyhow::Result<(&str, &str)> {
    let parts = url.strip_prefix("kafka://").and_then(|rest| rest.split_once('/'));
    let Some((brokers, topic)) = parts.filter(|(brokers, topic)| !brokers.is_empty() && !topic.is_empty()) else {
        bail!("it does not name brokers and a topic");
    };
    // Kafka's own rule for names.
    let fits = topic.len() <= 249 && topic.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c));
    if !fits || topic == "." || topic == ".." {
        bail!("{topic:?} is no name of a topic: letters, digits, dots, - and _, up to 249");
    }
    Ok((brokers, topic))
}

fn security(settings: &Settings) -> anyhow::Result<Security> {
    let tls = match settings.get(key::LOG_SECURITY) {
        "tls" => Some(Tls { ca_file: file(settings, key::LOG_CA_FILE), ..Tls::default() }),
        _ => None,
    };
    let mechanism = match settings.get(key::LOG_SASL) {
        "plain" => SaslMechanism::Plain,
        "scram-sha-256" => SaslMechanism::ScramSha256,
        "scram-sha-512" => SaslMechanism::ScramSha512,
        _ => return Ok(Security { tls, sasl: None }),
    };
    let login = login(settings, key::LOG_USER, key::LOG_PASSWORD_FILE, "FEDILAKE_LOG_PASSWORD")?;
    let (user, password) =
        login.with_context(|| format!("setting log.sasl = {:?} needs log.user", settings.get(key::LOG_SASL)))?;
    Ok(Security { tls, sasl: Some(Sasl { mechanism, user, password }) })
}

fn file(settings: &Settings, key: Key<Text>) -> Option<PathBuf> {
    Some(settings.get(key)).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A name and its password, which is only ever in a file or the environment: settings are printed.
fn login(
    settings: &Settings,
    user_key: Key<Text>,
    file_key: Key<Text>,
    variable: &'static str,
) -> anyhow::Result<Option<(String, Secret)>> {
    let user = settings.get(user_key);
    if user.is_empty() {
        return Ok(None);
    }
    let password = match (file(settings, file_key), std::env::var(variable)) {
        (Some(path), _) => {
            let text =
                secret::read(&path).with_context(|| format!("read the password of {user} from {}", path.display()))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        (None, Ok(password)) => password,
        (None, Err(_)) => {
            bail!("setting {} = {user:?} needs a password\nhint: {}, or {variable}", user_key.name, file_key.name)
        }
    };
    Ok(Some((user.to_owned(), Secret(password))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_brokers_and_a_topic() {
        let parts = brokers_and_topic("kafka://a:9092,b:9092/fedilake.posts").unwrap();
        assert_eq!(parts, ("a:9092,b:9092", "fedilake.posts"));
        for wrong in [
            "kafka:a/t",
            "kafka://a:9092",
            "kafka://a:9092/",
            "kafka:///t",
            "kafka://a/t/u",
            "kafka://a/ü",
            "kafka://a/..",
        ] {
            assert!(brokers_and_topic(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_set_reaches_kafka_and_what_is_missing_is_named() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let password = folder.path().join("password");
        std::fs::write(&password, "hunter2\n")?;
        let base = Settings::load(None, [], &[])?.with(key::LOG_URL, "kafka://a:9092/t".to_owned());
        let missing = kafka_settings(&base).unwrap_err().to_string();
        assert!(missing.contains("log.registry_url") && missing.contains("hint: "), "{missing}");

        let settings = base.with(key::LOG_REGISTRY_URL, "http://r:8081/apis/ccompat/v7".to_owned());
        let kafka = kafka_settings(&settings)?;
        assert_eq!((kafka.brokers.as_str(), kafka.topic.as_str(), kafka.replication), ("a:9092", "t", -1));
        assert_eq!(kafka.registry.url.path(), "/apis/ccompat/v7");

        let asked = settings.with(key::LOG_SECURITY, "tls".to_owned()).with(key::LOG_SASL, "scram-sha-512".to_owned());
        assert!(kafka_settings(&asked).unwrap_err().to_string().contains("log.user"));
        let named = asked.with(key::LOG_USER, "ann".to_owned());
        assert!(format!("{:#}", kafka_settings(&named).unwrap_err()).contains("log.password_file"));
        let told = named.with(key::LOG_PASSWORD_FILE, password.display().to_string());
        let security = kafka_settings(&told)?.security;
        let sasl = security.sasl.unwrap();
        assert!(security.tls.is_some() && matches!(sasl.mechanism, SaslMechanism::ScramSha512));
        assert_eq!((sasl.user.as_str(), sasl.password.0.as_str()), ("ann", "hunter2"));
        Ok(())
    }
}
