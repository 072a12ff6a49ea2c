//! Offsets that carry no record: what transactions leave behind.

use std::time::Duration;

use fedilake_log::{Assignment, Log, LogEvent, LogReader, Offset, Partition};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::time::timeout;

use crate::services::{open, settings, transactional};

const PATIENCE: Duration = Duration::from_secs(20);
const P: Partition = Partition(0);

/// Offsets of records that came, and how far the reader says that it came, once that is `end`.
async fn read_to(reader: &mut Box<dyn LogReader>, end: u64) -> Vec<u64> {
    let mut offsets = Vec::new();
    let mut at = 0;
    while at < end {
        match timeout(PATIENCE, reader.next()).await.expect("the end is reached").unwrap() {
            LogEvent::Records(records) => {
                offsets.extend(records.iter().map(|record| record.offset.0));
                at = offsets[offsets.len() - 1] + 1;
            }
            LogEvent::Reached(P, Offset(offset)) => {
                assert!(offset > at, "{offset} was reached before");
                at = offset;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(at, end);
    offsets
}

fn send(producer: &BaseProducer, topic: &str, count: usize) {
    for _ in 0..count {
        producer.send(BaseRecord::to(topic).partition(0).key("k").payload("v")).map_err(|(error, _)| error).unwrap();
    }
}

#[tokio::test]
async fn markers_and_aborted_records_are_holes_and_the_end_is_reached() {
    let Some(mut settings) = settings("holes") else { return };
    settings.partitions = 1;
    let log = open(&settings).await;
    let topic = settings.topic.clone();
    let producer = transactional(&settings);
    let transaction = async |count, is_good: bool| {
        producer.begin_transaction().unwrap();
        send(&producer, &topic, count);
        producer.flush(PATIENCE).unwrap();
        if is_good {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
    };
    // Offsets 0..3 and a marker; 4..9 aborted and a marker; 10..11 and a marker.
    transaction(3, true).await;
    transaction(5, false).await;
    transaction(1, true).await;

    let mut reader = log.reader(Assignment::All).unwrap();
    assert!(matches!(reader.next().await.unwrap(), LogEvent::Assigned(P)));
    assert_eq!(log.bounds().await.unwrap()[&P].end, Offset(12));
    reader.seek(P, Offset(0)).await.unwrap();
    assert_eq!(read_to(&mut reader, 12).await, [0, 1, 2, 10]);

    // At the end already: nothing but holes follows.
    transaction(2, false).await;
    assert_eq!(read_to(&mut reader, 15).await, [0_u64; 0]);

    // From within a hole, and onto it.
    for from in [4, 9, 11, 12, 14] {
        reader.seek(P, Offset(from)).await.unwrap();
        let expected: &[u64] = if from <= 10 { &[10] } else { &[] };
        assert_eq!(read_to(&mut reader, 15).await, expected, "from {from}");
    }

    // Records and holes go on behind it.
    fedilake_log::LogWriter::append(&log, vec![(fedilake_log::Key("k".into()), "v".into())]).await.unwrap();
    assert_eq!(read_to(&mut reader, 16).await, [15]);
}
