//! The simulator over real HTTP.
#![allow(clippy::unwrap_used, missing_docs)]

mod client;
mod timelines;
