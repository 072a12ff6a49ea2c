//! A server's own word about itself, for people who want to know it before they read it: its instance document, nodeinfo, rules and
//! robots.txt, and whether its timeline is shown to strangers.
//!
//! robots.txt is read first, and what it forbids is not asked for. One request a document, none of them repeated. Texts of the server are
//! short lines without control characters.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use fedilake_model::json::{self, Object};
use reqwest::Url;
use reqwest::header::{DATE, HeaderMap};

use crate::server::address::ServerAddress;
use crate::server::error::{SourceError, said};
use crate::server::http::{Answer, Http};
use crate::server::instance::{self, Streaming};
use crate::server::robots::Rules;
use crate::server::timeline::Timeline;
use crate::server::token::Token;
use crate::server::{guard, limits};

/// The most rules that are kept of a server.
const RULES_MAX: usize = 100;

/// A server's word about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The software's name, in lower case: mastodon, gotosocial.
    pub software: Option<String>,
    /// The software's version.
    pub version: Option<String>,
    /// The server's title.
    pub title: Option<String>,
    /// The domain in the handles of its members, if it is not the host.
    pub domain: Option<String>,
    /// Set if it seems to be another server by now.
    pub moved: Option<Moved>,
    /// The server's streams.
    pub streams: Streams,
    /// Who may read its live timelines: its members' posts, and those of others.
    pub feeds: Option<Feeds>,
    /// The requests that it allows.
    pub limit: Option<Allowance>,
    /// The server's rules.
    pub rules: Vec<String>,
    /// The rules of its robots.txt; `None` if it has none.
    pub robots: Option<Rules>,
    /// The rule of its robots.txt that forbids to read its instance document, so that little else is known.
    pub disallowed: Option<String>,
    /// How far the server's clock is ahead of ours, to a second.
    pub clock_ahead: Option<TimeDelta>,
}

/// How a server shows that it is another one by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moved {
    /// Its host sends requests on to this one.
    Redirects(String),
    /// Its document names this domain, which a server of its name may not claim.
    Names(String),
}

impl Moved {
    /// The other server: a host, or a domain.
    pub fn to(&self) -> &str {
        let (Moved::Redirects(to) | Moved::Names(to)) = self;
        to
    }
}

/// A server's word about its streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Streams {
    /// No document says anything, so they are looked for at the API's own address.
    #[default]
    Unsaid,
    /// They are at this address.
    At(String),
    /// There are none.
    None,
}

/// Who may read a server's timelines: `public`, `authenticated` or `disabled`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feeds {
    /// The posts of its members.
    pub local: String,
    /// The posts of others.
    pub remote: String,
}

/// The requests that a server allows in its present window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests in all.
    pub limit: u64,
    /// Requests that are left.
    pub remaining: u64,
}

/// A look at a server: every request of it is one that its robots.txt allows.
#[derive(Debug)]
pub struct Visit<'a> {
    http: &'a Http,
    address: &'a ServerAddress,
    robots: Option<Rules>,
    /// True for a server of the operator's own, whose robots.txt speaks to others.
    is_own: bool,
}

impl<'a> Visit<'a> {
    /// Reads robots.txt. Fails if the server cannot say whether there is one.
    pub async fn begin(http: &'a Http, address: &'a ServerAddress, is_own: bool) -> Result<Visit<'a>, SourceError> {
        let robots = http.robots(&address.base).await?;
        Ok(Visit { http, address, robots, is_own })
    }

    /// Reads the server's instance document, of the second version or else of the first. If robots.txt forbids that, only the rule is told.
    pub async fn about(&self) -> Result<About, SourceError> {
        let newer = self.get("/api/v2/instance").await;
        let older = match newer {
            Ok(answer) if Object::parse(&answer.body).is_ok() => return self.read(&answer, true),
            Ok(_) | Err(SourceError::Refused { .. } | SourceError::Disallowed { .. }) => {
                self.get("/api/v1/instance").await
            }
            Err(error) => return Err(error),
        };
        match older {
            Ok(answer) => self.read(&answer, false),
            Err(SourceError::Disallowed { rule, .. }) => {
                Ok(About { disallowed: Some(rule), robots: self.robots.clone(), ..About::default() })
            }
            Err(error) => Err(error),
        }
    }

    fn read(&self, answer: &Answer, is_newer: bool) -> Result<About, SourceError> {
        let Ok(document) = Object::parse(&answer.body) else {
            return Err(SourceError::Malformed {
                path: "/api/v1/instance".to_owned(),
                why: "expected a JSON object about the server".to_owned(),
            });
        };
        let mut about = About::of_document(&answer.body, &document, self.address, is_newer);
        about.heed(&answer.headers, Utc::now());
        about.moved = moved(answer, self.address);
        about.robots.clone_from(&self.robots);
        Ok(about)
    }

    /// Adds nodeinfo, which names the software, and the rules if the instance document has none. A document that the server does not have,
    /// or that robots.txt forbids, adds nothing.
    pub async fn more(&self, about: &mut About) {
        let (nodeinfo, rules) = tokio::join!(self.nodeinfo(), async {
            if about.rules.is_empty() { self.get("/api/v1/instance/rules").await.ok() } else { None }
        });
        if let Some((name, version)) = nodeinfo {
            about.software = Some(name);
            about.version = version.or(about.version.take());
        }
        if let Some(rules) = rules {
            about.rules = texts(&rules.body);
        }
    }

    /// Reads a post of the server's public timeline: without a token, as strangers may where the server lets them. Returns the number of
    /// posts that it showed.
    pub async fn timeline_with(&self, token: Option<&Token>) -> Result<usize, SourceError> {
        let path = "/api/v1/timelines/public";
        let mut url = self.url(path);
        url.set_query(Some("limit=1"));
        self.permit(&url)?;
        let answer = self.http.get(url, token, |_, _| {}).await?;
        let malformed =
            |_| SourceError::Malformed { path: path.to_owned(), why: "expected a JSON array of posts".to_owned() };
        Ok(json::elements(&answer.body).map_err(malformed)?.filter_map(Result::ok).count())
    }

    /// The software's name and version by nodeinfo, whose document is read from the server's own host alone.
    async fn nodeinfo(&self) -> Option<(String, Option<String>)> {
        let known = self.get("/.well-known/nodeinfo").await.ok()?;
        let links = member(&known.body, "links")?;
        let hrefs = json::elements(&links).ok()?.filter_map(Result::ok).filter_map(|link| {
            let link = Object::parse(&link).ok()?;
            let is_schema = link.text_at(&["rel"])?.contains("nodeinfo");
            link.text_at(&["href"]).filter(|_| is_schema).and_then(|href| Url::parse(href).ok())
        });
        let base = &self.address.base;
        let href = hrefs.filter(|href| href.host() == base.host() && href.scheme() == base.scheme()).last()?;
        self.permit(&href).ok()?;
        let document = self.http.get(href, None, |_, _| {}).await.ok()?;
        let document = Object::parse(&document.body).ok()?;
        let name = said(document.text_at(&["software", "name"])?).to_lowercase();
        Some((name, document.text_at(&["software", "version"]).map(said)))
    }

    async fn get(&self, path: &str) -> Result<Answer, SourceError> {
        let url = self.url(path);
        self.permit(&url)?;
        self.http.get(url, None, |_, _| {}).await
    }

    fn permit(&self, url: &Url) -> Result<(), SourceError> {
        match &self.robots {
            Some(robots) if !self.is_own => robots.check(url),
            _ => Ok(()),
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.address.base.clone();
        url.set_path(path);
        url
    }
}

impl About {
    fn of_document(body: &Bytes, document: &Object, address: &ServerAddress, is_newer: bool) -> About {
        let text = |path: &[&str]| document.text_at(path).map(said).filter(|text| !text.is_empty());
        let (software, version) = instance::software(document);
        let streams = if is_newer {
            match instance::streaming(body, &address.base, &Timeline::Public) {
                Streaming::Nowhere => Streams::None,
                Streaming::At(url) => Streams::At(url.as_str().trim_end_matches('/').to_owned()),
                Streaming::Here => Streams::Unsaid,
            }
        } else {
            text(&["urls", "streaming_api"]).map_or(Streams::Unsaid, Streams::At)
        };
        let feed = |feed: &str| text(&["configuration", "timelines_access", "live_feeds", feed]);
        let domain = instance::domain(body).map(|domain| said(&domain));
        let domain = domain.filter(|domain| {
            let bare = domain.rsplit("://").next().unwrap_or(domain).trim_end_matches('/');
            !bare.eq_ignore_ascii_case(address.server.as_str())
        });
        About {
            software,
            version,
            title: text(&["title"]),
            domain,
            streams,
            feeds: feed("local").zip(feed("remote")).map(|(local, remote)| Feeds { local, remote }),
            rules: member(body, "rules").map(|rules| texts(&rules)).unwrap_or_default(),
            ..About::default()
        }
    }

    fn heed(&mut self, headers: &HeaderMap, now: DateTime<Utc>) {
        let number = |name| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        self.limit = number("x-ratelimit-limit")
            .zip(number("x-ratelimit-remaining"))
            .map(|(limit, remaining)| Allowance { limit, remaining });
        self.clock_ahead = headers.get(DATE).map(|_| limits::time_of(headers, now) - now);
    }
}

/// True if the server's address itself is this machine or in a private network.
pub fn is_inside(address: &ServerAddress) -> bool {
    guard::is_inside(&address.base)
}

/// Lets requests go to the server wherever its name leads, as for a server that is listed.
pub fn allow(http: &Http, address: &ServerAddress) {
    http.guard().list(&address.base);
}

/// How long a request of this module may take at most: shorter than a collector's, because a person waits.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Whether the answer is that of another server.
fn moved(answer: &Answer, address: &ServerAddress) -> Option<Moved> {
    let place = |url: &Url| Some((url.host_str()?.to_lowercase(), url.port_or_known_default()));
    // From http to https is no move.
    let is_elsewhere = match (place(&answer.url), place(&address.base)) {
        (Some((to, to_port)), Some((from, from_port))) => {
            to != from || (to_port != from_port && answer.url.scheme() == address.base.scheme())
        }
        _ => false,
    };
    if is_elsewhere {
        let host = answer.url.host_str().unwrap_or_default();
        let port = answer.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        return Some(Moved::Redirects(said(&format!("{host}{port}"))));
    }
    let claimed = instance::domain(&answer.body)?;
    let is_its_own = address.server.trusted_domain(&claimed).is_some();
    (!is_its_own).then(|| Moved::Names(said(&claimed)))
}

/// The value of a document's member, as JSON.
fn member(document: &Bytes, name: &str) -> Option<Bytes> {
    let found = json::members(document).ok()?.map_while(Result::ok).find(|(key, _)| key == name)?;
    Some(Bytes::copy_from_slice(found.1.json().as_bytes()))
}

/// The texts of a list of rules.
fn texts(rules: &Bytes) -> Vec<String> {
    let Ok(rules) = json::elements(rules) else { return Vec::new() };
    let text = |rule: Bytes| Some(said(Object::parse(&rule).ok()?.text_at(&["text"])?));
    rules.map_while(Result::ok).filter_map(text).filter(|text| !text.is_empty()).take(RULES_MAX).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::server::address;

    fn read(document: &str, is_newer: bool) -> About {
        let body = Bytes::copy_from_slice(document.as_bytes());
        About::of_document(&body, &Object::parse(&body).unwrap(), &address::parse("a.example").unwrap(), is_newer)
    }

    #[test]
    fn a_server_that_sends_on_or_names_another_domain_is_another_one_by_now() {
        let told = |typed: &str, url: &str, document: &str| {
            let answer = Answer {
                headers: HeaderMap::new(),
                body: Bytes::copy_from_slice(document.as_bytes()),
                url: Url::parse(url).unwrap(),
            };
            moved(&answer, &address::parse(typed).unwrap())
        };
        let redirects = |to: &str| Some(Moved::Redirects(to.to_owned()));
        for (typed, url, document, expected) in [
            ("a.example", "https://a.example/api/v2/instance", "{}", None),
            ("http://a.example", "https://a.example/api", "{}", None),
            ("a.example", "https://new.example/api", "{}", redirects("new.example")),
            ("http://127.0.0.1:4000", "http://localhost:4000/api", "{}", redirects("localhost:4000")),
            ("http://127.0.0.1:4000", "http://127.0.0.1:4001/api", "{}", redirects("127.0.0.1:4001")),
            ("social.a.example", "https://social.a.example/api", r#"{"domain":"a.example"}"#, None),
            (
                "a.example",
                "https://a.example/api",
                r#"{"domain":"new.example"}"#,
                Some(Moved::Names("new.example".to_owned())),
            ),
        ] {
            assert_eq!(told(typed, url, document), expected, "{typed} {url} {document}");
        }
    }

    #[test]
    fn documents_of_both_versions_tell_streams_readers_and_rules() {
        let newer = read(
            r#"{"domain":"a.example","title":"A\u001b[2J","version":"4.5.0","source_url":"https://github.com/mastodon/mastodon",
                "configuration":{"urls":{"streaming":"wss://s.a.example"},
                "timelines_access":{"live_feeds":{"local":"public","remote":"authenticated"}}},
                "rules":[{"id":"1","text":"Be kind."},{"id":"2"},7]}"#,
            true,
        );
        assert_eq!(newer.software.as_deref(), Some("mastodon"));
        assert_eq!(newer.streams, Streams::At("https://s.a.example".to_owned()));
        assert_eq!(newer.feeds, Some(Feeds { local: "public".to_owned(), remote: "authenticated".to_owned() }));
        assert_eq!((newer.title.as_deref(), newer.domain.as_deref()), (Some("A[2J"), None));
        assert_eq!(newer.rules, ["Be kind."]);
        let silent = read(r#"{"version":"4.5.0","configuration":{"urls":{"streaming":null}}}"#, true);
        assert_eq!((silent.streams, silent.feeds), (Streams::None, None));
        let older = read(r#"{"uri":"b.example","version":"3.5.0","urls":{"streaming_api":"wss://a.example"}}"#, false);
        assert_eq!(older.streams, Streams::At("wss://a.example".to_owned()));
        assert_eq!(older.domain.as_deref(), Some("b.example"));
        assert_eq!(read("{}", false), About::default());
    }
}
