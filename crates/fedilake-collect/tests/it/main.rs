//! The crate from outside: replays of files, and servers over real HTTP on loopback.

#![allow(clippy::unwrap_used)]

mod changes;
mod collect;
mod fake;
mod faults;
mod hostile;
mod ids;
mod memory;
mod replay;
mod run;
mod simulation;
mod status;

/// Waits in tests end after this time.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
