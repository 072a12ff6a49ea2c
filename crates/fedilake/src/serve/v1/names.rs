//! Names that a filter can have, for completion.

use std::str::FromStr;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use fedilake_query::Rows;
use fedilake_query::answer::lookup::{Lookup, Named};
use serde::Serialize;
use utoipa::ToSchema;

use super::download::json;
use super::params::Params;
use super::problem::Failure;
use super::shared::Asks;
use super::{Problem, Shared};

/// Names of an answer, unless the request names another number, and the greatest such number.
const NAMES: u64 = 20;
const NAMES_MAX: u64 = 1_000;

/// Names, the most frequent first.
#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "names are written as they are read")]
pub(super) struct Names {
    names: Vec<Name>,
}

#[derive(Debug, Serialize, ToSchema)]
#[allow(dead_code, reason = "names are written as they are read")]
struct Name {
    name: String,
    /// How many posts have it.
    posts: u64,
}

/// A column, read from a parameter.
struct Of(Named);

impl FromStr for Of {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Of, &'static str> {
        Ok(Of(match text {
            "origin" => Named::Origin,
            "server" => Named::Server,
            "language" => Named::Language,
            "app" => Named::App,
            "hashtag" => Named::Hashtag,
            _ => return Err("expected origin, server, language, app or hashtag"),
        }))
    }
}

/// Lists names.
#[utoipa::path(
    get, path = "/names", tag = "posts",
    params(
        ("of" = String, Query, description = "origin, server, language, app or hashtag"),
        ("prefix" = Option<String>, Query, description = "How the names begin, in any letter case"),
        ("limit" = Option<u32>, Query, description = "1 to 1,000; 20 if it is missing"),
    ),
    responses(
        (status = 200, description = "Names, the most frequent first", body = Names),
        (status = 400, description = "A parameter cannot be read", body = Failure),
    )
)]
pub(super) async fn names(State(state): Shared, mut params: Params) -> Result<Response, Problem> {
    let Of(of) = params.parsed("of")?.ok_or_else(|| Problem::bad("`of` is missing"))?;
    let prefix = params.one("prefix")?.unwrap_or_default();
    let limit = params.number("limit", NAMES, NAMES_MAX)? as u32;
    params.finish()?;
    let lookup = Lookup::Names { of, prefix, limit };
    let write = |rows: Rows| Ok([b"{\"names\":".as_slice(), &json(&rows)?, b"}"].concat());
    let names = state.shared(state.snapshot(), Asks::LookUp(lookup), write).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], names).into_response())
}
