//! The two topics: found by readers; created by writers where they are not there, and refused if their settings would lose data.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::listener::Listener;
use crate::native::{self, Logs, Refusal, Topic};
use crate::{KafkaError, KafkaSettings, remedy};

/// Interval between looks for a topic that was just created.
const LOOK: Duration = Duration::from_millis(20);
/// Between two attempts of a question.
const WAIT: Duration = Duration::from_millis(100);

/// A client that asks the brokers questions. It has no group and reads no records.
pub(crate) struct Asker {
    logs: Logs,
    client: BaseConsumer<Listener>,
    pub(crate) brokers: String,
    patience: Duration,
}

/// The use of a topic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Purpose {
    /// The log.
    Records,
    /// The servers and their bookmarks.
    Servers,
}

impl Asker {
    pub(crate) fn new(settings: &KafkaSettings) -> Result<Asker, KafkaError> {
        let brokers = settings.brokers.clone();
        settings.security.check().map_err(|why| KafkaError::Settings { brokers, why })?;
        let mut config = settings.client();
        // The end of a partition is that of all that was acknowledged, also while another's transaction is open.
        config.set("isolation.level", "read_uncommitted");
        // A connection that ends while it is set up tells which setting does not fit; only a question's error shows it.
        config.set("log.connection.close", "true").set_log_level(RDKafkaLogLevel::Info);
        let client = BaseConsumer::from_config_and_context(&config, Listener::default());
        let client = client.map_err(|error| settings.no_client(error))?;
        Ok(Asker {
            logs: Logs::of(client.client()),
            client,
            brokers: settings.brokers.clone(),
            patience: settings.request_timeout,
        })
    }

    /// Returns the topic as it is now; `None` where there is none. Blocks.
    pub(crate) fn describe(&self, topic: &str) -> Result<Option<Topic>, Refusal> {
        self.told(self.patiently(|patience| native::describe(self.client.client(), topic, patience)))
    }

    /// Returns the first offset of each partition and the offset that its next record gets. A partition that was just added is in the
    /// topic before its leader, or this client, knows of it: it is asked for again as long as the patience lasts. Blocks.
    pub(crate) fn bounds(&self, topic: &str, partitions: &[u32]) -> Result<BTreeMap<u32, (u64, u64)>, Refusal> {
        let end = Instant::now() + self.patience;
        let bounds = loop {
            let asked = self.patiently(|patience| native::bounds(self.client.client(), topic, partitions, patience));
            match asked {
                Err(refusal) if refusal.is_of_unknown_partition() && Instant::now() + WAIT < end => {
                    let found = self.describe(topic)?.map_or(0, |topic| topic.partitions);
                    if partitions.iter().any(|partition| *partition >= found) {
                        return self.told(Err(refusal));
                    }
                    std::thread::sleep(WAIT);
                    // Left to itself the client would keep the topic's partitions as it knows them for minutes.
                    if let Err(error) = self.client.fetch_metadata(Some(topic), self.patience) {
                        tracing::debug!("kafka: leaders of {topic}: {error}");
                    }
                }
                answer => break answer,
            }
        };
        self.told(bounds)
    }

    /// Asks again, as long as the patience lasts, where the connection ended under the question: the broker starts again, or
    /// has just been found under its own name.
    fn patiently<T>(&self, ask: impl Fn(Duration) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let end = Instant::now() + self.patience;
        loop {
            match ask(end.saturating_duration_since(Instant::now())) {
                Err(Refusal { code, .. }) if broke_off(code) && Instant::now() + WAIT < end => std::thread::sleep(WAIT),
                answer => return answer,
            }
        }
    }

    /// True if the client heard what is wrong with its connection.
    fn has_trouble(&self) -> bool {
        self.client.context().trouble().is_some()
    }

    /// Adds to an error the trouble that the client heard meanwhile: "timed out" alone explains nothing.
    fn told<T>(&self, answer: Result<T, Refusal>) -> Result<T, Refusal> {
        // The client's messages wait to be picked up.
        while self.client.poll(Duration::ZERO).is_some() {}
        self.logs.hear(&**self.client.context());
        answer.map_err(|Refusal { code, why }| match self.client.context().trouble() {
            Some(trouble) => Refusal { code, why: format!("{why} ({trouble})") },
            None => Refusal { code, why },
        })
    }
}

/// True if the connection ended before the question was answered.
fn broke_off(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{
        AllBrokersDown, BrokerTransportFailure, DestroyBroker, LeaderNotAvailable, NotController, NotLeaderForPartition,
    };
    matches!(
        code,
        AllBrokersDown
            | BrokerTransportFailure
            | DestroyBroker
            | LeaderNotAvailable
            | NotController
            | NotLeaderForPartition
    )
}

/// Returns the topic of that name. Needs the right to describe it, and makes nothing.
pub(crate) async fn require(settings: &KafkaSettings, asker: &Arc<Asker>, name: &str) -> Result<Topic, KafkaError> {
    let found = find(settings, asker, name).await?;
    found.ok_or_else(|| KafkaError::NoTopic { topic: name.to_owned(), brokers: settings.brokers.clone() })
}

/// Returns the topic of that name: created as `settings` say if there is none, checked if there is.
pub(crate) async fn ensure(
    settings: &KafkaSettings,
    asker: &Arc<Asker>,
    name: &str,
    purpose: Purpose,
) -> Result<Topic, KafkaError> {
    let found = find(settings, asker, name).await?;
    let admin = AdminClient::from_config_and_context(&settings.client(), Listener::default());
    let admin = admin.map_err(|error| failed(settings, "set up the client for", name, error.into()))?;
    let options = AdminOptions::new().request_timeout(Some(settings.request_timeout));
    let topic = match found {
        Some(topic) => topic,
        None => {
            let created = create(settings, &admin, &options, name, purpose).await;
            created.map_err(|refusal| failed(settings, "create", name, refusal))?;
            appeared(settings, asker, name).await?
        }
    };
    match described(&admin, &options, name).await {
        Ok(config) => check(settings, name, purpose, &config)?,
        // The settings are checked by every process that may look at them.
        Err(refusal) if is_forbidden(refusal.code) => {
            tracing::debug!("look up the settings of topic {name}: {}", refusal.why);
        }
        Err(refusal) => return Err(failed(settings, "look up the settings of", name, refusal)),
    }
    Ok(topic)
}

async fn find(settings: &KafkaSettings, asker: &Arc<Asker>, name: &str) -> Result<Option<Topic>, KafkaError> {
    let (asker, topic) = (asker.clone(), name.to_owned());
    let found = spawn_blocking(move || match asker.describe(&topic) {
        // The broker was reached, and is only slow.
        Err(refusal) if refusal.code == RDKafkaErrorCode::OperationTimedOut && !asker.has_trouble() => {
            asker.describe(&topic)
        }
        found => found,
    });
    let found = found.await;
    let found = found.unwrap_or_else(|error| Err(Refusal::because(&error.to_string())));
    found.map_err(|refusal| failed(settings, "look up", name, refusal))
}

/// Waits for a topic that was just created.
async fn appeared(settings: &KafkaSettings, asker: &Arc<Asker>, name: &str) -> Result<Topic, KafkaError> {
    let end = Instant::now() + settings.request_timeout;
    loop {
        match find(settings, asker, name).await? {
            Some(topic) if topic.partitions > 0 => return Ok(topic),
            _ if Instant::now() > end => {
                return Err(failed(settings, "create", name, Refusal::because("it does not appear")));
            }
            _ => sleep(LOOK).await,
        }
    }
}

async fn create(
    settings: &KafkaSettings,
    admin: &AdminClient<Listener>,
    options: &AdminOptions,
    name: &str,
    purpose: Purpose,
) -> Result<(), Refusal> {
    let partitions = match purpose {
        Purpose::Records => settings.partitions,
        Purpose::Servers => settings.servers_partitions,
    };
    let partitions = i32::try_from(partitions).map_err(|error| Refusal::because(&error.to_string()))?;
    let retention_ms = settings.retention.as_millis().to_string();
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(settings.replication.into()));
    let topic = match purpose {
        Purpose::Records => topic
            .set("cleanup.policy", "delete")
            .set("message.timestamp.type", "LogAppendTime")
            .set("retention.ms", &retention_ms),
        Purpose::Servers => topic.set("cleanup.policy", "compact"),
    };
    let created = admin.create_topics([&topic], options).await?;
    match created.into_iter().next() {
        Some(Ok(_)) => {
            tracing::info!("created topic {name} with {partitions} partitions");
            Ok(())
        }
        // Another process was quicker.
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
        Some(Err((_, code))) => Err(Refusal { code, why: code.to_string() }),
        None => Err(Refusal::because("an empty answer")),
    }
}

async fn described(
    admin: &AdminClient<Listener>,
    options: &AdminOptions,
    name: &str,
) -> Result<ConfigResource, Refusal> {
    let described = admin.describe_configs(&[ResourceSpecifier::Topic(name)], options).await?;
    match described.into_iter().next() {
        // The crate rdkafka gives no error where the broker forbids the look, but no setting either.
        Some(Ok(config)) if config.entries.is_empty() => {
            let code = RDKafkaErrorCode::TopicAuthorizationFailed;
            Err(Refusal { code, why: code.to_string() })
        }
        Some(Ok(config)) => Ok(config),
        Some(Err(code)) => Err(Refusal { code, why: code.to_string() }),
        None => Err(Refusal::because("an empty answer")),
    }
}

fn failed(settings: &KafkaSettings, doing: &str, topic: &str, refusal: Refusal) -> KafkaError {
    let (brokers, doing) = (settings.brokers.clone(), format!("{doing} topic {topic}"));
    if is_forbidden(refusal.code) {
        return KafkaError::Forbidden { doing, brokers, why: refusal.why, topic: topic.to_owned() };
    }
    KafkaError::Broker { doing, brokers, hint: remedy::of(&refusal.why), why: refusal.why }
}

/// True if the brokers' access rules forbid what was asked.
fn is_forbidden(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{ClusterAuthorizationFailed, TopicAuthorizationFailed};
    matches!(code, TopicAuthorizationFailed | ClusterAuthorizationFailed)
}

fn check(settings: &KafkaSettings, topic: &str, purpose: Purpose, config: &ConfigResource) -> Result<(), KafkaError> {
    let value = |setting: &str| config.get(setting).and_then(|entry| entry.value.as_deref()).unwrap_or_default();
    let refused = |setting: &'static str, why: &'static str, wanted: &'static str| KafkaError::Topic {
        topic: topic.into(),
        brokers: settings.brokers.as_str().into(),
        setting,
        value: value(setting).into(),
        why,
        wanted,
    };
    let cleanup: Vec<&str> = value("cleanup.policy").split(',').map(str::trim).collect();
    if purpose == Purpose::Servers {
        return if cleanup == ["compact"] {
            Ok(())
        } else {
            Err(refused("cleanup.policy", "servers and bookmarks would be forgotten", "compact"))
        };
    }
    if cleanup != ["delete"] {
        return Err(refused("cleanup.policy", "records of one key would replace each other", "delete"));
    }
    if value("message.timestamp.type") != "LogAppendTime" {
        let why = "appended_at would be what a client claims and not when the log took the record";
        return Err(refused("message.timestamp.type", why, "LogAppendTime"));
    }
    let at = &settings.brokers;
    if let Ok(kept_ms @ 0..) = value("retention.ms").parse::<i128>()
        && kept_ms < i128::try_from(settings.retention.as_millis()).unwrap_or(i128::MAX)
    {
        tracing::warn!(
            "topic {topic} at {at} keeps records for {kept_ms} ms, shorter than asked for: a sink must not be longer away"
        );
    }
    if let Ok(kept @ 0..) = value("retention.bytes").parse::<i64>() {
        tracing::warn!("topic {topic} at {at} keeps {kept} bytes a partition: a sink must not fall further behind");
    }
    Ok(())
}
