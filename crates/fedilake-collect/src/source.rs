//! One server and how to read it: its address, token, rate limits, and the posts seen last.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_model::{Frame, PostEvent, Rejected, ShownBy};
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Url};
use tokio::time::{Instant, sleep};

use crate::arrival::Arrival;
use crate::cursor::Cursor;
use crate::error::{SourceError, said};
use crate::gone::Gone;
use crate::guard::ForbiddenHost;
use crate::http::{Answer, Http, Stream};
use crate::instance::{self, Streaming};
use crate::late::Late;
use crate::limits::{self, Limits};
use crate::page::{self, Page, STATUS_BYTES_MAX};
use crate::seen::Seen;
use crate::server_config::ServerConfig;
use crate::settings::CollectorSettings;
use crate::timeline::Timeline;

/// One server, shared by all its connections.
#[derive(Debug)]
pub struct Source {
    config: ServerConfig,
    http: Http,
    settings: Arc<CollectorSettings>,
    limits: Mutex<Limits>,
    seen: Mutex<Seen>,
    late: Mutex<Late>,
    gone: Mutex<Gone>,
    /// The domain in its members' handles, if its instance document was read and may claim that domain.
    domain: Mutex<Option<Arc<str>>>,
}

/// Posts of a page: the most that Mastodon gives.
pub(crate) const PAGE_POSTS: usize = 40;

/// A wait for a rate limit that is longer than this is logged.
const LONG_WAIT: Duration = Duration::from_secs(60);

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
        let seen = Mutex::new(Seen::new(settings.seen_max, settings.seen_for));
        let limits = Mutex::new(Limits::new(settings.paged_requests_max));
        http.guard().list(&config.address.base);
        Source {
            config,
            http,
            settings,
            limits,
            seen,
            late: Mutex::default(),
            gone: Mutex::default(),
            domain: Mutex::default(),
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
    pub async fn page(&self, at: At<'_>) -> Result<Page, SourceError> {
        let mut url = self.url("/api/v1/timelines/public");
        url.query_pairs_mut().append_pair("limit", &PAGE_POSTS.to_string());
        if self.config.timeline == Timeline::Local {
            url.query_pairs_mut().append_pair("local", "true");
        }
        match at {
            At::Newest => {}
            At::Above(place) => drop(url.query_pairs_mut().append_pair("min_id", place.as_str())),
            At::Below(place) => drop(url.query_pairs_mut().append_pair("max_id", place.as_str())),
        }
        let is_newest = matches!(at, At::Newest);
        let answer = self.get(url, !is_newest).await?;
        read_page(&answer, &answer.body, is_newest, "the timeline")
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

    /// Opens the live stream, at the address that the server's instance document names. The token is sent to the
    /// server's own host; to another host only over https, and only if the document came over https.
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
        self.http
            .guard()
            .check(&self.config.address.base, &url)
            .map_err(|ForbiddenHost(host)| SourceError::Forbidden { host: said(&host) })?;
        let token = self.config.token.as_ref().filter(|_| is_trusted(&url, &self.config.address.base));
        self.http.stream(url, token, |status, headers| self.heed(status, headers, false)).await
    }

    /// The ranges of the timeline that are walked once more, later.
    pub(crate) fn late(&self) -> MutexGuard<'_, Late> {
        lock(&self.late)
    }

    /// The server's posts that may be gone.
    pub(crate) fn gone(&self) -> MutexGuard<'_, Gone> {
        lock(&self.gone)
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
        let domain = lock(&self.domain).clone();
        let shown_by = ShownBy::new(&self.config.address.server, domain.as_deref());
        let event = match PostEvent::from_api(frame, shown_by, observed_at) {
            Ok(event) => event,
            Err(rejected) => return Arrival::Rejected(rejected),
        };
        if let PostEvent::Deleted(deletion) = &event {
            self.gone().forget(&deletion.id);
        }
        let is_first =
            event.post().is_none_or(|post| lock(&self.seen).is_first(&post.id, post.edited_at, Instant::now()));
        if !is_first {
            return Arrival::Duplicate;
        }
        if let Some(post) = event.post()
            && let Some(id) = Cursor::new(&post.id)
        {
            self.gone().hold(id, post.edited_at.is_some(), Instant::now());
        }
        Arrival::Event(event)
    }

    /// The largest frame that is held.
    pub fn frame_bytes_max(&self) -> usize {
        self.http.frame_bytes_max()
    }

    async fn streaming(&self) -> Result<Streaming, SourceError> {
        match self.get(self.url("/api/v2/instance"), false).await {
            Ok(answer) => {
                self.learn_domain(&answer.body);
                Ok(instance::streaming(&answer.body, &self.config.address.base, self.config.timeline))
            }
            // A server without this document may still stream, and may have the document of older servers.
            Err(
                SourceError::Refused { .. }
                | SourceError::TooLong { .. }
                | SourceError::Forbidden { .. }
                | SourceError::Failed { wait: None, .. },
            ) => {
                if let Ok(answer) = self.get(self.url("/api/v1/instance"), false).await {
                    self.learn_domain(&answer.body);
                }
                Ok(Streaming::Here)
            }
            Err(error) => Err(error),
        }
    }

    fn learn_domain(&self, document: &Bytes) {
        let server = &self.config.address.server;
        let trusted = instance::domain(document).and_then(|claimed| server.trusted_domain(&claimed));
        if let Some(trusted) = trusted {
            *lock(&self.domain) = Some(trusted.into());
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
        self.http.get(url, self.config.token.as_ref(), |status, headers| self.heed(status, headers, is_paged)).await
    }

    /// Reads from any answer when the next request may follow.
    fn heed(&self, status: StatusCode, headers: &HeaderMap, is_paged: bool) {
        let used_up = lock(&self.limits).take(status, headers, is_paged, Utc::now());
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
    use crate::http::tests::{answering, client, json};

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
            let address = crate::address::parse(&format!("http://stranger.example:{}", stranger.port())).unwrap();
            let config = ServerConfig { address, timeline: Timeline::Public, token: None };
            let source = Source::new(config, client(stranger), Arc::new(CollectorSettings::new("")));
            let error = source.stream().await.unwrap_err();
            assert!(matches!(error, SourceError::Forbidden { .. }), "{to}: {error}");
        }
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 0);
    }
}
