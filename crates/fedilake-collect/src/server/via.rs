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
    /// Reads `auto`, `sse`, `ws` or `poll`.
    pub fn parse(text: &str) -> Option<Via> {
        [Via::Auto, Via::Sse, Via::WebSocket, Via::Poll].into_iter().find(|via| via.as_str() == text)
    }

    /// The way's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Via::Auto => "auto",
            Via::Sse => "sse",
            Via::WebSocket => "ws",
            Via::Poll => "poll",
        }
    }
}
