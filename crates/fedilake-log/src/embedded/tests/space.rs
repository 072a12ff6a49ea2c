//! Released records free their disk space.

use std::time::{Duration, Instant};

use tempfile::tempdir;

use super::*;
use crate::Bounds;

const RECORDS: u64 = 4_000;

fn tables(folder: &Path) -> u64 {
    bytes_below(&folder.join("store").join("keyspaces"))
}

#[tokio::test]
async fn released_tables_leave_the_disk() {
    let folder = tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    let full = RECORDS * 1_000;
    let deadline = Instant::now() + Duration::from_secs(30);
    for first in (0..RECORDS).step_by(100) {
        append(&log, (first..first + 100).map(|nth| record(nth, 1_000))).await;
    }
    // Tables are written in the background, so append until there are some.
    let mut appended = RECORDS;
    while tables(folder.path()) < full * 3 / 4 {
        assert!(Instant::now() < deadline, "most records become tables");
        append(&log, [record(appended, 1_000)]).await;
        appended += 1;
    }
    release(&log, Offset(appended)).await;
    // The memtable becomes a last, small table.
    while tables(folder.path()) > full / 4 {
        assert!(Instant::now() < deadline, "{} bytes of {full} are left", tables(folder.path()));
        tokio::task::yield_now().await;
    }
    drop(log);
    let log = open(folder.path()).unwrap();
    assert_eq!(log.bounds().start, log.bounds().end);
    assert!(tables(folder.path()) <= full / 4);
}

#[tokio::test]
async fn memory_does_not_grow_with_what_is_appended() {
    let folder = tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    let batch: Vec<_> = (0..50).map(|nth| record(nth, 1_000)).collect();
    for _ in 0..80 {
        append(&log, batch.clone()).await;
        let held = log.shared.store.memtable_bytes();
        assert!(held < 3 * SMALL.memtable_bytes, "{held} bytes are in memory");
    }
}

#[tokio::test]
async fn what_is_not_released_stays_whole() {
    let folder = tempdir().unwrap();
    let log = open(folder.path()).unwrap();
    for first in (0..RECORDS).step_by(100) {
        append(&log, (first..first + 100).map(|nth| record(nth, 500))).await;
        // In the middle of a block.
        release(&log, Offset(first / 2 + 7)).await;
    }
    let start = log.bounds().start;
    assert_eq!(start, Offset((RECORDS - 100) / 2 + 7));
    holds_all_from(&log, start).await;
    drop(log);
    holds_all_from(&open(folder.path()).unwrap(), start).await;
}

async fn holds_all_from(log: &EmbeddedLog, start: Offset) {
    assert_eq!(log.bounds(), Bounds { start, end: Offset(RECORDS) });
    let records = read(log, start).await.unwrap();
    let expected = (start.0..RECORDS).map(|nth| (Offset(nth), record(nth, 500)));
    assert!(records.into_iter().map(|record| (record.offset, (record.key, record.value))).eq(expected));
}
