//! The log: a sequence of records for each partition, kept until the table has them.
//!
//! The crate knows nothing of Mastodon: keys and values are bytes. A log is three traits ([`LogWriter`],
//! [`LogReader`], [`Bookmarks`]); [`conformance`] is the suite of tests that every implementation passes;
//! [`embedded`] is the log of one process, on disk.

pub mod conformance;
pub mod embedded;
mod error;
mod seam;

pub use error::LogError;
pub use seam::{Bookmarks, Bounds, Key, LogEvent, LogId, LogReader, LogWriter, Offset, Partition, Record};
