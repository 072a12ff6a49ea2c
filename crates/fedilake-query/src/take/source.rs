//! Reads Parquet files for the lake, through an in-memory DuckDB that may open files and has no tables.

use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use arrow::array::RecordBatch;
use duckdb::Connection;

use crate::error::message;
use crate::lake::layout;
use crate::literal::literal;
use crate::take::Reading;
use crate::{LakeError, views};

/// Sends the rows of one reading, in DuckDB's batches and in the form that merge/stage.sql expects. Stops early if
/// the receiver is gone.
pub(crate) fn read(outside: &Connection, reading: &Reading, rows: &SyncSender<RecordBatch>) -> Result<(), LakeError> {
    stream(outside, &sql(reading), rows).map_err(|error| blame(outside, reading, &error))
}

fn stream(outside: &Connection, sql: &str, rows: &SyncSender<RecordBatch>) -> duckdb::Result<()> {
    let mut statement = outside.prepare(sql)?;
    // The iterator would panic on a damaged page; `step` returns the error.
    drop(statement.stream_arrow([])?);
    while let Some(batch) = statement.step()? {
        if rows.send(RecordBatch::from(&batch)).is_err() {
            break;
        }
    }
    Ok(())
}

fn sql(reading: &Reading) -> String {
    include_str!("source.sql")
        .replace("{log_partition}", &reading.log_partition.to_string())
        .replace("{from}", &reading.from.to_string())
        .replace("{next}", &reading.next.to_string())
        .replace("{topics}", &layout::topics_sql())
        .replace("{snowflake}", &views::snowflake("created_at"))
        .replace("{typed}", &views::typed_nulls())
        .replace("{columns}", &views::cast_columns())
        .replace("{shown}", &views::shown_columns(&["sort"]))
        .replace("{is_shown}", &views::is_shown())
        .replace("{is_delete}", views::IS_DELETE)
        .replace("{deleted_at}", &views::deleted_at())
        .replace("{files}", &files(&reading.files))
}

/// A SQL list of file names.
pub(crate) fn files(paths: &[PathBuf]) -> String {
    let names: Vec<_> = paths.iter().map(|path| literal(&path.to_string_lossy())).collect();
    format!("[{}]", names.join(", "))
}

/// Finds the file that made a reading fail, because it is damaged or does not have the table's columns: DuckDB does
/// not always name it. A file that could not be opened, or not be read for lack of memory, is no damaged one.
fn blame(outside: &Connection, reading: &Reading, error: &duckdb::Error) -> LakeError {
    let read_columns = |path: &Path| {
        let sql = sql(&Reading { files: vec![path.to_owned()], ..reading.clone() });
        outside.prepare(&format!("select count(hash(columns(*))) from ({sql})"))?.execute([]).map(|_| ())
    };
    for path in &reading.files {
        if let Err(error) = read_whole(outside, path).and_then(|()| read_columns(path)) {
            let reason = message(&error);
            return match LakeError::from(error) {
                error @ (LakeError::OutOfMemory(_) | LakeError::Interrupted) => error,
                _ if reason.contains("Cannot open file") => LakeError::Engine(reason),
                _ => LakeError::DamagedFile { path: path.clone(), reason },
            };
        }
    }
    LakeError::Engine(message(error))
}

/// Reads every value of a file.
pub(crate) fn read_whole(outside: &Connection, path: &Path) -> duckdb::Result<()> {
    let sql = format!("select count(hash(columns(*))) from read_parquet({})", files(&[path.to_owned()]));
    outside.prepare(&sql)?.execute([]).map(|_| ())
}
