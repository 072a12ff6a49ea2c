//! The parameters of a request: from its query and from its body, a form or JSON, as Rails reads them.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Query, Request};
use axum::http::header;
use axum::response::Response;
use serde_json::Value;

use super::answer::refusal;

/// Names and values, those of the query first. An array is one entry for each value, named without its brackets.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

/// The largest body that is read.
const BODY_MAX: usize = 64 * 1024;

impl Parameters {
    /// The first value of that name, unless it is empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of that name that is not empty.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    fn of_json(value: Value) -> Vec<(String, String)> {
        let Value::Object(fields) = value else { return Vec::new() };
        let text = |value: Value| match value {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let of_field = |(name, value): (String, Value)| match value {
            Value::Array(values) => values.into_iter().map(|value| (name.clone(), text(value))).collect(),
            value => vec![(name, text(value))],
        };
        fields.into_iter().flat_map(of_field).collect()
    }
}

impl<S: Send + Sync> FromRequest<S> for Parameters {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Parameters, Response> {
        let unreadable =
            || refusal(axum::http::StatusCode::BAD_REQUEST, "There was a problem in the request's parameters");
        let in_query = Query::<Vec<(String, String)>>::try_from_uri(request.uri()).map_err(|_| unreadable())?.0;
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_json = kind.starts_with("application/json");
        let body = to_bytes(request.into_body(), BODY_MAX).await.map_err(|_| unreadable())?;
        let in_body = if is_json {
            Parameters::of_json(serde_json::from_slice(&body).map_err(|_| unreadable())?)
        } else {
            let body = std::str::from_utf8(&body).map_err(|_| unreadable())?;
            let as_query = format!("/?{body}").parse().map_err(|_| unreadable())?;
            Query::<Vec<(String, String)>>::try_from_uri(&as_query).map_err(|_| unreadable())?.0
        };
        let plain = |(name, value): (String, String)| (name.trim_end_matches("[]").to_owned(), value);
        Ok(Parameters(in_query.into_iter().chain(in_body).map(plain).collect()))
    }
}
