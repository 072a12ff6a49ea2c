//! The table: every record of a log as a row of a Parquet file, exactly once.
//!
//! **The file is the commit.** A log's partition is a sequence of offsets, and a data file holds every record between
//! two of them. A file's name follows from its first offset ([`Chain`]), so competing writers put the same name,
//! create-only: one wins, and the others read the chain's end and go on from there. No coordinator, manifest or lock
//! is needed.
//!
//! ```text
//! posts/log=<id>/partition=<p>/_start                            the chain's first offset, written once
//!                              00000000000000000000.parquet      offsets 0..812, by its footer
//!                              00000000000000000812.parquet      offsets 812..…
//! ```
//!
//! [`file`] makes a data file of rows, [`Table`] puts and finds files, [`sink`] is the loop from the log to the
//! table. Leftovers of a killed process have names that no reader takes for a data file; [`local`] removes them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod chain;
mod check;
pub mod conformance;
mod error;
pub mod file;
mod footer;
mod holes;
mod layout;
pub mod local;
mod objects;
pub mod s3;
pub mod sink;
mod table;

pub use chain::Chain;
pub use check::{Check, Finding};
pub use error::TableError;
pub use file::{DataFile, FileError};
pub use footer::Footer;
pub use holes::Holes;
pub use table::{ChainFiles, Commit, DamagedFile, FileMeta, Snapshot, Table};
