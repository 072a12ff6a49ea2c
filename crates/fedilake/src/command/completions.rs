//! `fedilake completions`: completions for a shell.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::output;

/// Prints them.
pub(super) fn run(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    // Into memory first: clap panics where a write fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fedilake", &mut script);
    output::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
