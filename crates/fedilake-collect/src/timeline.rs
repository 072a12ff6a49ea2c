//! The timelines of a server.

/// One of a server's timelines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timeline {
    /// All public posts that the server knows.
    #[default]
    Public,
    /// Public posts of the server's own members.
    Local,
}

impl Timeline {
    /// The timeline that [`Timeline::as_str`] names `text`.
    pub fn parse(text: &str) -> Option<Timeline> {
        [Timeline::Public, Timeline::Local].into_iter().find(|timeline| timeline.as_str() == text)
    }

    /// The timeline's name in bookmarks.
    pub fn as_str(self) -> &'static str {
        match self {
            Timeline::Public => "public",
            Timeline::Local => "local",
        }
    }
}
