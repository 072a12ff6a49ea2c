//! How complete the reading of each server is, estimated now and then from the lake: for `servers`, the page and metrics.
//!
//! A server shows every public post of its own members, so the part that it showed of what others showed of them estimates the whole
//! (report `completeness`). One whose stream lives and which lately showed less than half of that is *blind*.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use fedilake_collect::{ServerSnapshot, Timeline};
use fedilake_query::{Reading, Span};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::figures::{Estimate, Estimates, is_read};
use crate::lake_process::{AskError, LakeProcess};
use crate::task::Task;

/// The age of the oldest posts that count.
const WHOLE: TimeDelta = TimeDelta::hours(24);
/// Posts count as written lately for so many intervals.
const LATELY: i32 = 12;
/// The most servers with metrics of their own.
const SERVERS_MAX: usize = 2_000;

/// Asks the lake for the estimates at `now`. Posts younger than `every` are left out: another server may have been faster. Blocks.
pub fn estimates(
    lake: &LakeProcess,
    every: Duration,
    read: Vec<Reading>,
    now: DateTime<Utc>,
) -> Result<Estimates, AskError> {
    let every = TimeDelta::from_std(every).unwrap_or(WHOLE);
    let until = now - every;
    let span = Span {
        from_micros: (until - WHOLE).timestamp_micros(),
        lately_micros: (until - every * LATELY).timestamp_micros(),
        until_micros: until.timestamp_micros(),
        read,
    };
    Ok(lake.completeness(&span)?.iter().map(|found| (found.server.clone(), Estimate::of(found))).collect())
}

/// Estimates again and again until dropped, and exports the estimates as metrics.
pub struct Estimating {
    _task: Task,
    latest: watch::Receiver<Arc<Estimates>>,
}

impl Estimating {
    /// Starts to estimate at each `every`. `servers` are those of this process, once it collects.
    pub fn start(
        lake: Arc<LakeProcess>,
        servers: impl Fn() -> Option<Vec<ServerSnapshot>> + Send + 'static,
        every: Duration,
    ) -> Estimating {
        let (sender, latest) = watch::channel(Arc::default());
        let task = Task::until_dropped("the estimates", async move {
            let (mut looks, mut known) = (interval(every), Known::default());
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                looks.tick().await;
                let servers = servers();
                let now = Utc::now();
                known.note(servers.as_deref().unwrap_or_default(), now);
                let (lake, read) = (Arc::clone(&lake), known.read());
                let asked = tokio::task::spawn_blocking(move || estimates(&lake, every, read, now)).await;
                match asked {
                    Ok(Ok(found)) => {
                        known.export(&found, servers.as_deref());
                        sender.send_replace(Arc::new(found));
                    }
                    Ok(Err(error)) => tracing::debug!("the completeness of servers is not known: {error}"),
                    // A panic, which the hook has reported.
                    Err(_) => {}
                }
            }
        });
        Estimating { _task: task, latest }
    }

    /// The estimates as they were last made.
    pub fn latest(&self) -> watch::Receiver<Arc<Estimates>> {
        self.latest.clone()
    }
}

/// The servers as they were at the last look.
#[derive(Default)]
struct Known {
    /// Since when each has been read by this process.
    since: HashMap<String, DateTime<Utc>>,
    /// The domains in their members' handles, as far as they are known.
    domains: HashMap<String, String>,
    exported: HashSet<String>,
    blind: HashSet<String>,
}

impl Known {
    fn note(&mut self, servers: &[ServerSnapshot], now: DateTime<Utc>) {
        let shows_members = |server: &&ServerSnapshot| {
            is_read(server.state) && matches!(server.timeline, Timeline::Public | Timeline::Local)
        };
        let host = |server: &ServerSnapshot| server.server.as_str().to_lowercase();
        let read: HashSet<String> = servers.iter().filter(shows_members).map(host).collect();
        let domains = servers.iter().filter_map(|server| Some((host(server), server.domain.clone()?)));
        self.domains = domains.collect();
        self.since.retain(|host, _| read.contains(host));
        for host in read {
            self.since.entry(host).or_insert(now);
        }
    }

    fn read(&self) -> Vec<Reading> {
        let reading = |(host, since): (&String, &DateTime<Utc>)| Reading {
            server: host.clone(),
            domain: self.domains.get(host).cloned(),
            since_micros: since.timestamp_micros(),
        };
        self.since.iter().map(reading).collect()
    }

    /// Exports the estimates; without `servers`, which are collected elsewhere, nobody here knows which of them are read.
    fn export(&mut self, found: &Estimates, servers: Option<&[ServerSnapshot]>) {
        for (host, estimate) in found.iter().take(SERVERS_MAX) {
            metrics::gauge!("fedilake_lake_server_completeness_ratio", "server" => host.clone()).set(estimate.share);
            self.exported.insert(host.clone());
        }
        self.exported.retain(|host| {
            let is_known = found.contains_key(host);
            if !is_known {
                // Of no post, there is no part.
                metrics::gauge!("fedilake_lake_server_completeness_ratio", "server" => host.clone()).set(f64::NAN);
            }
            is_known
        });
        if servers.is_none() {
            return;
        }
        for host in self.since.keys().take(SERVERS_MAX) {
            let estimate = found.get(host);
            let is_blind = estimate.is_some_and(|estimate| estimate.is_low);
            metrics::gauge!("fedilake_lake_server_blind", "server" => host.clone()).set(f64::from(u8::from(is_blind)));
            match (is_blind, estimate) {
                (true, Some(estimate)) if self.blind.insert(host.clone()) => tracing::warn!(
                    server = %host,
                    "server is blind: it is read, and lately showed less than half of its members' posts that others showed; \
                     {:.0} % of the last day's",
                    100.0 * estimate.share
                ),
                (false, _) if self.blind.remove(host) => tracing::info!(server = %host, "server is no longer blind"),
                _ => {}
            }
        }
        for host in self.blind.extract_if(|host| !self.since.contains_key(host)) {
            metrics::gauge!("fedilake_lake_server_blind", "server" => host).set(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use fedilake_query::Completeness;

    use super::*;

    #[test]
    fn a_server_is_blind_that_lately_showed_less_than_half_and_not_by_chance() {
        for (elsewhere_lately, common_lately, is_low) in
            [(10, 4, true), (10, 5, false), (9, 0, false), (0, 0, false), (1_000, 0, true), (1_000, 990, false)]
        {
            let found = Completeness {
                server: "a.example".to_owned(),
                elsewhere: 1_000,
                common: 900,
                elsewhere_lately,
                common_lately,
            };
            let estimate = Estimate::of(&found);
            assert_eq!(estimate, Estimate { share: 0.9, is_low }, "{found:?}");
            assert_eq!(estimate.is_blind(&Timeline::Local), is_low);
            assert!(!estimate.is_blind(&Timeline::Remote), "it shows no member's post");
        }
    }
}
