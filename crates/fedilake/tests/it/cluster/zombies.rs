//! Two sinks on one partition, and partitions that move.

use std::time::Duration;

use fedilake_services::Services;
use rand::{Rng, SeedableRng};

use super::{Cluster, flow, rounds, wait_for};
use crate::program::signal;

#[test]
fn chaos_of_a_zombie_sink_stores_each_offset_once() {
    let Some(services) = Services::shared("a zombie sink") else { return };
    let cluster = Cluster::new(&services, 1);
    let servers = flow(2);
    let collectors = vec![cluster.collector(&servers)];
    let sinks = vec![cluster.sink(), cluster.sink()];
    let began_ms = cluster.first_look_ms();
    let in_table = || cluster.files().0;
    for round in 0..rounds(2) as usize {
        // One of the two has the partition. Whichever is stopped, the other one gets it.
        let zombie = &sinks[round % 2];
        signal(zombie.pid(), "STOP");
        let before = in_table();
        wait_for("files of the sink that took over", || in_table() > before + 3);
        signal(zombie.pid(), "CONT");
        let before = in_table();
        wait_for("files after the zombie came back", || in_table() > before + 1);
    }
    let settled = cluster.settle(&[&servers], began_ms, collectors, sinks);
    assert!(settled.posts > 500, "{}", settled.posts);
    servers.stop();
}

#[test]
fn chaos_of_rebalances_while_files_are_committed_stores_each_offset_once() {
    let Some(services) = Services::shared("rebalances") else { return };
    let cluster = Cluster::new(&services, 4);
    let servers = flow(2);
    let collectors = vec![cluster.collector(&servers)];
    let mut sinks = vec![cluster.sink()];
    let began_ms = cluster.first_look_ms();
    let mut dice = rand::rngs::StdRng::seed_from_u64(3);
    for _ in 0..rounds(6) {
        std::thread::sleep(Duration::from_millis(dice.random_range(300..1_500)));
        if sinks.len() > 1 && dice.random_bool(0.5) {
            let place = dice.random_range(0..sinks.len());
            let gone = sinks.swap_remove(place);
            assert_eq!(gone.stop(), 0, "a sink failed while partitions went over");
        } else {
            sinks.push(cluster.sink());
        }
    }
    let settled = cluster.settle(&[&servers], began_ms, collectors, sinks);
    assert!(settled.posts > 500, "{}", settled.posts);
    servers.stop();
}
