//! The list of servers: named values in the compacted topic, beside the bookmarks of what is read from them.
//!
//! Guarantees:
//! - A value that was put is in every in-sync replica; a removal is a tombstone, and the key's later values are new entries.
//! - Only [`Servers::put`] and [`Servers::remove`] write `server/NAME`; bookmarks have keys of their own, so none brings a
//!   removed name back.
//! - A name belongs where [`crate::partition_by_host`] puts it. When partitions are added, an entry still counts where it lies;
//!   the next `put` of the name moves it. Between the two writes of a move it is in both places, never in none.

mod hosts;
mod marks;
mod of_log;
mod saved;
mod share;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use fedilake_log::{Bookmarks, LogError};
use futures::future::try_join_all;

use self::hosts::bookmark_key;
pub use self::hosts::{host_of, partition_by_host};
use self::marks::Marks;
pub use self::of_log::LogBookmarks;
pub use self::saved::SavedBookmarks;
pub use self::share::{Share, ShareEvent};
use crate::topic::{self, Asker, Purpose};
use crate::writer::Writer;
use crate::{KafkaError, KafkaSettings};

/// Prefix of the list's keys.
pub(crate) const SERVER: &str = "server/";

/// The list of servers, and their bookmarks.
#[derive(Clone)]
pub struct Servers {
    settings: Arc<KafkaSettings>,
    asker: Arc<Asker>,
    /// None if the list was opened to be read.
    writer: Option<Arc<Writer>>,
    marks: Arc<Marks>,
}

impl Servers {
    /// Opens the list without the log, to be read: with the right to describe and read its topic, which must be there
    /// ([`KafkaError::NoTopic`]).
    pub async fn open_to_read(settings: KafkaSettings) -> Result<Servers, KafkaError> {
        let asker = Arc::new(Asker::new(&settings)?);
        let topic = topic::require(&settings, &asker, &settings.servers_topic).await?;
        Servers::of(settings, asker, None, topic.partitions)
    }

    /// Opens the list without the log, to be changed; its topic is created if it is not there.
    pub async fn open(settings: KafkaSettings) -> Result<Servers, KafkaError> {
        let asker = Arc::new(Asker::new(&settings)?);
        let topic = topic::ensure(&settings, &asker, &settings.servers_topic, Purpose::Servers).await?;
        let writer = Arc::new(Writer::new(&settings)?);
        Servers::of(settings, asker, Some(writer), topic.partitions)
    }

    fn of(
        settings: KafkaSettings,
        asker: Arc<Asker>,
        writer: Option<Arc<Writer>>,
        partitions: u32,
    ) -> Result<Servers, KafkaError> {
        let marks = Arc::new(Marks::new(&settings, asker.clone(), partitions)?);
        Ok(Servers { settings: Arc::new(settings), asker, writer, marks })
    }

    /// Lists each name with its value, instead of the value that it had. Panics on a list that was opened to be read, as do the
    /// other changes.
    pub async fn put(&self, entries: &[(String, String)]) -> Result<(), LogError> {
        let before = self.marks.all(SERVER).await?;
        try_join_all(entries.iter().map(|(name, value)| self.write(name, Some(value)))).await?;
        // After it is where it belongs: a name that moves is twice there for a moment, not gone.
        let strays = entries.iter().map(|(name, _)| (name, Some(self.home(name))));
        self.forget(&before, strays).await
    }

    /// Lists the names no more, and says of each whether it was listed.
    pub async fn remove(&self, names: &[String]) -> Result<Vec<bool>, LogError> {
        let before = self.marks.all(SERVER).await?;
        self.forget(&before, names.iter().map(|name| (name, None))).await?;
        Ok(names.iter().map(|name| before.iter().any(|partition| partition.contains_key(name))).collect())
    }

    /// Returns the list as it is now: values by name.
    pub async fn list(&self) -> Result<BTreeMap<String, String>, LogError> {
        self.all(SERVER).await
    }

    /// The values of keys that begin with `prefix`, by the rest of the key.
    async fn all(&self, prefix: &str) -> Result<BTreeMap<String, String>, LogError> {
        Ok(self.each(vec![prefix.to_owned()]).await?.pop().unwrap_or_default())
    }

    /// The same for each of these, with one look at the topic.
    async fn each(&self, prefixes: Vec<String>) -> Result<Vec<BTreeMap<String, String>>, LogError> {
        let partitions = self.marks.each(prefixes.clone()).await?;
        let mut all = vec![BTreeMap::new(); prefixes.len()];
        for (partition, each) in (0..).zip(partitions) {
            for ((prefix, values), all) in prefixes.iter().zip(each).zip(&mut all) {
                for (name, value) in values {
                    if self.marks.partition(&format!("{prefix}{name}")) == partition || !all.contains_key(&name) {
                        all.insert(name, value);
                    }
                }
            }
        }
        Ok(all)
    }

    /// Returns the number of the list's partitions: as many members of a group get a share.
    pub async fn partitions(&self) -> Result<u32, LogError> {
        Ok(self.marks.all(SERVER).await?.len() as u32)
    }

    /// Joins a group whose members share the list.
    pub fn share(&self, group: &str) -> Result<Share, KafkaError> {
        Share::join(&self.settings, self.asker.clone(), group)
    }

    fn writer(&self) -> &Writer {
        self.writer.as_ref().expect("only a list that was opened to be changed is changed")
    }

    /// The partition that a name belongs to.
    fn home(&self, name: &str) -> u32 {
        self.marks.partition(&key(name))
    }

    async fn write(&self, name: &str, value: Option<&str>) -> Result<(), LogError> {
        self.writer().put(&self.settings.servers_topic, self.home(name), &key(name), value).await
    }

    /// Forgets each name in every partition that has it, but in the one beside it.
    async fn forget<'a>(
        &self,
        before: &[BTreeMap<String, String>],
        names: impl Iterator<Item = (&'a String, Option<u32>)>,
    ) -> Result<(), LogError> {
        let topic = &self.settings.servers_topic;
        let strays = names.flat_map(|(name, home)| {
            let having = (0..).zip(before).filter(move |(_, values)| values.contains_key(name));
            having.filter(move |(partition, _)| Some(*partition) != home).map(move |(partition, _)| (name, partition))
        });
        let forgotten =
            strays.map(|(name, partition)| async move { self.writer().put(topic, partition, &key(name), None).await });
        try_join_all(forgotten).await.map(drop)
    }
}

#[async_trait]
impl Bookmarks for Servers {
    async fn load(&self, name: &str) -> Result<Option<String>, LogError> {
        Ok(self.load_each(&[name.to_owned()]).await?.pop().flatten())
    }

    async fn load_each(&self, names: &[String]) -> Result<Vec<Option<String>>, LogError> {
        self.marks.load(names.iter().map(|name| bookmark_key(name)).collect()).await
    }

    /// Bookmarks of other kinds, which logs keep below their ids, are found among those of timelines.
    async fn named(&self, prefix: &str) -> Result<BTreeMap<String, String>, LogError> {
        Ok(self.named_each(&[prefix.to_owned()]).await?.pop().unwrap_or_default())
    }

    async fn named_each(&self, prefixes: &[String]) -> Result<Vec<BTreeMap<String, String>>, LogError> {
        let found = self.each(prefixes.iter().map(|prefix| bookmark_key(prefix)).collect()).await?;
        let whole = |(prefix, found): (&String, BTreeMap<String, String>)| {
            found.into_iter().map(|(rest, value)| (format!("{prefix}{rest}"), value)).collect()
        };
        Ok(prefixes.iter().zip(found).map(whole).collect())
    }

    async fn save(&self, name: &str, value: &str) -> Result<(), LogError> {
        let key = bookmark_key(name);
        self.writer().put(&self.settings.servers_topic, self.marks.partition(&key), &key, Some(value)).await
    }
}

fn key(name: &str) -> String {
    format!("{SERVER}{name}")
}
