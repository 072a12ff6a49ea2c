//! Runs a collector under test.

use std::sync::Arc;
use std::time::Duration;

use fedilake_collect::collector::{self, CollectError};
use fedilake_collect::{CollectorSettings, Counts, HttpSettings, ServerConfig, ServerSnapshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::PATIENCE;
use crate::memory::{MemoryBookmarks, MemoryLog};

/// The most posts that a mark may be behind the last one.
const MARK_TRAILS: usize = 3;

/// The settings for real servers, with shorter times.
pub(crate) fn settings() -> CollectorSettings {
    let ms = Duration::from_millis;
    CollectorSettings {
        http: HttpSettings {
            connect_timeout: ms(1_000),
            answer_timeout: ms(1_000),
            open_timeout: ms(1_000),
            // The simulated server sends no heartbeats.
            silence_timeout: ms(60_000),
            answer_bytes_max: 1 << 20,
            frame_bytes_max: 256 << 10,
            ..HttpSettings::new("https://example.org/fedilake")
        },
        gather_time_max: ms(2),
        bookmark_interval: ms(5),
        // Posts of the simulated server are a tenth of a second apart.
        overlap: ms(3_000),
        overlap_short: ms(1_000),
        second_look_after: ms(50),
        poll_interval_min: ms(10),
        poll_interval_max: ms(50),
        silence_min: ms(100),
        silence_max: ms(200),
        paged_requests_max: 100_000,
        backoff_min: ms(10),
        backoff_max: ms(50),
        backoff_refused: ms(50),
        live_retry_after: ms(60_000),
        bridge_after: ms(20),
        ..CollectorSettings::new("")
    }
}

/// A run, with a log and bookmarks that outlive it.
pub(crate) struct Run {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) bookmarks: Arc<MemoryBookmarks>,
    pub(crate) counts: Arc<Counts>,
    shutdown: CancellationToken,
    run: JoinHandle<Result<(), CollectError>>,
}

impl Run {
    pub(crate) fn start(servers: Vec<ServerConfig>) -> Run {
        Run::start_with(servers, settings(), Arc::new(MemoryLog::new()), Arc::default())
    }

    pub(crate) fn start_with(
        servers: Vec<ServerConfig>,
        settings: CollectorSettings,
        log: Arc<MemoryLog>,
        bookmarks: Arc<MemoryBookmarks>,
    ) -> Run {
        let (counts, shutdown) = (Arc::new(Counts::default()), CancellationToken::new());
        let run = collector::run(servers, settings, log.clone(), bookmarks.clone(), counts.clone(), shutdown.clone());
        Run { log, bookmarks, counts, shutdown, run: tokio::spawn(run) }
    }

    pub(crate) async fn stop(self) -> Result<(), CollectError> {
        self.shutdown.cancel();
        self.ended().await
    }

    /// Ends the run as a crash does: nothing more is saved.
    pub(crate) async fn kill(self) {
        self.run.abort();
        assert!(self.run.await.is_err_and(|error| error.is_cancelled()), "it ran");
    }

    pub(crate) async fn ended(self) -> Result<(), CollectError> {
        self.run.await.unwrap()
    }

    /// The figures of the only server, once `wanted` holds.
    pub(crate) async fn server_where(&self, wanted: impl Fn(&ServerSnapshot) -> bool) -> ServerSnapshot {
        until("the server is as wanted", || match self.counts.snapshot().as_slice() {
            [server] if wanted(server) => Some(server.clone()),
            _ => None,
        })
        .await
    }

    /// Waits until the only bookmark is at one of the last `keys`: a mark trails a few posts behind.
    pub(crate) async fn bookmark_near(&self, keys: &[String]) {
        let last = &keys[keys.len().saturating_sub(MARK_TRAILS + 1)..];
        self.bookmark_where(|bookmark| last.iter().any(|key| key.ends_with(&format!("/{bookmark}")))).await;
    }

    /// The only bookmark, once `wanted` holds.
    pub(crate) async fn bookmark_where(&self, wanted: impl Fn(&str) -> bool) -> String {
        until("the bookmark is as wanted", || match self.bookmarks.all().into_values().collect::<Vec<_>>().as_slice() {
            [bookmark] if wanted(bookmark) => Some(bookmark.clone()),
            _ => None,
        })
        .await
    }
}

/// Waits until `found` returns something.
pub(crate) async fn until<T>(what: &str, found: impl Fn() -> Option<T>) -> T {
    let looked = async {
        loop {
            if let Some(found) = found() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looked).await.unwrap_or_else(|_| panic!("not so: {what}"))
}
