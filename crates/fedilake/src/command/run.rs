//! `fedilake run`: collect, store and explore in one process.

use std::process::ExitCode;
use std::time::Duration;

use crate::cli;
use crate::consent;
use crate::owner::Ownership;
use crate::process::changing;
use crate::process::collecting::{self, Collecting};
use crate::process::reloading::{self, Servers};
use crate::process::serving::{self, End};
use crate::process::watching;
use crate::process::{Loops, Process, Sinks};
use crate::servers::configured;
use crate::servers::contact;
use crate::servers::roster::Roster;
use crate::settings::Again;
use crate::settings::Settings;
use crate::shutdown;

/// How long the last deletes may take at the end.
const WITHDRAW_WITHIN: Duration = Duration::from_secs(10);

/// Runs until a signal or for the given time. A loop that fails ends it with an error.
pub(super) async fn run(typed: &cli::Run, settings: &Settings, again: Again) -> anyhow::Result<ExitCode> {
    let roster = Roster::of_settings(settings)?;
    let servers = configured::servers(settings, roster.as_ref())?;
    let settings = &contact::settle(settings, &again, servers.iter().map(|server| &server.address))?;
    let admission = consent::admission(settings)?.with_refusals();
    let shutdown = shutdown::on_signal()?;
    let ownership = Ownership::take_to_write(&settings.data()?)?;
    let mut process =
        Process::start(ownership, settings, Loops { sink: Sinks::Shared, listen: Some(settings.listen()) }).await?;
    serving::announce(&process);
    let mut collecting = Collecting::start(servers, &process.stores.log, settings, admission)?;
    let withdrawing = process.withdrawing(&collecting.admission).start();
    let changing = roster
        .clone()
        .map(|roster| changing::on_request(again.clone(), roster, collecting.changes(), collecting.counts.clone()))
        .unzip();
    process.shows(&collecting.counts, changing.1);
    let watching = watching::in_a_view(collecting.counts.clone(), process.standing(), typed.plain);
    let reloading = reloading::at_hangups(settings, again, Servers::Own(roster), collecting.changes());
    let end = tokio::select! {
        end = serving::until_end(&mut process, &shutdown, typed.duration) => end,
        error = collecting.failure() => End::Failed(process.cause(error).await),
    };
    drop((watching, reloading, changing.0));
    if let End::Failed(error) = end {
        return Err(error);
    }
    let withdrawing = withdrawing.stop().await?;
    let tally = collecting.stop().await?;
    if let Some(withdrawing) = withdrawing
        && let Err(error) = withdrawing.finish_within(WITHDRAW_WITHIN).await
    {
        tracing::warn!("posts of people who said no at last are deleted when they are met again: {error:#}");
    }
    process.stop().await?;
    collecting::say_tally(&tally);
    Ok(ExitCode::SUCCESS)
}
