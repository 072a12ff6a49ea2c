//! The lake: a DuckDB database that follows the table and the log's tail, and answers questions.
//!
//! Parquet files go in ([`Lake::take`]), Arrow IPC streams come out ([`Lake::report`], [`Lake::sql`]). The lake is a
//! cache: it can be deleted at any time, and taking the same files again gives the same answers.
//!
//! - [`lake`] opens the database and lends its connections.
//! - [`take`](mod@take) reads files through a second, in-memory DuckDB and merges their rows; it also takes what the log's collectors
//!   could not read or left out ([`take::missed`]), and seals days.
//! - [`answer`] is what may be asked: reports, look-ups, a user's SQL, estimates.
//! - [`check`] compares files with each other, and the lake with the files.
//! - [`views`] defines the same views over plain Parquet files, for any DuckDB.
//!
//! Everything here blocks; async callers use `spawn_blocking`. Every timestamp is UTC.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod answer;
pub mod check;
pub mod error;
pub mod lake;
mod languages;
mod literal;
pub mod rows;
pub mod take;
mod topic;
pub mod views;

/// The engine's version, by its own word in an empty database.
pub fn engine_version() -> Result<String, LakeError> {
    let database = duckdb::Connection::open_in_memory()?;
    Ok(database.query_row("select version()", [], |row| row.get(0))?)
}

pub use answer::catalogue::{self, Report};
pub use answer::completeness::{Completeness, Reading, Span};
pub use answer::direct::{self, Direct, DirectError, DirectOptions, S3Key, S3Secret};
pub use answer::filter::{By, Calendar, Filter, Names};
pub use answer::held::{Held, Holder, HolderName};
pub use answer::lookup::Lookup;
pub use answer::report::Question;
pub use answer::sql::{Cancel, SqlError, SqlLimits, SqlSummary};
pub use error::LakeError;
pub use lake::{Lake, LakeOptions, LakePosition, Snapshot};
pub use rows::Rows;
pub use take::missed::Missed;
pub use take::{Chunk, TakeProgress};
