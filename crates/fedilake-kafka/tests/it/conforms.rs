//! The log over Kafka keeps what every log promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use fedilake_kafka::{KafkaLog, KafkaSettings, LogBookmarks};
use fedilake_log::conformance::{self, Subject};
use fedilake_log::{Bookmarks, Log, LogWriter};

use crate::services::{bookmarks, open, settings};

struct Kafka {
    log: Arc<KafkaLog>,
    bookmarks: Arc<LogBookmarks>,
    settings: KafkaSettings,
}

impl Kafka {
    async fn open(settings: KafkaSettings) -> Kafka {
        let log = Arc::new(open(&settings).await);
        let bookmarks = Arc::new(bookmarks(&settings, &log).await);
        Kafka { log, bookmarks, settings }
    }
}

#[async_trait]
impl Subject for Kafka {
    fn writer(&self) -> Arc<dyn LogWriter> {
        self.log.clone()
    }

    fn bookmarks(&self) -> Arc<dyn Bookmarks> {
        self.bookmarks.clone()
    }

    fn log(&self) -> Arc<dyn Log> {
        self.log.clone()
    }

    async fn reopen(self) -> Kafka {
        let Kafka { log, bookmarks, settings } = self;
        drop((log, bookmarks));
        Kafka::open(settings).await
    }
}

async fn conforms(test: &str, partitions: u32) {
    let Some(settings) = settings(test) else { return };
    let made = AtomicUsize::new(0);
    conformance::run(|| {
        let mut settings = settings.clone();
        settings.partitions = partitions;
        settings.topic = format!("{}.{}", settings.topic, made.fetch_add(1, Ordering::Relaxed));
        settings.servers_topic = format!("{}.servers", settings.topic);
        Kafka::open(settings)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_of_one_partition_or_four_is_a_log() {
    // At the same time: most of it is waiting.
    tokio::join!(conforms("one_partition", 1), conforms("four_partitions", 4));
}
