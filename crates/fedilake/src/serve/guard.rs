//! The guards of the routes. Any web page that a person opens can send requests to this machine's ports, so the Host must be this
//! address (a name that was re-bound to it is refused), and every route for guests needs the secret of the lock file.
//! Readers have rules of their own ([`super::access`]).

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::api::SECRET_HEADER;
use super::connections::Caller;

/// Refuses a Host that is not this server's address or a loopback name with its port.
pub(super) async fn host(
    State(address): State<SocketAddr>,
    request: Request,
    next: Next,
) -> Result<Response, (StatusCode, String)> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if names_of_this_machine(address).iter().any(|name| name == host) {
        return Ok(next.run(request).await);
    }
    Err((StatusCode::FORBIDDEN, format!("this is {address}, not {host:?}\n")))
}

/// The address, and the loopback names with its port.
pub(super) fn names_of_this_machine(address: SocketAddr) -> [String; 4] {
    let port = address.port();
    [address.to_string(), format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")]
}

/// Refuses a request without the secret.
pub(super) async fn secret(
    State(secret): State<String>,
    Extension(caller): Extension<Arc<Caller>>,
    request: Request<Body>,
    next: Next,
) -> Result<Response, (StatusCode, &'static str)> {
    if !sent_secret(request.headers()).is_some_and(|sent| equal_in_constant_time(sent, secret.as_bytes())) {
        return Err((StatusCode::UNAUTHORIZED, "the secret of the data folder's lock file is needed\n"));
    }
    if !caller.become_guest() {
        return Err((
            StatusCode::SERVICE_UNAVAILABLE,
            "the process that owns the data folder answers as many questions at once as it can\nhint: ask again later\n",
        ));
    }
    Ok(next.run(request).await)
}

fn sent_secret(headers: &HeaderMap) -> Option<&[u8]> {
    headers.get(SECRET_HEADER).map(|value| value.as_bytes())
}

pub(super) fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
