//! Servers that begin, together or without a post.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fedilake_collect::collector::{self, Change};
use fedilake_collect::{CollectorSettings, Counts, ServerConfig, Timeline, address};
use fedilake_log::{Bookmarks, LogError};
use futures::{StreamExt, stream};
use tokio_util::sync::CancellationToken;

use crate::memory::{MemoryBookmarks, MemoryLog};
use crate::run::{Run, settings, until};
use crate::single::Single;

/// Counts how often bookmarks are looked up.
#[derive(Default)]
struct Counted {
    inner: MemoryBookmarks,
    looks: AtomicUsize,
}

#[async_trait]
impl Bookmarks for Counted {
    async fn load(&self, name: &str) -> Result<Option<String>, LogError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.load(name).await
    }

    async fn load_each(&self, names: &[String]) -> Result<Vec<Option<String>>, LogError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.load_each(names).await
    }

    async fn named(&self, prefix: &str) -> Result<BTreeMap<String, String>, LogError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.named(prefix).await
    }

    async fn named_each(&self, prefixes: &[String]) -> Result<Vec<BTreeMap<String, String>>, LogError> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.inner.named_each(prefixes).await
    }

    async fn save(&self, name: &str, value: &str) -> Result<(), LogError> {
        self.inner.save(name, value).await
    }
}

#[tokio::test]
async fn what_was_saved_of_servers_that_begin_together_is_looked_up_once() {
    let server = |port: u16| {
        let address = address::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        Change::Begin(ServerConfig::new(address, Timeline::Public))
    };
    let (bookmarks, counts, shutdown) =
        (Arc::new(Counted::default()), Arc::<Counts>::default(), CancellationToken::new());
    let changes = stream::iter((1..30).map(server)).chain(stream::pending()).boxed();
    let log = Arc::new(MemoryLog::new());
    let run = collector::run_changing(changes, settings(), log, bookmarks.clone(), counts.clone(), shutdown.clone());
    let run = tokio::spawn(run);
    until("all have begun", || (counts.snapshot().len() == 29).then_some(())).await;
    // Places and histories, then last posts.
    assert_eq!(bookmarks.looks.load(Ordering::SeqCst), 2);
    shutdown.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_without_posts_is_read_all_the_same() {
    let single = Single::start().await;
    let settings = CollectorSettings { history_interval: Duration::from_millis(20), ..settings() };
    let run = Run::start_with(vec![single.config()], settings, MemoryLog::new().into(), Arc::default());
    single.streams_opened(1).await;
    let bookmarks = run.bookmarks.clone();
    until("its history says so", || bookmarks.history().filter(|text| text.starts_with("read ")).map(drop)).await;
    run.stop().await.unwrap();
}
