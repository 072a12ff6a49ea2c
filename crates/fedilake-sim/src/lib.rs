//! A simulated fediverse: Mastodon servers over real HTTP, and the talk's ten days as recorded frames.
//!
//! The crate knows none of the project's others: its output is JSON as Mastodon's API writes it, so that its
//! readers read real servers too. Everything is invented, deterministic by seed, and counted: [`talk::Totals`] has
//! the figures of a file of recorded frames, [`Simulation::truth`] the posts that servers published.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod content;
mod dice;
mod output;
pub mod serve;
pub mod talk;
#[cfg(test)]
mod testing;

pub use output::Output;
pub use serve::{Config, Fault, Script, Simulation, serve};
