//! The way in which a server is read.

/// The way in which a server is read. A server's timeline is polled whenever its stream is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// The best way that the server allows: server-sent events, else a WebSocket, else polls.
    #[default]
    Auto,
    /// Server-sent events only.
    Sse,
    /// A WebSocket only: one for all timelines of a server.
    WebSocket,
    /// Polls only.
    Poll,
}

impl Via {
    /// The way that is called `auto`, `sse`, `ws` or `poll`.
    pub fn parse(text: &str) -> Option<Via> {
        match text {
            "auto" => Some(Via::Auto),
            "sse" => Some(Via::Sse),
            "ws" => Some(Via::WebSocket),
            "poll" => Some(Via::Poll),
            _ => None,
        }
    }
}
