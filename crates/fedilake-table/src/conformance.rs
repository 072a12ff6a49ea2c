//! The promises of a table on any object store, as a suite of tests that every store must pass: memory and local disk
//! in this crate, S3 in its own tests.
//!
//! Each case works below its own prefix, so the store may be shared and need not be empty. A broken promise panics.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use fedilake_log::{Bounds, LogId, Offset, Partition};
use fedilake_model::avro::{Decoder, Encoded};
use futures::future::join_all;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::{Chain, Commit, DataFile, Finding, Table, TableError};

/// Runs every case against `store`, below `prefix`.
pub async fn run(store: Arc<dyn ObjectStore>, prefix: &str) {
    let place = |case: &str| Prefix { store: store.clone(), prefix: Path::from(prefix).join(case) };
    the_first_writer_decides_where_a_chain_begins(place("start")).await;
    a_committed_file_moves_the_tail_for_every_writer(place("tail")).await;
    of_many_writers_of_one_offset_exactly_one_wins(place("race")).await;
    a_file_that_would_not_join_its_chain_is_refused(place("disjoint")).await;
    a_log_that_does_not_meet_the_table_is_an_error(place("bounds")).await;
    an_accepted_gap_joins_the_chain_and_is_listed_for_ever(place("gap")).await;
    logs_stand_side_by_side(place("logs")).await;
    the_snapshot_lists_every_file_in_order(place("snapshot")).await;
    what_is_wrong_with_a_table_is_found_and_named(place("findings")).await;
    a_file_of_a_newer_fedilake_is_refused_and_never_called_damaged(place("newer")).await;
}

/// Makes records that match no schema: `record <offset>`, appended that many milliseconds after 1970.
pub fn records(partition: Partition, offsets: impl IntoIterator<Item = u64>) -> Vec<Encoded> {
    let record = |offset: u64| Encoded {
        partition: partition.0,
        offset,
        appended_at_ms: i64::try_from(offset).unwrap(),
        value: format!("record {offset}").into(),
    };
    offsets.into_iter().map(record).collect()
}

/// A prefix in a store.
struct Prefix {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Prefix {
    /// A table as another process would open it, without any cached position.
    fn table(&self) -> Table {
        Table::new(self.store.clone(), self.prefix.clone())
    }

    async fn replace(&self, chain: &Chain, first: u64, bytes: impl Into<object_store::PutPayload>) {
        self.store.put(&chain.file(&self.prefix, Offset(first)), bytes.into()).await.unwrap();
    }
}

fn chain(log: &str) -> Chain {
    Chain { log: LogId::new(log).unwrap(), partition: Partition(2) }
}

fn bounds(start: u64, end: u64) -> Bounds {
    Bounds { start: Offset(start), end: Offset(end) }
}

/// A file that covers `first..next` without holes.
fn file(chain: &Chain, first: u64, next: u64) -> DataFile {
    let records = records(chain.partition, first..next);
    DataFile::seal(chain.clone(), Offset(first), Offset(next), &records, &mut Decoder::new()).unwrap()
}

async fn commit(table: &Table, chain: &Chain, first: u64, next: u64) {
    let done = table.commit(&file(chain, first, next)).await.unwrap();
    assert!(matches!(done, Commit::Done(_)), "{first}..{next} was superseded");
}

async fn the_first_writer_decides_where_a_chain_begins(place: Prefix) {
    let (a, b, chain) = (place.table(), place.table(), chain("l"));
    assert_eq!(a.next_offset(&chain, bounds(5, 10)).await.unwrap(), Offset(5));
    assert!(matches!(b.next_offset(&chain, bounds(7, 10)).await, Err(TableError::Gap { .. })));
    assert_eq!(b.next_offset(&chain, bounds(0, 10)).await.unwrap(), Offset(5));

    let racing = chain_of_partition(9);
    let tables: Vec<_> = (0..8).map(|_| place.table()).collect();
    let starts = join_all(tables.iter().zip(10..).map(|(table, start)| {
        let racing = &racing;
        async move {
            match table.next_offset(racing, bounds(start, 99)).await {
                Ok(next) => next,
                Err(TableError::Gap { first, .. }) => first,
                Err(error) => panic!("{error}"),
            }
        }
    }));
    let starts = starts.await;
    assert!(starts.iter().all(|start| *start == starts[0]), "{starts:?}");
}

fn chain_of_partition(partition: u32) -> Chain {
    Chain { partition: Partition(partition), ..chain("l") }
}

async fn a_committed_file_moves_the_tail_for_every_writer(place: Prefix) {
    let (a, b, chain) = (place.table(), place.table(), chain("l"));
    assert_eq!(a.next_offset(&chain, bounds(0, 99)).await.unwrap(), Offset(0));
    for (first, next) in [(0, 10), (10, 11), (11, 40)] {
        commit(&a, &chain, first, next).await;
        for table in [&a, &b, &place.table()] {
            assert_eq!(table.next_offset(&chain, bounds(0, 99)).await.unwrap(), Offset(next));
        }
    }
    // The listing begins at the log's start, so try starts before, within and after each file.
    for start in [0, 1, 9, 10, 11, 39, 40] {
        assert_eq!(place.table().next_offset(&chain, bounds(start, 99)).await.unwrap(), Offset(40), "from {start}");
    }
    commit(&b, &chain, 40, 41).await;
    assert_eq!(a.next_offset(&chain, bounds(0, 99)).await.unwrap(), Offset(41));
}

async fn of_many_writers_of_one_offset_exactly_one_wins(place: Prefix) {
    let chain = chain("l");
    place.table().next_offset(&chain, bounds(0, 99)).await.unwrap();
    let tables: Vec<_> = (0..8).map(|_| place.table()).collect();
    let offered = tables.iter().zip(1..).map(|(table, next)| {
        let file = file(&chain, 0, next);
        async move { (next, table.commit(&file).await.unwrap()) }
    });
    let commits = join_all(offered).await;
    let won: Vec<_> = commits.iter().filter(|(_, commit)| *commit != Commit::Superseded).collect();
    assert_eq!(won.len(), 1, "{commits:?}");
    let next = Offset(won[0].0);
    for table in &tables {
        assert_eq!(table.next_offset(&chain, bounds(0, 99)).await.unwrap(), next);
    }
    assert_eq!(place.table().check().await.unwrap().rows, next.0);
}

async fn a_file_that_would_not_join_its_chain_is_refused(place: Prefix) {
    let (table, chain) = (place.table(), chain("l"));
    assert!(matches!(table.commit(&file(&chain, 0, 5)).await, Err(TableError::NoChain { .. })));
    table.next_offset(&chain, bounds(0, 99)).await.unwrap();
    for table in [&table, &place.table()] {
        assert!(matches!(table.commit(&file(&chain, 3, 5)).await, Err(TableError::Disjoint { tail: Offset(0), .. })));
    }
    commit(&table, &chain, 0, 5).await;
    for table in [&table, &place.table()] {
        assert!(matches!(table.commit(&file(&chain, 6, 9)).await, Err(TableError::Disjoint { tail: Offset(5), .. })));
        assert_eq!(table.commit(&file(&chain, 0, 5)).await.unwrap(), Commit::Superseded);
        assert_eq!(table.commit(&file(&chain, 3, 9)).await.unwrap(), Commit::Superseded);
    }
    assert_eq!(table.check().await.unwrap().files, 1);
}

async fn a_log_that_does_not_meet_the_table_is_an_error(place: Prefix) {
    let (table, chain) = (place.table(), chain("l"));
    table.next_offset(&chain, bounds(0, 0)).await.unwrap();
    commit(&table, &chain, 0, 10).await;
    for (start, end) in [(0, 10), (10, 10), (3, 99)] {
        assert_eq!(table.next_offset(&chain, bounds(start, end)).await.unwrap(), Offset(10));
    }
    let gap = table.next_offset(&chain, bounds(12, 99)).await.unwrap_err();
    assert!(matches!(gap, TableError::Gap { first: Offset(10), next: Offset(12), .. }), "{gap}");
    let beyond = table.next_offset(&chain, bounds(0, 9)).await.unwrap_err();
    assert!(matches!(beyond, TableError::BeyondEnd { next: Offset(10), end: Offset(9), .. }), "{beyond}");
}

async fn an_accepted_gap_joins_the_chain_and_is_listed_for_ever(place: Prefix) {
    let (table, chain) = (place.table(), chain("l"));
    table.next_offset(&chain, bounds(0, 99)).await.unwrap();
    commit(&table, &chain, 0, 10).await;
    let log = bounds(12, 99);
    for (first, next) in [(10, 13), (10, 10), (12, 11)] {
        let refused = table.accept_gap(&chain, Offset(first), Offset(next), log).await;
        assert!(matches!(refused, Err(TableError::NotLost { .. })), "{first}..{next}");
    }
    let disjoint = table.accept_gap(&chain, Offset(11), Offset(12), log).await;
    assert!(matches!(disjoint, Err(TableError::Disjoint { .. })));
    let done = table.accept_gap(&chain, Offset(10), Offset(12), log).await.unwrap();
    assert!(matches!(done, Commit::Done(_)));
    assert_eq!(table.next_offset(&chain, log).await.unwrap(), Offset(12));
    commit(&table, &chain, 12, 20).await;

    let check = place.table().check().await.unwrap();
    assert_eq!((check.files, check.rows, check.findings), (3, 18, vec![]));
    let gaps: Vec<_> = check.accepted_gaps.iter().map(|gap| (gap.first.0, gap.next.0)).collect();
    assert_eq!(gaps, [(10, 12)]);
}

async fn logs_stand_side_by_side(place: Prefix) {
    let (table, old, new) = (place.table(), chain("old"), chain("new"));
    for chain in [&old, &new] {
        assert_eq!(table.next_offset(chain, bounds(0, 99)).await.unwrap(), Offset(0));
        commit(&table, chain, 0, 10).await;
    }
    commit(&table, &old, 10, 20).await;
    let ends: Vec<_> =
        place.table().snapshot().await.unwrap().chains.iter().map(|c| (c.chain.clone(), c.next())).collect();
    assert_eq!(ends, [(new, Offset(10)), (old, Offset(20))]);
    assert_eq!(table.check().await.unwrap().findings, []);
}

async fn the_snapshot_lists_every_file_in_order(place: Prefix) {
    let (table, chain) = (place.table(), chain("l"));
    assert_eq!(table.snapshot().await.unwrap().chains, []);
    table.next_offset(&chain, bounds(0, 99)).await.unwrap();
    assert_eq!(table.snapshot().await.unwrap().chains, []);
    let mut committed = Vec::new();
    for (first, next) in [(0, 5), (5, 50), (50, 51)] {
        match table.commit(&file(&chain, first, next)).await.unwrap() {
            Commit::Done(meta) => committed.push(meta),
            Commit::Superseded => panic!("superseded without another writer"),
        }
    }
    for table in [table, place.table()] {
        let snapshot = table.snapshot().await.unwrap();
        assert_eq!(snapshot.chains.len(), 1);
        assert_eq!(snapshot.chains[0].files, committed);
    }
}

async fn what_is_wrong_with_a_table_is_found_and_named(place: Prefix) {
    let (table, chain) = (place.table(), chain("l"));
    table.next_offset(&chain, bounds(0, 99)).await.unwrap();
    for first in (0..50).step_by(10) {
        commit(&table, &chain, first, first + 10).await;
    }
    assert_eq!(table.check().await.unwrap().findings, []);
    let location = |first| chain.file(&place.prefix, Offset(first)).to_string();
    let whole = place.store.get(&chain.file(&place.prefix, Offset(10))).await.unwrap().bytes().await.unwrap();

    place.store.delete(&chain.file(&place.prefix, Offset(10))).await.unwrap();
    let missing = Finding::Missing { chain: chain.clone(), first: Offset(10), next: Offset(20), before: location(20) };
    assert_eq!(place.table().check().await.unwrap().findings, std::slice::from_ref(&missing));
    assert_eq!(place.table().faults().await.unwrap(), [missing]);

    place.replace(&chain, 10, file(&chain, 10, 23).bytes().clone()).await;
    let doubled =
        Finding::Doubled { chain: chain.clone(), first: Offset(20), next: Offset(23), location: location(10) };
    assert_eq!(place.table().check().await.unwrap().findings, [doubled]);

    let mut flipped = whole.to_vec();
    flipped[5] ^= 1;
    let damages = [
        whole.slice(..0),
        whole.slice(..7),
        whole.slice(..whole.len() - 1),
        whole.slice(..whole.len() / 2),
        flipped.into(),
        file(&chain, 20, 30).bytes().clone(),
        file(&chain_of_partition(3), 10, 20).bytes().clone(),
    ];
    for (at, bytes) in damages.into_iter().enumerate() {
        place.replace(&chain, 10, bytes).await;
        let findings = place.table().check().await.unwrap().findings;
        assert!(
            matches!(&findings[..], [Finding::Damaged { first: Offset(10), next: Some(Offset(20)), location: at, .. }]
                if *at == location(10)),
            "{at}: {findings:?}"
        );
    }
    place.replace(&chain, 10, whole).await;

    place.store.put(&place.prefix.clone().join("posts").join("x.parquet"), "x".into()).await.unwrap();
    place.store.delete(&chain.start(&place.prefix)).await.unwrap();
    let findings = place.table().check().await.unwrap().findings;
    assert!(matches!(&findings[..], [Finding::Stray { .. }, Finding::NoStart { .. }]), "{findings:?}");
}

/// `file` with a higher format number, as a newer fedilake would write it.
fn newer(file: &DataFile) -> Vec<u8> {
    let mut bytes = file.bytes().to_vec();
    let key = b"fedilake.format";
    let at = bytes.windows(key.len()).rposition(|window| window == key).unwrap() + key.len();
    let value = bytes[at..].iter().position(|byte| *byte == b'1').unwrap() + at;
    bytes[value] = b'2';
    bytes
}

async fn a_file_of_a_newer_fedilake_is_refused_and_never_called_damaged(place: Prefix) {
    let (table, chain) = (place.table(), chain("l"));
    table.next_offset(&chain, bounds(0, 99)).await.unwrap();
    for first in [0, 10, 20] {
        commit(&table, &chain, first, first + 10).await;
    }
    fn assert_newer<T: std::fmt::Debug>(answer: Result<T, TableError>, first: u64) {
        let error = answer.unwrap_err();
        let name = format!("{first:020}.parquet");
        assert!(matches!(&error, TableError::Newer { location, .. } if location.ends_with(&name)), "{error}");
        assert!(error.to_string().contains("made by a newer fedilake"), "{error}");
    }
    // Only readers of a file in the middle read its footer; everybody reads that of the newest file.
    place.replace(&chain, 10, newer(&file(&chain, 10, 20))).await;
    assert_newer(place.table().check().await, 10);
    assert_newer(place.table().faults().await, 10);
    assert_eq!(place.table().snapshot().await.unwrap().damaged, []);
    place.replace(&chain, 10, file(&chain, 10, 20).bytes().clone()).await;
    place.replace(&chain, 20, newer(&file(&chain, 20, 30))).await;
    assert_newer(place.table().check().await, 20);
    assert_newer(place.table().snapshot().await, 20);
    assert_newer(place.table().next_offset(&chain, bounds(0, 99)).await, 20);
    assert_newer(place.table().commit(&file(&chain, 30, 40)).await, 20);
}

#[cfg(test)]
mod tests {
    use object_store::local::LocalFileSystem;
    use object_store::memory::InMemory;

    #[tokio::test]
    async fn a_table_in_memory_conforms() {
        super::run(std::sync::Arc::new(InMemory::new()), "").await;
    }

    #[tokio::test]
    async fn a_table_on_local_disk_conforms() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap().with_fsync(true);
        super::run(std::sync::Arc::new(store), "below").await;
    }
}
