//! Why a server could not be read. Each variant has its own reaction.

use fedilake_model::Server;
use reqwest::StatusCode;

use crate::server::limits::Wait;

/// The end of a server's stream, or a failed request. None of these ends a run: the server is tried again.
///
/// Servers' texts in it are one line of at most 200 characters without control characters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The server refuses: another way to read it is tried, or the same one much later.
    #[error("{status} for {path}{}", .message.as_deref().map(|said| format!(": {said}")).unwrap_or_default())]
    Refused {
        /// 401, 403, 404, 410, 422 or another answer that asking again does not change.
        status: StatusCode,
        /// The request's path.
        path: String,
        /// The server's own words.
        message: Option<String>,
    },
    /// The server no longer accepts the token, or never did. Its pages are read without one.
    #[error(
        "the server does not accept the token{}; `fedilake login {server}` gets a new one",
        .message.as_deref().map(|said| format!(": {said}")).unwrap_or_default()
    )]
    TokenRefused {
        /// The server.
        server: Server,
        /// The server's own words.
        message: Option<String>,
    },
    /// The server's robots.txt forbids the request.
    #[error("robots.txt does not allow {path} ({rule})")]
    Disallowed {
        /// The request's path.
        path: String,
        /// The rule, as the file has it.
        rule: String,
    },
    /// The server offers no streaming.
    #[error("the server offers no streaming")]
    NoStreaming,
    /// Too many requests.
    #[error("429 Too Many Requests{}", waiting(.wait))]
    RateLimited {
        /// The time without requests.
        wait: Wait,
    },
    /// No connection, a reset one, or a time-out.
    #[error("{doing}: {why}")]
    Unreachable {
        /// The step that failed.
        doing: &'static str,
        /// The cause.
        why: String,
    },
    /// The server failed: 500 and above.
    #[error("{status} for {path}{}", .wait.as_ref().map(waiting).unwrap_or_default())]
    Failed {
        /// The answer's status.
        status: StatusCode,
        /// The request's path.
        path: String,
        /// The wait that the server asked for.
        wait: Option<Wait>,
    },
    /// The answer is not what was asked for, such as a web page.
    #[error("{path}: {why}")]
    Malformed {
        /// The request's path.
        path: String,
        /// The difference.
        why: String,
    },
    /// An answer or a frame beyond the cap; the connection was closed.
    #[error("{what} is longer than {bytes_max} bytes")]
    TooLong {
        /// The answer or the frame.
        what: &'static str,
        /// The cap.
        bytes_max: usize,
    },
    /// A redirect, or the address of the server's streams, leads to this machine or into a private network.
    #[error(
        "the server leads to {host}, an address of this machine or of a private network, which is not read unless it is listed itself"
    )]
    Forbidden {
        /// The host that it named.
        host: String,
    },
    /// The stream is connected but silent, while the timeline shows new posts.
    #[error("the stream went silent while the timeline went on")]
    Stalled,
    /// The server ended the stream.
    #[error("the server ended the stream")]
    Ended,
}

/// The most characters of a server's text that are shown or kept.
pub(crate) const SAID_MAX: usize = 200;

/// A server's text in one line, without control characters and characters that reorder text, cut at [`SAID_MAX`]
/// characters.
pub(crate) fn said(text: &str) -> String {
    let is_harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().filter(is_harmless).take(SAID_MAX).collect()
}

fn waiting(wait: &Wait) -> String {
    match wait.said {
        Some(said) if said > wait.kept => format!(
            ": the server asked for {} s without requests, which is too long; trying again after {} s",
            said.as_secs(),
            wait.kept.as_secs()
        ),
        Some(said) => format!(": waiting {} s, as the server asked", said.as_secs()),
        None => format!(": waiting {} s", wait.kept.as_secs()),
    }
}

impl SourceError {
    /// The label under which the failure is counted.
    pub fn as_str(&self) -> &'static str {
        match self {
            SourceError::Refused { .. } => "refused",
            SourceError::TokenRefused { .. } => "token_refused",
            SourceError::Disallowed { .. } => "disallowed",
            SourceError::NoStreaming => "no_streaming",
            SourceError::RateLimited { .. } => "rate_limited",
            SourceError::Unreachable { .. } => "unreachable",
            SourceError::Failed { .. } => "failed",
            SourceError::Malformed { .. } => "malformed",
            SourceError::TooLong { .. } => "too_long",
            SourceError::Forbidden { .. } => "forbidden",
            SourceError::Stalled => "stalled",
            SourceError::Ended => "ended",
        }
    }

    /// The wait that the server asked for.
    pub fn wait(&self) -> Option<Wait> {
        match self {
            SourceError::RateLimited { wait } => Some(*wait),
            SourceError::Failed { wait, .. } => *wait,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_text_is_one_short_harmless_line() {
        assert_eq!(said("a\u{1b}[31mb\r\nc\u{202e}d\u{0}"), "a[31mbcd");
        assert_eq!(said(&"x".repeat(1_000_000)).len(), SAID_MAX);
    }
}
