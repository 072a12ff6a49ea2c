//! A process killed at any moment loses no record that the log answered for.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Bookmarks, Key, LogEvent, LogReader, LogWriter, Offset, Partition, Record};
use tempfile::tempdir;
use tokio::runtime::Runtime;

use super::{CHILD_FOLDER, child};

const ROUNDS: u64 = 15;
const WRITERS: u64 = 3;
/// Comes with each append, so that a few hundred appends go through journals and tables.
const PADDING_BYTES: usize = 200_000;

/// Output of a child before it was killed.
#[derive(Default)]
struct Said {
    /// For each writer, the number of its records that the log answered for.
    durable: BTreeMap<u64, u64>,
    /// For each writer, the bookmark that the log answered for.
    saved: BTreeMap<u64, u64>,
    /// The greatest offset that the child began to release.
    released: u64,
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempdir().unwrap();
    let runtime = Runtime::new().unwrap();
    let mut said = Said::default();
    let mut end = Offset(0);
    for round in 0..ROUNDS {
        let mut process = child("kill::append_until_killed", folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let patience = Duration::from_millis(round * 83 % 400);
        let killer = thread::spawn(move || {
            // The moment of the kill is what varies; it orders nothing.
            thread::sleep(patience);
            process.kill().unwrap();
            process.wait().unwrap();
        });
        lines.map_while(Result::ok).for_each(|line| said.hear(&line));
        killer.join().unwrap();
        end = runtime.block_on(check(folder.path(), &said, end));
    }
    assert!(said.durable.values().all(|durable| *durable > ROUNDS), "the children got somewhere: {:?}", said.durable);
}

impl Said {
    fn hear(&mut self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            ["durable", writer, nth] => _ = self.durable.insert(writer.parse().unwrap(), nth.parse().unwrap()),
            ["saved", writer, nth] => _ = self.saved.insert(writer.parse().unwrap(), nth.parse().unwrap()),
            ["releasing", offset] => self.released = self.released.max(offset.parse().unwrap()),
            _ => {}
        }
    }
}

/// Opens the log that was left, and returns its end.
async fn check(folder: &Path, said: &Said, end_before: Offset) -> Offset {
    let log = EmbeddedLog::open(folder).unwrap();
    let bounds = log.bounds();
    assert!(bounds.start.0 <= said.released, "starts at {}, released up to {}", bounds.start, said.released);
    assert!(bounds.end >= end_before, "ends at {}, ended at {end_before}", bounds.end);

    let mut found: BTreeMap<u64, u64> = BTreeMap::new();
    let mut expected = bounds.start;
    for record in read(&log, bounds.start, bounds.end).await {
        assert_eq!(record.offset, expected);
        expected = expected.next();
        if let Some((writer, nth)) = parse(&record) {
            let before = found.insert(writer, nth);
            assert!(before.is_none_or(|before| nth == before + 1), "writer {writer}: {nth} came after {before:?}");
        }
    }
    assert_eq!(expected, bounds.end);
    for (writer, durable) in &said.durable {
        let found = found.get(writer).copied();
        assert!(
            found.map_or(bounds.start.0 > 0, |found| found >= *durable),
            "writer {writer}: {found:?} found, durable up to {durable}"
        );
    }
    for (writer, saved) in &said.saved {
        let bookmark: u64 = log.load(&writer.to_string()).await.unwrap().unwrap().parse().unwrap();
        assert!(bookmark >= *saved, "writer {writer}: bookmark {bookmark}, saved {saved}");
    }
    bounds.end
}

/// Appends, saves and releases until killed, and prints each answer of the log.
#[test]
#[ignore = "the child of what_was_acknowledged_survives_a_kill"]
fn append_until_killed() {
    let folder = env::var_os(CHILD_FOLDER).unwrap();
    let log = EmbeddedLog::open(folder).unwrap();
    Runtime::new().unwrap().block_on(async {
        let writers = (0..WRITERS).map(|writer| append_for_ever(&log, writer));
        tokio::join!(futures::future::join_all(writers), release_for_ever(&log));
    });
}

async fn append_for_ever(log: &EmbeddedLog, writer: u64) {
    let name = writer.to_string();
    let mut nth: u64 = last_of(log, writer).await.map_or(0, |last| last + 1);
    let padding = Bytes::from(vec![7; PADDING_BYTES]);
    loop {
        let last = nth + nth % 5;
        let mut records: Vec<_> =
            (nth..=last).map(|nth| (Key(name.clone().into()), Bytes::from(nth.to_string()))).collect();
        records.push((Key("padding".into()), padding.clone()));
        log.append(records).await.unwrap();
        println!("durable {writer} {last}");
        log.save(&name, &last.to_string()).await.unwrap();
        println!("saved {writer} {last}");
        nth = last + 1;
    }
}

/// The last record of `writer`, or its bookmark where the record is released.
async fn last_of(log: &EmbeddedLog, writer: u64) -> Option<u64> {
    let bounds = log.bounds();
    let records = read(log, bounds.start, bounds.end).await;
    let last = records.iter().rev().filter_map(parse).find(|(of, _)| *of == writer).map(|(_, nth)| nth);
    let bookmark = log.load(&writer.to_string()).await.unwrap().map(|bookmark| bookmark.parse().unwrap());
    last.max(bookmark)
}

async fn release_for_ever(log: &EmbeddedLog) {
    let mut reader = reader(log, log.bounds().start).await;
    loop {
        let LogEvent::Records(records) = reader.next().await.unwrap() else { continue };
        // One in four stays, so that there is something to find.
        let offset = records[0].offset.0.max(log.bounds().end.0.saturating_sub(2_000)) * 3 / 4;
        println!("releasing {offset}");
        reader.release(Partition(0), Offset(offset)).await.unwrap();
    }
}

fn parse(record: &Record) -> Option<(u64, u64)> {
    let writer = std::str::from_utf8(&record.key.0).unwrap().parse().ok()?;
    Some((writer, std::str::from_utf8(&record.value).unwrap().parse().unwrap()))
}

async fn reader(log: &EmbeddedLog, from: Offset) -> Box<dyn LogReader> {
    let mut reader = log.reader();
    assert!(matches!(reader.next().await.unwrap(), LogEvent::Assigned(Partition(0))));
    reader.seek(Partition(0), from).await.unwrap();
    reader
}

async fn read(log: &EmbeddedLog, from: Offset, to: Offset) -> Vec<Record> {
    let mut reader = reader(log, from).await;
    let mut records = Vec::new();
    let mut next = from;
    while next < to {
        if let LogEvent::Records(read) = reader.next().await.unwrap() {
            next = read.last().unwrap().offset.next();
            records.extend(read);
        }
    }
    records
}
