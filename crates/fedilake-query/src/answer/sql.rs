//! A user's statement: read-only, one at a time, within limits.
//!
//! DuckDB's own parser decides what may run: the statement must be one that only reads (SELECT in all its forms,
//! FROM, VALUES, WITH, PIVOT, DESCRIBE, SHOW, SUMMARIZE; EXPLAIN of them), and may not call a function that acts on
//! the instance. The statement runs in a read-only transaction of a database that can open no other file and whose
//! configuration is locked.
//!
//! Its memory is limited as far as DuckDB counts it. DuckDB does not count the memory that a function uses within a
//! row or a list (`repeat('x', 2000000000)`), so a program that runs other people's statements must limit the memory
//! of the lake's process.

mod failure;
mod guard;
mod intervals;
mod nearest;
mod pivot;
mod watch;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use duckdb::Connection;
use serde::{Deserialize, Serialize};

use crate::lake::from_one_snapshot;
use crate::lake::gauge::Gauge;
use crate::rows;
use crate::{Lake, LakeError};

use pivot::Edited;

pub(crate) use failure::without_place;
pub use failure::{SqlError, SqlErrorKind};
pub(crate) use guard::lists_tables;
pub(crate) use nearest::is_about_a_missing_view;
pub use watch::Cancel;
pub(crate) use watch::Watch;

/// Limits of a statement. The default is a minute, and no other limit.
#[derive(Clone, Debug)]
pub struct SqlLimits {
    /// The longest running time.
    pub time: Duration,
    /// The most bytes by which DuckDB's memory may grow meanwhile; `None` for only the lake's own limit.
    pub memory_bytes_max: Option<u64>,
    /// The most rows of the result: see [`SqlSummary::truncated`].
    pub rows_max: Option<u64>,
    /// Stops the statement from another thread.
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
    /// The number of rows written.
    pub rows: u64,
    /// True if there were more than `rows_max` rows.
    pub truncated: bool,
    /// True if the statement may have read the table, whose lost offsets then concern it.
    #[serde(default)]
    pub may_read_table: bool,
}

impl Lake {
    /// Runs one statement, and writes its rows as an Arrow IPC stream while they come.
    ///
    /// A statement can fail in the middle of its rows; the stream is then cut. The lake stays usable after every
    /// error.
    pub fn sql(&self, text: &str, limits: &SqlLimits, out: &mut dyn Write) -> Result<SqlSummary, SqlError> {
        // A connection that sees only the schema `main`.
        let connection = self.another()?;
        let watched = ask(&connection, || self.gauge(), text, limits, out);
        watched.unwrap_or_else(|error: LakeError| Err(error.into()))
    }
}

/// Runs a statement on a connection of any DuckDB; `gauge` makes a gauge of the same instance. After an
/// outer error the connection must not be used again.
pub(crate) fn ask(
    connection: &Connection,
    gauge: impl Fn() -> Result<Gauge, LakeError>,
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
    if !is_stopped && result.as_ref().is_err_and(|error| error.kind == SqlErrorKind::Cancelled) {
        result = Err(SqlError::interrupted());
    }
    Ok(result)
}

/// A statement that fails in one thread interrupts its others, and DuckDB may tell of that instead of the cause. The statement, which only
/// reads, then runs again so many times at most, its rows unread, until the cause is told.
const ATTEMPTS_AT_THE_CAUSE: u32 = 4;

/// Runs a statement once; also says whether the watch stopped it.
fn attempt(
    connection: &Connection,
    gauge: &impl Fn() -> Result<Gauge, LakeError>,
    text: &str,
    limits: &SqlLimits,
    out: &mut dyn Write,
) -> Result<(Result<SqlSummary, SqlError>, bool), LakeError> {
    from_one_snapshot(connection, || {
        let watch = Watch::start(gauge, connection, limits)?;
        // The questions of a PIVOT before it runs are watched too.
        let result = guard::admit(connection, text).and_then(|admitted| run(connection, &admitted, text, limits, out));
        let stopped = watch.stop();
        let is_stopped = stopped.is_some();
        Ok((result.map_err(|error| error.explain(stopped)), is_stopped))
    })
}

fn run(
    connection: &Connection,
    admitted: &Edited,
    typed: &str,
    limits: &SqlLimits,
    out: &mut dyn Write,
) -> Result<SqlSummary, SqlError> {
    let fails = |ran: &Edited, error: duckdb::Error| SqlError::from_engine(ran, typed, error);
    let output = |error: LakeError| SqlError::plain(SqlErrorKind::Output, error.to_string());
    let mut cast = None;
    let mut statement = connection.prepare(&admitted.text).map_err(|error| fails(admitted, error))?;
    let mut schema = statement.stream_arrow([]).map_err(|error| fails(admitted, error))?.get_schema();
    if intervals::occur_in(&schema) {
        drop(statement);
        let ran = intervals::cast(connection, admitted, typed, &schema)?;
        statement = connection.prepare(&ran.text).map_err(|error| fails(&ran, error))?;
        statement.stream_arrow([]).map(drop).map_err(|error| fails(&ran, error))?;
        schema = Arc::new(intervals::as_texts(&schema));
        cast = Some(ran);
    }
    let engine = |error| fails(cast.as_ref().unwrap_or(admitted), error);
    let mut writer = rows::stream(out, &schema).map_err(output)?;
    let mut left = limits.rows_max.unwrap_or(u64::MAX);
    let mut summary = SqlSummary { rows: 0, truncated: false, may_read_table: true };
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
