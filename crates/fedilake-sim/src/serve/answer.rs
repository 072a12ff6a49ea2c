//! Answers of a server's HTTP routes: JSON, refusals with Mastodon's words, and web pages.

use axum::Json;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// An error of the API with a text that is always the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        refusal(self.0, self.1)
    }
}

/// An error as Mastodon's API gives it.
pub(crate) fn refusal(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}

/// The answer for paths and records that do not exist.
pub(crate) fn not_found() -> Response {
    refusal(StatusCode::NOT_FOUND, "Record not found")
}

/// A body that is JSON already.
pub(crate) fn json_body(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

/// A web page.
pub(crate) fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!("<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>{body}</body></html>\n");
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

/// The page that stands where an answer of the API should.
pub(crate) fn sorry(status: StatusCode) -> Response {
    page(status, "Simulated server", "<p>We are sorry, but something is not as it should be.</p>")
}

/// `text` safe within HTML and its attributes.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
