//! Properties of an append that returned.

use bytes::Bytes;
use futures::future::join_all;

use super::Subject;
use super::witness::{append, appended_by_key, by_key, read_all, record, records};
use crate::Key;

pub(super) async fn records_of_a_key_keep_their_order(subject: impl Subject) {
    let mut appended = Vec::new();
    for count in [1, 2, 1_000, 7, 300] {
        let batch = records(appended.len(), count);
        append(&*subject.writer(), batch.clone()).await;
        appended.extend(batch);
    }
    let read = read_all(&subject, appended.len()).await;
    assert_eq!(by_key(&read), appended_by_key(&appended));
}

pub(super) async fn records_come_back_as_they_were_given(subject: impl Subject) {
    let mut state = 1_u32;
    let mut noise = |length: usize| -> Bytes {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        (0..length).map(|_| next()).collect()
    };
    let mut appended = vec![(Key(Bytes::from_static(b"empty value")), Bytes::new())];
    for length in [1, 255, 256, 4_095, 4_096, 70_000, 900_000] {
        appended.push((Key(noise(1 + length % 200)), noise(length)));
    }
    appended.push((Key("ключ/鍵".into()), Bytes::from_static(&[0, 255, 0])));
    append(&*subject.writer(), appended.clone()).await;
    let read = read_all(&subject, appended.len()).await;
    assert_eq!(by_key(&read), appended_by_key(&appended));
}

pub(super) async fn appending_nothing_adds_nothing(subject: impl Subject) {
    append(&*subject.writer(), Vec::new()).await;
    append(&*subject.writer(), vec![record("a", 0)]).await;
    append(&*subject.writer(), Vec::new()).await;
    append(&*subject.writer(), vec![record("a", 1)]).await;
    let read = read_all(&subject, 2).await;
    assert_eq!(by_key(&read), appended_by_key(&[record("a", 0), record("a", 1)]));
}

pub(super) async fn appends_at_the_same_time_are_all_there(subject: impl Subject) {
    const WRITERS: usize = 16;
    const APPENDS: usize = 20;
    const RECORDS: usize = 5;
    let key = |writer: usize| format!("writer-{writer}");
    let writers = (0..WRITERS).map(|writer| {
        let log = subject.writer();
        async move {
            for nth in (0..APPENDS * RECORDS).step_by(RECORDS) {
                let batch = (nth..nth + RECORDS).map(|nth| record(&key(writer), nth)).collect();
                append(&*log, batch).await;
            }
        }
    });
    join_all(writers).await;

    let read = read_all(&subject, WRITERS * APPENDS * RECORDS).await;
    let expected: Vec<_> =
        (0..WRITERS).flat_map(|writer| (0..APPENDS * RECORDS).map(move |nth| record(&key(writer), nth))).collect();
    assert_eq!(by_key(&read), appended_by_key(&expected));
}

pub(super) async fn time_does_not_go_back(subject: impl Subject) {
    for nth in 0..20 {
        append(&*subject.writer(), vec![record("a", nth)]).await;
    }
    let read = read_all(&subject, 20).await;
    assert!(read.is_sorted_by_key(|record| record.appended_at_ms));
    const YEAR_2020_MS: i64 = 1_577_836_800_000;
    assert!(read[0].appended_at_ms > YEAR_2020_MS, "appended_at is in milliseconds since 1970");
}
