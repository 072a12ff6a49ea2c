//! Which posts a report looks at.

use serde::{Deserialize, Serialize};

/// A part of the posts; the default is all of them. A list that is empty does not restrict; names that no post has
/// match nothing. Names are of any case: hosts and language tags are the same in each.
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
    /// Languages, by any of their codes or by their English names, whatever a post's tag adds (`pt`, `por` and `Portuguese` are
    /// `pt_BR` too); a tag with a region or a script is that one alone. `unknown`: posts that name none.
    pub languages: Vec<String>,
    /// Only automated authors, or none of them.
    pub bot: Option<bool>,
}
