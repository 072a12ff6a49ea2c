//! A broker whose disk is full.

use fedilake_services::Own;

use super::{Cluster, rounds, slow_flow, wait_for};

#[test]
fn chaos_of_a_full_disk_of_the_broker_loses_nothing_that_was_accepted() {
    let Some(own) = Own::start(&["kafka", "registry", "s3"]) else { return };
    let cluster = Cluster::new(&own.services(), 2).with("FEDILAKE_LOG_APPEND_SECONDS_MAX", "3");
    let servers = slow_flow(2);
    let collectors = vec![cluster.collector(&servers)];
    let sinks = vec![cluster.sink(), cluster.sink()];
    let began_ms = cluster.first_look_ms();
    let append = format!("append to log topic {}", cluster.topic);
    for _ in 0..rounds(2) {
        let before = collectors[0].failures().len();
        own.fill_disk("kafka");
        wait_for("a collector that says what it cannot do", || {
            collectors[0].failures()[before..].iter().any(|said| said.contains(&append) && said.contains("Kafka"))
        });
        // A broker ends itself when its only disk is full.
        own.stop("kafka");
        own.start_again("kafka");
        let has = cluster.number("select count(*) from posts");
        wait_for("posts that come again", || cluster.number("select count(*) from posts") > has + 50);
    }
    println!("{:#?}", collectors[0].failures().first());
    let settled = cluster.settle(&[&servers], began_ms, collectors, sinks);
    assert!(settled.posts > 500, "{}", settled.posts);
    servers.stop();
}
