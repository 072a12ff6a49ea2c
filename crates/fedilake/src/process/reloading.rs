//! SIGHUP: reads the settings and the token files again, while everything goes on.
//!
//! Changed servers, timeline, tokens and contact take effect at once, other settings at the next start. If the new
//! settings are invalid, nothing changes and a warning is logged.

use std::collections::BTreeSet;

use fedilake_collect::collector::Change;
use tokio::sync::mpsc;

use crate::render::counted;
use crate::servers::configured::{self, Tokens};
use crate::servers::contact;
use crate::servers::roster::Roster;
use crate::settings::{Again, Settings, key};
use crate::shutdown;
use crate::task::Task;

/// Settings that take effect without a restart.
const AT_ONCE: &[&str] =
    &[key::COLLECT_SERVERS.name, key::COLLECT_TIMELINE.name, key::COLLECT_TOKEN_FILES.name, key::COLLECT_CONTACT.name];

/// The source of the servers.
pub enum Servers {
    /// The servers in the settings, and those that were added to the data folder, if there is one.
    Own(Option<Roster>),
    /// A list that collectors share; this channel passes it new tokens.
    Shared(mpsc::Sender<Tokens>),
}

/// Reads the settings again at each SIGHUP, and sends the collectors what changed.
pub fn at_hangups(settings: &Settings, again: Again, servers: Servers, changes: mpsc::Sender<Change>) -> Task {
    let (mut hangups, mut before) = (shutdown::hangups(), settings.clone());
    Task::until_dropped("the reading of settings", async move {
        while hangups.changed().await.is_ok() {
            match reload(&before, &again, &servers, &changes).await {
                Ok(settings) => before = settings,
                Err(error) => tracing::warn!("settings stay as they are: {error:#}"),
            }
        }
    })
}

async fn reload(
    before: &Settings,
    again: &Again,
    servers: &Servers,
    changes: &mpsc::Sender<Change>,
) -> anyhow::Result<Settings> {
    let settings = again.load()?;
    // Reads everything before it changes anything.
    let (read, told) = match servers {
        Servers::Own(roster) => {
            let servers = configured::servers(&settings, roster.as_ref())?;
            contact::require(&settings, servers.iter().map(|server| &server.address))?;
            (counted(servers.len() as u64, "server"), Ok(servers))
        }
        Servers::Shared(_) => {
            let tokens = configured::tokens(&settings)?;
            (counted(tokens.len() as u64, "token"), Err(tokens))
        }
    };
    // When the process ends, nobody receives changes any more.
    let _ = changes.send(Change::Contact(configured::contact(&settings).to_owned())).await;
    match (told, servers) {
        (Ok(configs), _) => drop(changes.send(Change::Only(configs)).await),
        (Err(tokens), Servers::Shared(sharing)) => drop(sharing.send(tokens).await),
        (Err(_), Servers::Own(_)) => {}
    }
    tracing::info!("settings read again: {read}{}", at_the_next_start(before, &settings));
    Ok(settings)
}

/// `; at the next start: listen, sql.seconds_max`; empty if every change takes effect at once.
fn at_the_next_start(before: &Settings, now: &Settings) -> String {
    let later: BTreeSet<&str> = before
        .all()
        .zip(now.all())
        .filter(|((setting, before), (_, now))| before.text != now.text && !AT_ONCE.contains(&setting.key))
        .map(|((setting, _), _)| setting.key)
        .collect();
    if later.is_empty() {
        return String::new();
    }
    format!("; at the next start: {}", later.into_iter().collect::<Vec<_>>().join(", "))
}
