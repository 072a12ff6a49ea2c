//! Two sinks on one partition, and partitions that wander.

use std::time::Duration;

use fedilake_services::Services;
use fedilake_sim::Config;
use rand::{Rng, SeedableRng};

use super::{Cluster, rounds};
use crate::live::Servers;
use crate::program::{signal, wait_until};

fn servers(seconds: u64) -> Servers {
    Servers::start(Config {
        servers: 2,
        rate: 200.0,
        posts_max: Some(200 * seconds),
        deletes: 0.02,
        backdated: 0.0,
        ..Config::default()
    })
}

#[test]
fn chaos_of_a_zombie_sink_stores_each_offset_once() {
    let Some(services) = Services::shared("a zombie sink") else { return };
    let cluster = Cluster::new(&services, 1);
    let rounds = rounds(2);
    let servers = servers(12 + 10 * u64::from(rounds));
    let collectors = vec![cluster.collector(&servers)];
    let sinks = vec![cluster.sink(), cluster.sink()];
    let began_ms = cluster.first_look_ms();
    let in_table = || cluster.files();
    for round in 0..rounds as usize {
        // One of the two has the partition; whichever is stopped, the other has it in the end.
        let zombie = &sinks[round % 2];
        signal(zombie.pid(), "STOP");
        let before = in_table();
        wait_until("files of the sink that took over", || in_table() > before + 3);
        signal(zombie.pid(), "CONT");
        let before = in_table();
        wait_until("files after the zombie came back", || in_table() > before + 1);
    }
    let posts = cluster.settle(&[&servers], began_ms, collectors, sinks);
    assert!(posts > 500, "{posts}");
    servers.stop();
}

#[test]
fn chaos_of_rebalances_while_files_are_committed_stores_each_offset_once() {
    let Some(services) = Services::shared("rebalances") else { return };
    let cluster = Cluster::new(&services, 4);
    let rounds = rounds(6);
    let servers = servers(10 + u64::from(rounds));
    let collectors = vec![cluster.collector(&servers)];
    let mut sinks = vec![cluster.sink()];
    let began_ms = cluster.first_look_ms();
    let mut dice = rand::rngs::StdRng::seed_from_u64(3);
    for _ in 0..rounds {
        std::thread::sleep(Duration::from_millis(dice.random_range(300..1_500)));
        if sinks.len() > 1 && dice.random_bool(0.5) {
            let place = dice.random_range(0..sinks.len());
            let gone = sinks.swap_remove(place);
            assert_eq!(gone.stop(), 0, "a sink failed while partitions went over");
        } else {
            sinks.push(cluster.sink());
        }
    }
    let posts = cluster.settle(&[&servers], began_ms, collectors, sinks);
    assert!(posts > 500, "{posts}");
    servers.stop();
}
