//! A log's life: opened, written, closed, opened again.

use bytes::Bytes;
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Bookmarks, Bounds, Key, Log, LogError, LogEvent, LogWriter, Offset, Partition};
use tempfile::tempdir;

fn records(values: &[&'static str]) -> Vec<(Key, Bytes)> {
    values.iter().map(|value| (Key(Bytes::from_static(b"key")), Bytes::from_static(value.as_bytes()))).collect()
}

#[tokio::test]
async fn a_log_is_the_same_after_it_was_closed() {
    let folder = tempdir().unwrap();
    let log = EmbeddedLog::open(folder.path()).unwrap();
    let id = log.id().clone();
    log.append(records(&["a", "b"])).await.unwrap();
    log.save("mastodon.example", "114").await.unwrap();
    drop(log);

    let log = EmbeddedLog::open(folder.path()).unwrap();
    assert_eq!(log.id(), &id);
    assert_eq!(log.bounds(), Bounds { start: Offset(0), end: Offset(2) });
    assert_eq!(log.load("mastodon.example").await.unwrap().as_deref(), Some("114"));
    log.append(records(&["c"])).await.unwrap();

    let mut reader = log.reader();
    assert!(matches!(reader.next().await.unwrap(), LogEvent::Assigned(Partition(0))));
    reader.seek(Partition(0), Offset(1)).await.unwrap();
    let LogEvent::Records(read) = reader.next().await.unwrap() else { panic!("records were expected") };
    let read: Vec<_> = read.iter().map(|record| (record.offset.0, record.value.as_ref())).collect();
    assert_eq!(read, [(1, b"b".as_ref()), (2, b"c".as_ref())]);
}

#[tokio::test]
async fn a_folder_holds_one_open_log() {
    let folder = tempdir().unwrap();
    let log = EmbeddedLog::open(folder.path()).unwrap();
    let second = EmbeddedLog::open(folder.path()).map(|_| ()).unwrap_err();
    assert_eq!(second, LogError::InUse { at: folder.path().display().to_string() });
    drop(log);
    EmbeddedLog::open(folder.path()).unwrap();
}

#[tokio::test]
async fn what_is_not_there_cannot_be_released() {
    let folder = tempdir().unwrap();
    let log = EmbeddedLog::open(folder.path()).unwrap();
    log.append(records(&["a", "b"])).await.unwrap();
    let refused = log.reader().release(Partition(0), Offset(3)).await.unwrap_err();
    assert_eq!(refused, LogError::BeyondEnd { partition: Partition(0), wanted: Offset(3), end: Offset(2) });
    assert_eq!(log.bounds(), Bounds { start: Offset(0), end: Offset(2) });
}

#[tokio::test]
async fn a_reader_outlives_its_log() {
    let folder = tempdir().unwrap();
    let log = EmbeddedLog::open(folder.path()).unwrap();
    log.append(records(&["a"])).await.unwrap();
    let mut reader = log.reader();
    drop(log);
    reader.next().await.unwrap();
    reader.seek(Partition(0), Offset(0)).await.unwrap();
    let LogEvent::Records(read) = reader.next().await.unwrap() else { panic!("records were expected") };
    assert_eq!(read.len(), 1);
    assert_eq!(reader.release(Partition(0), Offset(1)).await, Err(LogError::Closed));

    let folder_is_held = EmbeddedLog::open(folder.path()).map(|_| ());
    assert!(matches!(folder_is_held, Err(LogError::InUse { .. })));
    drop(reader);
    EmbeddedLog::open(folder.path()).unwrap();
}
