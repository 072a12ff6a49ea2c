//! kill -9 of every part, in a loop, while posts flow.

use std::time::Duration;

use fedilake_services::{Own, Services};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::{Cluster, Kept, flow, pause, rounds, slow_flow};

#[test]
fn chaos_of_killed_sinks_and_collectors_loses_nothing_and_doubles_nothing() {
    let Some(services) = Services::shared("killed sinks and collectors") else { return };
    let rounds = rounds(6);
    let cluster = Cluster::new(&services, 4);
    let (one, other) = (flow(2), flow(1));
    let collectors = vec![cluster.collector(&one), cluster.collector(&other)];
    let sinks = vec![cluster.sink(), cluster.sink()];
    let began_ms = cluster.first_look_ms();
    let mut dice = rand::rngs::StdRng::seed_from_u64(7);
    for _ in 0..rounds {
        pause(&mut dice, Duration::from_millis(1_500));
        let all: Vec<&Kept> = collectors.iter().chain(&sinks).collect();
        all[dice.random_range(0..all.len())].kill();
    }
    let settled = cluster.settle(&[&one, &other], began_ms, collectors, sinks);
    assert!(settled.posts > 500, "{}", settled.posts);
    one.stop();
    other.stop();
}

#[test]
fn chaos_of_a_killed_broker_registry_and_store_loses_nothing_and_doubles_nothing() {
    let Some(own) = Own::start(&["kafka", "pg", "registry", "s3"]) else { return };
    let cluster = Cluster::new(&own.services(), 2);
    let servers = slow_flow(2);
    let collectors = vec![cluster.collector(&servers)];
    let sinks = vec![cluster.sink(), cluster.sink()];
    let began_ms = cluster.first_look_ms();
    let mut dice = rand::rngs::StdRng::seed_from_u64(9);
    let mut parts = ["kafka", "registry", "s3"];
    for _ in 0..rounds(2) {
        parts.shuffle(&mut dice);
        for part in parts {
            pause(&mut dice, Duration::from_millis(1_500));
            own.kill9(part);
            // A sink that starts while a service is away must wait for it or end; its supervisor then starts it
            // again.
            sinks[dice.random_range(0..2)].kill();
            pause(&mut dice, Duration::from_millis(1_000));
            own.start_again(part);
        }
    }
    let settled = cluster.settle(&[&servers], began_ms, collectors, sinks);
    assert!(settled.posts > 500, "{}", settled.posts);
    servers.stop();
}
