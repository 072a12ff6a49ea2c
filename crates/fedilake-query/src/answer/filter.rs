//! The posts that a report counts, and the calendar by which it counts them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of the posts; the default is all posts. A name that no post has matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// The earliest created_at: milliseconds since 1970, UTC, included.
    pub from: Option<i64>,
    /// The end of created_at: milliseconds since 1970, UTC, not included.
    pub to: Option<i64>,
    /// Only bots (true) or only people (false).
    pub bot: Option<bool>,
    /// Posts must have one of the names of each list that is not empty.
    pub only: Names,
    /// Posts that have any of these names are left out.
    pub without: Names,
}

/// Names by which posts are chosen. Letter case does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Names {
    /// Authors' home servers.
    pub origins: Vec<String>,
    /// Servers that showed the post first.
    pub servers: Vec<String>,
    /// Languages, by any of their codes or by their English names, whatever a post's tag adds (`pt`, `por` and
    /// `Portuguese` include `pt_BR`). A tag with a region or a script means only that tag. `unknown` means posts
    /// without a language.
    pub languages: Vec<String>,
    /// Apps by which posts were written.
    pub apps: Vec<String>,
    /// Hashtags, with or without their sign.
    pub hashtags: Vec<String>,
    /// Words in texts, also within longer words.
    pub about: Vec<String>,
}

/// The calendar of a report: the time zone of its days and hours, and the length of its steps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Calendar {
    /// A name of the time zone database, such as `Europe/Berlin`.
    pub zone: String,
    /// The step of time lines.
    pub by: By,
}

/// The calendar of everything that names no other.
pub const UTC: &str = "UTC";

impl Default for Calendar {
    fn default() -> Self {
        Calendar { zone: UTC.to_owned(), by: By::default() }
    }
}

/// A step of a time line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// An hour.
    #[default]
    Hour,
    /// A day.
    Day,
    /// A week, from Monday on.
    Week,
}

impl By {
    /// The step's name, which DuckDB's `date_trunc` knows too.
    pub fn as_str(self) -> &'static str {
        match self {
            By::Hour => "hour",
            By::Day => "day",
            By::Week => "week",
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<By, String> {
        let all = [By::Hour, By::Day, By::Week];
        let found = all.into_iter().find(|by| by.as_str() == text);
        found.ok_or_else(|| format!("invalid step `{text}`: expected `hour`, `day` or `week`"))
    }
}
