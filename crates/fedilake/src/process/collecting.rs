//! Running the collectors of the configured servers, for `run`, `collect` and `demo`.

use std::sync::Arc;

use anyhow::Context;
use fedilake_collect::admission::Admission;
use fedilake_collect::collector::{self, Change};
use fedilake_collect::{CollectorSettings, Counts, ServerConfig, ServerSnapshot, ServerState, Tally, Via};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::consent;
use crate::render::counted;
use crate::servers::configured;
use crate::settings::{Settings, key};
use crate::task::Task;
use crate::telemetry;
use crate::wire::{Appending, OpenLog};

/// The most changes that wait for the collectors.
const CHANGES_MAX: usize = 1_024;

/// Running collectors.
pub struct Collecting {
    pub counts: Arc<Counts>,
    /// What is kept of whose posts.
    pub admission: Admission,
    _opt_out: Option<Task>,
    changes: mpsc::Sender<Change>,
    task: Task,
}

impl Collecting {
    /// Starts a collector for each server.
    pub fn start(
        servers: Vec<ServerConfig>,
        log: &OpenLog,
        settings: &Settings,
        admission: Admission,
    ) -> anyhow::Result<Collecting> {
        let collecting = Collecting::start_without(log, settings, admission)?;
        collecting.changes.try_send(Change::Only(servers)).expect("the channel has room for one");
        Ok(collecting)
    }

    /// Starts without servers; add them through [`Collecting::changes`].
    pub fn start_without(log: &OpenLog, settings: &Settings, admission: Admission) -> anyhow::Result<Collecting> {
        let mut collector = CollectorSettings::new(configured::contact(settings));
        collector.backfill = settings.get(key::COLLECT_BACKFILL_SECONDS);
        collector.admission = admission.clone();
        collector.own_servers = configured::own_servers(settings)?;
        collector.via = Via::parse(settings.get(key::COLLECT_VIA)).expect("the setting is one of these words");
        collector.gather_events_max = settings.get(key::COLLECT_BATCH_POSTS_MAX);
        collector.gather_time_max = settings.get(key::COLLECT_BATCH_AGE_MILLISECONDS_MAX);
        let counts = Arc::new(Counts::default());
        let (changes, receiver) = mpsc::channel(CHANGES_MAX);
        let Appending { writer, bookmarks } = log.appending();
        let (told, changed) = (Arc::clone(&counts), ReceiverStream::new(receiver).boxed());
        let task = Task::spawn("the collectors", |stop| async move {
            let run = collector::run_changing(changed, collector, writer, bookmarks, told, stop);
            run.await.context("collect posts")
        });
        let following = consent::following(&admission, settings);
        Ok(Collecting { counts, admission, _opt_out: following, changes, task })
    }

    /// The channel that starts and stops collectors while others run.
    pub fn changes(&self) -> mpsc::Sender<Change> {
        self.changes.clone()
    }

    /// Resolves when the collectors end by themselves, which happens only if the log fails. Cancel-safe.
    pub async fn failure(&mut self) -> anyhow::Error {
        self.task.early_end().await
    }

    /// Stops reading; returns when all accepted events are durable.
    pub async fn stop(self) -> anyhow::Result<Tally> {
        self.task.stop().await?;
        Ok(self.counts.tally())
    }
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
