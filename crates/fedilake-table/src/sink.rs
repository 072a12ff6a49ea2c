//! The sink: the loop from the log to the table.
//!
//! Records gather in a buffer a partition. A buffer that is full, or old, is sealed into a data file and committed, and the log
//! may then forget its records. Every partition begins, and after every lost race begins again, at the offset that the table
//! names: nothing else is trusted, so two sinks on one partition, a kill at any moment and an answer that got lost leave each
//! offset in exactly one file.
//!
//! Limits: at most [`Limits::buffers_bytes_max`] plus one event of the reader is held in memory. While a file is sealed and put
//! nothing is read, which holds up the log's readers nowhere: the lake reads the log itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fedilake_log::{LogError, LogEvent, LogReader, Offset, Partition, Record};
use fedilake_model::avro::Decoder;
use tokio::select;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::{Chain, Commit, DataFile, FileError, Table, TableError, s3};

mod buffer;
mod progress;

use buffer::Buffer;
pub use progress::{SinkPosition, SinkProgress, SinkSummary};

/// When a buffer is sealed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A buffer of this size is sealed. Bytes of records in memory: the file is about a third of it, and has to stay below
    /// [`s3::PUT_BYTES_MAX`].
    pub buffer_bytes_max: usize,
    /// A buffer whose first record came this long ago is sealed.
    pub buffer_age_max: Duration,
    /// When all buffers together are larger, the largest is sealed.
    pub buffers_bytes_max: usize,
}

/// 128 MB or 15 minutes, all buffers together 512 MB.
impl Default for Limits {
    fn default() -> Limits {
        Limits {
            buffer_bytes_max: 128 << 20,
            buffer_age_max: Duration::from_secs(15 * 60),
            buffers_bytes_max: 512 << 20,
        }
    }
}

/// Why a sink stopped. Whatever it had not committed is still in the log.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The table failed, or its end and the log's do not meet.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Records could not become a file: mostly the schema of one is not known to this program.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store twice said that the file exists, and twice showed that it does not.
    #[error("the store refuses {chain} at offset {first} as existing, but does not show it")]
    Stuck {
        /// The chain that cannot go on.
        chain: Chain,
        /// Where it ends.
        first: Offset,
    },
}

impl SinkError {
    /// What a person can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            SinkError::Table(TableError::Gap { chain, first, next }) => Some(format!(
                "if these records are lost for good, `fedilake sink --accept-gap {}:{first}..{next}` writes that down and goes on",
                chain.partition
            )),
            SinkError::Table(TableError::BeyondEnd { .. }) => Some(
                "the log lost its end: restore it, or begin a new log, whose records go beside the old ones"
                    .to_string(),
            ),
            SinkError::Table(TableError::Store { source, .. }) => s3::store_hint(source),
            _ => None,
        }
    }
}

/// Moves records from `reader` into `table` until `shutdown`; then commits what it holds and returns. An error leaves whatever
/// was not committed in the log, and a restart continues there.
pub async fn run(
    reader: Box<dyn LogReader>,
    table: Arc<Table>,
    limits: Limits,
    progress: Arc<SinkProgress>,
    shutdown: CancellationToken,
) -> Result<SinkSummary, SinkError> {
    let mut sink = Sink { reader, table, limits, progress, buffers: BTreeMap::new(), decoder: Arc::default() };
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

/// One decoder for all files, made when the first one needs it: that takes as long as decoding 200 records.
type SharedDecoder = Arc<Mutex<Option<Decoder>>>;

struct Sink {
    reader: Box<dyn LogReader>,
    table: Arc<Table>,
    limits: Limits,
    progress: Arc<SinkProgress>,
    /// The partitions that are ours and begun.
    buffers: BTreeMap<Partition, Buffer>,
    decoder: SharedDecoder,
}

impl Sink {
    fn deadline(&self) -> Option<Instant> {
        let oldest = self.buffers.values().filter_map(Buffer::oldest).min();
        oldest.map(|oldest| oldest + self.limits.buffer_age_max)
    }

    /// Goes to where the table ends, with an empty buffer.
    async fn begin(&mut self, partition: Partition) -> Result<(), SinkError> {
        self.forget(partition)?;
        let chain = self.chain(partition);
        let next = loop {
            let next = self.next_offset(&chain).await?;
            match self.reader.seek(partition, next).await {
                Ok(()) => break next,
                // The log forgot more since its bounds were read: the table has it, or the next round says that it lacks it.
                Err(LogError::BelowStart { .. }) => {}
                Err(LogError::BeyondEnd { end, .. }) => {
                    return Err(TableError::BeyondEnd { chain, next, end }.into());
                }
                Err(error) => return Err(error.into()),
            }
        };
        // A sink that was killed between commit and release left this to be said.
        self.reader.release(partition, next).await?;
        self.buffers.insert(partition, Buffer::new(next));
        self.progress.began(partition, next);
        Ok(())
    }

    async fn next_offset(&mut self, chain: &Chain) -> Result<Offset, SinkError> {
        // Before the table is asked: a start that moves later was moved by what is in the table by then.
        let bounds = self.reader.bounds(chain.partition).await?;
        match self.table.next_offset(chain, bounds).await {
            // After the table was asked: the log may have grown, and another sink with it.
            Err(TableError::BeyondEnd { next, .. }) if next <= self.reader.bounds(chain.partition).await?.end => {
                Ok(next)
            }
            next => Ok(next?),
        }
    }

    /// Another sink's commits let the log forget what was to come next, or retention did. Saves what is here, then sees which.
    async fn begin_above_start(&mut self, partition: Partition) -> Result<(), SinkError> {
        self.flush(partition).await?;
        self.begin(partition).await
    }

    /// A record that nobody here can read ends the sink. Saves what came before it: it would be read again and again, and the
    /// table would end elsewhere than the error says.
    async fn end_before(&mut self, error: LogError) -> Result<(), SinkError> {
        self.flush_all().await?;
        Err(error.into())
    }

    fn forget(&mut self, partition: Partition) -> Result<(), SinkError> {
        self.buffers.remove(&partition);
        self.progress.forgot(partition);
        Ok(())
    }

    /// A partition may be revoked between two calls, and the event that says so come later. Its new owner reads it again.
    fn unless_revoked(&mut self, done: Result<(), SinkError>) -> Result<(), SinkError> {
        match done {
            Err(SinkError::Log(LogError::NotAssigned { partition })) => self.forget(partition),
            done => done,
        }
    }

    /// Holes at the log's end: they go into the file of the records before them, or of those that come.
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
            // A partition that is no longer ours may still have records on the way; its new owner reads them too.
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

    /// The largest buffer, if it or all of them together are too large.
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

    /// Seals the buffer of `partition` and commits it; where another writer was faster, begins again behind its file.
    async fn flush(&mut self, partition: Partition) -> Result<(), SinkError> {
        let Some(buffer) = self.buffers.get_mut(&partition).filter(|buffer| buffer.bytes() > 0) else { return Ok(()) };
        let (first, next) = (buffer.first(), buffer.next());
        let records = buffer.empty();
        let chain = self.chain(partition);
        let file = blocking({
            let (chain, decoder) = (chain.clone(), self.decoder.clone());
            move || {
                let mut decoder = decoder.lock().unwrap_or_else(PoisonError::into_inner);
                DataFile::seal(chain, first, next, &records, decoder.get_or_insert_default())
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
            // The store said conflict and wrote nothing, so the file still fits.
            if offered == 2 {
                return Err(SinkError::Stuck { chain, first });
            }
        }
        self.progress.committed(partition, &file);
        self.reader.release(partition, next).await?;
        Ok(())
    }

    fn chain(&self, partition: Partition) -> Chain {
        Chain { log: self.reader.id().clone(), partition }
    }
}

/// Runs what takes CPU for more than a moment where it hinders no other task.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime shuts down: this call is dropped with it.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}
