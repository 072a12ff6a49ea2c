//! Properties of bounds, seeks and releases.

use super::Subject;
use super::witness::{Witness, append, read_all, record, records};
use crate::{LogError, Offset, Partition, Record};

pub(super) async fn bounds_enclose_what_is_there(subject: impl Subject) {
    let mut witness = Witness::assigned(&subject).await;
    let all = subject.log().bounds().await.expect("the bounds");
    assert!(witness.assigned.iter().all(|partition| all.contains_key(partition)), "each partition has bounds");
    for (nth, (partition, bounds)) in (0..).zip(all) {
        assert_eq!(partition, Partition(nth), "partitions are numbered from 0");
        assert_eq!(bounds.start, bounds.end, "an empty partition ends where it starts");
    }
    append(&*subject.writer(), records(0, 200)).await;
    witness.read(200).await;
    for record in witness.seen.clone() {
        let bounds = witness.bounds(record.partition).await;
        assert!(bounds.start <= record.offset && record.offset < bounds.end);
    }
}

pub(super) async fn a_seek_decides_what_comes_next(subject: impl Subject) {
    append(&*subject.writer(), records(0, 400)).await;
    let mut witness = Witness::assigned(&subject).await;
    let all = witness.read(400).await.to_vec();
    let partition = all[0].partition;
    let of_partition = only(&all, partition);
    let last = of_partition.len() - 1;
    for nth in [0, 1, last / 2, last, 0] {
        witness.seen.clear();
        witness.seek(partition, of_partition[nth].offset).await.expect("seek");
        witness.read(of_partition.len() - nth).await;
        assert_eq!(witness.seen, of_partition[nth..]);
    }

    witness.seen.clear();
    let end = witness.bounds(partition).await.end;
    witness.seek(partition, end).await.expect("seek to the end");
    witness.hears_nothing().await;
    append(&*subject.writer(), same_key(&of_partition[0])).await;
    assert!(witness.read(1).await[0].offset >= end);
}

pub(super) async fn a_seek_beyond_the_end_is_refused(subject: impl Subject) {
    append(&*subject.writer(), records(0, 10)).await;
    let mut witness = Witness::assigned(&subject).await;
    let all = witness.read(10).await.to_vec();
    let partition = all[0].partition;
    let of_partition = only(&all, partition);
    let end = witness.bounds(partition).await.end;
    witness.seek(partition, of_partition[0].offset).await.expect("seek");

    let refused = witness.seek(partition, end.next()).await.expect_err("beyond the end");
    assert!(matches!(refused, LogError::BeyondEnd { wanted, end: at, .. } if wanted == end.next() && at == end));
    witness.seen.clear();
    assert_eq!(witness.read(of_partition.len()).await, of_partition, "a refused seek leaves the position");
}

pub(super) async fn a_seek_discards_what_was_being_read(subject: impl Subject) {
    append(&*subject.writer(), records(0, 5_000)).await;
    let all = read_all(&subject, 5_000).await;
    let mut witness = Witness::assigned(&subject).await;
    let partition = all[0].partition;
    while !witness.assigned.contains(&partition) {
        witness.step().await;
    }
    let of_partition = only(&all, partition);
    for nth in [of_partition.len() - 1, 0, of_partition.len() - 2] {
        witness.seek(partition, of_partition[0].offset).await.expect("seek");
        // Polled once, so that the read may have begun.
        let begun = futures::future::FutureExt::now_or_never(witness.reader.next());
        if let Some(event) = begun {
            witness.note(event.expect("next"));
        }
        witness.seen.clear();
        witness.seek(partition, of_partition[nth].offset).await.expect("seek");
        while witness.seen.is_empty() {
            witness.step().await;
        }
        assert_eq!(witness.seen[0], of_partition[nth]);
    }
}

pub(super) async fn a_partition_that_is_not_there_is_refused(subject: impl Subject) {
    let mut witness = Witness::assigned(&subject).await;
    let partition = Partition(9_999);
    let refused = witness.seek(partition, Offset(0)).await.expect_err("no such partition");
    assert_eq!(refused, LogError::NotAssigned { partition });
}

pub(super) async fn releasing_forgets_nothing_above(subject: impl Subject) {
    append(&*subject.writer(), records(0, 1_000)).await;
    let mut witness = Witness::assigned(&subject).await;
    let all = witness.read(1_000).await.to_vec();
    let partition = all[0].partition;
    let of_partition = only(&all, partition);
    let mut released = Offset(0);
    for nth in [1, 2, of_partition.len() / 2, 0, of_partition.len() - 1] {
        released = released.max(of_partition[nth].offset);
        witness.release(partition, of_partition[nth].offset).await.expect("release");
        assert!(witness.bounds(partition).await.start <= released, "a log never starts above what was released");

        witness.seen.clear();
        let kept: Vec<_> = of_partition.iter().filter(|record| record.offset >= released).cloned().collect();
        witness.seek(partition, released).await.expect("seek to what is not released");
        assert_eq!(witness.read(kept.len()).await, kept);
    }
    append(&*subject.writer(), same_key(&of_partition[0])).await;
    witness.seen.clear();
    assert!(witness.read(1).await[0].offset > of_partition[of_partition.len() - 1].offset);
}

pub(super) async fn what_is_released_is_refused_or_still_there(subject: impl Subject) {
    append(&*subject.writer(), records(0, 1_000)).await;
    let mut witness = Witness::assigned(&subject).await;
    let all = witness.read(1_000).await.to_vec();
    let partition = all[0].partition;
    let of_partition = only(&all, partition);
    let first = of_partition[0].offset;

    // A reader that is at the start when the start is released.
    witness.seek(partition, first).await.expect("seek to the start");
    let end = witness.bounds(partition).await.end;
    witness.release(partition, end).await.expect("release all");
    let start = witness.bounds(partition).await.start;
    assert!(start <= end);
    witness.seen.clear();
    if start > first {
        let refused = witness.reader.next().await.expect_err("the position lies below the start");
        assert_eq!(refused, LogError::BelowStart { partition, wanted: first, start });
        let refused = witness.seek(partition, first).await.expect_err("below the start");
        assert_eq!(refused, LogError::BelowStart { partition, wanted: first, start });
        witness.seek(partition, start).await.expect("seek to the start");
    }
    let kept: Vec<_> = of_partition.iter().filter(|record| record.offset >= start).cloned().collect();
    assert_eq!(witness.read(kept.len()).await, kept);
}

fn only(records: &[Record], partition: Partition) -> Vec<Record> {
    records.iter().filter(|record| record.partition == partition).cloned().collect()
}

/// A record with the key, and so the partition, of `of`.
fn same_key(of: &Record) -> Vec<(crate::Key, bytes::Bytes)> {
    vec![(of.key.clone(), record("again", 0).1)]
}
