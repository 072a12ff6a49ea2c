//! One simulated server that publishes by hand, a post in each tenth of a second, and answers as it is told.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fedilake_collect::{ServerConfig, Timeline, Token, address};
use fedilake_sim::serve::{Answer, ByHand, Holder, RateLimits, Visit};
use fedilake_sim::{Config, Simulation, serve};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::run::until;
use crate::status::status;

/// Answers at which a stream or a page fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    Status(u16),
    Html,
    Hang,
    Reset,
    EndlessLine,
    HugeStatus,
    /// A good head, then the end of the connection.
    Closed,
    /// Heartbeats only.
    Thumps,
    /// A byte every few milliseconds.
    Drip,
}

const STREAM: &str = "text/event-stream";
const PAGE: &str = "application/json";

impl Failure {
    /// As an answer of this content type, which has begun with a status.
    fn answer(self, kind: &'static str) -> Answer {
        let begun = if kind == STREAM { ":)\nevent: update\ndata: {\"content\":\"" } else { "[{\"content\":\"" };
        let (begun, soon) = (Answer::new(200, kind, begun), Duration::from_millis(5));
        let filler = vec![b'x'; 256 * 1024];
        match self {
            Failure::Status(status) => refused(status),
            Failure::Html => Answer::new(200, "text/html", "<!DOCTYPE html><p>Back soon"),
            Failure::Hang => Answer::nothing(),
            Failure::Reset => begun.breaks(),
            Failure::EndlessLine => begun.repeats(filler, Duration::ZERO, usize::MAX),
            Failure::HugeStatus => begun.repeats(filler, Duration::ZERO, 400),
            Failure::Closed => Answer::new(200, kind, ""),
            Failure::Thumps => Answer::new(200, kind, "").repeats(":thump\n\n", soon, usize::MAX),
            Failure::Drip => Answer::new(200, kind, "").repeats("x", soon, usize::MAX),
        }
    }
}

/// A token of a member of every [`Single`].
const TOKEN: &str = "secret-token";

/// A refusal in the server's own words.
pub(crate) fn refused(status: u16) -> Answer {
    Answer::refusal(status, "This method requires an authenticated user")
}

/// The server; it ends when dropped.
pub(crate) struct Single {
    pub(crate) simulation: Simulation,
    /// The date of the next post, in milliseconds since 1970.
    next_at_ms: AtomicI64,
}

impl Single {
    pub(crate) async fn start() -> Single {
        Single::start_with(Config::default()).await
    }

    pub(crate) async fn start_with(config: Config) -> Single {
        let unlimited = 1_000_000;
        let limits = RateLimits { requests: unlimited, paged: unlimited, ..RateLimits::default() };
        Single::start_limited(limits, config).await
    }

    pub(crate) async fn start_limited(limits: RateLimits, config: Config) -> Single {
        let config = Config {
            servers: 1,
            rate: 0.0,
            limits,
            heartbeat: Duration::from_secs(3_600),
            visits_max: 10_000,
            tokens: vec![TOKEN.to_owned()],
            ..config
        };
        let simulation = serve(config, CancellationToken::new()).await.unwrap();
        // Begins an hour ago, so that posts a tenth of a second apart do not reach the future.
        Single { simulation, next_at_ms: AtomicI64::new(Utc::now().timestamp_millis() - 3_600_000) }
    }

    pub(crate) fn host(&self) -> String {
        self.simulation.name(0).to_owned()
    }

    pub(crate) fn config(&self) -> ServerConfig {
        let address = address::parse(&format!("http://{}", self.host())).unwrap();
        ServerConfig::new(address, Timeline::Public)
    }

    /// With a member's token.
    pub(crate) fn config_with_token(&self) -> ServerConfig {
        ServerConfig { token: Token::new(TOKEN), ..self.config() }
    }

    /// A new token of a member.
    pub(crate) fn token(&self) -> String {
        self.simulation.token(0, Holder::User, "read").unwrap()
    }

    /// Adds a new post to the timeline and every stream. Returns its key in the log.
    pub(crate) fn publish(&self) -> String {
        self.publish_at(self.next_at_ms(), true)
    }

    pub(crate) fn publish_many(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.publish()).collect()
    }

    /// Adds a new post to the timeline only.
    pub(crate) fn publish_unstreamed(&self) -> String {
        self.publish_at(self.next_at_ms(), false)
    }

    /// Adds a post of that time, in milliseconds since 1970.
    pub(crate) fn publish_at(&self, created_at_ms: i64, streamed: bool) -> String {
        let how = ByHand { created_at_ms: Some(created_at_ms), streamed };
        format!("{}/{}", self.host(), self.simulation.publish_with(0, &how).id)
    }

    /// A time at which no post was written yet.
    fn next_at_ms(&self) -> i64 {
        self.next_at_ms.fetch_add(100, Ordering::Relaxed)
    }

    /// Sends text on every stream.
    pub(crate) fn send(&self, text: &str) {
        self.simulation.send(0, text.to_owned());
    }

    /// Sends a new post on every stream, which the timeline does not show.
    pub(crate) fn stream_only(&self) -> String {
        self.stream_as(&(self.next_at_ms() << 16).to_string())
    }

    /// Sends a new post with this id on every stream, which the timeline does not show.
    pub(crate) fn stream_as(&self, id: &str) -> String {
        self.send(&format!("event: update\ndata: {}\n\n", status(&self.host(), id)));
        format!("{}/{id}", self.host())
    }

    /// Ends every stream, as a server does when it stops.
    pub(crate) fn end_streams(&self) {
        self.simulation.end_streams(0);
    }

    /// Answers requests for streams so, or as a server that is well.
    pub(crate) fn answer_streams_with(&self, answer: impl Into<Option<Answer>>) {
        self.simulation.answer(0, "/api/v1/streaming", answer.into());
    }

    /// Answers requests for pages so, or as a server that is well.
    pub(crate) fn answer_pages_with(&self, answer: impl Into<Option<Answer>>) {
        self.simulation.answer(0, "/api/v1/timelines/public", answer.into());
    }

    pub(crate) fn fail_streams(&self, failure: Failure) {
        self.answer_streams_with(failure.answer(STREAM));
    }

    pub(crate) fn fail_pages(&self, failure: Failure) {
        self.answer_pages_with(failure.answer(PAGE));
    }

    /// Redirects requests for pages and streams to the same path there, or none any more.
    pub(crate) fn redirect(&self, to: Option<&Single>) {
        for path in ["/api/v1/timelines/public", "/api/v1/streaming/public"] {
            let answer = to.map(|to| Answer::redirect(&format!("http://{}{path}", to.host())));
            self.simulation.answer(0, path, answer);
        }
    }

    /// Names another address of the streams in the instance document, or none.
    pub(crate) fn says_it_streams_at(&self, url: Option<String>) {
        let document = json!({"configuration": {"urls": {"streaming": url}}});
        self.simulation.answer(0, "/api/v2/instance", Some(Answer::json(&document)));
    }

    /// Answers requests of pages by id with 429 until this time.
    pub(crate) fn limit_paged_until(&self, until: DateTime<Utc>) {
        for bound in ["min_id", "max_id"] {
            self.simulation.answer(0, &format!("/api/v1/timelines?{bound}"), Some(Answer::limited(until)));
        }
    }

    pub(crate) fn answer_robots_with(&self, status: u16, text: &str) {
        self.simulation.answer(0, "/robots.txt", Some(Answer::text(status, text)));
    }

    /// Waits until robots.txt was asked for so often since the start.
    pub(crate) async fn robots_asked(&self, count: usize) {
        let asked = || self.simulation.visits(0).iter().filter(|visit| visit.path == "/robots.txt").count();
        until("robots.txt is asked for", || (asked() >= count).then_some(())).await;
    }

    /// Waits until `count` streams were opened since the start, or refused as this server is told.
    pub(crate) async fn streams_opened(&self, count: u64) {
        until("the streams open", || (self.simulation.streams(0) >= count).then_some(())).await;
    }

    /// Waits until `count` requests came since the start.
    pub(crate) async fn requests(&self, count: usize) {
        until("the requests come", || (self.seen().len() >= count).then_some(())).await;
    }

    /// The requests so far, those for robots.txt aside.
    pub(crate) fn seen(&self) -> Vec<Visit> {
        let mut visits = self.simulation.visits(0);
        visits.retain(|visit| visit.path != "/robots.txt");
        visits
    }

    /// The requests for pages of the timeline so far.
    pub(crate) fn pages(&self) -> Vec<Visit> {
        self.seen().into_iter().filter(|seen| seen.path == "/api/v1/timelines/public").collect()
    }
}
