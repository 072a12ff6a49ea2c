//! The dashboard's questions, asked over HTTP as the page asks them: all panels of a tab for one state in one request.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use fedilake_query::answer::catalogue::{self, Tab};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};

use crate::answers::TALKS;
use crate::cost::Times;
use crate::freshness::{Program, latencies, watch};
use crate::sheet::{Sheet, count, met, ms, none};

const BRUSHES: usize = 60;
/// The hours that a brush takes of the talk's days. Brushes begin and end with an hour, as the page's do.
const HOURS: [usize; 6] = [1, 6, 20, 37, 60, 100];
/// 3 February 2023, and the hours of the talk's ten days.
pub const FIRST_HOUR: i64 = 19_391 * 24;
const ALL_HOURS: usize = 240;

const READERS: usize = 50;
/// The readers who brush once a second; the others watch.
const BRUSHING: usize = 5;

/// The panels of each tab after brushes, on a process that only answers about so many copies of the talk's days.
pub fn measure(runtime: &Runtime, data: &Path, copies: u32) -> anyhow::Result<Sheet> {
    let mut sheet = Sheet::new(&["panels", "a request", "median", "p95", "max", "again, p95", "budget of p95", "met"]);
    let mut program = Program::serve(data)?;
    let page = Page::of(data)?;
    let of_tab = |tab| {
        catalogue::reports()
            .iter()
            .filter(|report| report.header.tab == tab)
            .map(|report| report.name.as_str())
            .collect()
    };
    let budget = match copies {
        1 => Some(50),
        10 => Some(150),
        40 => Some(500),
        _ => None,
    };
    let tabs: [(&str, Vec<&str>, Option<u64>); 3] = [
        ("the talk's seven", TALKS.to_vec(), budget),
        ("people and servers", of_tab(Tab::People), None),
        ("conversation and content", of_tab(Tab::Conversation), None),
    ];
    for (name, panels, budget) in tabs {
        let times = |of: &dyn Fn(usize) -> String| -> anyhow::Result<Times> {
            let mut walls = Vec::new();
            for number in 0..BRUSHES {
                walls.push(runtime.block_on(page.ask(&panels, &of(number)))?);
            }
            Ok(Times::from(walls))
        };
        let brush = |number| brush(number, copies as usize);
        let (first, again) = (times(&brush)?, times(&brush)?);
        sheet.row([
            name.to_owned(),
            count(panels.len() as f64),
            ms(first.median()),
            ms(first.quantile(0.95)),
            ms(first.max()),
            ms(again.quantile(0.95)),
            budget.map_or_else(none, |budget| count(budget as f64)),
            budget.map_or_else(none, |budget| met(first.quantile(0.95) <= Duration::from_millis(budget))),
        ]);
    }
    program.stop()?;
    Ok(sheet)
}

/// The page in Chromium; `None` if there is no browser, or no Node to drive it.
pub fn painted(data: &Path) -> anyhow::Result<Option<Sheet>> {
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    let web = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web");
    if !Path::new(&chromium).exists() || !Path::new(web).join("node_modules").exists() {
        return Ok(None);
    }
    let mut program = Program::serve(data)?;
    let page = Page::of(data)?;
    let mut bench = Command::new("npm");
    bench.args(["run", "bench", "--silent", "--prefix", web]).env("BASE_URL", &page.origin).env("CHROMIUM", chromium);
    let bench = bench.output().context("run npm")?;
    ensure!(bench.status.success(), "the page's bench failed: {}", String::from_utf8_lossy(&bench.stderr));
    program.stop()?;
    let told: Value = serde_json::from_slice(&bench.stdout).context("read what the page's bench printed")?;
    let mut sheet = Sheet::new(&["page", "rounds", "median", "p95", "max", "budget of p95", "met"]);
    let rows = [("first page whole", "first_page_ms"), ("panels after a brush", "brush_ms"), ("another tab", "tab_ms")];
    for (name, key) in rows {
        let (figures, budget) = (&told[key], told["budgets"][key].as_f64().context("a budget")?);
        let figure = |of: &str| figures[of].as_f64().with_context(|| format!("no {of} of {key} in {told}"));
        let p95 = figure("p95")?;
        let of_ms = |ms: f64| format!("{ms:.1}");
        sheet.row([
            name.to_owned(),
            count(figure("count")?),
            of_ms(figure("p50")?),
            of_ms(p95),
            of_ms(figure("max")?),
            count(budget),
            met(p95 <= budget),
        ]);
    }
    Ok(Some(sheet))
}

/// Many readers of a process that collects: each asks its panels again when the lake changes, as a live page does.
pub fn readers(runtime: &Runtime, data: &Path, live: Duration) -> anyhow::Result<Sheet> {
    let (mut program, simulation) = Program::collect(runtime, data)?;
    let page = Arc::new(Page::of(data)?);
    let end = Instant::now() + live;
    let (seen, asked) = runtime.block_on(async {
        let readers: Vec<_> = (0..READERS).map(|number| tokio::spawn(read(Arc::clone(&page), number, end))).collect();
        let seen = watch(data, live).await;
        let mut asked = Asked::default();
        for reader in readers {
            asked.add(reader.await.context("a reader")?);
        }
        anyhow::Ok((seen?, asked))
    })?;
    program.stop()?;
    runtime.block_on(simulation.stop());
    let fresh = Times::from(latencies(data, &seen)?);
    let (p99, times) = (fresh.quantile(0.99), Times::from(asked.walls));
    let mut sheet =
        Sheet::new(&["readers", "requests", "failed", "p50", "p95", "freshness p50", "freshness p99", "budget", "met"]);
    sheet.row([
        format!("{READERS}, of whom {BRUSHING} brush"),
        count(asked.requests as f64),
        count(asked.failed as f64),
        ms(times.median()),
        ms(times.quantile(0.95)),
        ms(fresh.median()),
        ms(p99),
        "1,000".to_owned(),
        met(asked.failed == 0 && p99 <= Duration::from_secs(1)),
    ]);
    Ok(sheet)
}

/// The state of a brush of the time line over copies of the talk's days, as the page asks for it: its hours are as many times more.
fn brush(number: usize, copies: usize) -> String {
    let hours = HOURS[number % HOURS.len()] * copies;
    let from = FIRST_HOUR + (number * 37 * copies % (ALL_HOURS * copies - hours)) as i64;
    let time = |hour: i64| {
        chrono::DateTime::from_timestamp(hour * 3600, 0).expect("an hour of 2023").format("%Y-%m-%dT%H:%M:%SZ")
    };
    format!("&from={}&to={}", time(from), time(from + hours as i64))
}

#[derive(Default)]
struct Asked {
    requests: usize,
    failed: usize,
    walls: Vec<Duration>,
}

impl Asked {
    fn add(&mut self, other: Asked) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.walls.extend(other.walls);
    }
}

/// One reader, until `end`.
async fn read(page: Arc<Page>, number: usize, end: Instant) -> Asked {
    let mut asked = Asked::default();
    let Ok(mut live) = page.live().await else { return Asked { requests: 1, failed: 1, ..Asked::default() } };
    for round in 0.. {
        let state = if number < BRUSHING { brush(number + round * BRUSHING, 1) } else { String::new() };
        let began = Instant::now();
        asked.requests += 1;
        match page.ask(&TALKS, &state).await {
            Ok(wall) => asked.walls.push(wall),
            Err(_) => asked.failed += 1,
        }
        // As the page: a slow server is asked less often.
        sleep((began.elapsed() * 2).max(Duration::from_secs(1))).await;
        // The lake has changed meanwhile, or changes now.
        let left = end.saturating_duration_since(Instant::now());
        match tokio::time::timeout(left, live.chunk()).await {
            Ok(Ok(Some(_))) => {}
            Ok(_) => asked.failed += 1,
            Err(_) => break,
        }
        if Instant::now() >= end {
            break;
        }
    }
    asked
}

/// The address of a process's page.
pub struct Page {
    client: reqwest::Client,
    origin: String,
}

impl Page {
    /// The page of the owner of `data`.
    pub fn of(data: &Path) -> anyhow::Result<Page> {
        let contact: Value = serde_json::from_slice(&std::fs::read(data.join("lock")).context("read the lock")?)?;
        let address = contact["answers"]["at"]["address"].as_str().context("the lock has no address")?;
        Ok(Page { client: reqwest::Client::builder().no_proxy().build()?, origin: format!("http://{address}") })
    }

    /// The time from a question to the end of its answer.
    pub async fn ask(&self, panels: &[&str], state: &str) -> anyhow::Result<Duration> {
        let names: Vec<_> = panels.iter().map(|name| format!("name={name}")).collect();
        let began = Instant::now();
        let answer =
            self.client.get(format!("{}/api/v1/panels?{}{state}", self.origin, names.join("&"))).send().await?;
        let answer = answer.error_for_status()?.text().await?;
        let took = began.elapsed();
        ensure!(answer.lines().count() == panels.len() && !answer.contains("\"error\":"), "a panel failed: {answer}");
        Ok(took)
    }

    /// The time that these panels take, asked one after the other.
    pub async fn ask_each(&self, panels: &[&str], state: &str) -> anyhow::Result<Duration> {
        let mut took = Duration::ZERO;
        for panel in panels {
            took += self.ask(&[*panel], state).await?;
        }
        Ok(took)
    }

    /// The process's metrics, as Prometheus reads them.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        Ok(self.client.get(format!("{}/metrics", self.origin)).send().await?.error_for_status()?.text().await?)
    }

    async fn live(&self) -> anyhow::Result<reqwest::Response> {
        Ok(self.client.get(format!("{}/api/v1/live", self.origin)).send().await?.error_for_status()?)
    }
}
