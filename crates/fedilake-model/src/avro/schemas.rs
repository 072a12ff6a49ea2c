//! The schemas that a log's records may have: those of released versions, and those that a registry brings: of other programs,
//! and of later versions if their fields still fit the table.

use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use super::KNOWN_SCHEMAS;
use super::column::Column;
use super::decode::{Decoder, Own};
use super::header::{self, Header};
use super::record_schema::RecordSchema;
use super::shape::{self, Field, ShapeError};
use crate::schema;

/// The schemas of a log's records. Clones share what is learned.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    /// Schemas learned so far; never removed. A fingerprint always names the same schema, so the order of learning does
    /// not matter.
    learned: Arc<RwLock<Vec<Arc<RecordSchema>>>>,
    /// True if a record of an unknown schema is rejected, and no error.
    rejects_unknown: bool,
}

/// Fingerprints and fields of [`KNOWN_SCHEMAS`].
static KNOWN: LazyLock<Vec<(u64, Vec<Field>)>> = LazyLock::new(|| {
    let known =
        KNOWN_SCHEMAS.iter().map(|schema| Some((header::fingerprint(schema).ok()?, shape::fields(schema).ok()?)));
    known.collect::<Option<_>>().expect("known schemas have fingerprints and shapes")
});

/// Why the records of a schema cannot become rows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The text is not an Avro schema of a record.
    #[error("it is not the Avro schema of a record: {why}")]
    NotARecord {
        /// The defect.
        why: String,
    },
    /// The table has no column of the field's name, or fills that column itself. A row without the field would lose a
    /// part of the post.
    #[error("it has the field `{field}`, which the table lacks")]
    UnknownField {
        /// The field's name.
        field: String,
    },
    /// The table's column of the field's name has another type.
    #[error("its field `{field}` has the type {is}, where the table has {wanted}")]
    OtherType {
        /// The field's name.
        field: String,
        /// The field's type, as the schema has it.
        is: String,
        /// The column's type.
        wanted: String,
    },
    /// The schema has two fields of the same name.
    #[error("it has the field `{field}` twice")]
    Twice {
        /// The field's name.
        field: String,
    },
    /// Another known schema has the same fingerprint but other units of time, which a fingerprint leaves out: their
    /// records could not be told apart.
    #[error("it differs in nothing but its units of time from another schema")]
    OtherUnits,
    /// The schema lacks a field that the table needs in each row.
    #[error("it lacks the field `{field}`")]
    Missing {
        /// The column's name.
        field: String,
    },
}

impl Schemas {
    /// The schemas of a log that names every schema of ours by itself, and so tells us of newer ones before their
    /// records: a record whose header names an unknown schema is another program's, and becomes a row with `kind`
    /// "rejected" and `rejected_reason` "unknown_schema". In any other log it is an error ([`DecodeError::UnknownSchema`](super::DecodeError)).
    pub fn named_by_the_log() -> Schemas {
        Schemas { rejects_unknown: true, ..Schemas::default() }
    }

    /// A decoder of the log's records. Keep it: making one parses every known schema.
    pub fn decoder(&self) -> Decoder {
        Decoder::of(self.clone())
    }

    /// Makes a schema known to every decoder of these, existing ones included. Returns the header of its records in single-object
    /// encoding.
    ///
    /// The schema's fields must be columns of the table, each of the column's type, in any order. Docs, defaults and
    /// aliases are ignored. Columns that the schema lacks are null in its rows. Learning a schema again is cheap.
    pub fn learn(&self, schema_json: &str) -> Result<Header, SchemaError> {
        let (fingerprint, record_schema) = record_schema(schema_json)?;
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        match learned.iter().find(|known| known.fingerprint == fingerprint) {
            Some(known) if known.fields != record_schema.fields => return Err(SchemaError::OtherUnits),
            Some(_) => {}
            None => learned.push(Arc::new(record_schema)),
        }
        Ok(header::of(fingerprint))
    }

    /// True if a record with this header can be decoded.
    pub fn is_known(&self, header: &Header) -> bool {
        header::split(header).is_some_and(|(fingerprint, _)| {
            KNOWN.iter().any(|known| known.0 == fingerprint) || self.find(fingerprint).is_some()
        })
    }

    pub(super) fn rejects_unknown(&self) -> bool {
        self.rejects_unknown
    }

    /// Every schema learned so far.
    pub(super) fn learned(&self) -> Vec<Arc<RecordSchema>> {
        self.learned.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The learned schema with this fingerprint.
    pub(super) fn find(&self, fingerprint: u64) -> Option<Arc<RecordSchema>> {
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        learned.iter().find(|record_schema| record_schema.fingerprint == fingerprint).cloned()
    }
}

/// A schema's fingerprint, and how its records become rows of the table.
fn record_schema(schema_json: &str) -> Result<(u64, RecordSchema), SchemaError> {
    let fields = shape::fields(schema_json).map_err(|error| match error {
        ShapeError::NotARecord(why) => SchemaError::NotARecord { why },
        ShapeError::OtherType { field, is } => {
            let wanted = schema::TABLE.field_with_name(&field).ok();
            match wanted.map(arrow::datatypes::Field::data_type) {
                Some(wanted) => SchemaError::OtherType { field, is, wanted: wanted.to_string() },
                None => SchemaError::UnknownField { field },
            }
        }
    })?;
    let own = Own::new(&schema::TABLE);
    let columns: Vec<Column> =
        schema::TABLE.fields().iter().filter_map(|field| Column::new(field.data_type())).collect();
    let fingerprint = header::fingerprint(schema_json).map_err(|why| SchemaError::NotARecord { why })?;
    let is_other = |known: &&(u64, Vec<Field>)| known.0 == fingerprint && known.1 != fields;
    if KNOWN.iter().find(is_other).is_some() {
        return Err(SchemaError::OtherUnits);
    }
    Ok((fingerprint, RecordSchema::new(fingerprint, fields, &schema::TABLE, &columns, &own.added())?))
}

static OWN_HEADER: LazyLock<Header> =
    LazyLock::new(|| header::of(header::fingerprint(schema::AVRO).expect("the committed schema has a fingerprint")));

/// The header of the records that [`super::encode`] makes.
pub fn own_header() -> Header {
    *OWN_HEADER
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema_of(fields: &str) -> String {
        format!(r#"{{"type": "record", "namespace": "fedilake", "name": "PostEvent", "fields": [{fields}]}}"#)
    }

    const KIND: &str = r#"{"name": "kind", "type": "string"}"#;

    #[test]
    fn our_own_schema_can_be_learned_and_is_the_encoders() {
        assert_eq!(Schemas::default().learn(schema::AVRO), Ok(own_header()));
        let spaced: String = schema::AVRO.replace('\n', "\n\n").replace("\"doc\"", "\"aliases\": [\"a\"], \"doc\"");
        assert_eq!(
            Schemas::default().learn(&spaced),
            Ok(own_header()),
            "what is no part of the canonical form is no part of the fingerprint"
        );
    }

    #[test]
    fn a_schema_that_makes_no_rows_is_refused_by_name() {
        for (fields, said) in [
            (
                format!(r#"{KIND}, {{"name": "reactions", "type": "int"}}"#),
                "the field `reactions`, which the table lacks",
            ),
            (format!(r#"{KIND}, {{"name": "price", "type": "double"}}"#), "the field `price`, which the table lacks"),
            (
                format!(r#"{KIND}, {{"name": "log_offset", "type": "long"}}"#),
                "the field `log_offset`, which the table lacks",
            ),
            (
                format!(r#"{KIND}, {{"name": "text", "type": "int"}}"#),
                "`text` has the type Int, where the table has Utf8",
            ),
            (format!(r#"{KIND}, {{"name": "poll", "type": "double"}}"#), "`poll` has the type \"double\""),
            (
                format!(
                    r#"{KIND}, {{"name": "created_at", "type": {{"type": "long", "logicalType": "timestamp-nanos"}}}}"#
                ),
                "`created_at` has the type {",
            ),
            (
                format!(r#"{KIND}, {{"name": "created_at", "type": "long"}}"#),
                "`created_at` has the type Long, where the table has Timestamp",
            ),
            (
                format!(
                    r#"{KIND}, {{"name": "author_followers", "type": {{"type": "long", "logicalType": "timestamp-micros"}}}}"#
                ),
                "`author_followers` has the type Time(Micros), where the table has Int64",
            ),
            (format!("{KIND}, {KIND}"), "the field `kind` twice"),
            (r#"{"name": "kind", "type": ["null", "string"]}"#.into(), "`kind` has the type Nullable(Text)"),
            (r#"{"name": "text", "type": "string"}"#.into(), "it lacks the field `kind`"),
        ] {
            let error = Schemas::default().learn(&schema_of(&fields)).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        for no_record in ["", "7", r#""string""#, r#"{"type": "enum", "name": "E", "symbols": []}"#] {
            assert!(matches!(Schemas::default().learn(no_record), Err(SchemaError::NotARecord { .. })), "{no_record}");
        }
    }

    #[test]
    fn a_schema_that_differs_in_units_of_time_alone_is_refused() {
        let other = |schema: &str| match schema.contains("timestamp-millis") {
            true => schema.replace("timestamp-millis", "timestamp-micros"),
            false => schema.replace("timestamp-micros", "timestamp-millis"),
        };
        let learned_before = schema_of(&format!(
            r#"{KIND}, {{"name": "edited_at", "type": {{"type": "long", "logicalType": "timestamp-millis"}}}}"#
        ));
        let schemas = Schemas::default();
        schemas.learn(&learned_before).unwrap();
        for schema in KNOWN_SCHEMAS.iter().copied().chain([learned_before.as_str()]) {
            assert_eq!(schemas.learn(&other(schema)), Err(SchemaError::OtherUnits), "{schema}");
            assert!(schemas.learn(schema).is_ok(), "{schema}");
        }
    }
}
