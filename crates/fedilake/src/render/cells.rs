//! Cells as text.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// What stands where there is no value.
pub(super) const NULL: &str = "-";

/// Every value as text, nulls kept; lists and structs in brackets.
pub(super) fn as_text(column: &ArrayRef) -> anyhow::Result<StringArray> {
    let options = FormatOptions::default()
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.fZ"));
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    (0..column.len()).map(|row| Ok(column.is_valid(row).then_some(formatter.value(row).try_to_string()?))).collect()
}

/// The same, each in one line: line ends would break a table, and an escape code that a stranger wrote must not reach the
/// terminal.
pub(super) fn as_line(column: &ArrayRef) -> anyhow::Result<StringArray> {
    let one_line = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    Ok(as_text(column)?.iter().map(|text| text.map(one_line)).collect())
}

/// The same with its line ends, and without any other control character.
pub(super) fn as_lines(column: &ArrayRef) -> anyhow::Result<StringArray> {
    let kept = |text: &str| text.chars().filter(|c| *c == '\n' || !c.is_control()).collect::<String>();
    Ok(as_text(column)?.iter().map(|text| text.map(kept)).collect())
}

/// Whether a column of this type is right-aligned.
pub(super) fn is_number(kind: &DataType) -> bool {
    kind.is_numeric()
}

/// `1 row`, `1,622,149 rows`.
pub fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", with_separators(&number.to_string()))
}

/// `1,622,149`; what is not a plain number stays as it is.
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

/// A numeric column as floats; nulls and other types are NaN.
pub(super) fn as_floats(column: &ArrayRef) -> anyhow::Result<Vec<f64>> {
    let floats = arrow::compute::cast(column, &DataType::Float64)?;
    let floats = floats.as_primitive::<arrow::datatypes::Float64Type>();
    Ok((0..floats.len()).map(|row| if floats.is_valid(row) { floats.value(row) } else { f64::NAN }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_keeps_what_is_below_a_second() -> anyhow::Result<()> {
        let instants =
            arrow::array::TimestampMicrosecondArray::from(vec![1_675_382_400_000_000, 1_675_382_400_120_000]);
        let texts = as_line(&(std::sync::Arc::new(instants.with_timezone("+00:00")) as ArrayRef))?;
        assert_eq!([texts.value(0), texts.value(1)], ["2023-02-03 00:00:00Z", "2023-02-03 00:00:00.120Z"]);
        Ok(())
    }

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
