//! The crate from outside: replays of files, and servers over real HTTP on loopback.

#![allow(clippy::unwrap_used)]

mod collect;
mod fake;
mod faults;
mod memory;
mod replay;
mod run;
mod simulation;
mod status;
