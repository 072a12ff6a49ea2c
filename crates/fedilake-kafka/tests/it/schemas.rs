//! Records as Kafka stores them, and as they are read back.

use std::time::Duration;

use bytes::Bytes;
use fedilake_kafka::{KafkaLog, KafkaSource};
use fedilake_log::{Assignment, Key, Log, LogError, LogEvent, LogReader, LogWriter, Offset, Partition};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::time::timeout;

use crate::services::{HEADER, LEARNED, SCHEMA, client, open, register, schemas, settings};

const PATIENCE: Duration = Duration::from_secs(20);
const P: Partition = Partition(0);

fn value(head: &[u8], body: &[u8]) -> Bytes {
    [head, body].concat().into()
}

async fn append(log: &KafkaLog, values: &[Bytes]) {
    log.append(values.iter().map(|value| (Key("k".into()), value.clone())).collect()).await.unwrap();
}

async fn reader(log: &KafkaLog) -> Box<dyn LogReader> {
    let mut reader = log.reader(Assignment::All).unwrap();
    assert!(matches!(reader.next().await.unwrap(), LogEvent::Assigned(P)));
    reader.seek(P, Offset(0)).await.unwrap();
    reader
}

/// The next `count` values.
async fn read(reader: &mut Box<dyn LogReader>, count: usize) -> Vec<Bytes> {
    let mut values = Vec::new();
    while values.len() < count {
        let event = timeout(PATIENCE, reader.next()).await.expect("records come").unwrap();
        if let LogEvent::Records(records) = event {
            values.extend(records.into_iter().map(|record| record.value));
        }
    }
    values
}

#[tokio::test]
async fn in_kafka_a_record_is_as_confluents_clients_have_it() {
    let Some(mut settings) = settings("wire") else { return };
    settings.partitions = 1;
    let log = open(&settings).await;
    let id = register(&settings, SCHEMA).await;
    let values =
        [value(&HEADER, b"body"), value(b"other", b""), value(&HEADER, b""), Bytes::from_static(&[0, 1, 2, 3])];
    append(&log, &values).await;
    assert_eq!(read(&mut reader(&log).await, 4).await, values);

    let foreign: BaseConsumer = client(&settings).set("group.id", "foreign").create().unwrap();
    let mut all = rdkafka::TopicPartitionList::new();
    all.add_partition_offset(&settings.topic, 0, rdkafka::Offset::Beginning).unwrap();
    foreign.assign(&all).unwrap();
    let wire = value(&[0], &id.to_be_bytes());
    for expected in [value(&wire, b"body"), values[1].clone(), wire.clone(), values[3].clone()] {
        let message = foreign.poll(PATIENCE).expect("a message").unwrap();
        assert_eq!(message.payload(), Some(&expected[..]));
        assert_eq!(message.key(), Some(&b"k"[..]));
    }
}

#[tokio::test]
async fn another_versions_schema_is_learned_from_the_registry() {
    let Some(mut settings) = settings("learned") else { return };
    settings.partitions = 1;
    let log = open(&settings).await;
    let fields = r#"[{"name": "a", "type": "int"}, {"name": "b", "type": "int", "default": 0}]"#;
    let newer = SCHEMA.replace(r#"[{"name": "a", "type": "int"}]"#, fields);
    assert_ne!(newer, SCHEMA);
    let id = register(&settings, &newer).await;
    let wire = value(&[0], &id.to_be_bytes());
    append(&log, &[value(&HEADER, b"1"), value(&wire, b"2"), value(&HEADER, b"3"), value(&wire, b"4")]).await;
    let expected = [value(&HEADER, b"1"), value(&LEARNED, b"2"), value(&HEADER, b"3"), value(&LEARNED, b"4")];
    assert_eq!(read(&mut reader(&log).await, 4).await, expected);
}

#[tokio::test]
async fn a_schema_that_the_program_lacks_parts_of_stops_the_reader_before_its_record() {
    let Some(mut settings) = settings("strange") else { return };
    settings.partitions = 1;
    let log = open(&settings).await;
    let fields = r#"[{"name": "a", "type": "int"}, {"name": "strange", "type": "int", "default": 0}]"#;
    let strange = SCHEMA.replace(r#"[{"name": "a", "type": "int"}]"#, fields);
    let id = register(&settings, &strange).await;
    stops_at(&log, id, "the field `strange`").await;
}

#[tokio::test]
async fn an_id_that_the_registry_has_lost_stops_the_reader_before_a_record_that_reads_as_ours() {
    let Some(mut settings) = settings("unknown_id") else { return };
    settings.partitions = 1;
    stops_at(&open(&settings).await, 2_000_000_000, "does not have schema").await;
}

/// The registry answers, has the log's schemas, and has none of the id: nothing of ours was written with it.
#[tokio::test]
async fn values_of_an_id_that_the_registry_does_not_have_come_as_they_are() {
    let Some(mut settings) = settings("absent_id") else { return };
    settings.partitions = 1;
    let log = open(&settings).await;
    let absent = |id: u32, body: &[u8]| value(&value(&[0], &id.to_be_bytes()), body);
    let values = [
        value(&HEADER, b"1"),
        absent(2_000_000_000, b"garbage"),
        absent(2_000_000_000, b""),
        absent(u32::MAX, b"garbage"),
        Bytes::from_static(b"\xc3\x01unknown!"),
        Bytes::from_static(b"\xc3\x01unknown!body"),
        Bytes::from_static(b"\xc3\x01"),
        Bytes::from_static(b""),
        Bytes::from_static(b"\x01\x00\x00\x00\x07body"),
        Bytes::from_static(b"\x00\x00\x00"),
        value(&HEADER, b"2"),
    ];
    append(&log, &values).await;
    assert_eq!(read(&mut reader(&log).await, values.len()).await, values);

    // A registry that lacks the log's own schemas is another one, or has lost them.
    let mut source = settings.clone();
    source.topic = format!("{}.alone", settings.topic);
    let alone = KafkaSource::open_or_create(source.clone(), schemas()).await.unwrap();
    let producer: rdkafka::producer::BaseProducer = client(&settings).create().unwrap();
    let bad = values[1].to_vec();
    let record = rdkafka::producer::BaseRecord::<[u8], [u8]>::to(&source.topic).partition(0).payload(&bad);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    rdkafka::producer::Producer::flush(&producer, PATIENCE).unwrap();
    let mut reader = alone.reader(Assignment::All).unwrap();
    assert!(matches!(reader.next().await.unwrap(), LogEvent::Assigned(P)));
    reader.seek(P, Offset(0)).await.unwrap();
    let error = timeout(PATIENCE, reader.next()).await.unwrap().unwrap_err();
    let LogError::Schema { partition: P, offset: Offset(0), why } = &error else { panic!("{error}") };
    assert!(why.contains("nor any schema of subject") && why.contains("hint: "), "{why}");
}

async fn stops_at(log: &KafkaLog, id: u32, said: &str) {
    let bad = value(&value(&[0], &id.to_be_bytes()), b"2");
    append(log, &[value(&HEADER, b"1"), bad, value(&HEADER, b"3")]).await;
    let mut reader = reader(log).await;
    assert_eq!(read(&mut reader, 1).await, [value(&HEADER, b"1")]);
    // Nothing is skipped, however often it is tried.
    for _ in 0..2 {
        let error = timeout(PATIENCE, reader.next()).await.unwrap().unwrap_err();
        let LogError::Schema { partition: P, offset: Offset(1), why } = &error else { panic!("{error}") };
        assert!(why.contains(said) && why.contains(&id.to_string()) && why.contains("hint: "), "{why}");
    }
    // A caller that seeks elsewhere goes on from there.
    reader.seek(P, Offset(2)).await.unwrap();
    assert_eq!(read(&mut reader, 1).await, [value(&HEADER, b"3")]);
}
