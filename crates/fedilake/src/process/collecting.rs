//! The collectors of this process, with what goes on beside them: their view, changes of their servers, and the withdrawing of posts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fedilake_collect::admission::Admission;
use fedilake_collect::collector::{self, Change};
use fedilake_collect::{CollectorSettings, Counts, ServerConfig, ServerSnapshot, ServerState, Tally, Via};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::consent;
use crate::process::answering::Answering;
use crate::process::changing;
use crate::process::following::Following;
use crate::process::reloading;
use crate::process::sharing::{self, Sharing};
use crate::process::watching::{self, Shown, Standing};
use crate::process::withdrawing::Withdrawing;
use crate::render::counted;
use crate::servers::configured::{self, Tokens};
use crate::servers::contact;
use crate::servers::roster::Roster;
use crate::settings::{Again, Settings, key};
use crate::task::{Task, failure_of};
use crate::telemetry;
use crate::wire::{Appending, OpenLog, SharedList};

/// The most changes that wait for the collectors.
const CHANGES_MAX: usize = 1_024;
/// How long the last deletes may take at the end.
const WITHDRAW_WITHIN: Duration = Duration::from_secs(10);

/// What is collected, and how that is shown.
pub struct Collect {
    pub servers: Servers,
    /// With the operator's contact.
    pub settings: Settings,
    /// What is kept of whose posts.
    pub admission: Admission,
    pub shown: Shown,
}

/// The servers to collect from.
pub enum Servers {
    /// These at first. They are read `again` from the settings at each SIGHUP, and a `roster` is changed on request, if there are such.
    Own { servers: Vec<ServerConfig>, roster: Option<Roster>, again: Option<Again> },
    /// This process's share of the list beside the log.
    Listed { list: SharedList, tokens: Tokens, again: Again },
}

impl Servers {
    /// The servers that the settings and the data folder name, and the settings with a contact: if they need one, it is asked for.
    pub fn own(settings: &Settings, again: Again) -> anyhow::Result<(Servers, Settings)> {
        let roster = Roster::of_settings(settings)?;
        let servers = configured::servers(settings, roster.as_ref())?;
        let settings = contact::settle(settings, &again, servers.iter().map(|server| &server.address))?;
        Ok((Servers::Own { servers, roster, again: Some(again) }, settings))
    }
}

/// Running collectors.
pub struct Collecting {
    pub counts: Arc<Counts>,
    task: Task,
    sharing: Option<Sharing>,
    withdrawing: Option<Task<Withdrawing>>,
    /// The view, and the loops that change the servers: they end before the collectors do.
    beside: Vec<Task>,
    _opt_out: Option<Task>,
}

impl Collecting {
    /// Starts a collector for each server. A lake that follows withdraws posts of people who say no; a server that answers shows the
    /// collectors.
    pub async fn start(
        Collect { servers, mut settings, admission, shown }: Collect,
        log: &OpenLog,
        following: Option<&Following>,
        answering: Option<&Answering>,
        standing: impl Fn() -> Standing + Send + 'static,
    ) -> anyhow::Result<Collecting> {
        let (changes, changed) = mpsc::channel(CHANGES_MAX);
        let mut sharing = None;
        let (named, again) = match servers {
            Servers::Own { servers, roster, again } => {
                changes.try_send(Change::Only(servers)).expect("the channel has room for one");
                (reloading::Servers::Own(roster), again)
            }
            Servers::Listed { list, tokens, again } => {
                let share;
                (share, settings) = sharing::join(&list, &settings, &again).await?;
                let joined = Sharing::start(share, tokens, settings.clone(), changes.clone());
                let named = reloading::Servers::Shared(joined.tokens());
                sharing = Some(joined);
                (named, Some(again))
            }
        };
        let (counts, collector) = (Arc::<Counts>::default(), collector_settings(&settings, &admission)?);
        let Appending { writer, bookmarks } = log.appending();
        let (told, changed) = (Arc::clone(&counts), ReceiverStream::new(changed).boxed());
        let task = Task::spawn("the collectors", |stop| async move {
            let run = collector::run_changing(changed, collector, writer, bookmarks, told, stop);
            run.await.context("collect posts")
        });
        let opt_out = consent::following(&admission, &settings);
        let withdrawing = following.map(|following| following.withdrawing(&admission).start());
        let mut beside = Vec::new();
        if let Some(answering) = answering {
            let mut requests = None;
            if let (reloading::Servers::Own(Some(roster)), Some(again)) = (&named, &again) {
                let (task, sender) =
                    changing::on_request(again.clone(), roster.clone(), changes.clone(), Arc::clone(&counts));
                beside.push(task);
                requests = Some(sender);
            }
            answering.shows(&counts, requests);
        }
        beside.push(watching::show(Arc::clone(&counts), shown, standing));
        beside.extend(again.map(|again| reloading::at_hangups(&settings, again, named, changes)));
        Ok(Collecting { counts, task, sharing, withdrawing, beside, _opt_out: opt_out })
    }

    /// Resolves when the collectors end by themselves, which happens only if the log fails, or when a share's membership fails for good.
    /// Cancel-safe.
    pub async fn failure(&mut self) -> anyhow::Error {
        tokio::select! {
            error = self.task.early_end() => error,
            error = failure_of(&mut self.sharing, Sharing::failure) => error,
        }
    }

    /// Stops reading; returns when all accepted events are durable, and posts of people who said no meanwhile are deleted.
    pub async fn stop(self) -> anyhow::Result<Tally> {
        drop(self.beside);
        let withdrawing = match self.withdrawing {
            Some(withdrawing) => withdrawing.stop().await?,
            None => None,
        };
        let stopped = self.task.stop().await;
        if let Some(sharing) = self.sharing {
            // Only after the bookmarks are saved, because the next collector begins at them.
            sharing.leave().await;
        }
        stopped?;
        let tally = self.counts.tally();
        if let Some(withdrawing) = withdrawing
            && let Err(error) = withdrawing.finish_within(WITHDRAW_WITHIN).await
        {
            tracing::warn!("posts of people who said no at last are deleted when they are met again: {error:#}");
        }
        Ok(tally)
    }
}

fn collector_settings(settings: &Settings, admission: &Admission) -> anyhow::Result<CollectorSettings> {
    let mut collector = CollectorSettings::new(configured::contact(settings));
    collector.backfill = settings.get(key::COLLECT_BACKFILL_SECONDS);
    collector.admission = admission.clone();
    collector.own_servers = configured::own_servers(settings)?;
    collector.via = Via::parse(settings.get(key::COLLECT_VIA)).expect("the setting is one of these words");
    collector.gather_events_max = settings.get(key::COLLECT_BATCH_POSTS_MAX);
    collector.gather_time_max = settings.get(key::COLLECT_BATCH_AGE_MILLISECONDS_MAX);
    Ok(collector)
}

/// One line with the servers' states: `5 servers: 3 live, 1 polling, 1 backing off (b.example: connect: refused)`.
pub fn servers_line(servers: &[ServerSnapshot]) -> String {
    let count = |wanted: &str| servers.iter().filter(|server| server.state.as_str() == wanted).count();
    let named =
        [("live", "live"), ("polling", "polling"), ("connecting", "connecting"), ("backing_off", "backing off")];
    let total: usize = named.iter().map(|(state, _)| count(state)).sum();
    let mut parts: Vec<String> = named
        .iter()
        .filter_map(|(state, words)| match count(state) {
            0 => None,
            n => Some(format!("{n} {words}")),
        })
        .collect();
    let failed = servers.iter().find(|server| matches!(server.state, ServerState::BackingOff { .. }));
    if let (Some(server), Some(last)) = (failed, parts.last_mut()) {
        last.push_str(&format!(" ({}: {})", server.server, server.last_error.as_deref().unwrap_or("no answer")));
    }
    if total == 0 {
        "no server".to_owned()
    } else {
        format!("{}: {}", counted(total as u64, "server"), parts.join(", "))
    }
}

/// Prints how many events came in, and how many were appended, skipped or rejected.
pub fn say_tally(tally: &Tally) {
    for post in &tally.unread {
        telemetry::say(&format!("unreadable time, treated as missing: {post}"));
    }
    telemetry::say(&format!("{} appended{}", counted(tally.accepted, "event"), reasons(tally)));
}

/// `, 12 skipped (boost 10, nobot 2), 3 not usable (no_uri 3)`; empty if there is nothing to report.
fn reasons(tally: &Tally) -> String {
    let listed = |counts: &std::collections::BTreeMap<&'static str, u64>| {
        counts.iter().map(|(reason, count)| format!("{reason} {count}")).collect::<Vec<_>>().join(", ")
    };
    let mut text = String::new();
    if tally.skipped_total() > 0 {
        text.push_str(&format!(", {} skipped ({})", tally.skipped_total(), listed(&tally.skipped)));
    }
    if tally.rejected_total() > 0 {
        text.push_str(&format!(", {} not usable ({})", tally.rejected_total(), listed(&tally.rejected)));
    }
    if !tally.flaws.is_empty() {
        text.push_str(&format!(", flaws: {}", listed(&tally.flaws)));
    }
    if tally.duplicates > 0 {
        text.push_str(&format!(", {} seen just before", tally.duplicates));
    }
    if tally.unknown > 0 {
        text.push_str(&format!(", {} of unknown kinds", tally.unknown));
    }
    text
}
