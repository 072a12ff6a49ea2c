//! Topics that change while they are used: more partitions, another topic of the same name.

use std::collections::BTreeSet;

use fedilake_services::Services;

use super::broker::Broker;
use super::{Cluster, Kept, end_of, flow, publish, rounds, still, wait_for};
use crate::program::{Running, Said};

#[test]
fn chaos_of_added_partitions_is_noticed_by_all_that_run() {
    let Some(services) = Services::shared("added partitions") else { return };
    let cluster = Cluster::new(&services, 1);
    let servers = flow(2);
    let collectors = vec![cluster.collector(&servers)];
    let sinks = vec![cluster.sink(), cluster.sink()];
    let began_ms = cluster.first_look_ms();
    let broker = Broker::of(&cluster);
    let most = 1 + 2 * rounds(2) as usize;
    for partitions in (3..=most).step_by(2) {
        broker.add_partitions(partitions);
        wait_for("files of the added partitions", || cluster.files().1 == partitions);
    }
    let settled = cluster.settle(&[&servers], began_ms, collectors, sinks);
    assert_eq!(settled.restarts, 0, "somebody had to be started again");
    assert!(settled.posts > 500, "{}", settled.posts);
    servers.stop();
}

const PARTITIONS: u32 = 2;

#[test]
fn chaos_of_a_topic_made_again_begins_another_chain_beside_the_old() {
    let Some(services) = Services::shared("a topic made again") else { return };
    let cluster = Cluster::new(&services, PARTITIONS).with("FEDILAKE_LOG_APPEND_SECONDS_MAX", "5");
    let servers = still(2);
    let broker = Broker::of(&cluster);
    let mut expected = BTreeSet::new();
    let rounds = rounds(2);
    for round in 0..rounds {
        let collector = cluster.start(cluster.collect(&servers));
        let sink = cluster.start(["sink"]);
        wait_for("the topic", || broker.has_topic());
        let replica = serving(&cluster);
        if round == 0 {
            wait_for("the collector's first look", || {
                publish(&servers, 1);
                !shown(&cluster).is_empty()
            });
        }
        expected.extend(publish(&servers, 50));
        wait_for("all posts", || shown(&cluster).is_superset(&expected));
        cluster.store();

        let is_made_again = round % 2 == 1;
        broker.delete_topic();
        if is_made_again {
            broker.create_topic(PARTITIONS as i32);
        }
        // A collector looks at the topic when it appends, and accepts an existing one; no post is lost by that.
        expected.extend(publish(&servers, 10));
        let said = if is_made_again { collector.interrupt() } else { end_of(collector) };
        match said.code() {
            Some(0) if is_made_again => {}
            _ => named("collect", &said, &cluster.topic, "append to log topic"),
        }
        let why = if is_made_again { "made again" } else { "was deleted" };
        named("sink", &end_of(sink), &cluster.topic, why);
        named("serve", &end_of(replica), &cluster.topic, why);
    }
    let (collectors, sinks) = (vec![cluster.collector(&servers)], vec![cluster.sink()]);
    expected.extend(publish(&servers, 50));
    wait_for("all posts, of all topics", || cluster.uris().is_superset(&expected));
    let restarts: u32 = collectors.into_iter().chain(sinks).map(Kept::stop).sum();
    assert_eq!(restarts, 0, "somebody had to be started again");
    cluster.store();
    let uris = cluster.uris();
    assert!(uris.is_superset(&expected));
    let checked = cluster.check();
    let chains = cluster.run(["check", "--format", "json"]).done().json()["chains"].as_u64();
    assert_eq!(chains, Some(u64::from(PARTITIONS * (rounds + 1))), "{}", checked.stdout);
    println!("{} posts expected, {} there, {rounds} topics made again\n{}", expected.len(), uris.len(), checked.stdout);
    servers.stop();
}

/// A replica that is not started again.
fn serving(cluster: &Cluster) -> Running {
    let mut replica = cluster.start(cluster.serve());
    replica.wait_for_line("answering on");
    replica
}

/// The posts that the replica shows.
fn shown(cluster: &Cluster) -> BTreeSet<String> {
    let rows = cluster.run(["sql", "select uri from posts", "--format", "json"]).done().json();
    rows.as_array().unwrap().iter().map(|row| row["uri"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn named(verb: &str, said: &Said, topic: &str, why: &str) {
    assert_eq!(said.code(), Some(2), "{verb}: {said:#?}");
    assert!(said.stderr.contains(topic) && said.stderr.contains(why), "{verb}: {}", said.stderr);
}
