//! A collector's share of the listed servers, as changes for the collectors.
//!
//! The membership has a task of its own: it keeps sending heartbeats to the group while, at shutdown, posts are
//! appended and bookmarks saved, and leaves the group only then.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use fedilake_collect::collector::Change;
use fedilake_collect::{ServerAddress, ServerConfig};
use fedilake_kafka::{Share, ShareEvent};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::render::counted;
use crate::servers::configured::Tokens;
use crate::servers::contact;
use crate::servers::listed::Listed;
use crate::settings::{Again, Settings, key};
use crate::task::Task;
use crate::telemetry;
use crate::wire::{SharedList, Use};

/// Rebalances move several partitions at once; wait this long so that one line reports them all.
const QUIET: Duration = Duration::from_millis(300);

/// Joins the group of the collectors that share the list. Returns also the settings with a contact: if listed servers need one, it is asked
/// for.
pub async fn join(list: &SharedList, settings: &Settings, again: &Again) -> anyhow::Result<(Share, Settings)> {
    let servers = list.open(Use::Read).await?;
    let listed = servers.list().await.context("read the list of servers")?;
    let addresses: Vec<ServerAddress> =
        listed.values().filter_map(|value| Listed::parse(value).ok()?.address().ok()).collect();
    let settings = contact::settle(settings, again, addresses.iter())?;
    if listed.is_empty() {
        telemetry::say(
            "no server is listed yet\nhint: `fedilake servers add mastodon.social`; it is collected at once",
        );
    }
    let share = servers.share(settings.get(key::COLLECT_GROUP)).context("join the collectors' group")?;
    Ok((share, settings))
}

/// A member of the collectors' group.
pub struct Sharing {
    tokens: mpsc::Sender<Tokens>,
    task: Task,
}

impl Sharing {
    /// Sends each change of the share to `changes`.
    pub fn start(share: Share, tokens: Tokens, settings: Settings, changes: mpsc::Sender<Change>) -> Sharing {
        let (sender, renewed) = mpsc::channel(1);
        let lists = Lists::new(tokens, settings);
        let task = Task::spawn("the share of the servers", |leave| run(share, lists, renewed, changes, leave));
        Sharing { tokens: sender, task }
    }

    /// The channel for new tokens, with which servers are read from then on.
    pub fn tokens(&self) -> mpsc::Sender<Tokens> {
        self.tokens.clone()
    }

    /// Resolves when the membership fails for good. Cancel-safe.
    pub async fn failure(&mut self) -> anyhow::Error {
        self.task.early_end().await
    }

    /// Leaves the group, so that the others take over this share.
    pub async fn leave(self) {
        if let Err(error) = self.task.stop().await {
            // Without a goodbye the group takes over when the session times out.
            tracing::warn!("leave the collectors' group: {error:#}");
        }
    }
}

async fn run(
    mut share: Share,
    mut lists: Lists,
    mut tokens: mpsc::Receiver<Tokens>,
    changes: mpsc::Sender<Change>,
    leave: CancellationToken,
) -> anyhow::Result<()> {
    let mut is_said = true;
    loop {
        let changed = tokio::select! {
            () = leave.cancelled() => break,
            event = share.next() => lists.take(event.context("share the servers")?),
            Some(tokens) = tokens.recv() => lists.renew(tokens),
            () = tokio::time::sleep(QUIET), if !is_said => {
                is_said = true;
                lists.say();
                continue;
            }
        };
        is_said = false;
        for change in changed {
            tokio::select! {
                () = leave.cancelled() => {}
                // At shutdown the collectors no longer receive changes.
                _ = changes.send(change) => {}
            }
        }
    }
    share.leave().await;
    Ok(())
}

/// The lists of this member's partitions, and the servers that are read.
struct Lists {
    tokens: Tokens,
    settings: Settings,
    partitions: BTreeMap<u32, BTreeMap<String, String>>,
    /// The servers that are read, by name, each with the list's value and a configuration a timeline.
    read: BTreeMap<String, (String, Vec<ServerConfig>)>,
}

impl Lists {
    fn new(tokens: Tokens, settings: Settings) -> Lists {
        Lists { tokens, settings, partitions: BTreeMap::new(), read: BTreeMap::new() }
    }

    /// Uses new tokens: a server whose token changed is started again.
    fn renew(&mut self, tokens: Tokens) -> Vec<Change> {
        self.tokens = tokens;
        let mut changes = Vec::new();
        for (value, configs) in self.read.values_mut() {
            if let Ok(renewed) = Listed::parse(value).and_then(|listed| listed.configs(&self.tokens))
                && renewed != *configs
            {
                configs.clone_from(&renewed);
                changes.extend(renewed.into_iter().map(Change::Begin));
            }
        }
        changes
    }

    /// Applies an event, and returns the changes for the collectors.
    fn take(&mut self, event: ShareEvent) -> Vec<Change> {
        let names: Vec<String> = match event {
            ShareEvent::Assigned { partition, entries } => {
                let mut names: Vec<String> = entries.keys().cloned().collect();
                let before = self.partitions.insert(partition, entries);
                names.extend(before.into_iter().flat_map(BTreeMap::into_keys));
                names
            }
            ShareEvent::Revoked { partition } => {
                self.partitions.remove(&partition).into_iter().flat_map(BTreeMap::into_keys).collect()
            }
            ShareEvent::Put { partition, name, value } => {
                self.partitions.entry(partition).or_default().insert(name.clone(), value);
                vec![name]
            }
            ShareEvent::Removed { partition, name } => {
                self.partitions.entry(partition).or_default().remove(&name);
                vec![name]
            }
        };
        names.into_iter().flat_map(|name| self.changes_of(name)).collect()
    }

    /// Compares what is listed with what is read. A name that moves between two partitions is in both for a moment
    /// and stays read.
    fn changes_of(&mut self, name: String) -> Vec<Change> {
        let listed = self.partitions.values().rev().find_map(|entries| entries.get(&name));
        if listed == self.read.get(&name).map(|(value, _)| value) {
            return Vec::new();
        }
        let mut changes = Vec::new();
        if let Some((_, configs)) = self.read.remove(&name) {
            changes.extend(configs.into_iter().map(|config| Change::End(config.address.server, config.timeline)));
        }
        if let Some(value) = listed {
            match Listed::parse(value).and_then(|listed| listed.configs(&self.tokens)) {
                Ok(configs) if configs.iter().any(|config| !contact::allows(&self.settings, &config.address)) => {
                    tracing::warn!("{name} is not read without a contact: set collect.contact, and start again");
                }
                Ok(configs) => {
                    self.read.insert(name, (value.clone(), configs.clone()));
                    changes.extend(configs.into_iter().map(Change::Begin));
                }
                Err(error) => tracing::warn!("ignoring {name}: its entry in the list cannot be read: {error:#}"),
            }
        }
        changes
    }

    fn say(&self) {
        let ours = self.partitions.len() as u64;
        let servers = counted(self.read.len() as u64, "server");
        telemetry::say(&format!("collecting from {servers}: {} of the list", counted(ours, "partition")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::configured::TokenOfFile;
    use crate::servers::listed;

    fn value(url: &str, timelines: &str) -> String {
        let timelines: Vec<_> = timelines.split(',').map(|name| listed::timeline(name).unwrap()).collect();
        Listed::new(&fedilake_collect::server::address::parse(url).unwrap(), &timelines).to_text()
    }

    fn entries(names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), value(&format!("https://{name}"), "public"))).collect()
    }

    fn settings(contact: &str) -> Settings {
        Settings::load(None, [], &[]).unwrap().with(key::COLLECT_CONTACT, contact.to_owned())
    }

    #[test]
    fn without_a_contact_only_this_machines_servers_are_read() {
        let mut lists = Lists::new(Vec::new(), settings(""));
        let mut entries = entries(&["a.example"]);
        entries.insert("127.0.0.1:1".to_owned(), value("http://127.0.0.1:1", "public"));
        assert_eq!(told(lists.take(ShareEvent::Assigned { partition: 1, entries })), ["+http://127.0.0.1:1 public"]);
    }

    fn told(changes: Vec<Change>) -> Vec<String> {
        let tell = |change| match change {
            Change::Begin(config) => format!("+{} {}", config.address, config.timeline),
            Change::End(server, timeline) => format!("-{server} {}", timeline),
            other => format!("{other:?}"),
        };
        changes.into_iter().map(tell).collect()
    }

    #[test]
    fn what_is_listed_in_our_partitions_is_read_once() {
        let mut lists = Lists::new(Vec::new(), settings("you@example.org"));
        let mut take = |event| told(lists.take(event));
        let assigned = |partition, names: &[&str]| ShareEvent::Assigned { partition, entries: entries(names) };
        assert_eq!(
            take(assigned(1, &["a.example", "b.example"])),
            ["+https://a.example public", "+https://b.example public"]
        );
        // A move: the name is in two partitions for a moment.
        assert!(take(assigned(7, &["a.example"])).is_empty());
        assert!(take(ShareEvent::Removed { partition: 1, name: "a.example".into() }).is_empty());
        // Another value starts the server again.
        let put =
            ShareEvent::Put { partition: 7, name: "a.example".into(), value: value("https://a.example", "local") };
        assert_eq!(take(put), ["-a.example public", "+https://a.example local"]);
        let put = ShareEvent::Put { partition: 7, name: "c.example".into(), value: "?".into() };
        assert!(take(put).is_empty());
        let value = value("https://a.example", "local,hashtag:rust");
        let put = ShareEvent::Put { partition: 7, name: "a.example".into(), value };
        let both = ["-a.example local", "+https://a.example local", "+https://a.example hashtag:rust"];
        assert_eq!(take(put), both, "a server is read in all of its timelines");
        let revoked = ["-a.example local", "-a.example hashtag:rust"];
        assert_eq!(take(ShareEvent::Revoked { partition: 7 }), revoked);
        assert!(take(ShareEvent::Revoked { partition: 7 }).is_empty());
        assert_eq!(take(ShareEvent::Removed { partition: 1, name: "b.example".into() }), ["-b.example public"]);
        assert!(lists.read.is_empty());
    }

    #[test]
    fn a_new_token_begins_its_server_anew_and_no_other() {
        let token = |text| {
            let token = fedilake_collect::Token::new(text).unwrap();
            vec![("a.example".to_owned(), TokenOfFile { token, file: "a.token".into() })]
        };
        let mut lists = Lists::new(token("one"), settings("you@example.org"));
        lists.take(ShareEvent::Assigned { partition: 1, entries: entries(&["a.example", "b.example"]) });
        assert!(lists.renew(token("one")).is_empty());
        assert_eq!(told(lists.renew(token("two"))), ["+https://a.example public"]);
        assert_eq!(told(lists.renew(Vec::new())), ["+https://a.example public"]);
    }
}
