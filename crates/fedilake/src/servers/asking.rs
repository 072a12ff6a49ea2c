//! Asking servers about themselves, for a person who waits.

use std::collections::HashSet;
use std::time::Duration;

use fedilake_collect::server::about::{self, About, Feeds, Moved, Streams, Visit};
use fedilake_collect::server::address::ServerAddress;
use fedilake_collect::server::http::Http;
use fedilake_collect::{HttpSettings, SourceError};
use fedilake_model::Server;
use futures::{StreamExt, stream};

use crate::servers::configured;
use crate::settings::Settings;

/// Servers that are asked at once.
const AT_ONCE: usize = 16;

/// A client with the operator's contact, whose requests take `within` at most.
pub fn client(settings: &Settings, within: Duration) -> anyhow::Result<Http> {
    let http = HttpSettings {
        connect_timeout: within,
        answer_timeout: within,
        answer_bytes_max: 2 << 20,
        ..HttpSettings::new(configured::contact(settings))
    };
    Ok(Http::new(http)?)
}

/// What each server says of itself, in their order; with nodeinfo and rules if `more`. Those of `own` are asked whatever their robots.txt
/// says.
pub async fn all(
    http: &Http,
    servers: &[ServerAddress],
    own: &HashSet<Server>,
    more: bool,
) -> Vec<Result<About, SourceError>> {
    let ask = |address: &ServerAddress| {
        let (http, address, is_own) = (http.clone(), address.clone(), own.contains(&address.server));
        async move {
            about::allow(&http, &address);
            let visit = Visit::begin(&http, &address, is_own).await?;
            let mut about = visit.about().await?;
            if more {
                visit.more(&mut about).await;
            }
            Ok(about)
        }
    };
    stream::iter(servers.iter().map(ask)).buffered(AT_ONCE).collect().await
}

/// `mastodon 4.5.0`.
pub fn software(about: &About) -> Option<String> {
    match (&about.software, &about.version) {
        (Some(name), Some(version)) => Some(format!("{name} {version}")),
        (Some(one), None) | (None, Some(one)) => Some(one.clone()),
        (None, None) => None,
    }
}

/// What to do about a server that is another one by now, as two sentences.
pub fn moved(server: &Server, about: &About) -> Option<(String, String)> {
    let moved = about.moved.as_ref()?;
    let to = moved.to();
    let says = match moved {
        Moved::Redirects(_) => format!("{server} sends requests on to {to}"),
        Moved::Names(_) => format!("{server} says that it is {to}, so its members count as those of other servers"),
    };
    Some((says, format!("read it as {to}: `fedilake servers add {to}`, then `fedilake servers remove {server}`")))
}

/// Whether a server streams.
pub fn streams(about: &About) -> &'static str {
    match about.streams {
        _ if about.disallowed.is_some() => "not asked",
        Streams::At(_) => "yes",
        Streams::None => "no",
        Streams::Unsaid => "not said",
    }
}

/// Who may read the live timelines, in a word or two.
pub fn readers(about: &About) -> Option<String> {
    let Feeds { local, remote } = about.feeds.as_ref()?;
    Some(match local == remote {
        true => reader(local).to_owned(),
        false => format!("local: {}, others: {}", reader(local), reader(remote)),
    })
}

pub fn reader(access: &str) -> &str {
    match access {
        "public" => "anyone",
        "authenticated" => "members",
        "disabled" => "nobody",
        other => other,
    }
}

/// True if robots.txt lets this program read the API; `None` if the server has none.
pub fn robots(about: &About) -> Option<&'static str> {
    let is_forbidden = about.robots.as_ref()?.forbids("/api/v1/timelines/public").is_some();
    Some(if is_forbidden { "disallow" } else { "allow" })
}
