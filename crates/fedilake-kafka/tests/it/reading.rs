//! A process that only reads creates nothing, and needs the registry only for schemas that it has not seen.

use std::time::Duration;

use fedilake_kafka::{KafkaError, KafkaSettings, KafkaSource, Servers};
use fedilake_log::{Assignment, Key, Log, LogError, LogEvent, LogWriter, Offset, Partition};
use tokio::time::timeout;
use url::Url;

use crate::services::{HEADER, create_topic, open, register, schemas, settings, subjects, topics};

const PATIENCE: Duration = Duration::from_secs(20);

/// With a registry at an address where nobody listens.
fn without_registry(settings: &KafkaSettings) -> KafkaSettings {
    let mut settings = settings.clone();
    settings.registry.url = Url::parse("http://127.0.0.1:9").unwrap();
    settings.registry.patience = Duration::from_millis(300);
    settings
}

async fn first(source: &KafkaSource) -> Result<Vec<u8>, LogError> {
    let mut reader = source.reader(Assignment::All).unwrap();
    loop {
        match timeout(PATIENCE, reader.next()).await.expect("records come")? {
            LogEvent::Assigned(partition) => reader.seek(partition, Offset(0)).await?,
            LogEvent::Records(records) => return Ok(records[0].value.to_vec()),
            _ => {}
        }
    }
}

#[tokio::test]
async fn who_reads_makes_no_topic_and_no_subject() {
    let Some(settings) = settings("reads") else { return };
    for settings in [settings.clone(), without_registry(&settings)] {
        let Err(error) = KafkaSource::open(settings.clone(), schemas()).await else { panic!("there is no topic") };
        let KafkaError::NoTopic { topic, .. } = &error else { panic!("{error}") };
        assert_eq!(*topic, settings.topic);
        let Err(error) = Servers::open_to_read(settings.clone()).await else { panic!("there is no topic") };
        let KafkaError::NoTopic { topic, .. } = &error else { panic!("{error}") };
        assert_eq!(*topic, settings.servers_topic);
        assert!(error.to_string().contains("hint: "), "{error}");
    }
    assert_eq!((topics(&settings), subjects(&settings).await), (vec![], vec![]));

    create_topic(&settings, &[("message.timestamp.type", "LogAppendTime")]).await;
    let source = KafkaSource::open(settings.clone(), schemas()).await.unwrap();
    let mut reader = source.reader(Assignment::All).unwrap();
    assert!(matches!(reader.next().await.unwrap(), LogEvent::Assigned(Partition(0))));
    assert_eq!(source.bounds().await.unwrap()[&Partition(0)].end, Offset(0));
    assert_eq!((topics(&settings), subjects(&settings).await), (vec![settings.topic.clone()], vec![]));
}

#[tokio::test]
async fn a_sink_makes_the_topic_of_records_alone() {
    let Some(settings) = settings("sink_first") else { return };
    let settings = without_registry(&settings);
    KafkaSource::open_or_create(settings.clone(), schemas()).await.unwrap();
    assert_eq!(topics(&settings), std::slice::from_ref(&settings.topic));
}

#[tokio::test]
async fn a_schema_that_was_met_needs_no_registry_after_a_restart() {
    let Some(mut settings) = settings("cached") else { return };
    let folder = std::env::temp_dir().join(&settings.topic);
    settings.partitions = 1;
    let log = open(&settings).await;
    log.append(vec![(Key("k".into()), [&HEADER[..], b"1"].concat().into())]).await.unwrap();

    settings.schema_cache = Some(folder.clone());
    let away = without_registry(&settings);
    let error = first(&KafkaSource::open(away.clone(), schemas()).await.unwrap()).await.unwrap_err();
    assert!(matches!(error, LogError::Schema { offset: Offset(0), .. }), "{error}");
    for part in ["cannot be had from the registry", "127.0.0.1:9", "nothing is skipped", "hint: "] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let met = first(&KafkaSource::open(settings, schemas()).await.unwrap()).await.unwrap();
    assert_eq!(first(&KafkaSource::open(away.clone(), schemas()).await.unwrap()).await.unwrap(), met);
    // A damaged cache is none.
    for file in std::fs::read_dir(&folder).unwrap() {
        std::fs::write(file.unwrap().path(), "{").unwrap();
    }
    assert!(first(&KafkaSource::open(away, schemas()).await.unwrap()).await.is_err());
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn records_of_another_programs_schema_come_as_they_are_and_stop_nobody() {
    let Some(mut settings) = settings("foreign") else { return };
    settings.partitions = 1;
    let log = open(&settings).await;
    let own = settings.clone();
    let mut values = Vec::new();
    for (nth, schema) in [
        r#"{"type": "record", "name": "Order", "fields": [{"name": "a", "type": "int"}]}"#,
        r#"{"type": "enum", "name": "Colour", "symbols": ["RED"]}"#,
        r#""string""#,
        r#"{"type": "record", "name": "Tree", "fields": [{"name": "kids", "type": {"type": "array", "items": "Tree"}}]}"#,
    ]
    .iter()
    .enumerate()
    {
        // Under a subject of its own, as another program's would be.
        let other = KafkaSettings { topic: format!("{}.{nth}", own.topic), ..own.clone() };
        let id = register(&other, schema).await;
        values.push([&[0], &id.to_be_bytes()[..], b"body"].concat());
    }
    let append = values.iter().map(|value| (Key("k".into()), value.clone().into())).collect();
    log.append(append).await.unwrap();
    log.append(vec![(Key("k".into()), [&HEADER[..], b"ours"].concat().into())]).await.unwrap();
    let mut reader = log.reader(Assignment::All).unwrap();
    assert!(matches!(reader.next().await.unwrap(), LogEvent::Assigned(Partition(0))));
    reader.seek(Partition(0), Offset(0)).await.unwrap();
    let mut read = Vec::new();
    while read.len() < values.len() + 1 {
        if let LogEvent::Records(records) = timeout(PATIENCE, reader.next()).await.expect("records come").unwrap() {
            read.extend(records.into_iter().map(|record| record.value.to_vec()));
        }
    }
    assert_eq!(read.pop().unwrap(), [&HEADER[..], b"ours"].concat());
    assert_eq!(read, values);
}
