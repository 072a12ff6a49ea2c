//! The API of the page and of programs: `/api/v1`. Each file has the routes of one noun, with the types that they answer; the OpenAPI
//! document is made of them.

mod collector;
mod download;
mod live;
mod names;
mod panels;
mod params;
mod posts;
mod problem;
mod reports;
mod schema;
mod shared;
mod sql;
mod state;

use std::sync::Arc;

use axum::extract;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{Router, get};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::live::Standing;
pub(super) use self::problem::Problem;
pub(super) use self::schema::Schema;
pub(super) use self::shared::{Answers, answers};
use super::State;

/// Where the API begins.
pub(super) const BASE: &str = "/api/v1";
/// The type of Parquet files.
pub(super) const PARQUET: &str = "application/vnd.apache.parquet";

type Shared = extract::State<Arc<State>>;

/// Head of an answer of JSON lines.
const LINES: [(HeaderName, HeaderValue); 2] = [
    (header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

#[derive(OpenApi)]
#[openapi(
    info(
        title = "fedilake",
        description = "Reports, posts and SQL of a running fedilake. Times are RFC 3339 in UTC, dates YYYY-MM-DD, whole numbers beyond \
            2^53 are texts. An error is `{\"error\": {\"message\": …, \"hint\": … or null}}` with its status."
    ),
    servers((url = "/api/v1")),
)]
struct Description;

/// The routes below [`BASE`].
pub(super) fn routes() -> Router<Arc<State>> {
    let (routes, document) = described();
    let document = document.to_pretty_json().expect("the document is JSON");
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    routes.route("/openapi.json", get(move || async move { (json, document.clone()) })).fallback(nothing)
}

/// The routes and the document that describes them.
fn described() -> (Router<Arc<State>>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(reports::reports))
        .routes(routes!(reports::file))
        .routes(routes!(reports::sql))
        .routes(routes!(panels::panels))
        .routes(routes!(posts::posts))
        .routes(routes!(names::names))
        .routes(routes!(sql::ask, sql::file))
        .routes(routes!(live::live))
        .routes(routes!(collector::collector))
        .routes(routes!(schema::schema))
        .split_for_parts()
}

async fn nothing(uri: axum::http::Uri) -> Response {
    Problem::new(StatusCode::NOT_FOUND, format!("the API has no {:?}", uri.path()))
        .hint("/api/v1/openapi.json lists the paths")
        .into_response()
}
