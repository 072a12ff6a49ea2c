//! One server and how to read it: its address, token, rate limits, and the posts seen last.
//!
//! A token that is refused costs the stream, not the pages: those are asked for without it.

use std::future;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_model::{Frame, Post, PostEvent, Rejected, ShownBy};
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url};
use tokio::time::{Instant, sleep, timeout};

use crate::server::config::ServerConfig;
use crate::server::error::{SourceError, said};
use crate::server::guard::ForbiddenHost;
use crate::server::http::{Answer, Http};
use crate::server::instance::{self, Streaming};
use crate::server::limits::{self, Limits};
use crate::server::number::number;
use crate::server::timeline::Timeline;
use crate::server::token::{Token, TokenInUse};
use crate::server::via::Via;
use crate::settings::CollectorSettings;
use crate::way::arrival::Arrival;
use crate::way::cursor::Cursor;
use crate::way::feed::Feed;
use crate::way::gone::{Gone, Version};
use crate::way::hearsay::{Heard, Hearsay, Word};
use crate::way::late::Late;
use crate::way::learned::Learned;
use crate::way::page::{self, Page, STATUS_BYTES_MAX};
use crate::way::permission::Permission;
use crate::way::places::Places;
use crate::way::seen::Seen;
use crate::way::socket::Sockets;

/// One server, shared by all its connections.
#[derive(Debug)]
pub struct Source {
    config: ServerConfig,
    http: Http,
    settings: Arc<CollectorSettings>,
    token: Mutex<TokenInUse>,
    learned: Arc<Learned>,
    seen: Mutex<Seen>,
    /// Where the server streams, and when it said so.
    streaming: Mutex<Option<(Instant, Streaming)>>,
    /// Held while the server is asked for it.
    asking: tokio::sync::Mutex<()>,
    /// How often the server was asked before its first page.
    introductions: AtomicU32,
    /// The sockets of the server, shared by its timelines.
    sockets: Arc<Sockets>,
    /// The deletes that any server told.
    hearsay: Arc<Hearsay>,
    /// True once the server's document named software without server-sent events, or there were none and a socket opened.
    has_only_sockets: AtomicBool,
    /// False once the server refused a page of [`PAGE_POSTS`].
    may_ask_for_many: AtomicBool,
    permission: Permission,
}

/// Posts of a page: the most that Mastodon gives.
pub(crate) const PAGE_POSTS: usize = 40;

/// How long the address of a server's streams is believed while they open there: a stream that ended is opened again with one request.
const STREAMING_FOR: Duration = Duration::from_secs(3_600);
/// How often a server is asked about itself before its first page, and how long each time.
const INTRODUCTIONS_MAX: u32 = 3;
const INTRODUCED_WITHIN: Duration = Duration::from_secs(5);
/// A wait for a rate limit that is longer than this is logged.
const LONG_WAIT: Duration = Duration::from_secs(60);
/// The shares of posts that may come later than polls, fills and late walks reach back.
const SHARE_SHORT: f64 = 0.05;
const SHARE: f64 = 0.01;
const SHARE_LATE: f64 = 0.001;
/// The farthest that a late walk reaches back, in usual ones: an hour.
const LATE_TIMES: u32 = 12;

/// The position of a page in a timeline.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// The top of the timeline, asked for without ids.
    Newest,
    /// The page just above this place.
    Above(&'a Cursor),
    /// The page just below this place.
    Below(&'a Cursor),
}

impl Source {
    /// A server of which nothing is known yet.
    pub fn new(config: ServerConfig, http: Http, settings: Arc<CollectorSettings>) -> Source {
        let limits = Limits::shared(settings.paged_requests_max);
        let learned = Learned::new(limits, settings.looks_at_age, Arc::default());
        Source::known(config, http, settings, Arc::new(learned), Arc::default(), Arc::default())
    }

    /// A server whose timeline was read before, of which other timelines are read by these sockets, and beside which others are read.
    pub(crate) fn known(
        config: ServerConfig,
        http: Http,
        settings: Arc<CollectorSettings>,
        learned: Arc<Learned>,
        sockets: Arc<Sockets>,
        hearsay: Arc<Hearsay>,
    ) -> Source {
        let seen = Mutex::new(Seen::new(settings.seen_max, settings.seen_for));
        let token = Mutex::new(TokenInUse::new(config.token.clone(), config.token_file.clone()));
        http.guard().list(&config.address.base);
        Source {
            config,
            http,
            settings,
            token,
            learned,
            seen,
            streaming: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            introductions: AtomicU32::new(0),
            sockets,
            hearsay,
            has_only_sockets: AtomicBool::new(false),
            may_ask_for_many: AtomicBool::new(true),
            permission: Permission::default(),
        }
    }

    /// The server and its timeline.
    pub fn config(&self) -> &ServerConfig {
        &self.config
    }

    /// The settings for reading the server.
    pub fn settings(&self) -> &CollectorSettings {
        &self.settings
    }

    /// Reads a page of the timeline. First waits as long as the server's limits demand.
    ///
    /// A server that refuses pages of forty posts is asked for pages of its own size from then on.
    pub async fn page(&self, at: At<'_>) -> Result<Page, SourceError> {
        let is_newest = matches!(at, At::Newest);
        let asks_for_many = self.may_ask_for_many.load(Ordering::Relaxed);
        let answer = self.get(self.page_url(at, asks_for_many), !is_newest).await;
        let answer = match answer {
            Err(SourceError::Refused {
                status: StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY, ..
            }) if asks_for_many => {
                let answer = self.get(self.page_url(at, false), !is_newest).await?;
                self.may_ask_for_many.store(false, Ordering::Relaxed);
                answer
            }
            answer => answer?,
        };
        read_page(&answer, &answer.body, is_newest, "the timeline")
    }

    fn page_url(&self, at: At<'_>, asks_for_many: bool) -> Url {
        let mut url = self.url(&self.config.timeline.path());
        let mut query: Vec<(&str, &str)> = self.config.timeline.parameter().into_iter().collect();
        let many = PAGE_POSTS.to_string();
        if asks_for_many {
            query.push(("limit", &many));
        }
        match at {
            At::Newest => {}
            At::Above(place) => query.push(("min_id", place.as_str())),
            At::Below(place) => query.push(("max_id", place.as_str())),
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Reads posts by their ids; those that the server does not have are missing.
    pub(crate) async fn statuses(&self, ids: &[Cursor]) -> Result<Page, SourceError> {
        let mut url = self.url("/api/v1/statuses");
        url.query_pairs_mut().extend_pairs(ids.iter().map(|id| ("id[]", id.as_str())));
        let answer = self.get(url, false).await?;
        read_page(&answer, &answer.body, false, "the statuses")
    }

    /// Reads one post.
    pub(crate) async fn status(&self, id: &Cursor) -> Result<Page, SourceError> {
        let mut url = self.url("/api/v1/statuses");
        url.path_segments_mut().expect("it is an address of http").push(id.as_str());
        let answer = self.get(url, false).await?;
        let list = [b"[", &answer.body[..], b"]"].concat();
        read_page(&answer, &list.into(), false, "the status")
    }

    /// Opens the live stream, at the address that the server's instance document names, by the way of the configuration. The token is
    /// sent to the server's own host; to another host only over https, and only if the document came over https.
    pub async fn stream(&self) -> Result<Feed, SourceError> {
        let base = match self.streaming().await? {
            Streaming::Here => self.config.address.base.clone(),
            Streaming::At(base) => base,
            Streaming::Nowhere => return Err(SourceError::NoStreaming),
        };
        self.http
            .guard()
            .check(&self.config.address.base, &base)
            .map_err(|ForbiddenHost(host)| SourceError::Forbidden { host: said(&host) })?;
        let opened = self.open(&base).await;
        if !matches!(opened, Ok(_) | Err(SourceError::RateLimited { .. })) {
            lock(&self.streaming).take();
        }
        opened
    }

    async fn open(&self, base: &Url) -> Result<Feed, SourceError> {
        loop {
            let token = lock(&self.token).for_streams().filter(|_| is_trusted(base, &self.config.address.base));
            let opened = self.open_with(base, token.as_ref()).await;
            let (Err(SourceError::Refused { status: StatusCode::UNAUTHORIZED, message, .. }), Some(token)) =
                (&opened, &token)
            else {
                if let (Ok(_), Some(token)) = (&opened, &token) {
                    lock(&self.token).answered(token, false);
                }
                return opened;
            };
            // Of a list a server says the same for one that is not there, or is another's: its pages tell what the token is worth.
            let is_of_list = matches!(self.config.timeline, Timeline::List(_));
            let mut used = lock(&self.token);
            if !is_of_list {
                used.answered(token, true);
            }
            if !used.look(Duration::ZERO) {
                let server = self.config.address.server.clone();
                return if is_of_list {
                    opened
                } else {
                    Err(SourceError::TokenRefused { server, message: message.clone() })
                };
            }
            used.take_news();
        }
    }

    /// Server-sent events, or a WebSocket where there are none.
    async fn open_with(&self, base: &Url, token: Option<&Token>) -> Result<Feed, SourceError> {
        let is_socket = match self.settings.via {
            Via::Poll => return Err(SourceError::NoStreaming),
            Via::WebSocket => true,
            Via::Sse => false,
            Via::Auto => self.has_only_sockets.load(Ordering::Relaxed),
        };
        if is_socket {
            let opened = self.open_socket(base, token).await;
            if opened.is_err() {
                // The next time both ways are tried: what had no server-sent events may have been a proxy.
                self.has_only_sockets.store(false, Ordering::Relaxed);
            }
            return opened;
        }
        let opened = self.open_sse(base, token).await;
        if self.settings.via == Via::Auto && opened.as_ref().is_err_and(has_no_sse) {
            let feed = self.open_socket(base, token).await;
            // The answer to the first way is the one to be told.
            return match feed {
                Ok(feed) => {
                    self.has_only_sockets.store(true, Ordering::Relaxed);
                    Ok(feed)
                }
                Err(error @ SourceError::Refused { status: StatusCode::UNAUTHORIZED, .. }) => Err(error),
                Err(_) => opened,
            };
        }
        opened
    }

    async fn open_sse(&self, base: &Url, token: Option<&Token>) -> Result<Feed, SourceError> {
        let timeline = &self.config.timeline;
        let mut url = below(base, timeline.stream_path());
        if let Some((name, value)) = timeline.stream_parameter() {
            url.query_pairs_mut().append_pair(name, value);
        }
        self.permit(&url).await?;
        self.permission.streams_from(&url);
        let heed = |status, headers: &HeaderMap| self.heed(status, headers, false);
        let stream = self.http.stream(url, token, heed).await?;
        Ok(Feed::sse(stream, self.http.frame_bytes_max()))
    }

    async fn open_socket(&self, base: &Url, token: Option<&Token>) -> Result<Feed, SourceError> {
        let url = below(base, "/api/v1/streaming");
        self.permit(&url).await?;
        self.permission.streams_from(&url);
        let heed = |status, headers: &HeaderMap| self.heed(status, headers, false);
        self.sockets.subscribe(&self.http, &url, token, &self.config.timeline, heed).await.map(Feed::socket)
    }

    /// Resolves when there is a new token in the token's file, with which no stream was asked for. Cancel-safe.
    pub(crate) async fn new_token(&self) {
        if !lock(&self.token).has_file() {
            future::pending::<()>().await;
        }
        loop {
            {
                let mut used = lock(&self.token);
                used.look(self.settings.token_interval);
                if used.take_news() {
                    return;
                }
            }
            sleep(self.settings.token_interval).await;
        }
    }

    /// How far before its place a poll begins.
    pub(crate) fn reach_short(&self) -> Duration {
        let settings = &self.settings;
        self.learned.delay().reach(SHARE_SHORT, settings.overlap_short, settings.overlap)
    }

    /// How far before its place the fill of a hole begins.
    pub(crate) fn reach(&self) -> Duration {
        let settings = &self.settings;
        self.learned.delay().reach(SHARE, settings.overlap, settings.overlap_long)
    }

    /// How far before a hole its range is walked again.
    pub(crate) fn reach_late(&self) -> Duration {
        let long = self.settings.overlap_long;
        self.learned.delay().reach(SHARE_LATE, long, long * LATE_TIMES)
    }

    /// Records how late posts became visible: each took at least the time from its id to `then`, but no time if it was written later.
    pub(crate) fn learn_delay(&self, arrivals: &[Arrival], then: DateTime<Utc>) {
        for arrival in arrivals {
            if let Arrival::Event(PostEvent::Created(post)) = arrival
                && let Some(written) = Cursor::new(&post.id).and_then(|id| id.time())
            {
                self.learned.delay().take((then - written).to_std().unwrap_or_default());
            }
        }
    }

    /// Where the timeline stood before.
    pub(crate) fn places(&self) -> Arc<Mutex<Places>> {
        self.learned.places()
    }

    /// The ranges of the timeline that are walked once more, later.
    pub(crate) fn late(&self) -> MutexGuard<'_, Late> {
        self.learned.late()
    }

    /// The server's posts that may be gone.
    pub(crate) fn gone(&self) -> MutexGuard<'_, Gone> {
        self.learned.gone()
    }

    /// Has the server asked for posts of which others told, up to a moment, what it did not.
    pub(crate) fn listen(&self, heard: &mut Heard, until: Instant) {
        let news = self.hearsay.hear(heard, until);
        self.gone().suspect_all_of(&news);
    }

    /// The arrivals for a page's statuses, in its order; each version of a post once.
    pub fn arrivals(&self, page: Page) -> impl Iterator<Item = Arrival> {
        self.gone().clear(&page);
        let (frames, observed_at) = page.into_frames();
        frames.map(move |frame| self.translate(&frame, observed_at))
    }

    /// The arrival for a frame; each version of a post once.
    pub fn translate(&self, frame: &Frame, observed_at: DateTime<Utc>) -> Arrival {
        if frame.data.len() > STATUS_BYTES_MAX {
            return Arrival::Rejected(Rejected::too_long(&frame.data));
        }
        let domain = self.learned.domain();
        let shown_by = ShownBy::new(&self.config.address.server, domain.as_deref());
        let event = match PostEvent::from_api(frame, shown_by, observed_at) {
            Ok(event) => event,
            Err(rejected) => return Arrival::Rejected(rejected),
        };
        let is_first =
            event.post().is_none_or(|post| lock(&self.seen).is_first(&post.id, post.edited_at, Instant::now()));
        if !is_first {
            return Arrival::Duplicate;
        }
        Arrival::Event(event)
    }

    /// Remembers the post of an event that was admitted: the server is asked later whether it still has it.
    pub(crate) fn hold(&self, event: &PostEvent) {
        let Some(post) = event.post() else { return };
        let Some(id) = Cursor::new(&post.id) else { return };
        if matches!(event, PostEvent::Created(_)) {
            self.learned.recent().push(&id, number(&post.author), Utc::now());
        }
        let now = Instant::now();
        if let Some(edited_at) = post.edited_at {
            self.hearsay.tell(number(&post.uri), Word::Edited(edited_at), now);
        }
        let Post { author, uri, edited_at, from_origin, .. } = post;
        let version = Version { author, uri, edited_at: *edited_at, from_origin: *from_origin };
        self.gone().hold(id, version, now);
    }

    /// Forgets a post that was deleted, and tells other servers' collectors of it.
    pub(crate) fn forget(&self, id: &str) {
        let forgotten = self.gone().forget(id);
        forgotten.into_iter().for_each(|uri| self.hearsay.tell(uri, Word::Gone, Instant::now()));
    }

    /// Forgets the remembered posts of an author who said no, and returns their ids.
    pub(crate) fn let_go(&self, author: &str) -> Vec<Cursor> {
        self.gone().let_go(author)
    }

    /// Before the first page of a server that was not read before: learns the domain of its members, without which they would count as
    /// those of its host. A server whose document cannot be had is read all the same, after [`INTRODUCTIONS_MAX`] tries.
    pub(crate) async fn introduced(&self) -> Result<(), SourceError> {
        if self.learned.domain().is_some() || self.introductions.load(Ordering::Relaxed) >= INTRODUCTIONS_MAX {
            return Ok(());
        }
        let tries = self.introductions.fetch_add(1, Ordering::Relaxed) + 1;
        let failure = match timeout(INTRODUCED_WITHIN, self.streaming()).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some(SourceError::Unreachable {
                doing: "ask the server about itself",
                why: format!("no answer within {} s", INTRODUCED_WITHIN.as_secs()),
            }),
        };
        match failure {
            Some(error) if tries < INTRODUCTIONS_MAX => Err(error),
            _ => {
                self.introductions.store(INTRODUCTIONS_MAX, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    async fn streaming(&self) -> Result<Streaming, SourceError> {
        let known = || {
            let streaming = lock(&self.streaming);
            streaming.as_ref().filter(|(said_at, _)| said_at.elapsed() < STREAMING_FOR).map(|(_, said)| said.clone())
        };
        if let Some(streaming) = known() {
            return Ok(streaming);
        }
        let _turn = self.asking.lock().await;
        if let Some(streaming) = known() {
            return Ok(streaming);
        }
        let streaming = self.ask_for_streaming().await?;
        *lock(&self.streaming) = Some((Instant::now(), streaming.clone()));
        Ok(streaming)
    }

    async fn ask_for_streaming(&self) -> Result<Streaming, SourceError> {
        match self.get(self.url("/api/v2/instance"), false).await {
            Ok(answer) => {
                self.learn_from(&answer.body);
                Ok(instance::streaming(&answer.body, &self.config.address.base, &self.config.timeline))
            }
            // A server without this document may still stream, and may have the document of older servers.
            Err(
                SourceError::Refused { .. }
                | SourceError::Disallowed { .. }
                | SourceError::TooLong { .. }
                | SourceError::Forbidden { .. }
                | SourceError::Failed { wait: None, .. },
            ) => {
                if let Ok(answer) = self.get(self.url("/api/v1/instance"), false).await {
                    self.learn_from(&answer.body);
                }
                Ok(Streaming::Here)
            }
            Err(error) => Err(error),
        }
    }

    /// Learns the members' domain and the way of the streams.
    fn learn_from(&self, document: &Bytes) {
        if instance::has_only_sockets(document) {
            self.has_only_sockets.store(true, Ordering::Relaxed);
        }
        let server = &self.config.address.server;
        let trusted = instance::domain(document).and_then(|claimed| server.trusted_domain(&claimed));
        if let Some(trusted) = trusted {
            self.learned.set_domain(&trusted);
        }
    }

    /// Resolves when the server's robots.txt no longer allows the stream that is open.
    pub(crate) async fn stream_disallowed(&self) -> SourceError {
        loop {
            sleep(self.settings.robots_for).await;
            if let Some(error) = self.permission.stream_disallowed(&self.http, &self.settings).await
                && !self.is_own()
            {
                return error;
            }
        }
    }

    /// Waits until the server's robots.txt allows the request, or fails if it does not.
    async fn permit(&self, url: &Url) -> Result<(), SourceError> {
        if self.is_own() { Ok(()) } else { self.permission.ask(url, &self.http, &self.settings).await }
    }

    /// True for a server whose operator runs this collector, as the operator says and a token shows: one of the configuration, or one that
    /// came since. One that the server refuses counts too, for it is asked for a stream with it again.
    fn is_own(&self) -> bool {
        self.settings.own_servers.contains(&self.config.address.server) && lock(&self.token).for_streams().is_some()
    }

    /// Gets a document with the token; without it, if the server refuses that.
    async fn get(&self, url: Url, is_paged: bool) -> Result<Answer, SourceError> {
        self.permit(&url).await?;
        let mut token = lock(&self.token).for_pages();
        loop {
            let answer = self.get_with(url.clone(), token.as_ref(), is_paged).await;
            let (Err(SourceError::Refused { status, .. }), Some(refused)) = (&answer, &token) else { return answer };
            token = match *status {
                StatusCode::UNAUTHORIZED => {
                    let mut used = lock(&self.token);
                    used.answered(refused, true);
                    used.look(Duration::ZERO);
                    used.for_pages()
                }
                // The token may do something else than this.
                StatusCode::FORBIDDEN => None,
                _ => return answer,
            };
        }
    }

    async fn get_with(&self, url: Url, token: Option<&Token>, is_paged: bool) -> Result<Answer, SourceError> {
        loop {
            let wait = self.learned.limits().wait(is_paged, Utc::now());
            let Some(wait) = wait else {
                break;
            };
            sleep(wait).await;
        }
        if is_paged {
            self.learned.count_paged(Utc::now());
        }
        self.http.get(url, token, |status, headers| self.heed(status, headers, is_paged)).await
    }

    /// See [`Limits::spare_interval`](crate::server::limits::Limits::spare_interval).
    pub(crate) fn spare_interval(&self) -> Option<Duration> {
        self.learned.limits().spare_interval(Utc::now())
    }

    /// Reads from any answer when the next request may follow.
    fn heed(&self, status: StatusCode, headers: &HeaderMap, is_paged: bool) {
        let used_up = self.learned.limits().take(status, headers, is_paged, Utc::now());
        if let Some(wait) = used_up.filter(|wait| wait.kept >= LONG_WAIT) {
            let (server, seconds) = (&self.config.address.server, wait.kept.as_secs());
            match wait.said.filter(|said| *said > wait.kept) {
                Some(said) => tracing::info!(
                    %server,
                    "rate limit used up for {} s, which is too long; the next request follows after {seconds} s",
                    said.as_secs()
                ),
                None => tracing::info!(%server, "rate limit used up; the next request follows after {seconds} s"),
            }
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.config.address.base.clone();
        url.set_path(path);
        url
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.http.guard().unlist(&self.config.address.base);
    }
}

/// The address of `path` at a server whose streams are at `base`.
fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url
}

/// True for an answer of a server without server-sent events, which may have sockets.
fn has_no_sse(error: &SourceError) -> bool {
    let statuses = [
        StatusCode::BAD_REQUEST,
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::NOT_ACCEPTABLE,
        StatusCode::UPGRADE_REQUIRED,
    ];
    match error {
        SourceError::Refused { status, .. } => statuses.contains(status),
        SourceError::Malformed { .. } => true,
        _ => false,
    }
}

fn read_page(answer: &Answer, body: &Bytes, is_newest: bool, path: &str) -> Result<Page, SourceError> {
    let observed_at = Utc::now();
    let server_now = limits::time_of(&answer.headers, observed_at);
    Page::parse(body, page::Seen { observed_at, server_now, is_newest })
        .map_err(|why| SourceError::Malformed { path: path.to_owned(), why: why.to_owned() })
}

/// True if the token for the server at `base` may be sent to `url`, which that server named: to its own host, or if
/// both the document and the token travel encrypted.
fn is_trusted(url: &Url, base: &Url) -> bool {
    url.host() == base.host() || (base.scheme() == "https" && url.scheme() == "https")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::server::http::tests::{answering, client, json};

    #[test]
    fn a_token_goes_to_its_server_and_to_where_that_streams_over_https() {
        for (base, url, expected) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "https://streaming.a.example", true),
            ("https://a.example", "https://cdn.example:8443", true),
            ("http://127.0.0.1:1", "http://127.0.0.1:2", true),
            ("http://a.example", "http://b.example", false),
            // Anyone may have answered for a.example.
            ("http://a.example", "https://b.example", false),
        ] {
            let (base, url) = (Url::parse(base).unwrap(), Url::parse(url).unwrap());
            assert_eq!(is_trusted(&url, &base), expected, "{base} {url}");
        }
    }

    #[tokio::test]
    async fn a_stranger_does_not_name_an_address_inside_for_its_streams() {
        let (inside, asked) = answering(json("")).await;
        for to in [format!("ws://{inside}"), format!("http://localhost:{}", inside.port()), "ws://[::1]:1".to_owned()] {
            let document = format!(r#"{{"configuration":{{"urls":{{"streaming":"{to}"}}}}}}"#);
            let (stranger, _) = answering(json(&document)).await;
            let address =
                crate::server::address::parse(&format!("http://stranger.example:{}", stranger.port())).unwrap();
            let config = ServerConfig::new(address, Timeline::Public);
            let source = Source::new(config, client(stranger), Arc::new(CollectorSettings::new("")));
            let error = source.stream().await.unwrap_err();
            assert!(matches!(error, SourceError::Forbidden { .. }), "{to}: {error}");
        }
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 0);
    }
}
