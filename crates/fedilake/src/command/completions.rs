//! `fedilake completions`: completions for a shell.

use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::output;

/// Prints them.
pub(super) fn run(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    clap_complete::generate(shell, &mut Cli::command(), "fedilake", &mut output::stdout());
    Ok(ExitCode::SUCCESS)
}
