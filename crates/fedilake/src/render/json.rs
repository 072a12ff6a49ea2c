//! Rows as JSON objects, one a line: in one array, or as JSON lines.

use std::io::{Read, Write};

use super::Answer;
use super::value::{self, Form, Values};

/// The arrangement of the objects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Array,
    Lines,
}

/// Writes one array of all rows, closed after the last row only: an answer that broke off is not valid JSON.
pub(super) fn write_array<R: Read>(answer: Answer<R>, out: &mut dyn Write) -> anyhow::Result<()> {
    out.write_all(b"[")?;
    write(answer, Layout::Array, out)?;
    Ok(out.write_all(b"]\n")?)
}

/// Writes one object a line.
pub(super) fn write_lines<R: Read>(answer: Answer<R>, out: &mut dyn Write) -> anyhow::Result<()> {
    write(answer, Layout::Lines, out)
}

fn write<R: Read>(answer: Answer<R>, layout: Layout, out: &mut dyn Write) -> anyhow::Result<()> {
    let key = |name: &String| {
        let mut key = Vec::new();
        value::write_json_text(name, &mut key);
        key.push(b':');
        key
    };
    let keys: Vec<Vec<u8>> = answer.names.iter().map(key).collect();
    let mut is_first = true;
    for batch in answer {
        let batch = batch?;
        let columns = Values::of(&batch)?;
        let mut objects = Vec::new();
        for row in 0..batch.num_rows() {
            if layout == Layout::Array && !std::mem::take(&mut is_first) {
                objects.extend_from_slice(b",\n");
            }
            objects.push(b'{');
            for (number, (key, values)) in keys.iter().zip(&columns).enumerate() {
                if number > 0 {
                    objects.push(b',');
                }
                objects.extend_from_slice(key);
                values.write(row, Form::Json, &mut objects);
            }
            objects.push(b'}');
            if layout == Layout::Lines {
                objects.push(b'\n');
            }
        }
        out.write_all(&objects)?;
    }
    Ok(())
}
