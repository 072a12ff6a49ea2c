//! The web page: the files of `web/dist`, which are a part of the program.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use include_dir::{Dir, File, include_dir};
use xxhash_rust::xxh3::xxh3_64;

use super::v1::Problem;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../../web/dist");

/// The document that loads all else.
const FRONT: &str = "index.html";
/// Files below it have a hash of their content in their names.
const HASHED: &str = "assets/";

/// Answers a path with its file. Paths of one word are views of the page, which its script knows.
pub(super) async fn file(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "the page can only be read").into_response();
    }
    let path = uri.path().trim_start_matches('/');
    let is_view = path.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    // Looked up among the names of the embedded files: no path leads anywhere else.
    match FILES.get_file(if is_view { FRONT } else { path }) {
        Some(file) => answer(file, &headers),
        None => Problem::new(StatusCode::NOT_FOUND, format!("nothing is at {:?}", uri.path()))
            .hint("the page is at /, the API at /api/v1/openapi.json")
            .into_response(),
    }
}

fn answer(file: &'static File<'static>, headers: &HeaderMap) -> Response {
    let name = file.path().to_str().unwrap_or_default();
    let caching = if name.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let etag = format!("W/\"{:016x}\"", xxh3_64(file.contents()));
    let head = [
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type(name))),
        (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
        (header::ETAG, HeaderValue::from_str(&etag).expect("a tag has hexadecimal digits")),
    ];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, Bytes::from_static(file.contents())).into_response()
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
