//! Rows as CSV: a header, a line a row, in UTF-8 with line ends `\n`; otherwise as in RFC 4180.
//!
//! A missing value is an empty field, an empty text is `""`. In a table of one column a missing value is `""` too,
//! because readers skip empty lines.

use std::io::{Read, Write};

use arrow::array::RecordBatch;

use super::Answer;
use super::value::{Form, Values};

/// Writes a header and all rows.
pub(super) fn write<R: Read>(answer: Answer<R>, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut header = Vec::new();
    for (number, name) in answer.names.iter().enumerate() {
        separate(number, &mut header);
        write_field(name.as_bytes(), &mut header);
    }
    header.push(b'\n');
    out.write_all(&header)?;
    for batch in answer {
        out.write_all(&lines(&batch?)?)?;
    }
    Ok(())
}

fn lines(batch: &RecordBatch) -> anyhow::Result<Vec<u8>> {
    let columns = Values::of(batch)?;
    let (mut lines, mut field) = (Vec::new(), Vec::new());
    for row in 0..batch.num_rows() {
        for (number, values) in columns.iter().enumerate() {
            separate(number, &mut lines);
            if !values.is_null(row) {
                field.clear();
                values.write(row, Form::Field, &mut field);
                write_field(&field, &mut lines);
            } else if columns.len() == 1 {
                write_field(b"", &mut lines);
            }
        }
        lines.push(b'\n');
    }
    Ok(lines)
}

fn separate(number: usize, line: &mut Vec<u8>) {
    if number > 0 {
        line.push(b',');
    }
}

fn write_field(field: &[u8], line: &mut Vec<u8>) {
    if !field.is_empty() && !field.iter().any(|byte| b",\"\n\r".contains(byte)) {
        return line.extend_from_slice(field);
    }
    line.push(b'"');
    for byte in field {
        line.push(*byte);
        if *byte == b'"' {
            line.push(b'"');
        }
    }
    line.push(b'"');
}
