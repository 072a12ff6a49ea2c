//! Cells as text.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field};

use super::special::{self, Special};
use super::value::{Form, Values};
use crate::door::{shown, shown_in_line};

/// The text of a missing value.
pub(super) const NULL: &str = "-";

/// Every value of a column as people read it, in one line that is safe for a terminal; `None` for a missing value.
pub(super) fn as_line(field: &Field, column: &ArrayRef) -> anyhow::Result<Vec<Option<String>>> {
    let values = Values::new(field, column)?;
    let line = |row| values.text(row, Form::People).map(|text| shown_in_line(&text).into_owned());
    Ok((0..column.len()).map(line).collect())
}

/// Like [`as_line`], but line ends stay.
pub(super) fn as_lines(field: &Field, column: &ArrayRef) -> anyhow::Result<Vec<Option<String>>> {
    let values = Values::new(field, column)?;
    let lines = |row| values.text(row, Form::People).map(|text| shown(&text).into_owned());
    Ok((0..column.len()).map(lines).collect())
}

/// True if the column is right-aligned.
pub(super) fn is_number(field: &Field) -> bool {
    match special::of(field) {
        Some(special) => matches!(special, Special::Huge | Special::HugeUnsigned | Special::Big),
        None => field.data_type().is_numeric(),
    }
}

/// `1 row`, `1,622,149 rows`.
pub fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", with_separators(&number.to_string()))
}

/// `1,622,149` for `1622149`; a text that is not a plain number is returned unchanged.
pub fn with_separators(number: &str) -> String {
    let (sign, rest) = number.strip_prefix('-').map_or(("", number), |rest| ("-", rest));
    let (whole, fraction) = rest.split_once('.').map_or((rest, None), |(w, f)| (w, Some(f)));
    if whole.is_empty() || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return number.to_owned();
    }
    let first = whole.len() % 3;
    let mut grouped = whole[..first].to_owned();
    for start in (first..whole.len()).step_by(3) {
        if !grouped.is_empty() {
            grouped.push(',');
        }
        grouped.push_str(&whole[start..start + 3]);
    }
    match fraction {
        Some(fraction) => format!("{sign}{grouped}.{fraction}"),
        None => format!("{sign}{grouped}"),
    }
}

/// A numeric column as floats; NaN for nulls and for other types.
pub(super) fn as_floats(column: &ArrayRef) -> anyhow::Result<Vec<f64>> {
    let floats = arrow::compute::cast(column, &DataType::Float64)?;
    let floats = floats.as_primitive::<arrow::datatypes::Float64Type>();
    Ok((0..floats.len()).map(|row| if floats.is_valid(row) { floats.value(row) } else { f64::NAN }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        assert_eq!([counted(0, "row"), counted(1, "row"), counted(1_200, "row")], ["0 rows", "1 row", "1,200 rows"]);
    }

    #[test]
    fn thousands_are_separated() {
        for (number, text) in [
            ("0", "0"),
            ("999", "999"),
            ("1000", "1,000"),
            ("-1622149", "-1,622,149"),
            ("151.18", "151.18"),
            ("1e9", "1e9"),
            ("", ""),
        ] {
            assert_eq!(with_separators(number), text);
        }
    }
}
