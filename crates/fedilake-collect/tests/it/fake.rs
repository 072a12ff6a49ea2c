//! A fake Mastodon server for collectors, over real HTTP on loopback, that fails on command.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use chrono::{DateTime, SecondsFormat, Utc};
use fedilake_collect::{ServerConfig, Timeline, Token, address};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::PATIENCE;
use crate::status::status;

/// An answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Good,
    Status(u16),
    /// 200 and a web page.
    Html,
    /// No answer.
    Hang,
    /// A good head, then the connection is reset.
    Reset,
    /// A line that never ends.
    EndlessLine,
    /// One status of 100 MB.
    HugeStatus,
    /// 302 to the same path at this address.
    RedirectTo(SocketAddr),
    /// 429 until this time.
    Limited(DateTime<Utc>),
    /// A good head, then the end of the connection.
    Closed,
    /// Heartbeats only.
    Thumps,
    /// A byte every few milliseconds.
    Drip,
}

impl Answer {
    fn now(self) -> Answer {
        match self {
            Answer::Limited(until) if until <= Utc::now() => Answer::Good,
            answer => answer,
        }
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
}

struct Inner {
    timeline: Mutex<Vec<(u64, Value)>>,
    live: Mutex<broadcast::Sender<Bytes>>,
    streams: watch::Sender<usize>,
    stream_answer: Mutex<Answer>,
    rest_answer: Mutex<Answer>,
    instance: Mutex<Value>,
    seen: Mutex<Vec<Seen>>,
    requests: watch::Sender<usize>,
    next_id: AtomicU64,
}

/// The server; it ends when dropped.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    inner: Arc<Inner>,
    stop: CancellationToken,
}

impl Fake {
    pub(crate) async fn start() -> Fake {
        let now_ms = u64::try_from(Utc::now().timestamp_millis()).unwrap();
        let inner = Arc::new(Inner {
            timeline: Mutex::default(),
            live: Mutex::new(broadcast::Sender::new(10_000)),
            streams: watch::Sender::new(0),
            stream_answer: Mutex::new(Answer::Good),
            rest_answer: Mutex::new(Answer::Good),
            instance: Mutex::new(json!({})),
            seen: Mutex::default(),
            requests: watch::Sender::new(0),
            // Begins an hour ago, so that posts a tenth of a second apart do not reach the future.
            next_id: AtomicU64::new((now_ms - 3_600_000) << 16),
        });
        let router = Router::new()
            .route("/api/v2/instance", get(instance))
            .route("/api/v1/timelines/public", get(timeline))
            .route("/api/v1/streaming/public", get(streaming))
            .route("/api/v1/streaming/public/local", get(streaming))
            .layer(middleware::from_fn_with_state(inner.clone(), record))
            .with_state(inner.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move {
            tokio::select! {
                _ = axum::serve(listener, router) => {}
                () = stopped => {}
            }
        });
        Fake { address, inner, stop }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn config(&self) -> ServerConfig {
        let address = address::parse(&format!("http://{}", self.address)).unwrap();
        ServerConfig { address, timeline: Timeline::Public, token: None }
    }

    pub(crate) fn config_with_token(&self, token: &str) -> ServerConfig {
        ServerConfig { token: Token::new(token), ..self.config() }
    }

    /// Adds a new post to the timeline and every stream. Returns its key in the log.
    pub(crate) fn publish(&self) -> String {
        self.publish_as(self.id())
    }

    pub(crate) fn publish_many(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.publish()).collect()
    }

    /// Adds a new post to the timeline only.
    pub(crate) fn publish_unstreamed(&self) -> String {
        let id = self.id();
        self.show(id);
        format!("{}/{id}", self.host())
    }

    /// Sends text on every stream.
    pub(crate) fn send(&self, text: &str) {
        let _ = self.inner.live.lock().unwrap().send(Bytes::copy_from_slice(text.as_bytes()));
    }

    /// An id that no post has yet.
    pub(crate) fn id(&self) -> u64 {
        // A tenth of a second apart, as on a server of ten posts a second.
        self.inner.next_id.fetch_add(100 << 16, Ordering::Relaxed)
    }

    /// Sends a new post with this id on every stream, which the timeline does not show.
    pub(crate) fn stream_as(&self, id: &str) -> String {
        self.send(&format!("event: update\ndata: {}\n\n", status(&self.host(), id)));
        format!("{}/{id}", self.host())
    }

    /// Adds a new post with this id to the timeline and every stream.
    pub(crate) fn publish_as(&self, id: u64) -> String {
        self.show(id);
        self.stream_as(&id.to_string())
    }

    fn show(&self, id: u64) {
        let status = status(&self.host(), &id.to_string());
        self.inner.timeline.lock().unwrap().push((id, status));
    }

    /// Ends every stream, as a server does when it stops.
    pub(crate) fn end_streams(&self) {
        *self.inner.live.lock().unwrap() = broadcast::Sender::new(10_000);
    }

    pub(crate) fn answer_streams_with(&self, answer: Answer) {
        *self.inner.stream_answer.lock().unwrap() = answer;
    }

    pub(crate) fn answer_pages_with(&self, answer: Answer) {
        *self.inner.rest_answer.lock().unwrap() = answer;
    }

    pub(crate) fn describe_itself(&self, instance: Value) {
        *self.inner.instance.lock().unwrap() = instance;
    }

    /// Waits until `count` streams were opened since the start.
    pub(crate) async fn streams_opened(&self, count: usize) {
        let mut streams = self.inner.streams.subscribe();
        timeout(PATIENCE, streams.wait_for(|streams| *streams >= count)).await.expect("the streams open").unwrap();
    }

    /// Waits until `count` requests came since the start.
    pub(crate) async fn requests(&self, count: usize) {
        let mut requests = self.inner.requests.subscribe();
        timeout(PATIENCE, requests.wait_for(|requests| *requests >= count)).await.expect("the requests come").unwrap();
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// The requests for pages of the timeline so far.
    pub(crate) fn pages(&self) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.path == "/api/v1/timelines/public").collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn record(State(inner): State<Arc<Inner>>, request: Request, next: Next) -> Response {
    inner.seen.lock().unwrap().push(Seen {
        at: Instant::now(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().clone(),
    });
    inner.requests.send_modify(|requests| *requests += 1);
    let answer = *inner.rest_answer.lock().unwrap();
    match answer {
        Answer::RedirectTo(address) => Redirect::to(&format!("http://{address}{}", request.uri())).into_response(),
        _ => next.run(request).await,
    }
}

async fn instance(State(inner): State<Arc<Inner>>) -> Response {
    axum::Json(inner.instance.lock().unwrap().clone()).into_response()
}

#[derive(serde::Deserialize)]
struct PageQuery {
    limit: usize,
    min_id: Option<u64>,
    max_id: Option<u64>,
}

async fn timeline(State(inner): State<Arc<Inner>>, Query(query): Query<PageQuery>) -> Response {
    let answer = inner.rest_answer.lock().unwrap().now();
    if answer != Answer::Good {
        return fail(answer, "application/json", b"[{\"content\":\"").await;
    }
    let mut posts = inner.timeline.lock().unwrap().clone();
    posts.sort_by_key(|(id, _)| *id);
    let limit = query.limit.min(40);
    let mut page: Vec<Value> = match query.min_id {
        Some(min_id) => posts.into_iter().filter(|(id, _)| *id > min_id).take(limit).map(|(_, post)| post).collect(),
        None => {
            let below = query.max_id.unwrap_or(u64::MAX);
            posts.retain(|(id, _)| *id < below);
            posts.into_iter().rev().take(limit).rev().map(|(_, post)| post).collect()
        }
    };
    page.reverse();
    axum::Json(page).into_response()
}

async fn streaming(State(inner): State<Arc<Inner>>) -> Response {
    let answer = inner.stream_answer.lock().unwrap().now();
    if answer != Answer::Good {
        inner.streams.send_modify(|streams| *streams += 1);
        return fail(answer, "text/event-stream", b":)\nevent: update\ndata: {\"content\":\"").await;
    }
    let live = inner.live.lock().unwrap().subscribe();
    inner.streams.send_modify(|streams| *streams += 1);
    let opening = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b":)\n"))]);
    let events = stream::unfold(live, |mut live| async { Some((Ok(live.recv().await.ok()?), live)) });
    ([("content-type", "text/event-stream")], Body::from_stream(opening.chain(events))).into_response()
}

async fn fail(answer: Answer, kind: &'static str, begin: &'static [u8]) -> Response {
    let begin = stream::iter([Ok::<_, io::Error>(Bytes::from_static(begin))]);
    let filler = Bytes::from(vec![b'x'; 256 * 1024]);
    match answer {
        Answer::Good => unreachable!("answered by the caller"),
        Answer::Status(code) => (
            StatusCode::from_u16(code).unwrap(),
            axum::Json(json!({"error": "This method requires an authenticated user"})),
        )
            .into_response(),
        Answer::Html => axum::response::Html("<!DOCTYPE html><p>Back soon").into_response(),
        Answer::Hang => std::future::pending().await,
        Answer::Reset => {
            let broken = stream::iter([Err(io::Error::other("reset"))]);
            ([("content-type", kind)], Body::from_stream(begin.chain(broken))).into_response()
        }
        Answer::EndlessLine => {
            let filler = stream::repeat_with(move || Ok(filler.clone()));
            ([("content-type", kind)], Body::from_stream(begin.chain(filler))).into_response()
        }
        Answer::HugeStatus => {
            let filler = stream::repeat_with(move || Ok(filler.clone())).take(400);
            let end = stream::iter([Ok(Bytes::from_static(b"\"}\n\n"))]);
            ([("content-type", kind)], Body::from_stream(begin.chain(filler).chain(end))).into_response()
        }
        Answer::Closed => ([("content-type", kind)], Body::empty()).into_response(),
        Answer::Thumps => slowly(kind, b":thump\n\n"),
        Answer::Drip => slowly(kind, b"x"),
        Answer::RedirectTo(_) => unreachable!("answered by the caller"),
        Answer::Limited(until) => (
            StatusCode::TOO_MANY_REQUESTS,
            [
                ("x-ratelimit-remaining", "0".to_owned()),
                ("x-ratelimit-reset", until.to_rfc3339_opts(SecondsFormat::Micros, true)),
            ],
        )
            .into_response(),
    }
}

/// Sends a few bytes, again and again.
fn slowly(kind: &'static str, bytes: &'static [u8]) -> Response {
    let bytes = stream::unfold((), move |()| async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Some((Ok::<_, Infallible>(Bytes::from_static(bytes)), ()))
    });
    ([("content-type", kind)], Body::from_stream(bytes)).into_response()
}
