//! Bookmarks of the embedded log: in its store, in the same synced batches as the records.

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
        value
            .map(|value| {
                String::from_utf8(value.into()).map_err(|_| LogError::Damaged {
                    at: self.shared.store.folder().display().to_string(),
                    why: format!("the bookmark {name:?} is not text"),
                })
            })
            .transpose()
    }

    async fn save(&self, name: &str, value: &str) -> Result<(), LogError> {
        self.writer.save(name, value).await
    }
}
