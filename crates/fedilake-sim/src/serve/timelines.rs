//! Pages of timelines, and single statuses.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{Bearer, Feed};
use super::answer::{Refusal, json_body, not_found};
use super::cache::Sheet;
use super::channel::{List, has_tag};
use super::fault::Fault;
use super::live_post::LivePost;
use super::scopes;
use super::server::Server;
use super::timeline::{Bounds, Scope};

type Here = State<Arc<Server>>;

/// The query of a page.
#[derive(Deserialize)]
pub(crate) struct Page {
    access_token: Option<String>,
    local: Option<String>,
    remote: Option<String>,
    only_media: Option<String>,
    limit: Option<String>,
    min_id: Option<String>,
    since_id: Option<String>,
    max_id: Option<String>,
}

const PAGE_DEFAULT: usize = 20;
const PAGE_MAX: usize = 40;

/// True for a flag as Rails reads it.
pub(crate) fn is_set(flag: &Option<String>) -> bool {
    flag.as_deref().is_some_and(|flag| !matches!(flag, "" | "0" | "false" | "f"))
}

/// `GET /api/v1/timelines/public`.
pub(crate) async fn public(
    State(server): Here,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Query(asked): Query<Page>,
) -> Response {
    let known = match Bearer::of(&headers, asked.access_token.as_deref(), &server).reads(server.feed) {
        Ok(known) => known,
        Err(refused) => return refused.into_response(),
    };
    if server.feed == Feed::Disabled {
        return json_body("[]".into());
    }
    if let Some(refused) = too_large(&server, &asked) {
        return refused.into_response();
    }
    let make = || sheet(&server, uri.path(), &asked, |_| true);
    match known {
        Some(_) => make().into_response(),
        None => server.cache.answer(&uri.to_string(), make),
    }
}

/// `GET /api/v1/timelines/tag/{tag}`.
pub(crate) async fn tag(
    State(server): Here,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Path(tag): Path<String>,
    Query(asked): Query<Page>,
) -> Response {
    // Feeds of hashtags have a setting of their own, and stay open where the live feeds are switched off.
    let feed = if server.feed == Feed::Disabled { Feed::Public } else { server.feed };
    if let Err(refused) = Bearer::of(&headers, asked.access_token.as_deref(), &server).reads(feed) {
        return refused.into_response();
    }
    sheet(&server, uri.path(), &asked, |post| has_tag(&post.facts(&server.map), &tag)).into_response()
}

/// `GET /api/v1/timelines/list/{id}`: for members.
pub(crate) async fn list(
    State(server): Here,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(asked): Query<Page>,
) -> Response {
    if let Err(refused) = Bearer::of(&headers, asked.access_token.as_deref(), &server).user(&scopes::LISTS) {
        return refused.into_response();
    }
    match List::parse(&id) {
        Some(list) => sheet(&server, uri.path(), &asked, |post| list.holds(post)).into_response(),
        None => not_found(),
    }
}

/// `GET /api/v1/lists`: the lists of the member who asks.
pub(crate) async fn lists(State(server): Here, headers: HeaderMap) -> Response {
    if let Err(refused) = Bearer::of(&headers, None, &server).user(&scopes::LISTS) {
        return refused.into_response();
    }
    let describe = |list: List| {
        let title = format!("Every fourth author ({})", list.id());
        json!({"id": list.id(), "title": title, "replies_policy": "list", "exclusive": false})
    };
    Json(Value::Array(List::all().map(describe).collect())).into_response()
}

/// The refusal of a page of more posts than the server allows, where it refuses them.
fn too_large(server: &Server, asked: &Page) -> Option<Refusal> {
    let limit = asked.limit.as_deref()?.parse::<usize>().ok()?;
    (limit > server.page_limit_max?).then_some(Refusal(StatusCode::BAD_REQUEST, "limit is too large"))
}

fn sheet(server: &Server, path: &str, asked: &Page, holds: impl Fn(&LivePost) -> bool) -> Sheet {
    let (scope, kept) = match (is_set(&asked.local), is_set(&asked.remote)) {
        (true, false) => (Scope::Local, "&local=true"),
        (false, true) => (Scope::Remote, "&remote=true"),
        _ => (Scope::All, ""),
    };
    let media = is_set(&asked.only_media);
    // A bound that is no id is ignored, as on real servers.
    let id = |given: &Option<String>| given.as_deref().and_then(|id| server.ids().parse(id));
    let bounds = Bounds { min: id(&asked.min_id), since: id(&asked.since_id), max: id(&asked.max_id) };
    let limit = asked.limit.as_deref().and_then(|limit| limit.parse().ok()).unwrap_or(PAGE_DEFAULT).min(PAGE_MAX);
    let is_blind = server.faults.watch().now() == Some(Fault::Blind);
    let on_page = |post: &LivePost| !is_blind && holds(post) && (!media || post.facts(&server.map).media);
    let ids = server.timeline().page(scope, bounds, limit, on_page);
    let link = ids.first().zip(ids.last()).map(|(newest, oldest)| {
        let (newest, oldest) = (server.ids().text(*newest), server.ids().text(*oldest));
        let media = if media { "&only_media=true" } else { "" };
        let base = format!("http://{}{path}?limit={limit}{kept}{media}", server.name());
        let link = format!("<{base}&max_id={oldest}>; rel=\"next\", <{base}&min_id={newest}>; rel=\"prev\"");
        HeaderValue::from_str(&link).expect("digits and an address")
    });
    Sheet { body: write_statuses(server, &ids).into(), link }
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

/// `GET /api/v1/statuses?id[]=1&id[]=2`: at most 20, in the order asked for, without those that are gone.
pub(crate) async fn statuses(State(server): Here, Query(pairs): Query<Vec<(String, String)>>) -> Response {
    if !server.software().has_many_statuses() {
        return not_found();
    }
    let ids: Vec<u64> = pairs
        .iter()
        .filter(|(name, _)| matches!(name.as_str(), "id[]" | "id"))
        .filter_map(|(_, id)| server.ids().parse(id))
        .take(20)
        .collect();
    json_body(write_statuses(&server, &ids).into())
}

/// `GET /api/v1/statuses/{id}`.
pub(crate) async fn status(State(server): Here, Path(id): Path<String>) -> Response {
    let found = server.ids().parse(&id).and_then(|id| Some((id, server.timeline().get(id)?.post)));
    match found {
        Some((id, post)) => {
            let mut out = Vec::new();
            post.write_status(&server.map, server.index, id, &mut out);
            json_body(out.into())
        }
        None => not_found(),
    }
}
