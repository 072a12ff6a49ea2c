//! The embedded log keeps what every log promises.

use std::sync::Arc;

use async_trait::async_trait;
use fedilake_log::conformance::{self, Subject};
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Bookmarks, Log, LogWriter};
use tempfile::TempDir;

struct Embedded {
    log: Arc<EmbeddedLog>,
    folder: TempDir,
}

impl Embedded {
    fn open(folder: TempDir) -> Embedded {
        Embedded { log: Arc::new(EmbeddedLog::open(folder.path()).unwrap()), folder }
    }
}

#[async_trait]
impl Subject for Embedded {
    fn writer(&self) -> Arc<dyn LogWriter> {
        self.log.clone()
    }

    fn bookmarks(&self) -> Arc<dyn Bookmarks> {
        self.log.clone()
    }

    fn log(&self) -> Arc<dyn Log> {
        self.log.clone()
    }

    async fn reopen(self) -> Embedded {
        let Embedded { log, folder } = self;
        drop(log);
        Embedded::open(folder)
    }
}

#[tokio::test]
async fn the_embedded_log_is_a_log() {
    conformance::run(|| async { Embedded::open(tempfile::tempdir().unwrap()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_log_is_a_log_on_several_threads() {
    conformance::run(|| async { Embedded::open(tempfile::tempdir().unwrap()) }).await;
}
