//! A server's HTTP routes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::StreamExt;
use serde::Deserialize;

use super::access::Bearer;
use super::answer::{json_body, not_found, refusal, sorry};
use super::apps;
use super::authorization;
use super::connection::Peer;
use super::control;
use super::fault::{self, Fault};
use super::grant;
use super::instance;
use super::limits::{Client, Standing};
use super::manner::http_date;
use super::member;
use super::server::Server;
use super::simulation::now_ms;
use super::stage::Stage;
use super::stream;
use super::streaming;
use super::timelines;
use super::tokens::Holder;

/// All servers of a simulation.
pub(crate) type Fleet = Arc<Vec<Arc<Server>>>;

type Here = State<Arc<Server>>;

/// The routes of one server.
pub(crate) fn router(server: Arc<Server>, stage: Arc<Stage>) -> Router {
    let api = Router::new()
        .route("/api/v1/streaming/health", get(|| async { "OK" }))
        .route("/api/v1/streaming", get(streaming::socket))
        .route("/api/v1/streaming/{*channel}", get(streaming::events))
        .route("/api/v1/apps", post(apps::register))
        .route("/api/v1/apps/verify_credentials", get(apps::verify))
        .route("/api/v1/accounts/verify_credentials", get(member::verify))
        .route("/api/v1/timelines/public", get(timelines::public))
        .route("/api/v1/timelines/tag/{tag}", get(timelines::tag))
        .route("/api/v1/timelines/list/{id}", get(timelines::list))
        .route("/api/v1/lists", get(timelines::lists))
        .route("/api/v1/statuses", get(timelines::statuses))
        .route("/api/v1/statuses/{id}", get(timelines::status))
        .route("/api/v1/instance", get(|State(server): Here| async move { Json(instance::v1(&server)) }))
        .route(
            "/api/v2/instance",
            get(|State(server): Here| async move {
                instance::v2(&server).map_or_else(not_found, |document| Json(document).into_response())
            }),
        )
        .route("/api/v1/instance/rules", get(|| async { Json(instance::rules()) }))
        .layer(middleware::from_fn_with_state(server.clone(), limited))
        .route("/oauth/authorize", get(authorization::ask).post(authorization::answer))
        .route("/oauth/authorize/native", get(authorization::native))
        .route("/oauth/token", post(grant::token))
        .route("/oauth/revoke", post(grant::revoke))
        .route(
            "/.well-known/oauth-authorization-server",
            get(|State(server): Here| async move { Json(instance::oauth_server(&server)) }),
        )
        .route(
            "/.well-known/nodeinfo",
            get(|State(server): Here| async move { Json(instance::well_known_nodeinfo(&server)) }),
        )
        .route("/nodeinfo/2.0", get(|State(server): Here| async move { Json(instance::nodeinfo(&server)) }))
        .route("/robots.txt", get(|State(server): Here| async move { instance::robots(&server) }))
        .layer(middleware::from_fn_with_state(server.clone(), faulty));
    let exact = api.merge(control::router(stage)).fallback(|| async { not_found() }).with_state(server);
    // Rails takes no notice of slashes at a path's end.
    Router::new().fallback_service(exact).layer(middleware::map_request(without_slash))
}

async fn without_slash(mut request: Request) -> Request {
    let path = request.uri().path();
    let plain = path.trim_end_matches('/');
    if plain.len() < path.len() && !plain.is_empty() {
        let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = format!("{plain}{query}").parse().ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// Lets the present fault answer in the server's stead.
async fn faulty(State(server): Here, ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    let streaming = is_streaming(&request);
    let paging = request.uri().path().starts_with("/api/v1/timelines/");
    server.visits.note(&request);
    if let Some(answer) = server.answers.find(request.uri()) {
        if streaming {
            server.visits.note_stream();
        }
        return tokio::select! {
            response = answer.respond() => response,
            () = server.stopping.cancelled() => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        };
    }
    let mut faults = server.faults.watch();
    let fault = faults.now();
    peer.drip(fault == Some(Fault::Drip));
    match fault {
        Some(Fault::Hang | Fault::Headerless) if fault == Some(Fault::Hang) || streaming => {
            while faults.now() == fault {
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
            let nobody = Client::token(String::new(), false);
            let standing = server.throttle().count(&nobody, false, now_ms() / 1_000);
            let standing = Standing { remaining: 0, refused: true, ..standing };
            server.tell_limits(standing, response.headers_mut());
            response
        }
        Some(Fault::ServerError) => sorry(StatusCode::INTERNAL_SERVER_ERROR),
        Some(Fault::Html) => sorry(StatusCode::OK),
        Some(Fault::Unauthorized) => refusal(StatusCode::UNAUTHORIZED, "The access token was revoked"),
        Some(Fault::Restart) if streaming => sorry(StatusCode::BAD_GATEWAY),
        Some(Fault::Revoked) if Bearer::is_given(&request) => {
            refusal(StatusCode::UNAUTHORIZED, "The access token was revoked")
        }
        Some(Fault::Forbidden) => refusal(StatusCode::FORBIDDEN, "This action is not allowed"),
        Some(Fault::Gone) => refusal(StatusCode::GONE, "Gone"),
        Some(Fault::Unprocessable) => {
            refusal(StatusCode::UNPROCESSABLE_ENTITY, "This method requires an authenticated user")
        }
        Some(Fault::BadGateway) => sorry(StatusCode::BAD_GATEWAY),
        Some(Fault::Unavailable) => unavailable(&server),
        Some(Fault::Redirected) if !is_for_localhost(&request) => {
            let target = request.uri().path_and_query().map_or("/", |path| path.as_str());
            let location = format!("http://localhost:{}{target}", server.address.port());
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response()
        }
        Some(Fault::Skewed) => {
            let mut response = next.run(request).await;
            response.headers_mut().insert(header::DATE, http_date(chrono::Utc::now() + server.ahead()));
            response
        }
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

/// 503, with a Retry-After.
fn unavailable(server: &Server) -> Response {
    let after = server.manner.retry_after(chrono::TimeDelta::seconds(2), chrono::Utc::now());
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, after)], "Service Unavailable\n").into_response()
}

fn is_for_localhost(request: &Request) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    host.is_some_and(|host| host.starts_with("localhost"))
}

fn is_streaming(request: &Request) -> bool {
    request.uri().path().starts_with("/api/v1/streaming")
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
    if is_streaming(&request) {
        return next.run(request).await;
    }
    let asked = Query::<Asked>::try_from_uri(request.uri()).map(|query| query.0).unwrap_or_default();
    let client = match Bearer::of(request.headers(), asked.access_token.as_deref(), &server) {
        Bearer::Known(known) => Client::token(known.text, known.token.holder == Holder::User),
        Bearer::None | Bearer::Revoked | Bearer::Unknown => Client::at(peer.address.ip()),
    };
    let paged = asked.min_id.is_some() || asked.max_id.is_some() || asked.since_id.is_some();
    let standing = server.throttle().count(&client, paged, now_ms() / 1_000);
    let mut response = if standing.refused {
        refusal(StatusCode::TOO_MANY_REQUESTS, "Too many requests")
    } else {
        next.run(request).await
    };
    server.tell_limits(standing, response.headers_mut());
    response
}
