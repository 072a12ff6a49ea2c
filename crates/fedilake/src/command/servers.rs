//! `fedilake servers`: the list that collectors on a Kafka log share.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::ipc::writer::StreamWriter;
use fedilake_collect::address::{self, ServerAddress};
use fedilake_collect::bookmark_name;
use fedilake_kafka::Servers;
use fedilake_model::Server;

use crate::cli::{Format, ServersAdd, ServersVerb};
use crate::command::collecting;
use crate::command::listed::Listed;
use crate::render::{self, counted};
use crate::settings::Settings;
use crate::telemetry;
use crate::wire::{self, Use};

/// Runs the verb: adds, removes or lists servers.
pub(super) async fn run(typed: &ServersVerb, settings: &Settings) -> anyhow::Result<ExitCode> {
    match typed {
        ServersVerb::Add(typed) => add(typed, settings).await,
        ServersVerb::Remove { servers } => remove(servers, settings).await,
        ServersVerb::List { format } => list(*format, settings).await,
    }
}

async fn add(typed: &ServersAdd, settings: &Settings) -> anyhow::Result<ExitCode> {
    let (addresses, timeline) = (addresses(&typed.servers)?, collecting::timeline(settings)?);
    let servers = wire::listed_servers(settings, Use::Write).await?;
    let entry = |address: &ServerAddress| (address.server.to_string(), Listed::new(address, timeline).to_text());
    let entries: Vec<(String, String)> = addresses.iter().map(entry).collect();
    servers.put(&entries).await.context("add to the list of servers")?;
    say_total(&servers).await?;
    Ok(ExitCode::SUCCESS)
}

/// Removing a server that is not listed is not an error.
async fn remove(typed: &[String], settings: &Settings) -> anyhow::Result<ExitCode> {
    let names: Vec<String> = addresses(typed)?.iter().map(|address| address.server.to_string()).collect();
    let servers = wire::listed_servers(settings, Use::Write).await?;
    let were_listed = servers.remove(&names).await.context("remove from the list of servers")?;
    for (name, _) in names.iter().zip(were_listed).filter(|(_, was_listed)| !was_listed) {
        telemetry::say(&format!("{name} was not listed"));
    }
    say_total(&servers).await?;
    Ok(ExitCode::SUCCESS)
}

async fn list(format: Format, settings: &Settings) -> anyhow::Result<ExitCode> {
    render::check(format)?;
    let servers = wire::listed_servers(settings, Use::Read).await?;
    let listed = servers.list().await.context("read the list of servers")?;
    let (mut hosts, mut timelines, mut urls, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (host, value) in listed {
        let listed = Listed::parse(&value).with_context(|| format!("read what the list says of {host}"))?;
        names.push(bookmark_name(&Server::new(&host), listed.timeline()?));
        hosts.push(host);
        timelines.push(listed.timeline);
        urls.push(listed.url);
    }
    let bookmarks = servers.bookmarks(&names).await.context("read the bookmarks")?;
    let text = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("host", text(hosts), false),
        ("timeline", text(timelines), false),
        ("url", text(urls), false),
        ("bookmark", Arc::new(StringArray::from(bookmarks)) as ArrayRef, true),
    ])?;
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(&batch)?;
    render::print_rows(&writer.into_inner()?[..], format)?;
    Ok(ExitCode::SUCCESS)
}

fn addresses(typed: &[String]) -> anyhow::Result<Vec<ServerAddress>> {
    Ok(typed.iter().map(|server| address::parse(server)).collect::<Result<_, _>>()?)
}

async fn say_total(servers: &Servers) -> anyhow::Result<()> {
    let total = servers.list().await.context("read the list of servers")?.len();
    telemetry::say(&format!("{} listed", counted(total as u64, "server")));
    Ok(())
}
