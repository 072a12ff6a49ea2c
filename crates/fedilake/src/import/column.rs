//! Columns of any type, read as what the talk's record has in their place.
//!
//! Connect and its converters write one type as another (`int` as INT64, `bot` as text, `m_id` as a double). A value that is
//! there and cannot be read is unreadable, and is None; of text that is no UTF-8 only the broken bytes are replaced.

use std::borrow::Cow;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type};

/// Whole numbers up to here are the same as doubles.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The column of this name. One of nulls only, whose type is none, is as good as missing.
pub(super) fn of_name<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a ArrayRef> {
    batch.column_by_name(name).filter(|column| *column.data_type() != DataType::Null)
}

/// A column as a file has it.
struct AsWritten(Option<ArrayRef>);

impl AsWritten {
    fn has_value(&self, at: usize) -> bool {
        self.0.as_ref().is_some_and(|column| column.is_valid(at))
    }
}

/// Texts.
pub(super) struct Texts {
    written: AsWritten,
    values: TextValues,
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
        let column = of_name(batch, name);
        let values = column.and_then(texts).unwrap_or(TextValues::None);
        Texts { written: AsWritten(column.cloned()), values }
    }

    /// The same of a column of ids: of numbers, only whole ones are some, and values of other types, as dates, are none.
    pub(super) fn ids(batch: &RecordBatch, name: &str) -> Texts {
        let Texts { written, values } = Texts::of(batch, name);
        let values = match written.0.as_ref().map_or(&DataType::Null, Array::data_type) {
            kind if kind.is_integer() || kind.is_floating() || is_text(kind) => values,
            kind if kind.is_decimal() => match values {
                TextValues::Texts(decimals) => {
                    TextValues::Texts(decimals.iter().map(|decimal| without_fraction(decimal?)).collect())
                }
                other => other,
            },
            _ => TextValues::None,
        };
        Texts { written, values }
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

    /// True if the row has a value that is no text.
    pub(super) fn is_unreadable(&self, at: usize) -> bool {
        let is_read = match &self.values {
            TextValues::None => false,
            TextValues::Bytes(bytes) => bytes.is_valid(at),
            TextValues::Texts(texts) => texts.is_valid(at),
            TextValues::Doubles(doubles) => doubles.is_valid(at) && whole(doubles.value(at)).is_some(),
        };
        !is_read && self.written.has_value(at)
    }
}

/// The texts of a column, null where a value is none; `None` if the column's type has no texts.
fn texts(column: &ArrayRef) -> Option<TextValues> {
    Some(match column.data_type() {
        DataType::BinaryView => TextValues::Bytes(column.as_binary_view().clone()),
        kind if kind.is_floating() => {
            TextValues::Doubles(cast(column, &DataType::Float64).ok()?.as_primitive::<Float64Type>().clone())
        }
        kind if kind.is_nested() => return None,
        _ => TextValues::Texts(cast(column, &DataType::Utf8).ok()?.as_string::<i32>().clone()),
    })
}

fn is_text(kind: &DataType) -> bool {
    use DataType::{Binary, BinaryView, Dictionary, LargeBinary, LargeUtf8, Utf8, Utf8View};
    matches!(kind, Binary | BinaryView | LargeBinary | Utf8 | LargeUtf8 | Utf8View | Dictionary(..))
}

/// Whole numbers.
pub(super) struct Numbers {
    written: AsWritten,
    values: Option<Int64Array>,
}

impl Numbers {
    /// The column of this name; without values where there is none.
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Numbers {
        let column = of_name(batch, name);
        Numbers { written: AsWritten(column.cloned()), values: column.and_then(whole_numbers) }
    }

    /// The number of a row.
    pub(super) fn value(&self, at: usize) -> Option<i64> {
        self.values.as_ref().filter(|values| values.is_valid(at)).map(|values| values.value(at))
    }

    /// True if the row has a value that is no whole number.
    pub(super) fn is_unreadable(&self, at: usize) -> bool {
        self.value(at).is_none() && self.written.has_value(at)
    }
}

/// Yes or no.
pub(super) struct Flags {
    written: AsWritten,
    values: Option<BooleanArray>,
}

impl Flags {
    /// The column of this name; without values where there is none.
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Flags {
        let column = of_name(batch, name);
        Flags { written: AsWritten(column.cloned()), values: column.and_then(flags) }
    }

    /// The flag of a row.
    pub(super) fn value(&self, at: usize) -> Option<bool> {
        self.values.as_ref().filter(|values| values.is_valid(at)).map(|values| values.value(at))
    }

    /// True if the row has a value that is neither.
    pub(super) fn is_unreadable(&self, at: usize) -> bool {
        self.value(at).is_none() && self.written.has_value(at)
    }
}

fn flags(column: &ArrayRef) -> Option<BooleanArray> {
    match column.data_type() {
        DataType::BinaryView => Some(column.as_binary_view().iter().map(|text| flag(text?)).collect()),
        DataType::Boolean => Some(column.as_boolean().clone()),
        _ => whole_numbers(column).map(|numbers| numbers.iter().map(|number| of_number(number?)).collect()),
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

/// A decimal's digits, if those behind its point are zeros.
fn without_fraction(decimal: &str) -> Option<&str> {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    fraction.bytes().all(|digit| digit == b'0').then_some(whole)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Decimal128Array, Int8Array, NullArray, TimestampMillisecondArray, UInt64Array};

    use super::*;

    fn batch(column: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    }

    #[test]
    fn a_value_that_is_no_whole_number_counts_and_is_not_cut() {
        let seven = [Some(7), None];
        let cases: [(ArrayRef, [Option<i64>; 2], usize); 10] = [
            (Arc::new(Int8Array::from(vec![7, -7])), [Some(7), Some(-7)], 0),
            (Arc::new(UInt64Array::from(vec![7, u64::MAX])), seven, 1),
            (Arc::new(Float64Array::from(vec![7.0, 7.5])), seven, 1),
            (Arc::new(Float64Array::from(vec![Some(7.0), None])), seven, 0),
            (Arc::new(Float64Array::from(vec![f64::INFINITY, -0.5])), [None, None], 2),
            (Arc::new(Decimal128Array::from(vec![700, 750]).with_precision_and_scale(10, 2).unwrap()), seven, 1),
            (Arc::new(BinaryViewArray::from(vec![&b" 7.0"[..], b"7.5"])), seven, 1),
            (Arc::new(StringArray::from(vec!["7", "seven"])), seven, 1),
            (Arc::new(TimestampMillisecondArray::from(vec![1_672_531_200_000, 0])), [None, None], 2),
            (Arc::new(NullArray::new(2)), [None, None], 0),
        ];
        for (column, values, unreadable) in cases {
            let kind = column.data_type().clone();
            let numbers = Numbers::of(&batch(column), "n");
            assert_eq!([numbers.value(0), numbers.value(1)], values, "{kind}");
            assert_eq!((0..2).filter(|at| numbers.is_unreadable(*at)).count(), unreadable, "{kind}");
        }
    }

    #[test]
    fn a_flag_is_a_yes_or_a_no_in_any_type() {
        let cases: [(ArrayRef, [Option<bool>; 2], usize); 6] = [
            (Arc::new(BooleanArray::from(vec![true, false])), [Some(true), Some(false)], 0),
            (Arc::new(Int64Array::from(vec![1, 2])), [Some(true), None], 1),
            (Arc::new(Float64Array::from(vec![0.0, 0.5])), [Some(false), None], 1),
            (Arc::new(BinaryViewArray::from(vec![&b"Yes"[..], b"maybe"])), [Some(true), None], 1),
            (Arc::new(TimestampMillisecondArray::from(vec![0, 1])), [None, None], 2),
            (Arc::new(NullArray::new(2)), [None, None], 0),
        ];
        for (column, values, unreadable) in cases {
            let kind = column.data_type().clone();
            let flags = Flags::of(&batch(column), "n");
            assert_eq!([flags.value(0), flags.value(1)], values, "{kind}");
            assert_eq!((0..2).filter(|at| flags.is_unreadable(*at)).count(), unreadable, "{kind}");
        }
    }

    #[test]
    fn an_id_is_a_text_or_a_whole_number() {
        let decimals = |decimals: Vec<i128>, scale| -> ArrayRef {
            Arc::new(Decimal128Array::from(decimals).with_precision_and_scale(38, scale).unwrap())
        };
        let great = 109_811_111_111_110_001_i64;
        let cases: [(ArrayRef, [Option<&str>; 2]); 9] = [
            (Arc::new(Int64Array::from(vec![great, -7])), [Some("109811111111110001"), Some("-7")]),
            (decimals(vec![i128::from(great) * 100, 350], 2), [Some("109811111111110001"), None]),
            (decimals(vec![7, i128::from(great)], 0), [Some("7"), Some("109811111111110001")]),
            (Arc::new(Float64Array::from(vec![7.0, 7.5])), [Some("7"), None]),
            (Arc::new(StringArray::from(vec![Some("9xYz"), None])), [Some("9xYz"), None]),
            (Arc::new(BooleanArray::from(vec![true, false])), [None, None]),
            (Arc::new(Date32Array::from(vec![19_391, 1])), [None, None]),
            (Arc::new(TimestampMillisecondArray::from(vec![1_672_531_200_000, 0])), [None, None]),
            (Arc::new(NullArray::new(2)), [None, None]),
        ];
        for (column, values) in cases {
            let kind = column.data_type().clone();
            let is_given = |at: usize| kind != DataType::Null && column.is_valid(at);
            let unreadable = [0, 1].map(|at| values[at].is_none() && is_given(at));
            let ids = Texts::ids(&batch(column.clone()), "n");
            assert_eq!([0, 1].map(|at| ids.value(at)), values.map(|value| value.map(Cow::from)), "{kind}");
            assert_eq!([0, 1].map(|at| ids.is_unreadable(at)), unreadable, "{kind}");
        }
    }
}
