//! Access to public timelines and streams.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};

use super::answer::Refusal;
use super::scopes;
use super::server::Server;
use super::tokens::{Holder, Token};

/// Access to a server's public timelines and streams without a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Feed {
    /// Anyone may read.
    #[default]
    Public,
    /// Only with a user's token: 422 without one.
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
#[derive(Clone, Debug)]
pub(crate) enum Bearer {
    None,
    Known(Known),
    Revoked,
    Unknown,
}

/// A token that is valid.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) text: String,
    pub(crate) token: Token,
}

const USER_WANTED: &str = "This method requires an authenticated user";

impl Bearer {
    /// From the Authorization header, else from `access_token` in the query.
    pub(crate) fn of(headers: &HeaderMap, access_token: Option<&str>, server: &Server) -> Bearer {
        let header = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let Some(text) = header.or(access_token) else { return Bearer::None };
        match server.oauth().tokens.get(text) {
            None => Bearer::Unknown,
            Some(token) if token.revoked.is_cancelled() => Bearer::Revoked,
            Some(token) => Bearer::Known(Known { text: text.to_owned(), token: token.clone() }),
        }
    }

    /// True if the request brings a token, valid or not.
    pub(crate) fn is_given(request: &Request) -> bool {
        let query = request.uri().query().unwrap_or_default();
        request.headers().contains_key(header::AUTHORIZATION)
            || request.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL)
            || query.split('&').any(|pair| pair.starts_with("access_token="))
    }

    /// Admission to the API: a token is not needed, but one that is given must be valid and allow one of these scopes.
    pub(crate) fn admitted(self, any_of: &[&str]) -> Result<Option<Known>, Refusal> {
        match self {
            Bearer::None => Ok(None),
            Bearer::Unknown => Err(Refusal(StatusCode::UNAUTHORIZED, "The access token is invalid")),
            Bearer::Revoked => Err(Refusal(StatusCode::UNAUTHORIZED, "The access token was revoked")),
            Bearer::Known(known) if known.token.scopes.allow(any_of) => Ok(Some(known)),
            Bearer::Known(_) => Err(Refusal(StatusCode::FORBIDDEN, "This action is outside the authorized scopes")),
        }
    }

    /// The token of a user, without whom the method answers nothing.
    pub(crate) fn user(self, any_of: &[&str]) -> Result<Known, Refusal> {
        match self.admitted(any_of)? {
            Some(known) if known.token.holder == Holder::User => Ok(known),
            Some(_) => Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, USER_WANTED)),
            None => Err(Refusal(StatusCode::UNAUTHORIZED, "The access token is invalid")),
        }
    }

    /// Admission to a timeline that everybody may read, or members only.
    pub(crate) fn reads(self, feed: Feed) -> Result<Option<Known>, Refusal> {
        let known = self.admitted(&scopes::STATUSES)?;
        let is_user = known.as_ref().is_some_and(|known| known.token.holder == Holder::User);
        match feed {
            Feed::Authenticated if !is_user => Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, USER_WANTED)),
            Feed::LimitedFederation if known.is_none() => {
                Err(Refusal(StatusCode::UNAUTHORIZED, "This API requires an authenticated user"))
            }
            _ => Ok(known),
        }
    }

    /// Admission to streams: a user's token, or none where the server asks for none. The error is for 401.
    pub(crate) fn listens(self, server: &Server) -> Result<Option<Known>, &'static str> {
        match self {
            Bearer::None if server.stream_is_closed() => Err("Missing access token"),
            Bearer::None => Ok(None),
            Bearer::Known(known) if known.token.holder == Holder::User => {
                let allowed = known.token.scopes.allow(&scopes::STATUSES);
                if allowed { Ok(Some(known)) } else { Err("Access token does not have the required scopes") }
            }
            Bearer::Known(_) | Bearer::Revoked | Bearer::Unknown => Err("Invalid access token"),
        }
    }
}
