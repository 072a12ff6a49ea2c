//! An answer that says what went wrong.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// A request that cannot be answered: a status, and words for people.
#[derive(Debug)]
pub(in crate::serve) struct Problem {
    status: StatusCode,
    fault: Fault,
}

/// The body of an answer to a request that failed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Failure {
    error: Fault,
}

/// What went wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Fault {
    pub message: String,
    pub hint: Option<String>,
}

impl Fault {
    /// Divides a message of the program from its hints.
    pub(super) fn of(text: &str) -> Fault {
        match text.split_once("\nhint: ") {
            Some((message, hint)) => Fault { message: message.to_owned(), hint: Some(hint.replace("\nhint: ", " ")) },
            None => Fault { message: text.to_owned(), hint: None },
        }
    }
}

impl Problem {
    pub(in crate::serve) fn new(status: StatusCode, message: impl Into<String>) -> Problem {
        Problem { status, fault: Fault::of(&message.into()) }
    }

    /// A request that makes no sense.
    pub(super) fn bad(error: impl std::fmt::Display) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, format!("{error:#}"))
    }

    /// A failure of ours.
    pub(super) fn internal(error: impl std::fmt::Display) -> Problem {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}"))
    }

    /// A process that is stopping.
    pub(super) fn stopping() -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, crate::serve::asking::STOPPING)
    }

    pub(in crate::serve) fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.fault.hint = Some(hint.into());
        self
    }

    #[cfg(test)]
    pub(in crate::serve) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn fault(&self) -> &Fault {
        &self.fault
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let no_store = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        (self.status, no_store, Json(Failure { error: self.fault })).into_response()
    }
}
