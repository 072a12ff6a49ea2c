//! Every offset ends in exactly one file, whatever happens: real sinks over one partition and a store that fails, in
//! thousands of schedules, each decided by a seed.
//!
//! A schedule is a sequence of steps. In each step one waiting call of one sink goes on, or the log grows, or
//! retention cuts it, or a sink is killed. Nothing else moves meanwhile ([`stage`]), so a seed that fails once fails
//! always.
//!
//! To show that the test can fail, stores that break one rule of the protocol each must make it fail.

mod log;
mod stage;
mod store;
mod verify;
mod world;

use std::ops::Range;

use store::Rule;
use world::Tally;

/// Plays the schedules of `seeds`, up to the first one that breaks a promise.
fn play(seeds: Range<u64>, broken: Option<Rule>) -> Result<Tally, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut total = Tally::default();
    for seed in seeds {
        let played = runtime.block_on(world::play(seed, broken));
        total += played.map_err(|violation| format!("seed {seed}: {violation}"))?;
    }
    Ok(total)
}

#[test]
fn every_offset_is_in_exactly_one_file() {
    let schedules: u64 = std::env::var("FEDILAKE_SCHEDULES").map_or(2_000, |count| count.parse().unwrap());
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let share = move |thread| schedules * thread / threads..schedules * (thread + 1) / threads;
    let shares: Vec<_> = (0..threads).map(|thread| std::thread::spawn(move || play(share(thread), None))).collect();
    let mut total = Tally::default();
    for played in shares {
        total += played.join().unwrap().unwrap();
    }
    let Tally { files, superseded, gaps, killed, failed } = total;
    println!("{schedules} schedules: {total:?}");
    assert!(files > 2 * schedules && superseded > schedules, "{total:?}");
    assert!([gaps, killed, failed].iter().all(|count| *count > schedules / 20), "{total:?}");
}

fn assert_violated(broken: Rule) {
    let played = play(0..200, Some(broken));
    println!("{played:?}");
    assert!(played.is_err(), "no schedule noticed that the store breaks the protocol");
}

#[test]
fn a_store_that_overwrites_breaks_the_promise() {
    assert_violated(Rule::Overwrites);
}

#[test]
fn a_loser_that_goes_on_without_reading_the_tail_breaks_the_promise() {
    assert_violated(Rule::LoserGoesOn);
}

#[test]
fn a_sink_that_trusts_its_own_start_breaks_the_promise() {
    assert_violated(Rule::OwnStart);
}
