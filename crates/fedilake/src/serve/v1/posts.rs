//! The newest posts of a state.

use std::fmt;
use std::str::FromStr;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use fedilake_query::answer::lookup::{Lookup, Place};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::download::json;
use super::params::Params;
use super::problem::Failure;
use super::shared::Asks;
use super::state::{Asked, StateParams};
use super::{Problem, Shared};

/// Posts of an answer, unless the request names another number, and the greatest such number.
const POSTS: u64 = 50;
const POSTS_MAX: u64 = 500;

/// Posts, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Posts {
    posts: Vec<Post>,
    /// `before` of the next request; null behind the last post.
    next: Option<String>,
}

/// A post, as its authors and servers wrote it: texts are no HTML.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Post {
    uri: String,
    /// The post on its server, over HTTP; null for any other link, which could run a script.
    url: Option<String>,
    created_at: String,
    author: String,
    author_bot: bool,
    language: Option<String>,
    text: Option<String>,
    spoiler_text: Option<String>,
    app: Option<String>,
    /// The server that showed the post first.
    server: String,
    tags: Option<Vec<String>>,
    /// Pictures, videos and sounds.
    media: Option<u32>,
    edited_at: Option<String>,
    #[serde(skip_serializing)]
    #[schema(ignore)]
    micros: i64,
    #[serde(skip_serializing)]
    #[schema(ignore)]
    hash: String,
}

/// A place as text.
struct Cursor(Place);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0.micros, self.0.hash)
    }
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Cursor, &'static str> {
        let read = || {
            let (micros, hash) = text.split_once('.')?;
            Some(Cursor(Place { micros: micros.parse().ok()?, hash: hash.parse().ok()? }))
        };
        read().ok_or("expected `next` of an answer")
    }
}

fn is_over_http(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// Lists posts.
#[utoipa::path(
    get, path = "/posts", tag = "posts",
    params(
        ("search" = Option<String>, Query, description = "A text that posts contain, in any letter case"),
        ("before" = Option<String>, Query, description = "`next` of the answer before"),
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 if it is missing"),
        StateParams,
    ),
    responses(
        (status = 200, description = "Posts, the newest first", body = Posts),
        (status = 304, description = "The lake and the state are those of If-None-Match"),
        (status = 400, description = "The state cannot be read", body = Failure),
    )
)]
pub(super) async fn posts(
    State(state): Shared,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, Problem> {
    let search = params.one("search")?;
    let before = params.parsed::<Cursor>("before")?.map(|Cursor(place)| place);
    let limit = params.number("limit", POSTS, POSTS_MAX)? as usize;
    let asked = Asked::take(&mut params)?;
    params.finish()?;
    let etag = state.etag(state.snapshot(), uri.query().unwrap_or_default());
    if etag.is_known(&headers) {
        return Ok(etag.unchanged());
    }
    // One more tells whether there are more.
    let lookup = Lookup::Posts { filter: Box::new(asked.filter), search, before, limit: limit as u32 + 1 };
    let read = |rows: fedilake_query::Rows| {
        let mut posts: Vec<Post> = serde_json::from_slice(&json(&rows)?)?;
        for post in &mut posts {
            post.url = post.url.take().filter(|url| is_over_http(url));
        }
        Ok(posts)
    };
    let mut posts = state.rows(Asks::LookUp(lookup), read).await?;
    let has_more = posts.len() > limit;
    posts.truncate(limit);
    let place = |post: &Post| Some(Cursor(Place { micros: post.micros, hash: post.hash.parse().ok()? }).to_string());
    let next = posts.last().filter(|_| has_more).and_then(place);
    Ok((etag.head(), Json(Posts { posts, next })).into_response())
}
