//! A server's address, parsed from whatever a person types.

use std::fmt;

use fedilake_model::Server;
use url::{Host, Url};

/// A server's name and the address of its API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// `host`, or `host:port` where the port is not the scheme's own.
    pub server: Server,
    /// `scheme://host[:port]/`, without a path.
    pub base: Url,
}

impl ServerAddress {
    /// True if the address is one of this machine alone.
    pub fn is_loopback(&self) -> bool {
        match self.base.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.base.as_str().trim_end_matches('/').fmt(f)
    }
}

/// The error for a text that does not name a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid server `{typed}`: {why}\nhint: {hint}")]
pub struct AddressError {
    typed: String,
    why: String,
    hint: &'static str,
}

const HINT: &str = "give a host (mastodon.social) or a URL (https://mastodon.social, http://127.0.0.1:4000)";

/// Reads `mastodon.social`, `localhost:4000`, `http://127.0.0.1:4000` or the URL of any page of a server.
///
/// A bare host means https; `http://` must be typed. All spellings of a server give one address: upper case, Unicode,
/// a default port, a dot at the end, a path.
pub fn parse(typed: &str) -> Result<ServerAddress, AddressError> {
    let wrong = |why: String, hint| AddressError { typed: without_login(typed), why, hint };
    let trimmed = typed.trim();
    if trimmed.is_empty() {
        return Err(wrong("it is empty".to_owned(), HINT));
    }
    let url = if trimmed.contains("://") { Url::parse(trimmed) } else { Url::parse(&format!("https://{trimmed}")) };
    let mut url = url.map_err(|error| wrong(error.to_string(), HINT))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it names an account".to_owned(), "give the part after the last @"));
    }
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(format!("expected http or https, not {}", url.scheme()), HINT));
    }
    let Some(host) = url.host_str().map(|host| host.trim_end_matches('.').to_owned()).filter(|host| !host.is_empty())
    else {
        return Err(wrong("it has no host".to_owned(), HINT));
    };
    url.set_host(Some(&host)).map_err(|error| wrong(error.to_string(), HINT))?;
    url.set_path("");
    url.set_query(None);
    url.set_fragment(None);
    let server = match url.port() {
        Some(port) => Server::new(&format!("{host}:{port}")),
        None => Server::new(&host),
    };
    Ok(ServerAddress { server, base: url })
}

/// `typed` for an error: what stands before the host may be a password or a token.
fn without_login(typed: &str) -> String {
    match typed.rsplit_once('@') {
        Some((login, host)) if !login.is_empty() && !login.ends_with('/') => format!("***@{host}"),
        _ => typed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn hosts_and_urls_name_a_server_and_its_base() {
        for (typed, server, base) in [
            ("mastodon.social", "mastodon.social", "https://mastodon.social/"),
            (" Mastodon.Social ", "mastodon.social", "https://mastodon.social/"),
            ("https://mastodon.social/", "mastodon.social", "https://mastodon.social/"),
            ("https://mastodon.social:443", "mastodon.social", "https://mastodon.social/"),
            ("localhost:4000", "localhost:4000", "https://localhost:4000/"),
            ("http://127.0.0.1:4000", "127.0.0.1:4000", "http://127.0.0.1:4000/"),
            ("http://[::1]:4000", "[::1]:4000", "http://[::1]:4000/"),
            ("bücher.example", "xn--bcher-kva.example", "https://xn--bcher-kva.example/"),
            ("BÜCHER.example", "xn--bcher-kva.example", "https://xn--bcher-kva.example/"),
            ("XN--bcher-kva.example.", "xn--bcher-kva.example", "https://xn--bcher-kva.example/"),
            ("mastodon.social.", "mastodon.social", "https://mastodon.social/"),
            ("mastodon.social/", "mastodon.social", "https://mastodon.social/"),
            ("mastodon.social:443", "mastodon.social", "https://mastodon.social/"),
            ("HTTPS://Mastodon.Social./public/local?x=1#y", "mastodon.social", "https://mastodon.social/"),
            ("https://mastodon.social/@ann", "mastodon.social", "https://mastodon.social/"),
            ("http://mastodon.social:80", "mastodon.social", "http://mastodon.social/"),
        ] {
            let address = parse(typed).unwrap();
            assert_eq!((address.server.as_str(), address.base.as_str()), (server, base), "{typed}");
        }
    }

    #[test]
    fn what_is_no_server_is_refused_with_a_hint() {
        for typed in [
            "",
            " ",
            "@user@mastodon.social",
            "https://user:secret@mastodon.social",
            "user:secret@mastodon.social",
            "https://secret@mastodon.social",
            "ftp://secret@mastodon.social",
            "https://user:sec ret:secret@mastodon.social",
            "ftp://mastodon.social",
            "wss://mastodon.social",
            "user@mastodon.social",
            "https://.",
            "a b",
            "https://",
            "host:99999",
        ] {
            let error = parse(typed).unwrap_err().to_string();
            assert!(error.contains("hint: ") && !error.contains("secret"), "{typed}: {error}");
        }
    }
}
