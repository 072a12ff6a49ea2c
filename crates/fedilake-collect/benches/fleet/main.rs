//! One collector process and many servers: what they cost it, and how it stands a storm. Part of `make bench`.
//!
//! The simulated servers are a process of their own ([`world`]): this program, started once more. Times and memory are those of this
//! process, which has the collector, the embedded log on disk and the allocator of the program. docs/benchmarks.md explains each row.
//!
//! `--quick` takes three hundred servers for seconds; the bars are for ten thousand. `--minutes 40`
//! measures for so long, `--servers 1000` so many, `--only busy` or `fleet` only that.

mod busy;
mod fleet;
mod lags;
mod meter;
mod run;
mod sheet;
mod world;

use std::time::Duration;

use anyhow::Context;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(config) = value_of(&arguments, world::FLAG) {
        return world::serve(config);
    }
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let minutes = value_of(&arguments, "--minutes").map(str::parse::<u64>).transpose().context("--minutes")?;
    let servers = value_of(&arguments, "--servers").map(str::parse::<usize>).transpose().context("--servers")?;
    let only = value_of(&arguments, "--only");
    meter::allow_files()?;
    if only.is_none_or(|only| only == "busy") {
        busy::measure(if is_quick { busy::QUICK } else { busy::WHOLE })?
            .print("One busy server, by server-sent events, on one collector process");
    }
    if only.is_none_or(|only| only == "fleet") {
        let mut extent = if is_quick { fleet::QUICK } else { fleet::WHOLE };
        if let Some(minutes) = minutes {
            extent.steady = Duration::from_secs(60 * minutes);
        }
        if let Some(servers) = servers {
            extent.rate *= servers as f64 / extent.servers as f64;
            extent.servers = servers;
        }
        let (steady, storm) = fleet::measure(&extent)?;
        steady.print(&format!("{} servers in one collector process", sheet::count(extent.servers as f64)));
        storm.print("All of them drop at once");
    }
    Ok(())
}

fn value_of<'a>(arguments: &'a [String], flag: &str) -> Option<&'a str> {
    arguments.iter().skip_while(|argument| *argument != flag).nth(1).map(String::as_str)
}
