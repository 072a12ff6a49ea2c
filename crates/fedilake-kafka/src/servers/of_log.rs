//! The bookmarks of a log's collectors.

use std::borrow::Cow;
use std::collections::BTreeMap;

use async_trait::async_trait;
use fedilake_log::{Bookmarks, LogError, LogId};

use super::{Servers, hosts};

/// The bookmarks of a log, kept in the topic that all logs of these servers share. A timeline's bookmark is common to all logs, since a
/// server is collected into one of them; any other, such as the progress of a replay, belongs to this log.
pub struct LogBookmarks {
    servers: Servers,
    log: LogId,
}

impl LogBookmarks {
    /// The bookmarks of `log` beside the list of `servers`, which was opened to be changed.
    pub fn new(servers: Servers, log: LogId) -> LogBookmarks {
        LogBookmarks { servers, log }
    }

    /// A bookmark's name in the topic.
    fn own<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if hosts::is_of_a_timeline(name) { name.into() } else { format!("{}/{name}", self.log).into() }
    }
}

#[async_trait]
impl Bookmarks for LogBookmarks {
    async fn load(&self, name: &str) -> Result<Option<String>, LogError> {
        self.servers.load(&self.own(name)).await
    }

    async fn load_each(&self, names: &[String]) -> Result<Vec<Option<String>>, LogError> {
        let own: Vec<String> = names.iter().map(|name| self.own(name).into_owned()).collect();
        self.servers.load_each(&own).await
    }

    async fn named(&self, prefix: &str) -> Result<BTreeMap<String, String>, LogError> {
        Ok(self.named_each(&[prefix.to_owned()]).await?.pop().unwrap_or_default())
    }

    async fn named_each(&self, prefixes: &[String]) -> Result<Vec<BTreeMap<String, String>>, LogError> {
        let own: Vec<String> = prefixes.iter().map(|prefix| self.own(prefix).into_owned()).collect();
        let found = self.servers.named_each(&own).await?;
        let others = hosts::timeline(self.log.as_str());
        let each = prefixes.iter().zip(&own).zip(found).map(|((prefix, own), found)| {
            let named = found.into_iter().filter(|(name, _)| !name.starts_with(&others));
            named.map(|(name, value)| (format!("{prefix}{}", &name[own.len()..]), value)).collect()
        });
        Ok(each.collect())
    }

    async fn save(&self, name: &str, value: &str) -> Result<(), LogError> {
        self.servers.save(&self.own(name), value).await
    }
}
