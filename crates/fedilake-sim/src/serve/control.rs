//! The control routes below `/_sim/`, which go on working through all faults.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;

use super::answer::{not_found, refusal};
use super::audit::{Audit, Held};
use super::scopes::Scopes;
use super::server::Server;
use super::stage::Stage;
use super::tokens::Holder;
use super::truth::TruthPost;

type Here = State<Arc<Server>>;

/// The routes of one server.
pub(crate) fn router(stage: Arc<Stage>) -> Router<Arc<Server>> {
    let (all, whole) = (stage.clone(), stage.clone());
    Router::new()
        .route("/_sim/truth", get(truth))
        .route("/_sim/totals", get(|State(server): Here| async move { Json(server.totals()) }))
        .route("/_sim/state", get(|| async move { Json(whole.state()) }))
        .route("/_sim/audit", post(|body| audit(all, body)).layer(DefaultBodyLimit::disable()))
        .route("/_sim/token", post(issue))
        .route("/_sim/revoke", post(revoke))
        .route("/_sim/fault", post(|server, query| set_fault(server, stage, query)))
}

#[derive(Deserialize)]
struct Part {
    after: Option<String>,
    limit: Option<usize>,
}

async fn truth(State(server): Here, Query(part): Query<Part>) -> Response {
    let posts =
        server.truth(part.after.and_then(|id| server.ids().parse(&id)).unwrap_or(0), part.limit.unwrap_or(usize::MAX));
    let mut out = Vec::new();
    for post in &posts {
        serde_json::to_writer(&mut out, post).expect("a struct of texts and numbers is JSON");
        out.push(b'\n');
    }
    ([(header::CONTENT_TYPE, "application/x-ndjson")], out).into_response()
}

#[derive(Deserialize)]
struct Collected {
    uri: String,
    edited_at: Option<String>,
}

async fn audit(stage: Arc<Stage>, body: String) -> Response {
    let held = |line: &str| {
        let Collected { uri, edited_at } = serde_json::from_str(line).ok()?;
        let edited_at_ms = match edited_at {
            None => None,
            Some(text) => Some(milliseconds(&text)?),
        };
        Some(Held { uri, edited_at_ms })
    };
    let held: Option<Vec<Held>> = body.lines().filter(|line| !line.trim().is_empty()).map(held).collect();
    let Some(held) = held else {
        return refusal(StatusCode::BAD_REQUEST, "expected JSON lines with uri and edited_at, a time or null");
    };
    let truth: Vec<TruthPost> = stage.fleet.iter().flat_map(|server| server.truth(0, usize::MAX)).collect();
    Json(Audit::of(&truth, held)).into_response()
}

/// `2023-02-03T21:30:00.007Z`, or with a blank and without a zone, as databases print times in UTC.
fn milliseconds(text: &str) -> Option<i64> {
    let with_zone = chrono::DateTime::parse_from_rfc3339(text).map(|at| at.timestamp_millis()).ok();
    with_zone.or_else(|| {
        let plain = chrono::NaiveDateTime::parse_from_str(text.trim_end_matches("+00"), "%Y-%m-%d %H:%M:%S%.f").ok()?;
        Some(plain.and_utc().timestamp_millis())
    })
}

#[derive(Deserialize)]
struct Given {
    scope: Option<String>,
    holder: Option<String>,
}

async fn issue(State(server): Here, Query(given): Query<Given>) -> Response {
    let Some(scopes) = Scopes::parse(given.scope.as_deref()) else {
        return refusal(StatusCode::BAD_REQUEST, "scope is words that Mastodon knows, such as read or read:statuses");
    };
    let holder = match given.holder.as_deref() {
        None | Some("user") => Holder::User,
        Some("app") => Holder::App,
        Some(_) => return refusal(StatusCode::BAD_REQUEST, "holder is user or app"),
    };
    server.oauth().issue(holder, scopes, None).into_response()
}

#[derive(Deserialize)]
struct Ended {
    token: Option<String>,
}

async fn revoke(State(server): Here, Query(ended): Query<Ended>) -> Response {
    let oauth = server.oauth();
    match ended.token {
        None => oauth.tokens.revoke_all(),
        Some(token) if oauth.tokens.revoke(&token) => {}
        Some(_) => return not_found(),
    }
    StatusCode::NO_CONTENT.into_response()
}

#[derive(Deserialize)]
struct Wanted {
    kind: String,
    r#for: Option<String>,
    all: Option<bool>,
}

async fn set_fault(State(server): Here, stage: Arc<Stage>, Query(wanted): Query<Wanted>) -> Response {
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
        stage.fleet.iter().for_each(|server| server.faults.set(fault, lasts));
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
