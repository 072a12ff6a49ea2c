//! A table and a log, each in a folder on local disk.

use std::path::Path as FolderPath;
use std::sync::Arc;

use bytes::Bytes;
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Assignment, Bounds, Key, Log, LogWriter, Offset};
use fedilake_model::avro::Decoder;
use fedilake_table::local::{Leftovers, remove_leftovers};
use fedilake_table::sink::{self, Limits, SinkError, SinkProgress, SinkSummary};
use fedilake_table::{Chain, Finding, Table, TableError};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

fn table(folder: &TempDir) -> Arc<Table> {
    let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap().with_fsync(true);
    Arc::new(Table::new(Arc::new(store), Path::default()))
}

fn open(folder: &FolderPath) -> Arc<EmbeddedLog> {
    Arc::new(EmbeddedLog::open(folder).unwrap())
}

async fn append(log: &EmbeddedLog, count: usize) {
    let records = (0..count).map(|at| (Key(Bytes::from_static(b"k")), Bytes::from(format!("record {at}"))));
    log.append(records.collect()).await.unwrap();
}

/// Brings all of the log into the table.
async fn sink_all(log: &Arc<EmbeddedLog>, table: Arc<Table>) -> Result<SinkSummary, SinkError> {
    let (progress, shutdown) = (Arc::<SinkProgress>::default(), CancellationToken::new());
    let end = log.bounds().end;
    let (log, limits) = (log.clone(), Limits::default());
    let sink = tokio::spawn(sink::run(
        log,
        Assignment::All,
        Decoder::new(),
        table,
        limits,
        progress.clone(),
        shutdown.clone(),
    ));
    while !sink.is_finished() && progress.positions().values().all(|position| position.read < end) {
        tokio::task::yield_now().await;
    }
    shutdown.cancel();
    sink.await.unwrap()
}

fn chain(log: &EmbeddedLog) -> Chain {
    Chain { log: log.id().clone(), partition: fedilake_log::Partition(0) }
}

/// The names in a chain's folder, sorted.
fn names(folder: &TempDir, chain: &Chain) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join("posts").join(chain.to_string())).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

const FIRST: &str = "00000000000000000000.parquet";

#[tokio::test]
async fn a_sink_that_starts_again_goes_on_where_the_table_ends() {
    let (logs, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let log = open(logs.path());
    for round in 0..3 {
        append(&log, 5).await;
        let summary = sink_all(&log, table(&folder)).await.unwrap();
        assert_eq!((summary.rows, summary.files), (5, 1), "round {round}");
    }
    assert_eq!(sink_all(&log, table(&folder)).await.unwrap().files, 0);
    let Bounds { start, end } = log.bounds();
    assert_eq!((start, end.0), (end, 15), "what the table has is released");
    let check = table(&folder).check().await.unwrap();
    assert_eq!((check.files, check.rows, check.findings), (3, 15, vec![]));
    let wanted = [FIRST, "00000000000000000005.parquet", "00000000000000000010.parquet", "_start"];
    assert_eq!(names(&folder, &chain(&log)), wanted);
}

#[tokio::test]
async fn what_a_killed_writer_left_is_no_file_and_hinders_nobody() {
    let (logs, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let log = open(logs.path());
    append(&log, 5).await;
    let chain = chain(&log);
    let place = folder.path().join("posts").join(chain.to_string());
    std::fs::create_dir_all(&place).unwrap();
    // Leftovers of a writer killed while it wrote the next file or start.
    for leftover in [format!("{FIRST}#1"), "_start#1".to_string()] {
        std::fs::write(place.join(leftover), b"half").unwrap();
    }
    assert_eq!(table(&folder).snapshot().await.unwrap().chains, []);
    assert_eq!(sink_all(&log, table(&folder)).await.unwrap().rows, 5);
    // A leftover of a writer killed after it linked the file and before it removed the first name.
    std::fs::hard_link(place.join(FIRST), place.join(format!("{FIRST}#2"))).unwrap();
    std::fs::write(place.join("notes#1.txt"), b"mine").unwrap();

    let check = table(&folder).check().await.unwrap();
    assert_eq!((check.files, check.rows, check.findings), (1, 5, vec![]));
    let read_by_others: Vec<_> = names(&folder, &chain).into_iter().filter(|name| name.ends_with(".parquet")).collect();
    assert_eq!(read_by_others, [FIRST]);

    let removed = remove_leftovers(folder.path()).unwrap();
    assert_eq!(removed.files, 3);
    assert_eq!(names(&folder, &chain), [FIRST, "_start", "notes#1.txt"]);
    assert_eq!(table(&folder).check().await.unwrap().rows, 5);
    assert_eq!(remove_leftovers(folder.path()).unwrap(), Leftovers::default());
    assert_eq!(remove_leftovers(&folder.path().join("nowhere")).unwrap(), Leftovers::default());
}

#[tokio::test]
async fn a_wiped_log_begins_a_new_chain_beside_the_old_one() {
    let (logs, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let old = open(&logs.path().join("log"));
    append(&old, 5).await;
    sink_all(&old, table(&folder)).await.unwrap();
    let old_chain = chain(&old);
    drop(old);
    std::fs::remove_dir_all(logs.path().join("log")).unwrap();

    let new = open(&logs.path().join("log"));
    append(&new, 3).await;
    assert_eq!(sink_all(&new, table(&folder)).await.unwrap().rows, 3);
    assert_ne!(chain(&new), old_chain);
    let check = table(&folder).check().await.unwrap();
    assert_eq!((check.chains, check.rows, check.findings), (2, 8, vec![]));
}

#[tokio::test]
async fn a_damaged_newest_file_stops_the_sink_and_is_named() {
    let (logs, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let log = open(logs.path());
    append(&log, 5).await;
    sink_all(&log, table(&folder)).await.unwrap();
    append(&log, 5).await;
    let chain = chain(&log);
    let path = folder.path().join("posts").join(chain.to_string()).join(FIRST);
    let whole = std::fs::read(&path).unwrap();
    let in_the_footer = whole.len() - 100;
    let mut flipped = whole.clone();
    flipped[in_the_footer..in_the_footer + 40].iter_mut().for_each(|byte| *byte ^= 0x55);

    for damaged in [&whole[..0], &whole[..5], &whole[..whole.len() - 1], &flipped] {
        std::fs::write(&path, damaged).unwrap();
        let error = sink_all(&log, table(&folder)).await.unwrap_err();
        let SinkError::Table(TableError::Damaged { location, .. }) = &error else { panic!("{error}") };
        assert_eq!(*location, format!("posts/{chain}/{FIRST}"));
        let findings = table(&folder).check().await.unwrap().findings;
        assert!(matches!(&findings[..], [Finding::Damaged { .. }]), "{findings:?}");
    }

    std::fs::write(&path, &whole).unwrap();
    assert_eq!(sink_all(&log, table(&folder)).await.unwrap().rows, 5);
    assert_eq!(table(&folder).check().await.unwrap().rows, 10);
}

#[tokio::test]
async fn a_damaged_end_hides_no_file_before_it() {
    let (logs, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let log = open(logs.path());
    for _ in 0..3 {
        append(&log, 5).await;
        sink_all(&log, table(&folder)).await.unwrap();
    }
    let ranges = async || -> (Vec<(u64, u64)>, Vec<String>) {
        let snapshot = table(&folder).snapshot().await.unwrap();
        let files = snapshot.chains.iter().flat_map(|chain| &chain.files);
        let damaged = snapshot.damaged.iter().map(|file| file.location[file.location.len() - 10..].to_owned());
        (files.map(|file| (file.first.0, file.next.0)).collect(), damaged.collect())
    };
    let place = folder.path().join("posts").join(chain(&log).to_string());
    let newest = place.join("00000000000000000010.parquet");
    let whole = std::fs::read(&newest).unwrap();
    assert_eq!(ranges().await, (vec![(0, 5), (5, 10), (10, 15)], vec![]));

    // A copy under another name than its first offset's is not a data file.
    let copy = place.join("00000000000000000099.parquet");
    std::fs::write(&copy, &whole).unwrap();
    assert_eq!(ranges().await, (vec![(0, 5), (5, 10), (10, 15)], vec!["99.parquet".to_owned()]));
    std::fs::remove_file(&copy).unwrap();

    // A damaged newest file that joins the chain is known to cover its first offset.
    std::fs::write(&newest, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(ranges().await, (vec![(0, 5), (5, 10), (10, 11)], vec!["10.parquet".to_owned()]));
    std::fs::write(place.join("00000000000000000005.parquet"), []).unwrap();
    assert_eq!(ranges().await.0, [(0, 5), (5, 6)]);
    std::fs::write(place.join(FIRST), []).unwrap();
    assert_eq!(ranges().await.0, [(0, 1)]);
}

#[tokio::test]
async fn what_the_log_let_go_of_is_in_the_table_or_missing() {
    let (logs, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let log = open(logs.path());
    for _ in 0..2 {
        append(&log, 5).await;
        sink_all(&log, table(&folder)).await.unwrap();
    }
    let place = folder.path().join("posts").join(chain(&log).to_string());
    let missing = async || {
        let mut check = table(&folder).check().await.unwrap();
        check.hold_against(&chain(&log), log.bounds());
        check
            .findings
            .iter()
            .map(|finding| match finding {
                Finding::Missing { first, next, .. } => (*first, *next),
                other => panic!("{other}"),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(missing().await, []);
    std::fs::remove_file(place.join("00000000000000000005.parquet")).unwrap();
    assert_eq!(missing().await, [(Offset(5), Offset(10))]);
    std::fs::remove_file(place.join(FIRST)).unwrap();
    assert_eq!(missing().await, [(Offset(0), Offset(10))]);
    std::fs::remove_dir_all(&place).unwrap();
    assert_eq!(missing().await, [(Offset(0), Offset(10))]);
}
