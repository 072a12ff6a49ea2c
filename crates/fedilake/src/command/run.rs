//! `fedilake run`: collect, store and explore in one process.

use std::process::ExitCode;

use crate::cli;
use crate::consent;
use crate::owner::Ownership;
use crate::process::collecting::{self, Collect, Servers};
use crate::process::watching::Shown;
use crate::process::{Answer, Append, Loops, Process, Sinks, Until};
use crate::settings::{Again, Settings};
use crate::shutdown;

/// Runs until a signal or for the given time. A loop that fails ends it with an error.
pub(super) async fn run(typed: &cli::Run, settings: &Settings, again: Again) -> anyhow::Result<ExitCode> {
    let (servers, settings) = Servers::own(settings, again)?;
    let admission = consent::admission(&settings)?.with_refusals();
    let shutdown = shutdown::on_signal()?;
    let ownership = Ownership::take_to_write(&settings.data()?)?;
    let shown = Shown::View { plain: typed.plain };
    let loops = Loops {
        append: Append::Collectors(Box::new(Collect { servers, settings: settings.clone(), admission, shown })),
        sink: Sinks::Shared,
        follow: true,
        answer: Answer::Questions { at: settings.listen(), is_said: true },
        ..Loops::default()
    };
    let mut process = Process::start(Some(ownership.into()), &settings, loops).await?;
    process.until(Until::after(typed.duration), &shutdown).await?;
    collecting::say_tally(&process.stop().await?.collected);
    Ok(ExitCode::SUCCESS)
}
