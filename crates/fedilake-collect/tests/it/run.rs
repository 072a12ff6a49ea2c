//! A collector under test.

use std::sync::Arc;
use std::time::Duration;

use fedilake_collect::collector::{self, CollectError};
use fedilake_collect::{CollectorSettings, Counts, HttpSettings, ServerConfig, ServerSnapshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::memory::{MemoryBookmarks, MemoryLog};

/// As for real servers, in fast motion.
pub(crate) fn settings() -> CollectorSettings {
    let ms = Duration::from_millis;
    CollectorSettings {
        http: HttpSettings {
            connect_timeout: ms(1_000),
            answer_timeout: ms(1_000),
            silence_timeout: ms(1_000),
            answer_bytes_max: 1 << 20,
            frame_bytes_max: 256 << 10,
            ..HttpSettings::new("https://example.org/fedilake")
        },
        gather_time_max: ms(2),
        bookmark_interval: ms(5),
        // Posts of the fake server are a tenth of a second apart.
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
        ..CollectorSettings::new("")
    }
}

/// A run with a log and bookmarks that outlive it.
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

    pub(crate) async fn ended(self) -> Result<(), CollectError> {
        self.run.await.unwrap()
    }

    /// The only server, once it is as wanted.
    pub(crate) async fn server_where(&self, wanted: impl Fn(&ServerSnapshot) -> bool) -> ServerSnapshot {
        loop {
            if let [server] = self.counts.snapshot().as_slice()
                && wanted(server)
            {
                return server.clone();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The only bookmark, once it is as wanted.
    pub(crate) async fn bookmark_where(&self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            if let [bookmark] = self.bookmarks.all().into_values().collect::<Vec<_>>().as_slice()
                && wanted(bookmark)
            {
                return bookmark.clone();
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
