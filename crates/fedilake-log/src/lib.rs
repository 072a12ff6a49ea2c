//! The log: a sequence of records for each partition, kept until the table has them.
//!
//! The crate knows nothing of Mastodon: keys and values are bytes. A log is asked ([`Log`]), read
//! ([`LogReader`]) and written ([`LogWriter`]), and keeps [`Bookmarks`]; [`conformance`] is the suite of tests that every implementation passes;
//! [`embedded`] is the log of one process, on disk.

pub mod conformance;
pub mod embedded;
mod error;
mod seam;

pub use error::LogError;
pub use seam::{
    Assignment, Bookmarks, Bounds, Key, Log, LogEvent, LogId, LogReader, LogWriter, Offset, Partition, Record,
    bounds_of,
};
