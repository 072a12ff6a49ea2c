//! Running the collectors of the configured servers, for `run`, `collect` and `demo`.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use fedilake_collect::address::{self, ServerAddress};
use fedilake_collect::collector::{self, Change, CollectError};
use fedilake_collect::{CollectorSettings, Counts, ServerConfig, ServerSnapshot, ServerState, Tally, Timeline, Token};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::render::counted;
use crate::secret;
use crate::settings::Settings;
use crate::telemetry;
use crate::wire::{Appending, Log};

/// The contact sent to servers if the operator sets none.
const PROJECT: &str = "https://github.com/fedilake/fedilake";

/// Tokens by host.
pub(super) type Tokens = Vec<(String, Token)>;

/// The most changes that wait for the collectors.
const CHANGES_MAX: usize = 1_024;

/// Running collectors.
pub(super) struct Collecting {
    pub counts: Arc<Counts>,
    changes: mpsc::Sender<Change>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), CollectError>>,
}

impl Collecting {
    /// Starts a collector for each server.
    pub fn start(servers: Vec<ServerConfig>, log: &Log, settings: &Settings) -> anyhow::Result<Collecting> {
        let collecting = Collecting::start_without(log, settings)?;
        collecting.changes.try_send(Change::Only(servers)).expect("the channel has room for one");
        Ok(collecting)
    }

    /// Starts without servers; add them through [`Collecting::changes`].
    pub fn start_without(log: &Log, settings: &Settings) -> anyhow::Result<Collecting> {
        let mut collector = CollectorSettings::new(contact(settings));
        collector.gather_events_max = settings.number("collect.batch_posts_max")?;
        collector.gather_time_max =
            std::time::Duration::from_millis(settings.number("collect.batch_age_milliseconds_max")?);
        let (counts, stop) = (Arc::new(Counts::default()), CancellationToken::new());
        let (changes, receiver) = mpsc::channel(CHANGES_MAX);
        let Appending { writer, bookmarks } = log.appending();
        let run = collector::run_changing(
            ReceiverStream::new(receiver).boxed(),
            collector,
            writer,
            bookmarks,
            Arc::clone(&counts),
            stop.clone(),
        );
        Ok(Collecting { counts, changes, stop, task: tokio::spawn(run) })
    }

    /// The channel that starts and stops collectors while others run.
    pub fn changes(&self) -> mpsc::Sender<Change> {
        self.changes.clone()
    }

    /// Resolves when the collectors end by themselves, which happens only if the log fails. Cancel-safe.
    pub async fn failure(&mut self) -> anyhow::Error {
        match (&mut self.task).await {
            Ok(Ok(())) => anyhow::anyhow!("the collectors ended early"),
            Ok(Err(error)) => anyhow::Error::new(error).context("collect posts"),
            Err(error) => anyhow::Error::new(error).context("collect posts"),
        }
    }

    /// Stops reading; returns when all accepted events are durable.
    pub async fn stop(self) -> anyhow::Result<Tally> {
        self.stop.cancel();
        self.task.await.context("collect posts")?.context("collect posts")?;
        Ok(self.counts.tally())
    }
}

/// The contact that is sent to servers.
pub(super) fn contact(settings: &Settings) -> &str {
    match settings.text("collect.contact") {
        "" => PROJECT,
        contact => contact,
    }
}

/// The configured servers with their tokens.
pub(super) fn servers(settings: &Settings) -> anyhow::Result<Vec<ServerConfig>> {
    let typed = settings.list("collect.servers");
    if typed.is_empty() {
        bail!(
            "no server to collect from\nhint: --server mastodon.social, or `fedilake simulate --serve 127.0.0.1:4000` and --server http://127.0.0.1:4000"
        );
    }
    let timeline = timeline(settings)?;
    let tokens = tokens(settings)?;
    let addresses = typed.iter().map(|server| address::parse(server)).collect::<Result<Vec<ServerAddress>, _>>()?;
    for (host, _) in &tokens {
        if !addresses.iter().any(|address| address.server.as_str() == host) {
            bail!(
                "there is a token for {host}, but {host} is not collected\nhint: --token-file HOST=FILE with the HOST of a --server"
            );
        }
    }
    Ok(addresses.into_iter().map(|address| config(address, timeline, &tokens)).collect())
}

/// How to read a server, with its token from `tokens` if there is one.
pub(super) fn config(address: ServerAddress, timeline: Timeline, tokens: &[(String, Token)]) -> ServerConfig {
    let token = tokens.iter().find(|(host, _)| host == address.server.as_str()).map(|(_, token)| token.clone());
    ServerConfig { address, timeline, token }
}

/// The timeline of the settings.
pub(super) fn timeline(settings: &Settings) -> anyhow::Result<Timeline> {
    let text = settings.text("collect.timeline");
    Timeline::parse(text).with_context(|| format!("setting collect.timeline = {text:?} is neither public nor local"))
}

/// The configured tokens, by host.
pub(super) fn tokens(settings: &Settings) -> anyhow::Result<Tokens> {
    let read = |typed: &String| {
        let (host, file) = typed.split_once('=').with_context(|| format!("{typed:?} is not HOST=FILE"))?;
        let text = secret::read(Path::new(file)).with_context(|| format!("read the token for {host} from {file}"))?;
        let token = Token::new(&text).with_context(|| {
            format!(
                "{file} does not contain a token\nhint: a file with one line, the access token of an app with scope read:statuses"
            )
        })?;
        // In the host's one spelling, as for servers.
        let host = address::parse(host).map_or_else(|_| host.to_lowercase(), |address| address.server.to_string());
        Ok((host, token))
    };
    settings.list("collect.token_files").iter().map(read).collect()
}

/// One line with the servers' states: `5 servers: 3 live, 1 polling, 1 backing off (b.example: connect: refused)`.
pub(super) fn servers_line(servers: &[ServerSnapshot]) -> String {
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
pub(super) fn say_tally(tally: &Tally) {
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
