//! Faults that stop a sink: the error that it gives, and that no record is lost.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fedilake_log::{Assignment, LogError, Offset, Partition};
use fedilake_model::avro::{DecodeError, Schemas};
use fedilake_table::sink::{self, Limits, SinkError, SinkProgress, SinkSummary};
use fedilake_table::{FileError, Table, TableError};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::scripted::{Disk, Scripted, assigned, records};

async fn run(reader: Scripted, store: Arc<dyn ObjectStore>) -> Result<SinkSummary, SinkError> {
    run_with(Schemas::default(), reader, store).await
}

async fn run_with(schemas: Schemas, reader: Scripted, store: Arc<dyn ObjectStore>) -> Result<SinkSummary, SinkError> {
    let end = reader.end.clone();
    let table = Arc::new(Table::new(store, Path::default()));
    let (limits, progress) = (Limits::default(), Arc::<SinkProgress>::default());
    sink::run(reader.log(), Assignment::All, schemas.decoder(), table, limits, progress, end).await
}

#[tokio::test]
async fn a_full_disk_stops_the_sink_and_costs_no_record() {
    let disk = Arc::new(Disk::default());
    let events = || [assigned(0), records(0, 0..5, b"x")];
    run(Scripted::new(0..5, [assigned(0)]), disk.clone()).await.unwrap();

    disk.full.store(true, Ordering::SeqCst);
    let reader = Scripted::new(0..5, events());
    let released = reader.released.clone();
    let error = run(reader, disk.clone()).await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("put posts/log=scripted/partition=0/00000000000000000000.parquet"), "{said}");
    assert!(said.contains(&std::io::Error::from(std::io::ErrorKind::StorageFull).to_string()), "{said}");
    assert!(released.lock().unwrap().iter().all(|(_, offset)| *offset == Offset(0)));

    disk.full.store(false, Ordering::SeqCst);
    let summary = run(Scripted::new(0..5, events()), disk.clone()).await.unwrap();
    assert_eq!((summary.rows, summary.files), (5, 1));
    let check = Table::new(disk, Path::default()).check().await.unwrap();
    assert_eq!((check.rows, check.findings), (5, vec![]));
}

#[tokio::test]
async fn a_conflict_without_another_file_is_tried_again_once() {
    let events = || [assigned(0), records(0, 0..5, b"x")];
    for (conflicts, commits) in [(1, true), (2, false)] {
        let disk = Arc::new(Disk::default());
        run(Scripted::new(0..5, [assigned(0)]), disk.clone()).await.unwrap();
        disk.conflicts.store(conflicts, Ordering::SeqCst);
        match run(Scripted::new(0..5, events()), disk.clone()).await {
            Ok(summary) => assert!(commits && summary.rows == 5 && summary.superseded == 1),
            Err(SinkError::Stuck { first, .. }) => {
                assert!(!commits && first == Offset(0));
                assert_eq!(run(Scripted::new(0..5, events()), disk).await.unwrap().rows, 5);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn records_that_the_log_lost_stop_the_sink_until_that_is_accepted() {
    let store = Arc::new(InMemory::new());
    run(Scripted::new(0..5, [assigned(0), records(0, 0..5, b"x")]), store.clone()).await.unwrap();

    let reader = Scripted::new(8..9, [assigned(0)]);
    let (chain, log) = (reader.chain(0), reader.bounds);
    let error = run(reader, store.clone()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "table lacks offsets 5..8 of log=scripted/partition=0, and the log no longer has them"
    );
    assert!(error.hint().unwrap().contains("sink --accept-gap 0:5..8"));

    let table = Table::new(store.clone(), Path::default());
    let _ = table.accept_gap(&chain, Offset(5), Offset(8), log).await.unwrap();
    run(Scripted::new(8..9, [assigned(0), records(0, 8..9, b"x")]), store).await.unwrap();
    let check = table.check().await.unwrap();
    assert_eq!((check.rows, check.accepted_gaps.len(), check.findings), (6, 1, vec![]));
}

#[tokio::test]
async fn a_log_that_lost_its_end_stops_the_sink() {
    let store = Arc::new(InMemory::new());
    run(Scripted::new(0..5, [assigned(0), records(0, 0..5, b"x")]), store.clone()).await.unwrap();
    let error = run(Scripted::new(0..3, [assigned(0)]), store).await.unwrap_err();
    assert!(matches!(error, SinkError::Table(TableError::BeyondEnd { next: Offset(5), end: Offset(3), .. })));
    assert!(error.hint().is_some());
}

/// The table's end is unknown then: a sink neither begins at the file before it nor after it, whatever the log still has.
#[tokio::test]
async fn a_newest_file_that_cannot_be_read_stops_every_sink_until_it_is_gone_or_back() {
    let store = Arc::new(InMemory::new());
    for range in [0..5, 5..10] {
        let events = [assigned(0), records(0, range, b"x")];
        run(Scripted::new(0..20, events), store.clone()).await.unwrap();
    }
    let newest = Path::from("posts/log=scripted/partition=0/00000000000000000005.parquet");
    let whole = store.get(&newest).await.unwrap().bytes().await.unwrap();
    let older = Path::from("posts/log=scripted/partition=0/00000000000000000000.parquet");
    let other = store.get(&older).await.unwrap().bytes().await.unwrap();
    for content in [&b"PAR1"[..], b"", b"PAR1\xff\xff\xff\xffPAR1", &whole[..whole.len() / 2], &other, &[0x5a; 9_000]] {
        store.put(&newest, content.to_vec().into()).await.unwrap();
        // The log's start below, at and above the file.
        for start in [0, 5, 7, 10] {
            for offsets in [5..20, 10..20] {
                let reader = Scripted::new(start..20, [assigned(0), records(0, offsets, b"x")]);
                let released = reader.released.clone();
                let error = run(reader, store.clone()).await.unwrap_err();
                assert!(matches!(error, SinkError::Table(TableError::Damaged { .. })), "{error}");
                assert!(error.hint().unwrap().contains("move the file out of the table"));
                assert_eq!(*released.lock().unwrap(), []);
            }
        }
        assert_eq!(Table::new(store.clone(), Path::default()).check().await.unwrap().files, 2);
    }
    // Gone: the log's records are stored again.
    store.delete(&newest).await.unwrap();
    run(Scripted::new(3..20, [assigned(0), records(0, 5..20, b"x")]), store.clone()).await.unwrap();
    let check = Table::new(store, Path::default()).check().await.unwrap();
    assert_eq!((check.rows, check.files, check.findings), (20, 2, vec![]));
}

#[tokio::test]
async fn an_unknown_schema_stops_the_sink_before_anything_is_committed() {
    let store = Arc::new(InMemory::new());
    let newer = [0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0];
    let events = [assigned(0), records(0, 0..3, b"x"), records(0, 3..4, &newer)];
    let reader = Scripted::new(0..4, events);
    let released = reader.released.clone();
    let error = run(reader, store.clone()).await.unwrap_err();
    assert!(matches!(error, SinkError::File(FileError::Decode(DecodeError::UnknownSchema { .. }))), "{error}");
    assert_eq!(*released.lock().unwrap(), [(Partition(0), Offset(0))]);
    assert_eq!(Table::new(store, Path::default()).check().await.unwrap().files, 0);
}

#[tokio::test]
async fn an_unknown_schema_is_a_row_where_the_log_names_those_of_ours() {
    let store = Arc::new(InMemory::new());
    let foreign = [0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0];
    let events = [assigned(0), records(0, 0..3, b"x"), records(0, 3..5, &foreign), records(0, 5..6, &foreign[..10])];
    let reader = Scripted::new(0..6, events);
    assert_eq!(run_with(Schemas::named_by_the_log(), reader, store.clone()).await.unwrap().rows, 6);
    let check = Table::new(store, Path::default()).check().await.unwrap();
    assert_eq!((check.rows, check.findings), (6, vec![]));
}

#[tokio::test]
async fn what_came_before_a_record_that_the_log_cannot_read_is_stored() {
    let store = Arc::new(InMemory::new());
    let fails = LogError::Schema { partition: Partition(0), offset: Offset(3), why: "too new".to_owned() };
    let reader =
        || Scripted { fails: Some(fails.clone()), ..Scripted::new(0..9, [assigned(0), records(0, 0..3, b"x")]) };
    let error = run(reader(), store.clone()).await.unwrap_err();
    assert!(matches!(error, SinkError::Log(LogError::Schema { .. })), "{error}");
    let table = Table::new(store.clone(), Path::default());
    assert_eq!(table.next_offset(&reader().chain(0), reader().bounds).await.unwrap(), Offset(3));
    assert_eq!(table.check().await.unwrap().rows, 3);
}

#[tokio::test]
async fn a_revocation_that_the_sink_hears_of_late_is_no_error() {
    let store = Arc::new(InMemory::new());
    let events = [assigned(0), assigned(1), records(0, 0..3, b"x"), records(1, 0..2, b"x")];
    let reader = Scripted { gone: vec![Partition(1)], ..Scripted::new(0..3, events) };
    let summary = run(reader, store.clone()).await.unwrap();
    assert_eq!((summary.rows, summary.files), (3, 1));
}

#[tokio::test]
async fn what_a_revoked_partition_buffered_is_left_to_its_new_owner() {
    let store = Arc::new(InMemory::new());
    let revoked = fedilake_log::LogEvent::Revoked(Partition(0));
    let events = [assigned(0), records(0, 0..3, b"x"), revoked, records(0, 3..4, b"late")];
    assert_eq!(run(Scripted::new(0..4, events), store.clone()).await.unwrap().files, 0);
    let again = [assigned(0), records(0, 0..4, b"x")];
    assert_eq!(run(Scripted::new(0..4, again), store).await.unwrap().rows, 4);
}
