//! One server that shows as many posts as the collector is to manage on one core.

use std::time::Duration;

use fedilake_collect::CollectorSettings;

use crate::lags::now_ms;
use crate::meter::{self, Meter};
use crate::run::Run;
use crate::sheet::{Sheet, count, figure, mb, met, ms};
use crate::world::{Size, World};

/// The posts a second, and the times before and while it is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    rate: f64,
    warm_up: Duration,
    live: Duration,
}

pub(crate) const WHOLE: Extent =
    Extent { rate: 20_000.0, warm_up: Duration::from_secs(5), live: Duration::from_secs(20) };
pub(crate) const QUICK: Extent =
    Extent { rate: 2_000.0, warm_up: Duration::from_secs(1), live: Duration::from_secs(3) };

pub(crate) fn measure(extent: Extent) -> anyhow::Result<Sheet> {
    let mut world = World::start(&Size { servers: 1, rate: extent.rate, history: 0 })?;
    let mut run = Run::start(world.servers.clone(), CollectorSettings::new("https://example.org"))?;
    run.until_all_stream(1, Duration::from_secs(30))?;
    std::thread::sleep(extent.warm_up);
    let (meter, from_ms, before) = (Meter::start(), now_ms(), run.counts.tally().accepted);
    std::thread::sleep(extent.live);
    let (cores, cpu, to_ms) = (meter.cores(), meter.cpu(), now_ms());
    let events = run.counts.tally().accepted - before;
    let peak = meter::memory_peak();
    world.end_flow()?;
    std::thread::sleep(Duration::from_secs(1));
    let failures: u64 = run.failures().values().sum();
    let log = run.stop()?;
    let lags = log.lags(&world.shown()?, from_ms, to_ms);

    let seconds = extent.live.as_secs_f64();
    let (shown, rate) = ((lags.times.len() + lags.missing) as f64 / seconds, events as f64 / seconds);
    let mut sheet = Sheet::new(&["", "measured", "budget", "met"]);
    sheet.row(["posts shown/s", &count(shown), &count(extent.rate), &met(shown >= 0.95 * extent.rate)]);
    sheet.row(["events collected/s", &count(rate), "", ""]);
    sheet.row([
        "events/s a core",
        &count(events as f64 / cpu.as_secs_f64()),
        &count(extent.rate),
        &met(rate / cores >= extent.rate),
    ]);
    sheet.row(["cores", &figure(cores), "1.00", &met(cores <= 1.0)]);
    sheet.row(["posts that are missing", &count(lags.missing as f64), "0", &met(lags.missing == 0)]);
    sheet.row(["from the showing to the synced log, p50, ms", &ms(lags.quantile(0.5)), "", ""]);
    sheet.row(["the same, p99, ms", &ms(lags.quantile(0.99)), "", ""]);
    sheet.row(["failures", &count(failures as f64), "", ""]);
    sheet.row(["memory, MB", &mb(peak), "", ""]);
    Ok(sheet)
}
