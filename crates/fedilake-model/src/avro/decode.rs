//! Records → rows.
//!
//! Each body is read once, and its values go straight into the columns. A body that turns out bad is cut off again,
//! so the other rows are not affected. arrow-avro (with which the tests compare) decodes whole batches only: it
//! cannot say which record of a batch is bad, and is unusable after one.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use bytes::Bytes;

use super::column::{Column, Texts};
use super::record_schema::{Claims, RecordSchema};
use super::schemas::Schemas;
use super::{KNOWN_SCHEMAS, header, shape};
use crate::{PostEvent, schema};

/// Arrow's offsets within a column are 32-bit integers.
const BYTES_MAX: usize = i32::MAX as usize;

/// The records that [`fetch`] brings at a time, and how much of each: together they fit the first cache.
const FETCHED: usize = 16;
const FETCHED_BYTES: usize = 1_024;
/// Most processors' cache line.
const LINE_BYTES: usize = 64;

/// A record as the log holds it.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The log partition.
    pub partition: u32,
    /// The record's offset in the partition.
    pub offset: u64,
    /// When the log stored the record, in milliseconds since 1970 UTC.
    pub appended_at_ms: i64,
    /// The record's bytes.
    pub value: Bytes,
}

/// Why records were not decoded. A failed call decodes none of its records.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The record's schema is unknown to this program: a newer version wrote it. The caller must stop: a row made
    /// without the schema would lose the post.
    #[error(
        "record {partition}:{offset} was made by a newer fedilake: this one does not know its schema {fingerprint:016x}\n\
         hint: use that version or a later one; nothing is wrong with the record"
    )]
    UnknownSchema {
        /// The schema's Rabin fingerprint.
        fingerprint: u64,
        /// The record's partition.
        partition: u32,
        /// The record's offset.
        offset: u64,
    },
    /// The records are 2 GiB or more; decode fewer at a time.
    #[error("{bytes} bytes of records are too many for one batch")]
    TooMany {
        /// Bytes of all the records.
        bytes: usize,
    },
    /// Arrow refused a batch of good records: a defect of this program.
    #[error("decode records: {0}")]
    Arrow(#[from] ArrowError),
}

/// The values by which rows are sorted, read from the front of a record without decoding the rest. A malformed record
/// may still have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKeys<'a> {
    /// The column `server`; `None` where it is null or cannot be read.
    pub server: Option<&'a str>,
    /// The column `language`; `None` if it is null or cannot be read.
    pub language: Option<&'a str>,
    /// Microseconds since 1970 UTC: created_at, else observed_at, else appended_at.
    pub time_us: i64,
}

/// Decodes records of the current schema, of every earlier one, and of learned ones (see [`Schemas::learn`]) into rows
/// of [`schema::TABLE`].
#[derive(Debug)]
pub struct Decoder {
    record_schemas: Vec<Arc<RecordSchema>>,
    /// What may be learned of schemas that this decoder does not have.
    schemas: Schemas,
    table: SchemaRef,
    /// All columns of the table, in its order.
    columns: Vec<Column>,
    own: Own,
}

/// The positions of the columns that the decoder itself fills.
#[derive(Debug)]
pub(super) struct Own {
    kind: usize,
    appended_at: usize,
    log_partition: usize,
    log_offset: usize,
    rejected_reason: usize,
    rejected_bytes: usize,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}

impl Decoder {
    /// Makes a decoder of the schemas of released versions. Keep it: making one parses each of them.
    pub fn new() -> Decoder {
        Decoder::of(Schemas::default())
    }

    pub(super) fn of(schemas: Schemas) -> Decoder {
        Decoder { schemas, ..Decoder::with(schema::TABLE.clone(), KNOWN_SCHEMAS) }
    }

    /// Makes a decoder for rows of `table` from records of the schemas `known`, whose fields are columns of the
    /// table.
    pub(super) fn with(table: SchemaRef, known: &[&str]) -> Decoder {
        let fields = table.fields().iter();
        let columns: Option<Vec<Column>> = fields.map(|field| Column::new(field.data_type())).collect();
        let columns = columns.expect("columns are of types that records have");
        let own = Own::new(&table);
        let record_schema = |schema: &&str| {
            let fields = shape::fields(schema).expect("a known schema has the types of our columns");
            let fingerprint = header::fingerprint(schema).expect("a known schema has a fingerprint");
            let record_schema = RecordSchema::new(fingerprint, fields, &table, &columns, &own.added());
            Arc::new(record_schema.expect("no column was ever removed or retyped"))
        };
        let record_schemas = known.iter().map(record_schema).collect();
        Decoder { record_schemas, schemas: Schemas::default(), table, columns, own }
    }

    /// Decodes `records` into rows with [`schema::TABLE`], in the given order.
    ///
    /// A record without a header, or whose body is not exactly one record of its schema, becomes a row with `kind`
    /// "rejected", `rejected_reason` "no_header" or "malformed", and `rejected_bytes`.
    pub fn decode<'a, I>(&mut self, records: I) -> Result<RecordBatch, DecodeError>
    where
        I: IntoIterator<Item = &'a Encoded, IntoIter: Clone>,
    {
        let records = records.into_iter();
        match self.decode_with(records.clone(), Texts::AtLast) {
            // Some record is bad. Decoding again, with a check of each text, finds which one.
            Err(DecodeError::Arrow(_)) => self.decode_with(records, Texts::Each),
            decoded => decoded,
        }
    }

    fn decode_with<'a>(
        &mut self,
        records: impl Iterator<Item = &'a Encoded> + Clone,
        texts: Texts,
    ) -> Result<RecordBatch, DecodeError> {
        self.columns.iter_mut().for_each(|column| column.truncate(0));
        let mut bytes = 0;
        let mut next = records.clone();
        for (at, record) in records.enumerate() {
            if at % FETCHED == 0 {
                fetch(next.by_ref().take(FETCHED));
            }
            bytes += record.value.len();
            if bytes >= BYTES_MAX {
                return Err(DecodeError::TooMany { bytes });
            }
            self.append(record, texts)?;
        }
        let columns = self.columns.iter_mut().map(Column::finish).collect::<Result<_, _>>()?;
        Ok(RecordBatch::try_new(self.table.clone(), columns)?)
    }

    /// The values by which the row of `record` is sorted. The error is [`DecodeError::UnknownSchema`].
    pub fn sort_keys<'a>(&self, record: &'a Encoded) -> Result<SortKeys<'a>, DecodeError> {
        let claims = match header::split(&record.value) {
            Some((fingerprint, body)) => match self.record_schema(fingerprint) {
                Some(record_schema) => record_schema.claims(body),
                None => match self.learned(fingerprint, record) {
                    Err(_) if self.schemas.rejects_unknown() => None,
                    learned => learned?.claims(body),
                },
            },
            None => None,
        };
        let Claims { server, language, created_at_us, observed_at_us } = claims.unwrap_or_default();
        let time_us = created_at_us.or(observed_at_us).unwrap_or_else(|| appended_at_us(record));
        Ok(SortKeys { server, language, time_us })
    }

    /// Grows every column by a row.
    fn append(&mut self, record: &Encoded, texts: Texts) -> Result<(), DecodeError> {
        let rows = self.columns[self.own.log_offset].len();
        let rejected = match header::split(&record.value) {
            None => Some("no_header"),
            Some((fingerprint, body)) => {
                if self.record_schema(fingerprint).is_none() {
                    match self.learned(fingerprint, record) {
                        Err(_) if self.schemas.rejects_unknown() => {}
                        learned => self.record_schemas.push(learned?),
                    }
                }
                let mut record_schemas = self.record_schemas.iter();
                match record_schemas.find(|record_schema| record_schema.fingerprint == fingerprint) {
                    Some(record_schema) => {
                        (!record_schema.append(body, &mut self.columns, texts)).then_some("malformed")
                    }
                    None => Some("unknown_schema"),
                }
            }
        };
        if let Some(reason) = rejected {
            self.reject(rows, reason, record);
        } else {
            self.columns[self.own.rejected_reason].push_null();
            self.columns[self.own.rejected_bytes].push_null();
        }
        let Decoder { columns, own, .. } = self;
        columns[own.appended_at].push_long(appended_at_us(record));
        columns[own.log_partition]
            .push_int(i32::try_from(record.partition).expect("a partition's number is below 2^31"));
        columns[own.log_offset].push_long(i64::try_from(record.offset).expect("an offset is below 2^63"));
        Ok(())
    }

    /// True if `body` is that of a record of a schema that the program knows or has learned, or begins as that of a newer
    /// one: its first field is a kind.
    pub fn is_body(&mut self, body: &[u8]) -> bool {
        // Avro's length of a text is twice the number of its bytes.
        let begins_with = |kind: &str| {
            body.split_first().is_some_and(|(length, rest)| {
                usize::from(*length) == 2 * kind.len() && rest.starts_with(kind.as_bytes())
            })
        };
        if PostEvent::KINDS.into_iter().any(begins_with) {
            return true;
        }
        for learned in self.schemas.learned() {
            if self.record_schema(learned.fingerprint).is_none() {
                self.record_schemas.push(learned);
            }
        }
        let Decoder { record_schemas, columns, .. } = self;
        record_schemas.iter().any(|record_schema| {
            columns.iter_mut().for_each(|column| column.truncate(0));
            record_schema.append(body, columns, Texts::Each)
        })
    }

    fn record_schema(&self, fingerprint: u64) -> Option<&RecordSchema> {
        self.record_schemas
            .iter()
            .find(|record_schema| record_schema.fingerprint == fingerprint)
            .map(|record_schema| &**record_schema)
    }

    /// A schema that was learned after this decoder was made.
    fn learned(&self, fingerprint: u64, record: &Encoded) -> Result<Arc<RecordSchema>, DecodeError> {
        let Encoded { partition, offset, .. } = *record;
        self.schemas.find(fingerprint).ok_or(DecodeError::UnknownSchema { fingerprint, partition, offset })
    }

    /// Cuts the columns back to `rows` rows and appends a row that says why `record` cannot be read.
    fn reject(&mut self, rows: usize, reason: &str, record: &Encoded) {
        let own = &self.own;
        for (place, column) in self.columns.iter_mut().enumerate() {
            column.truncate(rows);
            if place == own.kind {
                column.push_bytes(b"rejected");
            } else if place == own.rejected_reason {
                column.push_bytes(reason.as_bytes());
            } else if place == own.rejected_bytes {
                column.push_bytes(&record.value);
            } else if !own.of_log().contains(&place) {
                column.push_null();
            }
        }
    }
}

/// Looks at every cache line of the records. Sorted records lie anywhere in memory, and the processor waits once for
/// many lines that it is asked for together.
fn fetch<'a>(records: impl Iterator<Item = &'a Encoded>) {
    let lines = records.flat_map(|record| record.value.iter().take(FETCHED_BYTES).step_by(LINE_BYTES));
    std::hint::black_box(lines.fold(0, |sum, byte| sum ^ byte));
}

fn appended_at_us(record: &Encoded) -> i64 {
    record.appended_at_ms.saturating_mul(1_000).clamp(*schema::TIMES.start(), *schema::TIMES.end())
}

impl Own {
    pub(super) fn new(table: &SchemaRef) -> Own {
        let place = |name: &str| table.index_of(name).expect("a column of the table");
        Own {
            kind: place("kind"),
            appended_at: place("appended_at"),
            log_partition: place("log_partition"),
            log_offset: place("log_offset"),
            rejected_reason: place("rejected_reason"),
            rejected_bytes: place("rejected_bytes"),
        }
    }

    /// The columns with the record's partition, offset and time in the log.
    fn of_log(&self) -> [usize; 3] {
        [self.appended_at, self.log_partition, self.log_offset]
    }

    /// All columns that no record contains.
    pub(super) fn added(&self) -> [usize; 5] {
        [self.appended_at, self.log_partition, self.log_offset, self.rejected_reason, self.rejected_bytes]
    }
}
