//! `fedilake serve`: follows and answers; collects nothing.

use std::process::ExitCode;

use crate::cli;
use crate::command::serving::{self, End};
use crate::owner::Ownership;
use crate::pipeline::{Loops, Pipeline, Sinks};
use crate::settings::Settings;
use crate::shutdown;
use crate::wire;

/// Serves until a signal or the given time.
pub(super) async fn run(typed: &cli::Serve, settings: &Settings) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal()?;
    let folder = settings.data()?;
    wire::reach_stores(&folder, settings).await?;
    let ownership = Ownership::take_or_refuse(&folder)?;
    let mut pipeline =
        Pipeline::start(ownership, settings, Loops { sink: Sinks::No, listen: Some(settings.listen()?) }).await?;
    serving::announce(&pipeline);
    if let End::Failed(error) = serving::until_end(&mut pipeline, &shutdown, typed.duration).await {
        return Err(error);
    }
    pipeline.stop().await?;
    Ok(ExitCode::SUCCESS)
}
