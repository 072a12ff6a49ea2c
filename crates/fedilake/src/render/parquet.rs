//! Rows as one Parquet file, in types that every Parquet reader knows.
//!
//! Types that Parquet lacks become text, as in CSV: intervals, times with a zone, UUIDs, bit strings, unions, whole
//! numbers of any length. `hugeint`, the type of each `sum` of whole numbers, becomes a decimal of 38 digits.

use std::io::{Read, Write};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use arrow::array::types::{Int8Type, TimestampMicrosecondType, TimestampSecondType};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, FixedSizeListArray, ListArray, MapArray, RecordBatch,
    StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, Schema, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::special::{self, Special};
use super::value::{Form, Values, is_tuple};
use super::{Answer, time, unique_names};

/// The most digits that a `hugeint` may have as a decimal.
const DIGITS_MAX: u8 = 38;

/// Writes the file. The footer follows the last row only: an answer that broke off is not a Parquet file.
pub(super) fn write<R: Read>(answer: Answer<R>, out: &mut dyn Write) -> anyhow::Result<()> {
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let columns: Vec<FieldRef> = answer.schema().fields().iter().cloned().collect();
    let fields = columns.iter().zip(&answer.names).map(|(field, name)| stored(field).with_name(name));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    // The writer must own a `Send` target, so the answer passes through a buffer of one row group.
    let mut writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties))?;
    for batch in answer {
        let batch = batch?;
        let arrays = columns.iter().zip(batch.columns()).map(|(field, array)| {
            as_stored(field, array).with_context(|| format!("write column {} as Parquet", field.name()))
        });
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), arrays.collect::<anyhow::Result<_>>()?)?)?;
        let finished = std::mem::take(writer.inner_mut());
        out.write_all(&finished)?;
    }
    out.write_all(&writer.into_inner()?)?;
    Ok(())
}

/// The stored type of a column.
enum Stored {
    AsIs,
    Truth,
    Decimal,
    Text,
    /// Parquet's coarsest unit is the millisecond, so seconds become microseconds.
    Microseconds,
    Nested,
}

fn way(field: &Field) -> Stored {
    match (special::of(field), field.data_type()) {
        (Some(Special::Truth), _) => Stored::Truth,
        (Some(Special::Huge | Special::HugeUnsigned), _) => Stored::Decimal,
        (Some(_), _) => Stored::Text,
        (None, DataType::Interval(IntervalUnit::MonthDayNano) | DataType::Union(..) | DataType::Dictionary(..)) => {
            Stored::Text
        }
        (None, DataType::Timestamp(TimeUnit::Second, _)) => Stored::Microseconds,
        (None, DataType::List(_) | DataType::FixedSizeList(..) | DataType::Map(..) | DataType::Struct(_)) => {
            Stored::Nested
        }
        (None, _) => Stored::AsIs,
    }
}

/// The field in Parquet.
fn stored(field: &Field) -> Field {
    let changed = |kind| Field::new(field.name(), kind, true);
    match (way(field), field.data_type()) {
        (Stored::AsIs, _) => field.clone(),
        (Stored::Truth, _) => changed(DataType::Boolean),
        (Stored::Decimal, _) => changed(DataType::Decimal128(DIGITS_MAX, 0)),
        (Stored::Text, _) => changed(DataType::Utf8),
        (Stored::Microseconds, DataType::Timestamp(_, zone)) => {
            changed(DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))
        }
        (_, DataType::List(item)) => changed(DataType::List(stored_item(item))),
        (_, DataType::FixedSizeList(item, length)) => changed(DataType::FixedSizeList(stored_item(item), *length)),
        (_, DataType::Map(entries, sorted)) => {
            let fields = stored_fields(fields_of(entries));
            // A map's key cannot be null.
            let fields = fields.iter().enumerate().map(|(at, field)| field.as_ref().clone().with_nullable(at > 0));
            let entries = Field::new("key_value", DataType::Struct(fields.collect()), false);
            changed(DataType::Map(Arc::new(entries), *sorted))
        }
        (_, kind) => changed(DataType::Struct(stored_fields(match kind {
            DataType::Struct(fields) => fields.clone(),
            _ => Fields::empty(),
        }))),
    }
}

/// The element of a list, under Parquet's name for it; DuckDB uses several names.
fn stored_item(item: &Field) -> FieldRef {
    Arc::new(stored(item).with_name("element"))
}

/// The members of a struct. Those of an unnamed one are named `_1`, `_2`, … as in Spark: readers, DuckDB too, refuse some of what
/// they can do with members without names.
fn stored_fields(fields: Fields) -> Fields {
    let names = match is_tuple(&fields) {
        true => (1..=fields.len()).map(|number| format!("_{number}")).collect(),
        false => unique_names(&fields),
    };
    fields.iter().zip(names).map(|(field, name)| stored(field).with_name(name)).collect()
}

fn fields_of(entries: &Field) -> Fields {
    match entries.data_type() {
        DataType::Struct(fields) => fields.clone(),
        _ => Fields::empty(),
    }
}

/// The values in the stored type.
fn as_stored(field: &Field, array: &ArrayRef) -> anyhow::Result<ArrayRef> {
    let target = stored(field);
    Ok(match (way(field), field.data_type(), target.data_type()) {
        (Stored::AsIs, ..) => Arc::clone(array),
        (Stored::Truth, ..) => Arc::new(
            array
                .as_primitive::<Int8Type>()
                .iter()
                .map(|value| value.map(|value| value != 0))
                .collect::<BooleanArray>(),
        ),
        (Stored::Decimal, ..) => Arc::new(decimals(field, array)?),
        (Stored::Text, ..) => {
            let values = Values::new(field, array)?;
            Arc::new((0..array.len()).map(|row| values.text(row, Form::Field)).collect::<StringArray>())
        }
        (Stored::Microseconds, DataType::Timestamp(_, zone), _) => {
            let seconds = array.as_primitive::<TimestampSecondType>();
            let micros: TimestampMicrosecondArray = seconds.try_unary::<_, TimestampMicrosecondType, _>(micros)?;
            Arc::new(micros.with_timezone_opt(zone.clone()))
        }
        (_, DataType::List(item), DataType::List(target)) => {
            let list = array.as_list::<i32>();
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(ListArray::try_new(Arc::clone(target), offsets, as_stored(item, list.values())?, nulls)?)
        }
        (_, DataType::FixedSizeList(item, length), DataType::FixedSizeList(target, _)) => {
            let (list, nulls) = (array.as_fixed_size_list(), array.nulls().cloned());
            Arc::new(FixedSizeListArray::try_new(Arc::clone(target), *length, as_stored(item, list.values())?, nulls)?)
        }
        (_, DataType::Map(_, sorted), DataType::Map(target, _)) => {
            let map = array.as_map();
            let entries = struct_as_stored(map.entries(), &fields_of(target))?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Arc::new(MapArray::try_new(Arc::clone(target), offsets, entries, nulls, *sorted)?)
        }
        (_, _, DataType::Struct(fields)) => Arc::new(struct_as_stored(array.as_struct(), fields)?),
        (.., target) => return Err(anyhow!("{} cannot be stored as {target}", array.data_type())),
    })
}

fn struct_as_stored(array: &StructArray, fields: &Fields) -> anyhow::Result<StructArray> {
    let columns = array.fields().iter().zip(array.columns()).map(|(field, column)| as_stored(field, column));
    let columns = columns.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(StructArray::try_new(fields.clone(), columns, array.nulls().cloned())?)
}

/// Numbers as decimals; an error if one has too many digits.
fn decimals(field: &Field, array: &ArrayRef) -> anyhow::Result<Decimal128Array> {
    let is_unsigned = special::of(field) == Some(Special::HugeUnsigned);
    let number = |bytes: &[u8]| match is_unsigned {
        true => i128::try_from(special::huge_unsigned(bytes)).ok(),
        false => Some(special::huge(bytes)),
    };
    let most = 10_i128.pow(DIGITS_MAX.into());
    let decimal = |bytes: &[u8]| {
        number(bytes).filter(|number| number.unsigned_abs() < most.unsigned_abs()).with_context(|| {
            format!(
                "a number has more than the {DIGITS_MAX} digits that Parquet's decimals have\n\
                 hint: cast it in the question: column::varchar or column::double"
            )
        })
    };
    let numbers = array.as_fixed_size_binary().iter().map(|bytes| bytes.map(decimal).transpose());
    let numbers = numbers.collect::<anyhow::Result<Vec<_>>>()?;
    let numbers = Decimal128Array::from_iter(numbers);
    Ok(numbers.with_precision_and_scale(DIGITS_MAX, 0)?)
}

/// The microsecond at which a second begins; DuckDB's infinities are the same numbers in all units.
fn micros(second: i64) -> Result<i64, arrow::error::ArrowError> {
    match second {
        i64::MAX | time::INSTANT_BEFORE_ALL => Ok(second),
        second => second.checked_mul(1_000_000).ok_or_else(|| {
            arrow::error::ArrowError::ArithmeticOverflow(format!("second {second} is beyond Parquet's instants"))
        }),
    }
}
