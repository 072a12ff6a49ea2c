//! `fedilake collect`: servers to the log only.
//!
//! Collects the servers that the settings name. On a Kafka log without such servers, it joins the group of collectors
//! that share the listed servers.

use std::process::ExitCode;

use anyhow::bail;

use crate::cli;
use crate::consent;
use crate::process::collecting::{self, Collect, Servers};
use crate::process::watching::Shown;
use crate::process::{Answer, Append, Loops, Process, Until};
use crate::servers::configured;
use crate::settings::{Again, Settings, key};
use crate::shutdown;
use crate::telemetry;
use crate::wire::{self, SharedList};

/// Collects until a signal or the given time.
pub(super) async fn run(typed: &cli::Collect, settings: &Settings, again: Again) -> anyhow::Result<ExitCode> {
    let (servers, settings) = match SharedList::of(settings)? {
        Some(list) if settings.get(key::COLLECT_SERVERS).is_empty() => {
            if !typed.servers.timelines.names().is_empty() {
                bail!(
                    "--local and other timelines do not apply to listed servers, each of which has its own\n\
                     hint: `fedilake servers add --local HOST`"
                );
            }
            (Servers::Listed { list, tokens: configured::tokens(settings)?, again }, settings.clone())
        }
        _ => Servers::own(settings, again)?,
    };
    let admission = consent::admission(&settings)?;
    let shutdown = shutdown::on_signal()?;
    let ownership = wire::own_the_log(&settings)?;
    let loops = Loops {
        append: Append::Collectors(Box::new(Collect {
            servers,
            settings: settings.clone(),
            admission,
            shown: Shown::Line,
        })),
        answer: Answer::figures(typed.listen),
        ..Loops::default()
    };
    let mut process = Process::start(ownership, &settings, loops).await?;
    process.until(Until::after(typed.duration), &shutdown).await?;
    let is_local = process.has_a_folder();
    collecting::say_tally(&process.stop().await?.collected);
    if is_local {
        telemetry::say("hint: `fedilake sink` with the same --data stores them in the table");
    }
    Ok(ExitCode::SUCCESS)
}
