//! Whether a server's robots.txt allows a request, and when: the rules of its hosts, read again once an hour.

use std::collections::HashMap;

use reqwest::Url;
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant, sleep_until};

use crate::server::error::SourceError;
use crate::server::http::Http;
use crate::server::robots::Rules;
use crate::settings::CollectorSettings;

/// The part of an hour after which rules that could not be read again are asked for once more.
const TRIES: u32 = 12;

/// The rules of a server's hosts: its own, and that of its streams.
#[derive(Debug, Default)]
pub(crate) struct Permission {
    hosts: Mutex<HashMap<String, Host>>,
    /// The stream that was opened last.
    stream: std::sync::Mutex<Option<Url>>,
}

#[derive(Debug)]
struct Host {
    rules: Rules,
    /// When they are read again.
    due: Instant,
    /// When the next request may follow.
    next: Instant,
}

impl Permission {
    /// Waits until the request may be made, or fails if it may not. The first request to a host waits for its rules.
    pub(crate) async fn ask(&self, url: &Url, http: &Http, settings: &CollectorSettings) -> Result<(), SourceError> {
        let at = {
            // Held while the rules are read: whoever asks meanwhile needs them too.
            let mut hosts = self.hosts.lock().await;
            let host = known(&mut hosts, url, http, settings.robots_for).await?;
            host.rules.check(url)?;
            let at = host.next.max(Instant::now());
            host.next = at + host.rules.crawl_delay.unwrap_or_default();
            at
        };
        sleep_until(at).await;
        Ok(())
    }

    /// Notes the stream that is opened.
    pub(crate) fn streams_from(&self, url: &Url) {
        *self.stream.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(url.clone());
    }

    /// The error if the stream that is open is no longer allowed.
    pub(crate) async fn stream_disallowed(&self, http: &Http, settings: &CollectorSettings) -> Option<SourceError> {
        let url = self.stream.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()?;
        let mut hosts = self.hosts.lock().await;
        known(&mut hosts, &url, http, settings.robots_for).await.ok()?.rules.check(&url).err()
    }
}

/// The rules of the host of `url`, read if they are due. Rules that cannot be read again stay.
async fn known<'a>(
    hosts: &'a mut HashMap<String, Host>,
    url: &Url,
    http: &Http,
    robots_for: Duration,
) -> Result<&'a mut Host, SourceError> {
    let name = url.origin().ascii_serialization();
    if hosts.get(&name).is_none_or(|host| Instant::now() >= host.due) {
        let read = http.robots(url).await;
        let now = Instant::now();
        match (read, hosts.get_mut(&name)) {
            (Ok(rules), known) => {
                let next = known.map_or(now, |known| known.next);
                hosts.insert(name.clone(), Host { rules: rules.unwrap_or_default(), due: now + robots_for, next });
            }
            (Err(error), Some(known)) => {
                tracing::debug!(host = %name, %error, "robots.txt cannot be read again; its rules stay");
                known.due = now + robots_for / TRIES;
            }
            (Err(error), None) => return Err(error),
        }
    }
    Ok(hosts.get_mut(&name).expect("it was there or is now"))
}
