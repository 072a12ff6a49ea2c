//! Post events → records.

use std::collections::HashMap;

use arrow::datatypes::{Schema, SchemaRef};
use arrow_avro::schema::{FingerprintStrategy, SCHEMA_METADATA_KEY};
use arrow_avro::writer::{WriterBuilder, format::AvroSoeFormat};
use bytes::Bytes;

use crate::{PostEvent, rows, schema};

/// Events encoded at a time: few enough for their columns to stay in the processor's cache between the two steps.
const CHUNK: usize = 512;

/// Encodes post events as records of the current schema.
#[derive(Debug)]
pub struct Encoder {
    rows: arrow_avro::writer::Encoder,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder::new()
    }
}

impl Encoder {
    /// Makes an encoder. Keep it: making one parses the schema.
    pub fn new() -> Encoder {
        Encoder { rows: writer(&schema::RECORD, schema::AVRO) }
    }

    /// Encodes each event as one record, in order. The records of one call share memory.
    pub fn encode(&mut self, events: &[PostEvent]) -> Vec<Bytes> {
        let mut records = Vec::with_capacity(events.len());
        for chunk in events.chunks(CHUNK) {
            self.encode_chunk(chunk, &mut records);
        }
        records
    }

    fn encode_chunk(&mut self, events: &[PostEvent], records: &mut Vec<Bytes>) {
        // A column holds at most 2 GiB: halve a chunk of giant posts until it fits.
        match rows::from_events(events) {
            Ok(batch) => {
                self.rows.encode(&batch).expect("the batch has the encoder's schema");
                records.extend(self.rows.flush().iter());
            }
            Err(error) => {
                assert!(events.len() > 1, "an event of more than 2 GiB: {error}");
                let (left, right) = events.split_at(events.len() / 2);
                self.encode_chunk(left, records);
                self.encode_chunk(right, records);
            }
        }
    }
}

/// Makes an Avro encoder for rows of `schema`; `avro` was generated from it.
pub(super) fn writer(schema: &SchemaRef, avro: &str) -> arrow_avro::writer::Encoder {
    let metadata = HashMap::from([(SCHEMA_METADATA_KEY.to_owned(), avro.to_owned())]);
    WriterBuilder::new(Schema::new_with_metadata(schema.fields().clone(), metadata))
        .with_fingerprint_strategy(FingerprintStrategy::Rabin)
        .build_encoder::<AvroSoeFormat>()
        .expect("the Avro schema is generated from the Arrow schema")
}
