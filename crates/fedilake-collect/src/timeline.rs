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
    /// As it stands in bookmarks.
    pub fn as_str(self) -> &'static str {
        match self {
            Timeline::Public => "public",
            Timeline::Local => "local",
        }
    }
}
