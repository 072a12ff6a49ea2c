//! Tests of the lake over its public interface: files in, answers out.

#![allow(clippy::unwrap_used)]

mod checking;
mod completeness;
mod direct;
mod equivalence;
mod missed;
mod names;
mod opening;
mod ranks;
mod reports;
mod statements;
mod support;
mod taking;
mod talk;
