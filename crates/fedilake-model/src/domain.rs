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

/// The host in any text that names a server: a URL, also a stream's (`wss://…`), or a host alone, perhaps with a user
/// before it or a path after it. A word that programs write for "nothing" names no server.
pub(crate) fn named(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    // No word for "none" has a dot.
    if is_spelled(text) && text.len() <= BYTES_MAX && text.contains('.') {
        return Some(Cow::Borrowed(text));
    }
    let (rest, port) = match without_scheme(text).or_else(|| without_socket_scheme(text)) {
        Some(url) => url,
        None if text.contains("://") || is_word_for_none(text) => return None,
        None => (text.strip_prefix("//").unwrap_or(text), HTTPS_PORT),
    };
    spelled(authority(rest), port)
}

/// The host that a post's uri names: a URL's, or that of `tag:host,2017-05-01:…`, as old servers wrote.
pub(crate) fn of_uri(uri: &str) -> Option<Cow<'_, str>> {
    let tag = || strip_prefix_ignore_case(uri, "tag:")?.split_once(',').and_then(|(host, _)| named(host));
    of_url(uri).or_else(tag)
}

/// A post's `uri` in the one spelling that is its identity: without space around it, scheme and host in theirs as in
/// [`with_host_spelled`], `tag:` uris likewise. The path stays as it is: two paths may be two posts. A uri of another
/// form only loses the space around it.
pub fn spelled_uri(uri: &str) -> Cow<'_, str> {
    let uri = uri.trim();
    // Nearly every uri is spelled well: this path takes a few nanoseconds.
    if uri.strip_prefix("https://").is_some_and(|rest| is_spelled(authority(rest))) {
        return Cow::Borrowed(uri);
    }
    let tag = || {
        let (host, rest) = strip_prefix_ignore_case(uri, "tag:")?.split_once(',')?;
        Some(format!("tag:{},{rest}", named(host)?))
    };
    with_host_spelled(uri).or_else(tag).map_or(Cow::Borrowed(uri), Cow::Owned)
}

/// `url` with its scheme and host in their one spelling, without user name and password; the rest is unchanged.
pub(crate) fn with_host_spelled(url: &str) -> Option<String> {
    let (rest, port) = without_scheme(url)?;
    let authority = authority(rest);
    let scheme = if port == HTTPS_PORT { "https" } else { "http" };
    Some(format!("{scheme}://{}{}", spelled(authority, port)?, &rest[authority.len()..]))
}

/// Splits `user@domain`, also of `@user@domain`, `acct:user@domain` and a page's address, `https://domain/@user`; the
/// domain is `None` for a local account of the server.
pub(crate) fn split_acct(acct: &str) -> (&str, Option<&str>) {
    let acct = acct.trim();
    if let Some((rest, _)) = without_scheme(acct) {
        return of_page(rest);
    }
    let acct = strip_prefix_ignore_case(acct, "acct:").unwrap_or(acct);
    let acct = acct.trim_start_matches('/');
    let acct = acct.strip_prefix('@').unwrap_or(acct);
    match acct.split_once('@') {
        Some((user, domain)) => (user, Some(domain).filter(|d| !d.is_empty())),
        None => (acct, None),
    }
}

/// The user and the domain whose page is at an address without its scheme: `far.example/@bob`,
/// `far.example/users/bob`, `near.example/@bob@far.example`. The user is empty where the address tells none.
fn of_page(address: &str) -> (&str, Option<&str>) {
    let domain = authority(address);
    let path = address[domain.len()..].split(['?', '#']).next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let user = match parts.as_slice() {
        [at, ..] if at.starts_with('@') => &at[1..],
        ["users" | "u" | "profile" | "profiles" | "accounts" | "author" | "actor" | "channel", name, ..] => name,
        [name] => name,
        _ => "",
    };
    match user.split_once('@') {
        Some((user, home)) => (user, Some(home).filter(|home| !home.is_empty()).or(Some(domain))),
        None => (user, Some(domain)),
    }
}

/// True for an IP address or localhost: a server without a name in the DNS, which may therefore claim any domain.
pub(crate) fn is_address(host: &str) -> bool {
    let name = without_port(host);
    let may_be_ip = name.ends_with(|end: char| end.is_ascii_digit()) || name.contains(':');
    let is_ip = || name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    (may_be_ip && is_ip()) || name == "localhost" || name.ends_with(".localhost")
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

/// Like [`without_scheme`], of a stream's address: `wss://` or `ws://`.
fn without_socket_scheme(url: &str) -> Option<(&str, u16)> {
    let secure = strip_prefix_ignore_case(url, "wss://").map(|rest| (rest, HTTPS_PORT));
    secure.or_else(|| strip_prefix_ignore_case(url, "ws://").map(|rest| (rest, 80)))
}

/// True for the words that programs write for "no server".
fn is_word_for_none(text: &str) -> bool {
    ["null", "none", "nil", "nan", "undefined", "false", "true"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn authority(rest: &str) -> &str {
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'?' | b'#' | b'\\'));
    &rest[..end.unwrap_or(rest.len())]
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
    let name = name.strip_suffix('.').unwrap_or(&name).trim_start_matches('.');
    if name.is_empty() || name.len() > BYTES_MAX || name.ends_with('.') || name.contains("..") {
        return None;
    }
    Some(Cow::Owned(match port {
        Some(port) if port != scheme_port => format!("{name}:{port}"),
        _ => name.to_owned(),
    }))
}

/// True if the host is already in its one spelling, as nearly every host is.
fn is_spelled(host: &str) -> bool {
    let bytes = host.as_bytes();
    let mut label = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' => {}
            b'-' if !bytes[..at].ends_with(b"xn-") => {}
            b'.' if at > label => label = at + 1,
            _ => return false,
        }
    }
    // A last label of digits makes the host an IPv4 address, which has many spellings; an empty one means a dot too
    // many.
    bytes.get(label).is_some_and(u8::is_ascii_lowercase)
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
                    "wss://home.example",
                    "WSS://Home.example:443/api/v1/streaming",
                    "ws://home.example:80/",
                    ".home.example",
                    "..home.example.",
                    "https://.home.example",
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
            ("home.example:443", &["http://home.example:443", "ws://home.example:443"]),
            ("home.example:4000", &["wss://home.example:4000/x"]),
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
        for text in [
            "",
            " ",
            ".",
            "..",
            "https://",
            "a b",
            "ftp://home.example",
            "a:b:c",
            "home.example:99999",
            "[::1",
            "wss://",
            "wsss://home.example",
            "null",
            "NULL",
            " None ",
            "nil",
            "NaN",
            "undefined",
            "a..example",
            &long,
        ] {
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
    fn a_uri_has_one_spelling_and_keeps_its_path() {
        let one = "https://home.example/Users/ann/1?x=%7E#Y";
        for uri in [
            one,
            " https://home.example/Users/ann/1?x=%7E#Y\n",
            "HTTPS://HOME.example/Users/ann/1?x=%7E#Y",
            "https://home.example:443/Users/ann/1?x=%7E#Y",
            "https://home.example./Users/ann/1?x=%7E#Y",
            "https://ann@home.example/Users/ann/1?x=%7E#Y",
            "\u{a0}https://\u{ff48}ome.example:/Users/ann/1?x=%7E#Y\t",
        ] {
            assert_eq!(spelled_uri(uri), one, "{uri:?}");
        }
        for (uri, spelled) in [
            ("https://bücher.example/1", "https://xn--bcher-kva.example/1"),
            ("https://BU\u{308}CHER.example/1", "https://xn--bcher-kva.example/1"),
            ("https://XN--bcher-kva.example/1", "https://xn--bcher-kva.example/1"),
            ("http://home.example:80/1", "http://home.example/1"),
            ("https://home.example:80/1", "https://home.example:80/1"),
            ("https://home.example:08443/1", "https://home.example:8443/1"),
            ("http://[0::1]:80/1", "http://[::1]/1"),
            ("https://home.example/a//b/../C/", "https://home.example/a//b/../C/"),
            ("https://home.example", "https://home.example"),
            ("TAG:Home.example,2017-04-01:objectId=A", "tag:home.example,2017-04-01:objectId=A"),
            ("https://a b/1", "https://a b/1"),
            (" urn:Uuid:1 ", "urn:Uuid:1"),
            ("at://did:plc:X/1", "at://did:plc:X/1"),
            ("", ""),
        ] {
            assert_eq!(spelled_uri(uri), spelled, "{uri:?}");
            assert_eq!(spelled_uri(&spelled_uri(uri)), spelled, "{uri:?}");
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

    #[test]
    fn an_acct_may_be_written_as_an_address() {
        for acct in [
            "bob@far.example",
            "@bob@far.example",
            "acct:bob@far.example",
            "ACCT:@bob@far.example",
            "acct://bob@far.example",
            " https://far.example/@bob\n",
            "https://far.example/@bob/",
            "https://far.example/@bob?x#y",
            "https://far.example/users/bob",
            "http://far.example/profile/bob",
            "https://far.example/bob",
            "https://near.example/@bob@far.example",
        ] {
            assert_eq!(split_acct(acct), ("bob", Some("far.example")), "{acct:?}");
        }
        for acct in
            ["https://far.example", "https://far.example/", "https://far.example/a/b/c", "https://far.example/@"]
        {
            assert_eq!(split_acct(acct).0, "", "{acct:?}");
        }
    }
}
