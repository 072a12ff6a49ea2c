//! Values as text: only this module knows how each type of an answer is written for people, for CSV and for JSON.
//!
//! Values of DuckDB types that Arrow lacks come as bytes with the type's name: the lake sets
//! `arrow_lossless_conversion`, because without it a `hugeint` of 39 digits silently becomes another number and a
//! time loses its zone. docs/sql.md has the whole list.

use std::io::Write;
use std::ops::Range;

use anyhow::{bail, ensure};
use arrow::array::types::{
    ArrowPrimitiveType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType, Float16Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, UnionArray};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, DurationMicrosecondType, Field, Fields, IntervalMonthDayNanoType, IntervalUnit,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

use super::special::{self, Special};
use super::{time, unique_names};

/// The reader of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A person: `2024-05-01 12:00:00Z`, lists and structs without quotes.
    People,
    /// A program that reads a field: `2024-05-01T12:00:00Z`, lists and structs as JSON.
    Field,
    /// A program that reads JSON.
    Json,
    /// A web page: JSON in which whole numbers that a double cannot hold are texts.
    Web,
}

impl Form {
    fn is_json(self) -> bool {
        matches!(self, Form::Json | Form::Web)
    }
}

/// The values of a column, ready to be written.
pub(super) struct Values<'a> {
    array: &'a dyn Array,
    kind: Kind<'a>,
}

type Leaf<'a> = Box<dyn Fn(usize, Form, &mut Vec<u8>) + 'a>;
type Rows<'a> = Box<dyn Fn(usize) -> Range<usize> + 'a>;

enum Kind<'a> {
    /// Numbers and booleans: without quotes in JSON, except `NaN` and `Infinity`, which JSON lacks.
    Bare(Leaf<'a>),
    /// ASCII texts without quotes and control characters.
    Plain(Leaf<'a>),
    Text(Box<dyn Fn(usize) -> &'a str + 'a>),
    List(Rows<'a>, Box<Values<'a>>),
    Map(Rows<'a>, Box<Values<'a>>, Box<Values<'a>>),
    Struct(Vec<(String, Values<'a>)>),
    /// A struct whose members have no names.
    Tuple(Vec<Values<'a>>),
    /// A union, written as an object of its one member.
    Union(&'a UnionArray, Vec<(i8, String, Values<'a>)>),
    /// An enum: a key for each row, and the texts.
    Keyed(Box<dyn Fn(usize) -> usize + 'a>, Box<Values<'a>>),
    Null,
}

impl<'a> Values<'a> {
    /// Reads `array`, whose type `field` describes.
    pub(super) fn new(field: &Field, array: &'a dyn Array) -> anyhow::Result<Values<'a>> {
        let kind = match special::of(field) {
            Some(special) => of_special(special, array)?,
            None => of_type(array)?,
        };
        Ok(Values { array, kind })
    }

    /// The columns of a batch.
    pub(super) fn of(batch: &'a RecordBatch) -> anyhow::Result<Vec<Values<'a>>> {
        let columns = batch.schema_ref().fields().iter().zip(batch.columns());
        columns.map(|(field, column)| Values::new(field, column)).collect()
    }

    /// True if the row has no value.
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
            || match &self.kind {
                Kind::Null => true,
                Kind::Keyed(key, values) => values.is_null(key(row)),
                Kind::Union(union, members) => {
                    member(union, members, row).is_none_or(|(_, member)| member.is_null(union.value_offset(row)))
                }
                _ => false,
            }
    }

    /// Writes a row's value; `null` if it has none.
    pub(super) fn write(&self, row: usize, form: Form, out: &mut Vec<u8>) {
        if self.is_null(row) {
            return out.extend_from_slice(b"null");
        }
        match &self.kind {
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::Bare(leaf) if form.is_json() => {
                let start = out.len();
                leaf(row, form, out);
                let is_word = out[start..].iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-');
                if is_word && !is_truth(&out[start..]) || form == Form::Web && is_beyond_doubles(&out[start..]) {
                    out.insert(start, b'"');
                    out.push(b'"');
                }
            }
            Kind::Plain(leaf) if form.is_json() => {
                out.push(b'"');
                leaf(row, form, out);
                out.push(b'"');
            }
            Kind::Bare(leaf) | Kind::Plain(leaf) => leaf(row, form, out),
            Kind::Text(text) if form.is_json() => write_json_text(text(row), out),
            Kind::Text(text) => out.extend_from_slice(text(row).as_bytes()),
            Kind::Keyed(key, values) => values.write(key(row), form, out),
            Kind::List(rows, values) => {
                let (form, items) = (inner(form), rows(row));
                enclosed(form, b"[]", items, out, |item, out| values.write(item, form, out));
            }
            Kind::Map(rows, keys, values) => {
                let (form, entries) = (inner(form), rows(row));
                enclosed(form, b"{}", entries, out, |entry, out| {
                    keys.write_key(entry, form, out);
                    values.write(entry, form, out);
                });
            }
            Kind::Struct(members) => {
                let form = inner(form);
                enclosed(form, b"{}", members.iter(), out, |(name, values), out| {
                    write_key(name, form, out);
                    values.write(row, form, out);
                });
            }
            Kind::Tuple(members) => {
                let (form, ends) = (inner(form), if form == Form::People { b"()" } else { b"[]" });
                enclosed(form, ends, members.iter(), out, |values, out| values.write(row, form, out));
            }
            Kind::Union(union, members) => {
                let form = inner(form);
                let one = member(union, members, row);
                enclosed(form, b"{}", one.into_iter(), out, |(name, values), out| {
                    write_key(name, form, out);
                    values.write(union.value_offset(row), form, out);
                });
            }
        }
    }

    /// The text of a row's value; `None` if it has none.
    pub(super) fn text(&self, row: usize, form: Form) -> Option<String> {
        (!self.is_null(row)).then(|| {
            let mut text = Vec::new();
            self.write(row, form, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        })
    }

    /// Writes the value as a key of an object: in JSON only texts can be keys.
    fn write_key(&self, row: usize, form: Form, out: &mut Vec<u8>) {
        let is_text = matches!(self.kind, Kind::Text(_) | Kind::Plain(_) | Kind::Keyed(..));
        if !form.is_json() || is_text {
            self.write(row, form, out);
            return end_key(form, out);
        }
        let key = self.text(row, Form::Field).unwrap_or_else(|| "null".to_owned());
        write_key(&key, form, out);
    }
}

/// The form of the values within a list or struct: JSON within a field.
fn inner(form: Form) -> Form {
    match form {
        Form::People => Form::People,
        Form::Field | Form::Json => Form::Json,
        Form::Web => Form::Web,
    }
}

fn enclosed<T>(
    form: Form,
    ends: &[u8; 2],
    items: impl Iterator<Item = T>,
    out: &mut Vec<u8>,
    write: impl Fn(T, &mut Vec<u8>),
) {
    out.push(ends[0]);
    for (number, item) in items.enumerate() {
        if number > 0 {
            out.extend_from_slice(if form == Form::People { b", " } else { b"," });
        }
        write(item, out);
    }
    out.push(ends[1]);
}

fn write_key(name: &str, form: Form, out: &mut Vec<u8>) {
    match form {
        Form::People => out.extend_from_slice(name.as_bytes()),
        Form::Field | Form::Json | Form::Web => write_json_text(name, out),
    }
    end_key(form, out);
}

fn end_key(form: Form, out: &mut Vec<u8>) {
    out.extend_from_slice(if form == Form::People { b": " } else { b":" });
}

/// Writes a text as a JSON string.
pub(super) fn write_json_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a text is written to memory");
}

/// True for the members of a struct that DuckDB calls unnamed, such as `row(1, 2)`: each name is empty.
pub(super) fn is_tuple(members: &Fields) -> bool {
    !members.is_empty() && members.iter().all(|member| member.name().is_empty())
}

fn is_truth(text: &[u8]) -> bool {
    matches!(text, b"true" | b"false")
}

/// True for a whole number beyond 2^53, up to which doubles have every whole number.
fn is_beyond_doubles(text: &[u8]) -> bool {
    const GREATEST: &[u8] = b"9007199254740992";
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    digits.iter().all(u8::is_ascii_digit)
        && (digits.len() > GREATEST.len() || digits.len() == GREATEST.len() && digits > GREATEST)
}

/// The member of the union that the row holds.
fn member<'u, 'a>(
    union: &UnionArray,
    members: &'u [(i8, String, Values<'a>)],
    row: usize,
) -> Option<(&'u str, &'u Values<'a>)> {
    let id = union.type_id(row);
    members.iter().find(|(member, ..)| *member == id).map(|(_, name, values)| (name.as_str(), values))
}

/// The kind of an Arrow type without a special name.
fn of_type(array: &dyn Array) -> anyhow::Result<Kind<'_>> {
    Ok(match array.data_type() {
        DataType::Null => Kind::Null,
        DataType::Boolean => {
            let array = array.as_boolean();
            Kind::Bare(Box::new(move |row, _, out| put(out, array.value(row))))
        }
        DataType::Int8 => whole::<Int8Type>(array),
        DataType::Int16 => whole::<Int16Type>(array),
        DataType::Int32 => whole::<Int32Type>(array),
        DataType::Int64 => whole::<Int64Type>(array),
        DataType::UInt8 => whole::<UInt8Type>(array),
        DataType::UInt16 => whole::<UInt16Type>(array),
        DataType::UInt32 => whole::<UInt32Type>(array),
        DataType::UInt64 => whole::<UInt64Type>(array),
        DataType::Float16 => {
            floating::<Float16Type>(array, |value| value.to_f32().into(), |value, out| json(out, value.to_f32()))
        }
        DataType::Float32 => floating::<Float32Type>(array, f64::from, |value, out| json(out, value)),
        DataType::Float64 => floating::<Float64Type>(array, |value| value, |value, out| json(out, value)),
        DataType::Decimal32(..) => decimal::<Decimal32Type>(array),
        DataType::Decimal64(..) => decimal::<Decimal64Type>(array),
        DataType::Decimal128(..) => decimal::<Decimal128Type>(array),
        DataType::Decimal256(..) => decimal::<Decimal256Type>(array),
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            Kind::Text(Box::new(move |row| array.value(row)))
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            Kind::Text(Box::new(move |row| array.value(row)))
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            Kind::Text(Box::new(move |row| array.value(row)))
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            Kind::Plain(Box::new(move |row, _, out| special::hex(array.value(row), out)))
        }
        DataType::LargeBinary => {
            let array = array.as_binary::<i64>();
            Kind::Plain(Box::new(move |row, _, out| special::hex(array.value(row), out)))
        }
        DataType::BinaryView => {
            let array = array.as_binary_view();
            Kind::Plain(Box::new(move |row, _, out| special::hex(array.value(row), out)))
        }
        DataType::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary();
            Kind::Plain(Box::new(move |row, _, out| special::hex(array.value(row), out)))
        }
        DataType::Date32 => plain::<Date32Type>(array, |days, _, out| match days {
            time::DATE_INFINITY => out.extend_from_slice(b"infinity"),
            days if days == -time::DATE_INFINITY => out.extend_from_slice(b"-infinity"),
            days => time::date(days.into(), out),
        }),
        DataType::Date64 => plain::<Date64Type>(array, |millis, _, out| time::date(millis.div_euclid(86_400_000), out)),
        DataType::Time32(TimeUnit::Second) => {
            plain::<Time32SecondType>(array, |time, _, out| time::clock(time.into(), 1, out))
        }
        DataType::Time32(_) => {
            plain::<Time32MillisecondType>(array, |time, _, out| time::clock(time.into(), 1_000, out))
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            plain::<Time64NanosecondType>(array, |time, _, out| time::clock(time, 1_000_000_000, out))
        }
        DataType::Time64(_) => plain::<Time64MicrosecondType>(array, |time, _, out| time::clock(time, 1_000_000, out)),
        DataType::Timestamp(unit, zone) => {
            let zone = zone.is_some();
            match unit {
                TimeUnit::Second => instants::<TimestampSecondType>(array, 1, zone),
                TimeUnit::Millisecond => instants::<TimestampMillisecondType>(array, 1_000, zone),
                TimeUnit::Microsecond => instants::<TimestampMicrosecondType>(array, 1_000_000, zone),
                TimeUnit::Nanosecond => instants::<TimestampNanosecondType>(array, 1_000_000_000, zone),
            }
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            plain::<IntervalMonthDayNanoType>(array, |interval, _, out| {
                time::interval(interval.months, interval.days, time::micros_of_interval(interval.nanoseconds), out);
            })
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            plain::<DurationMicrosecondType>(array, |micros, _, out| time::interval(0, 0, micros, out))
        }
        DataType::List(item) => {
            let list = array.as_list::<i32>();
            list_of(item, list.values(), move |row| list.offsets()[row] as usize..list.offsets()[row + 1] as usize)?
        }
        DataType::LargeList(item) => {
            let list = array.as_list::<i64>();
            list_of(item, list.values(), move |row| list.offsets()[row] as usize..list.offsets()[row + 1] as usize)?
        }
        DataType::FixedSizeList(item, length) => {
            let (list, length) = (array.as_fixed_size_list(), *length as usize);
            list_of(item, list.values(), move |row| row * length..(row + 1) * length)?
        }
        DataType::Map(entries, _) => {
            let map = array.as_map();
            let DataType::Struct(fields) = entries.data_type() else { bail!("a map has no entries") };
            let rows = move |row: usize| map.offsets()[row] as usize..map.offsets()[row + 1] as usize;
            let (keys, values) = (Values::new(&fields[0], map.keys())?, Values::new(&fields[1], map.values())?);
            Kind::Map(Box::new(rows), Box::new(keys), Box::new(values))
        }
        DataType::Struct(fields) => {
            let members = fields.iter().zip(array.as_struct().columns());
            let members = members.map(|(field, column)| Values::new(field, column));
            let members = members.collect::<anyhow::Result<Vec<_>>>()?;
            match is_tuple(fields) {
                true => Kind::Tuple(members),
                false => Kind::Struct(unique_names(fields).into_iter().zip(members).collect()),
            }
        }
        DataType::Union(fields, _) => {
            let union = array.as_union();
            let members = fields
                .iter()
                .map(|(id, field)| Ok((id, field.name().clone(), Values::new(field, union.child(id))?)))
                .collect::<anyhow::Result<_>>()?;
            Kind::Union(union, members)
        }
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = dictionary.values();
            let field = Field::new("", values.data_type().clone(), true);
            let keys = dictionary.normalized_keys();
            Kind::Keyed(Box::new(move |row| keys[row]), Box::new(Values::new(&field, values)?))
        }
        other => bail!("a column of type {other} cannot be written\nhint: cast it in the question: column::varchar"),
    })
}

/// The kind of a DuckDB type that Arrow lacks.
fn of_special(special: Special, array: &dyn Array) -> anyhow::Result<Kind<'_>> {
    let is_as_expected = match (special, array.data_type()) {
        (Special::Truth, DataType::Int8) => true,
        (Special::Big | Special::Bits, DataType::Binary) => true,
        (special, DataType::FixedSizeBinary(width)) => special.width() == Some(*width),
        _ => false,
    };
    ensure!(is_as_expected, "a {special:?} came as {}", array.data_type());
    let bytes = |write: fn(&[u8], &mut Vec<u8>)| -> Leaf<'_> {
        match array.as_binary_opt::<i32>() {
            Some(array) => Box::new(move |row, _, out| write(array.value(row), out)),
            None => {
                let array = array.as_fixed_size_binary();
                Box::new(move |row, _, out| write(array.value(row), out))
            }
        }
    };
    Ok(match special {
        Special::Truth => {
            let array = array.as_primitive::<Int8Type>();
            Kind::Bare(Box::new(move |row, _, out| put(out, array.value(row) != 0)))
        }
        Special::Huge => Kind::Bare(bytes(|value, out| put(out, special::huge(value)))),
        Special::HugeUnsigned => Kind::Bare(bytes(|value, out| put(out, special::huge_unsigned(value)))),
        Special::Big => Kind::Bare(bytes(|value, out| put(out, special::big(value)))),
        Special::Uuid => Kind::Plain(bytes(special::uuid)),
        Special::Bits => Kind::Plain(bytes(special::bits)),
        Special::TimeWithZone => Kind::Plain(bytes(special::time_with_zone)),
    })
}

fn list_of<'a>(
    item: &Field,
    values: &'a ArrayRef,
    rows: impl Fn(usize) -> Range<usize> + 'a,
) -> anyhow::Result<Kind<'a>> {
    Ok(Kind::List(Box::new(rows), Box::new(Values::new(item, values)?)))
}

fn whole<T: ArrowPrimitiveType<Native: std::fmt::Display>>(array: &dyn Array) -> Kind<'_> {
    let array = array.as_primitive::<T>();
    Kind::Bare(Box::new(move |row, _, out| put(out, array.value(row))))
}

/// A float as JSON writes it; `NaN` and `Infinity`, which JSON lacks, are the same words in all forms.
fn floating<T: ArrowPrimitiveType>(
    array: &dyn Array,
    wide: impl Fn(T::Native) -> f64 + 'static,
    write: impl Fn(T::Native, &mut Vec<u8>) + 'static,
) -> Kind<'_> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Kind::Bare(Box::new(move |row, _, out| match (array.value(row), wide(array.value(row))) {
        (_, wide) if wide.is_nan() => out.extend_from_slice(b"NaN"),
        (_, f64::INFINITY) => out.extend_from_slice(b"Infinity"),
        (_, f64::NEG_INFINITY) => out.extend_from_slice(b"-Infinity"),
        (value, _) => write(value, out),
    }))
}

fn decimal<T: DecimalType>(array: &dyn Array) -> Kind<'_> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Kind::Bare(Box::new(move |row, _, out| put(out, array.value_as_string(row))))
}

fn plain<T: ArrowPrimitiveType>(
    array: &dyn Array,
    write: impl Fn(T::Native, Form, &mut Vec<u8>) + 'static,
) -> Kind<'_> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    Kind::Plain(Box::new(move |row, form, out| write(array.value(row), form, out)))
}

fn instants<T: ArrowPrimitiveType<Native = i64>>(array: &dyn Array, a_second: i64, zone: bool) -> Kind<'_> {
    plain::<T>(array, move |instant, form, out| match instant {
        i64::MAX => out.extend_from_slice(b"infinity"),
        time::INSTANT_BEFORE_ALL => out.extend_from_slice(b"-infinity"),
        instant => {
            let between = if form == Form::People { b' ' } else { b'T' };
            time::instant(instant, a_second, between, out);
            if zone {
                out.push(b'Z');
            }
        }
    })
}

fn put(out: &mut Vec<u8>, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("a value is written to memory");
}

fn json(out: &mut Vec<u8>, value: impl serde::Serialize) {
    serde_json::to_writer(out, &value).expect("a number is written to memory");
}
