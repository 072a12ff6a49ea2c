//! `fedilake serve`: follows and answers; collects nothing.

use std::process::ExitCode;

use crate::cli;
use crate::owner::Ownership;
use crate::process::serving::{self, End};
use crate::process::{Loops, Process, Sinks};
use crate::settings::Settings;
use crate::shutdown;
use crate::wire;

/// Serves until a signal or the given time.
pub(super) async fn run(typed: &cli::Serve, settings: &Settings) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal()?;
    let folder = settings.data()?;
    wire::reach_stores(&folder, settings).await?;
    let ownership = Ownership::take_or_refuse(&folder)?;
    let mut process =
        Process::start(ownership, settings, Loops { sink: Sinks::No, listen: Some(settings.listen()) }).await?;
    serving::announce(&process);
    if let End::Failed(error) = serving::until_end(&mut process, &shutdown, typed.duration).await {
        return Err(error);
    }
    process.stop().await?;
    Ok(ExitCode::SUCCESS)
}
