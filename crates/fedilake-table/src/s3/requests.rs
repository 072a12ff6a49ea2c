//! Requests to a store: each is counted, limited in time, and marked as worth another try if no answer came.
//!
//! Requests are counted here and not at the store's methods, because a listing is a request for each thousand names,
//! and each try costs. Metrics: `fedilake_store_requests_total{kind=…}` and
//! `fedilake_store_bytes_total{direction=in|out}`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use async_trait::async_trait;
use metrics::counter;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

/// The number of requests to a store, each try counted.
#[derive(Debug, Default)]
pub struct Requests {
    kinds: [AtomicU64; RequestKind::ALL.len()],
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// The figures of [`Requests`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// Pages of listings.
    pub list: u64,
    /// Objects read, whole or in part.
    pub get: u64,
    /// Objects whose size was asked for, without their content.
    pub head: u64,
    /// Objects written, or refused because the name was taken.
    pub put: u64,
    /// Objects deleted.
    pub delete: u64,
    /// Requests for credentials, which go to other hosts.
    pub credentials: u64,
    /// Bytes of the answers' bodies, by their `Content-Length`.
    pub bytes_in: u64,
    /// Bytes of the requests' bodies.
    pub bytes_out: u64,
}

impl Requests {
    /// The figures so far.
    pub fn counts(&self) -> RequestCounts {
        let [list, get, head, put, delete, credentials] =
            RequestKind::ALL.map(|kind| self.kinds[kind as usize].load(Relaxed));
        let (bytes_in, bytes_out) = (self.bytes_in.load(Relaxed), self.bytes_out.load(Relaxed));
        RequestCounts { list, get, head, put, delete, credentials, bytes_in, bytes_out }
    }

    fn sent(&self, kind: RequestKind, bytes: u64) {
        self.kinds[kind as usize].fetch_add(1, Relaxed);
        self.bytes_out.fetch_add(bytes, Relaxed);
        counter!("fedilake_store_requests_total", "kind" => kind.name()).increment(1);
        counter!("fedilake_store_bytes_total", "direction" => "out").increment(bytes);
    }

    fn received(&self, bytes: u64) {
        self.bytes_in.fetch_add(bytes, Relaxed);
        counter!("fedilake_store_bytes_total", "direction" => "in").increment(bytes);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RequestKind {
    List,
    Get,
    Head,
    Put,
    Delete,
    Credentials,
}

impl RequestKind {
    const ALL: [RequestKind; 6] = [
        RequestKind::List,
        RequestKind::Get,
        RequestKind::Head,
        RequestKind::Put,
        RequestKind::Delete,
        RequestKind::Credentials,
    ];

    fn of(request: &HttpRequest, host: &str) -> RequestKind {
        if request.uri().authority().is_none_or(|authority| authority.as_str() != host) {
            return RequestKind::Credentials;
        }
        match request.method().as_str() {
            "GET" if request.uri().query().is_some_and(|query| query.contains("list-type=")) => RequestKind::List,
            "HEAD" => RequestKind::Head,
            "PUT" => RequestKind::Put,
            "DELETE" => RequestKind::Delete,
            _ => RequestKind::Get,
        }
    }

    fn name(self) -> &'static str {
        match self {
            RequestKind::List => "list",
            RequestKind::Get => "get",
            RequestKind::Head => "head",
            RequestKind::Put => "put",
            RequestKind::Delete => "delete",
            RequestKind::Credentials => "credentials",
        }
    }
}

/// Makes HTTP clients that count.
#[derive(Clone, Debug)]
pub(super) struct Counting {
    requests: Arc<Requests>,
    /// The store's host and port; requests to any other host are for credentials.
    host: String,
}

impl Counting {
    pub(super) fn new(requests: Arc<Requests>, host: String) -> Counting {
        Counting { requests, host }
    }
}

impl HttpConnector for Counting {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // A reader may take its time with an answer, so only the answer's silences are limited.
        let reading = ReqwestConnector::default().connect(&options.clone().with_read_timeout(SILENCE_MAX))?;
        let writing = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Counted { counting: self.clone(), reading, writing }))
    }
}

/// The longest silence of a store.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Additional time for a request's body: even a slow line sends two megabits a second.
const BODY_BYTES_A_SECOND_MIN: u64 = 256 * 1024;

#[derive(Debug)]
struct Counted {
    counting: Counting,
    reading: HttpClient,
    writing: HttpClient,
}

#[async_trait]
impl HttpService for Counted {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let kind = RequestKind::of(&request, &self.counting.host);
        let bytes_out = request.body().content_length() as u64;
        self.counting.requests.sent(kind, bytes_out);
        let client = if bytes_out == 0 { &self.reading } else { &self.writing };
        let time = SILENCE_MAX + Duration::from_secs(bytes_out / BODY_BYTES_A_SECOND_MIN);
        let answer = async {
            let response = client.execute(request).await?;
            let length = response.headers().get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
            if kind != RequestKind::Head {
                self.counting.requests.received(length.unwrap_or(0));
            }
            match kind {
                // A listing is small and read at once; reading it here sends the request again if it breaks off.
                RequestKind::List => whole(response).await,
                _ => Ok(response),
            }
        };
        match tokio::time::timeout(time, answer).await {
            Ok(answer) => answer.map_err(again),
            Err(elapsed) => Err(HttpError::new(HttpErrorKind::Request, elapsed)),
        }
    }
}

async fn whole(response: HttpResponse) -> Result<HttpResponse, HttpError> {
    let (parts, body) = response.into_parts();
    Ok(HttpResponse::from_parts(parts, body.bytes().await?.into()))
}

/// Marks the error as one after which the request is sent again. The client itself does so only if the first try
/// certainly did nothing. Here every request may be sent twice: reads, deletes, and create-only puts, the second of
/// which is refused.
fn again(error: HttpError) -> HttpError {
    match error.kind() {
        HttpErrorKind::Connect | HttpErrorKind::Request => error,
        _ => HttpError::new(HttpErrorKind::Request, error),
    }
}
