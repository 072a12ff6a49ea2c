//! Properties of a log that was closed and opened again.

use super::Subject;
use super::witness::{Witness, append, appended_by_key, by_key, read_all, records};

pub(super) async fn everything_acknowledged_survives(subject: impl Subject) {
    append(&*subject.writer(), records(0, 1_234)).await;
    subject.bookmarks().save("server", "42").await.expect("save");
    let id = subject.log().id().clone();
    let before = read_all(&subject, 1_234).await;

    let subject = subject.reopen().await;
    assert_eq!(subject.bookmarks().load("server").await.expect("load").as_deref(), Some("42"));
    assert_eq!(subject.log().id(), &id);
    let mut after = read_all(&subject, 1_234).await;
    let mut before = before;
    before.sort_by_key(|record| (record.partition, record.offset));
    after.sort_by_key(|record| (record.partition, record.offset));
    assert_eq!(after, before);
}

pub(super) async fn offsets_go_on_after_a_restart(mut subject: impl Subject) {
    for round in 0..3 {
        append(&*subject.writer(), records(round * 100, 100)).await;
        subject = subject.reopen().await;
        let read = read_all(&subject, (round + 1) * 100).await;
        assert_eq!(by_key(&read), appended_by_key(&records(0, (round + 1) * 100)));
    }
}

pub(super) async fn a_released_log_goes_on_after_a_restart(subject: impl Subject) {
    append(&*subject.writer(), records(0, 100)).await;
    let mut witness = Witness::assigned(&subject).await;
    let last = witness.read(100).await.last().expect("100 records").clone();
    let end = witness.bounds(last.partition).await.end;
    witness.release(last.partition, end).await.expect("release all");
    drop(witness);

    let subject = subject.reopen().await;
    let mut witness = Witness::assigned(&subject).await;
    while !witness.assigned.contains(&last.partition) {
        witness.step().await;
    }
    let bounds = witness.bounds(last.partition).await;
    assert_eq!(bounds.end, end, "a released log keeps its end");
    witness.seek(last.partition, end).await.expect("seek to the end");
    append(&*subject.writer(), vec![(last.key.clone(), last.value.clone())]).await;
    while witness.seen.is_empty() {
        witness.step().await;
    }
    let next = &witness.seen[0];
    assert!(next.offset >= end);
    assert!(next.appended_at_ms >= last.appended_at_ms, "time went back, and no clock did");
}

pub(super) async fn each_log_has_an_identity(first: impl Subject, second: impl Subject) {
    assert_ne!(first.log().id(), second.log().id());
}
