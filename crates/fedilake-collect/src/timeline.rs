//! Which posts of a server are read.

/// Which of a server's timelines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timeline {
    /// All public posts that the server knows.
    #[default]
    Public,
    /// Those of its own members.
    Local,
}

impl Timeline {
    /// Reads what [`Timeline::as_str`] writes.
    pub fn parse(text: &str) -> Option<Timeline> {
        [Timeline::Public, Timeline::Local].into_iter().find(|timeline| timeline.as_str() == text)
    }

    /// As it stands in bookmarks.
    pub fn as_str(self) -> &'static str {
        match self {
            Timeline::Public => "public",
            Timeline::Local => "local",
        }
    }
}
