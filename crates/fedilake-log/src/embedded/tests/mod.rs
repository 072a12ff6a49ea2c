//! Tests that need the log's internals: small tables, a clock of their own.

#![allow(clippy::unwrap_used)]

mod clock;
mod damage;
mod model;
mod newer;
mod space;

use std::path::Path;

use bytes::Bytes;

use super::layout::PARTITION;
use super::store::Sizes;
use super::{EmbeddedLog, system_time_ms};
use crate::{Key, LogError, LogEvent, LogReader, LogWriter, Offset, Record};

/// Tables of about 64 KB, so that a small log has many.
const SMALL: Sizes = Sizes { memtable_bytes: 64 << 10 };

fn open(folder: &Path) -> Result<EmbeddedLog, LogError> {
    EmbeddedLog::open_with(folder, SMALL, system_time_ms)
}

/// The `nth` record: `length` bytes that no other record has.
fn record(nth: u64, length: usize) -> (Key, Bytes) {
    let noise =
        (0..length as u64).map(|at| (nth.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(at * 0x5851) >> 23) as u8);
    (Key(Bytes::from(format!("key-{}", nth % 3))), noise.collect())
}

async fn append(log: &EmbeddedLog, records: impl IntoIterator<Item = (Key, Bytes)>) {
    log.append(records.into_iter().collect()).await.unwrap();
}

/// A reader with its position at `from`.
async fn reader(log: &EmbeddedLog, from: Offset) -> Box<dyn LogReader> {
    let mut reader = log.reader();
    assert!(matches!(reader.next().await.unwrap(), LogEvent::Assigned(PARTITION)));
    reader.seek(PARTITION, from).await.unwrap();
    reader
}

/// All records from `from` to the end.
async fn read(log: &EmbeddedLog, from: Offset) -> Result<Vec<Record>, LogError> {
    let mut reader = reader(log, from).await;
    let mut records = Vec::new();
    let mut next = from;
    while next < log.bounds().end {
        if let LogEvent::Records(read) = reader.next().await? {
            next = read.last().unwrap().offset.next();
            records.extend(read);
        }
    }
    Ok(records)
}

async fn release(log: &EmbeddedLog, offset: Offset) {
    log.reader().release(PARTITION, offset).await.unwrap();
}

/// Bytes of all files below `folder`.
fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| if entry.path().is_dir() { bytes_below(&entry.path()) } else { file_bytes(&entry.path()) })
        .sum()
}

/// The file's size, or 0 if it disappeared meanwhile.
fn file_bytes(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}
