//! An answer: rows as an Arrow IPC stream.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::ipc::writer::StreamWriter;
use duckdb::Connection;

use crate::LakeError;

/// The rows of an answer, with a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// One Arrow IPC stream: a schema, then any number of batches.
    pub ipc: Vec<u8>,
    /// A denominator or a caveat for the reader, as a sentence.
    pub note: Option<String>,
}

/// Settings of connections that answer. Without `arrow_lossless_conversion` a `hugeint` of 39 digits silently becomes
/// another number, and a time loses its zone; with it, such types come as bytes with DuckDB's name of the type.
pub(crate) const SETTINGS: &str = "set global timezone = 'UTC'; set global arrow_lossless_conversion = true";

/// Runs one statement and returns its whole result.
pub(crate) fn query(connection: &Connection, sql: &str) -> Result<Rows, LakeError> {
    let mut ipc = Vec::new();
    let mut statement = connection.prepare(sql)?;
    let schema = statement.query_arrow([])?.get_schema();
    let mut writer = StreamWriter::try_new(&mut ipc, &schema).map_err(arrow)?;
    while let Some(batch) = statement.step()? {
        writer.write(&RecordBatch::from(&batch)).map_err(arrow)?;
    }
    writer.finish().map_err(arrow)?;
    drop(writer);
    Ok(Rows { ipc, note: None })
}

/// Writes `batches` of one schema as an IPC stream.
pub(crate) fn stream<W: Write>(writer: W, schema: &arrow::datatypes::Schema) -> Result<StreamWriter<W>, LakeError> {
    StreamWriter::try_new(writer, schema).map_err(arrow)
}

pub(crate) fn arrow(error: arrow::error::ArrowError) -> LakeError {
    LakeError::Engine(format!("Arrow IPC: {error}"))
}
