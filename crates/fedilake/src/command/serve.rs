//! `fedilake serve`: follows and answers; collects nothing.

use std::process::ExitCode;

use crate::cli;
use crate::owner::Ownership;
use crate::process::{Answer, Loops, Process, Until};
use crate::settings::Settings;
use crate::shutdown;
use crate::wire;

/// Serves until a signal or the given time.
pub(super) async fn run(typed: &cli::Serve, settings: &Settings) -> anyhow::Result<ExitCode> {
    let shutdown = shutdown::on_signal()?;
    let folder = settings.data()?;
    wire::reach_stores(&folder, settings).await?;
    let ownership = Ownership::take_or_refuse(&folder)?;
    let answer = Answer::Questions { at: settings.listen(), is_said: true };
    let loops = Loops { follow: true, answer, ..Loops::default() };
    let mut process = Process::start(Some(ownership.into()), settings, loops).await?;
    process.until(Until::after(typed.duration), &shutdown).await?;
    process.stop().await?;
    Ok(ExitCode::SUCCESS)
}
