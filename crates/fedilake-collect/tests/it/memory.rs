//! A log and bookmarks in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use fedilake_log::{Bookmarks, Key, LogError, LogWriter};
use fedilake_model::avro::{Decoder, Encoded};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep, timeout};

use crate::PATIENCE;

type Append = (Instant, Vec<(Key, Bytes)>);

/// Keeps every appended record.
pub(crate) struct MemoryLog {
    appends: Mutex<Vec<Append>>,
    records: watch::Sender<usize>,
    records_max: usize,
    append_time: Duration,
}

impl MemoryLog {
    pub(crate) fn new() -> MemoryLog {
        MemoryLog::full_after(usize::MAX)
    }

    /// A log that refuses appends beyond `records_max` records.
    pub(crate) fn full_after(records_max: usize) -> MemoryLog {
        MemoryLog {
            appends: Mutex::default(),
            records: watch::Sender::new(0),
            records_max,
            append_time: Duration::ZERO,
        }
    }

    /// A log that takes this long for each append.
    pub(crate) fn slow(append_time: Duration) -> MemoryLog {
        MemoryLog { append_time, ..MemoryLog::new() }
    }

    pub(crate) fn records(&self) -> Vec<(Key, Bytes)> {
        self.appends.lock().unwrap().iter().flat_map(|(_, records)| records.clone()).collect()
    }

    /// `server/id` of every record, in order.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.records().into_iter().map(|(key, _)| String::from_utf8(key.0.to_vec()).unwrap()).collect()
    }

    /// The records as rows of the table.
    pub(crate) fn rows(&self) -> RecordBatch {
        let encoded: Vec<Encoded> = (0..)
            .zip(self.records())
            .map(|(offset, (_, value))| Encoded { partition: 0, offset, appended_at_ms: 0, value })
            .collect();
        Decoder::new().decode(&encoded).unwrap()
    }

    /// The time of each append.
    pub(crate) fn times(&self) -> Vec<Instant> {
        self.appends.lock().unwrap().iter().flat_map(|(at, records)| records.iter().map(|_| *at)).collect()
    }

    /// Waits until the log has `count` records.
    pub(crate) async fn wait_for(&self, count: usize) {
        let mut records = self.records.subscribe();
        let wait = records.wait_for(|records| *records >= count);
        timeout(PATIENCE, wait).await.expect("the records come").unwrap();
    }
}

#[async_trait]
impl LogWriter for MemoryLog {
    async fn append(&self, records: Vec<(Key, Bytes)>) -> Result<(), LogError> {
        sleep(self.append_time).await;
        let count = *self.records.borrow() + records.len();
        if count > self.records_max {
            let at = "memory".to_owned();
            return Err(LogError::Storage { doing: "append to", at, why: "no space left on device".to_owned() });
        }
        self.appends.lock().unwrap().push((Instant::now(), records));
        self.records.send_replace(count);
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct MemoryBookmarks(Mutex<HashMap<String, String>>);

impl MemoryBookmarks {
    /// The places, without the histories and the last posts beside them.
    pub(crate) fn all(&self) -> HashMap<String, String> {
        let all = self.0.lock().unwrap().clone();
        all.into_iter().filter(|(name, _)| is_place(name)).collect()
    }

    /// The only history that was saved.
    pub(crate) fn history(&self) -> Option<String> {
        let all = self.0.lock().unwrap();
        all.iter().find(|(name, _)| name.ends_with("/history")).map(|(_, text)| text.clone())
    }
}

/// True for the name of a place, beside which a timeline has others.
pub(crate) fn is_place(name: &str) -> bool {
    !name.starts_with("recent/") && !name.ends_with("/history")
}

#[async_trait]
impl Bookmarks for MemoryBookmarks {
    async fn load(&self, name: &str) -> Result<Option<String>, LogError> {
        Ok(self.0.lock().unwrap().get(name).cloned())
    }

    async fn named(&self, prefix: &str) -> Result<BTreeMap<String, String>, LogError> {
        let all = self.0.lock().unwrap().clone();
        Ok(all.into_iter().filter(|(name, _)| name.starts_with(prefix)).collect())
    }

    async fn save(&self, name: &str, value: &str) -> Result<(), LogError> {
        self.0.lock().unwrap().insert(name.to_owned(), value.to_owned());
        Ok(())
    }
}
