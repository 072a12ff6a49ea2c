//! The verbs, one file each.

mod browser;
mod check;
mod collect;
mod completions;
mod demo;
mod doctor;
mod import;
mod login;
mod replay;
mod report;
mod run;
mod serve;
mod servers;
mod settings;
mod simulate;
mod sink;
mod sql;
mod views;

use std::io::Write;
use std::process::ExitCode;
use std::time::SystemTime;

use crate::cli::{Cli, Consent, Servers, ServersTable, ServersVerb, Timelines, Verb};
use crate::clock;
use crate::output;
use crate::settings::Again;
use crate::settings::{Settings, key};

/// Runs a verb to its end. An error becomes exit code 2.
pub async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let again = Again { file: cli.common.config.clone(), flags: flags(&cli) };
    if let Verb::Doctor(typed) = &cli.verb {
        // Settings that cannot be read are for it to tell.
        let code = doctor::run(typed, &again).await?;
        output::stdout().flush()?;
        return Ok(code);
    }
    let settings = again.load()?;
    if needs_a_clock(&cli.verb) {
        clock::require(SystemTime::now())?;
    }
    let code = run_verb(cli, &settings, again).await?;
    // Text after the last newline is still buffered; an error of writing it at the process's end would be lost.
    output::stdout().flush()?;
    Ok(code)
}

/// True for verbs that open a log, a table or a lake.
fn needs_a_clock(verb: &Verb) -> bool {
    match verb {
        Verb::Settings | Verb::Views(_) | Verb::Completions { .. } | Verb::Simulate(_) | Verb::Login(_) => false,
        Verb::Sql(typed) => !typed.direct,
        _ => true,
    }
}

async fn run_verb(cli: Cli, settings: &Settings, again: Again) -> anyhow::Result<ExitCode> {
    match cli.verb {
        Verb::Run(typed) => run::run(&typed, settings, again).await,
        Verb::Collect(typed) => collect::run(&typed, settings, again).await,
        Verb::Servers(typed) => servers::run(&typed, settings).await,
        Verb::Login(typed) => login::run(&typed, settings).await,
        Verb::Doctor(_) => unreachable!("it runs before the settings are read"),
        Verb::Sink(typed) => sink::run(&typed, settings).await,
        Verb::Serve(typed) => serve::run(&typed, settings).await,
        Verb::Report(typed) => report::run(&typed, settings).await,
        Verb::Sql(typed) => sql::run(&typed, settings).await,
        Verb::Check(typed) => check::run(&typed, settings).await,
        Verb::Replay(typed) => replay::run(&typed, settings).await,
        Verb::Import(typed) => import::run(&typed, settings).await,
        Verb::Demo(typed) => demo::run(&typed, &cli.common, settings).await,
        Verb::Simulate(typed) => simulate::run(&typed).await,
        Verb::Settings => settings::run(settings),
        Verb::Views(typed) => views::run(&typed, settings).await,
        Verb::Completions { shell } => completions::run(shell),
    }
}

/// The typed flags that set settings.
fn flags(cli: &Cli) -> Vec<(&'static str, String)> {
    let mut flags: Vec<(&'static str, String)> = Vec::new();
    if let Some(data) = &cli.common.data {
        flags.push((key::DATA.name, data.display().to_string()));
    }
    let listen = match &cli.verb {
        Verb::Run(typed) => typed.listen,
        Verb::Serve(typed) => typed.listen,
        Verb::Demo(typed) => typed.listen,
        _ => None,
    };
    flags.extend(listen.map(|address| (key::LISTEN.name, address.to_string())));
    match &cli.verb {
        Verb::Run(typed) => flags.extend(server_flags(&typed.servers)),
        Verb::Collect(typed) => flags.extend(server_flags(&typed.servers)),
        Verb::Servers(ServersTable { verb: Some(ServersVerb::Add(typed)), .. }) => {
            flags.extend(timeline_flag(&typed.timelines));
        }
        _ => {}
    }
    let consent = match &cli.verb {
        Verb::Run(typed) => Some(&typed.consent),
        Verb::Collect(typed) => Some(&typed.consent),
        Verb::Replay(typed) => Some(&typed.consent),
        Verb::Import(typed) => Some(&typed.consent),
        _ => None,
    };
    flags.extend(consent.into_iter().flat_map(consent_flags));
    flags
}

fn consent_flags(typed: &Consent) -> Vec<(&'static str, String)> {
    let opt_out = typed.opt_out.as_ref().map(|file| (key::CONSENT_OPT_OUT.name, file.display().to_string()));
    typed.consent.clone().map(|policy| (key::CONSENT_POLICY.name, policy)).into_iter().chain(opt_out).collect()
}

fn server_flags(typed: &Servers) -> Vec<(&'static str, String)> {
    let mut flags = Vec::new();
    if !typed.servers.is_empty() {
        flags.push((key::COLLECT_SERVERS.name, typed.servers.join(",")));
    }
    if !typed.token_files.is_empty() {
        flags.push((key::COLLECT_TOKEN_FILES.name, typed.token_files.join(",")));
    }
    if let Some(backfill) = typed.backfill {
        flags.push((key::COLLECT_BACKFILL_SECONDS.name, backfill.as_secs().to_string()));
    }
    if !typed.own_servers.is_empty() {
        flags.push((key::COLLECT_OWN_SERVERS.name, typed.own_servers.join(",")));
    }
    flags.extend(typed.contact.clone().map(|contact| (key::COLLECT_CONTACT.name, contact)));
    flags.extend(typed.via.clone().map(|via| (key::COLLECT_VIA.name, via)));
    flags.extend(timeline_flag(&typed.timelines));
    flags
}

fn timeline_flag(typed: &Timelines) -> Option<(&'static str, String)> {
    let names = typed.names();
    (!names.is_empty()).then(|| (key::COLLECT_TIMELINE.name, names.join(",")))
}
