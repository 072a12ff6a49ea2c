//! The table on a real S3 store: on a fast and a slow line, and with faults of the store and the network.

mod faulty;
mod service;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Assignment, Key, LogWriter, Offset, Partition};
use fedilake_model::avro::Decoder;
use fedilake_services::{Proxy, Services, Stream, Toxic, Toxics};
use fedilake_table::s3::{S3, S3Error, S3Url};
use fedilake_table::sink::{self, Limits, SinkProgress};
use fedilake_table::{Table, conformance};
use futures::future::join_all;
use object_store::{Error, ObjectStoreExt, PutMode, PutOptions};
use tokio_util::sync::CancellationToken;

use faulty::{Fate, Faulty, by_dice};
use service::{KEY, SECRET, open, place, store, url};

#[tokio::test]
async fn a_table_on_s3_conforms() {
    let Some(endpoint) = store("a_table_on_s3_conforms") else { return };
    let s3 = place(&endpoint, KEY, SECRET);
    s3.reach().await.unwrap();
    s3.probe().await.unwrap();
    conformance::run(s3.store.clone(), s3.prefix.as_ref()).await;
    let counts = s3.requests.counts();
    assert!(counts.list > 0 && counts.get > 0 && counts.put > 0 && counts.delete > 0, "{counts:?}");
    assert_eq!(counts.credentials, 0);
}

#[tokio::test]
async fn a_table_behind_a_slow_line_conforms() {
    let Some(services) = Services::shared("a_table_behind_a_slow_line_conforms") else { return };
    let proxy = own_proxy(&services);
    proxy.add(Stream::Down, Toxic::Latency { ms: 5, jitter_ms: 5 });
    let s3 = place(&format!("http://{}", proxy.address()), KEY, SECRET);
    s3.probe().await.unwrap();
    conformance::run(s3.store.clone(), s3.prefix.as_ref()).await;
}

fn own_proxy(services: &Services) -> Proxy {
    Toxics::at(&services.proxy).through(&format!("table-{}", uuid::Uuid::new_v4()), &services.s3.endpoint)
}

#[tokio::test]
async fn of_twenty_puts_of_one_name_one_wins() {
    let Some(endpoint) = store("of_twenty_puts_of_one_name_one_wins") else { return };
    let racers: Vec<S3> = (0..20).map(|_| place(&endpoint, KEY, SECRET)).collect();
    let prefix = racers[0].prefix.clone();
    for round in 0..10 {
        let location = prefix.clone().join(round.to_string());
        let puts = racers.iter().enumerate().map(|(racer, s3)| {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let (store, location) = (s3.store.clone(), location.clone());
            async move { store.put_opts(&location, racer.to_string().into(), options).await }
        });
        let answers = join_all(puts).await;
        let winners: Vec<usize> = (0..20).filter(|racer| answers[*racer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        let losers = answers.iter().filter(|answer| matches!(answer, Err(Error::AlreadyExists { .. })));
        assert_eq!(losers.count(), 19, "{answers:?}");
        let content = racers[0].store.get(&location).await.unwrap().bytes().await.unwrap();
        assert_eq!(content, winners[0].to_string());
    }
}

#[tokio::test]
async fn many_processes_probe_at_once_and_leave_nothing() {
    let Some(endpoint) = store("many_processes_probe_at_once_and_leave_nothing") else { return };
    let url = url();
    let all: Vec<S3> = (0..20).map(|_| open(&url, &endpoint, KEY, SECRET)).collect();
    for probed in join_all(all.iter().map(S3::probe)).await {
        probed.unwrap();
    }
    let listed = all[0].store.list_with_delimiter(Some(&url.prefix)).await.unwrap();
    assert!(listed.objects.is_empty() && listed.common_prefixes.is_empty(), "{listed:?}");
}

#[tokio::test]
async fn a_store_that_overwrites_is_refused_by_name() {
    let careless = Faulty::always(200, "").await;
    let error = place(&careless.endpoint, KEY, SECRET).probe().await.unwrap_err();
    assert!(matches!(error, S3Error::NoConditionalPut { .. }), "{error}");
    let told = error.to_string();
    assert!(told.contains(&careless.endpoint) && told.contains("does not honour If-None-Match"), "{told}");
    let unable = Faulty::always(501, "NotImplemented").await;
    let error = place(&unable.endpoint, KEY, SECRET).probe().await.unwrap_err();
    assert!(matches!(error, S3Error::NoConditionalPut { .. } | S3Error::Other { .. }), "{error}");
}

#[tokio::test]
async fn errors_of_a_store_have_a_hint() {
    let clock = Faulty::always(403, "RequestTimeTooSkewed").await;
    let over = Faulty::always(400, "ExpiredToken").await;
    let moved = Faulty::always(301, "PermanentRedirect").await;
    let cases = [
        (clock.endpoint.clone(), "clock"),
        (over.endpoint.clone(), "renew"),
        (moved.endpoint.clone(), "table.s3_region"),
        ("http://127.0.0.1:9".to_owned(), "table.s3_endpoint"),
    ];
    for (endpoint, hint) in cases {
        let s3 = place(&endpoint, KEY, SECRET);
        for error in [s3.reach().await, s3.probe().await] {
            let told = error.unwrap_err().to_string();
            assert!(told.contains(&endpoint), "{told}");
            let (_, hinted) = told.split_once("\nhint: ").unwrap();
            assert!(hinted.contains(hint), "{told}");
        }
    }
}

#[tokio::test]
async fn errors_for_a_wrong_bucket_key_or_secret_have_a_hint() {
    let Some(endpoint) = store("errors_for_a_wrong_bucket_key_or_secret_have_a_hint") else { return };
    let cases = [
        ("s3://fedilake/x", KEY, "wrong", "the secret does not belong to the key"),
        ("s3://fedilake/x", "nobody", SECRET, "does not know the key"),
        ("s3://no-such-bucket/x", KEY, SECRET, "make the bucket"),
    ];
    for (url, key, secret, hint) in cases {
        let s3 = open(&S3Url::parse(url).unwrap(), &endpoint, key, secret);
        for error in [s3.reach().await, s3.probe().await] {
            let told = error.unwrap_err().to_string();
            assert!(told.contains("hint: ") && told.contains(hint) && !told.contains("wrong"), "{told}");
        }
    }
}

#[tokio::test]
async fn faults_for_a_third_of_the_requests_break_no_promise_of_a_table() {
    let Some(endpoint) = store("faults_for_a_third_of_the_requests_break_no_promise_of_a_table") else { return };
    // No conflicts: a commit that meets one returns superseded, which the cases do not expect. The test of two sinks
    // below has them.
    let dice = by_dice(7);
    let decide = move |method: &str, number| match dice(method, number) {
        Fate::Refused(409) => Fate::Refused(500),
        // A commit whose answer was lost returns superseded as well.
        Fate::Lost | Fate::Belied(_) | Fate::Torn if method == "PUT" => Fate::Late,
        fate => fate,
    };
    let faulty = Faulty::before(&endpoint, Arc::new(decide)).await;
    let s3 = place(&faulty.endpoint, KEY, SECRET);
    s3.probe().await.unwrap();
    conformance::run(s3.store.clone(), s3.prefix.as_ref()).await;
    assert!(faulty.faults.load(Relaxed) > 20);
}

#[tokio::test]
async fn two_sinks_over_a_faulty_store_put_each_offset_once() {
    let Some(endpoint) = store("two_sinks_over_a_faulty_store_put_each_offset_once") else { return };
    let faulty = Faulty::before(&endpoint, by_dice(11)).await;
    two_sinks_put_each_offset_once(&faulty.endpoint, &endpoint).await;
    assert!(faulty.faults.load(Relaxed) > 20, "{:?}", faulty.faults);
}

#[tokio::test]
async fn two_sinks_over_a_line_that_breaks_put_each_offset_once() {
    let Some(services) = Services::shared("two_sinks_over_a_line_that_breaks_put_each_offset_once") else { return };
    let proxy = own_proxy(&services);
    // Every connection breaks after so many bytes, within an answer or a request: a put may be carried out without an
    // answer.
    proxy.add(Stream::Down, Toxic::LimitData { bytes: 40_000 });
    proxy.add(Stream::Up, Toxic::LimitData { bytes: 60_000 });
    two_sinks_put_each_offset_once(&format!("http://{}", proxy.address()), &services.s3.endpoint).await;
}

/// Runs two sinks that reach the store through `endpoint`, and starts them again when they fail.
async fn two_sinks_put_each_offset_once(endpoint: &str, store: &str) {
    let (batches, batch_records) = (120, 50);
    let records = batches * batch_records;
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(EmbeddedLog::open(folder.path()).unwrap());
    let appending = tokio::spawn({
        let log = log.clone();
        async move {
            for batch in 0..batches {
                let record = |at| (Key(Bytes::from_static(b"k")), Bytes::from(format!("record {batch} {at}")));
                log.append((0..batch_records).map(record).collect()).await.unwrap();
                // Slow enough that each sink commits several files.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    });
    let url = url();
    let shutdown = CancellationToken::new();
    let limits =
        Limits { buffer_bytes_max: 5_000, buffer_age_max: Duration::from_millis(20), buffers_bytes_max: usize::MAX };
    let sinks = (0..2).map(|_| {
        let (log, shutdown, s3) = (&log, shutdown.clone(), open(&url, endpoint, KEY, SECRET));
        async move {
            let mut superseded = 0;
            loop {
                // A new table, as after a restart: without cached positions.
                let table = Arc::new(Table::new(s3.store.clone(), s3.prefix.clone()));
                let progress = Arc::<SinkProgress>::default();
                let stop = shutdown.child_token();
                let mut sink = tokio::spawn(sink::run(
                    log.clone(),
                    Assignment::All,
                    Decoder::new(),
                    table,
                    limits,
                    progress.clone(),
                    stop,
                ));
                let ended = loop {
                    tokio::select! {
                        ended = &mut sink => break Some(ended.unwrap()),
                        () = tokio::time::sleep(Duration::from_millis(20)) => {}
                    }
                    let position = progress.positions().get(&Partition(0)).map(|position| position.committed);
                    if position == Some(Offset(records)) {
                        shutdown.cancel();
                    }
                };
                superseded += progress.summary().superseded;
                // Two conflicts in a row stop a sink.
                if matches!(ended, Some(Ok(_))) {
                    return superseded;
                }
            }
        }
    });
    let superseded: u64 = join_all(sinks).await.into_iter().sum();
    appending.await.unwrap();
    let s3 = open(&url, store, KEY, SECRET);
    let check = Table::new(s3.store, s3.prefix).check().await.unwrap();
    assert_eq!((check.rows, check.findings), (records, vec![]));
    assert!(superseded > 0);
}
