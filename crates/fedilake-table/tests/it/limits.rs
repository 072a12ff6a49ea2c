//! The limits at which a buffer becomes a file.

use std::sync::Arc;
use std::time::Duration;

use fedilake_log::{Assignment, Offset, Partition};
use fedilake_model::avro::Decoder;
use fedilake_table::sink::{self, Limits, SinkProgress};
use fedilake_table::{Snapshot, Table};
use object_store::memory::InMemory;
use object_store::path::Path;
use tokio_util::sync::CancellationToken;

use crate::scripted::{Scripted, assigned, records};

const NEVER: Duration = Duration::from_secs(1_000_000);

/// The ranges of offsets of the files made from `reader`'s events, by partition.
async fn files(reader: Scripted, limits: Limits) -> Vec<(u32, Vec<(u64, u64)>)> {
    let table = Arc::new(Table::new(Arc::new(InMemory::new()), Path::default()));
    let end = reader.end.clone();
    sink::run(
        reader.log(),
        Assignment::All,
        Decoder::new(),
        table.clone(),
        limits,
        Arc::<SinkProgress>::default(),
        end,
    )
    .await
    .unwrap();
    let Snapshot { chains, .. } = table.snapshot().await.unwrap();
    let ranges = |files: Vec<fedilake_table::FileMeta>| files.iter().map(|file| (file.first.0, file.next.0)).collect();
    chains.into_iter().map(|chain| (chain.chain.partition.0, ranges(chain.files))).collect()
}

#[tokio::test]
async fn a_buffer_is_sealed_when_it_is_full() {
    let value = [b'x'; 1_000];
    let events = [assigned(0), records(0, 0..9, &value), records(0, 9..11, &value), records(0, 11..12, &value)];
    let limits = Limits { buffer_bytes_max: 10_500, buffer_age_max: NEVER, buffers_bytes_max: usize::MAX };
    assert_eq!(files(Scripted::new(0..12, events), limits).await, [(0, vec![(0, 11), (11, 12)])]);
}

#[tokio::test]
async fn the_largest_buffer_is_sealed_when_all_are_too_large() {
    let value = [b'x'; 1_000];
    let events = [
        assigned(0),
        assigned(1),
        records(0, 0..4, &value),
        records(1, 0..7, &value),
        records(0, 4..5, &value),
        records(1, 7..8, &value),
    ];
    let limits = Limits { buffer_bytes_max: usize::MAX, buffer_age_max: NEVER, buffers_bytes_max: 12_000 };
    let files = files(Scripted::new(0..8, events), limits).await;
    assert_eq!(files, [(0, vec![(0, 5)]), (1, vec![(0, 7), (7, 8)])]);
}

#[tokio::test]
async fn offsets_that_carry_no_record_belong_to_the_file_that_ends_behind_them() {
    let events = [assigned(0), records(0, 3..5, b"x"), records(0, 9..10, b"x")];
    let limits = Limits { buffer_bytes_max: 1, ..Limits::default() };
    assert_eq!(files(Scripted::new(0..20, events), limits).await, [(0, vec![(0, 5), (5, 10)])]);
}

#[tokio::test]
async fn an_old_buffer_is_sealed_without_another_event() {
    let table = Arc::new(Table::new(Arc::new(InMemory::new()), Path::default()));
    let progress = Arc::<SinkProgress>::default();
    let limits = Limits { buffer_age_max: Duration::from_millis(5), ..Limits::default() };
    let reader = Scripted::new(0..3, [assigned(0), records(0, 0..3, b"x")]);
    // A separate token: the reader's own would end the sink once there are no more events.
    let shutdown = CancellationToken::new();
    let sink = tokio::spawn(sink::run(
        reader.log(),
        Assignment::All,
        Decoder::new(),
        table.clone(),
        limits,
        progress.clone(),
        shutdown.clone(),
    ));
    let committed = || progress.positions().get(&Partition(0)).map(|position| position.committed);
    while committed() != Some(Offset(3)) {
        assert!(!sink.is_finished(), "the sink ended early");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(table.snapshot().await.unwrap().chains[0].next(), Offset(3));
    shutdown.cancel();
    assert_eq!(sink.await.unwrap().unwrap().files, 1);
}
