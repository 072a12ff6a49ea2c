//! The two topics: made if they are not there, refused if their settings would lose data.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::listener::Listener;
use crate::native::{self, Logs, Refusal, Topic};
use crate::{KafkaError, KafkaSettings};

/// How often it is asked whether a topic that was just created is there.
const LOOK: Duration = Duration::from_millis(20);

/// Asks the brokers things. It has no group and reads nothing.
pub(crate) struct Asker {
    logs: Logs,
    client: BaseConsumer<Listener>,
    pub(crate) brokers: String,
    patience: Duration,
}

/// What a topic is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Purpose {
    /// The log.
    Records,
    /// The servers and their bookmarks.
    Servers,
}

impl Asker {
    pub(crate) fn new(settings: &KafkaSettings) -> Result<Asker, KafkaError> {
        let mut config = settings.client();
        // The end of a partition is that of all that was acknowledged, also while another's transaction is open.
        config.set("isolation.level", "read_uncommitted");
        let client = BaseConsumer::from_config_and_context(&config, Listener::default());
        let client = client.map_err(|error| settings.no_client(error))?;
        Ok(Asker {
            logs: Logs::of(client.client()),
            client,
            brokers: settings.brokers.clone(),
            patience: settings.request_timeout,
        })
    }

    /// The topic as it is now; `None` where there is none. Blocks.
    pub(crate) fn describe(&self, topic: &str) -> Result<Option<Topic>, String> {
        self.told(self.patiently(|patience| native::describe(self.client.client(), topic, patience)))
    }

    /// First offset, and the one that the next record gets. Blocks.
    pub(crate) fn bounds(&self, topic: &str, partition: u32) -> Result<(u64, u64), String> {
        let partition = i32::try_from(partition).map_err(|_| format!("{partition} is no partition's number"))?;
        let ask = |patience| Ok(self.client.fetch_watermarks(topic, partition, patience)?);
        let bounds = self.patiently(|patience| match ask(patience) {
            Err(Refusal { code: RDKafkaErrorCode::UnknownPartition, .. }) => {
                // What the client knows of the topic is from before the partition was added; it would be for minutes.
                self.client.fetch_metadata(Some(topic), patience)?;
                ask(patience)
            }
            bounds => bounds,
        });
        let (start, end) = self.told(bounds)?;
        Ok((u64::try_from(start).unwrap_or(0), u64::try_from(end).unwrap_or(0)))
    }

    /// Asks again, as long as the patience lasts, where the connection went away under the question: the broker starts again, or
    /// has just been found under its own name.
    fn patiently<T>(&self, ask: impl Fn(Duration) -> Result<T, Refusal>) -> Result<T, String> {
        const WAIT: Duration = Duration::from_millis(100);
        let end = Instant::now() + self.patience;
        loop {
            match ask(end.saturating_duration_since(Instant::now())) {
                Err(Refusal { code, .. }) if broke_off(code) && Instant::now() + WAIT < end => std::thread::sleep(WAIT),
                answer => return answer.map_err(|refusal| refusal.why),
            }
        }
    }

    /// An error with what the client heard meanwhile: "timed out" alone tells nobody why.
    fn told<T>(&self, answer: Result<T, String>) -> Result<T, String> {
        // What the client has to say waits to be picked up.
        while self.client.poll(Duration::ZERO).is_some() {}
        self.logs.hear(&**self.client.context());
        answer.map_err(|why| match self.client.context().trouble() {
            Some(trouble) => format!("{why} ({trouble})"),
            None => why,
        })
    }
}

/// Whether it was the connection that ended and not the question that was answered.
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

/// The topic of that name: created as `settings` say if there is none, checked if there is.
pub(crate) async fn ensure(
    settings: &KafkaSettings,
    asker: &Arc<Asker>,
    name: &str,
    purpose: Purpose,
) -> Result<Topic, KafkaError> {
    let failed = |doing: &str, why: String| KafkaError::Broker {
        doing: format!("{doing} topic {name}"),
        brokers: settings.brokers.clone(),
        why,
    };
    let describe = async || {
        let (asker, name) = (asker.clone(), name.to_owned());
        let found = spawn_blocking(move || asker.describe(&name)).await;
        found.map_err(|error| failed("look up", error.to_string()))?.map_err(|why| failed("look up", why))
    };
    let found = describe().await?;
    let admin = AdminClient::from_config_and_context(&settings.client(), Listener::default());
    let admin = admin.map_err(|error| failed("set up the client for", error.to_string()))?;
    let options = AdminOptions::new().request_timeout(Some(settings.request_timeout));
    let topic = match found {
        Some(topic) => topic,
        None => {
            create(settings, &admin, &options, name, purpose).await.map_err(|why| failed("create", why))?;
            let end = Instant::now() + settings.request_timeout;
            loop {
                match describe().await? {
                    Some(topic) if topic.partitions > 0 => break topic,
                    _ if Instant::now() > end => return Err(failed("create", "it does not appear".into())),
                    _ => sleep(LOOK).await,
                }
            }
        }
    };
    let described = admin.describe_configs(&[ResourceSpecifier::Topic(name)], &options).await;
    let described = described.map_err(|error| failed("look up the settings of", error.to_string()))?;
    let config = match described.into_iter().next() {
        Some(Ok(config)) => config,
        Some(Err(code)) => return Err(failed("look up the settings of", code.to_string())),
        None => return Err(failed("look up the settings of", "an empty answer".into())),
    };
    check(settings, name, purpose, &config)?;
    Ok(topic)
}

async fn create(
    settings: &KafkaSettings,
    admin: &AdminClient<Listener>,
    options: &AdminOptions,
    name: &str,
    purpose: Purpose,
) -> Result<(), String> {
    let partitions = match purpose {
        Purpose::Records => settings.partitions,
        Purpose::Servers => settings.servers_partitions,
    };
    let partitions = i32::try_from(partitions).map_err(|error| error.to_string())?;
    let retention_ms = settings.retention.as_millis().to_string();
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(settings.replication.into()));
    let topic = match purpose {
        Purpose::Records => topic
            .set("cleanup.policy", "delete")
            .set("message.timestamp.type", "LogAppendTime")
            .set("retention.ms", &retention_ms),
        Purpose::Servers => topic.set("cleanup.policy", "compact"),
    };
    let created = admin.create_topics([&topic], options).await.map_err(|error| error.to_string())?;
    match created.into_iter().next() {
        // Another process was quicker.
        Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => {
            tracing::info!("created topic {name} with {partitions} partitions");
            Ok(())
        }
        Some(Err((_, code))) => Err(code.to_string()),
        None => Err("an empty answer".into()),
    }
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
