//! Access to public timelines and streams.

use axum::http::{HeaderMap, header};

/// Access to a server's public timelines and streams without a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Feed {
    /// Anyone may read.
    #[default]
    Public,
    /// Only with a token: 422 without one.
    Authenticated,
    /// Limited federation: 401 without a token.
    LimitedFederation,
    /// Nobody: 200 and an empty page, with or without a token; the stream opens and carries deletes only.
    Disabled,
}

impl Feed {
    /// The value in `configuration.timelines_access` of the instance document.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Feed::Public => "public",
            Feed::Authenticated | Feed::LimitedFederation => "authenticated",
            Feed::Disabled => "disabled",
        }
    }
}

/// The credentials of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bearer {
    None,
    Known(String),
    Unknown,
}

impl Bearer {
    /// From the Authorization header, else from `access_token` in the query.
    pub(crate) fn of(headers: &HeaderMap, access_token: Option<&str>, tokens: &[String]) -> Bearer {
        let header = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        match header.or(access_token) {
            None => Bearer::None,
            Some(token) if tokens.iter().any(|known| known == token) => Bearer::Known(token.to_owned()),
            Some(_) => Bearer::Unknown,
        }
    }
}
