//! The routes.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{self, DefaultBodyLimit};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{Router, get, post};
use fedilake_query::answer::sql::SqlErrorKind;
use fedilake_query::{Question, SqlError, SqlLimits};
use futures::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};

use super::access::{self, Gate};
use super::api::{
    CheckMessage, CheckRequest, NOTE_HEADER, REQUEST_BYTES_MAX, ServersAnswer, ServersRequest, SqlRequest,
};
use super::asking::{Asking, STOPPING};
use super::{METRICS_TEXT, Readiness, Standing, State, guard, heads, page, sealed, v1};
use crate::checked::{CheckReport, Progress};
use crate::lake_process::{LakeProcess, Piece, send_piece};
use crate::telemetry;

/// Parts of an answer on their way to the socket.
const ANSWER_PARTS_MAX: usize = 4;
/// The type of an SQL answer: blocks of an Arrow IPC stream, then the result.
const PIECES: HeaderValue = HeaderValue::from_static("application/vnd.fedilake.pieces");
const JSON_LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");
const ARROW_STREAM: HeaderValue = HeaderValue::from_static("application/vnd.apache.arrow.stream");

type Shared = extract::State<Arc<State>>;
type Refused = (StatusCode, String);

/// All routes, behind their guards.
pub(super) fn routes(state: Arc<State>, address: SocketAddr) -> Router {
    let readers = Router::new().nest(v1::BASE, v1::routes()).fallback(page::file);
    let gate = Gate { address, access: Arc::clone(&state.access) };
    let compressed =
        CompressionLayer::new().compress_when(DefaultPredicate::new().and(NotForContentType::const_new(v1::PARQUET)));
    let readers = readers
        .layer(from_fn_with_state(gate, access::admit))
        .layer(from_fn(heads::bounded))
        .layer(compressed)
        .layer(from_fn(sealed::sealed));
    let host = from_fn_with_state(address, guard::host);
    let guests = guests(&state).layer(host.clone());
    // An operator who listens beyond loopback wants other machines to read figures, by any host name.
    let figures = if address.ip().is_loopback() { figures().layer(host) } else { figures() };
    readers.merge(guests).merge(figures).with_state(state)
}

/// The routes for guests alone, where the others are answered with TLS, and the figures.
pub(super) fn routes_for_guests(state: Arc<State>, address: SocketAddr) -> Router {
    let host = from_fn_with_state(address, guard::host);
    guests(&state).merge(figures()).layer(host).with_state(state)
}

fn guests(state: &State) -> Router<Arc<State>> {
    Router::new()
        .route("/api/report", post(report))
        .route("/api/sql", post(sql))
        .route("/api/check", post(check))
        .route("/api/missing", post(missing))
        .route("/api/servers", post(servers))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
        .layer(from_fn_with_state(state.secret.clone(), guard::secret))
}

fn figures() -> Router<Arc<State>> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz)).route("/metrics", get(metrics))
}

/// Says that the process lives. Asks neither the lake nor the log, which may be busy.
async fn healthz() -> &'static str {
    "ok\n"
}

/// Answers whether the process can answer questions, and how far behind it is.
async fn readyz(extract::State(state): Shared) -> Readiness {
    let distance = (state.distance)();
    // A lake that hangs is not asked, because probes would wait for it one after another. It is seen to fall behind.
    let why_not = if !state.lake.is_open() {
        Some("the lake is being opened")
    } else if !distance.is_known {
        Some("the log was not asked yet")
    } else if !distance.has_caught_up {
        Some("the lake has not caught up with the log since the start")
    } else if distance.records > 0 && distance.seconds > state.behind_max.as_secs_f64() {
        Some("the lake is behind the log")
    } else {
        None
    };
    // The lake answers as ever while the log is away. To take it out of service would leave nobody who answers.
    let degraded = (distance.is_known && !distance.log_answers).then_some("the log does not answer");
    Readiness::unless(why_not, Standing::Behind(distance)).degraded(degraded)
}

async fn metrics(extract::State(state): Shared) -> impl IntoResponse {
    // The follower tells it when it takes something; with nothing to take it would tell of the last time for ever.
    let distance = (state.distance)();
    if distance.is_known && distance.records == 0 {
        metrics::gauge!("fedilake_lake_lag_seconds").set(distance.seconds);
    }
    for partition in distance.partitions {
        let label = partition.partition.to_string();
        metrics::gauge!("fedilake_lake_behind_records", "partition" => label).set(partition.records as f64);
    }
    ([(header::CONTENT_TYPE, METRICS_TEXT)], telemetry::metrics())
}

async fn report(extract::State(state): Shared, Json(question): Json<Question>) -> Result<Response, Refused> {
    let rows = on_lake(&state.lake, move |lake| lake.report(&question)).await?.map_err(internal)?;
    let mut response = ([(header::CONTENT_TYPE, ARROW_STREAM)], rows.ipc).into_response();
    if let Some(note) = rows.note.and_then(|note| HeaderValue::from_bytes(note.as_bytes()).ok()) {
        response.headers_mut().insert(NOTE_HEADER, note);
    }
    Ok(response)
}

/// Streams the rows as pieces, the last of which is the result: a statement can fail in the middle of its answer.
async fn sql(extract::State(state): Shared, Json(request): Json<SqlRequest>) -> Response {
    let asking = Asking::begin(&state.questions);
    let (sender, receiver) = mpsc::channel(ANSWER_PARTS_MAX);
    let lake = Arc::clone(&state.lake);
    let limits = SqlLimits { cancel: asking.cancel.clone(), ..state.sql_limits.clone() };
    let questions = state.questions.clone();
    tokio::task::spawn_blocking(move || {
        let mut out = ToChannel(&sender);
        let asked = lake.sql(&request.query, &limits, &mut out).map_err(|error| match error.kind {
            SqlErrorKind::Cancelled if questions.is_cancelled() => SqlError { message: STOPPING.to_owned(), ..error },
            _ => error,
        });
        // The guest may have gone away.
        let _ = serde_json::to_vec(&asked).map_err(std::io::Error::from).and_then(|end| out.send(&Piece::End(end)));
    });
    let pieces = ReceiverStream::new(receiver).map(Ok::<_, Infallible>).inspect(move |_| {
        // The question is wanted as long as somebody reads its answer.
        let _ = &asking;
    });
    ([(header::CONTENT_TYPE, PIECES)], Body::from_stream(pieces)).into_response()
}

/// How often a guest is told how far a check is.
const TOLD_EVERY: Duration = Duration::from_millis(200);

async fn check(extract::State(state): Shared, Json(request): Json<Option<CheckRequest>>) -> Result<Response, Refused> {
    let progress = Arc::<Progress>::default();
    let CheckRequest { progress: is_told, quick } = request.unwrap_or_default();
    if !is_told {
        return checked(&state, quick, &progress).await.map(|report| Json(report).into_response());
    }
    let (sender, receiver) = mpsc::channel(ANSWER_PARTS_MAX);
    tokio::spawn(async move {
        let mut check = pin!(checked(&state, quick, &progress));
        let mut looks = tokio::time::interval(TOLD_EVERY);
        loop {
            let message = tokio::select! {
                // The guest went away: dropped, the check is cancelled.
                () = sender.closed() => return,
                checked = &mut check => match checked {
                    Ok(report) => CheckMessage::Report(report),
                    Err((_, why)) => CheckMessage::Failed(why),
                },
                _ = looks.tick() => CheckMessage::Doing(progress.doing()),
            };
            let is_last = !matches!(message, CheckMessage::Doing(_));
            let mut line = serde_json::to_vec(&message).unwrap_or_default();
            line.push(b'\n');
            if sender.send(Ok::<_, Infallible>(Bytes::from(line))).await.is_err() || is_last {
                return;
            }
        }
    });
    Ok(([(header::CONTENT_TYPE, JSON_LINES)], Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

async fn checked(state: &State, quick: bool, progress: &Arc<Progress>) -> Result<CheckReport, Refused> {
    let asking = Asking::begin(&state.questions);
    tokio::select! {
        checked = (state.check)(quick, asking.cancel.clone(), Arc::clone(progress)) => {
            checked.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")))
        }
        () = state.questions.cancelled() => {
            Err((StatusCode::SERVICE_UNAVAILABLE, STOPPING.to_owned()))
        }
    }
}

/// The servers that this process reads, after those that are wanted were added or removed.
async fn servers(
    extract::State(state): Shared,
    Json(request): Json<ServersRequest>,
) -> Result<Json<ServersAnswer>, Refused> {
    let collectors = state.collectors.get();
    let mut said = Vec::new();
    if !(request.add.is_empty() && request.remove.is_empty()) {
        let Some(changes) = collectors.and_then(|collectors| collectors.changes.as_ref()) else {
            return Err((StatusCode::CONFLICT, NO_CHANGES.to_owned()));
        };
        let (answer, answered) = oneshot::channel();
        let gone = |_| (StatusCode::SERVICE_UNAVAILABLE, STOPPING.to_owned());
        changes.send((request, answer)).await.map_err(|_| gone(()))?;
        said = answered.await.map_err(|_| gone(()))?.map_err(|why| (StatusCode::UNPROCESSABLE_ENTITY, why))?;
    }
    let servers = serde_json::to_value(v1::servers_now(&state, chrono::Utc::now())).map_err(internal)?;
    let completeness = state.estimates.borrow().as_ref().clone();
    Ok(Json(ServersAnswer { collects: collectors.is_some(), said, servers, completeness }))
}

/// The refusal of a process whose servers are not its own.
const NO_CHANGES: &str = "the process that owns the data folder reads no servers of its own\n\
    hint: stop it first, or let `fedilake run` collect, store and answer in one process";

/// The offsets that the figures lack, a sentence for each range.
async fn missing(extract::State(state): Shared) -> Result<Json<Vec<String>>, Refused> {
    let positions = on_lake(&state.lake, |lake| lake.positions()).await?.map_err(internal)?;
    Ok(Json(crate::missing::sentences(&positions)))
}

async fn on_lake<T: Send + 'static>(
    lake: &Arc<LakeProcess>,
    ask: impl FnOnce(&LakeProcess) -> T + Send + 'static,
) -> Result<T, Refused> {
    let lake = Arc::clone(lake);
    tokio::task::spawn_blocking(move || ask(&lake)).await.map_err(internal)
}

fn internal(error: impl std::fmt::Display) -> Refused {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// Writes pieces to the socket as fast as it takes them.
struct ToChannel<'a>(&'a mpsc::Sender<Bytes>);

impl ToChannel<'_> {
    fn send(&self, piece: &Piece) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        send_piece(&mut bytes, piece)?;
        self.0.blocking_send(bytes.into()).map_err(|_| std::io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for ToChannel<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.send(&Piece::Block(bytes.to_vec()))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
