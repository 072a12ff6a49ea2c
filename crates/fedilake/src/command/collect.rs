//! `fedilake collect`: servers to the log only.
//!
//! Collects the servers that the settings name. On a Kafka log without such servers, it joins the group of collectors
//! that share the listed servers.

use std::process::ExitCode;

use anyhow::{Context, bail};
use fedilake_collect::ServerAddress;

use crate::cli;
use crate::consent;
use crate::owner;
use crate::process::collecting::{self, Collecting};
use crate::process::reloading::{self, Servers};
use crate::process::serving;
use crate::process::sharing::Sharing;
use crate::process::watching;
use crate::serve::{Figures, Readiness, Standing};
use crate::servers::configured;
use crate::servers::contact;
use crate::servers::listed::Listed;
use crate::servers::roster::Roster;
use crate::settings::Again;
use crate::settings::{Settings, key};
use crate::shutdown;
use crate::telemetry;
use crate::wire::{self, OpenLog, SharedList, Use};

/// Collects until a signal or the given time.
pub(super) async fn run(typed: &cli::Collect, settings: &Settings, again: Again) -> anyhow::Result<ExitCode> {
    match SharedList::of(settings)? {
        Some(list) if settings.get(key::COLLECT_SERVERS).is_empty() => share(&list, typed, settings, again).await,
        _ => own(typed, settings, again).await,
    }
}

/// Collects the servers that the settings name.
async fn own(typed: &cli::Collect, settings: &Settings, again: Again) -> anyhow::Result<ExitCode> {
    let roster = Roster::of_settings(settings)?;
    let servers = configured::servers(settings, roster.as_ref())?;
    let settings = &contact::settle(settings, &again, servers.iter().map(|server| &server.address))?;
    let admission = consent::admission(settings)?;
    let shutdown = shutdown::on_signal()?;
    let ownership = wire::own_the_log(settings)?;
    let log = OpenLog::open(ownership.as_ref(), settings, Use::Write).await?;
    let mut collecting = Collecting::start(servers, &log, settings, admission)?;
    let _figures = Figures::start(typed.listen, ready(&collecting)).await?;
    let watching = watching::in_a_line(collecting.counts.clone());
    let reloading = reloading::at_hangups(settings, again, Servers::Own(roster), collecting.changes());
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = serving::elapsed(typed.duration) => {}
        error = collecting.failure() => return Err(owner::cause(ownership.as_deref(), error).await),
        error = owner::lost(ownership.as_deref()) => return Err(error),
    }
    drop((watching, reloading));
    collecting::say_tally(&collecting.stop().await?);
    if ownership.is_some() {
        telemetry::say("hint: `fedilake sink` with the same --data stores them in the table");
    }
    Ok(ExitCode::SUCCESS)
}

/// Collects this member's share of the listed servers.
async fn share(list: &SharedList, typed: &cli::Collect, settings: &Settings, again: Again) -> anyhow::Result<ExitCode> {
    if !typed.servers.timelines.names().is_empty() {
        bail!(
            "--local and other timelines do not apply to listed servers, each of which has its own\n\
             hint: `fedilake servers add --local HOST`"
        );
    }
    let tokens = configured::tokens(settings)?;
    let admission = consent::admission(settings)?;
    let shutdown = shutdown::on_signal()?;
    let log = OpenLog::open(None, settings, Use::Write).await?;
    let servers = list.open(Use::Read).await?;
    let listed = servers.list().await.context("read the list of servers")?;
    let addresses: Vec<ServerAddress> =
        listed.values().filter_map(|value| Listed::parse(value).ok()?.address().ok()).collect();
    let settings = &contact::settle(settings, &again, addresses.iter())?;
    if listed.is_empty() {
        telemetry::say(
            "no server is listed yet\nhint: `fedilake servers add mastodon.social`; it is collected at once",
        );
    }
    let share = servers.share(settings.get(key::COLLECT_GROUP)).context("join the collectors' group")?;
    let mut collecting = Collecting::start_without(&log, settings, admission)?;
    let mut sharing = Sharing::start(share, tokens, settings.clone(), collecting.changes());
    let _figures = Figures::start(typed.listen, ready(&collecting)).await?;
    let watching = watching::in_a_line(collecting.counts.clone());
    let reloading = reloading::at_hangups(settings, again, Servers::Shared(sharing.tokens()), collecting.changes());
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = serving::elapsed(typed.duration) => {}
        error = collecting.failure() => return Err(error),
        error = sharing.failure() => return Err(error),
    }
    drop((watching, reloading));
    let tally = collecting.stop().await;
    // Only after the bookmarks are saved, because the next collector begins at them.
    sharing.leave().await;
    collecting::say_tally(&tally?);
    Ok(ExitCode::SUCCESS)
}

/// The answer of `/readyz`: the servers by state. Not ready if there are servers but none of them can be read.
fn ready(collecting: &Collecting) -> impl Fn() -> Readiness + Clone + Send + Sync + 'static {
    let counts = std::sync::Arc::clone(&collecting.counts);
    move || {
        let servers = counts.snapshot();
        let is_read = servers.iter().any(|server| matches!(server.state.as_str(), "live" | "polling"));
        let why_not = if servers.is_empty() || is_read { None } else { Some("no server can be read") };
        let states = servers.iter().map(|server| (server.server.to_string(), server.state.as_str()));
        Readiness::unless(why_not, Standing::Servers(states.collect()))
    }
}
