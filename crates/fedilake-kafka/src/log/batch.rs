//! Records on their way out of librdkafka: their bytes copied one behind the other, so that thousands cost one allocation.

use bytes::Bytes;
use fedilake_log::{Key, Offset, Partition, Record};

/// Typical size of a record's key and value together.
const RECORD_BYTES: usize = 384;

pub(crate) struct Batch {
    bytes: Vec<u8>,
    records: Vec<Ends>,
}

/// A record's key and value among the bytes, by their ends. A record begins where the one before it ends.
struct Ends {
    at: (Partition, Offset, i64),
    key_end: usize,
    value_end: usize,
}

impl Batch {
    pub(crate) fn with_capacity(records: usize) -> Batch {
        Batch { bytes: Vec::with_capacity(records * RECORD_BYTES), records: Vec::with_capacity(records) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds a record whose value is `header` and `body`; `at` is partition, offset, and milliseconds since 1970.
    pub(crate) fn push(&mut self, at: (Partition, Offset, i64), key: &[u8], header: &[u8], body: &[u8]) {
        self.bytes.extend_from_slice(key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(header);
        self.bytes.extend_from_slice(body);
        self.records.push(Ends { at, key_end, value_end: self.bytes.len() });
    }

    pub(crate) fn records(self) -> Vec<Record> {
        let bytes = Bytes::from(self.bytes);
        let mut begin = 0;
        let record = |Ends { at, key_end, value_end }| {
            let (partition, offset, appended_at_ms) = at;
            let (key, value) = (bytes.slice(begin..key_end), bytes.slice(key_end..value_end));
            begin = value_end;
            Record { partition, offset, appended_at_ms, key: Key(key), value }
        };
        self.records.into_iter().map(record).collect()
    }
}
