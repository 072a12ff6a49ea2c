//! `fedilake servers`: what is read, what each server says of itself, and changes of the list.
//!
//! A log in Kafka has a list that collectors share. A data folder has one of its own ([`Roster`]); while a process owns the folder, that
//! process changes it and starts or stops reading at once.

mod probe;
mod table;

use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::ipc::writer::StreamWriter;
use fedilake_collect::bookmark_name;
use fedilake_collect::server::address::{self, ServerAddress};
use fedilake_kafka::Servers;
use fedilake_log::Bookmarks;
use fedilake_model::Server;

use crate::answers;
use crate::cli::{self, Format, ServersAdd, ServersVerb};
use crate::owner::{self, Access, Contact};
use crate::process::changing::edit;
use crate::render::{self, counted};
use crate::serve::api::{ServersAnswer, ServersRequest};
use crate::servers::asking;
use crate::servers::configured;
use crate::servers::listed::Listed;
use crate::servers::roster::Roster;
use crate::settings::{Settings, key};
use crate::telemetry;
use crate::wire::{self, SharedList, Use};

/// Shows, asks, adds, removes or lists servers.
pub(super) async fn run(typed: &cli::ServersTable, settings: &Settings) -> anyhow::Result<ExitCode> {
    match (&typed.verb, &typed.probe) {
        (Some(ServersVerb::Add(typed)), _) => add(typed, settings).await,
        (Some(ServersVerb::Remove { servers }), _) => remove(servers, settings).await,
        (Some(ServersVerb::List { format }), _) => list(*format, settings).await,
        (None, Some(server)) => probe::run(server, typed.format, settings).await,
        (None, None) => table::run(typed.format, settings).await,
    }
}

async fn add(typed: &ServersAdd, settings: &Settings) -> anyhow::Result<ExitCode> {
    let (addresses, timelines) = (addresses(&typed.servers)?, configured::timelines(settings)?);
    let Some(list) = SharedList::of(settings)? else {
        let timeline = settings.get(key::COLLECT_TIMELINE).join(",");
        change(&ServersRequest { add: typed.servers.clone(), remove: Vec::new(), timeline }, settings).await?;
        return Ok(ExitCode::SUCCESS);
    };
    let servers = list.open(Use::Write).await?;
    let entry = |address: &ServerAddress| (address.server.to_string(), Listed::new(address, &timelines).to_text());
    let entries: Vec<(String, String)> = addresses.iter().map(entry).collect();
    servers.put(&entries).await.context("add to the list of servers")?;
    say_total(&servers).await?;
    Ok(ExitCode::SUCCESS)
}

/// Removing a server that is not listed is not an error.
async fn remove(typed: &[String], settings: &Settings) -> anyhow::Result<ExitCode> {
    let names: Vec<String> = addresses(typed)?.iter().map(|address| address.server.to_string()).collect();
    let Some(list) = SharedList::of(settings)? else {
        let timeline = "public".to_owned();
        change(&ServersRequest { add: Vec::new(), remove: typed.to_vec(), timeline }, settings).await?;
        return Ok(ExitCode::SUCCESS);
    };
    let servers = list.open(Use::Write).await?;
    let were_listed = servers.remove(&names).await.context("remove from the list of servers")?;
    for (name, _) in names.iter().zip(were_listed).filter(|(_, was_listed)| !was_listed) {
        telemetry::say(&format!("{name} was not listed"));
    }
    say_total(&servers).await?;
    Ok(ExitCode::SUCCESS)
}

/// Changes the list of the data folder: by its owner if it has one, else here.
async fn change(request: &ServersRequest, settings: &Settings) -> anyhow::Result<()> {
    let folder = settings.data()?;
    let roster = Roster::of(&folder);
    if roster.read()?.is_empty() {
        refuse_other_folders(&folder, settings)?;
    }
    if request.add.is_empty() && !folder.exists() {
        request.remove.iter().for_each(|name| telemetry::say(&format!("{name} was not listed")));
        return Ok(());
    }
    match owner::access(&folder).await? {
        Access::Guest(contact) => {
            let answer = of_owner(&contact, request).await?;
            answer.said.iter().for_each(|sentence| telemetry::say(sentence));
            let read =
                answer.servers.as_array().map_or(0, |servers| servers.iter().filter(|server| is_read(server)).count());
            telemetry::say(&format!("{} read by process {}", counted(read as u64, "server"), contact.pid));
        }
        Access::Owner(ownership) => {
            let edited = edit(&roster, request)?;
            for host in edited.removed.iter().filter(|host| !edited.before.contains_key(*host)) {
                telemetry::say(&format!("{host} was not listed"));
            }
            let listed = roster.read()?.len();
            telemetry::say(&format!("{} listed in {}", counted(listed as u64, "server"), folder.display()));
            if !edited.added.is_empty() {
                telemetry::say("hint: `fedilake run` reads them");
            }
            drop(ownership);
        }
    }
    Ok(())
}

/// Refuses a folder in which something else lies; an empty one, and one that is not there yet, may become a data folder.
fn refuse_other_folders(folder: &Path, settings: &Settings) -> anyhow::Result<()> {
    let is_new = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    };
    if is_new { Ok(()) } else { wire::require_data_folder(folder, settings) }
}

fn is_read(server: &serde_json::Value) -> bool {
    server["state"] != "stopped"
}

/// Has the owner of the folder change its servers, and tell of them.
async fn of_owner(contact: &Contact, request: &ServersRequest) -> anyhow::Result<ServersAnswer> {
    let answer = answers::ask(&answers::client()?, contact, "servers", request).await?;
    let answer = answers::whole(answer, contact).await?;
    serde_json::from_slice(&answer).context(
        "read the owner's answer\nhint: the process that owns the data folder may be another version of fedilake",
    )
}

async fn list(format: Format, settings: &Settings) -> anyhow::Result<ExitCode> {
    render::check(format)?;
    let (mut hosts, mut timelines, mut urls, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut push = |host: String, listed: Listed| {
        for timeline in listed.timelines()? {
            names.push(bookmark_name(&Server::new(&host), &timeline));
            hosts.push(host.clone());
            timelines.push(timeline.to_string());
            urls.push(listed.url.clone());
        }
        anyhow::Ok(())
    };
    let bookmarks = if let Some(list) = SharedList::of(settings)? {
        let servers = list.open(Use::Read).await?;
        for (host, value) in servers.list().await.context("read the list of servers")? {
            let listed = Listed::parse(&value).with_context(|| format!("read what the list says of {host}"))?;
            push(host, listed)?;
        }
        servers.load_each(&names).await.context("read the bookmarks")?
    } else {
        let folder = settings.data()?;
        let entries = Roster::of(&folder).read()?;
        if entries.is_empty() {
            wire::require_data_folder(&folder, settings)?;
        }
        for (host, listed) in entries {
            push(host, listed)?;
        }
        // They lie in the log, which one process opens.
        vec![None; names.len()]
    };
    let text = |values: Vec<String>| Arc::new(StringArray::from(values)) as ArrayRef;
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("host", text(hosts), false),
        ("timeline", text(timelines), false),
        ("url", text(urls), false),
        ("bookmark", Arc::new(StringArray::from(bookmarks)) as ArrayRef, true),
    ])?;
    print(&batch, format)?;
    Ok(ExitCode::SUCCESS)
}

fn print(batch: &RecordBatch, format: Format) -> anyhow::Result<()> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    render::print_rows(&writer.into_inner()?[..], format)
}

fn addresses(typed: &[String]) -> anyhow::Result<Vec<ServerAddress>> {
    Ok(typed.iter().map(|server| address::parse(server)).collect::<Result<_, _>>()?)
}

async fn say_total(servers: &Servers) -> anyhow::Result<()> {
    let total = servers.list().await.context("read the list of servers")?.len();
    telemetry::say(&format!("{} listed", counted(total as u64, "server")));
    Ok(())
}
