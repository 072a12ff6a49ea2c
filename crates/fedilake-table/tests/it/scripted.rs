//! Logs and stores that follow a test's script.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use fedilake_log::{Assignment, Bounds, Key, Log, LogError, LogEvent, LogId, LogReader, Offset, Partition, Record};
use fedilake_table::Chain;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio_util::sync::CancellationToken;

/// Partitions of a scripted log.
const PARTITIONS: u32 = 2;

/// A reader that returns events in order, then stops the sink, and records its calls.
pub(crate) struct Scripted {
    pub(crate) id: LogId,
    pub(crate) events: VecDeque<LogEvent>,
    pub(crate) bounds: Bounds,
    /// Partitions that were revoked before the reader knows it.
    pub(crate) gone: Vec<Partition>,
    pub(crate) released: Arc<Mutex<Vec<(Partition, Offset)>>>,
    pub(crate) end: CancellationToken,
    /// An error returned after the events, instead of the end.
    pub(crate) fails: Option<LogError>,
}

impl Scripted {
    pub(crate) fn new(bounds: Range<u64>, events: impl IntoIterator<Item = LogEvent>) -> Scripted {
        Scripted {
            id: LogId::new("scripted").unwrap(),
            events: events.into_iter().collect(),
            bounds: Bounds { start: Offset(bounds.start), end: Offset(bounds.end) },
            gone: Vec::new(),
            released: Arc::default(),
            end: CancellationToken::new(),
            fails: None,
        }
    }

    pub(crate) fn chain(&self, partition: u32) -> Chain {
        Chain { log: self.id.clone(), partition: Partition(partition) }
    }

    /// The log that gives this reader.
    pub(crate) fn log(self) -> Arc<dyn Log> {
        let (id, bounds) = (self.id.clone(), self.bounds);
        Arc::new(ScriptedLog { id, bounds, reader: Mutex::new(Some(self)) })
    }

    fn still_ours(&self, partition: Partition) -> std::result::Result<(), LogError> {
        if self.gone.contains(&partition) { Err(LogError::NotAssigned { partition }) } else { Ok(()) }
    }
}

pub(crate) fn assigned(partition: u32) -> LogEvent {
    LogEvent::Assigned(Partition(partition))
}

pub(crate) fn records(partition: u32, offsets: Range<u64>, value: &[u8]) -> LogEvent {
    let record = |offset| Record {
        partition: Partition(partition),
        offset: Offset(offset),
        appended_at_ms: 0,
        key: Key(Bytes::new()),
        value: Bytes::copy_from_slice(value),
    };
    LogEvent::Records(offsets.map(record).collect())
}

#[async_trait]
impl LogReader for Scripted {
    async fn next(&mut self) -> std::result::Result<LogEvent, LogError> {
        match self.events.pop_front() {
            Some(event) => Ok(event),
            None if self.fails.is_some() => Err(self.fails.clone().expect("just seen")),
            None => {
                self.end.cancel();
                std::future::pending().await
            }
        }
    }

    async fn seek(&mut self, partition: Partition, _: Offset) -> std::result::Result<(), LogError> {
        self.still_ours(partition)
    }

    async fn release(&mut self, partition: Partition, offset: Offset) -> std::result::Result<(), LogError> {
        self.still_ours(partition)?;
        self.released.lock().unwrap().push((partition, offset));
        Ok(())
    }
}

/// The log of a [`Scripted`] reader, which it gives once.
struct ScriptedLog {
    id: LogId,
    bounds: Bounds,
    reader: Mutex<Option<Scripted>>,
}

#[async_trait]
impl Log for ScriptedLog {
    fn id(&self) -> &LogId {
        &self.id
    }

    async fn bounds(&self) -> std::result::Result<BTreeMap<Partition, Bounds>, LogError> {
        Ok((0..PARTITIONS).map(|partition| (Partition(partition), self.bounds)).collect())
    }

    fn reader(&self, _: Assignment<'_>) -> std::result::Result<Box<dyn LogReader>, LogError> {
        Ok(Box::new(self.reader.lock().unwrap().take().expect("a scripted log is read once")))
    }
}

/// A store in memory that can refuse puts.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) inner: InMemory,
    /// True while the disk is full.
    pub(crate) full: AtomicBool,
    /// The number of next puts that are refused as if the object existed.
    pub(crate) conflicts: AtomicUsize,
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

#[async_trait]
impl ObjectStore for Disk {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        if self.full.load(Ordering::SeqCst) {
            let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
            return Err(Error::Generic { store: "Disk", source: full.into() });
        }
        let left = self.conflicts.load(Ordering::SeqCst);
        if left > 0 {
            self.conflicts.store(left - 1, Ordering::SeqCst);
            return Err(Error::AlreadyExists { path: location.to_string(), source: "conflict".into() });
        }
        self.inner.put_opts(location, payload, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, options).await
    }
}
