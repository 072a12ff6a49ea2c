//! Many servers at their usual pace, and all of them dropping at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fedilake_collect::CollectorSettings;

use crate::lags::now_ms;
use crate::meter::{self, Meter};
use crate::run::Run;
use crate::sheet::{Sheet, count, figure, mb, met, ms, seconds};
use crate::world::{Size, World};

/// How many servers, and the times of each part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) servers: usize,
    /// Posts a second over all servers.
    pub(crate) rate: f64,
    /// Before it is measured, from when all servers stream.
    warm_up: Duration,
    pub(crate) steady: Duration,
    /// All connections are reset for so long.
    storm: Duration,
    /// Then it is measured for so long.
    after: Duration,
    /// Then nothing more is shown, and what is owed is read: until nothing came for so long.
    calm: Duration,
}

pub(crate) const WHOLE: Extent = Extent {
    servers: 10_000,
    rate: 1_000.0,
    warm_up: Duration::from_secs(240),
    steady: Duration::from_secs(60),
    storm: Duration::from_secs(5),
    after: Duration::from_secs(90),
    calm: Duration::from_secs(10),
};
pub(crate) const QUICK: Extent = Extent {
    servers: 300,
    rate: 100.0,
    warm_up: Duration::from_secs(1),
    steady: Duration::from_secs(3),
    storm: Duration::from_secs(1),
    after: Duration::from_secs(5),
    calm: Duration::from_secs(2),
};

/// The bars.
const MEMORY: u64 = 1_000_000_000;
const SETTLED: Duration = Duration::from_secs(60);
/// Mastodon's: requests in five minutes.
const REQUESTS: u64 = 300;
/// The longest wait for all servers to stream.
const PATIENCE: Duration = Duration::from_secs(180);
/// Ages at which posts are asked for again: both as early as the first usually is, so that a short run has as many of these requests as a long one.
const LOOKS: [Duration; 2] = [Duration::from_secs(180); 2];

/// The sheets of the steady time and of the storm.
pub(crate) fn measure(extent: &Extent) -> anyhow::Result<(Sheet, Sheet)> {
    let mut world = World::start(&Size { servers: extent.servers, rate: extent.rate, history: 0 })?;
    let bare = meter::memory();
    let settings = CollectorSettings { looks_at_age: LOOKS, ..CollectorSettings::new("https://example.org") };
    let opening = Meter::start();
    let mut run = Run::start(world.servers.clone(), settings)?;
    let opened = run.until_all_stream(extent.servers, PATIENCE)?;
    let opening = opening.cpu();
    std::thread::sleep(extent.warm_up);

    meter::forget_peak();
    let before = world.requests()?;
    let (meter, from_ms, accepted) = (Meter::start(), now_ms(), run.counts.tally().accepted);
    let memory_before = meter::memory();
    std::thread::sleep(extent.steady);
    let (cores, to_ms, peak, files) = (meter.cores(), now_ms(), meter::memory_peak(), meter::files());
    let events = run.counts.tally().accepted - accepted;
    let grown = meter::memory() as f64 - memory_before as f64;
    let requests = world.requests()?;

    meter::forget_peak();
    let failures_before = run.failures();
    let (storm_ms, storm, meter) = (now_ms(), Instant::now(), Meter::start());
    world.storm(extent.storm)?;
    std::thread::sleep(extent.storm);
    let streaming = run.until_all_stream(extent.servers, extent.after.saturating_sub(extent.storm))?;
    let streaming = streaming.map(|_| storm.elapsed());
    let storm_cpu = meter.cpu();
    std::thread::sleep(extent.after.saturating_sub(storm.elapsed()));
    let (storm_peak, after_ms) = (meter::memory_peak(), now_ms());
    let storm_requests = world.requests()?;
    let failures = since(&failures_before, run.failures());
    world.end_flow()?;
    run.until_calm(extent.calm, PATIENCE)?;
    let log = run.stop()?;
    let shown = world.shown()?;

    let lags = log.lags(&shown, from_ms, to_ms);
    let in_seconds = extent.steady.as_secs_f64();
    let mut steady = Sheet::new(&["", "measured", "budget", "met"]);
    steady.row(["all stream after, s", &opened.map_or("never".to_owned(), seconds), "", ""]);
    steady.row(["CPU until then, s", &seconds(opening), "", ""]);
    let rate = (lags.times.len() + lags.missing) as f64 / in_seconds;
    steady.row(["posts shown/s", &count(rate), &count(extent.rate), &met(rate > 0.9 * extent.rate)]);
    steady.row(["events collected/s", &count(events as f64 / in_seconds), "", ""]);
    steady.row(["cores", &figure(cores), "1.00", &met(cores <= 1.0)]);
    steady.row(["memory at most, MB", &mb(peak), &mb(MEMORY), &met(peak <= MEMORY)]);
    steady.row(["of it before the servers, MB", &mb(bare), "", ""]);
    steady.row(["memory grown meanwhile, MB a minute", &figure(grown / 1e6 / in_seconds * 60.0), "", ""]);
    steady.row(["posts that are missing", &count(lags.missing as f64), "0", &met(lags.missing == 0)]);
    steady.row(["from the showing to the synced log, p50, ms", &ms(lags.quantile(0.5)), "", ""]);
    steady.row(["the same, p99, ms", &ms(lags.quantile(0.99)), "", ""]);
    steady.row(["the same, at most, ms", &ms(lags.quantile(1.0)), "", ""]);
    steady.row(["requests/s", &figure((requests.0 - before.0) as f64 / in_seconds), "", ""]);
    steady.row(["open files", &count(files as f64), "", ""]);

    // Those that were shown while nobody could read them, and a little later.
    let away = log.lags(&shown, storm_ms, after_ms);
    let missed = log.lags(&shown, storm_ms, storm_ms + 2 * extent.storm.as_millis() as i64);
    let read = Duration::from_millis((missed.last_ms - storm_ms).max(0).unsigned_abs());
    let settled = streaming.map(|streaming| streaming.max(read));
    let limited = failures.get("rate_limited").copied().unwrap_or(0);
    let mut sheet = Sheet::new(&["", "measured", "budget", "met"]);
    sheet.row(["all stream again after, s", &streaming.map_or("never".to_owned(), seconds), "", ""]);
    sheet.row(["posts of the storm are all read after, s", &seconds(read), "", ""]);
    let is_settled = settled.is_some_and(|settled| settled <= SETTLED) && away.missing == 0;
    sheet.row(["settled after, s", &settled.map_or("never".to_owned(), seconds), &seconds(SETTLED), &met(is_settled)]);
    sheet.row(["posts that are missing", &count(away.missing as f64), "0", &met(away.missing == 0)]);
    sheet.row(["answers 429", &count(limited as f64), "0", &met(limited == 0)]);
    let most = storm_requests.1;
    sheet.row([
        "requests to the server with the most",
        &count(most as f64),
        &count(REQUESTS as f64),
        &met(most <= REQUESTS),
    ]);
    sheet.row(["requests to all", &count((storm_requests.0 - requests.0) as f64), "", ""]);
    sheet.row(["CPU until all stream, s", &seconds(storm_cpu), "", ""]);
    sheet.row(["memory at most, MB", &mb(storm_peak), &mb(MEMORY), &met(storm_peak <= MEMORY)]);
    for (kind, count_of) in &failures {
        sheet.row([&format!("failures: {kind}"), &count(*count_of as f64), "", ""]);
    }
    Ok((steady, sheet))
}

fn since(before: &BTreeMap<&'static str, u64>, mut now: BTreeMap<&'static str, u64>) -> BTreeMap<&'static str, u64> {
    for (kind, count) in &mut now {
        *count -= before.get(kind).copied().unwrap_or(0);
    }
    now.retain(|_, count| *count > 0);
    now
}
