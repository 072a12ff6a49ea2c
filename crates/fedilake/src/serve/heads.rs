//! Bounds of a request's head, told in words. What exceeds the connection's buffer, which is larger, is refused with a status alone.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;

use super::v1::Problem;

/// The longest path with its query: a statement in a link is as long as it is.
const TARGET_BYTES_MAX: usize = 32 << 10;
/// The most bytes of all headers, names and values.
const HEADERS_BYTES_MAX: usize = 16 << 10;

/// Refuses a request whose target or headers are too long.
pub(super) async fn bounded(request: Request, next: Next) -> Result<Response, Problem> {
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES_MAX {
        let message = format!("the address has {target} bytes: expected at most {TARGET_BYTES_MAX}");
        return Err(Problem::new(StatusCode::URI_TOO_LONG, message).hint("send a long statement by POST /api/v1/sql"));
    }
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers > HEADERS_BYTES_MAX {
        let message = format!("the headers have {headers} bytes: expected at most {HEADERS_BYTES_MAX}");
        return Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, message)
            .hint("clear the cookies of this address, or send fewer headers"));
    }
    Ok(next.run(request).await)
}
