//! A log is its topic, and no other of the same name.

use std::time::Duration;

use fedilake_log::{Assignment, Key, Log, LogError, LogEvent, LogReader, LogWriter, Offset, Partition};
use tokio::time::{sleep, timeout};

use crate::services::{add_partitions, delete_records, delete_topic, open, settings};

const PATIENCE: Duration = Duration::from_secs(30);
const P: Partition = Partition(0);

fn records(count: usize) -> Vec<(Key, bytes::Bytes)> {
    (0..count).map(|nth| (Key("k".into()), nth.to_string().into())).collect()
}

async fn event(reader: &mut Box<dyn LogReader>) -> Result<LogEvent, LogError> {
    timeout(PATIENCE, reader.next()).await.expect("an event comes")
}

/// A reader of the only partition, at `offset`.
async fn reader_at(log: &fedilake_kafka::KafkaLog, offset: u64) -> Box<dyn LogReader> {
    let mut reader = log.reader(Assignment::All).unwrap();
    assert!(matches!(event(&mut reader).await.unwrap(), LogEvent::Assigned(P)));
    reader.seek(P, Offset(offset)).await.unwrap();
    reader
}

#[tokio::test]
async fn a_topic_that_is_made_again_ends_its_readers() {
    let Some(mut settings) = settings("made_again") else { return };
    settings.partitions = 1;
    let old = open(&settings).await;
    old.append(records(10)).await.unwrap();
    // One at the end, one at the start, whose position is good in the new topic too, and one that has no position.
    let at_end = reader_at(&old, 10).await;
    let mut at_start = reader_at(&old, 0).await;
    let LogEvent::Records(read) = event(&mut at_start).await.unwrap() else { panic!("records") };
    assert_eq!(read.len(), 10);
    at_start.seek(P, Offset(10)).await.unwrap();
    let mut idle = old.reader(Assignment::All).unwrap();
    assert!(matches!(event(&mut idle).await.unwrap(), LogEvent::Assigned(P)));

    delete_topic(&settings).await;
    let again = loop {
        match fedilake_kafka::KafkaLog::open(settings.clone(), crate::services::schemas()).await {
            Ok(log) if log.id() != old.id() => break log,
            // Deleting goes on for a moment.
            _ => sleep(Duration::from_millis(20)).await,
        }
    };
    assert_ne!(again.id(), old.id());
    // More than the old one had: nothing is out of range.
    again.append(records(50)).await.unwrap();
    for mut reader in [at_end, at_start, idle] {
        let error = loop {
            match event(&mut reader).await {
                Ok(LogEvent::Records(records)) => panic!("records of another log: {records:?}"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("made again"), "{error}");
        assert!(error.to_string().contains("hint: start again"), "{error}");
        assert_eq!(old.bounds().await.unwrap_err(), error);
        assert_eq!(event(&mut reader).await.unwrap_err(), error, "it stays so");
    }
}

#[tokio::test]
async fn a_topic_that_is_deleted_ends_its_readers() {
    let Some(mut settings) = settings("deleted") else { return };
    settings.partitions = 1;
    let log = open(&settings).await;
    let mut reader = reader_at(&log, 0).await;
    delete_topic(&settings).await;
    let error = loop {
        if let Err(error) = event(&mut reader).await {
            break error;
        }
    };
    assert!(error.to_string().contains("was deleted"), "{error}");
}

#[tokio::test]
async fn what_retention_took_is_below_the_start() {
    let Some(mut settings) = settings("retention") else { return };
    settings.partitions = 1;
    let log = open(&settings).await;
    log.append(records(10)).await.unwrap();
    let mut reader = log.reader(Assignment::All).unwrap();
    event(&mut reader).await.unwrap();
    delete_records(&settings, 0, 4).await;
    let below = LogError::BelowStart { partition: P, wanted: Offset(2), start: Offset(4) };
    assert_eq!(reader.seek(P, Offset(2)).await.unwrap_err(), below);

    // Taken from under a reader that was slower.
    let mut reader = reader_at(&log, 4).await;
    delete_records(&settings, 0, 8).await;
    let below = LogError::BelowStart { partition: P, wanted: Offset(4), start: Offset(8) };
    // Records that librdkafka has already fetched may come first.
    match event(&mut reader).await {
        Ok(LogEvent::Records(records)) => assert_eq!(records.len(), 6),
        other => {
            assert_eq!(other.unwrap_err(), below);
            assert_eq!(event(&mut reader).await.unwrap_err(), below, "it stays so");
            reader.seek(P, Offset(8)).await.unwrap();
            let LogEvent::Records(records) = event(&mut reader).await.unwrap() else { panic!("records") };
            assert_eq!(records[0].offset, Offset(8));
        }
    }
}

#[tokio::test]
async fn added_partitions_are_assigned() {
    let Some(mut settings) = settings("added") else { return };
    settings.partitions = 1;
    let log = open(&settings).await;
    let mut alone = reader_at(&log, 0).await;
    let mut member = log.reader(Assignment::Group(&settings.topic)).unwrap();
    assert!(matches!(event(&mut member).await.unwrap(), LogEvent::Assigned(P)));
    add_partitions(&settings, 3).await;
    for reader in [&mut alone, &mut member] {
        let mut added = Vec::new();
        while added.len() < 2 {
            if let LogEvent::Assigned(partition) = event(reader).await.unwrap() {
                added.push(partition);
            }
        }
        added.sort();
        assert_eq!(added, [Partition(1), Partition(2)]);
        assert_eq!(log.bounds().await.unwrap().len(), 3);
    }
    // Records appended to the added partitions are read.
    let (mut seen, count) = (0, 30);
    for partition in [1, 2] {
        alone.seek(Partition(partition), Offset(0)).await.unwrap();
    }
    let again = open(&settings).await;
    again.append((0..count).map(|nth| (Key(nth.to_string().into()), "v".into())).collect()).await.unwrap();
    while seen < count {
        if let LogEvent::Records(records) = event(&mut alone).await.unwrap() {
            seen += records.len();
        }
    }
    assert_eq!(seen, count);
}
