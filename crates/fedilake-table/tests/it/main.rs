//! Tests of the table and the sink over the crate's public interface.

#![allow(clippy::unwrap_used)]

mod faults;
mod limits;
mod local_disk;
mod many;
mod s3;
mod schedules;
mod scripted;
