//! `fedilake run`: collect, store and explore in one process.

use std::process::ExitCode;
use std::time::Duration;

use crate::cli;
use crate::command::changing::Changing;
use crate::command::collecting::{self, Collecting};
use crate::command::contact;
use crate::command::reloading::{Again, Reloading, Servers};
use crate::command::roster::Roster;
use crate::command::serving::{self, End};
use crate::command::watching::Watching;
use crate::consent;
use crate::owner::Ownership;
use crate::pipeline::{Loops, Pipeline, Sinks};
use crate::settings::Settings;
use crate::shutdown;

/// How long the last deletes may take at the end.
const WITHDRAW_WITHIN: Duration = Duration::from_secs(10);

/// Runs until a signal or for the given time. A loop that fails ends it with an error.
pub(super) async fn run(typed: &cli::Run, settings: &Settings, again: Again) -> anyhow::Result<ExitCode> {
    let roster = Roster::of_settings(settings)?;
    let servers = collecting::servers(settings, roster.as_ref())?;
    let settings = &contact::settle(settings, &again, servers.iter().map(|server| &server.address))?;
    let admission = consent::admission(settings)?.with_refusals();
    let shutdown = shutdown::on_signal()?;
    let ownership = Ownership::take_to_write(&settings.data()?)?;
    let mut pipeline =
        Pipeline::start(ownership, settings, Loops { sink: Sinks::Shared, listen: Some(settings.listen()?) }).await?;
    serving::announce(&pipeline);
    let mut collecting = Collecting::start(servers, &pipeline.stores.log, settings, admission)?;
    let withdrawing = pipeline.withdrawing(&collecting.admission).start();
    let changing = roster
        .clone()
        .map(|roster| Changing::start(again.clone(), roster, collecting.changes(), collecting.counts.clone()))
        .unzip();
    pipeline.shows(&collecting.counts, changing.1);
    let watching = Watching::start_view(collecting.counts.clone(), pipeline.standing(), typed.plain);
    let reloading = Reloading::start(settings, again, Servers::Own(roster), collecting.changes());
    let end = tokio::select! {
        end = serving::until_end(&mut pipeline, &shutdown, typed.duration) => end,
        error = collecting.failure() => End::Failed(pipeline.cause(error).await),
    };
    drop((watching, reloading, changing.0));
    let withdrawing = withdrawing.end().await;
    if let End::Failed(error) = end {
        return Err(error);
    }
    let tally = collecting.stop().await?;
    if let Err(error) = withdrawing.finish_within(WITHDRAW_WITHIN).await {
        tracing::warn!("posts of people who said no at last are deleted when they are met again: {error:#}");
    }
    pipeline.stop().await?;
    collecting::say_tally(&tally);
    Ok(ExitCode::SUCCESS)
}
