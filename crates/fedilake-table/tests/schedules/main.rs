//! Every offset ends in exactly one file, whatever happens: real sinks over one partition and a store that fails, in
//! thousands of schedules that a seed decides.
//!
//! A schedule is a sequence of steps. In each one, one waiting call of one sink goes on, or the log grows, or retention cuts it,
//! or a sink is killed. Nothing else moves meanwhile ([`stage`]), so a seed that fails once fails always.
//!
//! The test has teeth: stores that break one rule of the protocol each must make it fail.

#![allow(clippy::unwrap_used)]

mod log;
mod stage;
mod store;
mod verify;
mod world;

use store::Rule;

fn violations(seeds: std::ops::Range<u64>, broken: Option<Rule>) -> Vec<(u64, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    seeds
        .filter_map(|seed| {
            let violations = runtime.block_on(world::play(seed, broken));
            violations.err().map(|violation| (seed, violation))
        })
        .collect()
}

#[test]
fn every_offset_is_in_exactly_one_file() {
    let seeds = match std::env::var("FEDILAKE_SCHEDULES") {
        Ok(count) => 0..count.parse().expect("FEDILAKE_SCHEDULES is a number"),
        Err(_) => 0..2_000,
    };
    let violations = violations(seeds, None);
    assert!(
        violations.is_empty(),
        "{} violations, the first ones: {:#?}",
        violations.len(),
        &violations[..5.min(violations.len())]
    );
}

#[test]
fn a_store_that_overwrites_breaks_it() {
    assert_ne!(violations(0..200, Some(Rule::Overwrites)), []);
}

#[test]
fn a_loser_that_goes_on_without_looking_breaks_it() {
    assert_ne!(violations(0..200, Some(Rule::LoserGoesOn)), []);
}

#[test]
fn a_sink_that_trusts_its_own_view_of_the_start_breaks_it() {
    assert_ne!(violations(0..200, Some(Rule::OwnStart)), []);
}
