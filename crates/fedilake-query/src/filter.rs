//! The posts that a report counts.

use serde::{Deserialize, Serialize};

/// A part of the posts; the default is all posts. An empty list does not restrict; a name that no post has matches
/// nothing. Letter case does not matter in names, hosts and language tags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// The earliest created_at: milliseconds since 1970, UTC, included.
    pub from: Option<i64>,
    /// The end of created_at: milliseconds since 1970, UTC, not included.
    pub to: Option<i64>,
    /// Authors' home servers.
    pub origins: Vec<String>,
    /// Servers that showed the post first.
    pub servers: Vec<String>,
    /// Languages, by any of their codes or by their English names, whatever a post's tag adds (`pt`, `por` and
    /// `Portuguese` include `pt_BR`). A tag with a region or a script means only that tag. `unknown` means posts
    /// without a language.
    pub languages: Vec<String>,
    /// Only bots (true) or only people (false).
    pub bot: Option<bool>,
}
