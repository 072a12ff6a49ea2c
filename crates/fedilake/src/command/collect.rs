//! `fedilake collect`: servers to the log, nothing else.

use std::process::ExitCode;

use crate::cli;
use crate::command::collecting::{self, Collecting};
use crate::command::serving;
use crate::command::watching::Watching;
use crate::serve::Figures;
use crate::settings::Settings;
use crate::shutdown;
use crate::telemetry;
use crate::wire::{self, Log};

/// Collects until a signal or the given time.
pub(super) async fn run(typed: &cli::Collect, settings: &Settings) -> anyhow::Result<ExitCode> {
    let servers = collecting::servers(settings)?;
    let shutdown = shutdown::on_signal()?;
    let ownership = wire::own_the_log(settings)?;
    let log = Log::open(ownership.as_ref(), settings).await?;
    let _figures = Figures::start(typed.listen).await?;
    let mut collecting = Collecting::start(servers, &log, settings)?;
    let watching = Watching::start(collecting.counts.clone());
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = serving::elapsed(typed.duration) => {}
        error = collecting.failure() => return Err(error),
    }
    drop(watching);
    collecting::say_tally(&collecting.stop().await?);
    telemetry::say("hint: `fedilake sink` with the same --data stores them in the table");
    Ok(ExitCode::SUCCESS)
}
