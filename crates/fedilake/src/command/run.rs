//! `fedilake run`: collect, store and explore in one process.

use std::process::ExitCode;

use crate::cli;
use crate::command::collecting::{self, Collecting};
use crate::command::reloading::{Again, Reloading, Servers};
use crate::command::serving::{self, End};
use crate::command::watching::Watching;
use crate::owner::Ownership;
use crate::pipeline::{Loops, Pipeline, Sinks};
use crate::settings::Settings;
use crate::shutdown;

/// Runs until a signal or for the given time. A loop that fails ends it with an error.
pub(super) async fn run(typed: &cli::Run, settings: &Settings, again: Again) -> anyhow::Result<ExitCode> {
    let servers = collecting::servers(settings)?;
    let shutdown = shutdown::on_signal()?;
    let ownership = Ownership::take_to_write(&settings.data()?)?;
    let mut pipeline =
        Pipeline::start(ownership, settings, Loops { sink: Sinks::Shared, listen: Some(settings.listen()?) }).await?;
    serving::announce(&pipeline);
    let mut collecting = Collecting::start(servers, &pipeline.stores.log, settings)?;
    pipeline.shows(&collecting.counts);
    let watching = Watching::start(collecting.counts.clone());
    let reloading = Reloading::start(settings, again, Servers::Own, collecting.changes());
    let end = tokio::select! {
        end = serving::until_end(&mut pipeline, &shutdown, typed.duration) => end,
        error = collecting.failure() => End::Failed(pipeline.cause(error).await),
    };
    drop((watching, reloading));
    if let End::Failed(error) = end {
        return Err(error);
    }
    let tally = collecting.stop().await?;
    pipeline.stop().await?;
    collecting::say_tally(&tally);
    Ok(ExitCode::SUCCESS)
}
