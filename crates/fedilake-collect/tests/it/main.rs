//! The crate from outside: replays of files, and servers over real HTTP on loopback.

#![allow(clippy::unwrap_used)]

mod changes;
mod collect;
mod fake;
mod faults;
mod memory;
mod replay;
mod run;
mod simulation;
mod status;

/// What takes longer does not come.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
