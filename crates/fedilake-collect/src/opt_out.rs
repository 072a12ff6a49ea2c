//! The accounts and domains that opted out: a file that people write.

use std::collections::HashSet;

use fedilake_model::Server;

/// Accounts and domains whose posts are not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptOut {
    /// `user@domain`, in lower case.
    accounts: HashSet<String>,
    domains: HashSet<String>,
}

/// A line that names neither an account nor a domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected `@user@domain` or `domain`, found `{text}`")]
pub struct OptOutError {
    /// The line's number, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

impl OptOut {
    /// Reads one account or domain a line. White space, empty lines and comments from `#` on are passed over.
    pub fn parse(text: &str) -> Result<OptOut, OptOutError> {
        let mut opt_out = OptOut::default();
        for (at, whole) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let entry = whole.split('#').next().unwrap_or_default().trim();
            if !entry.is_empty() && !opt_out.add(entry) {
                let text = whole.trim().chars().take(100).collect();
                return Err(OptOutError { line: at + 1, text });
            }
        }
        Ok(opt_out)
    }

    /// True if the author, as `user@domain`, or the author's domain opted out; a domain speaks for those below it.
    pub fn has(&self, author: &str, domain: &str) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut domains = std::iter::successors(Some(domain), |domain| domain.split_once('.').map(|(_, above)| above));
        self.accounts.contains(&author.to_lowercase()) || domains.any(|domain| self.domains.contains(domain))
    }

    /// True if nobody opted out.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.domains.is_empty()
    }

    /// The accounts, as `user@domain` in lower case.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        self.accounts.iter().map(String::as_str)
    }

    /// The domains.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        self.domains.iter().map(String::as_str)
    }

    fn add(&mut self, entry: &str) -> bool {
        let entry = entry.strip_prefix("acct:").unwrap_or(entry);
        let (user, host) = match entry.strip_prefix('@').unwrap_or(entry).rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None if entry.starts_with('@') => return false,
            None => (None, entry),
        };
        let is_bare = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/?@".contains(c));
        let is_user = |user: &str| !user.is_empty() && !user.contains(|c: char| c.is_whitespace() || "/@:".contains(c));
        let Some(domain) = Server::parse(host).filter(|_| is_bare) else { return false };
        match user {
            Some(user) if is_user(user) => {
                self.accounts.insert(format!("{}@{domain}", user.to_lowercase()));
            }
            Some(_) => return false,
            None => {
                self.domains.insert(domain.to_string());
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_names_an_account_or_a_domain_in_any_spelling() {
        let text = "\u{feff}# people\n@Ann@One.Example  # asked on Monday\n\n acct:bob@two.example\r\nBÜCHER.example\nlow.example.\n";
        let opt_out = OptOut::parse(text).unwrap();
        for (author, domain, expected) in [
            ("ann@one.example", "one.example", true),
            ("ANN@one.example", "one.example", true),
            ("anna@one.example", "one.example", false),
            ("bob@two.example", "two.example", true),
            ("x@xn--bcher-kva.example", "xn--bcher-kva.example", true),
            ("x@low.example", "low.example", true),
            ("x@a.b.low.example", "a.b.low.example", true),
            ("x@slow.example", "slow.example", false),
            ("x@example", "example", false),
        ] {
            assert_eq!(opt_out.has(author, domain), expected, "{author}");
        }
    }

    #[test]
    fn a_line_that_names_neither_is_refused_with_its_number() {
        for wrong in ["@ann", "ann@", "@@one.example", "https://one.example/@ann", "two words", "a b@one.example"] {
            let error = OptOut::parse(&format!("one.example\n{wrong}")).unwrap_err();
            assert_eq!((error.line, error.text.as_str()), (2, wrong));
        }
    }
}
