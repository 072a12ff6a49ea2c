//! `/api/v1/streaming`: who may listen, and to what.

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::access::Bearer;
use super::answer::{not_found, refusal};
use super::channel::{Channel, Given};
use super::connection::Peer;
use super::listener::Listener;
use super::server::Server;
use super::socket::Socket;
use super::stream;
use super::timelines::is_set;

/// The query of a stream.
#[derive(Deserialize, Default)]
pub(crate) struct Asked {
    access_token: Option<String>,
    stream: Option<String>,
    tag: Option<String>,
    list: Option<String>,
    only_media: Option<String>,
}

/// `GET /api/v1/streaming/public/local` and its like: SSE.
pub(crate) async fn events(
    State(server): State<Arc<Server>>,
    Path(path): Path<String>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
    ConnectInfo(peer): ConnectInfo<Peer>,
) -> Response {
    if !server.software().has_events() {
        return not_found();
    }
    let known = match Bearer::of(&headers, asked.access_token.as_deref(), &server).listens(&server) {
        Ok(known) => known,
        Err(error) => return refusal(StatusCode::UNAUTHORIZED, error),
    };
    let media = if path.starts_with("public") && is_set(&asked.only_media) { ":media" } else { "" };
    let given = Given { tag: asked.tag.as_deref(), list: asked.list.as_deref(), is_member: known.is_some() };
    match Channel::parse(&format!("{}{media}", path.replace('/', ":")), &given) {
        Ok(channel) => {
            let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "private, no-store")];
            (headers, stream::body(Listener::open(server, peer, known.as_ref()), channel)).into_response()
        }
        Err((status, error)) => refusal(status, error),
    }
}

/// `GET /api/v1/streaming`: a WebSocket. Its token stands in the Authorization header, in `access_token`, or where a
/// browser can put it: as the protocol asked for.
pub(crate) async fn socket(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if !server.software().has_sockets() {
        return not_found();
    }
    let Ok(upgrade) = upgrade else { return refusal(StatusCode::BAD_REQUEST, "Unknown channel requested") };
    let protocol = headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok());
    let known = match Bearer::of(&headers, asked.access_token.as_deref().or(protocol), &server).listens(&server) {
        Ok(known) => known,
        Err(error) => {
            let headers = [("x-error-message", error), ("connection", "close"), ("content-type", "text/plain")];
            return (StatusCode::UNAUTHORIZED, headers).into_response();
        }
    };
    let listener = Listener::open(server, peer, known.as_ref());
    let first = asked.stream.map(|stream| (stream, asked.tag, asked.list));
    let protocols: Vec<String> = protocol.map(str::to_owned).into_iter().collect();
    upgrade.protocols(protocols).on_upgrade(move |socket| Socket::new(socket, listener, known.as_ref()).serve(first))
}
