//! Tests of the crate over its public interface: replays of files, and servers over real HTTP on loopback.

#![allow(clippy::unwrap_used)]

mod changes;
mod chaos;
mod collect;
mod faults;
mod hostile;
mod ids;
mod memory;
mod patience;
mod replay;
mod robots;
mod run;
mod simulation;
mod single;
mod sockets;
mod status;
mod together;

/// The longest wait of a test.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
