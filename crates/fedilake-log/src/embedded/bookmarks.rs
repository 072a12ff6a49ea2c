//! Bookmarks of the embedded log: in its store, in the same synced batches as the records.

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio::task;

use super::{EmbeddedLog, layout};
use crate::{Bookmarks, LogError};

#[async_trait]
impl Bookmarks for EmbeddedLog {
    async fn load(&self, name: &str) -> Result<Option<String>, LogError> {
        let shared = self.shared.clone();
        let key = layout::bookmark_key(name);
        let value = task::spawn_blocking(move || shared.store.state(&key)).await.map_err(|_| LogError::Closed)??;
        value.map(|value| self.text(value.into(), name)).transpose()
    }

    async fn named(&self, prefix: &str) -> Result<BTreeMap<String, String>, LogError> {
        let shared = self.shared.clone();
        let (all, from) = (layout::bookmark_key(""), layout::bookmark_key(prefix));
        let found = task::spawn_blocking(move || shared.store.states(&from)).await.map_err(|_| LogError::Closed)??;
        let named = found.into_iter().map(|(key, value)| {
            let name = self.text(key[all.len()..].to_vec(), "")?;
            let value = self.text(value.into(), &name)?;
            Ok((name, value))
        });
        named.collect()
    }

    async fn save(&self, name: &str, value: &str) -> Result<(), LogError> {
        self.writer.save(name, value).await
    }
}

impl EmbeddedLog {
    /// The text of the bookmark `name`, or its name.
    fn text(&self, bytes: Vec<u8>, name: &str) -> Result<String, LogError> {
        String::from_utf8(bytes).map_err(|_| LogError::Damaged {
            at: self.shared.store.folder().display().to_string(),
            why: format!("the bookmark {name:?} is not text"),
        })
    }
}
