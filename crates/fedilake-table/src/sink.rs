//! The sink: the loop from the log to the table.
//!
//! Records gather in a buffer for each partition. A buffer that is full, or old, is sealed into a data file and
//! committed; then the log may forget its records. Every partition begins, and after every lost race begins again, at
//! the table's end. No other position is trusted, so two sinks on one partition, a kill at any moment and a lost
//! answer all leave each offset in exactly one file.
//!
//! Memory: at most [`Limits::buffers_bytes_max`] plus one event of the reader. The sink does not read while a file is
//! sealed and put; no other reader waits for it, because the lake reads the log itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fedilake_log::{Assignment, Log, LogError, LogEvent, LogReader, Offset, Partition, Record, bounds_of};
use fedilake_model::avro::Decoder;
use tokio::select;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::{Chain, Commit, DataFile, FileError, Table, TableError, s3};

mod buffer;
mod progress;

use buffer::Buffer;
pub use progress::{SinkPosition, SinkProgress, SinkSummary};

/// The limits at which a buffer is sealed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The size of one buffer, in bytes of records in memory. The file is about a third of it, and must stay below
    /// [`s3::PUT_BYTES_MAX`].
    pub buffer_bytes_max: usize,
    /// The age of a buffer's first record.
    pub buffer_age_max: Duration,
    /// The size of all buffers together. Beyond it the largest is sealed.
    pub buffers_bytes_max: usize,
}

/// 128 MB or 15 minutes for each buffer, 512 MB for all of them.
impl Default for Limits {
    fn default() -> Limits {
        Limits {
            buffer_bytes_max: 128 << 20,
            buffer_age_max: Duration::from_secs(15 * 60),
            buffers_bytes_max: 512 << 20,
        }
    }
}

/// Why a sink stopped. Records that it had not committed are still in the log.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The table failed, or the table's end and the log's do not meet.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Records could not become a file. Usually this program does not know the schema of one.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store said twice that the file exists, but does not list it.
    #[error("the store says that the file of {chain} at offset {first} exists, but does not list it")]
    Stuck {
        /// The chain that cannot go on.
        chain: Chain,
        /// The chain's end.
        first: Offset,
    },
}

impl SinkError {
    /// The hint for this error; `None` if there is none.
    pub fn hint(&self) -> Option<String> {
        match self {
            SinkError::Table(TableError::Gap { chain, first, next }) => Some(format!(
                "if these records are lost for good, `fedilake sink --accept-gap {}:{first}..{next}` records that and goes on",
                chain.partition
            )),
            SinkError::Table(TableError::BeyondEnd { .. }) => Some(
                "the log lost its end: restore it, or begin a new log, whose records go beside the old ones"
                    .to_string(),
            ),
            SinkError::Table(TableError::Damaged { .. }) => Some(
                "the sink goes on where the newest file of its partition ends: put this file back from a copy. If there is no \
                 copy, stop every sink of the log, move the file out of the table and start one again: it stores what the log \
                 still has, and names what is lost"
                    .to_string(),
            ),
            SinkError::Table(TableError::Store { source, .. }) => s3::store_hint(source),
            _ => None,
        }
    }
}

/// Moves the records of `log` that `assignment` gives it, as `decoder` reads them, into `table` until `shutdown`, then commits the buffered records and returns.
/// After an error, records that were not committed are still in the log, and a restart continues there.
pub async fn run(
    log: Arc<dyn Log>,
    assignment: Assignment<'_>,
    decoder: Decoder,
    table: Arc<Table>,
    limits: Limits,
    progress: Arc<SinkProgress>,
    shutdown: CancellationToken,
) -> Result<SinkSummary, SinkError> {
    let decoder = Arc::new(Mutex::new(decoder));
    let reader = log.reader(assignment)?;
    let mut sink = Sink { log, reader, table, limits, progress, buffers: BTreeMap::new(), decoder };
    loop {
        let deadline = sink.deadline();
        let event = select! {
            biased;
            () = shutdown.cancelled() => break,
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => None,
            event = sink.reader.next() => Some(event),
        };
        let done = match event {
            None => sink.flush_old().await,
            Some(Ok(LogEvent::Assigned(partition))) => sink.begin(partition).await,
            Some(Ok(LogEvent::Revoked(partition))) => sink.forget(partition),
            Some(Ok(LogEvent::Records(records))) => sink.take(records).await,
            Some(Ok(LogEvent::Reached(partition, offset))) => sink.pass_over(partition, offset),
            Some(Err(LogError::BelowStart { partition, .. })) => sink.begin_above_start(partition).await,
            Some(Err(error @ LogError::Schema { .. })) => sink.end_before(error).await,
            Some(Err(error)) => Err(error.into()),
        };
        sink.unless_revoked(done)?;
    }
    sink.flush_all().await?;
    Ok(sink.progress.summary())
}

/// One decoder for all files: making one takes as long as decoding 200 records.
type SharedDecoder = Arc<Mutex<Decoder>>;

struct Sink {
    log: Arc<dyn Log>,
    reader: Box<dyn LogReader>,
    table: Arc<Table>,
    limits: Limits,
    progress: Arc<SinkProgress>,
    /// The partitions assigned to this sink that it has begun to read.
    buffers: BTreeMap<Partition, Buffer>,
    decoder: SharedDecoder,
}

impl Sink {
    fn deadline(&self) -> Option<Instant> {
        let oldest = self.buffers.values().filter_map(Buffer::oldest).min();
        oldest.map(|oldest| oldest + self.limits.buffer_age_max)
    }

    /// Seeks to the table's end, with an empty buffer.
    async fn begin(&mut self, partition: Partition) -> Result<(), SinkError> {
        self.forget(partition)?;
        let chain = self.chain(partition);
        let next = loop {
            let next = self.next_offset(&chain).await?;
            match self.reader.seek(partition, next).await {
                Ok(()) => break next,
                // The log forgot more since its bounds were read: either the table has it, or the next round reports
                // that it lacks it.
                Err(LogError::BelowStart { .. }) => {}
                Err(LogError::BeyondEnd { end, .. }) => {
                    return Err(TableError::BeyondEnd { chain, next, end }.into());
                }
                Err(error) => return Err(error.into()),
            }
        };
        // A sink that was killed between commit and release did not release this.
        self.reader.release(partition, next).await?;
        self.buffers.insert(partition, Buffer::new(next));
        self.progress.began(partition, next);
        Ok(())
    }

    async fn next_offset(&mut self, chain: &Chain) -> Result<Offset, SinkError> {
        // Read before the table: if the log's start moves later, then only past what the table has by then.
        let bounds = bounds_of(self.log.as_ref(), chain.partition).await?;
        match self.table.next_offset_from(chain, bounds, self.log.table_start(bounds)).await {
            // Read again after the table: the log may have grown meanwhile, and another sink may have committed more.
            Err(TableError::BeyondEnd { next, .. })
                if next <= bounds_of(self.log.as_ref(), chain.partition).await?.end =>
            {
                Ok(next)
            }
            next => Ok(next?),
        }
    }

    /// Handles a log start beyond the next offset: another sink committed and released those records, or retention
    /// removed them. Commits the buffer, then reads the table's end to see which.
    async fn begin_above_start(&mut self, partition: Partition) -> Result<(), SinkError> {
        self.flush(partition).await?;
        self.begin(partition).await
    }

    /// Stops the sink at an unreadable record. First commits the records before it, so that a restart does not read
    /// them again and the table ends at the offset in the error.
    async fn end_before(&mut self, error: LogError) -> Result<(), SinkError> {
        self.flush_all().await?;
        Err(error.into())
    }

    fn forget(&mut self, partition: Partition) -> Result<(), SinkError> {
        self.buffers.remove(&partition);
        self.progress.forgot(partition);
        Ok(())
    }

    /// Ignores an error of a partition that was revoked: the event may come after the failed call. The new owner
    /// reads the records again.
    fn unless_revoked(&mut self, done: Result<(), SinkError>) -> Result<(), SinkError> {
        match done {
            Err(SinkError::Log(LogError::NotAssigned { partition })) => self.forget(partition),
            done => done,
        }
    }

    /// Skips holes at the log's end: they become a part of the file with the records before or after them.
    fn pass_over(&mut self, partition: Partition, offset: Offset) -> Result<(), SinkError> {
        if let Some(buffer) = self.buffers.get_mut(&partition) {
            buffer.pass_over(offset);
            self.progress.reached(partition, buffer.next());
        }
        Ok(())
    }

    async fn take(&mut self, records: Vec<Record>) -> Result<(), SinkError> {
        let now = Instant::now();
        self.progress.read(records.len());
        for record in records {
            // Records of a revoked partition may still arrive; the new owner reads them too.
            if let Some(buffer) = self.buffers.get_mut(&record.partition) {
                buffer.push(record, now);
            }
        }
        for (partition, buffer) in &self.buffers {
            self.progress.reached(*partition, buffer.next());
        }
        while let Some(partition) = self.overflowing() {
            self.flush(partition).await?;
        }
        Ok(())
    }

    /// The largest buffer, if it or all buffers together are too large.
    fn overflowing(&self) -> Option<Partition> {
        let (partition, largest) = self.buffers.iter().max_by_key(|(_, buffer)| buffer.bytes())?;
        let total: usize = self.buffers.values().map(Buffer::bytes).sum();
        let full = largest.bytes() >= self.limits.buffer_bytes_max || total > self.limits.buffers_bytes_max;
        (full && largest.bytes() > 0).then_some(*partition)
    }

    async fn flush_old(&mut self) -> Result<(), SinkError> {
        let now = Instant::now();
        let old = |buffer: &Buffer| buffer.oldest().is_some_and(|oldest| oldest + self.limits.buffer_age_max <= now);
        let old: Vec<_> =
            self.buffers.iter().filter(|(_, buffer)| old(buffer)).map(|(partition, _)| *partition).collect();
        for partition in old {
            self.flush(partition).await?;
        }
        Ok(())
    }

    async fn flush_all(&mut self) -> Result<(), SinkError> {
        let partitions: Vec<_> = self.buffers.keys().copied().collect();
        for partition in partitions {
            let done = self.flush(partition).await;
            self.unless_revoked(done)?;
        }
        Ok(())
    }

    /// Seals the buffer of `partition` and commits it. If another writer was faster, begins again after its file.
    async fn flush(&mut self, partition: Partition) -> Result<(), SinkError> {
        let Some(buffer) = self.buffers.get_mut(&partition).filter(|buffer| buffer.bytes() > 0) else { return Ok(()) };
        let (first, next) = (buffer.first(), buffer.next());
        let records = buffer.empty();
        let chain = self.chain(partition);
        let file = blocking({
            let (chain, decoder) = (chain.clone(), self.decoder.clone());
            move || {
                let mut decoder = decoder.lock().unwrap_or_else(PoisonError::into_inner);
                DataFile::seal(chain, first, next, &records, &mut decoder)
            }
        })
        .await?;

        let mut offered = 0;
        while self.table.commit(&file).await? == Commit::Superseded {
            offered += 1;
            self.progress.superseded();
            if self.next_offset(&chain).await? != first {
                return self.begin(partition).await;
            }
            // The store reported a conflict and wrote nothing, so the file is still right.
            if offered == 2 {
                return Err(SinkError::Stuck { chain, first });
            }
        }
        self.progress.committed(partition, &file);
        self.reader.release(partition, next).await?;
        Ok(())
    }

    fn chain(&self, partition: Partition) -> Chain {
        Chain { log: self.log.id().clone(), partition }
    }
}

/// Runs CPU-bound work on a thread where it does not hold up other tasks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and this call with it.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}
