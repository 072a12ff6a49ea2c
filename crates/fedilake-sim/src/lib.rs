//! A simulated fediverse: Mastodon servers over real HTTP, and the talk's ten days as recorded frames.
//!
//! It knows none of the project's other crates: what leaves here is JSON as Mastodon's API writes it, so that whatever
//! reads it reads real servers too. Everything is invented, deterministic by seed, and counted: [`Simulation::truth`]
//! says what the servers published.
#![expect(dead_code, reason = "the talk's generator lands next and draws on it")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod content;
mod dice;
pub mod serve;
#[cfg(test)]
mod testing;

pub use serve::{Config, Fault, Simulation, serve};
