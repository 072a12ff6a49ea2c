//! What the lake may be asked.
//!
//! - [`report`] answers the questions of the [`catalogue`], one .sql file each, for the posts of a [`filter`].
//! - [`completeness`] estimates how much of what there is each server shows.
//! - [`held`] finds what the lake shows of an author.
//! - [`lookup`] finds posts, and names for filters.
//! - [`sql`] runs a user's statement, read-only and within limits.
//! - [`direct`] runs a user's statement on the files themselves, without a lake.

pub mod catalogue;
pub mod completeness;
pub mod direct;
pub mod filter;
pub mod held;
pub mod lookup;
mod relation;
pub mod report;
mod scope;
pub mod sql;
