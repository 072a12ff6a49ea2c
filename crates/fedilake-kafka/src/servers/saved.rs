//! The bookmarks of a log's collectors, for a process that only reads.

use std::collections::BTreeMap;

use async_trait::async_trait;
use fedilake_log::{Bookmarks, LogError};
use tokio::sync::OnceCell;

use crate::{KafkaError, KafkaSettings, Servers};

/// The bookmarks in the servers' topic, which is opened when it is first asked and may be made after this: until then it has none.
pub struct SavedBookmarks {
    settings: KafkaSettings,
    opened: OnceCell<Servers>,
}

impl SavedBookmarks {
    /// Opens nothing yet.
    pub fn new(settings: KafkaSettings) -> SavedBookmarks {
        SavedBookmarks { settings, opened: OnceCell::new() }
    }

    /// None while there is no topic.
    async fn opened(&self) -> Result<Option<&Servers>, LogError> {
        match self.opened.get_or_try_init(|| Servers::open_to_read(self.settings.clone())).await {
            Ok(servers) => Ok(Some(servers)),
            Err(KafkaError::NoTopic { .. }) => Ok(None),
            Err(error) => {
                let at = format!("{} of Kafka {}", self.settings.servers_topic, self.settings.brokers);
                Err(LogError::Storage { doing: "open", at, why: error.to_string() })
            }
        }
    }
}

/// Panics when something is to be saved.
#[async_trait]
impl Bookmarks for SavedBookmarks {
    async fn load(&self, name: &str) -> Result<Option<String>, LogError> {
        match self.opened().await? {
            Some(servers) => servers.load(name).await,
            None => Ok(None),
        }
    }

    async fn load_each(&self, names: &[String]) -> Result<Vec<Option<String>>, LogError> {
        match self.opened().await? {
            Some(servers) => servers.load_each(names).await,
            None => Ok(vec![None; names.len()]),
        }
    }

    async fn named(&self, prefix: &str) -> Result<BTreeMap<String, String>, LogError> {
        match self.opened().await? {
            Some(servers) => servers.named(prefix).await,
            None => Ok(BTreeMap::new()),
        }
    }

    async fn named_each(&self, prefixes: &[String]) -> Result<Vec<BTreeMap<String, String>>, LogError> {
        match self.opened().await? {
            Some(servers) => servers.named_each(prefixes).await,
            None => Ok(vec![BTreeMap::new(); prefixes.len()]),
        }
    }

    async fn save(&self, _: &str, _: &str) -> Result<(), LogError> {
        unreachable!("a process that only reads saves no bookmark")
    }
}
