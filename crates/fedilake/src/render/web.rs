//! Rows for the web page: the columns, then arrays of JSON values.

use std::io::Read;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field};
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use super::special::{self, Special};
use super::value::{self, Form, Values, is_tuple};

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Column {
    /// The column's name; each name occurs once.
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ColumnType,
}

/// The type of a column's values, each of which may also be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Whole numbers: JSON numbers, or texts beyond 2^53.
    Integer,
    /// Numbers; `NaN`, `Infinity` and `-Infinity` are texts.
    Number,
    Text,
    Boolean,
    /// `YYYY-MM-DD`.
    Date,
    /// RFC 3339; one without a zone has no `Z`.
    Timestamp,
    /// JSON arrays.
    List,
    /// JSON objects: structs, maps and unions.
    Object,
}

/// A part of an answer.
pub enum Part {
    /// The columns, once, before all rows.
    Columns(Vec<Column>),
    /// A JSON array of rows, each an array of values.
    Rows(Vec<u8>),
}

/// Reads an Arrow IPC stream and passes it on, part by part.
pub fn read(ipc: impl Read, mut pass_on: impl FnMut(Part) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let answer = Answer::new(ipc)?;
    let schema = answer.schema();
    let columns = schema.fields().iter().zip(&answer.names);
    pass_on(Part::Columns(columns.map(|(field, name)| Column { name: name.clone(), kind: kind(field) }).collect()))?;
    for batch in answer {
        let batch = batch?;
        if batch.num_rows() > 0 {
            pass_on(Part::Rows(rows(&batch)?))?;
        }
    }
    Ok(())
}

/// A whole answer, small enough to be held: its columns, and its rows as a JSON array.
pub fn read_all(ipc: &[u8]) -> anyhow::Result<(Vec<Column>, Vec<u8>)> {
    let (mut columns, mut all) = (Vec::new(), b"[".to_vec());
    read(ipc, |part| {
        match part {
            Part::Columns(read) => columns = read,
            Part::Rows(rows) => {
                if all.len() > 1 {
                    all.push(b',');
                }
                all.extend_from_slice(&rows[1..rows.len() - 1]);
            }
        }
        Ok(())
    })?;
    all.push(b']');
    Ok((columns, all))
}

fn rows(batch: &RecordBatch) -> anyhow::Result<Vec<u8>> {
    let columns = Values::of(batch)?;
    let mut rows = b"[".to_vec();
    for row in 0..batch.num_rows() {
        rows.extend_from_slice(if row == 0 { b"[" } else { b",[" });
        for (number, values) in columns.iter().enumerate() {
            if number > 0 {
                rows.push(b',');
            }
            values.write(row, Form::Web, &mut rows);
        }
        rows.push(b']');
    }
    rows.push(b']');
    Ok(rows)
}

fn kind(field: &Field) -> ColumnType {
    match special::of(field) {
        Some(Special::Truth) => return ColumnType::Boolean,
        Some(Special::Huge | Special::HugeUnsigned | Special::Big) => return ColumnType::Integer,
        Some(Special::Uuid | Special::Bits | Special::TimeWithZone) => return ColumnType::Text,
        None => {}
    }
    match field.data_type() {
        DataType::Boolean => ColumnType::Boolean,
        kind if kind.is_integer() => ColumnType::Integer,
        kind if kind.is_numeric() => ColumnType::Number,
        DataType::Date32 | DataType::Date64 => ColumnType::Date,
        DataType::Timestamp(..) => ColumnType::Timestamp,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => ColumnType::List,
        DataType::Struct(members) if is_tuple(members) => ColumnType::List,
        DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => ColumnType::Object,
        _ => ColumnType::Text,
    }
}

/// Writes a text as a JSON string.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    value::write_json_text(text, out);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Decimal128Array, Int64Array, ListArray, TimestampMicrosecondArray, UInt64Array};
    use arrow::datatypes::Int64Type;
    use arrow::ipc::writer::StreamWriter;

    use super::*;

    #[test]
    fn whole_numbers_that_a_double_cannot_hold_are_texts_wherever_they_stand() {
        let exact = 1_i64 << 53;
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int64Array::from(vec![Some(exact), Some(-exact - 1), None]))),
            ("id", Arc::new(UInt64Array::from(vec![0, u64::MAX, 9]))),
            ("at", Arc::new(TimestampMicrosecondArray::from(vec![0, 1_500_000, 0]).with_timezone("UTC"))),
            (
                "list",
                Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([
                    Some(vec![Some(exact + 1), None]),
                    None,
                    Some(vec![]),
                ])),
            ),
            ("share", Arc::new(Decimal128Array::from(vec![150, 1, 0]).with_precision_and_scale(30, 2).unwrap())),
        ];
        let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
        let schema = Arc::new(arrow::datatypes::Schema::new(fields.collect::<Vec<_>>()));
        let batch =
            RecordBatch::try_new(schema.clone(), columns.into_iter().map(|(_, array)| array).collect()).unwrap();
        let mut ipc = Vec::new();
        let mut writer = StreamWriter::try_new(&mut ipc, &schema).unwrap();
        writer.write(&batch).unwrap();
        writer.write(&batch.slice(0, 1)).unwrap();
        writer.finish().unwrap();
        drop(writer);
        let (columns, rows) = read_all(&ipc).unwrap();
        let named = columns.iter().map(|column| (column.name.as_str(), column.kind)).collect::<Vec<_>>();
        assert_eq!(
            named,
            [
                ("id", ColumnType::Integer),
                ("id_1", ColumnType::Integer),
                ("at", ColumnType::Timestamp),
                ("list", ColumnType::List),
                ("share", ColumnType::Number),
            ]
        );
        let first = r#"[9007199254740992,0,"1970-01-01T00:00:00Z",["9007199254740993",null],1.50]"#;
        let second = r#"["-9007199254740993","18446744073709551615","1970-01-01T00:00:01.500Z",null,0.01]"#;
        let third = r#"[null,9,"1970-01-01T00:00:00Z",[],0.00]"#;
        assert_eq!(String::from_utf8(rows).unwrap(), format!("[{first},{second},{third},{first}]"));
        assert!(read(&ipc[..ipc.len() - 40], |_| Ok(())).is_err(), "a stream that broke off");
    }
}
