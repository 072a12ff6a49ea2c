//! Probes and figures of a replica while the log answers and while it is away.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use fedilake_services::{Own, Services};

use super::{Cluster, publish, slow_flow, still, wait_for};
use crate::beside::{metrics, own_ticks};
use crate::health::ready;

/// A cluster with a few posts, all of them in the table.
fn with_posts(services: &Services) -> Cluster {
    let cluster = Cluster::new(services, 1);
    let servers = still(1);
    let collector = cluster.collector(&servers);
    wait_for("the first post", || {
        publish(&servers, 1);
        !cluster.uris().is_empty()
    });
    assert_eq!(collector.stop(), 0);
    cluster.store();
    cluster.check();
    servers.stop();
    cluster
}

#[test]
fn a_replica_stays_ready_while_kafka_is_away_and_says_so() {
    let Some(own) = Own::start(&["kafka", "registry", "s3"]) else { return };
    let cluster = with_posts(&own.services());
    let posts = cluster.number("select count(*) from posts");
    cluster.stopped_check();
    let mut replica = cluster.start(cluster.serve());
    let address = replica.address();
    let degraded = |said: &serde_json::Value| said["degraded"].as_str().map(str::to_owned);
    wait_for("readiness", || ready(address).0 == 200);
    let (_, said) = ready(address);
    assert!(degraded(&said).is_none() && said["behind"]["log_answers"] == true, "{said}");
    for away in ["paused", "killed"] {
        if away == "paused" {
            own.pause("kafka")
        } else {
            own.kill9("kafka")
        }
        wait_for("a log that does not answer", || degraded(&ready(address).1).is_some());
        let (status, said) = ready(address);
        assert_eq!((status, degraded(&said).as_deref()), (200, Some("the log does not answer")), "{away}: {said}");
        assert!(said["ready"] == true && said["why_not"].is_null(), "{away}: {said}");
        let behind = &said["behind"];
        assert!(behind["log_answers"] == false && behind["seconds"].as_f64() > Some(4.0), "{away}: {said}");
        let figures = metrics(address);
        let lag = figures.lines().find_map(|line| line.strip_prefix("fedilake_lake_lag_seconds ")).unwrap();
        assert!(lag.parse::<f64>().unwrap() > 4.0, "{away}: {lag}");
        let rows = cluster.run(["sql", "select count(*) as n from posts", "--format", "json"]).done().json();
        assert_eq!(rows[0]["n"].as_i64(), Some(posts), "{away}");
        if away == "paused" {
            own.resume("kafka")
        } else {
            own.start_again("kafka")
        }
        wait_for("a log that answers again", || degraded(&ready(address).1).is_none());
        let (status, said) = ready(address);
        assert!(status == 200 && said["behind"]["log_answers"] == true, "{away}: {said}");
    }
    assert_eq!(replica.interrupt().code(), Some(0));
}

#[test]
fn nobody_spins_while_kafka_is_away() {
    let Some(own) = Own::start(&["kafka", "registry", "s3"]) else { return };
    let cluster = Cluster::new(&own.services(), 1);
    let servers = slow_flow(1);
    let (collector, sink) = (cluster.collector(&servers), cluster.sink());
    wait_for("the first posts", || !cluster.uris().is_empty());
    cluster.stopped_check();
    let mut replica = cluster.start(cluster.serve());
    let address = replica.address();
    let parts = [("collector", collector.pid()), ("sink", sink.pid()), ("replica", replica.pid())];
    wait_for("readiness", || ready(address).0 == 200);
    let is_degraded = || !ready(address).1["degraded"].is_null();
    own.kill9("kafka");
    wait_for("a log that does not answer", is_degraded);
    let (began, before) = (Instant::now(), parts.map(|(_, pid)| own_ticks(pid)));
    std::thread::sleep(Duration::from_secs(4));
    let seconds = began.elapsed().as_secs_f64();
    for ((name, pid), before) in parts.into_iter().zip(before) {
        let core = (own_ticks(pid) - before) as f64 / 100.0 / seconds;
        assert!(core < 0.25, "the {name} took {core:.2} of a core");
    }
    assert!(is_degraded(), "Kafka was away all the time");
    own.start_again("kafka");
    wait_for("a log that answers again", || !is_degraded());
    replica.interrupt().done();
    assert_eq!((collector.stop(), sink.stop()), (0, 0), "restarts");
    servers.stop();
}

/// A port that leads to the broker, and counts who comes. The broker sends its clients on to itself, so each client of Kafka
/// comes here once or twice, when it begins.
fn counted(broker: &str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, count, broker) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default(), broker.to_owned());
    let counter = Arc::clone(&count);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            counter.fetch_add(1, SeqCst);
            let Ok(server) = TcpStream::connect(&broker) else { continue };
            for (mut from, mut to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
                std::thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    (address, count)
}

/// The threads of a process that are librdkafka's: each client has some.
fn threads_of_kafka(pid: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    tasks
        .filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with("rdk:")))
        .count()
}

#[test]
fn a_scrape_or_a_probe_makes_no_client_of_kafka() {
    let Some(services) = Services::shared("scrapes") else { return };
    let cluster = with_posts(&services);
    let (broker, count) = counted(&services.kafka);
    let cluster = cluster.beside().with("FEDILAKE_LOG_URL", &format!("kafka://{broker}/{}", cluster.topic));
    for verb in [cluster.serve(), vec!["sink".into(), "--listen".into(), "127.0.0.1:0".into()]] {
        let before = count.load(SeqCst);
        let mut running = cluster.start(&verb);
        let address = running.address();
        wait_for("readiness", || ready(address).0 == 200);
        let of_start = count.load(SeqCst) - before;
        assert!(of_start > 0, "{verb:?}: a client comes by the counted port");
        // A client that has just begun may still come to the port where it was sent on from: until nobody comes any more.
        let mut there = (0, 0);
        wait_for("the clients of the start", || {
            let now = (count.load(SeqCst), threads_of_kafka(running.pid()));
            std::mem::replace(&mut there, now) == now
        });
        for _ in 0..5 {
            assert!(metrics(address).contains("fedilake_"));
            ready(address);
        }
        assert_eq!((count.load(SeqCst), threads_of_kafka(running.pid())), there, "{verb:?}");
        assert_eq!(running.interrupt().code(), Some(0));
    }
}
