//! A buffer: the records of one partition since its last commit, on their way to columns.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow::array::RecordBatch;
use fedilake_log::{Offset, Record};
use fedilake_model::avro::{DecodeError, Decoder, Encoded};
use tokio::time::Instant;

use super::blocking;

/// Records that are decoded together: columns cost some 20 KB a batch, however few rows they have.
const RECORDS_A_BATCH: usize = 8_192;

/// Large records are decoded sooner.
const BYTES_A_BATCH: usize = 16 << 20;

/// What a record costs beside its value.
const RECORD_BYTES: usize = size_of::<Encoded>();

/// One decoder for all buffers of a sink, made when the first record needs it: that takes as long as decoding 200 records.
pub(super) type SharedDecoder = Arc<LazyLock<Mutex<Decoder>>>;

pub(super) fn shared_decoder() -> SharedDecoder {
    Arc::new(LazyLock::new(Mutex::default))
}

#[derive(Debug)]
pub(super) struct Buffer {
    first: Offset,
    next: Offset,
    records: Vec<Encoded>,
    records_bytes: usize,
    batches: Vec<RecordBatch>,
    batches_bytes: usize,
    oldest: Option<Instant>,
}

impl Buffer {
    /// An empty buffer behind the table's end.
    pub(super) fn new(first: Offset) -> Buffer {
        Buffer {
            first,
            next: first,
            records: Vec::new(),
            records_bytes: 0,
            batches: Vec::new(),
            batches_bytes: 0,
            oldest: None,
        }
    }

    /// Where the buffer begins: the table's end.
    pub(super) fn first(&self) -> Offset {
        self.first
    }

    /// The offset right after the last record.
    pub(super) fn next(&self) -> Offset {
        self.next
    }

    /// The memory that it holds; zero if and only if it has no record.
    pub(super) fn bytes(&self) -> usize {
        self.records_bytes + self.batches_bytes
    }

    /// When its first record came.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.oldest
    }

    pub(super) fn push(&mut self, record: Record, now: Instant) {
        assert!(record.offset >= self.next, "the log gave offset {} after {}", record.offset, self.next);
        self.next = record.offset.next();
        self.oldest.get_or_insert(now);
        self.records_bytes += RECORD_BYTES + record.value.len();
        self.records.push(Encoded {
            partition: record.partition.0,
            offset: record.offset.0,
            appended_at_ms: record.appended_at_ms,
            value: record.value,
        });
    }

    /// True if enough records wait to be decoded.
    pub(super) fn has_work(&self) -> bool {
        self.records.len() >= RECORDS_A_BATCH || self.records_bytes >= BYTES_A_BATCH
    }

    /// Turns all records into columns.
    pub(super) async fn decode(&mut self, decoder: &SharedDecoder) -> Result<(), DecodeError> {
        if self.records.is_empty() {
            return Ok(());
        }
        let records = std::mem::take(&mut self.records);
        let decoder = decoder.clone();
        let decoded = move || decoder.lock().unwrap_or_else(PoisonError::into_inner).decode(&records);
        let batch = blocking(decoded).await?;
        self.records_bytes = 0;
        self.batches_bytes += batch.get_array_memory_size();
        self.batches.push(batch);
        Ok(())
    }

    /// Hands over all columns and begins anew behind them.
    pub(super) fn empty(&mut self) -> Vec<RecordBatch> {
        let emptied = std::mem::replace(self, Buffer::new(self.next));
        assert!(emptied.records.is_empty(), "records are decoded before a buffer is emptied");
        emptied.batches
    }
}
