//! A reader of the embedded log.
//!
//! The store is read on the runtime's blocking threads, a bounded batch at a time, and only up to the end that the
//! writer has published. A read under way belongs to the reader and not to the call of `next` that began it, and the
//! position moves when its records are handed out: dropping the call loses nothing.

use std::future;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::task::{self, JoinHandle};

use super::Shared;
use super::layout::PARTITION;
use super::writer::Starts;
use crate::{Bounds, LogError, LogEvent, LogReader, Offset, Partition, Record};

pub(super) struct EmbeddedReader {
    shared: Arc<Shared>,
    bounds: watch::Receiver<Bounds>,
    starts: Starts,
    assigned: bool,
    /// The next offset to hand out; `None` before the first seek.
    position: Option<Offset>,
    /// The read of the records at `position`, once begun.
    read: Option<JoinHandle<Result<Vec<Record>, LogError>>>,
}

impl EmbeddedReader {
    pub(super) fn new(shared: Arc<Shared>, starts: Starts) -> EmbeddedReader {
        let bounds = shared.bounds.subscribe();
        EmbeddedReader { shared, bounds, starts, assigned: false, position: None, read: None }
    }

    fn bounds(&self, partition: Partition) -> Result<Bounds, LogError> {
        if partition == PARTITION { Ok(*self.bounds.borrow()) } else { Err(LogError::NotAssigned { partition }) }
    }

    /// Starts a read at `position`.
    fn begin_read(&mut self, position: Offset, end: Offset) {
        let shared = self.shared.clone();
        self.read = Some(task::spawn_blocking(move || {
            let records = shared.store.read(position, end);
            // Records that were released during the read may be gone: not a damage.
            let start = shared.bounds.borrow().start;
            if records.is_err() && position < start { Err(below_start(position, start)) } else { records }
        }));
    }
}

#[async_trait]
impl LogReader for EmbeddedReader {
    async fn next(&mut self) -> Result<LogEvent, LogError> {
        if !self.assigned {
            self.assigned = true;
            return Ok(LogEvent::Assigned(PARTITION));
        }
        let Some(position) = self.position else { return future::pending().await };
        loop {
            if let Some(read) = &mut self.read {
                let records = read.await.unwrap_or(Err(LogError::Closed));
                self.read = None;
                let records = records?;
                let last = records.last().expect("a read brings at least one record");
                self.position = Some(last.offset.next());
                return Ok(LogEvent::Records(records));
            }
            let Bounds { start, end } = *self.bounds.borrow_and_update();
            if position < start {
                return Err(below_start(position, start));
            }
            if position < end {
                self.begin_read(position, end);
            } else if self.bounds.changed().await.is_err() {
                // Never reached while this reader holds the sender's owner; a log without a writer has no further
                // events.
                return future::pending().await;
            }
        }
    }

    async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        let Bounds { start, end } = self.bounds(partition)?;
        if offset < start {
            return Err(below_start(offset, start));
        }
        if offset > end {
            return Err(LogError::BeyondEnd { partition, wanted: offset, end });
        }
        self.position = Some(offset);
        self.read = None;
        Ok(())
    }

    /// Returns when the start has moved and disk space that can be freed at once is free.
    async fn release(&mut self, partition: Partition, offset: Offset) -> Result<(), LogError> {
        if offset <= self.bounds(partition)?.start {
            return Ok(());
        }
        self.starts.set(offset).await?;
        let shared = self.shared.clone();
        task::spawn_blocking(move || shared.store.trim(offset)).await.map_err(|_| LogError::Closed)?
    }
}

fn below_start(wanted: Offset, start: Offset) -> LogError {
    LogError::BelowStart { partition: PARTITION, wanted, start }
}
