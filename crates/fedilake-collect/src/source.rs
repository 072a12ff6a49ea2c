//! One server as we read it: where, with what token, how fast, and what of it was just seen.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_model::{Frame, FrameKind, PostEvent};
use reqwest::Url;
use sonic_rs::JsonValueTrait;
use tokio::time::sleep;

use crate::address::ServerAddress;
use crate::arrival::Arrival;
use crate::cursor::Cursor;
use crate::error::SourceError;
use crate::http::{Answer, Http, Stream, Token};
use crate::instance::{self, Streaming};
use crate::limits::Limits;
use crate::seen::Seen;
use crate::settings::CollectorSettings;

/// Which of a server's timelines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timeline {
    /// All public posts that the server knows.
    #[default]
    Public,
    /// Those of its own members.
    Local,
}

impl Timeline {
    /// As it stands in bookmarks.
    pub fn as_str(self) -> &'static str {
        match self {
            Timeline::Public => "public",
            Timeline::Local => "local",
        }
    }
}

/// A server that is to be read.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where it is.
    pub address: ServerAddress,
    /// What of it.
    pub timeline: Timeline,
    /// With whose permission; most servers let nobody stream without.
    pub token: Option<Token>,
}

/// One server, across all its connections.
#[derive(Debug)]
pub struct Source {
    config: ServerConfig,
    http: Http,
    settings: Arc<CollectorSettings>,
    limits: Mutex<Limits>,
    seen: Mutex<Seen>,
}

/// A page of a timeline, lowest id first.
#[derive(Debug)]
pub struct Page {
    statuses: Vec<(Option<Cursor>, Frame)>,
    observed_at: DateTime<Utc>,
}

/// Posts a page, the most that Mastodon gives.
const PAGE_POSTS: &str = "40";
/// Fewer say nothing of how fast posts come.
const SPAN_POSTS_MIN: usize = 20;

impl Source {
    /// A server of which nothing is known yet.
    pub fn new(config: ServerConfig, http: Http, settings: Arc<CollectorSettings>) -> Source {
        let seen = Mutex::new(Seen::new(settings.seen_max));
        let limits = Mutex::new(Limits::new(settings.paged_requests_max));
        Source { config, http, settings, limits, seen }
    }

    /// What is read.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// How it is read.
    pub fn settings(&self) -> &CollectorSettings {
        &self.settings
    }

    /// The newest page, or with `above` the page just above a place. Waits first where the server's limits say so.
    pub async fn page(&self, above: Option<&Cursor>) -> Result<Page, SourceError> {
        let mut url = self.url("/api/v1/timelines/public");
        url.query_pairs_mut().append_pair("limit", PAGE_POSTS);
        if self.config.timeline == Timeline::Local {
            url.query_pairs_mut().append_pair("local", "true");
        }
        if let Some(above) = above {
            url.query_pairs_mut().append_pair("min_id", above.as_str());
        }
        let answer = self.get(url, above.is_some()).await?;
        Page::parse(&answer.body, Utc::now())
            .map_err(|why| SourceError::Malformed { path: "the timeline".to_owned(), why })
    }

    /// Opens the live stream, at the address that the server's instance document names.
    pub async fn stream(&self) -> Result<Stream, SourceError> {
        let base = match self.streaming().await? {
            Streaming::Here => self.config.address.base.clone(),
            Streaming::At(base) => base,
            Streaming::Nowhere => return Err(SourceError::NoStreaming),
        };
        let mut url = base;
        let path = match self.config.timeline {
            Timeline::Public => "/api/v1/streaming/public",
            Timeline::Local => "/api/v1/streaming/public/local",
        };
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        self.http.stream(url, self.config.token.as_ref()).await
    }

    /// What a frame of the stream, or a status of a page, means; each version of a post once.
    pub fn translate(&self, frame: &Frame, observed_at: DateTime<Utc>) -> Arrival {
        let event = match PostEvent::from_api(frame, &self.config.address.server, observed_at) {
            Ok(event) => event,
            Err(rejected) => return Arrival::Rejected(rejected),
        };
        let is_first = event.post().is_none_or(|post| lock(&self.seen).is_first(&post.id, post.edited_at));
        if is_first { Arrival::Event(event) } else { Arrival::Duplicate }
    }

    /// The largest frame that is held.
    pub fn frame_bytes_max(&self) -> usize {
        self.http.frame_bytes_max()
    }

    async fn streaming(&self) -> Result<Streaming, SourceError> {
        match self.get(self.url("/api/v2/instance"), false).await {
            Ok(answer) => Ok(instance::streaming(&answer.body, &self.config.address.base, self.config.timeline)),
            // A server that knows no such document may stream all the same.
            Err(SourceError::Refused { .. } | SourceError::TooLong { .. }) => Ok(Streaming::Here),
            Err(error) => Err(error),
        }
    }

    async fn get(&self, url: Url, is_paged: bool) -> Result<Answer, SourceError> {
        loop {
            let wait = lock(&self.limits).wait(is_paged, Utc::now());
            let Some(wait) = wait else {
                break;
            };
            sleep(wait).await;
        }
        if is_paged {
            lock(&self.limits).count_paged(Utc::now());
        }
        self.http.get(url, self.config.token.as_ref(), |headers| lock(&self.limits).take(headers, Utc::now())).await
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.config.address.base.clone();
        url.set_path(path);
        url
    }
}

impl Page {
    fn parse(body: &Bytes, observed_at: DateTime<Utc>) -> Result<Page, &'static str> {
        if body.trim_ascii_start().first() != Some(&b'[') {
            return Err("no JSON array");
        }
        let mut statuses = Vec::new();
        for status in sonic_rs::to_array_iter(body) {
            let status = status.map_err(|_| "broken JSON")?;
            let raw = status.as_raw_str().as_bytes();
            let id = sonic_rs::get(raw, ["id"]).ok().and_then(|id| id.as_str().map(Cursor::new));
            statuses.push((id, Frame { kind: FrameKind::Update, data: Bytes::copy_from_slice(raw) }));
        }
        statuses.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Page { statuses, observed_at })
    }

    /// The statuses and when they were seen, lowest id first.
    pub fn into_frames(self) -> (impl Iterator<Item = Frame>, DateTime<Utc>) {
        (self.statuses.into_iter().map(|(_, frame)| frame), self.observed_at)
    }

    /// The time that a good part of a page's posts took to come; none where that cannot be told.
    pub fn span(&self) -> Option<Duration> {
        let is_enough = self.statuses.len() >= SPAN_POSTS_MIN;
        self.highest().filter(|_| is_enough)?.since(self.lowest()?)
    }

    /// How far apart its posts came; none where that cannot be told.
    pub fn usual_interval(&self) -> Option<Duration> {
        Some(self.span()? / u32::try_from(self.statuses.len()).ok()?)
    }

    /// The least id.
    pub fn lowest(&self) -> Option<&Cursor> {
        self.statuses.iter().find_map(|(id, _)| id.as_ref())
    }

    /// The greatest id.
    pub fn highest(&self) -> Option<&Cursor> {
        self.statuses.last().and_then(|(id, _)| id.as_ref())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
