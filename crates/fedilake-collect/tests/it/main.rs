//! Tests of the crate over its public interface: replays of files, and servers over real HTTP on loopback.

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

/// The longest wait of a test.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
