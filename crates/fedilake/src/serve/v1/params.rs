//! The parameters of a request's URL. Each is read once by its name, and one that nobody reads is refused: a misspelt filter would
//! silently not filter.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use url::form_urlencoded;

use super::Problem;

/// The parameters that were not read yet.
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn of(query: &str) -> Params {
        Params(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Every value of a name.
    pub(super) fn all(&mut self, name: &str) -> Vec<String> {
        self.0.extract_if(.., |(key, _)| key == name).map(|(_, value)| value).collect()
    }

    /// The value of a name that occurs once at most. An empty one counts as none.
    pub(super) fn one(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut all = self.all(name);
        if all.len() > 1 {
            return Err(Problem::bad(format!("`{name}` is given {} times: expected once", all.len())));
        }
        Ok(all.pop().filter(|value| !value.is_empty()))
    }

    /// The value of a name that must occur.
    pub(super) fn needed(&mut self, name: &str) -> Result<String, Problem> {
        self.one(name)?.ok_or_else(|| Problem::bad(format!("`{name}` is missing")))
    }

    /// A value that can be parsed.
    pub(super) fn parsed<T>(&mut self, name: &str) -> Result<Option<T>, Problem>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let parse = |text: String| text.parse().map_err(|error| Problem::bad(format!("`{name}={text}`: {error}")));
        self.one(name)?.map(parse).transpose()
    }

    /// A whole number from 1 to `most`, or `default`.
    pub(super) fn number(&mut self, name: &str, default: u64, most: u64) -> Result<u64, Problem> {
        let number = self.parsed(name)?.unwrap_or(default);
        match number {
            1.. if number <= most => Ok(number),
            _ => Err(Problem::bad(format!("`{name}={number}`: expected a whole number from 1 to {most}"))),
        }
    }

    /// Refuses what nobody read.
    pub(super) fn finish(self) -> Result<(), Problem> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::bad(format!("unknown parameter `{name}`"))
                .hint("/api/v1/openapi.json lists the parameters of each path")),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Params, Problem> {
        Ok(Params::of(parts.uri.query().unwrap_or_default()))
    }
}
