//! Refusals before anything is appended, and their messages.

use std::time::{Duration, Instant};

use fedilake_kafka::{KafkaError, KafkaLog, KafkaSettings};
use fedilake_log::{Key, Log, LogError, LogWriter};
use url::Url;

use crate::services::{SCHEMA, Things, create_topic, open, register, schemas, settings};

async fn refused(settings: &KafkaSettings) -> KafkaError {
    match KafkaLog::open(settings.clone(), schemas()).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

/// An address where nobody listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn a_topic_with_settings_that_lose_data_is_refused_with_a_hint() {
    for (setting, value) in
        [("cleanup.policy", "compact"), ("cleanup.policy", "compact,delete"), ("message.timestamp.type", "CreateTime")]
    {
        let Some(settings) = settings("bad_topic") else { return };
        create_topic(&settings, &[("message.timestamp.type", "LogAppendTime"), (setting, value)]).await;
        let error = refused(&settings).await;
        assert!(matches!(&error, KafkaError::Topic { setting: named, .. } if *named == setting), "{error}");
        let said = error.to_string();
        for part in [setting, &settings.topic, "hint: kafka-configs.sh"] {
            assert!(said.contains(part), "{said}");
        }
    }
}

#[tokio::test]
async fn a_topic_that_somebody_made_is_taken_as_it_is() {
    let Some(settings) = settings("own_topic") else { return };
    create_topic(&settings, &[("message.timestamp.type", "LogAppendTime"), ("retention.ms", "1000")]).await;
    let log = open(&settings).await;
    assert_eq!(log.bounds().await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_incompatible_schema_is_refused() {
    let Some(settings) = settings("incompatible") else { return };
    register(&settings, &SCHEMA.replace("\"int\"", "\"string\"")).await;
    let error = refused(&settings).await;
    let KafkaError::Incompatible { subject, .. } = &error else { panic!("{error}") };
    assert_eq!(*subject, format!("{}-value", settings.topic));
    assert!(error.to_string().contains("hint: "), "{error}");
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_named() {
    let Some(mut settings) = settings("no_registry") else { return };
    let address = nowhere();
    settings.registry.url = Url::parse(&format!("http://{address}/apis/ccompat/v7/")).unwrap();
    let error = refused(&settings).await;
    assert!(matches!(error, KafkaError::Registry { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains(&address) && said.contains("Connection refused") && said.contains("hint: "), "{said}");
}

#[tokio::test]
async fn brokers_that_are_not_there_are_named_in_time() {
    let Some(mut settings) = settings("no_broker") else { return };
    settings.brokers = nowhere();
    settings.request_timeout = Duration::from_secs(2);
    let begun = Instant::now();
    let error = refused(&settings).await;
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert!(matches!(error, KafkaError::Broker { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains(&settings.brokers) && said.contains("refused") && said.contains("hint: "), "{said}");
}

#[tokio::test]
async fn an_append_that_is_refused_says_where() {
    let Some(settings) = settings("too_large") else { return };
    let log = open(&settings).await;
    let large = vec![0; 2_000_000];
    let error = log.append(vec![(Key("k".into()), large.into())]).await.unwrap_err();
    let LogError::Storage { at, why, .. } = &error else { panic!("{error}") };
    assert!(at.contains(&settings.topic) && at.contains(&settings.brokers) && why.contains("size"), "{error}");
    log.append(vec![(Key("k".into()), "v".into())]).await.unwrap();
}

#[tokio::test]
async fn settings_that_make_no_client_are_said_to() {
    let Some(mut settings) = settings("bad_settings") else { return };
    let tls = fedilake_kafka::Tls { ca_file: Some("/nowhere/ca.pem".into()), ..Default::default() };
    settings.security.tls = Some(tls);
    let error = refused(&settings).await;
    assert!(matches!(error, KafkaError::Settings { .. }) && error.to_string().contains("ca.pem"), "{error}");
    let schemas = std::sync::Arc::new(Things { schema: "no schema" });
    settings.security.tls = None;
    assert!(KafkaLog::open(settings, schemas).await.is_err());
}
