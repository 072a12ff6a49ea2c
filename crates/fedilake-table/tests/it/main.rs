//! The table and the sink from outside.

#![allow(clippy::unwrap_used)]

mod faults;
mod limits;
mod local_disk;
mod s3;
mod schedules;
mod scripted;
