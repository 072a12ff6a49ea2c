//! The log and the table, where they are elsewhere: broker, registry and store.

use std::time::Duration;

use fedilake_kafka::KafkaError;
use fedilake_table::s3::S3Url;
use tokio::time::timeout;

use super::Finding;
use crate::settings::{Settings, key};
use crate::wire::{OpenLog, SharedList, Use, s3};

/// How long a broker, a registry or a store may take.
const WITHIN: Duration = Duration::from_secs(20);

/// Looks at those stores that are not in the data folder.
pub(super) async fn all(settings: &Settings) -> Vec<Finding> {
    let (log, table) = tokio::join!(log(settings), table(settings));
    [log, table].into_iter().flatten().collect()
}

async fn log(settings: &Settings) -> Vec<Finding> {
    let kafka = match SharedList::of(settings) {
        Ok(None) => return Vec::new(),
        Ok(Some(list)) => list.kafka(),
        Err(error) => return vec![Finding::failed("log", &error)],
    };
    let kafka = match kafka {
        Ok(kafka) => kafka,
        Err(error) => return vec![Finding::failed("broker", &error)],
    };
    let brokers = kafka.brokers.clone();
    match timeout(WITHIN, OpenLog::open(None, settings, Use::Read)).await {
        Ok(Ok(_)) => vec![
            Finding::ok("broker", format!("{brokers} has topic {}", kafka.topic)),
            Finding::ok("registry", format!("{} has the schema", without_login(&kafka.registry.url))),
        ],
        Ok(Err(error)) => {
            let cause = error.chain().find_map(|cause| cause.downcast_ref::<KafkaError>());
            match cause {
                Some(KafkaError::NoTopic { topic, .. }) => vec![Finding::note(
                    "broker",
                    format!("{brokers} answers and has no topic {topic} yet"),
                    "`fedilake collect` makes it when it starts",
                )],
                Some(KafkaError::Registry { .. } | KafkaError::Incompatible { .. }) => {
                    vec![Finding::failed("registry", &error)]
                }
                _ => vec![Finding::failed("broker", &error)],
            }
        }
        Err(_) => vec![Finding::wrong(
            "broker",
            format!("{brokers} did not answer within {} s", WITHIN.as_secs()),
            "are the brokers of log.url up, and does log.security say how they are reached?",
        )],
    }
}

async fn table(settings: &Settings) -> Vec<Finding> {
    let url = match s3::url(settings) {
        Ok(None) => return Vec::new(),
        Ok(Some(url)) => url,
        Err(error) => return vec![Finding::failed("store", &error)],
    };
    let shown = settings.get(key::TABLE_URL);
    match timeout(WITHIN, reach(&url, settings)).await {
        Ok(found) => found,
        Err(_) => vec![Finding::wrong(
            "store",
            format!("the store of {shown} did not answer within {} s", WITHIN.as_secs()),
            "does table.s3_endpoint name it, and can this machine reach it?",
        )],
    }
}

async fn reach(url: &S3Url, settings: &Settings) -> Vec<Finding> {
    let shown = settings.get(key::TABLE_URL);
    let s3 = match s3::open(url, settings) {
        Ok(s3) => s3,
        Err(error) => return vec![Finding::failed("store", &error)],
    };
    if let Err(error) = s3.reach().await {
        return vec![Finding::failed("store", &anyhow::Error::new(error).context(format!("read {shown}")))];
    }
    match s3.probe().await {
        Ok(()) => vec![Finding::ok("store", format!("{shown} can be read and written, and keeps writers apart"))],
        Err(error) => {
            let mut finding = Finding::failed("store", &anyhow::Error::new(error).context(format!("write {shown}")));
            finding.says.push_str("; who only reads needs no more");
            vec![finding]
        }
    }
}

fn without_login(url: &reqwest::Url) -> String {
    crate::mask::masked(url.as_str())
}
