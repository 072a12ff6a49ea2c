//! Hosts, each in one spelling, and which host may speak for which.
//!
//! A host is spelled in ASCII (Unicode as punycode, `xn--…`), in lower case, without the dot at the end, without the
//! default port of its scheme and without user name and password. So two spellings of one host count as one origin,
//! one server, one author's home.

use std::borrow::Cow;
use std::net::IpAddr;

use url::Host;

/// The longest name in the DNS, and a port.
const BYTES_MAX: usize = 253 + ":65535".len();

/// The host of an http or https URL, with its port if that is not the scheme's own; `None` for anything else.
pub(crate) fn of_url(url: &str) -> Option<Cow<'_, str>> {
    let (rest, port) = without_scheme(url)?;
    spelled(authority(rest), port)
}

/// The host in any text that names a server: a URL, or a host alone, perhaps with a user before it or a path after
/// it.
pub(crate) fn named(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    let (rest, port) = match without_scheme(text) {
        Some(url) => url,
        None if text.contains("://") => return None,
        None => (text.strip_prefix("//").unwrap_or(text), HTTPS_PORT),
    };
    spelled(authority(rest), port)
}

/// The host that a post's uri names: a URL's, or that of `tag:host,2017-05-01:…`, as old servers wrote.
pub(crate) fn of_uri(uri: &str) -> Option<Cow<'_, str>> {
    let tag = || strip_prefix_ignore_case(uri, "tag:")?.split_once(',').and_then(|(host, _)| named(host));
    of_url(uri).or_else(tag)
}

/// `url` with its scheme and host in their one spelling, without user name and password; the rest is unchanged.
pub(crate) fn with_host_spelled(url: &str) -> Option<String> {
    let (rest, port) = without_scheme(url)?;
    let authority = authority(rest);
    let scheme = if port == HTTPS_PORT { "https" } else { "http" };
    Some(format!("{scheme}://{}{}", spelled(authority, port)?, &rest[authority.len()..]))
}

/// Splits `user@domain`; the domain is `None` for a local account of the server.
pub(crate) fn split_acct(acct: &str) -> (&str, Option<&str>) {
    let acct = acct.trim();
    let acct = acct.strip_prefix('@').unwrap_or(acct);
    match acct.split_once('@') {
        Some((user, domain)) => (user, Some(domain).filter(|d| !d.is_empty())),
        None => (acct, None),
    }
}

/// True for an IP address or localhost: a server without a name in the DNS, which may therefore claim any domain.
pub(crate) fn is_address(host: &str) -> bool {
    let name = without_port(host);
    let is_ip = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    is_ip || name == "localhost" || name.ends_with(".localhost")
}

/// True if the hosts are the same, or one is below the other: `social.ann.example` and `ann.example`.
pub(crate) fn are_related(one: &str, other: &str) -> bool {
    let (one, other) = (without_port(one), without_port(other));
    one == other || is_below(one, other) || is_below(other, one)
}

/// True if `parent` is `host`, or a domain above it.
pub(crate) fn is_same_or_below(host: &str, parent: &str) -> bool {
    without_port(host) == without_port(parent) || is_below(host, parent)
}

/// True if `parent` has at least two labels, and `host` is below it.
fn is_below(host: &str, parent: &str) -> bool {
    let above = without_port(host).strip_suffix(without_port(parent));
    parent.contains('.') && !is_address(host) && above.is_some_and(|above| above.ends_with('.'))
}

const HTTPS_PORT: u16 = 443;

/// Splits off `https://` or `http://`. Returns the rest and the scheme's default port.
fn without_scheme(url: &str) -> Option<(&str, u16)> {
    let https = strip_prefix_ignore_case(url, "https://").map(|rest| (rest, HTTPS_PORT));
    https.or_else(|| strip_prefix_ignore_case(url, "http://").map(|rest| (rest, 80)))
}

fn authority(rest: &str) -> &str {
    &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())]
}

/// The host of a URL's authority in its one spelling.
fn spelled(authority: &str, scheme_port: u16) -> Option<Cow<'_, str>> {
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if is_spelled(host) {
        return (host.len() <= BYTES_MAX).then_some(Cow::Borrowed(host));
    }
    let (name, port) = split_port(host)?;
    // A longer text cannot be a host, however it is escaped: this bounds the cost of parsing.
    let name = if name.len() <= 4 * BYTES_MAX { Host::parse(name).ok()?.to_string() } else { return None };
    let name = name.strip_suffix('.').unwrap_or(&name);
    if name.is_empty() || name.len() > BYTES_MAX || name.ends_with('.') {
        return None;
    }
    Some(Cow::Owned(match port {
        Some(port) if port != scheme_port => format!("{name}:{port}"),
        _ => name.to_owned(),
    }))
}

/// True if the host is already in its one spelling, as nearly every host is.
fn is_spelled(host: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let last = host.rsplit('.').next().unwrap_or_default();
    // A last label of digits makes the host an IPv4 address, which has many spellings; an empty one means a trailing
    // dot.
    host.bytes().all(is_plain) && last.starts_with(|c: char| c.is_ascii_lowercase()) && !host.contains("xn--")
}

fn split_port(host: &str) -> Option<(&str, Option<u16>)> {
    match host.rsplit_once(':') {
        Some((name, "")) => Some((name, None)),
        // An IPv6 address has colons of its own, in brackets.
        Some((name, port)) if !port.ends_with(']') => {
            let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
            Some((name, Some(port.parse().ok().filter(|_| is_number)?)))
        }
        _ => Some((host, None)),
    }
}

fn without_port(host: &str) -> &str {
    split_port(host).map_or(host, |(name, _)| name)
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_url_is_what_stands_between_scheme_and_path() {
        let cases = [
            ("https://mastodon.social/@a", Some("mastodon.social")),
            ("HTTPS://Mastodon.Social", Some("mastodon.social")),
            ("http://localhost:3000/ap/1", Some("localhost:3000")),
            ("https://user:pass@host.example?q", Some("host.example")),
            ("https://[::1]:4000/x", Some("[::1]:4000")),
            ("https:///path", None),
            ("https://a b/", None),
            ("https://a\u{1f}b/", None),
            ("https://a.example:x/", None),
            ("tag:example.org,2020:1", None),
            ("ftp://example.org/", None),
            ("https:/é", None),
            ("", None),
        ];
        for (url, host) in cases {
            assert_eq!(of_url(url).as_deref(), host, "{url}");
        }
    }

    #[test]
    fn one_host_has_one_spelling() {
        let cases: &[(&str, &[&str])] = &[
            (
                "home.example",
                &[
                    "home.example",
                    "Home.Example",
                    " home.example\n",
                    "home.example.",
                    "home.example:443",
                    "home.example:",
                    "https://home.example",
                    "HTTPS://HOME.EXAMPLE/",
                    "https://home.example:443/@ann?x#y",
                    "http://home.example:80",
                    "//home.example/",
                    "ann@home.example",
                    "@ann@home.example",
                    "https://ann:secret@home.example/",
                    "home.example/about",
                    "home。example",
                    "ｈｏｍｅ.example",
                    "ho\u{ad}me.example",
                    "https://%68ome.example/",
                ],
            ),
            ("home.example:8443", &["Home.Example:8443", "https://home.example:8443/", "http://home.example.:8443"]),
            ("home.example:80", &["https://home.example:80"]),
            ("home.example:443", &["http://home.example:443"]),
            (
                "xn--bcher-kva.example",
                &[
                    "bücher.example",
                    "BÜCHER.example",
                    "bu\u{308}cher.example",
                    "xn--bcher-kva.example",
                    "XN--Bcher-Kva.Example",
                ],
            ),
            ("xn--bcher-kva.example:4000", &["http://Bücher.example:4000/x"]),
            ("127.0.0.1", &["127.0.0.1", "127.1", "0x7f.0.0.1", "http://127.0.0.1:80/"]),
            ("[::1]", &["[::1]", "[0:0::1]", "http://[::1]:80"]),
            ("foo_bar.example", &["foo_bar.example"]),
        ];
        for (host, spellings) in cases {
            for spelling in *spellings {
                assert_eq!(named(spelling).as_deref(), Some(*host), "{spelling}");
            }
        }
        let long = format!("{}.example", "x".repeat(300));
        for text in
            ["", " ", ".", "..", "https://", "a b", "ftp://home.example", "a:b:c", "home.example:99999", "[::1", &long]
        {
            assert_eq!(named(text), None, "{text}");
        }
    }

    #[test]
    fn a_spelled_url_keeps_all_but_its_host() {
        for (url, spelled) in [
            ("https://News.example/A?b#c", Some("https://news.example/A?b#c")),
            ("HTTP://bücher.example:80", Some("http://xn--bcher-kva.example")),
            ("https://ann:secret@news.example/", Some("https://news.example/")),
            ("mailto:ann@news.example", None),
            ("/relative", None),
        ] {
            assert_eq!(with_host_spelled(url).as_deref(), spelled, "{url}");
        }
    }

    #[test]
    fn hosts_are_related_where_one_is_below_the_other() {
        for (one, other, expected) in [
            ("a.example", "a.example", true),
            ("a.example", "a.example:4000", true),
            ("social.a.example", "a.example", true),
            ("a.example", "social.a.example", true),
            ("x.a.example", "y.a.example", false),
            ("evila.example", "a.example", false),
            ("a.example", "example", false),
            ("a.example", "b.example", false),
            ("10.0.0.1", "0.0.1", false),
        ] {
            assert_eq!(are_related(one, other), expected, "{one} {other}");
        }
        for (host, expected) in [
            ("127.0.0.1:4000", true),
            ("[::1]:4000", true),
            ("localhost", true),
            ("a.localhost:1", true),
            ("a.example", false),
        ] {
            assert_eq!(is_address(host), expected, "{host}");
        }
    }

    #[test]
    fn an_acct_without_a_domain_is_local() {
        assert_eq!(split_acct("ann"), ("ann", None));
        assert_eq!(split_acct("@ann"), ("ann", None));
        assert_eq!(split_acct("ann@"), ("ann", None));
        assert_eq!(split_acct("ann@Example.org"), ("ann", Some("Example.org")));
    }
}
