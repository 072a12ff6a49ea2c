//! A server's document about itself (`/api/v2/instance`): whether and where it streams, and its members' domain.

use bytes::Bytes;
use fedilake_model::json::Object;
use reqwest::Url;

use crate::server::error::said;
use crate::server::timeline::Timeline;

/// The address of a server's streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Streaming {
    /// The API's own address, as the document names no other.
    Here,
    /// This address, which may be on another host.
    At(Url),
    /// The server has no streams, or has switched off the stream of the timeline, which then connects and stays
    /// silent.
    Nowhere,
}

/// Reads the document of the server at `base`. An unreadable document counts as one that names no address.
pub(crate) fn streaming(document: &Bytes, base: &Url, timeline: &Timeline) -> Streaming {
    let Ok(document) = Object::parse(document) else {
        return Streaming::Here;
    };
    let is_off =
        |feed: &str| document.text_at(&["configuration", "timelines_access", "live_feeds", feed]) == Some("disabled");
    let is_off = match timeline {
        Timeline::Local => is_off("local"),
        Timeline::Remote => is_off("remote"),
        Timeline::Public => is_off("local") && is_off("remote"),
        Timeline::Hashtag(_) | Timeline::List(_) => false,
    };
    let url = &["configuration", "urls", "streaming"];
    if is_off || document.is_null_at(url) {
        return Streaming::Nowhere;
    }
    document.text_at(url).and_then(|url| address(url, base)).map_or(Streaming::Here, Streaming::At)
}

/// The longest URL that is kept and named in errors.
const URL_BYTES_MAX: usize = 2_000;

/// The domain in the handles of the server's members, as its document claims it: GoToSocial's `account_domain`, Mastodon's `domain`,
/// or the `uri` of the first version of the document, which is a domain there and a URL in others' software.
pub(crate) fn domain(document: &Bytes) -> Option<String> {
    let document = Object::parse(document).ok()?;
    let mut claims = ["account_domain", "domain", "uri"].into_iter().filter_map(|key| document.text_at(&[key]));
    claims.find(|claim| !claim.is_empty()).map(str::to_owned)
}

/// True if the document, of either version, is that of software that streams over WebSocket alone.
pub(crate) fn has_only_sockets(document: &Bytes) -> bool {
    let software = Object::parse(document).ok().and_then(|document| software(&document).0);
    software.is_some_and(|software| ["pleroma", "akkoma", "gotosocial"].contains(&software.as_str()))
}

/// The software's name, in lower case, and its version, as a document of either version tells them. `2.7.2 (compatible; Akkoma 3.10.4)`
/// names another software behind Mastodon's API; `4.5.0` is said by Mastodon, and by others too, which the address of their code may tell.
pub(crate) fn software(document: &Object) -> (Option<String>, Option<String>) {
    let text = |key| document.text_at(&[key]).map(said).filter(|text| !text.is_empty());
    let version = text("version");
    let Some((_, rest)) = version.as_deref().and_then(|version| version.split_once("compatible;")) else {
        let code = text("source_url").unwrap_or_default();
        let known = ["gotosocial", "mastodon"].into_iter().find(|name| code.ends_with(&format!("/{name}")));
        return (known.map(str::to_owned), version);
    };
    let rest = rest.trim().trim_end_matches(')');
    match rest.split_once(' ') {
        Some((name, version)) => (Some(name.to_lowercase()), Some(version.trim().to_owned())),
        None => (Some(rest.to_lowercase()), None),
    }
}

/// The https address of `wss://host`, where the same streams can be read over SSE. A server read over https is never
/// left for http, because the token would be sent unencrypted.
fn address(url: &str, base: &Url) -> Option<Url> {
    let (scheme, rest) = url.split_once("://")?;
    let scheme = match scheme {
        "wss" | "https" => "https",
        "ws" | "http" if base.scheme() == "http" => "http",
        _ => return None,
    };
    let url = Url::parse(&format!("{scheme}://{rest}")).ok().filter(|_| rest.len() <= URL_BYTES_MAX)?;
    let is_plain = url.has_host() && url.username().is_empty() && url.password().is_none();
    (is_plain && url.query().is_none() && url.fragment().is_none()).then_some(url)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(base: &str, document: &str) -> Streaming {
        streaming(&Bytes::copy_from_slice(document.as_bytes()), &Url::parse(base).unwrap(), &Timeline::Public)
    }

    fn with_url(url: &str) -> String {
        format!(r#"{{"configuration":{{"urls":{{"streaming":{url}}}}}}}"#)
    }

    #[test]
    fn streams_are_where_the_document_says() {
        let at = |url: &str| Streaming::At(Url::parse(url).unwrap());
        for (base, url, expected) in [
            ("https://a.example", r#""wss://streaming.a.example""#, at("https://streaming.a.example")),
            ("https://a.example", r#""https://a.example""#, at("https://a.example")),
            ("http://127.0.0.1:1", r#""ws://127.0.0.1:2""#, at("http://127.0.0.1:2")),
            ("https://a.example", r#""ws://a.example""#, Streaming::Here),
            ("https://a.example", r#""file:///etc/passwd""#, Streaming::Here),
            ("https://a.example", r#""wss://user:pw@a.example""#, Streaming::Here),
            ("https://a.example", r#""""#, Streaming::Here),
            ("https://a.example", "17", Streaming::Here),
            ("https://a.example", "null", Streaming::Nowhere),
        ] {
            assert_eq!(read(base, &with_url(url)), expected, "{base} {url}");
        }
    }

    #[test]
    fn the_members_domain_is_that_of_their_handles() {
        for (document, claimed) in [
            (r#"{"domain":"ann.example"}"#, Some("ann.example")),
            (r#"{"domain":"social.ann.example","account_domain":"ann.example"}"#, Some("ann.example")),
            (r#"{"uri":"ann.example"}"#, Some("ann.example")),
            (r#"{"uri":"https://ann.example","domain":""}"#, Some("https://ann.example")),
            (r#"{"domain":7,"uri":null}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(domain(&Bytes::from(document)).as_deref(), claimed, "{document}");
        }
    }

    #[test]
    fn the_software_is_that_of_the_version_or_of_the_code() {
        for (version, code, name, own_version, has_only_sockets) in [
            ("2.7.2 (compatible; Akkoma 3.10.4-0-g2)", "", Some("akkoma"), Some("3.10.4-0-g2"), true),
            ("2.7.2 (compatible; Pleroma 2.5.5)", "", Some("pleroma"), Some("2.5.5"), true),
            (
                "0.16.0+git-f1cbf6f",
                "https://code.example/org/gotosocial",
                Some("gotosocial"),
                Some("0.16.0+git-f1cbf6f"),
                true,
            ),
            ("3.5.3 (compatible; Pixelfed 0.12.3)", "", Some("pixelfed"), Some("0.12.3"), false),
            ("2.8.0 (compatible; Friendica)", "", Some("friendica"), None, false),
            ("4.5.0", "https://github.com/mastodon/mastodon", Some("mastodon"), Some("4.5.0"), false),
            ("4.5.0", "", None, Some("4.5.0"), false),
            ("", "", None, None, false),
        ] {
            let document = Bytes::from(format!(r#"{{"version":"{version}","source_url":"{code}"}}"#));
            let (found, found_version) = software(&Object::parse(&document).unwrap());
            assert_eq!((found.as_deref(), found_version.as_deref()), (name, own_version), "{version}");
            assert_eq!(super::has_only_sockets(&document), has_only_sockets, "{version}");
        }
        assert!(!super::has_only_sockets(&Bytes::from_static(b"<html>")));
    }

    #[test]
    fn a_document_that_says_nothing_leaves_the_streams_where_the_api_is() {
        for document in ["", "<html>", "[]", "{}", r#"{"configuration":null}"#, r#"{"configuration":{"urls":[]}}"#] {
            assert_eq!(read("https://a.example", document), Streaming::Here, "{document}");
        }
    }

    #[test]
    fn a_feed_that_is_switched_off_is_not_streamed() {
        for (local, remote, timeline, expected) in [
            ("disabled", "disabled", Timeline::Public, Streaming::Nowhere),
            ("public", "disabled", Timeline::Public, Streaming::Here),
            ("disabled", "public", Timeline::Local, Streaming::Nowhere),
            ("authenticated", "disabled", Timeline::Local, Streaming::Here),
            ("public", "disabled", Timeline::Remote, Streaming::Nowhere),
            ("disabled", "disabled", Timeline::parse("hashtag:rust").unwrap(), Streaming::Here),
        ] {
            let document = format!(
                r#"{{"configuration":{{"timelines_access":{{"live_feeds":{{"local":"{local}","remote":"{remote}"}}}}}}}}"#
            );
            let base = Url::parse("https://a.example").unwrap();
            assert_eq!(streaming(&Bytes::from(document), &base, &timeline), expected);
        }
    }
}
