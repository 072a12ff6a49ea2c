//! One column under construction: takes values from record bodies, and can be cut back when a body turns out bad.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, Int32Array, Int64Array, ListArray, NullBufferBuilder,
    StringArray, TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::error::ArrowError;

use super::body::{take_boolean, take_branch, take_bytes, take_count, take_int, take_long};
use super::shape::FieldType;

/// The values of one column so far.
#[derive(Debug)]
pub(super) struct Column {
    data_type: DataType,
    values: Values,
    /// Which rows are not null; no bits while all are.
    valid: NullBufferBuilder,
}

#[derive(Debug)]
enum Values {
    Booleans(BooleanBufferBuilder),
    Ints(Vec<i32>),
    Longs(Vec<i64>),
    /// Microseconds since 1970.
    Times(Vec<i64>),
    /// The end of each text or byte string within `bytes`, after a leading zero; and all bytes in a row.
    Bytes {
        ends: Vec<i32>,
        bytes: Vec<u8>,
    },
    /// The end of each list within the items, after a leading zero; and the items.
    Lists {
        ends: Vec<i32>,
        items: Box<Column>,
    },
}

/// When texts are checked for valid UTF-8. Checking a whole column at once costs half as much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Texts {
    /// Check each text when it is taken, so that a bad one rejects only its own record.
    Each,
    /// Check the whole column in [`Column::finish`].
    AtLast,
}

impl Column {
    /// An empty column; `None` if no column of the table has this type.
    pub(super) fn new(data_type: &DataType) -> Option<Column> {
        let values = match data_type {
            DataType::Boolean => Values::Booleans(BooleanBufferBuilder::new(0)),
            DataType::Int32 => Values::Ints(Vec::new()),
            DataType::Int64 => Values::Longs(Vec::new()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Values::Times(Vec::new()),
            DataType::Utf8 | DataType::Binary => Values::Bytes { ends: vec![0], bytes: Vec::new() },
            DataType::List(item) => Values::Lists { ends: vec![0], items: Box::new(Column::new(item.data_type())?) },
            _ => return None,
        };
        Some(Column { data_type: data_type.clone(), values, valid: NullBufferBuilder::new(0) })
    }

    pub(super) fn len(&self) -> usize {
        self.valid.len()
    }

    /// True if the column stores values of this kind.
    pub(super) fn holds(&self, kind: &FieldType) -> bool {
        match (&self.values, kind) {
            (_, FieldType::Nullable(kind)) => self.holds(kind),
            (Values::Lists { items, .. }, FieldType::List(kind)) => items.holds(kind),
            (Values::Booleans(_), FieldType::Boolean)
            | (Values::Ints(_), FieldType::Int)
            | (Values::Longs(_), FieldType::Long)
            | (Values::Times(_), FieldType::Time(_)) => true,
            (Values::Bytes { .. }, FieldType::Text) => self.data_type == DataType::Utf8,
            (Values::Bytes { .. }, FieldType::Bytes) => self.data_type == DataType::Binary,
            _ => false,
        }
    }

    /// Reads one value from the front of a body. On `None` the column may hold a part of the value: call
    /// [`Column::truncate`].
    #[inline(always)]
    pub(super) fn take(&mut self, kind: &FieldType, body: &mut &[u8], texts: Texts) -> Option<()> {
        let kind = match kind {
            FieldType::Nullable(_) if !take_branch(body)? => {
                self.push_null();
                return Some(());
            }
            FieldType::Nullable(kind) => kind,
            kind => kind,
        };
        match (&mut self.values, kind) {
            (Values::Booleans(values), FieldType::Boolean) => values.append(take_boolean(body)?),
            (Values::Ints(values), FieldType::Int) => values.push(take_int(body)?),
            (Values::Longs(values), FieldType::Long) => values.push(take_long(body)?),
            (Values::Times(values), FieldType::Time(unit)) => {
                let micros = unit.micros(take_long(body)?);
                values.push(micros.unwrap_or_default());
                self.valid.append(micros.is_some());
                return Some(());
            }
            (Values::Bytes { ends, bytes }, kind) => {
                let taken = take_bytes(body)?;
                if *kind == FieldType::Text && texts == Texts::Each {
                    std::str::from_utf8(taken).ok()?;
                }
                push_bytes(ends, bytes, taken);
            }
            (Values::Lists { ends, items }, FieldType::List(kind)) => {
                items.take_all(kind, body, texts)?;
                ends.push(end(items.len()));
            }
            (_, kind) => unreachable!("{kind:?} was held against the column when the schema was read"),
        }
        self.valid.append(true);
        Some(())
    }

    /// Reads the items of one list from the front of a body.
    fn take_all(&mut self, kind: &FieldType, body: &mut &[u8], texts: Texts) -> Option<()> {
        loop {
            match take_count(body)? {
                0 => return Some(()),
                // Each item takes at least one byte, so a false count stops at the end of the body.
                count => (0..count).try_for_each(|_| self.take(kind, body, texts))?,
            }
        }
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        match &mut self.values {
            Values::Booleans(values) => values.append(false),
            Values::Ints(values) => values.push(0),
            Values::Longs(values) | Values::Times(values) => values.push(0),
            Values::Bytes { ends, bytes } => ends.push(end(bytes.len())),
            Values::Lists { ends, items } => ends.push(end(items.len())),
        }
        self.valid.append(false);
    }

    pub(super) fn push_int(&mut self, value: i32) {
        let Values::Ints(values) = &mut self.values else { unreachable!("the column holds 32-bit integers") };
        values.push(value);
        self.valid.append(true);
    }

    /// Appends to a column of 64-bit integers, or microseconds since 1970 to a column of times.
    pub(super) fn push_long(&mut self, value: i64) {
        let (Values::Longs(values) | Values::Times(values)) = &mut self.values else {
            unreachable!("the column holds 64-bit integers")
        };
        values.push(value);
        self.valid.append(true);
    }

    /// Appends a text to a column of texts, or bytes to a column of bytes.
    pub(super) fn push_bytes(&mut self, value: &[u8]) {
        let Values::Bytes { ends, bytes } = &mut self.values else { unreachable!("the column holds bytes") };
        push_bytes(ends, bytes, value);
        self.valid.append(true);
    }

    /// Keeps only the first `rows` rows.
    pub(super) fn truncate(&mut self, rows: usize) {
        match &mut self.values {
            Values::Booleans(values) => values.truncate(rows),
            Values::Ints(values) => values.truncate(rows),
            Values::Longs(values) | Values::Times(values) => values.truncate(rows),
            Values::Bytes { ends, bytes } => {
                ends.truncate(rows + 1);
                bytes.truncate(ends[rows] as usize);
            }
            Values::Lists { ends, items } => {
                ends.truncate(rows + 1);
                items.truncate(ends[rows] as usize);
            }
        }
        self.valid.truncate(rows);
    }

    /// Turns the rows into an Arrow array and empties the column. The error says that a text is not valid UTF-8.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        // A null that was cut off leaves bits behind.
        let nulls = self.valid.finish().filter(|valid| valid.null_count() > 0);
        Ok(match &mut self.values {
            Values::Booleans(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Values::Ints(values) => Arc::new(Int32Array::try_new(emptied(values).into(), nulls)?),
            Values::Longs(values) => Arc::new(Int64Array::try_new(emptied(values).into(), nulls)?),
            Values::Times(values) => {
                let times = TimestampMicrosecondArray::try_new(emptied(values).into(), nulls)?;
                Arc::new(times.with_data_type(self.data_type.clone()))
            }
            Values::Bytes { ends, bytes } => {
                let (offsets, bytes) = (offsets(ends), Buffer::from_vec(emptied(bytes)));
                match &self.data_type {
                    DataType::Utf8 => Arc::new(StringArray::try_new(offsets, bytes, nulls)?),
                    _ => Arc::new(BinaryArray::try_new(offsets, bytes, nulls)?),
                }
            }
            Values::Lists { ends, items } => {
                let DataType::List(item) = &self.data_type else { unreachable!("a list's type is a list") };
                Arc::new(ListArray::try_new(item.clone(), offsets(ends), items.finish()?, nulls)?)
            }
        })
    }
}

fn push_bytes(ends: &mut Vec<i32>, bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.extend_from_slice(value);
    ends.push(end(bytes.len()));
}

fn end(length: usize) -> i32 {
    i32::try_from(length).expect("all records of a batch together are below 2 GiB")
}

fn offsets(ends: &mut Vec<i32>) -> OffsetBuffer<i32> {
    let rows = ends.len();
    let mut next = Vec::with_capacity(rows);
    next.push(0);
    OffsetBuffer::new(std::mem::replace(ends, next).into())
}

/// Keeps the capacity: the next batch is probably as large as this one.
fn emptied<T>(values: &mut Vec<T>) -> Vec<T> {
    let next = Vec::with_capacity(values.len());
    std::mem::replace(values, next)
}
