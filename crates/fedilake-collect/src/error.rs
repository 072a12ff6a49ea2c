//! Why a server could not be read, by what is done about it.

use std::time::Duration;

use reqwest::StatusCode;

/// An end of a server's stream, or a request that failed. None of these ends a run: the server is tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The server does not let us: another way in is tried, or the same one much later.
    #[error("{status} for {path}{}", .message.as_deref().map(|said| format!(": {said}")).unwrap_or_default())]
    Refused {
        /// 401, 403, 404, 410, 422 or another answer that asking again does not change.
        status: StatusCode,
        /// What was asked for.
        path: String,
        /// What the server said about it.
        message: Option<String>,
    },
    /// The server offers no streaming.
    #[error("the server offers no streaming")]
    NoStreaming,
    /// Too many requests: nothing is asked before `wait` is over.
    #[error("429: told to wait {} s", .wait.as_secs())]
    RateLimited {
        /// Until the limit is reset, by the server's clock; none where the server did not say.
        wait: Duration,
    },
    /// No connection, a reset one, or a time-out.
    #[error("{doing}: {why}")]
    Unreachable {
        /// What was under way.
        doing: &'static str,
        /// The cause.
        why: String,
    },
    /// The server failed: 500 and above.
    #[error("{status} for {path}")]
    Failed {
        /// The answer.
        status: StatusCode,
        /// What was asked for.
        path: String,
    },
    /// The answer is not what was asked for, such as a web page.
    #[error("{path} is {why}")]
    Malformed {
        /// What was asked for.
        path: String,
        /// What came instead.
        why: &'static str,
    },
    /// An answer or a frame beyond the cap; the connection was closed.
    #[error("{what} is longer than {bytes_max} bytes")]
    TooLong {
        /// What grew too long.
        what: &'static str,
        /// The cap.
        bytes_max: usize,
    },
    /// The stream is connected but silent, while the timeline shows new posts.
    #[error("the stream went silent while the timeline went on")]
    Stalled,
    /// The server ended the stream.
    #[error("the server ended the stream")]
    Ended,
}

impl SourceError {
    /// The label under which it is counted.
    pub fn as_str(&self) -> &'static str {
        match self {
            SourceError::Refused { .. } => "refused",
            SourceError::NoStreaming => "no_streaming",
            SourceError::RateLimited { .. } => "rate_limited",
            SourceError::Unreachable { .. } => "unreachable",
            SourceError::Failed { .. } => "failed",
            SourceError::Malformed { .. } => "malformed",
            SourceError::TooLong { .. } => "too_long",
            SourceError::Stalled => "stalled",
            SourceError::Ended => "ended",
        }
    }
}
