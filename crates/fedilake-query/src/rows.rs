//! An answer: rows as an Arrow IPC stream.

use std::io::Write;

use arrow_ipc::writer::StreamWriter;
use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;

use crate::LakeError;

/// The rows of an answer, and what a reader should know beside them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// One Arrow IPC stream: a schema, then any number of batches.
    pub ipc: Vec<u8>,
    /// A denominator or a caveat, as a sentence.
    pub note: Option<String>,
}

/// Runs one statement and keeps its whole result.
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
pub(crate) fn stream<W: Write>(
    writer: W,
    schema: &duckdb::arrow::datatypes::Schema,
) -> Result<StreamWriter<W>, LakeError> {
    StreamWriter::try_new(writer, schema).map_err(arrow)
}

pub(crate) fn arrow(error: duckdb::arrow::error::ArrowError) -> LakeError {
    LakeError::Engine(format!("Arrow IPC: {error}"))
}
