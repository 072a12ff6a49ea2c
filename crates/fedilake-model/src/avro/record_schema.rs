//! A schema that records were written with, and the table's column for each of its fields.

use arrow::datatypes::Schema;

use super::body::{take_branch, take_bytes, take_long};
use super::column::{Column, Texts};
use super::schemas::SchemaError;
use super::shape::{Field, FieldType, Unit};

#[derive(Debug)]
pub(super) struct RecordSchema {
    pub(super) fingerprint: u64,
    /// The column and type of each field, in the record's order.
    pub(super) fields: Vec<(usize, FieldType)>,
    /// The table's columns that the schema lacks.
    unknown: Vec<usize>,
    /// The fields that [`RecordSchema::claims`] reads, up to the last one that it needs.
    claims: Vec<Claim>,
}

/// The column by which rows are sorted that a field holds, if any.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Claim {
    Server,
    Language,
    CreatedAt(Unit),
    ObservedAt(Unit),
    Nothing,
}

/// The values of a record by which rows are sorted; `None` if null or missing.
#[derive(Default)]
pub(super) struct Claims<'a> {
    pub(super) server: Option<&'a str>,
    pub(super) language: Option<&'a str>,
    pub(super) created_at_us: Option<i64>,
    pub(super) observed_at_us: Option<i64>,
}

impl RecordSchema {
    /// A schema with this fingerprint and these fields, which are columns of `table`. The columns
    /// `added` are filled by the decoder.
    pub(super) fn new(
        fingerprint: u64,
        shape: Vec<Field>,
        table: &Schema,
        columns: &[Column],
        added: &[usize],
    ) -> Result<RecordSchema, SchemaError> {
        let mut claims: Vec<Claim> = shape.iter().map(Claim::of).collect();
        let looked_at = claims.iter().rposition(|claim| *claim != Claim::Nothing).map_or(0, |last| last + 1);
        claims.truncate(looked_at);
        let mut fields: Vec<(usize, FieldType)> = Vec::with_capacity(shape.len());
        for Field { name: field, kind } in shape {
            let column = match table.index_of(&field) {
                Ok(column) if !added.contains(&column) => column,
                _ => return Err(SchemaError::UnknownField { field }),
            };
            if fields.iter().any(|(taken, _)| *taken == column) {
                return Err(SchemaError::Twice { field });
            }
            let is_null_out_of_place = matches!(kind, FieldType::Nullable(_)) && !table.field(column).is_nullable();
            if is_null_out_of_place || !columns[column].holds(&kind) {
                let wanted = table.field(column).data_type().to_string();
                return Err(SchemaError::OtherType { field, is: format!("{kind:?}"), wanted });
            }
            fields.push((column, kind));
        }
        let is_known = |place: &usize| added.contains(place) || fields.iter().any(|(column, _)| column == place);
        let unknown: Vec<usize> = (0..columns.len()).filter(|place| !is_known(place)).collect();
        match unknown.iter().find(|&&column| !table.field(column).is_nullable()) {
            Some(&column) => Err(SchemaError::Missing { field: table.field(column).name().clone() }),
            None => Ok(RecordSchema { fingerprint, fields, unknown, claims }),
        }
    }

    /// Appends a record to the columns. False if `body` is not exactly one record; the columns may then hold a part
    /// of it.
    pub(super) fn append(&self, mut body: &[u8], columns: &mut [Column], texts: Texts) -> bool {
        for (column, kind) in &self.fields {
            if columns[*column].take(kind, &mut body, texts).is_none() {
                return false;
            }
        }
        for &column in &self.unknown {
            columns[column].push_null();
        }
        body.is_empty()
    }

    /// Reads the values by which the record is sorted; `None` if its first fields are malformed.
    pub(super) fn claims<'a>(&self, mut body: &'a [u8]) -> Option<Claims<'a>> {
        let mut claims = Claims::default();
        for ((_, kind), claim) in self.fields.iter().zip(&self.claims) {
            if *claim == Claim::Nothing {
                kind.skip(&mut body)?;
                continue;
            }
            if matches!(kind, FieldType::Nullable(_)) && !take_branch(&mut body)? {
                continue;
            }
            match claim {
                Claim::Server => claims.server = Some(take_text(&mut body)?),
                Claim::Language => claims.language = Some(take_text(&mut body)?),
                Claim::CreatedAt(unit) => claims.created_at_us = unit.micros(take_long(&mut body)?),
                Claim::ObservedAt(unit) => claims.observed_at_us = unit.micros(take_long(&mut body)?),
                Claim::Nothing => {}
            }
        }
        Some(claims)
    }
}

impl Claim {
    fn of(field: &Field) -> Claim {
        match (field.name.as_str(), field.kind.unit()) {
            ("server", _) => Claim::Server,
            ("language", _) => Claim::Language,
            ("created_at", Some(unit)) => Claim::CreatedAt(unit),
            ("observed_at", Some(unit)) => Claim::ObservedAt(unit),
            _ => Claim::Nothing,
        }
    }
}

fn take_text<'a>(body: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(take_bytes(body)?).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::ArrayRef;
    use arrow::datatypes::DataType;

    use super::*;
    use crate::avro::shape;
    use crate::schema;

    const SCHEMA: &str = r#"{"type": "record", "name": "R", "fields": [
        {"name": "text", "type": "string"},
        {"name": "flag", "type": ["null", "boolean"]},
        {"name": "int", "type": "int"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "list", "type": ["null", {"type": "array", "items": ["null", "string"]}]}
    ]}"#;

    fn table() -> Schema {
        let field = |name: &str, kind| arrow::datatypes::Field::new(name, kind, true);
        let list = DataType::List(Arc::new(field("item", DataType::Utf8)));
        Schema::new(vec![
            field("at", schema::timestamp()),
            field("list", list),
            field("added_later", DataType::Boolean),
            field("text", DataType::Utf8),
            field("flag", DataType::Boolean),
            field("int", DataType::Int32),
        ])
    }

    fn columns() -> Vec<Column> {
        table().fields().iter().map(|field| Column::new(field.data_type()).unwrap()).collect()
    }

    fn record_schema() -> RecordSchema {
        RecordSchema::new(0, shape::fields(SCHEMA).unwrap(), &table(), &columns(), &[]).unwrap()
    }

    fn finish(mut columns: Vec<Column>) -> Vec<ArrayRef> {
        columns.iter_mut().map(|column| column.finish().unwrap()).collect()
    }

    const BODIES: &[(&[u8], bool)] = &[
        (&[2, b'a', 0, 0, 0, 0], true),
        (&[0, 2, 1, 1, 1, 2, 2, 0, 0], true),
        (&[0, 2, 1, 1, 1, 2, 3, 4, 0, 0, 0], true),
        (&[0, 2, 1, 1, 1, 2, 2, 2, 2, b'a', 2, 0, 0], true),
        (&[0, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0], true),
        (&[], false),
        (&[2, b'a', 0, 0, 0], false),
        (&[2, b'a', 0, 0, 0, 0, 0], false),
        (&[2, 0xff, 0, 0, 0, 0], false),
        (&[1, 0, 0, 0, 0], false),
        (&[4, b'a', 0, 0, 0], false),
        (&[0, 2, 2, 0, 0, 0], false),
        (&[0, 4, 0, 0, 0], false),
        (&[0, 1, 0, 0, 0], false),
        (&[0, 0, 0x80, 0x80, 0x80, 0x80, 0x10, 0, 0], false),
        (&[0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0], false),
        (&[0, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], false),
        (&[0, 0, 0, 0, 2, 2, 2, 2, 0xff, 0], false),
    ];

    #[test]
    fn a_record_is_taken_and_what_the_specification_forbids_is_not() {
        for (bytes, is_good) in BODIES {
            assert_eq!(record_schema().append(bytes, &mut columns(), Texts::Each), *is_good, "{bytes:?}");
        }
    }

    #[test]
    fn what_was_read_of_a_bad_record_leaves_no_trace_once_cut_off() {
        let (record_schema, mut alone, mut among) = (record_schema(), columns(), columns());
        let mut rows = 0;
        for (bytes, is_good) in BODIES.iter().chain(BODIES) {
            record_schema.append(bytes, &mut among, Texts::Each);
            rows += usize::from(*is_good);
            if *is_good {
                record_schema.append(bytes, &mut alone, Texts::Each);
            }
            among.iter_mut().for_each(|column| column.truncate(rows));
        }
        assert_eq!(finish(among), finish(alone));
    }

    #[test]
    fn a_full_list_reads_back() {
        let mut columns = columns();
        let body = [0, 2, 1, 1, 1, 2, 2, 2, 2, b'a', 2, 0, 0];
        assert!(record_schema().append(&body, &mut columns, Texts::AtLast));
        let list = arrow::util::display::array_value_to_string(&finish(columns)[1], 0).unwrap();
        assert_eq!(list, "[a, ]");
    }
}
