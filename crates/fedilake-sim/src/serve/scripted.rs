//! Answers that a test gives in a server's stead, by path.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};

/// An answer to every request of a path. Give it to [`Simulation::answer`](super::Simulation::answer).
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    rest: Rest,
    until: Option<DateTime<Utc>>,
}

/// The end of a body.
#[derive(Clone, Debug)]
enum Rest {
    Ends,
    Breaks,
    Repeats {
        bytes: Bytes,
        apart: Duration,
        times: usize,
    },
    /// Not even a head comes.
    Nothing,
}

impl Answer {
    /// An answer of this status, content type and body. Panics for a status below 100 or above 999.
    pub fn new(status: u16, kind: &'static str, body: impl Into<Bytes>) -> Answer {
        let status = StatusCode::from_u16(status).expect("a status of HTTP");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
        Answer { status, headers, body: body.into(), rest: Rest::Ends, until: None }
    }

    /// A text.
    pub fn text(status: u16, text: &str) -> Answer {
        Answer::new(status, "text/plain", text.to_owned())
    }

    /// A document with status 200.
    pub fn json(document: &Value) -> Answer {
        Answer::new(200, "application/json", document.to_string())
    }

    /// An error in Mastodon's form.
    pub fn refusal(status: u16, error: &str) -> Answer {
        Answer::new(status, "application/json", json!({"error": error}).to_string())
    }

    /// 302 to this address.
    pub fn redirect(to: &str) -> Answer {
        Answer::new(302, "text/html", "").header("location", to)
    }

    /// 429 until this time, which `X-RateLimit-Reset` names; later requests are for the server.
    pub fn limited(until: DateTime<Utc>) -> Answer {
        let reset = until.to_rfc3339_opts(SecondsFormat::Micros, true);
        let answer = Answer::refusal(429, "Too many requests").until(until);
        answer.header("x-ratelimit-remaining", "0").header("x-ratelimit-reset", &reset)
    }

    /// No answer: the connection stays open and silent.
    pub fn nothing() -> Answer {
        Answer { rest: Rest::Nothing, ..Answer::text(200, "") }
    }

    /// The same with a header. Panics for one that HTTP does not have.
    pub fn header(mut self, name: &'static str, value: &str) -> Answer {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header's value"));
        self
    }

    /// The same, but the connection breaks behind the body.
    pub fn breaks(self) -> Answer {
        Answer { rest: Rest::Breaks, ..self }
    }

    /// The same, with these bytes so many times behind the body.
    pub fn repeats(self, bytes: impl Into<Bytes>, apart: Duration, times: usize) -> Answer {
        Answer { rest: Rest::Repeats { bytes: bytes.into(), apart, times }, ..self }
    }

    /// The same up to this time; later requests are for the server.
    pub fn until(self, until: DateTime<Utc>) -> Answer {
        Answer { until: Some(until), ..self }
    }

    pub(crate) async fn respond(self) -> Response {
        let begin = stream::iter([Ok::<_, io::Error>(self.body.clone())]);
        let body = match self.rest {
            Rest::Ends => Body::from(self.body),
            Rest::Breaks => Body::from_stream(begin.chain(stream::iter([Err(io::ErrorKind::ConnectionReset.into())]))),
            Rest::Repeats { bytes, apart, times } => Body::from_stream(begin.chain(repeated(bytes, apart, times))),
            Rest::Nothing => std::future::pending().await,
        };
        (self.status, self.headers, body).into_response()
    }
}

fn repeated(bytes: Bytes, apart: Duration, times: usize) -> impl Stream<Item = io::Result<Bytes>> {
    stream::iter(0..times).then(move |_| {
        let bytes = bytes.clone();
        async move {
            if !apart.is_zero() {
                tokio::time::sleep(apart).await;
            }
            Ok(bytes)
        }
    })
}

/// The answers of a server that were set, the newest first.
#[derive(Default)]
pub(crate) struct Answers(Mutex<Vec<(String, Answer)>>);

impl Answers {
    /// Sets the answer of `requests`, or lets the server answer them again.
    pub(crate) fn set(&self, requests: &str, answer: Option<Answer>) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|(other, _)| other != requests);
        answers.splice(0..0, answer.map(|answer| (requests.to_owned(), answer)));
    }

    /// The answer to a request, if one was set for it.
    pub(crate) fn find(&self, uri: &Uri) -> Option<Answer> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |answer: &Answer| answer.until.is_none_or(|until| until > Utc::now());
        answers.iter().find(|(requests, answer)| is_of(uri, requests) && is_due(answer)).map(|(_, it)| it.clone())
    }
}

/// True if `requests`, a path's beginning and perhaps `?parameter`, means this address.
fn is_of(uri: &Uri, requests: &str) -> bool {
    let (path, parameter) = requests.split_once('?').map_or((requests, None), |(path, name)| (path, Some(name)));
    let query = uri.query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    uri.path().starts_with(path) && parameter.is_none_or(has)
}
