//! Servers of other software: ids without times, and posts dated in the future that stay on top.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, SecondsFormat, Utc};
use fedilake_collect::{CollectorSettings, ServerConfig, Timeline, address};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::memory::{MemoryBookmarks, MemoryLog};
use crate::run::{Run, settings, until};
use crate::status::{status, with};

/// The kind of a server's ids.
#[derive(Clone, Copy, Debug)]
enum Ids {
    Ulid,
    Flake,
    UuidV7,
    /// Random: only the timeline tells the order.
    UuidV4,
    Snowflake,
    /// 1, 2, 3: ordered, but without times.
    Serial,
}

const ALL: [Ids; 6] = [Ids::Ulid, Ids::Flake, Ids::UuidV7, Ids::UuidV4, Ids::Snowflake, Ids::Serial];

impl Ids {
    /// The id of the `n`th post, dated `at`.
    fn id(self, at: DateTime<Utc>, n: u64) -> String {
        let ms = u64::try_from(at.timestamp_millis()).unwrap();
        match self {
            Ids::Ulid => format!("{}{n:016}", digits(ms, 10, b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")),
            Ids::Flake => {
                format!("A{}{n:06}", digits(ms, 11, b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"))
            }
            Ids::UuidV7 => format!("{:08x}-{:04x}-7000-8000-{n:012x}", ms >> 16, ms & 0xffff),
            Ids::UuidV4 => {
                let random = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                format!("{:08x}-{:04x}-4000-8000-{n:012x}", random >> 32, random & 0xffff)
            }
            Ids::Snowflake => ((ms << 16) | n).to_string(),
            Ids::Serial => (1_000_000 + n).to_string(),
        }
    }
}

fn digits(mut number: u64, length: usize, alphabet: &[u8]) -> String {
    let base = alphabet.len() as u64;
    let mut text = vec![b'0'; length];
    for digit in text.iter_mut().rev() {
        *digit = alphabet[usize::try_from(number % base).unwrap()];
        number /= base;
    }
    String::from_utf8(text).unwrap()
}

/// The posts of a timeline and their dates.
type Posts = Arc<Mutex<Vec<(DateTime<Utc>, Value)>>>;

/// A server without streams that orders its timeline by the posts' dates.
struct Other {
    config: ServerConfig,
    ids: Ids,
    timeline: Posts,
    next: u64,
}

impl Other {
    async fn start(ids: Ids) -> Other {
        let timeline = Posts::default();
        let document = || async { axum::Json(json!({"configuration": {"urls": {"streaming": null}}})) };
        let router = Router::new()
            .route("/api/v2/instance", get(document))
            .route("/api/v1/timelines/public", get(page))
            .with_state(timeline.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = address::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Other { config: ServerConfig::new(address, Timeline::Public), ids, timeline, next: 0 }
    }

    /// Shows a post of this date. Returns its key in the log.
    fn show(&mut self, at: DateTime<Utc>) -> String {
        self.next += 1;
        let (id, host) = (self.ids.id(at, self.next), self.config.address.server.to_string());
        let date = json!(at.to_rfc3339_opts(SecondsFormat::Millis, true));
        self.timeline.lock().unwrap().push((at, with(status(&host, &id), "/created_at", date)));
        format!("{host}/{id}")
    }

    fn show_many(&mut self, count: u32, from: DateTime<Utc>, apart: Duration) -> Vec<String> {
        (0..count).map(|n| self.show(from + apart * n)).collect()
    }
}

#[derive(serde::Deserialize)]
struct PageQuery {
    limit: usize,
    min_id: Option<String>,
    max_id: Option<String>,
}

async fn page(State(timeline): State<Posts>, Query(query): Query<PageQuery>) -> Response {
    let mut posts = timeline.lock().unwrap().clone();
    posts.sort_by_key(|(at, _)| *at);
    let place_of = |id: &str| posts.iter().position(|(_, post)| post["id"] == id);
    let shown: Vec<&Value> = match (query.min_id, query.max_id) {
        (Some(id), _) => {
            let Some(place) = place_of(&id) else { return StatusCode::NOT_FOUND.into_response() };
            posts[place + 1..].iter().take(query.limit).rev().map(|(_, post)| post).collect()
        }
        (None, Some(id)) => {
            let Some(place) = place_of(&id) else { return StatusCode::NOT_FOUND.into_response() };
            posts[..place].iter().rev().take(query.limit).map(|(_, post)| post).collect()
        }
        (None, None) => posts.iter().rev().take(query.limit).map(|(_, post)| post).collect(),
    };
    axum::Json(shown).into_response()
}

async fn all_are_in(log: &MemoryLog, keys: &BTreeSet<String>, what: &str) {
    until(what, || keys.iter().all(|key| log.keys().contains(key)).then_some(())).await;
}

#[tokio::test]
async fn posts_dated_in_the_future_hide_no_later_post_however_many_stay_on_top() {
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
    for ids in ALL {
        for ahead in [0, 1, 5, 39, 40, 41, 100] {
            let what = format!("{ids:?}, {ahead} ahead");
            let mut other = Other::start(ids).await;
            let now = Utc::now();
            let mut keys: BTreeSet<String> = BTreeSet::new();
            keys.extend(other.show_many(20, now - second * 60, second));
            keys.extend(other.show_many(ahead, now + day, day));
            let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
            let run = Run::start_with(vec![other.config.clone()], settings(), log.clone(), bookmarks.clone());
            all_are_in(&log, &keys, &format!("{what}: a first look")).await;
            // More than a page between two polls, also behind posts that the server learns late.
            keys.extend(other.show_many(100, now, Duration::from_millis(5)));
            all_are_in(&log, &keys, &format!("{what}: a burst")).await;
            keys.extend(other.show_many(3, now + day * 400, day));
            keys.extend(other.show_many(100, now + second, Duration::from_millis(5)));
            all_are_in(&log, &keys, &format!("{what}: another burst")).await;
            run.stop().await.unwrap();
            // While the collector is stopped.
            keys.extend(other.show_many(230, now + second * 2, Duration::from_millis(5)));
            let run = Run::start_with(vec![other.config.clone()], settings(), log.clone(), bookmarks);
            all_are_in(&log, &keys, &format!("{what}: after a restart")).await;
            run.stop().await.unwrap();
            assert_eq!(log.keys().into_iter().collect::<BTreeSet<_>>(), keys, "{what}");
        }
    }
}

#[tokio::test]
async fn a_place_whose_post_is_gone_does_not_stop_the_reading() {
    for ids in ALL {
        let mut other = Other::start(ids).await;
        let now = Utc::now() - Duration::from_secs(3600);
        let ms = Duration::from_millis(100);
        let mut keys: BTreeSet<String> = other.show_many(40, now, ms).into_iter().collect();
        let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
        let run = Run::start_with(vec![other.config.clone()], settings(), log.clone(), bookmarks.clone());
        all_are_in(&log, &keys, "a first look").await;
        run.stop().await.unwrap();
        // All posts that the collector has seen are deleted.
        other.timeline.lock().unwrap().clear();
        keys.extend(other.show_many(100, now + Duration::from_secs(60), ms));
        let run = Run::start_with(vec![other.config.clone()], settings(), log.clone(), bookmarks);
        all_are_in(&log, &keys, &format!("{ids:?}: after a restart")).await;
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_quiet_server_is_asked_for_no_ids() {
    for ids in ALL {
        let mut other = Other::start(ids).await;
        let keys: BTreeSet<String> = other
            .show_many(60, Utc::now() - Duration::from_secs(7200), Duration::from_secs(60))
            .into_iter()
            .skip(20)
            .collect();
        let run = Run::start(vec![other.config.clone()]);
        all_are_in(&run.log, &keys, "the first page").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let server = run.counts.snapshot()[0].clone();
        assert_eq!((server.gaps_found, server.tally.accepted), (0, 40), "{ids:?}");
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_first_start_reads_as_far_back_as_it_is_told_and_a_later_one_goes_on() {
    let minute = Duration::from_secs(60);
    for ids in ALL {
        let mut other = Other::start(ids).await;
        let from = Utc::now() - minute * 600;
        let shown = other.show_many(600, from, minute);
        let expected: BTreeSet<String> = shown[600 - 358..].iter().cloned().collect();
        let settings = || CollectorSettings { backfill: minute * 360, ..settings() };
        let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
        let start = || Run::start_with(vec![other.config.clone()], settings(), log.clone(), bookmarks.clone());
        let run = start();
        all_are_in(&log, &expected, &format!("{ids:?}: the last six hours")).await;
        let keys = shown.clone();
        let is_late = |bookmark: &str| keys[560..].iter().any(|key| key.ends_with(&format!("/{bookmark}")));
        run.bookmark_where(is_late).await;
        run.stop().await.unwrap();
        let found = log.keys().into_iter().collect::<BTreeSet<_>>();
        // Downwards at most a page is read beyond.
        assert!(found.len() <= 360 + 40, "{ids:?}: {}", found.len());
        let run = start();
        run.server_where(|server| server.tally.duplicates > 0 || server.tally.accepted > 0).await;
        run.stop().await.unwrap();
        assert_eq!(log.keys().into_iter().collect::<BTreeSet<_>>(), found, "{ids:?}");
    }
}

#[tokio::test]
async fn a_timeline_that_is_younger_than_the_backfill_is_read_whole() {
    for ids in ALL {
        let mut other = Other::start(ids).await;
        let second = Duration::from_secs(1);
        let keys: BTreeSet<String> = other.show_many(130, Utc::now() - second * 200, second).into_iter().collect();
        let settings = CollectorSettings { backfill: second * 3_600, ..settings() };
        let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
        let run = Run::start_with(vec![other.config.clone()], settings, log.clone(), bookmarks);
        all_are_in(&log, &keys, &format!("{ids:?}")).await;
        run.stop().await.unwrap();
    }
}
