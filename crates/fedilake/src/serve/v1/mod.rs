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

pub(super) use collector::servers_now;
pub use schema::{COLUMNS, FUNCTIONS};

use std::sync::Arc;

use axum::extract;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{Router, get};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    const HEAD: &str = "# The API

Generated from the handlers in `crates/fedilake/src/serve/v1`. `run`, `serve` and `demo` answer it beside the page, below
`http://127.0.0.1:7878/api/v1`; `/api/v1/openapi.json` has every type (OpenAPI 3.1). Who may ask is in
[operations.md](operations.md#who-can-reach-it).

    $ curl 'http://127.0.0.1:7878/api/v1/panels?name=daily&name=apps&language=de&from=2023-02-04'
    $ curl 'http://127.0.0.1:7878/api/v1/reports/languages?bot=people&format=parquet' -o languages.parquet
    $ curl http://127.0.0.1:7878/api/v1/sql --json '{\"query\": \"select count(*) from posts\"}'
    $ curl -N http://127.0.0.1:7878/api/v1/live

- Times are RFC 3339 in UTC, dates `YYYY-MM-DD`, whole numbers beyond 2^53 are texts. Texts are no HTML.
- An error is `{\"error\": {\"message\": …, \"hint\": … or null}}` with its status. An unknown parameter is an error.
- `ETag` names the lake's state and the request; with `If-None-Match` an answer that has not changed is a 304.
- JSON lines come as they are ready. A question ends when its reader goes away, and after `sql.seconds_max`.
- A download that fails in the middle breaks off: its length is wrong, and clients report it.
";

    fn document() -> Value {
        serde_json::to_value(described().1).unwrap()
    }

    /// docs/api.md: a section for each path.
    fn page() -> String {
        let mut page = HEAD.to_owned();
        for (path, methods) in document()["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                page.push_str(&format!("\n## {} {path}\n{}", method.to_uppercase(), text(&operation["summary"])));
                if let Some(more) = operation["description"].as_str() {
                    page.push_str(&format!(" {}", more.replace('\n', " ")));
                }
                page.push_str("\n\n");
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let own: Vec<&Value> = parameters.iter().filter(|parameter| !is_of_state(parameter)).collect();
                for parameter in &own {
                    page.push_str(&listed(parameter));
                }
                if own.len() < parameters.len() {
                    page.push_str("- and the [state](#the-state)\n");
                }
                for (status, answer) in operation["responses"].as_object().unwrap() {
                    let kinds = answer["content"].as_object().map(|kinds| kinds.keys().cloned().collect::<Vec<_>>());
                    let kind = match kinds.as_deref() {
                        Some([kind]) if !status.starts_with('4') => format!(" (`{kind}`)"),
                        _ => String::new(),
                    };
                    page.push_str(&format!("- **{status}**{kind}: {}\n", text(&answer["description"])));
                }
            }
        }
        page.push_str("\n## The state\nThe same parameters stand in the page's own URL.\n\n");
        let panels = &document()["paths"]["/panels"]["get"]["parameters"];
        panels.as_array().unwrap().iter().filter(|parameter| is_of_state(parameter)).for_each(|parameter| {
            page.push_str(&listed(parameter));
        });
        page
    }

    fn text(value: &Value) -> &str {
        value.as_str().unwrap_or_default()
    }

    fn listed(parameter: &Value) -> String {
        let described = match parameter["description"].as_str() {
            Some(described) => format!(": {}", described.trim_end_matches('.').replace('\n', " ")),
            None => String::new(),
        };
        format!("- `{}`{described}\n", text(&parameter["name"]))
    }

    /// True for a parameter that every path with the state has.
    fn is_of_state(parameter: &Value) -> bool {
        let state = <state::StateParams as utoipa::IntoParams>::into_params(|| None);
        state.iter().any(|known| known.name == text(&parameter["name"]))
    }

    #[test]
    fn the_page_about_the_api_is_generated_from_its_handlers() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
        if std::env::var_os("FEDILAKE_BLESS").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), page(), "FEDILAKE_BLESS=1 writes it anew");
    }

    #[test]
    fn every_answer_and_every_parameter_is_described() {
        let document = document();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for operation in methods.as_object().unwrap().values() {
                assert!(operation["summary"].is_string(), "{path}");
                let told = operation.to_string();
                for name in told.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
                    assert!(schemas.contains_key(name), "{path}: {name}");
                }
                assert!(operation["responses"]["200"]["content"].is_object(), "{path}: what it answers");
            }
        }
    }
}
