//! Rows as a person or a program wants them: table, CSV, JSON, Parquet.
//!
//! Rows arrive as an Arrow IPC stream, from the lake in this process or from the process that owns the folder, and leave batch
//! by batch: a large answer is never held whole (but by the table, which shows the first [`TABLE_ROWS_MAX`]).

mod bars;
mod cells;
pub mod report;
mod style;
mod table;

use std::io::{Read, Write};
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{RecordBatch, make_array};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;

use crate::cli::Format;
pub use cells::{counted, with_separators};
pub use style::Style;

/// How many rows a table shows; the rest is counted.
pub const TABLE_ROWS_MAX: usize = 1_000;

/// Writes the rows of an Arrow IPC stream to `out`.
pub fn write_rows(ipc: impl Read, format: Format, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer = Answer::new(ipc)?;
    match format {
        Format::Table => table::write(answer, style, out),
        Format::Csv => write_csv(answer, out),
        Format::Json => write_json(answer, out),
        Format::Parquet => write_parquet(answer, out),
    }
}

/// Reads a small answer whole.
pub fn read_rows(ipc: &[u8]) -> anyhow::Result<RecordBatch> {
    let answer = Answer::new(ipc)?;
    let schema = answer.schema.clone();
    let batches = answer.collect::<anyhow::Result<Vec<_>>>()?;
    arrow::compute::concat_batches(&schema, &batches).context("read the answer")
}

/// An answer's batches. The lake says `UTC`; Arrow's writers know time zones by their offset.
struct Answer<R: Read> {
    reader: StreamReader<R>,
    schema: SchemaRef,
}

impl<R: Read> Answer<R> {
    fn new(ipc: R) -> anyhow::Result<Answer<R>> {
        let reader = StreamReader::try_new(ipc, None).context("read the answer")?;
        let field = |field: &FieldRef| Arc::new(field.as_ref().clone().with_data_type(with_offset(field.data_type())));
        let schema = Arc::new(Schema::new(reader.schema().fields().iter().map(field).collect::<Fields>()));
        Ok(Answer { reader, schema })
    }

    fn with_offsets(&self, batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
        let columns = batch.columns().iter().zip(self.schema.fields()).map(|(column, field)| match field.data_type() {
            kind if kind == column.data_type() => Ok(Arc::clone(column)),
            kind => Ok(make_array(column.to_data().into_builder().data_type(kind.clone()).build()?)),
        });
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns.collect::<anyhow::Result<_>>()?)?)
    }
}

impl<R: Read> Iterator for Answer<R> {
    type Item = anyhow::Result<RecordBatch>;

    fn next(&mut self) -> Option<anyhow::Result<RecordBatch>> {
        let batch = self.reader.next()?.context("read the answer");
        Some(batch.and_then(|batch| self.with_offsets(&batch)))
    }
}

fn with_offset(kind: &DataType) -> DataType {
    match kind {
        DataType::Timestamp(unit, Some(_)) => DataType::Timestamp(*unit, Some(Arc::from("+00:00"))),
        other => other.clone(),
    }
}

fn write_csv<R: Read>(answer: Answer<R>, out: &mut dyn Write) -> anyhow::Result<()> {
    let schema = answer.schema.clone();
    let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(out);
    let mut wrote = false;
    for batch in answer {
        writer.write(&nested_as_text(&batch?)?)?;
        wrote = true;
    }
    if !wrote {
        writer.write(&nested_as_text(&RecordBatch::new_empty(schema))?)?;
    }
    Ok(())
}

/// CSV has no lists and structs: they become their JSON text.
fn nested_as_text(batch: &RecordBatch) -> anyhow::Result<RecordBatch> {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if field.data_type().is_nested() || matches!(field.data_type(), DataType::Binary | DataType::LargeBinary) {
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            columns.push(Arc::new(cells::as_text(column)?) as Arc<dyn arrow::array::Array>);
        } else {
            fields.push(Arc::clone(field));
            columns.push(Arc::clone(column));
        }
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

fn write_json<R: Read>(answer: Answer<R>, out: &mut dyn Write) -> anyhow::Result<()> {
    let builder = arrow::json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, arrow::json::writer::JsonArray>(&mut *out);
    for batch in answer {
        writer.write(&batch?)?;
    }
    writer.finish()?;
    drop(writer);
    writeln!(out)?;
    Ok(())
}

fn write_parquet<R: Read>(answer: Answer<R>, out: &mut dyn Write) -> anyhow::Result<()> {
    use parquet::arrow::ArrowWriter;
    use parquet::basic::{Compression, ZstdLevel};
    use parquet::file::properties::WriterProperties;

    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let schema = answer.schema.clone();
    // A parquet writer wants to own something that is Send; the answer is streamed through a buffer a row group long.
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    for batch in answer {
        writer.write(&batch?)?;
        let finished = std::mem::take(writer.inner_mut());
        out.write_all(&finished)?;
    }
    out.write_all(&writer.into_inner()?)?;
    Ok(())
}
