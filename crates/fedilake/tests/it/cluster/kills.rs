//! kill -9 of every part, in a loop, while posts flow.

use std::time::Duration;

use fedilake_services::{Own, Services};
use fedilake_sim::Config;
use rand::{Rng, SeedableRng};

use super::{Cluster, Kept, rounds};
use crate::live::Servers;

/// Posts a second of the simulated servers.
const RATE: f64 = 200.0;

/// Servers that publish for about `seconds`.
fn servers(count: usize, seconds: u64) -> Servers {
    Servers::start(Config {
        servers: count,
        rate: RATE,
        posts_max: Some(RATE as u64 * seconds),
        deletes: 0.02,
        backdated: 0.0,
        ..Config::default()
    })
}

/// Between two kills: what the test varies.
fn pause(dice: &mut impl Rng, longest: Duration) {
    std::thread::sleep(longest.mul_f64(dice.random_range(0.2..1.0)));
}

#[test]
fn chaos_of_killed_sinks_and_collectors_loses_nothing_and_doubles_nothing() {
    let Some(services) = Services::shared("killed sinks and collectors") else { return };
    let rounds = rounds(6);
    let cluster = Cluster::new(&services, 4);
    let (one, other) = (servers(2, 6 + u64::from(rounds)), servers(1, 6 + u64::from(rounds)));
    let collectors = vec![cluster.collector(&one), cluster.collector(&other)];
    let sinks = vec![cluster.sink(), cluster.sink()];
    let began_ms = cluster.first_look_ms();
    let mut dice = rand::rngs::StdRng::seed_from_u64(7);
    for _ in 0..rounds {
        pause(&mut dice, Duration::from_millis(1_500));
        let all: Vec<&Kept> = collectors.iter().chain(&sinks).collect();
        all[dice.random_range(0..all.len())].kill();
    }
    let posts = cluster.settle(&[&one, &other], began_ms, collectors, sinks);
    assert!(posts > 500, "{posts}");
    one.stop();
    other.stop();
}

#[test]
fn chaos_of_a_killed_broker_loses_nothing_and_doubles_nothing() {
    part_killed("kafka");
}

#[test]
fn chaos_of_a_killed_registry_loses_nothing_and_doubles_nothing() {
    part_killed("registry");
}

#[test]
fn chaos_of_a_killed_store_loses_nothing_and_doubles_nothing() {
    part_killed("s3");
}

fn part_killed(part: &str) {
    let Some(own) = Own::start(&["kafka", "pg", "registry", "s3"]) else { return };
    let rounds = rounds(3);
    let cluster = Cluster::new(&own.services(), 2);
    let servers = servers(2, 10 + 4 * u64::from(rounds));
    let collectors = vec![cluster.collector(&servers)];
    let sinks = vec![cluster.sink(), cluster.sink()];
    let began_ms = cluster.first_look_ms();
    let mut dice = rand::rngs::StdRng::seed_from_u64(9);
    for _ in 0..rounds {
        pause(&mut dice, Duration::from_millis(2_000));
        own.kill9(part);
        pause(&mut dice, Duration::from_millis(1_000));
        own.start_again(part);
    }
    let posts = cluster.settle(&[&servers], began_ms, collectors, sinks);
    assert!(posts > 500, "{posts}");
    servers.stop();
}
