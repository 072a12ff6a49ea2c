//! Verbs that only read: they leave nothing in Kafka and in the registry, and a replica starts while the registry is away.

use fedilake_services::Services;

use super::broker::Broker;
use super::{Cluster, publish, still, wait_for};
use crate::program::{Running, Said};

/// An address where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9";

const READING: &[&[&str]] = &[
    &["report"],
    &["report", "daily", "--format", "json"],
    &["sql", "select count(*) from posts"],
    &["check"],
    &["serve", "--listen", "127.0.0.1:0"],
    &["servers", "list"],
];

#[test]
fn a_verb_that_reads_leaves_a_broker_without_topic_as_it_was() {
    let Some(services) = Services::shared("reading verbs") else { return };
    let cluster = Cluster::new(&services, 1);
    let broker = Broker::of(&cluster);
    for registry in [services.registry.as_str(), NOWHERE] {
        let cluster = cluster.beside().with("FEDILAKE_LOG_REGISTRY_URL", registry);
        for verb in READING {
            let said = cluster.run(*verb);
            assert_eq!(said.code(), Some(2), "{verb:?}: {said:#?}");
            assert!(said.stdout.is_empty(), "{verb:?}: {said:#?}");
            let told = ["has no topic", &cluster.topic, "hint: "];
            assert!(told.iter().all(|part| said.stderr.contains(*part)), "{verb:?}: {}", said.stderr);
        }
    }
    assert_eq!((broker.topics(), broker.subjects()), (vec![], vec![]));

    // The same beside a topic that somebody else made.
    broker.create_topic(1);
    for verb in READING.iter().filter(|verb| !matches!(verb[0], "serve" | "servers")) {
        cluster.run(*verb).done();
    }
    let mut replica = replica(&cluster);
    replica.wait_for_line("answering on");
    assert_eq!(replica.interrupt().code(), Some(0));
    assert_eq!((broker.topics(), broker.subjects()), (vec![cluster.topic.clone()], vec![]));
}

#[test]
fn a_replica_starts_and_goes_on_while_the_registry_is_away() {
    let Some(services) = Services::shared("a replica without its registry") else { return };
    let cluster = Cluster::new(&services, 1);
    let servers = still(1);
    let away = cluster.beside().with("FEDILAKE_LOG_REGISTRY_URL", NOWHERE);
    let collector = cluster.collector(&servers);
    let broker = Broker::of(&cluster);
    wait_for("the topic", || broker.has_topic());

    // Nothing is in the log yet, so no schema is asked for.
    let mut first = replica(&away);
    first.wait_for_line("answering on");
    assert_eq!(first.interrupt().code(), Some(0));

    wait_for("the first posts", || {
        publish(&servers, 1);
        broker.bounds(0).1 > 0
    });
    let shown = |cluster: &Cluster| -> i64 {
        let rows = cluster.run(["sql", "select count(*) as posts from posts", "--format", "json"]).done().json();
        rows[0]["posts"].as_i64().unwrap()
    };
    assert!(shown(&cluster) > 0);

    // A restart, and posts that come after it.
    let mut again = replica(&away);
    again.wait_for_line("answering on");
    let before = shown(&away);
    publish(&servers, 10);
    wait_for("posts that came without the registry", || shown(&away) >= before + 10);
    let said: Said = again.interrupt();
    assert_eq!(said.code(), Some(0), "{said:#?}");
    assert!(!said.stderr.contains("WARN"), "{}", said.stderr);
    // The lake alone was deleted: it is made anew from the log.
    std::fs::remove_file(cluster.folder().join("lake.duckdb")).unwrap();
    assert!(shown(&away) >= before + 10);
    assert_eq!(collector.stop(), 0);
    servers.stop();
}

fn replica(cluster: &Cluster) -> Running {
    cluster.start(cluster.serve())
}
