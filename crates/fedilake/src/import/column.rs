//! Columns of any type, read as what the talk's record has in their place.
//!
//! Connect and its converters write one type as another (`int` as INT64, `bot` as text, `m_id` as a double). A value that is
//! there and cannot be read counts as unreadable, and is None; of text that is no UTF-8 only the broken bytes are replaced.

use std::borrow::Cow;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};

/// Whole numbers up to here are the same as doubles.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Texts.
pub(super) struct Texts {
    values: TextValues,
    pub(super) unreadable: u64,
}

enum TextValues {
    None,
    Bytes(BinaryViewArray),
    Texts(StringArray),
    Doubles(Float64Array),
}

impl Texts {
    /// The column of this name; without values where there is none.
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Texts {
        let values = match batch.column_by_name(name) {
            None => TextValues::None,
            Some(column) if *column.data_type() == DataType::BinaryView => {
                TextValues::Bytes(column.as_binary_view().clone())
            }
            Some(column) if column.data_type().is_floating() => match cast(column, &DataType::Float64) {
                Ok(doubles) => TextValues::Doubles(doubles.as_primitive::<Float64Type>().clone()),
                Err(_) => return Texts { values: TextValues::None, unreadable: filled(column) },
            },
            Some(column) if column.data_type().is_nested() => {
                return Texts { values: TextValues::None, unreadable: filled(column) };
            }
            Some(column) => match cast(column, &DataType::Utf8) {
                Ok(texts) => TextValues::Texts(texts.as_string::<i32>().clone()),
                Err(_) => return Texts { values: TextValues::None, unreadable: filled(column) },
            },
        };
        let unreadable = match &values {
            TextValues::Doubles(doubles) => {
                doubles.iter().flatten().filter(|double| whole(*double).is_none()).count() as u64
            }
            TextValues::Texts(texts) => batch.column_by_name(name).map_or(0, |column| lost(column, texts.null_count())),
            TextValues::None | TextValues::Bytes(_) => 0,
        };
        Texts { values, unreadable }
    }

    /// The text of a row.
    pub(super) fn value(&self, at: usize) -> Option<Cow<'_, str>> {
        match &self.values {
            TextValues::None => None,
            TextValues::Bytes(bytes) => bytes.is_valid(at).then(|| String::from_utf8_lossy(bytes.value(at))),
            TextValues::Texts(texts) => texts.is_valid(at).then(|| texts.value(at).into()),
            TextValues::Doubles(doubles) => {
                let whole = doubles.is_valid(at).then(|| whole(doubles.value(at))).flatten();
                whole.map(|whole| whole.to_string().into())
            }
        }
    }
}

/// Whole numbers.
pub(super) struct Numbers {
    values: Option<Int64Array>,
    pub(super) unreadable: u64,
}

impl Numbers {
    /// The column of this name; without values where there is none.
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Numbers {
        let Some(column) = batch.column_by_name(name) else { return Numbers { values: None, unreadable: 0 } };
        let values = match column.data_type() {
            DataType::BinaryView => {
                let texts = column.as_binary_view().iter();
                Some(texts.map(|text| std::str::from_utf8(text?).ok()?.trim().parse().ok()).collect::<Int64Array>())
            }
            _ => as_int64(Some(ArrayRef::clone(column))),
        };
        let unreadable = values.as_ref().map_or_else(|| filled(column), |values| lost(column, values.null_count()));
        Numbers { values, unreadable }
    }

    /// The number of a row.
    pub(super) fn value(&self, at: usize) -> Option<i64> {
        self.values.as_ref().filter(|values| values.is_valid(at)).map(|values| values.value(at))
    }
}

/// Yes or no.
pub(super) struct Flags {
    values: Option<BooleanArray>,
    pub(super) unreadable: u64,
}

impl Flags {
    /// The column of this name; without values where there is none.
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Flags {
        let Some(column) = batch.column_by_name(name) else { return Flags { values: None, unreadable: 0 } };
        let values = match column.data_type() {
            DataType::BinaryView => Some(column.as_binary_view().iter().map(|text| flag(text?)).collect()),
            _ => cast(column, &DataType::Boolean).ok().map(|flags| flags.as_boolean().clone()),
        };
        let unreadable = values.as_ref().map_or_else(|| filled(column), |values| lost(column, values.null_count()));
        Flags { values, unreadable }
    }

    /// The flag of a row.
    pub(super) fn value(&self, at: usize) -> Option<bool> {
        self.values.as_ref().filter(|values| values.is_valid(at)).map(|values| values.value(at))
    }
}

fn as_int64(column: Option<ArrayRef>) -> Option<Int64Array> {
    Some(cast(&column?, &DataType::Int64).ok()?.as_primitive::<Int64Type>().clone())
}

fn whole(double: f64) -> Option<i64> {
    (double.fract() == 0.0 && double.abs() <= EXACT_MAX).then_some(double as i64)
}

fn flag(text: &[u8]) -> Option<bool> {
    match text.trim_ascii().to_ascii_lowercase().as_slice() {
        b"true" | b"t" | b"yes" | b"y" | b"1" => Some(true),
        b"false" | b"f" | b"no" | b"n" | b"0" => Some(false),
        _ => None,
    }
}

fn filled(column: &ArrayRef) -> u64 {
    (column.len() - column.null_count()) as u64
}

/// Values that became null.
fn lost(column: &ArrayRef, nulls: usize) -> u64 {
    nulls.saturating_sub(column.null_count()) as u64
}
