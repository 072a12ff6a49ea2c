//! Settings for reading servers.

use std::time::Duration;

use crate::http::HttpSettings;

/// Settings that all servers have in common. The defaults suit real servers; tests shorten the times.
#[derive(Clone, Debug)]
pub struct CollectorSettings {
    /// The HTTP client's settings.
    pub http: HttpSettings,
    /// The most events of one append.
    pub gather_events_max: usize,
    /// How long an event waits for others.
    pub gather_time_max: Duration,
    /// How often bookmarks are saved.
    pub bookmark_interval: Duration,
    /// How often the histories of timelines are saved.
    pub history_interval: Duration,
    /// How far before its place a gap fill begins, because posts do not become visible in the order of their ids. A
    /// post that takes longer to become visible is missed unless a stream brings it.
    pub overlap: Duration,
    /// How far before their place polls and second looks begin.
    pub overlap_short: Duration,
    /// How far before a gap its timeline is walked once more, and how long after the gap was filled: for posts that take minutes to
    /// become visible. What is polled is walked again as often.
    pub overlap_long: Duration,
    /// When a filled gap is read once more.
    pub second_look_after: Duration,
    /// The least time between two polls.
    pub poll_interval_min: Duration,
    /// The most time between two polls.
    pub poll_interval_max: Duration,
    /// The least silence after which a live stream is compared with the timeline.
    pub silence_min: Duration,
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
    /// How long the stream may take to open before the timeline is polled meanwhile.
    pub bridge_after: Duration,
    /// The most of a server's posts that are remembered, to drop those that come twice.
    pub seen_max: usize,
    /// How long a post is remembered.
    pub seen_for: Duration,
}

impl CollectorSettings {
    /// The defaults, with `contact` in the User-Agent.
    pub fn new(contact: impl Into<String>) -> CollectorSettings {
        CollectorSettings {
            http: HttpSettings::new(contact),
            gather_events_max: 1_000,
            gather_time_max: Duration::from_millis(50),
            bookmark_interval: Duration::from_secs(1),
            history_interval: Duration::from_secs(10),
            overlap: Duration::from_secs(20),
            overlap_short: Duration::from_secs(5),
            overlap_long: Duration::from_secs(300),
            second_look_after: Duration::from_secs(5),
            poll_interval_min: Duration::from_secs(2),
            poll_interval_max: Duration::from_secs(60),
            silence_min: Duration::from_secs(2),
            silence_max: Duration::from_secs(600),
            paged_requests_max: 280,
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_secs(300),
            backoff_refused: Duration::from_secs(900),
            live_retry_after: Duration::from_secs(3600),
            bridge_after: Duration::from_secs(2),
            seen_max: 20_000,
            seen_for: Duration::from_secs(900),
        }
    }
}
