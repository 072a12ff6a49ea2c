//! `fedilake completions`: completions for a shell.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::output;

/// Prints the completions.
pub(super) fn run(shell: clap_complete::Shell) -> anyhow::Result<ExitCode> {
    // Written to memory first, because clap panics if a write fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fedilake", &mut script);
    output::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
