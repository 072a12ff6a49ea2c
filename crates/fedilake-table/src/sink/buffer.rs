//! A buffer: the records of one partition since its last commit.

use fedilake_log::{Offset, Record};
use fedilake_model::avro::Encoded;
use tokio::time::Instant;

/// Memory that a record takes in addition to its value, in bytes.
const RECORD_BYTES: usize = size_of::<Encoded>();

#[derive(Debug)]
pub(super) struct Buffer {
    first: Offset,
    next: Offset,
    records: Vec<Encoded>,
    bytes: usize,
    oldest: Option<Instant>,
}

impl Buffer {
    /// An empty buffer at the table's end.
    pub(super) fn new(first: Offset) -> Buffer {
        Buffer { first, next: first, records: Vec::new(), bytes: 0, oldest: None }
    }

    /// The buffer's first offset: the table's end.
    pub(super) fn first(&self) -> Offset {
        self.first
    }

    /// The offset after the last record or hole.
    pub(super) fn next(&self) -> Offset {
        self.next
    }

    /// The memory of the records in bytes; zero if and only if there are none.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the first record came.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.oldest
    }

    pub(super) fn push(&mut self, record: Record, now: Instant) {
        assert!(record.offset >= self.next, "the log gave offset {} after {}", record.offset, self.next);
        self.next = record.offset.next();
        self.oldest.get_or_insert(now);
        self.bytes += RECORD_BYTES + record.value.len();
        self.records.push(Encoded {
            partition: record.partition.0,
            offset: record.offset.0,
            appended_at_ms: record.appended_at_ms,
            value: record.value,
        });
    }

    /// Skips to `offset`: the log has no further record below it.
    pub(super) fn pass_over(&mut self, offset: Offset) {
        assert!(offset >= self.next, "the log reached offset {offset} after {}", self.next);
        self.next = offset;
    }

    /// Takes all records out; the buffer begins again after them.
    pub(super) fn empty(&mut self) -> Vec<Encoded> {
        std::mem::replace(self, Buffer::new(self.next)).records
    }
}
