//! Servers that are added to a running process, and removed from it, by `fedilake servers add` and `remove`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fedilake_collect::collector::Change;
use fedilake_collect::server::address;
use fedilake_collect::{Counts, ServerState, Timeline};
use tokio::sync::mpsc;

use crate::serve::{ServerChanges, api::ServersRequest};
use crate::servers::configured;
use crate::servers::contact;
use crate::servers::listed::{self, Listed};
use crate::servers::roster::Roster;
use crate::settings::Again;
use crate::task::Task;

/// Requests that wait for the one before.
const REQUESTS_MAX: usize = 16;

/// Takes requests, which the returned channel brings; changes go to `collectors` and into `roster`.
pub fn on_request(
    again: Again,
    roster: Roster,
    collectors: mpsc::Sender<Change>,
    counts: Arc<Counts>,
) -> (Task, ServerChanges) {
    let (sender, mut requests) = mpsc::channel::<crate::serve::ServerChange>(REQUESTS_MAX);
    let task = Task::until_dropped("the changes of servers", async move {
        while let Some((request, answer)) = requests.recv().await {
            let done = change(&request, &again, &roster, &collectors).await;
            if done.is_ok() {
                // Whoever asked is told of the servers as they are then.
                let _ = tokio::time::timeout(DONE_WITHIN, until_done(&request, &counts)).await;
            }
            // Who asked may be gone.
            let _ = answer.send(done.map_err(|error| format!("{error:#}")));
        }
    });
    (task, sender)
}

/// How long collectors may take to begin and to end before whoever asked is answered.
const DONE_WITHIN: Duration = Duration::from_secs(3);
/// The interval between two looks at that.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Resolves when every server that was added is read, and none that was removed.
async fn until_done(request: &ServersRequest, counts: &Counts) {
    let hosts = |typed: &[String]| -> Vec<String> {
        typed.iter().filter_map(|typed| Some(address::parse(typed).ok()?.server.to_string())).collect()
    };
    let (added, removed) = (hosts(&request.add), hosts(&request.remove));
    loop {
        let read: Vec<String> = counts
            .snapshot()
            .into_iter()
            .filter(|server| server.state != ServerState::Stopped)
            .map(|server| server.server.to_string())
            .collect();
        if added.iter().all(|host| read.contains(host)) && !removed.iter().any(|host| read.contains(host)) {
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn change(
    request: &ServersRequest,
    again: &Again,
    roster: &Roster,
    collectors: &mpsc::Sender<Change>,
) -> anyhow::Result<Vec<String>> {
    let settings = again.load()?;
    let tokens = configured::tokens(&settings)?;
    let configured = configured::configured(&settings)?;
    let new = request.add.iter().map(|typed| address::parse(typed)).collect::<Result<Vec<_>, _>>()?;
    contact::require(&settings, new.iter())?;
    let Edited { before, added, removed } = edit(roster, request)?;
    // When the process ends, nobody receives changes any more.
    let send = async |change| drop(collectors.send(change).await);
    for (host, listed) in added {
        let timelines = listed.timelines()?;
        if let Some(earlier) = before.get(&host).filter(|earlier| **earlier != listed) {
            for timeline in earlier.timelines()?.into_iter().filter(|earlier| !timelines.contains(earlier)) {
                send(Change::End(fedilake_model::Server::new(&host), timeline)).await;
            }
        }
        tracing::info!(server = host, "server added");
        for config in listed.configs(&tokens)? {
            send(Change::Begin(config)).await;
        }
    }
    let mut said = Vec::new();
    for host in removed {
        let own = configured.iter().filter(|config| config.address.server.as_str() == host);
        let mut timelines: Vec<Timeline> = own.map(|config| config.timeline.clone()).collect();
        let is_configured = !timelines.is_empty();
        let listed = before.get(&host).and_then(|listed| listed.timelines().ok()).unwrap_or_default();
        let more: Vec<Timeline> = listed.into_iter().filter(|timeline| !timelines.contains(timeline)).collect();
        timelines.extend(more);
        if timelines.is_empty() {
            said.push(format!("{host} was not read"));
            continue;
        }
        if is_configured {
            said.push(format!(
                "{host} is read no longer, but is named in collect.servers, and so is read again after the next start or SIGHUP"
            ));
        }
        tracing::info!(server = host, "server removed");
        for timeline in timelines {
            send(Change::End(fedilake_model::Server::new(&host), timeline)).await;
        }
    }
    Ok(said)
}

/// A list that was changed.
pub struct Edited {
    /// The entries before.
    pub before: BTreeMap<String, Listed>,
    pub added: Vec<(String, Listed)>,
    pub removed: Vec<String>,
}

/// Changes the list as `request` wants it, all of it or nothing.
pub fn edit(roster: &Roster, request: &ServersRequest) -> anyhow::Result<Edited> {
    // Whoever adds nothing need not say how.
    let names = request.timeline.split(',').filter(|_| !request.add.is_empty());
    let timelines = names.map(listed::timeline).collect::<anyhow::Result<Vec<Timeline>>>()?;
    let before = roster.read()?;
    let mut entries = before.clone();
    let mut added = Vec::new();
    for typed in &request.add {
        let address = address::parse(typed)?;
        let (host, listed) = (address.server.to_string(), Listed::new(&address, &timelines));
        entries.insert(host.clone(), listed.clone());
        added.push((host, listed));
    }
    let mut removed = Vec::new();
    for typed in &request.remove {
        let host = address::parse(typed)?.server.to_string();
        entries.remove(&host);
        removed.push(host);
    }
    if entries != before {
        roster.write(&entries)?;
    }
    Ok(Edited { before, added, removed })
}
