//! The simulator over real HTTP.
#![allow(clippy::unwrap_used, missing_docs)]

mod access;
mod client;
mod control;
mod faults;
mod federation;
mod oauth;
mod sockets;
mod software;
mod timelines;
