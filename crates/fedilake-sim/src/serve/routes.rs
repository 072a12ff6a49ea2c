//! A server's HTTP routes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;

use super::access::{Bearer, Feed};
use super::connection::Peer;
use super::fault::{self, Fault};
use super::instance;
use super::server::Server;
use super::simulation::now_ms;
use super::stream;
use super::timeline::{Bounds, Scope};

/// All servers, for the control routes that reach beyond their own.
pub(crate) type Fleet = Arc<Vec<Arc<Server>>>;

type Here = State<Arc<Server>>;

/// The routes of one server.
pub(crate) fn router(server: Arc<Server>, fleet: Fleet) -> Router {
    let api = Router::new()
        .route("/api/v1/streaming/health", get(|| async { "OK" }))
        .route("/api/v1/streaming/public", get(|s: Here, h, q, p| stream_of(s, h, q, p, Scope::All)))
        .route("/api/v1/streaming/public/local", get(|s: Here, h, q, p| stream_of(s, h, q, p, Scope::Local)))
        .route("/api/v1/streaming/public/remote", get(|s: Here, h, q, p| stream_of(s, h, q, p, Scope::Remote)))
        .route("/api/v1/timelines/public", get(timeline))
        .route("/api/v1/statuses", get(statuses))
        .route("/api/v1/statuses/{id}", get(status))
        .route("/api/v1/instance", get(|State(server): Here| async move { Json(instance::v1(&server)) }))
        .route("/api/v2/instance", get(|State(server): Here| async move { Json(instance::v2(&server)) }))
        .route("/api/v1/instance/rules", get(|| async { Json(instance::rules()) }))
        .layer(middleware::from_fn_with_state(server.clone(), limited))
        .route(
            "/.well-known/nodeinfo",
            get(|State(server): Here| async move { Json(instance::well_known_nodeinfo(&server)) }),
        )
        .route("/nodeinfo/2.0", get(|State(server): Here| async move { Json(instance::nodeinfo(&server)) }))
        .route("/robots.txt", get(|| async { instance::ROBOTS }))
        .layer(middleware::from_fn_with_state(server.clone(), faulty));
    let control = Router::new()
        .route("/_sim/truth", get(truth))
        .route("/_sim/totals", get(|State(server): Here| async move { Json(server.totals()) }))
        .route("/_sim/fault", post(|server, query| set_fault(server, fleet, query)));
    api.merge(control).fallback(not_found).with_state(server)
}

async fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "Record not found")
}

fn refusal(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}

const HTML: &str = "<!DOCTYPE html>\n<html><head><title>Simulated server</title></head><body><p>We are sorry, but something \
                    is not as it should be.</p></body></html>\n";

/// Lets the present fault answer in the server's stead.
async fn faulty(State(server): Here, ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    let streaming = request.uri().path().starts_with("/api/v1/streaming/");
    let paging = request.uri().path() == "/api/v1/timelines/public";
    let mut faults = server.faults.watch();
    match faults.now() {
        Some(Fault::Hang) => {
            while faults.now() == Some(Fault::Hang) {
                tokio::select! {
                    () = faults.changed() => {}
                    () = server.stopping.cancelled() => break,
                }
            }
            peer.reset();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Some(Fault::Reset) => {
            peer.reset();
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        Some(Fault::TooManyRequests) => {
            let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, "Too many requests");
            let mut standing = server.throttle().count("nobody", false, now_ms() / 1_000);
            standing.remaining = 0;
            standing.add_to(response.headers_mut());
            response
        }
        Some(Fault::ServerError) => html(StatusCode::INTERNAL_SERVER_ERROR),
        Some(Fault::Html) => html(StatusCode::OK),
        Some(Fault::Unauthorized) => refusal(StatusCode::UNAUTHORIZED, "The access token was revoked"),
        Some(Fault::EndlessLine) if !streaming => {
            let line = fault::endless_line("[{\"id\":\"1\",\"content\":\"");
            json_body(Body::from_stream(line.take_until(Box::pin(server.fault_over()))))
        }
        Some(Fault::HugeStatus) if paging => {
            let (before, after) = (stream::HUGE_STATUS_START, stream::HUGE_STATUS_END);
            json_body(Body::from_stream(fault::huge(format!("[{before}"), format!("{after}]"))))
        }
        Some(Fault::Slow) if !streaming => {
            tokio::time::sleep(Duration::from_secs(3)).await;
            next.run(request).await
        }
        _ => next.run(request).await,
    }
}

fn html(status: StatusCode) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], HTML).into_response()
}

fn json_body(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

/// Query parameters that rate limits look at.
#[derive(Deserialize, Default)]
struct Asked {
    access_token: Option<String>,
    min_id: Option<String>,
    max_id: Option<String>,
    since_id: Option<String>,
}

/// Counts a request and refuses the one too many. Streams are another process on real servers, and have no limits.
async fn limited(State(server): Here, ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/api/v1/streaming/") {
        return next.run(request).await;
    }
    let asked = Query::<Asked>::try_from_uri(request.uri()).map(|query| query.0).unwrap_or_default();
    let client = match Bearer::of(request.headers(), asked.access_token.as_deref(), &server.tokens) {
        Bearer::Known(token) => token,
        Bearer::None | Bearer::Unknown => peer.address.ip().to_string(),
    };
    let paged = asked.min_id.is_some() || asked.max_id.is_some() || asked.since_id.is_some();
    let standing = server.throttle().count(&client, paged, now_ms() / 1_000);
    let mut response = if standing.refused {
        refusal(StatusCode::TOO_MANY_REQUESTS, "Too many requests")
    } else {
        next.run(request).await
    };
    standing.add_to(response.headers_mut());
    response
}

async fn stream_of(
    State(server): Here,
    headers: HeaderMap,
    query: Query<Asked>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    scope: Scope,
) -> Response {
    match Bearer::of(&headers, query.access_token.as_deref(), &server.tokens) {
        Bearer::Unknown => return refusal(StatusCode::UNAUTHORIZED, "Invalid access token"),
        Bearer::None if server.stream_needs_token || !matches!(server.feed, Feed::Public | Feed::Disabled) => {
            return refusal(StatusCode::UNAUTHORIZED, "Missing access token");
        }
        Bearer::None | Bearer::Known(_) => {}
    }
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "private, no-store")];
    (headers, stream::body(server, scope, peer)).into_response()
}

#[derive(Deserialize)]
struct Page {
    access_token: Option<String>,
    local: Option<String>,
    remote: Option<String>,
    limit: Option<String>,
    min_id: Option<String>,
    since_id: Option<String>,
    max_id: Option<String>,
}

const PAGE_DEFAULT: usize = 20;
const PAGE_MAX: usize = 40;

async fn timeline(State(server): Here, headers: HeaderMap, Query(asked): Query<Page>) -> Response {
    let bearer = Bearer::of(&headers, asked.access_token.as_deref(), &server.tokens);
    match (server.feed, bearer) {
        (_, Bearer::Unknown) => return refusal(StatusCode::UNAUTHORIZED, "The access token is invalid"),
        (Feed::Disabled, _) => return json_body("[]".into()),
        (Feed::Authenticated, Bearer::None) => {
            return refusal(StatusCode::UNPROCESSABLE_ENTITY, "This method requires an authenticated user");
        }
        (Feed::LimitedFederation, Bearer::None) => {
            return refusal(StatusCode::UNAUTHORIZED, "This API requires an authenticated user");
        }
        (Feed::Public, Bearer::None) | (_, Bearer::Known(_)) => {}
    }
    let yes = |flag: &Option<String>| flag.as_deref().is_some_and(|flag| !matches!(flag, "" | "0" | "false" | "f"));
    let scope = match (yes(&asked.local), yes(&asked.remote)) {
        (true, false) => Scope::Local,
        (false, true) => Scope::Remote,
        _ => Scope::All,
    };
    // A bound that is no number is ignored, as on real servers.
    let id = |given: &Option<String>| given.as_deref().and_then(|id| id.parse().ok());
    let bounds = Bounds { min: id(&asked.min_id), since: id(&asked.since_id), max: id(&asked.max_id) };
    let limit = asked.limit.as_deref().and_then(|limit| limit.parse().ok()).unwrap_or(PAGE_DEFAULT).min(PAGE_MAX);
    let ids = server.timeline().page(scope, bounds, limit);
    let mut response = json_body(write_statuses(&server, &ids).into());
    if let (Some(newest), Some(oldest)) = (ids.first(), ids.last()) {
        let base = format!("http://{}/api/v1/timelines/public?limit={limit}", server.name());
        let kept = match scope {
            Scope::All => "",
            Scope::Local => "&local=true",
            Scope::Remote => "&remote=true",
        };
        let link =
            format!("<{base}{kept}&max_id={oldest}>; rel=\"next\", <{base}{kept}&min_id={newest}>; rel=\"prev\"");
        response.headers_mut().insert(header::LINK, HeaderValue::from_str(&link).expect("digits and an address"));
    }
    response
}

fn write_statuses(server: &Server, ids: &[u64]) -> Vec<u8> {
    let posts: Vec<_> = {
        let timeline = server.timeline();
        ids.iter().filter_map(|id| timeline.get(*id).map(|entry| (*id, entry.post))).collect()
    };
    let mut out = b"[".to_vec();
    for (at, (id, post)) in posts.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        post.write_status(&server.map, server.index, *id, &mut out);
    }
    out.push(b']');
    out
}

/// `?id[]=1&id[]=2`: at most 20, in the order asked for, without those that are gone.
async fn statuses(State(server): Here, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    let ids: Vec<u64> = pairs
        .iter()
        .filter(|(name, _)| matches!(name.as_str(), "id[]" | "id"))
        .filter_map(|(_, id)| id.parse().ok())
        .take(20)
        .collect();
    json_body(write_statuses(&server, &ids).into())
}

async fn status(State(server): Here, Path(id): Path<String>) -> Response {
    let found = id.parse().ok().and_then(|id: u64| Some((id, server.timeline().get(id)?.post)));
    match found {
        Some((id, post)) => {
            let mut out = Vec::new();
            post.write_status(&server.map, server.index, id, &mut out);
            json_body(out.into())
        }
        None => not_found().await,
    }
}

#[derive(Deserialize)]
struct Part {
    after: Option<u64>,
    limit: Option<usize>,
}

async fn truth(State(server): Here, Query(part): Query<Part>) -> Response {
    let posts = server.truth(part.after.unwrap_or(0), part.limit.unwrap_or(usize::MAX));
    let mut out = Vec::new();
    for post in &posts {
        serde_json::to_writer(&mut out, post).expect("a struct of texts and numbers is JSON");
        out.push(b'\n');
    }
    ([(header::CONTENT_TYPE, "application/x-ndjson")], out).into_response()
}

#[derive(Deserialize)]
struct Wanted {
    kind: String,
    r#for: Option<String>,
    all: Option<bool>,
}

async fn set_fault(State(server): Here, fleet: Fleet, Query(wanted): Query<Wanted>) -> Response {
    let fault = match wanted.kind.as_str() {
        "none" => None,
        kind => match kind.parse() {
            Ok(fault) => Some(fault),
            Err(error) => return refusal(StatusCode::BAD_REQUEST, &format!("{error}")),
        },
    };
    let lasts = match wanted.r#for.as_deref().map(parse_duration) {
        None => None,
        Some(Some(lasts)) => Some(lasts),
        Some(None) => return refusal(StatusCode::BAD_REQUEST, "for is a duration such as 10s or 500ms"),
    };
    if wanted.all == Some(true) {
        fleet.iter().for_each(|server| server.faults.set(fault, lasts));
    } else {
        server.faults.set(fault, lasts);
    }
    StatusCode::NO_CONTENT.into_response()
}

/// `10s`, `500ms`, `2m`, or bare seconds.
fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len()));
    let number: f64 = number.parse().ok()?;
    let seconds = match unit {
        "" | "s" => number,
        "ms" => number / 1_000.0,
        "m" => number * 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(parse_duration("10s"), Some(Duration::from_secs(10)));
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("1.5m"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("3"), Some(Duration::from_secs(3)));
        assert_eq!(parse_duration("-3s"), None);
        assert_eq!(parse_duration("soon"), None);
    }
}
