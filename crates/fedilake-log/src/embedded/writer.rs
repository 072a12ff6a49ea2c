//! The writer's thread: the only one that writes records, bookmarks and the start.
//!
//! The thread takes every waiting request, writes them as one batch with one sync, and answers them all. During the sync the
//! next batch gathers in the queue: the more callers, the fewer syncs a record. The queue is bounded, and callers wait
//! for room in it.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::Shared;
use super::block::{BlockBuilder, BlockKey};
use super::end_mark::EndMark;
use super::fault::storage;
use super::layout::{self, BOOKMARKS, BOOKMARKS_KEY, PARTITION, START_KEY, Start};
use super::recovery::Recovered;
use super::store::{Batch, Store};
use crate::{Bounds, Key, LogError, Offset};

/// The most waiting requests. Each belongs to one caller, so the waiting bytes are bounded by what the callers hold
/// anyway.
const REQUESTS_WAITING_MAX: usize = 1_024;
/// The size of a batch, which bounds the time for which its first caller waits.
const BYTES_PER_BATCH_MAX: usize = 8 << 20;

/// A caller's request and the channel for its answer. An answer that nobody waits for is dropped.
pub(super) struct Request {
    write: Write,
    answer: oneshot::Sender<Result<(), LogError>>,
}

enum Write {
    Records(Vec<(Key, Bytes)>),
    Bookmark { name: String, value: String },
    Start(Offset),
}

/// The handle of the thread. Dropping it waits until the thread has answered all that it took.
pub(super) struct Writer {
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, which goes on where `recovered` ends.
    pub(super) fn start(
        shared: Arc<Shared>,
        recovered: Recovered,
        now_ms: impl Fn() -> i64 + Send + 'static,
    ) -> Result<Writer, LogError> {
        let (requests, receiver) = mpsc::channel(REQUESTS_WAITING_MAX);
        let folder = shared.store.folder().to_owned();
        let Recovered { appended_at_ms, block_number, end_mark, .. } = recovered;
        let tail = Tail { appended_at_ms, block_number };
        let mut batches = Batches { shared, tail, end_mark, now_ms, failure: None };
        let thread = thread::Builder::new()
            .name("fedilake-log".to_owned())
            .spawn(move || batches.run(receiver))
            .map_err(|error| storage("open", &folder, error))?;
        Ok(Writer { requests: Some(requests), thread: Some(thread) })
    }

    /// Returns when all `records` are durable.
    pub(super) async fn append(&self, records: Vec<(Key, Bytes)>) -> Result<(), LogError> {
        if records.is_empty() {
            return Ok(());
        }
        ask(self.requests.as_ref(), Write::Records(records)).await
    }

    /// Returns when the bookmark is durable.
    pub(super) async fn save(&self, name: &str, value: &str) -> Result<(), LogError> {
        ask(self.requests.as_ref(), Write::Bookmark { name: name.to_owned(), value: value.to_owned() }).await
    }

    /// A handle that moves the log's start and does not keep the thread alive.
    pub(super) fn starts(&self) -> Starts {
        Starts(self.requests.as_ref().expect("taken only by drop").downgrade())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            // The panic hook has reported a panic of the thread, and its callers see a closed channel.
            let _ = thread.join();
        }
    }
}

/// Moves the log's start.
#[derive(Clone)]
pub(super) struct Starts(mpsc::WeakSender<Request>);

impl Starts {
    /// Returns when the start is durably at or above `start`.
    pub(super) async fn set(&self, start: Offset) -> Result<(), LogError> {
        ask(self.0.upgrade().as_ref(), Write::Start(start)).await
    }
}

async fn ask(requests: Option<&mpsc::Sender<Request>>, write: Write) -> Result<(), LogError> {
    let (answer, answered) = oneshot::channel();
    let request = Request { write, answer };
    let closed = || LogError::Closed;
    requests.ok_or_else(closed)?.send(request).await.map_err(|_| closed())?;
    answered.await.map_err(|_| closed())?
}

/// The state of the thread.
struct Batches<Clock> {
    shared: Arc<Shared>,
    tail: Tail,
    end_mark: EndMark,
    now_ms: Clock,
    /// The failure of a write: after one, nothing is written any more.
    failure: Option<LogError>,
}

/// The time and the number from which the next block continues.
#[derive(Clone, Copy)]
struct Tail {
    appended_at_ms: i64,
    block_number: u64,
}

impl<Clock: Fn() -> i64> Batches<Clock> {
    fn run(&mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(first) = requests.blocking_recv() {
            let requests = gather(first, &mut requests);
            self.write(requests);
        }
    }

    /// Writes all requests as one batch and answers each.
    fn write(&mut self, requests: Vec<Request>) {
        let Bounds { start, end } = *self.shared.bounds.borrow();
        let appended_at_ms = self.tail.appended_at_ms.max((self.now_ms)());
        let mut batch = self.shared.store.batch();
        let mut blocks = Blocks::new(end, Tail { appended_at_ms, ..self.tail });
        let mut new_start = start;
        let mut answers = Vec::with_capacity(requests.len());
        for Request { write, answer } in requests {
            match write {
                Write::Records(records) => {
                    for (key, value) in records {
                        blocks.push(&key, &value, &mut batch);
                    }
                }
                Write::Bookmark { name, value } => {
                    batch.put_state(&layout::bookmark_key(&name), value.as_bytes());
                    // With each, since the log may be of a fedilake that wrote no version.
                    batch.put_state(BOOKMARKS_KEY, BOOKMARKS);
                }
                Write::Start(wanted) if wanted > blocks.end => {
                    let beyond = LogError::BeyondEnd { partition: PARTITION, wanted, end: blocks.end };
                    let _ = answer.send(Err(beyond));
                    continue;
                }
                Write::Start(wanted) => new_start = new_start.max(wanted),
            }
            answers.push(answer);
        }
        let (end, tail) = blocks.finish(&mut batch);
        if new_start > start {
            let Tail { appended_at_ms, block_number } = tail;
            batch.put_state(START_KEY, &Start { offset: new_start, appended_at_ms, block_number }.encode());
        }

        let written = match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => commit(&self.shared.store, batch, &mut self.end_mark, end),
        };
        match &written {
            Ok(()) => {
                self.tail = tail;
                self.shared.bounds.send_replace(Bounds { start: new_start, end });
            }
            Err(failure) => self.failure = Some(failure.clone()),
        }
        for answer in answers {
            let _ = answer.send(written.clone());
        }
    }
}

/// Commits in the order that everything relies on: durable, then acknowledged by the end mark, then published and
/// answered.
fn commit(store: &Store, batch: Batch<'_>, end_mark: &mut EndMark, end: Offset) -> Result<(), LogError> {
    store.make_room()?;
    batch.commit()?;
    end_mark.write(end).map_err(|error| storage("append to", &store.end_mark_path(), error))
}

/// Packs the records of one batch into blocks.
struct Blocks {
    end: Offset,
    first: Offset,
    tail: Tail,
    block: BlockBuilder,
}

impl Blocks {
    fn new(end: Offset, tail: Tail) -> Blocks {
        Blocks { end, first: end, tail, block: BlockBuilder::new(tail.appended_at_ms) }
    }

    fn push(&mut self, key: &Key, value: &[u8], batch: &mut Batch<'_>) {
        if self.block.is_full() {
            self.seal(batch);
        }
        self.block.push(key, value);
        self.end = self.end.next();
    }

    /// Puts the last block into the batch. Returns the log's new end and tail.
    fn finish(mut self, batch: &mut Batch<'_>) -> (Offset, Tail) {
        if !self.block.is_empty() {
            self.seal(batch);
        }
        (self.end, self.tail)
    }

    fn seal(&mut self, batch: &mut Batch<'_>) {
        let block = std::mem::replace(&mut self.block, BlockBuilder::new(self.tail.appended_at_ms));
        batch.put_block(BlockKey { first: self.first, number: self.tail.block_number }, block.finish());
        self.first = self.end;
        self.tail.block_number += 1;
    }
}

/// Takes the requests in the queue without waiting for more.
fn gather(first: Request, requests: &mut mpsc::Receiver<Request>) -> Vec<Request> {
    let mut bytes = first.write.bytes();
    let mut gathered = vec![first];
    while bytes < BYTES_PER_BATCH_MAX
        && let Ok(request) = requests.try_recv()
    {
        bytes += request.write.bytes();
        gathered.push(request);
    }
    gathered
}

impl Write {
    fn bytes(&self) -> usize {
        match self {
            Write::Records(records) => records.iter().map(|(key, value)| key.0.len() + value.len()).sum(),
            Write::Bookmark { name, value } => name.len() + value.len(),
            Write::Start(_) => 0,
        }
    }
}
