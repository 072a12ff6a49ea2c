//! Records → rows.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array,
};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_avro::codec::Tz;
use arrow_avro::reader::{DecoderMode, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, SchemaStore};
use bytes::Bytes;

use super::shape::Shape;
use super::{KNOWN_SCHEMAS, header};
use crate::schema;

/// Arrow's offsets within a column are 32-bit.
const BYTES_MAX: usize = i32::MAX as usize;

/// A record as the log holds it.
#[derive(Clone, Debug)]
pub struct Encoded {
    /// The log partition.
    pub partition: u32,
    /// The record's offset there.
    pub offset: u64,
    /// When the log took it, milliseconds since 1970 UTC.
    pub appended_at_ms: i64,
    /// The record's bytes.
    pub value: Bytes,
}

/// Why records were not decoded. Nothing of the call was.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A record's schema is none that this program knows, likely a newer version's. Stop: a row made without it would
    /// lose the post.
    #[error("record {partition}:{offset} has the unknown schema {fingerprint:016x}, likely of a newer fedilake")]
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
    /// Good records did not become a batch: a defect of this program. The decoder is of no more use.
    #[error("decode records: {0}")]
    Arrow(#[from] ArrowError),
}

/// Reads records of the current and of every earlier schema into rows of [`schema::TABLE`].
#[derive(Debug)]
pub struct Decoder {
    writers: Vec<Writer>,
    /// The place of the current schema in `writers`.
    current: usize,
    table: SchemaRef,
    /// The body that stands in for one that cannot be read, so that rows keep their order.
    rejected_body: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}

impl Decoder {
    /// A decoder; worth keeping, as it parses every known schema.
    pub fn new() -> Decoder {
        Decoder::with(schema::TABLE.clone(), schema::AVRO, KNOWN_SCHEMAS)
    }

    /// Rows of `table`, whose record part is `avro`, from records of any of `known`, which include `avro`.
    pub(super) fn with(table: SchemaRef, avro: &str, known: &[&str]) -> Decoder {
        let writers: Vec<Writer> = known.iter().map(|writer| Writer::new(writer, avro)).collect();
        let fingerprint = header::fingerprint(avro);
        let current = writers.iter().position(|writer| writer.fingerprint == fingerprint);
        let current = current.expect("the current schema is a known one");
        let nulls = writers[current].decoder.schema().fields().len() - 1;
        // `kind` is the first field; each other one is a union whose branch 0 is null.
        let rejected_body = [&[16], b"rejected".as_slice(), &vec![0; nulls]].concat();
        Decoder { writers, current, table, rejected_body }
    }

    /// The rows of `records`, in order, with [`schema::TABLE`].
    ///
    /// A record without a header, or whose body is not exactly one record of its schema, becomes a row with `kind`
    /// "rejected", `rejected_reason` "no_header" or "malformed", and `rejected_bytes`.
    pub fn decode(&mut self, records: &[Encoded]) -> Result<RecordBatch, DecodeError> {
        let bytes = records.iter().map(|record| record.value.len()).sum();
        if bytes >= BYTES_MAX {
            return Err(DecodeError::TooMany { bytes });
        }
        let bodies = records.iter().map(|record| self.body(record)).collect::<Result<Vec<_>, _>>()?;
        let decoded = self.decode_bodies(&bodies)?;
        Ok(self.rows(records, &bodies, &decoded)?)
    }

    fn body<'a>(&self, record: &'a Encoded) -> Result<Body<'a>, DecodeError> {
        let Some((fingerprint, bytes)) = header::split(&record.value) else {
            return Ok(Body::Rejected { reason: "no_header" });
        };
        let Encoded { partition, offset, .. } = *record;
        let writer = self.writers.iter().position(|writer| writer.fingerprint == fingerprint);
        let writer = writer.ok_or(DecodeError::UnknownSchema { fingerprint, partition, offset })?;
        if !self.writers[writer].shape.fits(bytes) {
            return Ok(Body::Rejected { reason: "malformed" });
        }
        Ok(Body::Of { writer, bytes })
    }

    /// A row for each body, in order.
    fn decode_bodies(&mut self, bodies: &[Body<'_>]) -> Result<RecordBatch, ArrowError> {
        let Decoder { writers, current, rejected_body, .. } = self;
        let (mut batches, mut places) = (Vec::new(), vec![0; bodies.len()]);
        let mut next_place = 0;
        for (at, writer) in writers.iter_mut().enumerate() {
            let mut own: Vec<&[u8]> = Vec::new();
            for (place, body) in places.iter_mut().zip(bodies) {
                let bytes = match body {
                    Body::Of { writer, bytes } if *writer == at => bytes,
                    Body::Rejected { .. } if *current == at => rejected_body.as_slice(),
                    _ => continue,
                };
                own.push(bytes);
                *place = next_place;
                next_place += 1;
            }
            if !own.is_empty() {
                batches.push(writer.decode(own)?);
            }
        }
        match batches.len() {
            0 => Ok(RecordBatch::new_empty(writers[*current].decoder.schema())),
            1 => Ok(batches.remove(0)),
            _ => {
                let mixed = concat_batches(&batches[0].schema(), &batches)?;
                take_record_batch(&mixed, &UInt64Array::from(places))
            }
        }
    }

    /// The decoded columns and those that the log adds.
    fn rows(&self, records: &[Encoded], bodies: &[Body<'_>], decoded: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.table.fields().iter().map(|field| -> Result<ArrayRef, ArrowError> {
            Ok(match field.name().as_str() {
                "appended_at" => {
                    let millis = records.iter().map(|record| record.appended_at_ms);
                    Arc::new(TimestampMillisecondArray::from_iter_values(millis).with_timezone("UTC"))
                }
                "log_partition" => Arc::new(Int32Array::from_iter_values(
                    records
                        .iter()
                        .map(|record| i32::try_from(record.partition).expect("a partition's number is below 2^31")),
                )),
                "log_offset" => Arc::new(Int64Array::from_iter_values(
                    records.iter().map(|record| i64::try_from(record.offset).expect("an offset is below 2^63")),
                )),
                "rejected_reason" => Arc::new(bodies.iter().map(Body::rejected).collect::<StringArray>()),
                "rejected_bytes" => {
                    let records = records.iter().zip(bodies);
                    let bytes = records.map(|(record, body)| body.rejected().map(|_| record.value.as_ref()));
                    Arc::new(bytes.collect::<BinaryArray>())
                }
                name => decoded
                    .column_by_name(name)
                    .ok_or_else(|| ArrowError::SchemaError(format!("no column {name} in the record")))?
                    .clone(),
            })
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(self.table.clone(), columns)
    }
}

/// A record without its header.
enum Body<'a> {
    Of { writer: usize, bytes: &'a [u8] },
    Rejected { reason: &'static str },
}

impl Body<'_> {
    fn rejected(&self) -> Option<&'static str> {
        match self {
            Body::Of { .. } => None,
            Body::Rejected { reason } => Some(reason),
        }
    }
}

/// A known schema and the decoder of its records into the current one.
#[derive(Debug)]
struct Writer {
    fingerprint: u64,
    shape: Shape,
    decoder: arrow_avro::reader::Decoder,
}

impl Writer {
    fn new(schema: &str, reader: &str) -> Writer {
        let fingerprint = header::fingerprint(schema);
        let shape = Shape::of(schema).expect("a known schema has the types of our columns");
        let decoder = decoder(fingerprint, schema, reader).expect("every known schema resolves to the current one");
        Writer { fingerprint, shape, decoder }
    }

    /// A row for each of `bodies`, which all fit the shape.
    fn decode<'a>(&mut self, bodies: impl IntoIterator<Item = &'a [u8]>) -> Result<RecordBatch, ArrowError> {
        for body in bodies {
            self.decoder.decode(body)?;
        }
        Ok(self.decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(self.decoder.schema())))
    }
}

fn decoder(fingerprint: u64, schema: &str, reader: &str) -> Result<arrow_avro::reader::Decoder, ArrowError> {
    let mut store = SchemaStore::new();
    store.register(AvroSchema::new(schema.to_owned()))?;
    ReaderBuilder::new()
        .with_writer_schema_store(store)
        .with_active_fingerprint(Fingerprint::Rabin(fingerprint))
        .with_reader_schema(AvroSchema::new(reader.to_owned()))
        .with_decoder_mode(DecoderMode::UnframedDatum)
        .with_tz(Tz::Utc)
        .with_batch_size(usize::MAX)
        .build_decoder()
}
