//! The log in Kafka that a `kafka:` URL and the settings beside it name.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use anyhow::{Context, bail};
use fedilake_kafka::{
    KafkaLog, KafkaSettings, KafkaSource, RegistrySettings, Sasl, SaslMechanism, SavedBookmarks, Schemas, Secret,
    Security, Servers, Tls, Unlearned,
};
use fedilake_log::Bookmarks;
use fedilake_model::{avro, schema};
use reqwest::Url;

use super::Use;
use crate::mask::masked;
use crate::secret;
use crate::settings::Settings;

/// So many collectors can share the servers at least: what the list's topic holds is small, and its partitions cost little.
const SERVERS_PARTITIONS_MIN: u32 = 16;

/// Opens the log to be written: registers the schema, and makes the topics that are not there. `cache` keeps schemas.
pub(super) async fn open(settings: &Settings, cache: Option<PathBuf>) -> anyhow::Result<Arc<KafkaLog>> {
    let kafka = KafkaSettings { schema_cache: cache, ..kafka_settings(settings)? };
    Ok(Arc::new(KafkaLog::open(kafka, schemas()).await.context("open the log")?))
}

/// Opens the log to be read, or stored in the table.
pub(super) async fn open_source(
    settings: &Settings,
    cache: Option<PathBuf>,
    used: Use,
) -> anyhow::Result<Arc<KafkaSource>> {
    let kafka = KafkaSettings { schema_cache: cache, ..kafka_settings(settings)? };
    let opened = match used {
        Use::Read => KafkaSource::open(kafka, schemas()).await,
        Use::Store | Use::Write => KafkaSource::open_or_create(kafka, schemas()).await,
    };
    Ok(Arc::new(opened.context("open the log")?))
}

/// The bookmarks of the collectors that write the log, for a process that only reads.
pub fn bookmarks_to_read(settings: &Settings) -> anyhow::Result<Arc<dyn Bookmarks>> {
    Ok(Arc::new(SavedBookmarks::new(kafka_settings(settings)?)))
}

fn schemas() -> Schemas {
    Schemas {
        header: avro::own_header(),
        schema: schema::AVRO,
        learn: |schema| {
            avro::learn(schema).map_err(|error| {
                let why = error.to_string();
                if is_of_fedilake(schema) { Unlearned::Newer(why) } else { Unlearned::Foreign(why) }
            })
        },
        is_known: avro::is_known,
        is_body,
    }
}

/// True if the bytes are the body of a post event of any version.
fn is_body(body: &[u8]) -> bool {
    static DECODER: LazyLock<Mutex<avro::Decoder>> = LazyLock::new(Mutex::default);
    DECODER.lock().unwrap_or_else(PoisonError::into_inner).is_body(body)
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

/// Opens the list of servers that is kept beside the log.
pub async fn listed_servers(settings: &Settings, used: Use) -> anyhow::Result<Servers> {
    if super::log_is_local(settings)? {
        bail!(
            "only a log in Kafka has a list of servers, and setting log.url = {:?} is a folder's\n\
             hint: name the servers in collect.servers in the settings, or with --server",
            settings.text("log.url")
        );
    }
    let kafka = kafka_settings(settings)?;
    let opened = match used {
        Use::Read | Use::Store => Servers::open_to_read(kafka).await,
        Use::Write => Servers::open(kafka).await,
    };
    opened.context("open the list of servers")
}

/// The settings of Kafka and the registry.
pub fn kafka_settings(settings: &Settings) -> anyhow::Result<KafkaSettings> {
    let url = settings.text("log.url");
    let (brokers, topic) = brokers_and_topic(url).with_context(|| {
        format!(
            "setting log.url = {:?}\nhint: write it like kafka://broker-1:9092,broker-2:9092/fedilake.posts",
            masked(url)
        )
    })?;
    let registry: Url = match settings.text("log.registry_url") {
        "" => bail!(
            "a log in Kafka needs a Schema Registry, and setting log.registry_url is empty\n\
             hint: FEDILAKE_LOG_REGISTRY_URL=http://127.0.0.1:8081, or registry_url below [log] in fedilake.toml"
        ),
        registry => registry.parse().with_context(|| format!("setting log.registry_url = {:?}", masked(registry)))?,
    };
    Ok(KafkaSettings {
        servers_topic: settings.text("collect.servers_topic").to_owned(),
        partitions: settings.number("log.partitions")?,
        servers_partitions: settings.number::<u32>("log.partitions")?.max(SERVERS_PARTITIONS_MIN),
        replication: match settings.number("log.replication")? {
            0 => -1,
            copies => copies,
        },
        retention: settings.seconds("log.retention_seconds")?,
        session_timeout: settings.milliseconds("log.session_timeout_milliseconds")?,
        delivery_timeout: settings.seconds("log.append_seconds_max")?,
        security: security(settings)?,
        registry: RegistrySettings {
            login: login(
                settings,
                "log.registry_user",
                "log.registry_password_file",
                "FEDILAKE_LOG_REGISTRY_PASSWORD",
            )?,
            ca_file: file(settings, "log.ca_file"),
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
    let tls = match settings.text("log.security") {
        "tls" => Some(Tls { ca_file: file(settings, "log.ca_file"), ..Tls::default() }),
        _ => None,
    };
    let mechanism = match settings.text("log.sasl") {
        "plain" => SaslMechanism::Plain,
        "scram-sha-256" => SaslMechanism::ScramSha256,
        "scram-sha-512" => SaslMechanism::ScramSha512,
        _ => return Ok(Security { tls, sasl: None }),
    };
    let login = login(settings, "log.user", "log.password_file", "FEDILAKE_LOG_PASSWORD")?;
    let (user, password) =
        login.with_context(|| format!("setting log.sasl = {:?} needs log.user", settings.text("log.sasl")))?;
    Ok(Security { tls, sasl: Some(Sasl { mechanism, user, password }) })
}

fn file(settings: &Settings, key: &'static str) -> Option<PathBuf> {
    Some(settings.text(key)).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A name and its password, which is only ever in a file or the environment: settings are printed.
fn login(
    settings: &Settings,
    user_key: &'static str,
    file_key: &'static str,
    variable: &'static str,
) -> anyhow::Result<Option<(String, Secret)>> {
    let user = settings.text(user_key);
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
        (None, Err(_)) => bail!("setting {user_key} = {user:?} needs a password\nhint: {file_key}, or {variable}"),
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
        let base = Settings::load(None, [], &[])?.with("log.url", "kafka://a:9092/t".to_owned());
        let missing = kafka_settings(&base).unwrap_err().to_string();
        assert!(missing.contains("log.registry_url") && missing.contains("hint: "), "{missing}");

        let settings = base.with("log.registry_url", "http://r:8081/apis/ccompat/v7".to_owned());
        let kafka = kafka_settings(&settings)?;
        assert_eq!((kafka.brokers.as_str(), kafka.topic.as_str(), kafka.replication), ("a:9092", "t", -1));
        assert_eq!(kafka.registry.url.path(), "/apis/ccompat/v7");

        let asked = settings.with("log.security", "tls".to_owned()).with("log.sasl", "scram-sha-512".to_owned());
        assert!(kafka_settings(&asked).unwrap_err().to_string().contains("log.user"));
        let named = asked.with("log.user", "ann".to_owned());
        assert!(format!("{:#}", kafka_settings(&named).unwrap_err()).contains("log.password_file"));
        let told = named.with("log.password_file", password.display().to_string());
        let security = kafka_settings(&told)?.security;
        let sasl = security.sasl.unwrap();
        assert!(security.tls.is_some() && matches!(sasl.mechanism, SaslMechanism::ScramSha512));
        assert_eq!((sasl.user.as_str(), sasl.password.0.as_str()), ("ann", "hunter2"));
        Ok(())
    }
}
