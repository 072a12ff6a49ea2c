//! Files of recorded lines → log.

use std::fs;
use std::io::{self, Cursor, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_collect::replay::{self, BadValue, Input, Pace, Progress, ReplayError, ReplaySettings, ReplaySummary};
use fedilake_model::avro;
use fedilake_model::{Frame, FrameKind, PostEvent, Server};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::memory::{MemoryBookmarks, MemoryLog};
use crate::status::{status, with};

fn observed_at() -> DateTime<Utc> {
    "2026-02-03T12:00:00Z".parse().unwrap()
}

fn lines(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn file(path: &Path) -> Vec<Input> {
    vec![Input::File(path.to_owned())]
}

fn stream(bytes: impl Into<Vec<u8>>) -> Vec<Input> {
    vec![Input::Stream { name: "-".to_owned(), reader: Box::new(Cursor::new(bytes.into())) }]
}

async fn replay_with(
    inputs: Vec<Input>,
    settings: ReplaySettings,
    log: &Arc<MemoryLog>,
    bookmarks: &Arc<MemoryBookmarks>,
) -> Result<ReplaySummary, ReplayError> {
    let progress = Arc::new(Progress::default());
    replay::run(inputs, settings, log.clone(), bookmarks.clone(), progress, CancellationToken::new()).await
}

async fn replay(inputs: Vec<Input>) -> (Arc<MemoryLog>, ReplaySummary) {
    let log = Arc::new(MemoryLog::new());
    let settings = ReplaySettings::new(observed_at());
    let summary = replay_with(inputs, settings, &log, &Arc::default()).await.unwrap();
    (log, summary)
}

fn expected(kind: FrameKind, payload: &str, server: &str, observed_at: DateTime<Utc>) -> PostEvent {
    let frame = Frame { kind, data: Bytes::copy_from_slice(payload.as_bytes()) };
    PostEvent::from_api(&frame, &Server::new(server), observed_at).unwrap()
}

#[tokio::test]
async fn a_bare_status_and_each_form_of_a_frame_become_the_event_they_hold() {
    let post = status("a.example", "1");
    let edited = with(post.clone(), "/edited_at", json!("2026-02-03T11:00:00.000Z"));
    let at = "2026-02-03T10:00:05.250Z";
    let frame = |event: &str, payload: Value| json!({"server": "b.example", "observed_at": at, "event": event, "payload": payload});
    let (log, summary) = replay(stream(lines(&[
        post.clone(),
        frame("update", post.clone()),
        frame("update", json!(post.to_string())),
        frame("status.update", edited.clone()),
        frame("delete", json!("1")),
        frame("delete", json!(115500000000000000_u64)),
        with(frame("delete", json!("2")), "/observed_at", json!("yesterday")),
    ]) + &format!(
        // Members that follow the payload.
        "{{\"server\":\"b.example\",\"observed_at\":\"{at}\",\"event\":\"update\",\"payload\":{post},\"more\":{{}}}}\n"
    )))
    .await;
    let at = at.parse().unwrap();
    let events = [
        expected(FrameKind::Update, &post.to_string(), "a.example", observed_at()),
        expected(FrameKind::Update, &post.to_string(), "b.example", at),
        expected(FrameKind::Update, &post.to_string(), "b.example", at),
        expected(FrameKind::StatusUpdate, &edited.to_string(), "b.example", at),
        expected(FrameKind::Delete, "1", "b.example", at),
        expected(FrameKind::Delete, "115500000000000000", "b.example", at),
        expected(FrameKind::Delete, "2", "b.example", observed_at()),
        expected(FrameKind::Update, &post.to_string(), "b.example", at),
    ];
    let records: Vec<Bytes> = log.records().into_iter().map(|(_, value)| value).collect();
    assert_eq!(records, avro::encode(&events));
    assert_eq!(log.keys(), events.iter().map(PostEvent::key).collect::<Vec<_>>());
    assert_eq!((summary.lines, summary.tally.accepted, summary.complete), (8, 8, true));
}

#[tokio::test]
async fn what_may_not_be_kept_is_counted_by_reason_and_not_stored() {
    let post = |pointer: &str, value: Value| with(status("a.example", "1"), pointer, value);
    let (log, summary) = replay(stream(lines(&[
        post("/visibility", json!("unlisted")),
        post("/visibility", json!("private")),
        post("/visibility", json!("Public")),
        post("/reblog", status("b.example", "2")),
        post("/account/note", json!("<p>please #NoBot</p>")),
        post("/account/note", json!("<p>please #noindex</p>")),
        with(
            post("/url", json!(null)),
            "/account",
            with(status("a.example", "1")["account"].clone(), "/noindex", json!(true)),
        ),
        json!({"server": "a.example", "event": "announcement", "payload": {}}),
        status("a.example", "3"),
    ])))
    .await;
    assert_eq!(log.keys(), ["a.example/3"]);
    let skipped: Vec<_> = summary.tally.skipped.into_iter().collect();
    assert_eq!(skipped, [("boost", 1), ("nobot", 1), ("noindex", 2), ("not_public", 3)]);
    assert_eq!((summary.tally.unknown, summary.tally.accepted, summary.lines), (1, 1, 9));
}

#[tokio::test]
async fn compressed_inputs_are_told_by_their_first_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let plain = lines(&(0..50).map(|i| status("a.example", &i.to_string())).collect::<Vec<_>>());
    let (half, rest) = plain.split_at(plain.len() / 3);
    let zstd = [zstd::encode_all(half.as_bytes(), 3).unwrap(), zstd::encode_all(rest.as_bytes(), 3).unwrap()].concat();
    let gzip: Vec<u8> = [half, rest].iter().flat_map(|part| gzip(part.as_bytes())).collect();
    let (expected, _) = replay(stream(plain.clone())).await;
    for (name, bytes) in [("plain", plain.into_bytes()), ("zstd", zstd), ("gzip", gzip)] {
        let path = dir.path().join(name);
        fs::write(&path, &bytes).unwrap();
        for inputs in [file(&path), stream(bytes)] {
            let (log, summary) = replay(inputs).await;
            assert_eq!(log.records(), expected.records(), "{name}");
            assert_eq!(summary.lines, 50);
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn bad_lines_are_named_and_cost_no_other_line() {
    let good = |id: &str| format!("{}\n", status("a.example", id)).into_bytes();
    let parts: &[(&[u8], Option<&'static str>)] = &[
        (&good("1"), None),
        (b"{\"id\": \"2\", \"uri\": \n", Some("not_json")),
        (b"<html>\n", Some("not_an_object")),
        (b"[1]\n", Some("not_an_object")),
        (b"{\"id\": \"5\" \"uri\"}\n", Some("not_json")),
        (b"\n", None),
        (b"  \r\n", None),
        (b"{\"id\":\"\xff\xfe\"}\n", Some("not_utf8")),
        (b"{}\n", Some("no_server")),
        (b"{\"event\":\"update\",\"payload\":{}}\n", Some("no_server")),
        (b"{\"server\":\"a.example\",\"event\":\"update\",\"payload\":{}}\n", Some("no_id")),
        (b"{\"server\":\"a.example\",\"event\":\"update\",\"payload\":\"nonsense\"}\n", Some("not_json")),
        (b"{\"server\":\"a.example\",\"event\":\"delete\",\"payload\":{}}\n", Some("no_id")),
        (&good("3"), None),
        (&[&[b'x'; 10_000][..], b"\n"].concat(), Some("too_long")),
        (&good("4"), None),
        (b"{\"server\":\"a.example\",\"event\":\"upd", Some("cut_off")),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd.jsonl");
    fs::write(&path, parts.iter().flat_map(|(line, _)| line.to_vec()).collect::<Vec<_>>()).unwrap();
    let log = Arc::new(MemoryLog::new());
    let settings = ReplaySettings { value_bytes_max: 5_000, ..ReplaySettings::new(observed_at()) };
    let summary = replay_with(file(&path), settings, &log, &Arc::default()).await.unwrap();
    assert_eq!(log.keys(), ["a.example/1", "a.example/3", "a.example/4"]);
    let input = path.display().to_string();
    let mut byte = 0;
    let mut bad = Vec::new();
    for (line, (text, why)) in (1..).zip(parts) {
        if let Some(why) = *why {
            let begins = text.iter().position(|byte| !b"[ ".contains(byte)).unwrap() as u64;
            bad.push(BadValue { input: input.clone(), line, byte: byte + begins, why });
        }
        byte += text.len() as u64;
    }
    assert_eq!(summary.bad, bad);
    assert_eq!(summary.tally.rejected_total(), 12);
    assert_eq!(summary.lines, parts.len() as u64);
}

#[tokio::test]
async fn all_bad_lines_are_counted_and_the_first_are_kept() {
    let (_, summary) = replay(stream("{x\n".repeat(1_000))).await;
    assert_eq!(summary.tally.rejected_total(), 1_000);
    let kept: Vec<u64> = summary.bad.iter().map(|bad| bad.line).collect();
    assert_eq!(kept, (1..=replay::BAD_KEPT as u64).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_order_of_the_input_is_the_order_of_the_log_and_every_line_is_counted(
        kinds in proptest::collection::vec(0u8..5, 1..400), threads in 1usize..5, records_max in 1usize..50, long in 0usize..3,
    ) {
        let line = |(i, kind): (usize, &u8)| match kind {
            0 => "{oops\n".to_owned(),
            1 => format!("{}\n", with(status("a.example", &i.to_string()), "/visibility", json!("unlisted"))),
            // Long texts, so that there are several chunks.
            _ => format!("{}\n", with(status("a.example", &i.to_string()), "/content", json!("y".repeat(long * 20_000)))),
        };
        let input: String = kinds.iter().enumerate().map(line).collect();
        let log = Arc::new(MemoryLog::new());
        let settings = ReplaySettings { threads: threads.try_into().ok(), append_records_max: records_max, ..ReplaySettings::new(observed_at()) };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
        let summary = runtime.block_on(replay_with(stream(input), settings, &log, &Arc::default())).unwrap();
        let good = kinds.iter().enumerate().filter(|(_, kind)| **kind > 1).map(|(i, _)| format!("a.example/{i}"));
        prop_assert_eq!(log.keys(), good.collect::<Vec<_>>());
        let tally = summary.tally;
        prop_assert_eq!(tally.accepted + tally.skipped_total() + tally.rejected_total(), kinds.len() as u64);
        prop_assert_eq!(summary.lines, kinds.len() as u64);
    }
}

fn posts(count: usize) -> String {
    let post = |i: usize| with(status("a.example", &i.to_string()), "/content", json!("z".repeat(3_000)));
    lines(&(0..count).map(post).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_replay_stopped_anywhere_goes_on_where_the_log_ends() {
    let dir = tempfile::tempdir().unwrap();
    let plain = posts(1_000);
    let zstd = zstd::encode_all(plain.as_bytes(), 1).unwrap();
    for (name, bytes, append_records_max, records_max) in
        [("plain", plain.into_bytes(), 10, 300), ("zstd", zstd, 400, 600)]
    {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let bookmarks = Arc::new(MemoryBookmarks::default());
        let settings = ReplaySettings {
            append_records_max,
            bookmark_interval: Duration::ZERO,
            ..ReplaySettings::new(observed_at())
        };
        let mut keys = Vec::new();
        let mut runs = 0;
        loop {
            runs += 1;
            let log = Arc::new(MemoryLog::full_after(records_max));
            let outcome = replay_with(file(&path), settings.clone(), &log, &bookmarks).await;
            keys.extend(log.keys());
            match outcome {
                Ok(summary) => {
                    assert_eq!(summary.lines + summary.lines_resumed, 1_000);
                    break;
                }
                Err(error) => assert!(error.to_string().contains("no space left"), "{error}"),
            }
            assert!(runs < 20, "no progress");
        }
        assert!(runs > 1, "it was never stopped");
        assert_eq!(keys, (0..1_000).map(|i| format!("a.example/{i}")).collect::<Vec<_>>(), "{name}");
    }
}

#[tokio::test]
async fn a_file_replayed_to_its_end_is_not_replayed_again_wherever_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let (path, moved) = (dir.path().join("one"), dir.path().join("other"));
    fs::write(&path, posts(100)).unwrap();
    let bookmarks = Arc::new(MemoryBookmarks::default());
    let settings = ReplaySettings::new(observed_at());
    let log = Arc::new(MemoryLog::new());
    replay_with(file(&path), settings.clone(), &log, &bookmarks).await.unwrap();
    fs::rename(&path, &moved).unwrap();
    let again = replay_with(file(&moved), settings.clone(), &log, &bookmarks).await.unwrap();
    assert_eq!((again.lines, again.lines_resumed, log.keys().len()), (0, 100, 100));
    fs::write(&path, posts(100).replace("a.example/@alice/99", "a.example/@alice/98")).unwrap();
    let other = replay_with(file(&path), settings, &log, &bookmarks).await.unwrap();
    assert_eq!((other.lines, other.lines_resumed, log.keys().len()), (100, 0, 200));
}

#[tokio::test]
async fn a_file_corrected_anywhere_is_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("posts.jsonl");
    let (bookmarks, log) = (Arc::new(MemoryBookmarks::default()), Arc::new(MemoryLog::new()));
    for (corrected, count) in [(0, 100), (50, 200), (51, 300)] {
        // The corrected file has the same length, and the change is far from both ends.
        let (written, meant) = (format!("/@alice/{corrected}\""), format!("/@elice/{corrected}\""));
        fs::write(&path, posts(100).replace(&written, &meant)).unwrap();
        let settings = ReplaySettings::new(observed_at());
        let summary = replay_with(file(&path), settings, &log, &bookmarks).await.unwrap();
        assert_eq!((summary.lines, summary.lines_resumed, log.keys().len()), (100, 0, count), "line {corrected}");
    }
}

#[tokio::test]
async fn a_cut_archive_is_named_after_all_that_can_be_read_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.jsonl.zst");
    // Every line is a frame of the archive, so the cut hits the last line.
    let whole: Vec<u8> =
        posts(20).lines().flat_map(|line| zstd::encode_all(format!("{line}\n").as_bytes(), 1).unwrap()).collect();
    fs::write(&path, &whole[..whole.len() - 10]).unwrap();
    let log = Arc::new(MemoryLog::new());
    let outcome = replay_with(file(&path), ReplaySettings::new(observed_at()), &log, &Arc::default()).await;
    let error = outcome.unwrap().failures.remove(0);
    assert!(matches!(&error, ReplayError::Read { line: 19, .. }), "{error}");
    assert!(error.to_string().contains("cut.jsonl.zst"), "{error}");
    assert_eq!(log.keys().len(), 19);
}

#[tokio::test]
async fn an_input_that_does_not_exist_is_named() {
    let outcome = replay_with(
        file(Path::new("no/such.jsonl")),
        ReplaySettings::new(observed_at()),
        &Arc::new(MemoryLog::new()),
        &Arc::default(),
    )
    .await;
    let error = outcome.unwrap().failures.remove(0);
    assert!(matches!(error, ReplayError::Open { .. }));
    assert!(error.to_string().contains("no/such.jsonl"), "{error}");
}

/// Returns its bytes, then waits for ever.
struct Endless(Cursor<Vec<u8>>, std::sync::mpsc::Receiver<()>);

impl io::Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => {
                let _ = self.1.recv();
                Ok(0)
            }
            count => Ok(count),
        }
    }
}

#[tokio::test]
async fn lines_of_a_pipe_are_appended_as_they_come_and_a_shutdown_ends_it() {
    let (_held, gate) = std::sync::mpsc::channel();
    let reader = Endless(Cursor::new(posts(3).into_bytes()), gate);
    let log = Arc::new(MemoryLog::new());
    let shutdown = CancellationToken::new();
    let run = tokio::spawn(replay::run(
        vec![Input::Stream { name: "-".to_owned(), reader: Box::new(reader) }],
        ReplaySettings::new(observed_at()),
        log.clone(),
        Arc::new(MemoryBookmarks::default()),
        Arc::new(Progress::default()),
        shutdown.clone(),
    ));
    log.wait_for(3).await;
    shutdown.cancel();
    let summary = run.await.unwrap().unwrap();
    assert_eq!((summary.tally.accepted, summary.complete), (3, false));
}

#[tokio::test]
async fn a_pace_holds_events_back_by_when_they_were_observed() {
    let frame = |second: u32, id: &str| json!({"server": "a.example", "observed_at": format!("2026-02-03T10:00:{second:02}.000Z"), "event": "delete", "payload": id});
    let input = lines(&[frame(0, "1"), frame(0, "2"), frame(20, "3"), frame(10, "4"), frame(50, "5")]);
    let log = Arc::new(MemoryLog::new());
    let settings = ReplaySettings { pace: Pace::Times(100.0), ..ReplaySettings::new(observed_at()) };
    let start = Instant::now();
    replay_with(stream(input), settings, &log, &Arc::default()).await.unwrap();
    let keys: Vec<String> = (1..=5).map(|id| format!("a.example/{id}")).collect();
    assert_eq!(log.keys(), keys);
    for (key, (at, due_ms)) in keys.iter().zip(log.times().into_iter().zip([0, 0, 200, 200, 500])) {
        assert!(at - start >= Duration::from_millis(due_ms), "{key} is before {due_ms} ms");
    }
}

#[tokio::test]
async fn progress_reaches_the_length_of_the_inputs_also_when_resumed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("posts.jsonl");
    fs::write(&path, posts(500)).unwrap();
    let bookmarks = Arc::new(MemoryBookmarks::default());
    for appended in [500, 0] {
        let progress = Arc::new(Progress::default());
        let settings = ReplaySettings::new(observed_at());
        let log = Arc::new(MemoryLog::new());
        replay::run(file(&path), settings, log, bookmarks.clone(), progress.clone(), CancellationToken::new())
            .await
            .unwrap();
        assert_eq!(progress.bytes_read(), progress.bytes_total());
        assert_eq!(progress.bytes_total(), fs::metadata(&path).unwrap().len());
        assert_eq!(progress.events_appended(), appended);
    }
    assert_eq!(bookmarks.all().len(), 1);
}

/// The layouts in which people save posts.
fn layouts(statuses: &[Value]) -> Vec<(&'static str, String)> {
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let joined = |separator: &str| statuses.iter().map(Value::to_string).collect::<Vec<_>>().join(separator);
    vec![
        ("lines", joined("\n")),
        ("lines with a byte order mark and CRLF", format!("\u{feff}{}\r\n\r\n", joined("\r\n"))),
        ("a saved page", json!(statuses).to_string()),
        ("an indented page", pretty(&json!(statuses))),
        ("indented objects, one after the other", statuses.iter().map(pretty).collect::<Vec<_>>().join("\n")),
        ("an array with a status a line", format!("[\n{}\n]\n", joined(",\n"))),
        ("a comma after each", joined(",\n") + ","),
        ("glued", joined("")),
        ("pages", statuses.chunks(30).map(|page| json!(page).to_string() + "\n").collect()),
        ("pages of pages", json!([statuses[..20], statuses[20..]]).to_string()),
        ("a search answer", json!({"accounts": [], "statuses": statuses, "hashtags": []}).to_string()),
        ("an indented search answer", pretty(&json!({"accounts": [], "statuses": statuses, "hashtags": []}))),
        ("a context", json!({"ancestors": statuses[..3], "descendants": statuses[3..]}).to_string()),
        ("notifications", {
            let wrapped = |status: &Value| json!({"id": "1", "type": "mention", "status": status}).to_string() + "\n";
            statuses.iter().map(wrapped).collect()
        }),
        ("an answer in an answer", json!({"response": {"code": 200, "body": statuses}}).to_string()),
        ("a database's export", {
            let hits: Vec<Value> = statuses.iter().map(|status| json!({"_index": "x", "_source": status})).collect();
            json!({"hits": {"total": 1, "hits": hits}}).to_string()
        }),
        ("messages of a WebSocket", {
            let message =
                |status: &Value| json!({"stream": ["public"], "event": "update", "payload": status.to_string()});
            statuses.iter().map(|status| message(status).to_string() + "\n").collect()
        }),
        ("a number that is none", {
            let scored = |status: &Value| status.to_string().replacen('{', "{\"score\":NaN,\"rank\":-Infinity,", 1);
            statuses.iter().map(scored).collect::<Vec<_>>().join("\n")
        }),
        ("lines, then a wrapped one", {
            let (last, most) = statuses.split_last().unwrap();
            lines(most) + &json!({"data": [last]}).to_string() + "\n"
        }),
        ("lines, then two on one", {
            let (most, last) = statuses.split_at(statuses.len() - 2);
            format!("{}{}{}\n", lines(most), last[0], last[1])
        }),
    ]
}

#[tokio::test]
async fn a_post_is_the_same_in_every_layout_and_going_on_after_a_stop_loses_and_doubles_none() {
    let statuses: Vec<Value> = (0..100).map(|i| status("a.example", &i.to_string())).collect();
    let keys: Vec<String> = (0..100).map(|i| format!("a.example/{i}")).collect();
    let dir = tempfile::tempdir().unwrap();
    for (layout, text) in layouts(&statuses) {
        let (log, summary) = replay(stream(text.clone())).await;
        assert_eq!((log.keys(), summary.rejected_total()), (keys.clone(), 0), "{layout}: {:?}", summary.bad);

        let path = dir.path().join(layout);
        fs::write(&path, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
        let bookmarks = Arc::new(MemoryBookmarks::default());
        let settings = ReplaySettings {
            append_records_max: 7,
            bookmark_interval: Duration::ZERO,
            ..ReplaySettings::new(observed_at())
        };
        let mut seen = Vec::new();
        for _ in 0..100 {
            let log = Arc::new(MemoryLog::full_after(120));
            let outcome = replay_with(file(&path), settings.clone(), &log, &bookmarks).await;
            seen.extend(log.keys());
            if outcome.is_ok() {
                break;
            }
        }
        assert_eq!(seen, keys, "{layout}");
        let again = replay_with(file(&path), settings, &Arc::new(MemoryLog::new()), &bookmarks).await.unwrap();
        assert_eq!((again.tally.accepted, again.rejected_total()), (0, 0), "{layout}");
    }
}

#[tokio::test]
async fn a_second_run_says_of_a_file_what_the_first_said() {
    let good: Vec<Value> = (0..3).map(|i| status("a.example", &i.to_string())).collect();
    let dir = tempfile::tempdir().unwrap();
    for (name, text, rejected) in [
        ("lines", lines(&good).replacen("\n", "\n{oops\n", 2), 2),
        ("page", format!("[{},{{\"id\" 1}},{},7]", good[0], good[1]), 2),
        ("cut page", json!(good).to_string().trim_end_matches("}]").to_owned(), 1),
        ("no status", lines(&[json!({"id": "1"}), good[0].clone()]), 1),
        (
            "activity",
            lines(&[json!({"@context": "x", "type": "Note", "id": "https://a.example/1"}), good[0].clone()]),
            1,
        ),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        let bookmarks = Arc::new(MemoryBookmarks::default());
        for run in 0..3 {
            let log = Arc::new(MemoryLog::new());
            let summary = replay_with(file(&path), ReplaySettings::new(observed_at()), &log, &bookmarks).await.unwrap();
            assert_eq!(summary.rejected_total(), rejected, "{name}, run {run}: {:?}", summary.bad);
            assert_eq!(summary.tally.accepted > 0, run == 0, "{name}, run {run}");
        }
    }
}

#[tokio::test]
async fn an_input_that_fails_does_not_hide_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let input = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        Input::File(path)
    };
    let line = |id: &str| lines(&[status("a.example", id)]).into_bytes();
    let cut = zstd::encode_all(&posts(20).into_bytes()[..], 1).unwrap();
    let inputs = vec![
        input("a.jsonl", &line("1")),
        input("b.jsonl", b"PAR1"),
        Input::File(dir.path().join("c.jsonl")),
        input("d.jsonl", &cut[..cut.len() / 2]),
        input("e.jsonl", b""),
        input("f.jsonl", b"id,text\n1,hello\n"),
        input("g.jsonl", &line("2")),
    ];
    let log = Arc::new(MemoryLog::new());
    let summary = replay_with(inputs, ReplaySettings::new(observed_at()), &log, &Arc::default()).await.unwrap();
    let keys = log.keys();
    assert_eq!((keys[0].as_str(), keys[keys.len() - 1].as_str()), ("a.example/1", "a.example/2"));
    let said: Vec<String> = summary.failures.iter().map(ToString::to_string).collect();
    for (said, (name, part)) in said.iter().zip([
        ("b.jsonl", "a Parquet file"),
        ("c.jsonl", "open"),
        ("d.jsonl", "read"),
        ("f.jsonl", "text that is no JSON"),
    ]) {
        assert!(said.contains(name) && said.contains(part), "{said}");
    }
    assert_eq!(said.len(), 4);
    assert!(summary.complete);
}

#[tokio::test]
async fn a_field_that_cannot_be_used_is_named_by_its_line_and_said_by_a_second_run_too() {
    let post = |id: &str, at: &str, value: Value| with(status("a.example", id), at, value);
    let delete =
        json!({"server": "a.example", "observed_at": "yesterday", "event": "delete", "payload": "1"}).to_string();
    let odd = [
        (post("1", "/created_at", json!("yesterday")).to_string(), "created_at_unreadable"),
        (post("2", "/edited_at", json!(true)).to_string(), "edited_at_unreadable"),
        (post("3", "/account/created_at", json!("soon")).to_string(), "author_created_at_unreadable"),
        (post("4", "/favourites_count", json!("many")).to_string(), "field_unreadable"),
        (post("5", "/language", json!(7)).to_string(), "field_unreadable"),
        (post("6", "/language", json!("x".repeat(100))).to_string(), "language_dropped"),
        (post("7", "/content", json!("x".repeat(300_000))).to_string(), "text_cut"),
        (delete, "observed_at_unreadable"),
    ];
    let good = status("a.example", "9").to_string();
    // Not given is not unreadable, and what may not be kept is not asked.
    let timeless = post("10", "/created_at", json!(null)).to_string();
    let unlisted = with(post("11", "/created_at", json!("yesterday")), "/visibility", json!("unlisted")).to_string();
    let mut lines = vec![good.clone(), timeless, unlisted];
    lines.extend(odd.iter().flat_map(|(line, _)| [line.clone(), good.clone()]));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("odd.jsonl");
    for text in [lines.join("\n"), format!("[\n{}\n]", lines.join(",\n"))] {
        fs::write(&path, &text).unwrap();
        let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
        let replayed = async || replay_with(file(&path), ReplaySettings::new(observed_at()), &log, &bookmarks).await;
        let summary = replayed().await.unwrap();
        assert_eq!(log.keys().len(), lines.len() - 1);
        assert_eq!((summary.rejected_total(), summary.lost_total()), (0, odd.len() as u64), "{:?}", summary.tally);
        assert_eq!(summary.tally.flaws.get("created_at_missing"), Some(&1));
        let first = if text.starts_with('[') { 5 } else { 4 };
        let expected: Vec<(u64, &str)> = (0..).map(|n| first + 2 * n).zip(odd.iter().map(|(_, why)| *why)).collect();
        assert_eq!(summary.bad.iter().map(|bad| (bad.line, bad.why)).collect::<Vec<_>>(), expected);
        let again = replayed().await.unwrap();
        assert_eq!((again.tally.accepted, again.lost_total()), (0, odd.len() as u64));
    }
}

#[tokio::test]
async fn nothing_was_seen_later_than_now() {
    let frame = |event: &str, observed_at: Value, edited_at: Value| {
        let post = with(status("a.example", "1"), "/edited_at", edited_at);
        json!({"server": "a.example", "observed_at": observed_at, "event": event, "payload": post})
    };
    let soon = (Utc::now() + Duration::from_secs(5)).to_rfc3339();
    let ahead = (Utc::now() + Duration::from_secs(600)).to_rfc3339();
    let past = "2025-05-02T00:00:00Z";
    let real: DateTime<Utc> = past.parse().unwrap();
    let now = observed_at();
    for (line, observed, edited, flaws) in [
        (frame("update", json!(past), json!(past)), real, Some(real), &[][..]),
        (
            frame("update", json!("2999-01-01T00:00:00Z"), json!("2998-01-01T00:00:00Z")),
            now,
            None,
            &["edited_at_unreadable", "observed_at_ahead"],
        ),
        (
            frame("status.update", json!("2999-01-01T00:00:00Z"), json!("2998-01-01T00:00:00Z")),
            now,
            Some(now),
            &["edited_at_unreadable", "observed_at_ahead"],
        ),
        (frame("update", json!(ahead), json!(past)), now, Some(real), &["observed_at_ahead"]),
        (frame("update", json!(soon), json!(past)), soon.parse().unwrap(), Some(real), &[]),
        (
            frame("update", json!("yesterday"), json!("2998-01-01T00:00:00Z")),
            now,
            None,
            &["edited_at_unreadable", "observed_at_unreadable"],
        ),
        (frame("update", json!(null), json!("2998-01-01T00:00:00Z")), now, None, &["edited_at_unreadable"]),
        (
            with(status("a.example", "1"), "/edited_at", json!("2998-01-01T00:00:00Z")),
            now,
            None,
            &["edited_at_unreadable"],
        ),
        (
            json!({"server": "a.example", "observed_at": "2999-01-01T00:00:00Z", "event": "delete", "payload": "1"}),
            now,
            None,
            &["observed_at_ahead"],
        ),
    ] {
        let (log, summary) = replay(stream(line.to_string())).await;
        let kind = match line["event"].as_str() {
            Some("status.update") => FrameKind::StatusUpdate,
            Some("delete") => FrameKind::Delete,
            _ => FrameKind::Update,
        };
        let payload = match line.get("payload") {
            Some(Value::String(id)) => id.clone(),
            Some(post) => with(post.clone(), "/edited_at", json!(edited.map(|edited| edited.to_rfc3339()))).to_string(),
            None => with(line.clone(), "/edited_at", json!(edited.map(|edited| edited.to_rfc3339()))).to_string(),
        };
        let event = expected(kind, &payload, "a.example", observed);
        let records: Vec<Bytes> = log.records().into_iter().map(|(_, value)| value).collect();
        assert_eq!(records, avro::encode(&[event]), "{line}");
        let counted: Vec<&str> = summary.tally.flaws.keys().copied().collect();
        assert_eq!(counted, flaws, "{line}");
    }
}

#[tokio::test]
async fn a_broken_character_costs_only_itself_wherever_the_post_stands() {
    let post = |text: &[u8]| {
        let (before, after) = {
            let post = with(status("a.example", "1"), "/content", json!("HERE")).to_string();
            let (before, after) = post.split_once("HERE").unwrap();
            (before.to_owned(), after.to_owned())
        };
        [before.as_bytes(), text, after.as_bytes()].concat()
    };
    let frame = |payload: &[u8], more: &str| {
        let head = format!("{{\"server\":\"a.example\"{more},\"event\":\"update\",\"payload\":");
        [head.as_bytes(), payload, b"}"].concat()
    };
    for (text, expected_text, flaw) in [
        (&b"Gr\xfc\xdfe"[..], "Gr\u{fffd}\u{fffd}e", "bytes_replaced"),
        (b"overlong \xc0\xaf.", "overlong \u{fffd}\u{fffd}.", "bytes_replaced"),
        (b"cut \xe2\x82", "cut \u{fffd}", "bytes_replaced"),
        (b"surrogate \xed\xa0\xbd.", "surrogate \u{fffd}\u{fffd}\u{fffd}.", "bytes_replaced"),
        (b"a\tb", "a\tb", "escapes_mended"),
        (b"a\x01b", "a\u{1}b", "escapes_mended"),
        (b"a\\'b", "a'b", "escapes_mended"),
    ] {
        let payload = with(status("a.example", "1"), "/content", json!(expected_text)).to_string();
        let at = "2026-02-03T10:00:05.250Z";
        let post = post(text);
        for (line, observed_at) in [
            (post.clone(), observed_at()),
            ([b"[", post.as_slice(), b"]"].concat(), observed_at()),
            ([b"{\"toot\":", post.as_slice(), b"}"].concat(), observed_at()),
            (frame(&post, ""), observed_at()),
            (frame(&post, &format!(",\"observed_at\":\"{at}\"")), at.parse().unwrap()),
        ] {
            let (log, summary) = replay(stream([b"\n", line.as_slice()].concat())).await;
            let event = expected(FrameKind::Update, &payload, "a.example", observed_at);
            let records: Vec<Bytes> = log.records().into_iter().map(|(_, value)| value).collect();
            let given = String::from_utf8_lossy(&line);
            assert_eq!(records, avro::encode(&[event]), "{given} {summary:?}");
            assert_eq!(summary.tally.flaws.get(flaw), Some(&1), "{given}");
            let lost: Vec<(u64, &str)> = summary.bad.iter().map(|bad| (bad.line, bad.why)).collect();
            let is_lost = flaw == "bytes_replaced";
            assert_eq!(lost, if is_lost { vec![(2, flaw)] } else { vec![] }, "{given}");
        }
    }
}
