//! Settings for reading servers.

use std::collections::HashSet;
use std::time::Duration;

use fedilake_model::Server;

use crate::admission::Admission;
use crate::server::http::HttpSettings;
use crate::server::via::Via;

/// Settings that all servers have in common. The defaults suit real servers; tests shorten the times.
#[derive(Clone, Debug)]
pub struct CollectorSettings {
    /// The HTTP client's settings.
    pub http: HttpSettings,
    /// The way in which servers are read.
    pub via: Via,
    /// What is kept of whose posts.
    pub admission: Admission,
    /// The most events of one append.
    pub gather_events_max: usize,
    /// How long an event waits for others.
    pub gather_time_max: Duration,
    /// How often bookmarks are saved.
    pub bookmark_interval: Duration,
    /// How often the histories of timelines are saved.
    pub history_interval: Duration,
    /// How far back a timeline is read at the first contact; zero for the newest page alone.
    pub backfill: Duration,
    /// How far before its place a gap fill begins, because posts do not become visible in the order of their ids. Once it is known how
    /// late a server's posts come, as far as all but one in a hundred need, up to `overlap_long`.
    pub overlap: Duration,
    /// How far before their place polls and second looks begin; later as far as all but one in twenty need, up to `overlap`.
    pub overlap_short: Duration,
    /// How far before a gap its timeline is walked once more, and how long after the gap was filled: for posts that take minutes to
    /// become visible. What is polled is walked again as often. Later as far as all but one in a thousand need, up to twelve times this.
    pub overlap_long: Duration,
    /// When a filled gap is read once more.
    pub second_look_after: Duration,
    /// The least time between two polls.
    pub poll_interval_min: Duration,
    /// The most time between two polls.
    pub poll_interval_max: Duration,
    /// The least silence after which a live stream is compared with the timeline.
    pub silence_min: Duration,
    /// The least silence of a busy stream that may have lost posts: shorter than `silence_min`, and looked into no more often than
    /// `short_looks_apart`, at first.
    pub silence_short: Duration,
    /// The least time between two looks into silences shorter than `silence_min`; doubled while they find nothing.
    pub short_looks_apart: Duration,
    /// The silence after which a live stream is always compared with the timeline.
    pub silence_max: Duration,
    /// The most requests of pages by id that a server gets in 15 minutes; somewhat below Mastodon's limit of 300.
    pub paged_requests_max: u32,
    /// The wait after a first failure; doubled from failure to failure.
    pub backoff_min: Duration,
    /// The longest of these waits.
    pub backoff_max: Duration,
    /// The longest wait after a server refused to be read.
    pub backoff_refused: Duration,
    /// The longest wait before a server that refused to stream is asked again.
    pub live_retry_after: Duration,
    /// How long a server's robots.txt counts before it is read again.
    pub robots_for: Duration,
    /// The operator's own servers: with a token, their robots.txt is not asked.
    pub own_servers: HashSet<Server>,
    /// How long the stream may take to open before the timeline is polled meanwhile.
    pub bridge_after: Duration,
    /// The most of a server's posts that are remembered, to drop those that come twice.
    pub seen_max: usize,
    /// How long a post is remembered.
    pub seen_for: Duration,
    /// The ages at which a server is asked whether it still has a post, the lower one first; below half an hour.
    pub looks_at_age: [Duration; 2],
    /// How much later than others a server may tell of an edit or a delete before it is asked.
    pub hearsay_after: Duration,
    /// How often a token's file is looked at.
    pub token_interval: Duration,
}

impl CollectorSettings {
    /// The default of `gather_events_max`.
    pub const GATHER_EVENTS_MAX: usize = 1_000;
    /// The default of `gather_time_max`.
    pub const GATHER_TIME_MAX: Duration = Duration::from_millis(50);
    /// The default of `backfill`.
    pub const BACKFILL: Duration = Duration::ZERO;

    /// The defaults, with `contact` in the User-Agent.
    pub fn new(contact: impl Into<String>) -> CollectorSettings {
        CollectorSettings {
            http: HttpSettings::new(contact),
            via: Via::default(),
            admission: Admission::default(),
            gather_events_max: Self::GATHER_EVENTS_MAX,
            gather_time_max: Self::GATHER_TIME_MAX,
            bookmark_interval: Duration::from_secs(1),
            history_interval: Duration::from_secs(10),
            backfill: Self::BACKFILL,
            overlap: Duration::from_secs(20),
            overlap_short: Duration::from_secs(5),
            overlap_long: Duration::from_secs(300),
            second_look_after: Duration::from_secs(5),
            poll_interval_min: Duration::from_secs(2),
            poll_interval_max: Duration::from_secs(60),
            silence_min: Duration::from_secs(2),
            silence_short: Duration::from_millis(500),
            short_looks_apart: Duration::from_secs(10),
            silence_max: Duration::from_secs(600),
            paged_requests_max: 280,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
            backoff_refused: Duration::from_secs(900),
            live_retry_after: Duration::from_secs(3600),
            robots_for: Duration::from_secs(3600),
            own_servers: HashSet::new(),
            bridge_after: Duration::from_secs(2),
            seen_max: 20_000,
            seen_for: Duration::from_secs(900),
            looks_at_age: [Duration::from_secs(180), Duration::from_secs(1_500)],
            hearsay_after: Duration::from_secs(60),
            token_interval: Duration::from_secs(5),
        }
    }
}
