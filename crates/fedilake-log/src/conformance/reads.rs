//! Properties of reading: which events a reader hands out, and when.

use std::time::Duration;

use tokio::time::timeout;

use super::Subject;
use super::witness::{PATIENCE, Witness, append, appended_by_key, by_key, read_all, record, records};

pub(super) async fn nothing_comes_before_the_first_seek(subject: impl Subject) {
    append(&*subject.writer(), records(0, 50)).await;
    let mut witness = Witness::assigned(&subject).await;
    witness.hears_nothing().await;
    append(&*subject.writer(), records(50, 50)).await;
    witness.hears_nothing().await;
    witness.read(100).await;
}

pub(super) async fn next_waits_for_records(subject: impl Subject) {
    let mut witness = Witness::assigned(&subject).await;
    witness.take_positions().await;
    witness.hears_nothing().await;
    let writer = subject.writer();
    tokio::join!(append(&*writer, vec![record("a", 0)]), witness.read(1));
    tokio::join!(append(&*writer, vec![record("a", 1)]), witness.read(2));
    assert_eq!(by_key(&witness.seen), appended_by_key(&[record("a", 0), record("a", 1)]));
}

pub(super) async fn a_dropped_next_loses_nothing(subject: impl Subject) {
    const COUNT: usize = 3_000;
    let mut witness = Witness::assigned(&subject).await;
    let writer = subject.writer();
    let appends = async {
        for first in (0..COUNT).step_by(100) {
            append(&*writer, records(first, 100)).await;
        }
    };
    let impatient = async {
        let mut wait = (0..).map(|nth| Duration::from_micros(nth * 37 % 400));
        while witness.seen.len() < COUNT {
            witness.take_positions().await;
            let wait = wait.next().expect("endless");
            if let Ok(event) = timeout(wait, witness.reader.next()).await {
                witness.note(event.expect("next"));
            }
        }
    };
    timeout(PATIENCE, async { tokio::join!(appends, impatient) }).await.expect("reading ends");
    assert_eq!(by_key(&witness.seen), appended_by_key(&records(0, COUNT)));
}

pub(super) async fn readers_are_independent(subject: impl Subject) {
    append(&*subject.writer(), records(0, 500)).await;
    let mut first = Witness::assigned(&subject).await;
    let mut second = Witness::assigned(&subject).await;
    first.read(500).await;
    append(&*subject.writer(), records(500, 500)).await;
    let third = read_all(&subject, 1_000).await;
    second.read(1_000).await;
    first.read(1_000).await;
    let expected = appended_by_key(&records(0, 1_000));
    for seen in [&first.seen, &second.seen, &third] {
        assert_eq!(by_key(seen), expected);
    }
}

pub(super) async fn a_reader_follows_a_writer(subject: impl Subject) {
    const COUNT: usize = 2_000;
    let mut witness = Witness::assigned(&subject).await;
    let writer = subject.writer();
    let appends = async {
        for first in (0..COUNT).step_by(10) {
            append(&*writer, records(first, 10)).await;
        }
    };
    tokio::join!(appends, witness.read(COUNT));
    assert_eq!(by_key(&witness.seen), appended_by_key(&records(0, COUNT)));
}
