//! fedilake: public Mastodon posts, collected without loss, kept exactly once, answered in milliseconds.

#![allow(unreachable_pub, reason = "a program has no outside: pub says what a module offers to the others")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answers;
mod checked;
mod chunk;
mod cli;
mod clock;
mod command;
mod consent;
mod door;
mod figures;
mod filters;
mod help;
mod identity;
mod import;
mod lake_process;
mod mask;
mod metric;
mod missing;
mod output;
mod owner;
mod process;
mod render;
mod secret;
mod serve;
mod servers;
mod settings;
mod shutdown;
mod task;
mod telemetry;
mod temporary;
mod tokens;
mod wire;

use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::cli::Cli;

/// Frees memory on one thread that another one took. glibc keeps a heap for each thread, and a record's bytes go from a collector's to the
/// log's to the sink's: a flood of deletes left it with twice what was ever in use at once.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(telemetry::say_panic));
    let ended = match std::env::args_os().nth(1) {
        // A verb for this program's own use: it has no flags, no settings and no help.
        Some(verb) if verb == lake_process::VERB => lake_process::child::run(),
        _ => {
            telemetry::take_format(std::env::args_os().skip(1));
            match Cli::read(std::env::args_os()) {
                Ok(cli) => run(cli),
                Err(usage) => telemetry::say_usage(&usage),
            }
        }
    };
    match ended {
        Ok(code) => code,
        Err(_) if output::reader_is_gone() => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::say_error(&error);
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    telemetry::init(&cli.common)?;
    allow_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(command::run(cli));
    // Does not wait for a question that still runs on a thread of its own.
    runtime.shutdown_background();
    code
}

/// Raises the limit of open files as far as this user may: each server that is read needs two, and each reader one. Many systems begin with
/// a low one for the sake of old programs.
fn allow_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
