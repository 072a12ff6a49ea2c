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
        let values = whole_numbers(column);
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
            DataType::Boolean => Some(column.as_boolean().clone()),
            _ => whole_numbers(column).map(|numbers| numbers.iter().map(|number| of_number(number?)).collect()),
        };
        let unreadable = values.as_ref().map_or_else(|| filled(column), |values| lost(column, values.null_count()));
        Flags { values, unreadable }
    }

    /// The flag of a row.
    pub(super) fn value(&self, at: usize) -> Option<bool> {
        self.values.as_ref().filter(|values| values.is_valid(at)).map(|values| values.value(at))
    }
}

/// The whole numbers of a column, null where a value is none; `None` if the column's type has no numbers. A cast alone would cut
/// 7.5 to 7, and take the moments of a time column for numbers.
fn whole_numbers(column: &ArrayRef) -> Option<Int64Array> {
    match column.data_type() {
        DataType::BinaryView => Some(column.as_binary_view().iter().map(|text| number(text?)).collect()),
        kind if kind.is_integer() => Some(cast(column, &DataType::Int64).ok()?.as_primitive::<Int64Type>().clone()),
        kind if kind.is_floating() || kind.is_decimal() => {
            let doubles = cast(column, &DataType::Float64).ok()?;
            Some(doubles.as_primitive::<Float64Type>().iter().map(|double| whole(double?)).collect())
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(..) => {
            let texts = cast(column, &DataType::BinaryView).ok()?;
            Some(texts.as_binary_view().iter().map(|text| number(text?)).collect())
        }
        _ => None,
    }
}

fn number(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim();
    text.parse().ok().or_else(|| whole(text.parse().ok()?))
}

fn of_number(number: i64) -> Option<bool> {
    match number {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Int8Array, TimestampMillisecondArray, UInt64Array};

    use super::*;

    fn batch(column: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    }

    #[test]
    fn a_value_that_is_no_whole_number_counts_and_is_not_cut() {
        let seven = [Some(7), None];
        let cases: [(ArrayRef, [Option<i64>; 2], u64); 9] = [
            (Arc::new(Int8Array::from(vec![7, -7])), [Some(7), Some(-7)], 0),
            (Arc::new(UInt64Array::from(vec![7, u64::MAX])), seven, 1),
            (Arc::new(Float64Array::from(vec![7.0, 7.5])), seven, 1),
            (Arc::new(Float64Array::from(vec![Some(7.0), None])), seven, 0),
            (Arc::new(Float64Array::from(vec![f64::INFINITY, -0.5])), [None, None], 2),
            (Arc::new(Decimal128Array::from(vec![700, 750]).with_precision_and_scale(10, 2).unwrap()), seven, 1),
            (Arc::new(BinaryViewArray::from(vec![&b" 7.0"[..], b"7.5"])), seven, 1),
            (Arc::new(StringArray::from(vec!["7", "seven"])), seven, 1),
            (Arc::new(TimestampMillisecondArray::from(vec![1_672_531_200_000, 0])), [None, None], 2),
        ];
        for (column, values, unreadable) in cases {
            let kind = column.data_type().clone();
            let numbers = Numbers::of(&batch(column), "n");
            assert_eq!([numbers.value(0), numbers.value(1)], values, "{kind}");
            assert_eq!(numbers.unreadable, unreadable, "{kind}");
        }
    }

    #[test]
    fn a_flag_is_a_yes_or_a_no_in_any_type() {
        let cases: [(ArrayRef, [Option<bool>; 2], u64); 5] = [
            (Arc::new(BooleanArray::from(vec![true, false])), [Some(true), Some(false)], 0),
            (Arc::new(Int64Array::from(vec![1, 2])), [Some(true), None], 1),
            (Arc::new(Float64Array::from(vec![0.0, 0.5])), [Some(false), None], 1),
            (Arc::new(BinaryViewArray::from(vec![&b"Yes"[..], b"maybe"])), [Some(true), None], 1),
            (Arc::new(TimestampMillisecondArray::from(vec![0, 1])), [None, None], 2),
        ];
        for (column, values, unreadable) in cases {
            let kind = column.data_type().clone();
            let flags = Flags::of(&batch(column), "n");
            assert_eq!([flags.value(0), flags.value(1)], values, "{kind}");
            assert_eq!(flags.unreadable, unreadable, "{kind}");
        }
    }
}
