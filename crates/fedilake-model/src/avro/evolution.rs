//! Tests of a growing schema: this version reads records of others, and the next version reads records of this one.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use arrow_avro::schema::{FingerprintStrategy, SCHEMA_METADATA_KEY};
use arrow_avro::writer::{WriterBuilder, format::AvroSoeFormat};
use bytes::Bytes;

use super::decode::{DecodeError, Decoder, Encoded};
use super::{KNOWN_SCHEMAS, SchemaError, Schemas, encode, header};
use crate::schema::{self, COLUMNS, Column, ColumnSource, generated};
use crate::{Frame, FrameKind, PostEvent, Server, rows};

/// The columns and schemas that a program of one version knows.
struct Version {
    avro: String,
    record: SchemaRef,
    table: SchemaRef,
}

impl Version {
    fn of(columns: &[Column]) -> Version {
        let schema = |keep: &dyn Fn(&Column) -> bool| -> SchemaRef {
            Arc::new(Schema::new(columns.iter().filter(|c| keep(c)).map(|c| c.field.clone()).collect::<Vec<_>>()))
        };
        Version {
            avro: generated::avro(columns.iter()),
            record: schema(&|column| column.source == ColumnSource::Record),
            table: schema(&|_| true),
        }
    }

    fn current() -> Version {
        Version::of(&columns())
    }

    /// Version 1: times in milliseconds, and none of the columns that came later.
    fn first() -> Version {
        let mut columns = columns();
        columns.retain(|column| column.source == ColumnSource::Log || column.id < 39);
        for column in &mut columns {
            if *column.field.data_type() == schema::timestamp() {
                let millis = DataType::Timestamp(TimeUnit::Millisecond, Some(Arc::from("UTC")));
                column.field = column.field.clone().with_data_type(millis);
            }
        }
        Version { avro: KNOWN_SCHEMAS[0].to_owned(), ..Version::of(&columns) }
    }

    /// A later version with one more column.
    fn next() -> Version {
        let mut columns = columns();
        let field = Field::new("reactions", DataType::Int32, true);
        columns.push(Column { id: 43, field, source: ColumnSource::Record, meaning: "added in the test" });
        Version::of(&columns)
    }

    /// An earlier version without the columns about replies.
    fn previous() -> Version {
        let mut columns = columns();
        columns.retain(|column| column.field.name() != "replies");
        Version::of(&columns)
    }

    /// Encodes `rows` as this version writes them; a column that `rows` lacks is null.
    fn write(&self, rows: &RecordBatch) -> Vec<Bytes> {
        let columns = self.record.fields().iter().map(|field| match rows.column_by_name(field.name()) {
            Some(column) => column.clone(),
            None => arrow::array::new_null_array(field.data_type(), rows.num_rows()),
        });
        let rows = RecordBatch::try_new(self.record.clone(), columns.collect()).unwrap();
        let mut writer = writer(&self.record, &self.avro);
        writer.encode(&rows).unwrap();
        writer.flush().iter().collect()
    }

    fn decoder(&self, known: &[&Version]) -> Decoder {
        let known: Vec<&str> = known.iter().map(|version| version.avro.as_str()).collect();
        Decoder::with(self.table.clone(), &known)
    }
}

/// Arrow's Avro encoder for rows of `schema`; `avro` was generated from it.
pub(super) fn writer(schema: &SchemaRef, avro: &str) -> arrow_avro::writer::Encoder {
    let metadata = HashMap::from([(SCHEMA_METADATA_KEY.to_owned(), avro.to_owned())]);
    WriterBuilder::new(Schema::new_with_metadata(schema.fields().clone(), metadata))
        .with_fingerprint_strategy(FingerprintStrategy::Rabin)
        .build_encoder::<AvroSoeFormat>()
        .unwrap()
}

fn columns() -> Vec<Column> {
    let copy = |c: &Column| Column { id: c.id, field: c.field.clone(), source: c.source, meaning: c.meaning };
    COLUMNS.iter().map(copy).collect()
}

fn events() -> Vec<PostEvent> {
    let json = |n: usize| {
        format!(
            r#"{{"id":"{n}","uri":"https://a.example/{n}","account":{{"acct":"ann"}},"content":"<p>number {n}</p>",
            "replies_count":{n},"tags":[{{"name":"t{n}"}}],"created_at":"2023-02-03T04:05:06.789Z"}}"#
        )
    };
    let translate = |n: usize| {
        let frame = Frame { kind: FrameKind::Update, data: json(n).into() };
        PostEvent::from_api(&frame, &Server::new("a.example"), chrono::DateTime::UNIX_EPOCH).unwrap()
    };
    (0..5).map(translate).collect()
}

fn encoded(values: impl IntoIterator<Item = Bytes>) -> Vec<Encoded> {
    let records = values.into_iter().enumerate();
    records.map(|(n, value)| Encoded { partition: 0, offset: n as u64, appended_at_ms: 0, value }).collect()
}

fn assert_columns_equal(a: &RecordBatch, b: &RecordBatch, except: &str) {
    for field in schema::RECORD.fields().iter().filter(|field| field.name() != except) {
        assert_eq!(a.column_by_name(field.name()), b.column_by_name(field.name()), "{}", field.name());
    }
}

#[test]
fn the_current_schema_is_the_last_of_the_known_ones() {
    let fingerprints: Vec<u64> = KNOWN_SCHEMAS.iter().map(|schema| header::fingerprint(schema).unwrap()).collect();
    let current = header::fingerprint(schema::AVRO).unwrap();
    assert_eq!(
        fingerprints.last(),
        Some(&current),
        "the record's columns changed: copy post_event.avsc to schemas/post_event.{}.avsc and append it to KNOWN_SCHEMAS",
        KNOWN_SCHEMAS.len() + 1
    );
    let mut distinct = fingerprints.clone();
    distinct.dedup();
    assert_eq!(distinct, fingerprints);
}

#[test]
fn an_added_nullable_column_is_null_in_old_records() {
    let (current, next) = (Version::current(), Version::next());
    let expected = rows::from_events(&events()).unwrap();
    let rows = next.decoder(&[&current, &next]).decode(&encoded(encode(&events()))).unwrap();
    assert_eq!(rows.schema(), next.table);
    assert_columns_equal(&rows, &expected, "");
    assert_eq!(rows.column_by_name("reactions").unwrap().null_count(), 5);
}

#[test]
fn a_record_of_a_schema_with_fewer_columns_is_read_by_todays() {
    let (previous, current) = (Version::previous(), Version::current());
    let expected = rows::from_events(&events()).unwrap();
    let rows = current.decoder(&[&previous, &current]).decode(&encoded(previous.write(&expected))).unwrap();
    assert_eq!(rows.schema(), *schema::TABLE);
    assert_columns_equal(&rows, &expected, "replies");
    assert_eq!(rows.column_by_name("replies").unwrap().null_count(), 5);
}

#[test]
fn records_of_several_schemas_and_bad_ones_keep_their_order() {
    let (previous, current, next) = (Version::previous(), Version::current(), Version::next());
    let expected = rows::from_events(&events()).unwrap();
    let written = [previous.write(&expected), current.write(&expected), next.write(&expected)];
    let mut values: Vec<Bytes> = (0..5).map(|n| written[(n * 2) % 3][n].clone()).collect();
    values.insert(3, Bytes::from_static(b"bad"));
    values.insert(1, written[0][0].slice(..20));
    let rows = next.decoder(&[&previous, &current, &next]).decode(&encoded(values)).unwrap();
    let reasons = rows.column_by_name("rejected_reason").unwrap();
    let good: Vec<u64> = (0..7).filter(|n| reasons.is_null(*n as usize)).collect();
    assert_eq!(good, [0, 2, 3, 5, 6]);
    let good = arrow::compute::take_record_batch(&rows, &arrow::array::UInt64Array::from(good)).unwrap();
    assert_columns_equal(&good, &expected, "replies");
}

#[test]
fn times_of_the_first_version_become_microseconds_and_those_that_no_engine_shows_null() {
    let (first, current) = (Version::first(), Version::current());
    let (year_1, year_10_000) = (-62_135_596_800_000, 253_402_300_800_000);
    let cases = [
        (0, Some(0)),
        (1_675_397_106_789, Some(1_675_397_106_789_000)),
        (-1, Some(-1_000)),
        (year_1, Some(year_1 * 1_000)),
        (year_1 - 1, None),
        (year_10_000 - 1, Some(year_10_000 * 1_000 - 1_000)),
        (year_10_000, None),
        (i64::MAX, None),
        (i64::MIN, None),
        (i64::MAX / 1_000 + 1, None),
    ];
    let expected = rows::from_events(&events()[..1]).unwrap();
    for (millis, micros) in cases {
        let columns = first.record.fields().iter().map(|field| match field.data_type() {
            DataType::Timestamp(..) => {
                Arc::new(TimestampMillisecondArray::from(vec![millis]).with_timezone("UTC")) as ArrayRef
            }
            _ => expected.column_by_name(field.name()).unwrap().clone(),
        });
        let rows = RecordBatch::try_new(first.record.clone(), columns.collect()).unwrap();
        let mut decoder = current.decoder(&[&first, &current]);
        let records = encoded(first.write(&rows));
        let read = decoder.decode(&records).unwrap();
        for name in ["created_at", "edited_at", "observed_at", "author_created_at"] {
            let times = read.column_by_name(name).unwrap().as_primitive::<TimestampMicrosecondType>();
            assert_eq!(times.iter().next().unwrap(), micros, "{name} {millis}");
        }
        assert_columns_equal_but_times(&read, &expected);
        // A record without a time is sorted by when it was appended.
        assert_eq!(decoder.sort_keys(&records[0]).unwrap().time_us, micros.unwrap_or(0));
    }
}

fn assert_columns_equal_but_times(read: &RecordBatch, expected: &RecordBatch) {
    for column in COLUMNS.iter().filter(|column| column.source == ColumnSource::Record && column.id < 39) {
        if *column.field.data_type() != schema::timestamp() {
            let name = column.field.name();
            assert_eq!(read.column_by_name(name), expected.column_by_name(name), "{name}");
        }
    }
}

#[test]
fn a_record_of_a_later_schema_stops_todays_program() {
    let records = Version::next().write(&rows::from_events(&events()).unwrap());
    let error = Decoder::new().decode(&encoded(records)).unwrap_err();
    assert!(matches!(error, DecodeError::UnknownSchema { offset: 0, .. }), "{error}");
}

#[test]
fn a_learned_schema_is_read_by_decoders_that_are_there_already() {
    let mut version = columns();
    version.retain(|column| !["replies", "text"].contains(&column.field.name().as_str()));
    version.reverse();
    let other = Version::of(&version);
    let expected = rows::from_events(&events()).unwrap();
    let records = encoded(other.write(&expected));
    let schemas = Schemas::default();
    let mut decoder = schemas.decoder();
    assert!(decoder.sort_keys(&records[0]).is_err());
    assert!(decoder.decode(&records).is_err());

    let header = schemas.learn(&other.avro).unwrap();
    assert!(records.iter().all(|record| record.value.starts_with(&header)));
    assert_eq!(decoder.sort_keys(&records[0]).unwrap().server, Some("a.example"));
    let rows = decoder.decode(&records).unwrap();
    assert_eq!(rows.column_by_name("replies").unwrap().null_count(), 5);
    assert_eq!(rows.column_by_name("text").unwrap().null_count(), 5);
    for name in ["kind", "uri", "created_at", "tags"] {
        assert_eq!(rows.column_by_name(name), expected.column_by_name(name), "{name}");
    }
}

#[test]
fn a_later_schema_is_not_learned() {
    let error = Schemas::default().learn(&Version::next().avro).unwrap_err();
    assert_eq!(error, SchemaError::UnknownField { field: "reactions".into() });
}
