//! Completeness: whatever faults servers have, and however often the collector is killed, what they show at the end is held, once and as
//! it is now, and nothing else.
//!
//! Each seed draws a script of faults for a few servers, and kills. A seed that fails is printed, and draws the same script again:
//! `FEDILAKE_CHAOS_SEEDS=17..18 cargo test --release -p fedilake-collect --test it chaos`.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::Utc;
use fedilake_collect::{CollectorSettings, HttpSettings, ServerConfig, Token};
use fedilake_model::avro::{Decoder, Encoded};
use fedilake_sim::serve::{Audit, Held, Holder, RateLimits, Script, Software};
use fedilake_sim::{Config, Simulation, serve};
use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::memory::{MemoryBookmarks, MemoryLog};
use crate::run::{Run, settings};
use crate::simulation::configs;

/// Scripts that run at once.
const AT_ONCE: usize = 50;
/// The seeds without others.
const SEEDS: std::ops::Range<u64> = 0..200;
const LENGTH: Duration = Duration::from_secs(20);
/// The time within which the last edit and delete must be known: that of a round through a polled server's posts, each asked for alone,
/// while as many scripts run.
const SETTLED_WITHIN: Duration = Duration::from_secs(240);

fn seeds() -> std::ops::Range<u64> {
    let Ok(text) = env::var("FEDILAKE_CHAOS_SEEDS") else { return SEEDS };
    let bounds = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    bounds.expect("FEDILAKE_CHAOS_SEEDS is FROM..TO")
}

/// The settings for real servers, thirty times as fast.
fn fast() -> CollectorSettings {
    let ms = Duration::from_millis;
    let settings = settings();
    CollectorSettings {
        // Heartbeats come every half second.
        http: HttpSettings { silence_timeout: ms(2_000), ..settings.http },
        // A slow machine may read nothing before its second kill.
        backfill: 10 * LENGTH,
        // A request for one post every few milliseconds.
        paged_requests_max: 400_000,
        overlap: ms(1_000),
        overlap_short: ms(300),
        overlap_long: ms(3_000),
        silence_min: ms(500),
        silence_short: ms(200),
        silence_max: ms(3_000),
        short_looks_apart: ms(500),
        looks_at_age: [ms(2_000), ms(30_000)],
        hearsay_after: ms(2_000),
        backoff_max: ms(2_000),
        backoff_refused: ms(2_000),
        live_retry_after: ms(3_000),
        history_interval: ms(200),
        seen_max: 100_000,
        ..settings
    }
}

/// The posts that a lake would show for these records: of each uri that is shown anywhere the newest version, that of its own server if that
/// showed it.
fn held(log: &MemoryLog) -> Vec<Held> {
    let records = log.records();
    let encoded: Vec<Encoded> = (0..)
        .zip(records)
        .map(|(offset, (_, value))| Encoded { partition: 0, offset, appended_at_ms: 0, value })
        .collect();
    let rows = Decoder::new().decode(&encoded).expect("our own records");
    let text = |column: &str| rows.column_by_name(column).expect("a column").as_string::<i32>().clone();
    let (kinds, servers, ids, uris) = (text("kind"), text("server"), text("id"), text("uri"));
    let edited = rows.column_by_name("edited_at").expect("a column").as_primitive::<TimestampMicrosecondType>().clone();
    let row_key = |row: usize| (servers.value(row).to_owned(), ids.value(row).to_owned());
    let deleted: BTreeSet<_> = (0..rows.num_rows()).filter(|row| kinds.value(*row) == "deleted").map(row_key).collect();
    // The own server's version counts before others', and its delete hides the post everywhere.
    let is_own = |row: usize| uris.value(row).starts_with(&format!("http://{}/", servers.value(row)));
    let mut newest = BTreeMap::<&str, (bool, Option<i64>)>::new();
    let mut gone = BTreeSet::new();
    for row in (0..rows.num_rows()).filter(|row| kinds.value(*row) != "deleted") {
        if deleted.contains(&row_key(row)) {
            if is_own(row) {
                gone.insert(uris.value(row));
            }
            continue;
        }
        let edited_at_ms = edited.is_valid(row).then(|| edited.value(row) / 1_000);
        let version = newest.entry(uris.value(row)).or_default();
        *version = (is_own(row), edited_at_ms).max(*version);
    }
    let shown = newest.into_iter().filter(|(uri, _)| !gone.contains(uri));
    shown.map(|(uri, (_, edited_at_ms))| Held { uri: uri.to_owned(), edited_at_ms }).collect()
}

/// What a seed draws beside the faults of its script.
struct Scene {
    seed: u64,
    /// The software of the servers. One in two seeds has Mastodon's alone.
    software: Vec<Software>,
    /// Streams want a token, and the collector has one of each server.
    has_tokens: bool,
    /// Some posts come very late at other servers.
    has_tail: bool,
    /// When the collector is killed, and for how long there is none then.
    kills: Vec<(Duration, Duration)>,
}

impl Scene {
    fn draw(seed: u64) -> Scene {
        let draw = |what: &str, below: u64| {
            let mut hasher = DefaultHasher::new();
            (seed, what).hash(&mut hasher);
            hasher.finish() % below
        };
        let others = ["second", "third"].map(|what| Software::ALL[draw(what, Software::ALL.len() as u64) as usize]);
        let software = if draw("mixed", 2) == 1 { vec![Software::Mastodon, others[0], others[1]] } else { Vec::new() };
        let length = LENGTH.as_millis() as u64;
        let kill = |n: u64| {
            let at = n * length / 3 + draw(&format!("kill {n}"), length / 4);
            (Duration::from_millis(at), Duration::from_millis(draw(&format!("absence {n}"), 3_000)))
        };
        // Three in five seeds have none.
        let kills = (1..=draw("kills", 5).saturating_sub(2)).map(kill).collect();
        Scene { seed, software, has_tokens: draw("tokens", 2) == 1, has_tail: draw("tail", 4) == 1, kills }
    }

    async fn simulate(&self) -> Simulation {
        let unlimited = 1_000_000;
        let config = Config {
            servers: 3,
            rate: 20.0,
            seed: self.seed,
            edits: 0.1,
            deletes: 0.1,
            backdated: 0.0,
            delay: Duration::from_millis(30),
            late: 0.05,
            late_max: Duration::from_secs(3),
            // As fast as the collector.
            tail: if self.has_tail { 1.0 / 30.0 } else { 0.0 },
            heartbeat: Duration::from_millis(500),
            // A 429 asks for a wait until the window's end.
            limits: RateLimits {
                requests: unlimited,
                requests_window_seconds: 2,
                paged: unlimited,
                paged_window_seconds: 5,
            },
            posts_max: Some(20 * LENGTH.as_secs()),
            software: self.software.clone(),
            stream_needs_token: self.has_tokens,
            script: Script::draw(self.seed, 3, LENGTH),
            ..Config::default()
        };
        serve(config, CancellationToken::new()).await.unwrap()
    }

    fn servers(&self, simulation: &Simulation) -> Vec<ServerConfig> {
        let with_token = |(server, config): (usize, ServerConfig)| {
            let software = self.software.get(server).copied().unwrap_or_default();
            let needs_token = self.has_tokens || software == Software::GoToSocial;
            let token = || Token::new(&simulation.token(server, Holder::User, "read").unwrap()).unwrap();
            ServerConfig { token: needs_token.then(token), ..config }
        };
        configs(simulation).into_iter().enumerate().map(with_token).collect()
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scene { seed, software, has_tokens, has_tail, kills } = self;
        let software: Vec<&str> = software.iter().map(|software| software.as_str()).collect();
        writeln!(f, "software {software:?}, tokens {has_tokens}, tail {has_tail}, kills {kills:?}")?;
        Script::draw(*seed, 3, LENGTH).fmt(f)
    }
}

/// What is known of a post: where it was shown and when (since the script began), and which records tell of it.
fn story(uri: &str, began_ms: i64, simulation: &Simulation, log: &MemoryLog) -> String {
    let keys = log.keys();
    let mut story = String::new();
    for post in simulation.truth().into_iter().filter(|post| post.uri == uri) {
        let key = format!("{}/{}", post.server, post.id);
        let records = keys.iter().filter(|other| **other == key).count();
        let since = |at_ms: i64| (at_ms - began_ms) as f64 / 1_000.0;
        story += &format!(
            "{uri} {key}: shown at {} s, edits {}, the last at {:?} s, deleted at {:?} s, {records} records\n",
            since(post.shown_at_ms),
            post.edits,
            post.edited_at_ms.map(since),
            post.deleted_at_ms.map(since)
        );
    }
    story
}

/// What differs from the simulation's own account when all is said and done.
async fn audit(seed: u64) -> Result<(), (u64, Audit, String)> {
    let scene = Scene::draw(seed);
    let simulation = scene.simulate().await;
    let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
    let servers = scene.servers(&simulation);
    // Some software's robots.txt lets nobody else in.
    let own_servers = servers.iter().map(|config| config.address.server.clone()).collect();
    let settings = CollectorSettings { own_servers, ..fast() };
    let start = || Run::start_with(servers.clone(), settings.clone(), log.clone(), bookmarks.clone());
    let (began, began_ms, mut run) = (Instant::now(), Utc::now().timestamp_millis(), start());
    for (at, absence) in &scene.kills {
        sleep_until(began + *at).await;
        run.kill().await;
        sleep(*absence).await;
        run = start();
    }
    while !simulation.is_quiet() {
        sleep(Duration::from_millis(100)).await;
    }
    let due = Instant::now() + SETTLED_WITHIN;
    loop {
        let audit = simulation.audit(held(&log));
        if audit.is_clean() || Instant::now() > due {
            run.stop().await.unwrap();
            let odd = [&audit.missing, &audit.stale, &audit.undeleted].into_iter().flatten();
            let stories = odd.map(|uri| story(uri, began_ms, &simulation, &log)).collect();
            return if audit.is_clean() { Ok(()) } else { Err((seed, audit, stories)) };
        }
        sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_of_every_seed_leaves_nothing_missing_doubled_or_stale() {
    let audits = stream::iter(seeds()).map(audit).buffer_unordered(AT_ONCE);
    let failed: Vec<(u64, Audit, String)> = audits.filter_map(async |audit| audit.err()).collect().await;
    for (seed, audit, stories) in &failed {
        println!("seed {seed}: {audit}\n{stories}{}", Scene::draw(*seed));
    }
    assert!(
        failed.is_empty(),
        "{} of {} seeds: {:?}",
        failed.len(),
        seeds().count(),
        failed.iter().map(|(seed, ..)| seed).collect::<Vec<_>>()
    );
}
