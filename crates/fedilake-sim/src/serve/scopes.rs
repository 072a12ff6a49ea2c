//! Scopes: the actions that a token allows.

use std::fmt;

/// Scopes that Mastodon knows and a reader may ask for.
const KNOWN: [&str; 24] = [
    "read",
    "read:accounts",
    "read:blocks",
    "read:bookmarks",
    "read:favourites",
    "read:filters",
    "read:follows",
    "read:lists",
    "read:mutes",
    "read:notifications",
    "read:search",
    "read:statuses",
    "write",
    "write:accounts",
    "write:favourites",
    "write:follows",
    "write:lists",
    "write:media",
    "write:statuses",
    "follow",
    "push",
    "profile",
    "admin:read",
    "admin:write",
];

/// What lists of posts and streams ask for: one of these.
pub(crate) const STATUSES: [&str; 2] = ["read", "read:statuses"];
/// Lists and what is on them.
pub(crate) const LISTS: [&str; 2] = ["read", "read:lists"];
/// The own account.
pub(crate) const ACCOUNT: [&str; 3] = ["profile", "read", "read:accounts"];

/// A set of scopes, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scopes(Vec<String>);

impl Scopes {
    /// From words apart by spaces; `None` if a word is no scope. No word at all is `read`, as on real servers.
    pub(crate) fn parse(text: Option<&str>) -> Option<Scopes> {
        let mut words: Vec<String> = text.unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            words.push("read".to_owned());
        }
        words.iter().all(|word| KNOWN.contains(&word.as_str())).then_some(Scopes(words))
    }

    /// True if one of these scopes is in the set.
    pub(crate) fn allow(&self, any_of: &[&str]) -> bool {
        self.0.iter().any(|scope| any_of.contains(&scope.as_str()))
    }

    /// True if each is in `whole` by its name, as real servers compare them.
    pub(crate) fn are_within(&self, whole: &Scopes) -> bool {
        self.0.iter().all(|scope| whole.0.contains(scope))
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    /// Every scope that servers offer.
    pub(crate) fn offered() -> &'static [&'static str] {
        &KNOWN
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_compared_by_name_and_unknown_ones_refused() {
        let read = Scopes::parse(None).unwrap();
        assert_eq!(read.to_string(), "read");
        assert!(Scopes::parse(Some("read:everything")).is_none());
        let statuses = Scopes::parse(Some("read:statuses")).unwrap();
        assert!(!statuses.are_within(&read), "a real server refuses a part that the app did not name");
        assert!(statuses.allow(&STATUSES) && read.allow(&STATUSES) && !statuses.allow(&ACCOUNT));
    }
}
