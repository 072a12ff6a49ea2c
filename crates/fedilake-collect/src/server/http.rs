//! The HTTP client: every request to a server goes through here.
//!
//! The client sends a contact in its User-Agent. Its time-outs end slow connections, dripping answers and silent
//! streams; its caps bound answers (also decompressed), frames and headers. It follows at most three redirects, none
//! of them from https to http, and none from a public server to this machine or into a private network.
//!
//! A token is sent to the host that it was given for, and to no other: redirects to another host lose it. The only
//! exception is the host that this server names for its streams, in a document that came over https, and again over
//! https ([`Source::stream`](crate::Source::stream)). Tokens and their URLs are never logged.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fedilake_model::json::Object;
use reqwest::header::{
    ACCEPT, CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE, USER_AGENT,
};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, StatusCode, Upgraded, Url, redirect};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::server::error::{SourceError, said};
use crate::server::guard::{ForbiddenHost, Guard, GuardedResolver};
use crate::server::limits;
use crate::server::reason;
use crate::server::robots::{self, Rules};
use crate::server::token::Token;

/// The client's behaviour towards every server.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where a server's admin learns who this is and can ask to stop: a URL or an e-mail address. Part of the
    /// User-Agent.
    pub contact: String,
    /// The time limit for a connection, including TLS.
    pub connect_timeout: Duration,
    /// The time limit for a whole answer.
    pub answer_timeout: Duration,
    /// The time limit for a stream's headers.
    pub open_timeout: Duration,
    /// The longest silence on a stream, in which heartbeats come every 15 s.
    pub silence_timeout: Duration,
    /// The longest answer.
    pub answer_bytes_max: usize,
    /// The longest frame of a stream.
    pub frame_bytes_max: usize,
}

impl HttpSettings {
    /// Limits that suit real servers, with `contact` in the User-Agent.
    pub fn new(contact: impl Into<String>) -> HttpSettings {
        HttpSettings {
            contact: contact.into(),
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            open_timeout: Duration::from_secs(15),
            silence_timeout: Duration::from_secs(60),
            answer_bytes_max: 16 << 20,
            frame_bytes_max: 4 << 20,
        }
    }
}

fn user_agent(contact: &str) -> Result<HeaderValue, HttpError> {
    let text = format!("fedilake/{} (+{contact})", env!("CARGO_PKG_VERSION"));
    HeaderValue::from_str(&text).map_err(|_| HttpError::Contact(contact.to_owned()))
}

/// Why the client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// TLS could not be set up.
    #[error("set up the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
    /// The contact is not valid in a header.
    #[error("invalid contact {0:?}: expected one line of text")]
    Contact(String),
}

/// The client. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    /// The client for WebSockets, which HTTP/2 does not have.
    sockets: Client,
    settings: Arc<HttpSettings>,
    user_agent: Arc<RwLock<HeaderValue>>,
    guard: Arc<Guard>,
    /// Requests that may be under way.
    turns: Arc<Semaphore>,
    waiting: Arc<Waiting>,
}

/// A complete answer with a status of success.
#[derive(Debug)]
pub struct Answer {
    /// The answer's headers.
    pub headers: HeaderMap,
    /// The answer's body, decompressed.
    pub body: Bytes,
    /// Where the answer came from, after redirects.
    pub url: Url,
}

const REDIRECTS_MAX: usize = 3;
/// The most bytes of headers in an HTTP/2 answer; over HTTP/1 hyper reads about 400 kB.
const HEADER_BYTES_MAX: u32 = 64 * 1024;
/// The longest text of a refusal.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

impl Http {
    /// A client with these settings. Fails if the contact is not valid in a header or TLS cannot be set up.
    pub fn new(settings: HttpSettings) -> Result<Http, HttpError> {
        Http::with(settings, Client::builder)
    }

    fn with(settings: HttpSettings, builder: impl Fn() -> ClientBuilder) -> Result<Http, HttpError> {
        let guard = Arc::new(Guard::new());
        let guarded = |builder: ClientBuilder| {
            let of_redirects = guard.clone();
            builder
                .connect_timeout(settings.connect_timeout)
                .redirect(redirect::Policy::custom(move |attempt| follow(&of_redirects, attempt)))
                .dns_resolver(Arc::new(GuardedResolver(guard.clone())))
                .referer(false)
                .pool_max_idle_per_host(1)
                .pool_idle_timeout(IDLE_FOR)
        };
        let client = guarded(builder()).http2_max_header_list_size(HEADER_BYTES_MAX).build()?;
        let sockets = guarded(builder()).http1_only().build()?;
        let user_agent = Arc::new(RwLock::new(user_agent(&settings.contact)?));
        let turns = Arc::new(Semaphore::new(REQUESTS_MAX));
        let waiting = Arc::new(Waiting::new());
        Ok(Http { client, sockets, settings: Arc::new(settings), user_agent, guard, turns, waiting })
    }

    /// Sends `contact` in every request from now on, for all clones.
    pub fn set_contact(&self, contact: &str) -> Result<(), HttpError> {
        *self.user_agent.write().unwrap_or_else(PoisonError::into_inner) = user_agent(contact)?;
        Ok(())
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Gets a document. Calls `each_headers` with the headers of every answer, refusals included.
    pub async fn get(
        &self,
        url: Url,
        token: Option<&Token>,
        mut each_headers: impl FnMut(StatusCode, &HeaderMap),
    ) -> Result<Answer, SourceError> {
        let path = said(url.path());
        let _turn = self.turn().await;
        let answer = async {
            let request = self.ask(&url, "application/json");
            let response = self.send(request, &url, token, &mut each_headers).await?;
            let (headers, url) = (response.headers().clone(), response.url().clone());
            let body = read(response, self.settings.answer_bytes_max, &path).await?;
            Ok(Answer { headers, body, url })
        };
        timeout(self.settings.answer_timeout, answer).await.unwrap_or_else(|_| {
            Err(SourceError::Unreachable { doing: "wait for an answer", why: "timed out".to_owned() })
        })
    }

    /// The rules in robots.txt of the host of `url`; `None` if there is no such file (4xx). Other failures do not tell.
    pub async fn robots(&self, url: &Url) -> Result<Option<Rules>, SourceError> {
        let mut url = url.clone();
        url.set_path("/robots.txt");
        url.set_query(None);
        let _turn = self.turn().await;
        let asked = async {
            let request = self.ask(&url, "text/plain");
            match self.send(request, &url, None, |_, _| {}).await {
                Ok(response) => read_start(response, robots::BYTES_MAX).await.map(|text| Some(Rules::parse(&text))),
                Err(SourceError::Refused { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        timeout(self.settings.answer_timeout, asked).await.unwrap_or_else(|_| {
            Err(SourceError::Unreachable { doing: "wait for robots.txt", why: "timed out".to_owned() })
        })
    }

    /// A request for a whole answer.
    fn ask(&self, url: &Url, accepted: &'static str) -> RequestBuilder {
        let request = self.client.get(url.clone()).header(ACCEPT, accepted);
        match self.waiting.may_one_more() {
            true => request,
            // HTTP/2, whose connection has the stream too, does not send this header.
            false => request.header(CONNECTION, "close"),
        }
    }

    /// Opens a stream of server-sent events. `each_headers` as in [`Http::get`].
    pub async fn stream(
        &self,
        url: Url,
        token: Option<&Token>,
        each_headers: impl FnMut(StatusCode, &HeaderMap),
    ) -> Result<Stream, SourceError> {
        let path = said(url.path());
        let request = self.client.get(url.clone()).header(ACCEPT, EVENT_STREAM);
        let response = self.open(request, &url, token, each_headers).await?;
        let kind = response.headers().get(reqwest::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_stream =
            |kind: &str| kind.get(..EVENT_STREAM.len()).is_some_and(|kind| kind.eq_ignore_ascii_case(EVENT_STREAM));
        if !kind.is_some_and(is_stream) {
            let why = format!("expected {EVENT_STREAM}, got {}", said(kind.unwrap_or("no content type")));
            return Err(SourceError::Malformed { path, why });
        }
        Ok(Stream::new(response, self.settings.silence_timeout))
    }

    /// Opens a WebSocket. `each_headers` as in [`Http::get`].
    pub(crate) async fn upgrade(
        &self,
        url: Url,
        token: Option<&Token>,
        each_headers: impl FnMut(StatusCode, &HeaderMap),
    ) -> Result<Upgraded, SourceError> {
        let path = said(url.path());
        let key = generate_key();
        let request = self
            .sockets
            .get(url.clone())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key);
        let response = self.open(request, &url, token, each_headers).await?;
        let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).and_then(|accepted| accepted.to_str().ok());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS || accepted != Some(&*derive_accept_key(key.as_bytes()))
        {
            let why = format!("expected a WebSocket, got {}", response.status());
            return Err(SourceError::Malformed { path, why });
        }
        response.upgrade().await.map_err(|error| unreachable("open the socket", error))
    }

    async fn open(
        &self,
        request: RequestBuilder,
        url: &Url,
        token: Option<&Token>,
        each_headers: impl FnMut(StatusCode, &HeaderMap),
    ) -> Result<Response, SourceError> {
        let _turn = self.turn().await;
        let opened = timeout(self.settings.open_timeout, self.send(request, url, token, each_headers)).await;
        opened.unwrap_or_else(|_| {
            Err(SourceError::Unreachable { doing: "wait for the stream to open", why: "timed out".to_owned() })
        })
    }

    /// Waits until the request may begin: it may until this is dropped.
    async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns.acquire().await.expect("it is never closed")
    }

    /// The longest silence of a stream.
    pub(crate) fn silence_timeout(&self) -> Duration {
        self.settings.silence_timeout
    }

    /// The cap on a frame of a stream.
    pub fn frame_bytes_max(&self) -> usize {
        self.settings.frame_bytes_max
    }

    async fn send(
        &self,
        request: RequestBuilder,
        url: &Url,
        token: Option<&Token>,
        mut each_headers: impl FnMut(StatusCode, &HeaderMap),
    ) -> Result<Response, SourceError> {
        let path = said(url.path());
        let user_agent = self.user_agent.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut request = request.header(USER_AGENT, user_agent);
        if let Some(token) = token {
            request = request.bearer_auth(token.as_str());
        }
        let response = request.send().await.map_err(|error| unreachable("connect", error))?;
        each_headers(response.status(), response.headers());
        let wait = limits::wait_told(response.status(), response.headers(), chrono::Utc::now());
        match (response.status(), wait) {
            (status, _) if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS => Ok(response),
            (StatusCode::TOO_MANY_REQUESTS, Some(wait)) => Err(SourceError::RateLimited { wait }),
            (status, wait) if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                Err(SourceError::Failed { status, path, wait })
            }
            (status, _) => {
                let said = read(response, REFUSAL_BYTES_MAX, &path).await.ok();
                Err(SourceError::Refused { status, path, message: said.and_then(|body| message(&body)) })
            }
        }
    }
}

const EVENT_STREAM: &str = "text/event-stream";

/// The most requests under way at once, those that open streams among them. When thousands of servers drop at once, or at a start, each
/// opens its stream and asks for pages; without a bound the connections would take the files that the log needs.
const REQUESTS_MAX: usize = 1_024;
/// How long a connection waits for another request, longer than the usual pauses between two: each server of thousands would keep one beside
/// its stream.
const IDLE_FOR: Duration = Duration::from_secs(5);
/// The most connections that begin to wait within [`IDLE_FOR`].
const WAITING_MAX: usize = 512;

/// How many connections were let wait for another request. They are closed within twice [`IDLE_FOR`], so that less than four times
/// [`WAITING_MAX`] wait, however many servers are asked.
#[derive(Debug)]
struct Waiting(Mutex<(Instant, usize)>);

impl Waiting {
    fn new() -> Waiting {
        Waiting(Mutex::new((Instant::now(), 0)))
    }

    fn may_one_more(&self) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.0.elapsed() >= IDLE_FOR {
            *counted = (Instant::now(), 0);
        }
        counted.1 += 1;
        counted.1 <= WAITING_MAX
    }
}

/// A stream of bytes that is open.
#[derive(Debug)]
pub struct Stream {
    response: Response,
    silence_timeout: Duration,
    /// When the present silence becomes too long, however often the caller waits anew.
    silent_at: Instant,
}

impl Stream {
    fn new(response: Response, silence_timeout: Duration) -> Stream {
        Stream { response, silence_timeout, silent_at: Instant::now() + silence_timeout }
    }

    /// The next bytes; an error when the stream ends, breaks, or is silent for too long. Cancel-safe.
    pub async fn next(&mut self) -> Result<Bytes, SourceError> {
        match timeout_at(self.silent_at, self.response.chunk()).await {
            Ok(Ok(Some(bytes))) => {
                self.silent_at = Instant::now() + self.silence_timeout;
                Ok(bytes)
            }
            Ok(Ok(None)) => Err(SourceError::Ended),
            Ok(Err(error)) => Err(unreachable("read the stream", error)),
            Err(_) => {
                let why = format!("not even a heartbeat for {} s", self.silence_timeout.as_secs());
                Err(SourceError::Unreachable { doing: "read the stream", why })
            }
        }
    }
}

async fn read(mut response: Response, bytes_max: usize, path: &str) -> Result<Bytes, SourceError> {
    let too_long = SourceError::TooLong { what: "an answer", bytes_max };
    if response.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Err(too_long);
    }
    let mut body = BytesMut::new();
    while let Some(bytes) = response.chunk().await.map_err(|error| unreachable("read an answer", error))? {
        if body.len() + bytes.len() > bytes_max {
            return Err(too_long);
        }
        body.extend_from_slice(&bytes);
    }
    tracing::trace!(path, bytes = body.len(), "answer");
    Ok(body.freeze())
}

/// The first `bytes` of an answer, or all of it.
async fn read_start(mut response: Response, bytes: usize) -> Result<Bytes, SourceError> {
    let mut body = BytesMut::new();
    while body.len() < bytes
        && let Some(more) = response.chunk().await.map_err(|error| unreachable("read robots.txt", error))?
    {
        body.extend_from_slice(&more);
    }
    body.truncate(bytes);
    Ok(body.freeze())
}

/// The text of a refusal: Mastodon's `{"error": "…"}`, cut to one line.
fn message(body: &Bytes) -> Option<String> {
    let body = Object::parse(body).ok()?;
    let text = said(body.text_at(&["error"])?);
    (!text.is_empty()).then_some(text)
}

fn follow(guard: &Guard, attempt: redirect::Attempt<'_>) -> redirect::Action {
    let was_https = attempt.previous().iter().any(|url| url.scheme() == "https");
    let from = attempt.previous().first().unwrap_or(attempt.url());
    if attempt.previous().len() > REDIRECTS_MAX {
        attempt.error("too many redirects")
    } else if was_https && attempt.url().scheme() != "https" {
        attempt.error("a redirect from https to http")
    } else if let Err(forbidden) = guard.check(from, attempt.url()) {
        attempt.error(forbidden)
    } else {
        attempt.follow()
    }
}

/// The error for a request that brought no answer: its innermost cause in words, because reqwest's own repeat the URL.
pub fn unreachable(doing: &'static str, error: reqwest::Error) -> SourceError {
    if error.is_timeout() {
        return SourceError::Unreachable { doing, why: "timed out".to_owned() };
    }
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    loop {
        if let Some(ForbiddenHost(host)) = cause.downcast_ref() {
            return SourceError::Forbidden { host: said(host) };
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None => return SourceError::Unreachable { doing, why: said(&reason::in_words(cause)) },
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server on loopback that answers every request with these bytes, and the number of its answers.
    pub(crate) async fn answering(answer: String) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, answered) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let count = answered.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = socket.read(&mut request).await;
                count.fetch_add(1, Ordering::SeqCst);
                let _ = socket.write_all(answer.as_bytes()).await;
            }
        });
        (address, answered)
    }

    /// A server on loopback that keeps its connections, and the numbers of those that came and of those that the client closed.
    async fn keeping() -> (Url, Arc<[AtomicUsize; 2]>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let counts = Arc::<[AtomicUsize; 2]>::default();
        let counted = counts.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let counts = counted.clone();
                tokio::spawn(async move {
                    counts[0].fetch_add(1, Ordering::SeqCst);
                    let mut request = [0; 4096];
                    while socket.read(&mut request).await.is_ok_and(|bytes| bytes > 0) {
                        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
                    }
                    counts[1].fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        (url, counts)
    }

    #[tokio::test]
    async fn only_so_many_connections_wait_for_another_request() {
        let (url, counts) = keeping().await;
        let http = Http::new(HttpSettings::new("a")).unwrap();
        *http.waiting.0.lock().unwrap() = (Instant::now() + Duration::from_secs(600), WAITING_MAX - 5);
        for _ in 0..15 {
            http.get(url.clone(), None, |_, _| {}).await.unwrap();
        }
        let came = || counts[0].load(Ordering::SeqCst);
        // The sixth uses the connection of the first five, and closes it.
        assert_eq!(came(), 10);
        let closed = async {
            while counts[1].load(Ordering::SeqCst) < came() {
                tokio::task::yield_now().await;
            }
        };
        timeout(IDLE_FOR, closed).await.expect("they are closed at once");
    }

    #[test]
    fn later_connections_may_wait_again() {
        let waiting = Waiting::new();
        let allowed = || (0..2 * WAITING_MAX).filter(|_| waiting.may_one_more()).count();
        *waiting.0.lock().unwrap() = (Instant::now() + Duration::from_secs(600), 0);
        assert_eq!(allowed(), WAITING_MAX);
        *waiting.0.lock().unwrap() = (Instant::now() - IDLE_FOR, WAITING_MAX);
        assert!(waiting.may_one_more());
    }

    /// A client for which `stranger.example` is at `address`.
    pub(crate) fn client(address: SocketAddr) -> Http {
        let settings = HttpSettings { answer_timeout: Duration::from_secs(5), ..HttpSettings::new("a") };
        Http::with(settings, || Client::builder().no_proxy().resolve("stranger.example", address)).unwrap()
    }

    pub(crate) fn json(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    async fn redirected(to: &str, listed: Option<&Url>) -> Result<Answer, SourceError> {
        let answer = format!("HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        let (stranger, _) = answering(answer).await;
        let http = client(stranger);
        listed.into_iter().for_each(|listed| http.guard().list(listed));
        let url = Url::parse(&format!("http://stranger.example:{}/api", stranger.port())).unwrap();
        http.get(url, None, |_, _| {}).await
    }

    #[tokio::test]
    async fn a_stranger_redirects_to_no_address_inside_unless_that_is_listed() {
        let (inside, asked) = answering(json("{}")).await;
        for to in [
            format!("http://{inside}/"),
            format!("http://localhost:{}/", inside.port()),
            "http://169.254.169.254/".to_owned(),
        ] {
            let error = redirected(&to, None).await.unwrap_err();
            assert!(matches!(error, SourceError::Forbidden { .. }), "{to}: {error}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        let listed = Url::parse(&format!("http://{inside}")).unwrap();
        assert_eq!(redirected(&format!("http://{inside}/"), Some(&listed)).await.unwrap().body, "{}");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_redirect_leads_to_nothing_but_web_servers() {
        for to in ["file:///etc/passwd", "ftp://a.example", "gopher://127.0.0.1:6379/_FLUSHALL"] {
            let error = redirected(to, None).await.unwrap_err();
            assert!(!matches!(error, SourceError::Malformed { .. }), "{to}: {error}");
        }
    }

    #[test]
    fn a_contact_that_cannot_stand_in_a_header_is_refused() {
        let http = Http::new(HttpSettings::new("a")).unwrap();
        assert!(http.set_contact("two\nlines").is_err());
        assert!(http.set_contact("https://example.org").is_ok());
        assert!(Http::new(HttpSettings::new("two\nlines")).is_err());
    }
}
