//! A person's own statement: read-only, one at a time, within limits.
//!
//! What may run is decided by DuckDB's own parser, not by looking at the text: the statement must be one that only
//! reads (SELECT in all its forms, FROM, VALUES, WITH, PIVOT, DESCRIBE, SHOW, SUMMARIZE; EXPLAIN of them), and may call no
//! function that acts on the instance. It then runs in a read-only transaction of a database that can open no other file
//! and whose configuration is locked.
//!
//! Its memory is bounded as far as DuckDB counts it. What a function writes within a row or a list counts towards no limit
//! (`repeat('x', 2000000000)`), so a program that lets strangers ask bounds the process that the lake lives in.

mod failure;
mod guard;
mod nearest;
mod pivot;
mod watch;

use std::io::Write;
use std::time::Duration;

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use crate::{Lake, LakeError, rows};

use pivot::Edited;

pub use failure::{SqlError, SqlErrorKind};
pub use watch::Cancel;
pub(crate) use watch::Watch;

/// How much a statement may take. The default is a minute and no other limit.
#[derive(Clone, Debug)]
pub struct SqlLimits {
    /// How long it may run.
    pub time: Duration,
    /// Bytes by which DuckDB's memory may grow meanwhile; None: only the lake's own limit holds.
    pub memory_bytes_max: Option<u64>,
    /// Rows after which the result ends: [`SqlSummary::truncated`].
    pub rows_max: Option<u64>,
    /// Stops it from another thread.
    pub cancel: Cancel,
}

impl Default for SqlLimits {
    fn default() -> Self {
        SqlLimits { time: Duration::from_secs(60), memory_bytes_max: None, rows_max: None, cancel: Cancel::default() }
    }
}

/// The size of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlSummary {
    /// Rows written.
    pub rows: u64,
    /// Whether there were more than `rows_max`.
    pub truncated: bool,
}

impl Lake {
    /// Runs one statement and writes its rows as an Arrow IPC stream while they come.
    ///
    /// After an error the stream is cut: a statement can fail in the middle. The lake lives on after each.
    pub fn sql(&self, text: &str, limits: &SqlLimits, out: &mut dyn Write) -> Result<SqlSummary, SqlError> {
        // A connection that looks into `main` only.
        let connection = self.another()?;
        let watched = ask(&connection, || self.another(), text, limits, out);
        watched.unwrap_or_else(|error: LakeError| Err(error.into()))
    }
}

/// The same on a connection of any DuckDB; `gauge` makes another one to the same. The outer error means that the connection is
/// not to be used again.
pub(crate) fn ask(
    connection: &Connection,
    gauge: impl Fn() -> Result<Connection, LakeError>,
    text: &str,
    limits: &SqlLimits,
    out: &mut dyn Write,
) -> Result<Result<SqlSummary, SqlError>, LakeError> {
    let (mut result, mut is_stopped) = attempt(connection, &gauge, text, limits, out)?;
    for _ in 0..ATTEMPTS_AT_THE_CAUSE {
        if is_stopped || !result.as_ref().is_err_and(|error| error.kind == SqlErrorKind::Cancelled) {
            break;
        }
        match attempt(connection, &gauge, text, limits, &mut std::io::sink())? {
            (Err(error), stopped) => (result, is_stopped) = (Err(error), stopped),
            (Ok(_), _) => break,
        }
    }
    Ok(result)
}

/// A statement that fails in one thread interrupts its others, and DuckDB may tell of that instead of the cause. The statement, which only
/// reads, then runs again so many times at most, its rows unread, until the cause is told.
const ATTEMPTS_AT_THE_CAUSE: u32 = 4;

/// Runs a statement once; also says whether the watch stopped it.
fn attempt(
    connection: &Connection,
    gauge: &impl Fn() -> Result<Connection, LakeError>,
    text: &str,
    limits: &SqlLimits,
    out: &mut dyn Write,
) -> Result<(Result<SqlSummary, SqlError>, bool), LakeError> {
    connection.execute_batch("begin transaction read only")?;
    let watch = Watch::start(gauge, connection, limits)?;
    // What a PIVOT asks before it runs is watched too.
    let result = guard::admit(connection, text).and_then(|admitted| run(connection, &admitted, text, limits, out));
    let stopped = watch.stop();
    connection.execute_batch("rollback")?;
    let is_stopped = stopped.is_some();
    Ok((result.map_err(|error| error.explain(stopped)), is_stopped))
}

fn run(
    connection: &Connection,
    admitted: &Edited,
    typed: &str,
    limits: &SqlLimits,
    out: &mut dyn Write,
) -> Result<SqlSummary, SqlError> {
    let engine = |error: duckdb::Error| SqlError::from_engine(admitted, typed, error);
    let output = |error: LakeError| SqlError::plain(SqlErrorKind::Output, error.to_string());
    let mut statement = connection.prepare(&admitted.text).map_err(engine)?;
    let schema = statement.stream_arrow([]).map_err(engine)?.get_schema();
    let mut writer = rows::stream(out, &schema).map_err(output)?;
    let mut left = limits.rows_max.unwrap_or(u64::MAX);
    let mut summary = SqlSummary { rows: 0, truncated: false };
    while let Some(batch) = statement.step().map_err(engine)? {
        let mut batch = RecordBatch::from(&batch);
        if batch.num_rows() as u64 > left {
            summary.truncated = true;
            batch = batch.slice(0, left as usize);
        }
        writer.write(&batch).map_err(|error| output(rows::arrow(error)))?;
        summary.rows += batch.num_rows() as u64;
        left -= batch.num_rows() as u64;
        if summary.truncated {
            break;
        }
    }
    writer.finish().map_err(|error| output(rows::arrow(error)))?;
    Ok(summary)
}
