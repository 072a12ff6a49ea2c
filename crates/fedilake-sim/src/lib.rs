//! A simulated fediverse: Mastodon servers over real HTTP, and the talk's ten days as recorded frames.
//!
//! It knows none of the project's other crates: what leaves here is JSON as Mastodon's API writes it, so that whatever
//! reads it reads real servers too. Everything is invented, deterministic by seed, and counted: [`talk::Totals`] says
//! what a file of recorded frames must yield, [`Simulation::truth`] what the servers published.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod content;
mod dice;
mod output;
pub mod serve;
pub mod talk;
#[cfg(test)]
mod testing;

pub use output::Output;
pub use serve::{Config, Fault, Simulation, serve};
