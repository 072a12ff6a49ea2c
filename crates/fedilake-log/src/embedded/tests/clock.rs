//! The times of records when the system's clock jumps.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::tempdir;

use super::*;

fn open_at(folder: &Path, clock: &Arc<AtomicI64>) -> EmbeddedLog {
    let clock = clock.clone();
    EmbeddedLog::open_with(folder, SMALL, move || clock.load(Ordering::SeqCst)).unwrap()
}

#[tokio::test]
async fn time_stands_still_while_the_clock_is_behind() {
    let folder = tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(0));
    let mut log = open_at(folder.path(), &clock);
    for now in [1_000, 2_000, 1_500, -7, 1_999, 2_001] {
        clock.store(now, Ordering::SeqCst);
        append(&log, [record(0, 1)]).await;
        drop(log);
        log = open_at(folder.path(), &clock);
        append(&log, [record(0, 1)]).await;
    }
    let times: Vec<_> = read(&log, Offset(0)).await.unwrap().into_iter().map(|record| record.appended_at_ms).collect();
    assert_eq!(times, [1_000, 1_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_000, 2_001, 2_001]);
}

#[tokio::test]
async fn a_log_that_was_released_remembers_the_time() {
    let folder = tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(5_000));
    let log = open_at(folder.path(), &clock);
    append(&log, (0..100).map(|nth| record(nth, 10_000))).await;
    release(&log, Offset(100)).await;
    drop(log);

    clock.store(10, Ordering::SeqCst);
    let log = open_at(folder.path(), &clock);
    append(&log, [record(0, 1)]).await;
    assert_eq!(read(&log, Offset(100)).await.unwrap()[0].appended_at_ms, 5_000);
}
