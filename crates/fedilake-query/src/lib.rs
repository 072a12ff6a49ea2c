//! The lake: a DuckDB database that follows the table and the log's tail, and answers questions.
//!
//! Parquet files go in ([`Lake::take`]), Arrow IPC streams come out ([`Lake::report`], [`Lake::sql`]). The lake is a
//! cache: it can be deleted at any time, and taking the same files again gives the same answers.
//!
//! - [`lake`] opens the database and lends its connections.
//! - [`take`](mod@take) reads files through a second, in-memory DuckDB ([`source`]) and merges their rows.
//! - [`missed`] takes what the log's collectors could not read or left out.
//! - [`report`] answers the questions of the [`catalogue`], one .sql file each, for the posts of a [`filter`].
//! - [`completeness`] estimates how much of what there is each server shows.
//! - [`held`] finds what the lake shows of an author.
//! - [`lookup`] finds posts, and names for filters.
//! - [`sql`] runs a user's statement, read-only and within limits.
//! - [`check`] compares files with each other, and the lake with the files.
//! - [`direct`] runs a user's statement on the files themselves, without a lake.
//! - [`views`] defines the same views over plain Parquet files, for any DuckDB.
//!
//! Everything here blocks; async callers use `spawn_blocking`. Every timestamp is UTC.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod catalogue;
pub mod check;
pub mod completeness;
pub mod direct;
pub mod error;
pub mod filter;
pub mod held;
pub mod lake;
mod languages;
mod layout;
pub mod lookup;
pub mod missed;
mod names;
mod relation;
pub mod report;
pub mod rows;
mod scope;
mod seal;
mod source;
pub mod sql;
pub mod take;
mod topic;
pub mod views;

/// The engine's version, by its own word in an empty database.
pub fn engine_version() -> Result<String, LakeError> {
    let database = duckdb::Connection::open_in_memory()?;
    Ok(database.query_row("select version()", [], |row| row.get(0))?)
}

pub use catalogue::Report;
pub use completeness::{Completeness, Reading, Span};
pub use direct::{Direct, DirectError, DirectOptions, S3Key, S3Secret};
pub use error::LakeError;
pub use filter::{By, Calendar, Filter, Names};
pub use held::{Held, Holder, HolderName};
pub use lake::{Lake, LakeOptions, Snapshot};
pub use lookup::Lookup;
pub use missed::Missed;
pub use report::Question;
pub use rows::Rows;
pub use sql::{Cancel, SqlError, SqlLimits, SqlSummary};
pub use take::{Chunk, LakePosition, TakeProgress};
