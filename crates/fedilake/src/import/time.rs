//! Columns of times, in whatever type a file has them.
//!
//! Texts are read as the times in JSON are ([`Moment`]). A whole number or a fraction says no unit: the file's other evidence tells it
//! ([`super::unit`]). A value that is there and is no time is unreadable.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Date64Type, Float64Type, Int64Type, TimeUnit};
use chrono::{DateTime, Utc};
use fedilake_model::{Moment, json};

use super::column::of_name;
use super::unit::Unit;

/// A value of a column of times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Time {
    /// A moment, or none.
    Said(Moment),
    /// A number of some unit since 1970.
    Whole(i64),
    /// A number of some unit since 1970.
    Fraction(f64),
}

const MISSING: Time = Time::Said(Moment::Missing);
const UNREADABLE: Time = Time::Said(Moment::Unreadable);

impl Time {
    /// The moment, where numbers are of `unit`.
    pub(super) fn moment(self, unit: Unit) -> Moment {
        let moment = match self {
            Time::Said(moment) => return moment,
            Time::Whole(number) => unit.moment(number),
            Time::Fraction(number) => unit.moment_of_fraction(number),
        };
        moment.map_or(Moment::Unreadable, said)
    }

    /// The number without its fraction, where only the file tells its unit.
    pub(super) fn number(self) -> Option<i64> {
        match self {
            Time::Said(_) => None,
            Time::Whole(number) => Some(number),
            Time::Fraction(number) => Some(number.floor() as i64),
        }
    }
}

/// The times of a column.
pub(super) struct Times(Vec<Time>);

impl Times {
    /// The column of this name; without values where there is none.
    pub(super) fn of(batch: &RecordBatch, name: &str) -> Times {
        Times(of_name(batch, name).map_or_else(Vec::new, times))
    }

    /// The time of a row.
    pub(super) fn value(&self, at: usize) -> Time {
        self.0.get(at).copied().unwrap_or(MISSING)
    }
}

/// True for a column type that says the unit of its values.
pub(super) fn says_unit(kind: &DataType) -> bool {
    // An INT32 holds nothing else than seconds.
    matches!(kind, DataType::Int32 | DataType::UInt32 | DataType::Timestamp(..) | DataType::Date32 | DataType::Date64)
}

fn times(column: &ArrayRef) -> Vec<Time> {
    let read = match column.data_type() {
        DataType::Null => Some(vec![MISSING; column.len()]),
        DataType::Timestamp(unit, _) => whole(column, |number| instant(number, *unit).map_or(UNREADABLE, plain)),
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().iter();
            let midnight = |days: i32| DateTime::from_timestamp(i64::from(days) * 86_400, 0).map_or(UNREADABLE, plain);
            Some(days.map(|days| days.map_or(MISSING, midnight)).collect())
        }
        DataType::Date64 => {
            let millis = column.as_primitive::<Date64Type>().iter();
            let moment = |millis: i64| DateTime::from_timestamp_millis(millis).map_or(UNREADABLE, plain);
            Some(millis.map(|millis| millis.map_or(MISSING, moment)).collect())
        }
        kind if kind.is_integer() => whole(column, of_number),
        kind if kind.is_floating() => fractions(column),
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            cast(column, &DataType::Utf8).ok().and_then(|texts| of_texts(&texts))
        }
        DataType::Struct(_) => of_struct(column.as_struct()),
        _ => of_texts(column),
    };
    read.unwrap_or_else(|| (0..column.len()).map(|at| if column.is_null(at) { MISSING } else { UNREADABLE }).collect())
}

fn whole(column: &ArrayRef, time: impl Fn(i64) -> Time) -> Option<Vec<Time>> {
    let numbers = cast(column, &DataType::Int64).ok()?;
    let numbers = numbers.as_primitive::<Int64Type>();
    // A number beyond 2⁶³ became null.
    let lost = |at: usize| if column.is_null(at) { MISSING } else { UNREADABLE };
    Some(numbers.iter().enumerate().map(|(at, number)| number.map_or_else(|| lost(at), &time)).collect())
}

fn fractions(column: &ArrayRef) -> Option<Vec<Time>> {
    let numbers = cast(column, &DataType::Float64).ok()?;
    let time = |number: Option<f64>| match number {
        // Python's tables write a missing number so.
        Some(number) if number.is_nan() => MISSING,
        Some(number) if number.is_infinite() => UNREADABLE,
        Some(number) if number.fract() == 0.0 => of_number(number as i64),
        Some(number) => Time::Fraction(number),
        None => MISSING,
    };
    Some(numbers.as_primitive::<Float64Type>().iter().map(time).collect())
}

fn of_texts(column: &ArrayRef) -> Option<Vec<Time>> {
    let is_text = |kind: &DataType| {
        use DataType::{Binary, BinaryView, LargeBinary, LargeUtf8, Utf8, Utf8View};
        matches!(kind, Binary | BinaryView | LargeBinary | LargeUtf8 | Utf8 | Utf8View)
    };
    if !is_text(column.data_type()) {
        return None;
    }
    let texts = cast(column, &DataType::BinaryView).ok()?;
    let texts = texts.as_binary_view().iter();
    Some(texts.map(|text| text.map_or(MISSING, |text| of_text(String::from_utf8_lossy(text).trim()))).collect())
}

/// A time in a text, which may be JSON itself.
pub(super) fn of_text(text: &str) -> Time {
    if let Ok(number) = text.parse() {
        return of_number(number);
    }
    if text.starts_with(['{', '"']) {
        let object = format!("{{\"at\":{text}}}");
        let member = json::members(object.as_bytes()).ok().and_then(|mut members| members.next());
        return Time::Said(member.and_then(Result::ok).map_or(Moment::Unreadable, |(_, value)| value.moment()));
    }
    Time::Said(Moment::of_text(text))
}

/// A number is a date by its digits (`20230501`, `20230501101112`) or a time since 1970.
fn of_number(number: i64) -> Time {
    if !matches!(number, 19_700_101..=21_991_231 | 197_001_010_000..=219_912_312_359)
        && !matches!(number, 19_700_101_000_000..=21_991_231_235_959 | 19_700_101_000_000_000..=21_991_231_235_959_999)
    {
        return Time::Whole(number);
    }
    let digits = number.to_string();
    let date = Moment::of_text(&digits).at().filter(|date| digits.starts_with(&date.format("%Y%m%d").to_string()));
    date.map_or(Time::Whole(number), plain)
}

/// A time wrapped in a struct, as the same wrappers are read in JSON.
fn of_struct(wrapped: &StructArray) -> Option<Vec<Time>> {
    let field = |names: &[&str]| names.iter().find_map(|name| wrapped.column_by_name(name));
    let names = ["$date", "$numberLong", "$numberDouble", "$numberDecimal", "$numberInt", "$timestamp", "t"];
    let inner = match field(&names) {
        Some(inner) => times(inner),
        None => of_parts(field(&["seconds", "_seconds"])?, field(&["nanos", "nanoseconds", "_nanoseconds"])),
    };
    Some(inner.into_iter().enumerate().map(|(at, time)| if wrapped.is_null(at) { MISSING } else { time }).collect())
}

fn of_parts(seconds: &ArrayRef, nanos: Option<&ArrayRef>) -> Vec<Time> {
    let (seconds, nanos) = (times(seconds), nanos.map(times).unwrap_or_default());
    let time = |(at, seconds): (usize, Time)| {
        let Time::Whole(seconds) = seconds else { return seconds };
        let nanos = nanos.get(at).and_then(|nanos| nanos.number()).unwrap_or(0);
        let moment = u32::try_from(nanos).ok().and_then(|nanos| DateTime::from_timestamp(seconds, nanos));
        moment.map_or(UNREADABLE, plain)
    };
    seconds.into_iter().enumerate().map(time).collect()
}

fn instant(number: i64, unit: TimeUnit) -> Option<DateTime<Utc>> {
    match unit {
        TimeUnit::Second => DateTime::from_timestamp(number, 0),
        TimeUnit::Millisecond => DateTime::from_timestamp_millis(number),
        TimeUnit::Microsecond => DateTime::from_timestamp_micros(number),
        TimeUnit::Nanosecond => Some(DateTime::from_timestamp_nanos(number)),
    }
}

fn plain(moment: DateTime<Utc>) -> Time {
    Time::Said(said(moment))
}

/// The moment, if its year is one that every reader of dates knows.
fn said(moment: DateTime<Utc>) -> Moment {
    use chrono::Datelike;
    if (1..=9999).contains(&moment.year()) { Moment::At(moment) } else { Moment::Unreadable }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Date32Array, Date64Array, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array,
        StringArray, Time64MicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
        UInt64Array,
    };
    use arrow::datatypes::Field;

    use super::*;

    const SECOND: i64 = 1_682_935_872;

    fn nested(name: &str, column: ArrayRef) -> ArrayRef {
        let field = Arc::new(Field::new(name, column.data_type().clone(), true));
        Arc::new(StructArray::from(vec![(field, column)]))
    }

    fn read(column: ArrayRef, unit: Unit) -> Vec<String> {
        let shown = |time: Time| match time.moment(unit) {
            Moment::At(moment) => moment.format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
            other => format!("{other:?}"),
        };
        times(&column).into_iter().map(shown).collect()
    }

    #[test]
    fn a_moment_is_read_in_each_type_and_spelling() {
        let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let int = |number: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![number])) };
        let long = || nested("$numberLong", text(&(SECOND * 1_000).to_string()));
        let parts = || -> ArrayRef {
            let field = |name: &str, kind| Arc::new(Field::new(name, kind, true));
            let nanos: ArrayRef = Arc::new(Int32Array::from(vec![0]));
            Arc::new(StructArray::from(vec![
                (field("seconds", DataType::Int64), int(SECOND)),
                (field("nanos", DataType::Int32), nanos),
            ]))
        };
        let whole = "2023-05-01T10:11:12";
        let half = "2023-05-01T10:11:12.500";
        let day = "2023-05-01T00:00:00";
        let cases: Vec<(ArrayRef, Unit, &str)> = vec![
            (text("2023-05-01T10:11:12Z"), Unit::Seconds, whole),
            (text("2023-05-01 12:11:12+0200"), Unit::Seconds, whole),
            (text("2023 05 01 10:11:12"), Unit::Seconds, whole),
            (text(" 20230501T101112Z\n"), Unit::Seconds, whole),
            (text("Mon, 01 May 2023 10:11:12 GMT"), Unit::Seconds, whole),
            (text("20230501101112"), Unit::Seconds, whole),
            (text("1682935872"), Unit::Seconds, whole),
            (text("1682935872.5"), Unit::Seconds, half),
            (text("1.6829358725e9"), Unit::Seconds, half),
            (text("1682935872000"), Unit::Milliseconds, whole),
            (text(r#"{"$date":"2023-05-01T10:11:12Z"}"#), Unit::Seconds, whole),
            (text(r#"{"$date":{"$numberLong":"1682935872500"}}"#), Unit::Seconds, half),
            (text(r#""2023-05-01T10:11:12Z""#), Unit::Seconds, whole),
            (text("2023-05-01"), Unit::Seconds, day),
            (int(SECOND), Unit::Seconds, whole),
            (int(SECOND * 1_000_000 + 500_000), Unit::Microseconds, half),
            (int(20_230_501), Unit::Seconds, day),
            (int(20_230_501_101_112), Unit::Milliseconds, whole),
            (Arc::new(Int32Array::from(vec![SECOND as i32])), Unit::Seconds, whole),
            (Arc::new(UInt64Array::from(vec![SECOND as u64 * 1_000])), Unit::Milliseconds, whole),
            (Arc::new(Float64Array::from(vec![SECOND as f64 + 0.5])), Unit::Seconds, half),
            (Arc::new(Float64Array::from(vec![SECOND as f64 * 1_000.0 + 500.0])), Unit::Milliseconds, half),
            (Arc::new(Float32Array::from(vec![1_682_935_808.0])), Unit::Seconds, "2023-05-01T10:10:08"),
            (
                Arc::new(
                    Decimal128Array::from(vec![i128::from(SECOND) * 10 + 5]).with_precision_and_scale(20, 1).unwrap(),
                ),
                Unit::Seconds,
                half,
            ),
            (Arc::new(Date32Array::from(vec![19_478])), Unit::Seconds, day),
            (Arc::new(Date64Array::from(vec![SECOND * 1_000])), Unit::Seconds, whole),
            (Arc::new(TimestampSecondArray::from(vec![SECOND])), Unit::Seconds, whole),
            (
                Arc::new(TimestampMillisecondArray::from(vec![SECOND * 1_000 + 500]).with_timezone("+02:00")),
                Unit::Seconds,
                half,
            ),
            (Arc::new(TimestampNanosecondArray::from(vec![SECOND * 1_000_000_000])), Unit::Seconds, whole),
            (nested("$date", text("2023-05-01T10:11:12Z")), Unit::Seconds, whole),
            (nested("$date", int(SECOND * 1_000)), Unit::Milliseconds, whole),
            (nested("$date", long()), Unit::Milliseconds, whole),
            (nested("$date", Arc::new(TimestampSecondArray::from(vec![SECOND]))), Unit::Seconds, whole),
            (parts(), Unit::Milliseconds, whole),
        ];
        for (column, unit, expected) in cases {
            assert_eq!(read(Arc::clone(&column), unit), [expected], "{column:?}");
        }
    }

    #[test]
    fn a_value_that_is_no_time_is_unreadable_and_one_that_is_not_there_is_missing() {
        let (unreadable, missing) = ("Unreadable", "Missing");
        let cases: Vec<(ArrayRef, [&str; 2])> = vec![
            (Arc::new(StringArray::from(vec![Some("yesterday"), None])), [unreadable, missing]),
            (Arc::new(StringArray::from(vec!["05/01/2023", ""])), [unreadable, missing]),
            (Arc::new(StringArray::from(vec!["{\"$date\":[]}", "NaT"])), [unreadable, missing]),
            (Arc::new(StringArray::from(vec!["{", "None"])), [unreadable, missing]),
            (Arc::new(Int64Array::from(vec![Some(i64::MAX), None])), [unreadable, missing]),
            (Arc::new(UInt64Array::from(vec![Some(u64::MAX), None])), [unreadable, missing]),
            (Arc::new(Float64Array::from(vec![f64::INFINITY, f64::NAN])), [unreadable, missing]),
            (Arc::new(Float64Array::from(vec![Some(-1e300), None])), [unreadable, missing]),
            (Arc::new(TimestampSecondArray::from(vec![Some(i64::MAX), None])), [unreadable, missing]),
            (Arc::new(Date32Array::from(vec![Some(i32::MAX), None])), [unreadable, missing]),
            (Arc::new(Date64Array::from(vec![Some(i64::MIN), None])), [unreadable, missing]),
            (Arc::new(BooleanArray::from(vec![Some(true), None])), [unreadable, missing]),
            (Arc::new(Time64MicrosecondArray::from(vec![Some(5), None])), [unreadable, missing]),
            (nested("$date", Arc::new(StringArray::from(vec![Some("x"), None]))), [unreadable, missing]),
            (nested("other", Arc::new(Int64Array::from(vec![SECOND, SECOND]))), [unreadable, unreadable]),
        ];
        for (column, expected) in cases {
            assert_eq!(read(Arc::clone(&column), Unit::Seconds), expected, "{column:?}");
        }
    }
}
