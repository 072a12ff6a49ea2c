//! Running the collectors of the configured servers, for `run`, `collect` and `demo`.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use fedilake_collect::address::{self, ServerAddress};
use fedilake_collect::admission::Admission;
use fedilake_collect::collector::{self, Change, CollectError};
use fedilake_collect::{
    CollectorSettings, Counts, ServerConfig, ServerSnapshot, ServerState, Tally, Timeline, Token, Via,
};
use fedilake_model::Server;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::command::roster::Roster;
use crate::consent::Following;
use crate::render::counted;
use crate::secret;
use crate::settings::Settings;
use crate::telemetry;
use crate::tokens::{self, TokenFile};
use crate::wire::{Appending, Log};

/// The contact sent to the servers of this machine, if the operator sets none.
pub(super) const PROJECT: &str = "https://github.com/fedilake/fedilake";

/// Tokens by host, each with its file.
pub(super) type Tokens = Vec<(String, TokenOfFile)>;

/// A token and the file that it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TokenOfFile {
    pub token: Token,
    pub file: PathBuf,
}

/// The most changes that wait for the collectors.
const CHANGES_MAX: usize = 1_024;

/// Running collectors.
pub(super) struct Collecting {
    pub counts: Arc<Counts>,
    /// What is kept of whose posts.
    pub admission: Admission,
    _opt_out: Following,
    changes: mpsc::Sender<Change>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), CollectError>>,
}

impl Collecting {
    /// Starts a collector for each server.
    pub fn start(
        servers: Vec<ServerConfig>,
        log: &Log,
        settings: &Settings,
        admission: Admission,
    ) -> anyhow::Result<Collecting> {
        let collecting = Collecting::start_without(log, settings, admission)?;
        collecting.changes.try_send(Change::Only(servers)).expect("the channel has room for one");
        Ok(collecting)
    }

    /// Starts without servers; add them through [`Collecting::changes`].
    pub fn start_without(log: &Log, settings: &Settings, admission: Admission) -> anyhow::Result<Collecting> {
        let mut collector = CollectorSettings::new(contact(settings));
        collector.backfill = settings.seconds("collect.backfill_seconds")?;
        collector.admission = admission.clone();
        collector.own_servers = own_servers(settings)?;
        collector.via = Via::parse(settings.text("collect.via")).expect("the setting is one of these words");
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
        let following = Following::start(&admission, settings);
        Ok(Collecting { counts, admission, _opt_out: following, changes, stop, task: tokio::spawn(run) })
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

/// The servers to read with their tokens: those of the settings, and those that were added to the data folder.
pub(super) fn servers(settings: &Settings, added: Option<&Roster>) -> anyhow::Result<Vec<ServerConfig>> {
    let tokens = tokens(settings)?;
    let mut servers = configured_with(&tokens, settings)?;
    for listed in added.map(Roster::read).transpose()?.unwrap_or_default().values() {
        servers.extend(listed.configs(&tokens)?);
    }
    if servers.is_empty() {
        bail!(
            "no server to collect from\nhint: --server mastodon.social, or `fedilake simulate --serve 127.0.0.1:4000` and --server http://127.0.0.1:4000"
        );
    }
    require_no_stray_token(settings, &servers)?;
    Ok(servers)
}

/// The servers of the settings with their tokens.
pub(super) fn configured(settings: &Settings) -> anyhow::Result<Vec<ServerConfig>> {
    configured_with(&tokens(settings)?, settings)
}

/// The servers of the settings with those of these tokens.
pub(super) fn configured_with(tokens: &Tokens, settings: &Settings) -> anyhow::Result<Vec<ServerConfig>> {
    let typed = settings.list("collect.servers");
    let timelines = timelines(settings)?;
    let addresses = typed.iter().map(|server| address::parse(server)).collect::<Result<Vec<ServerAddress>, _>>()?;
    let configs = addresses
        .iter()
        .flat_map(|address| timelines.iter().map(|timeline| config(address.clone(), timeline.clone(), tokens)));
    Ok(configs.collect())
}

/// Refuses a token that is given for a server that nobody reads: its host may be misspelt.
fn require_no_stray_token(settings: &Settings, servers: &[ServerConfig]) -> anyhow::Result<()> {
    for (host, _) in token_files(settings)? {
        if !servers.iter().any(|config| config.address.server.as_str() == host) {
            bail!(
                "there is a token for {host}, but {host} is not collected\nhint: --token-file HOST=FILE with the HOST of a --server"
            );
        }
    }
    Ok(())
}

/// How to read a server, with its token from `tokens` if there is one.
pub(super) fn config(address: ServerAddress, timeline: Timeline, tokens: &[(String, TokenOfFile)]) -> ServerConfig {
    let found = tokens.iter().find(|(host, _)| host == address.server.as_str()).map(|(_, found)| found.clone());
    let (token, token_file) = found.map(|found| (found.token, found.file)).unzip();
    // `fedilake login` may put one there while the server is read.
    let token_file = token_file.or_else(|| Some(TokenFile::of(address.server.as_str()).ok()?.path().to_owned()));
    ServerConfig { address, timeline, token, token_file }
}

/// The timelines of the settings, in which each server is read, and which the entry of a listed server names.
pub(super) fn timelines(settings: &Settings) -> anyhow::Result<Vec<Timeline>> {
    let parse = |name: &String| {
        Timeline::parse(name).with_context(|| format!("setting collect.timeline = {name:?} is no timeline"))
    };
    settings.list("collect.timeline").iter().map(parse).collect()
}

/// The operator's own servers of which there is a token: for the operator their robots.txt does not hold.
pub(super) fn own_with_tokens(settings: &Settings) -> anyhow::Result<HashSet<Server>> {
    let hosts: Vec<String> = token_files(settings)?.into_iter().chain(tokens::saved()).map(|(host, _)| host).collect();
    let own = named_own(settings)?;
    Ok(own.into_iter().filter(|server| hosts.iter().any(|host| host == server.as_str())).collect())
}

/// The servers that the operator says are her own.
pub(super) fn named_own(settings: &Settings) -> anyhow::Result<HashSet<Server>> {
    settings.list("collect.own_servers").iter().map(|typed| Ok(address::parse(typed)?.server)).collect()
}

/// The operator's own servers. Each needs a token, which shows that the operator has an account there; it may come later.
fn own_servers(settings: &Settings) -> anyhow::Result<HashSet<Server>> {
    let (own, with_tokens) = (named_own(settings)?, own_with_tokens(settings)?);
    for server in own.difference(&with_tokens) {
        tracing::warn!(
            %server,
            hint = format!("`fedilake login {server}`"),
            "a server of your own without a token: until it has one, its robots.txt holds as for others"
        );
    }
    Ok(own)
}

/// The tokens by host: the configured ones, and for other hosts those that `fedilake login` saved.
pub(super) fn tokens(settings: &Settings) -> anyhow::Result<Tokens> {
    let mut files = token_files(settings)?;
    for (host, file) in tokens::saved() {
        if !files.iter().any(|(listed, _)| *listed == host) {
            files.push((host, file));
        }
    }
    let read = |(host, file): (String, PathBuf)| {
        let shown = file.display();
        let text = secret::read(&file).with_context(|| format!("read the token for {host} from {shown}"))?;
        let token = Token::new(&text).with_context(|| {
            format!(
                "{shown} does not contain a token\nhint: a file with one line, the access token of an app with scope read:statuses; \
                 `fedilake login {host}` gets one"
            )
        })?;
        Ok((host, TokenOfFile { token, file }))
    };
    files.into_iter().map(read).collect()
}

/// The configured token files, each with its host in the one spelling that servers have.
pub(super) fn token_files(settings: &Settings) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let read = |typed: &String| {
        let (host, file) = typed.split_once('=').with_context(|| format!("{typed:?} is not HOST=FILE"))?;
        let host = address::parse(host).map_or_else(|_| host.to_lowercase(), |address| address.server.to_string());
        Ok((host, PathBuf::from(file)))
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
