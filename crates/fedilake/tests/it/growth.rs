//! Floods: what a collecting process holds in memory has a bound, whatever comes and however much of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::beside::metrics;
use crate::peaks::{MB, peak_bytes};
use crate::program::{Data, PATIENCE, wait_until, wait_within};
use crate::replay::status;
use crate::strangers::Stranger;

/// The most memory of `run` with the default settings (docs/operations.md).
const PROCESS_MB_MAX: u64 = 768;

/// How often a server gives its flood.
const TIMES: u32 = 6;

/// A stream's bytes, and how many events they have.
struct Flood {
    what: &'static str,
    stream: String,
    events: u64,
}

/// Streams of events that cost memory in different ways: by their number, by their size, by both.
fn floods() -> Vec<Flood> {
    let deletes: String =
        (0..1_500_000).map(|n| format!("event: delete\ndata: {}\n\n", 100_000_000_000_u64 + n)).collect();
    let update = |n: u64, text: &str| format!("event: update\ndata: {}\n\n", status(n, text));
    let small: String = (0..150_000).map(|n| update(n, &format!("{n} "))).collect();
    let words = "words of a long post ".repeat(20_000);
    let large: String = (0..400).map(|n| update(n, &format!("{n} {words}"))).collect();
    vec![
        Flood { what: "deletes", stream: deletes, events: 1_500_000 },
        Flood { what: "small posts", stream: small, events: 150_000 },
        Flood { what: "large posts", stream: large, events: 400 },
    ]
}

#[test]
fn a_flood_of_anything_leaves_a_run_within_its_bound() {
    for Flood { what, stream, events } in floods() {
        let given = AtomicU32::new(0);
        let stranger = Stranger::start(Arc::new(move |path| match path {
            "/api/v2/instance" => Some(("200 OK", "application/json", "{}".to_owned())),
            _ if path.starts_with("/api/v1/timelines") => Some(("200 OK", "application/json", "[]".to_owned())),
            // As soon as it has ended it is asked for again, on a slow machine more often than the lake can follow.
            _ if path.starts_with("/api/v1/streaming") && given.fetch_add(1, Ordering::Relaxed) >= TIMES => {
                Some(("200 OK", "text/event-stream", ":)\n".to_owned()))
            }
            _ => Some(("200 OK", "text/event-stream", stream.clone())),
        }));
        let data = Data::new();
        let server = format!("http://{}", stranger.address);
        let mut running = data.start(["run", "--listen", "127.0.0.1:0", "--server", &server]);
        let address = running.address();
        let accepted = || -> u64 {
            let figures = metrics(address);
            let line = figures.lines().find_map(|line| line.strip_prefix("fedilake_collect_accepted_total "));
            line.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        wait_until(what, || accepted() >= events);
        let behind = || {
            let figures = metrics(address);
            let line =
                figures.lines().find_map(|line| line.strip_prefix("fedilake_lake_behind_records{partition=\"0\"} "));
            line != Some("0")
        };
        wait_within(5 * PATIENCE, "the lake", || !behind());
        let peak = peak_bytes(running.pid()).unwrap() / MB;
        running.interrupt().done();
        println!("{what}: {peak} MB");
        assert!(peak < PROCESS_MB_MAX, "{what}: {peak} MB");
    }
}
