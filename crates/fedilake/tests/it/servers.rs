//! Collectors on a log in Kafka that share the listed servers.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Instant, SystemTime};

use fedilake_services::Services;
use fedilake_sim::Config;

use crate::live::Servers;
use crate::program::{Data, Running, Said, fedilake, wait_until};

/// The shortest session that the broker allows, in milliseconds: for a collector that is killed.
const SESSION_MS: u128 = 6_000;
/// The session of a collector that leaves: longer than any other takes to begin in its place.
const LONG_SESSION_MS: u128 = 60_000;

/// A log of the test's own.
struct Log {
    topic: String,
    services: Services,
    data: Data,
}

impl Log {
    fn new(test: &str) -> Option<Log> {
        let services = Services::shared(test)?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Some(Log { topic: format!("test.{test}.{:x}", since.as_nanos()), services, data: Data::new() })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = fedilake(arguments);
        command
            .env("FEDILAKE_LOG_URL", format!("kafka://{}/{}", self.services.kafka, self.topic))
            .env("FEDILAKE_LOG_REGISTRY_URL", &self.services.registry)
            .env("FEDILAKE_LOG_PARTITIONS", "2")
            .env("FEDILAKE_COLLECT_SERVERS_TOPIC", format!("{}.servers", self.topic))
            .env("FEDILAKE_COLLECT_GROUP", format!("{}.collect", self.topic))
            .arg("--data")
            .arg(self.data.path());
        command
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    fn collect(&self, session_ms: u128) -> Running {
        let mut command = self.command(&["collect"]);
        Running::start(command.env("FEDILAKE_LOG_SESSION_TIMEOUT_MILLISECONDS", session_ms.to_string()))
    }

    #[track_caller]
    fn uris(&self) -> BTreeSet<String> {
        let rows = self.run(&["sql", "select uri from posts", "--format", "json"]).done().json();
        rows.as_array().unwrap().iter().map(|row| row["uri"].as_str().unwrap().to_owned()).collect()
    }
}

fn urls(servers: &Servers) -> Vec<String> {
    servers.simulation.addresses().iter().map(|address| format!("http://{address}")).collect()
}

#[test]
fn servers_are_added_listed_and_removed_without_a_data_folder() {
    let Some(log) = Log::new("servers_are_added_listed_and_removed_without_a_data_folder") else { return };
    // The first command makes the topic, and says so.
    let said = log.run(&["servers", "add", "b.example", "http://127.0.0.1:4000"]).done();
    assert!(said.stderr.ends_with("\n2 servers listed\n"), "{}", said.stderr);
    log.run(&["servers", "add", "--local", "A.example"]).done();
    let listed = log.run(&["servers", "list", "--format", "csv"]).done();
    let expected = "host,timeline,url,bookmark\n\
                    127.0.0.1:4000,public,http://127.0.0.1:4000,\n\
                    a.example,local,https://a.example,\n\
                    b.example,public,https://b.example,\n";
    assert_eq!(listed.stdout, expected);
    let said = log.run(&["servers", "remove", "https://a.example", "c.example"]).done();
    assert_eq!(said.stderr, "c.example was not listed\n2 servers listed\n");
    let wrong = log.run(&["servers", "add", "a b"]);
    assert_eq!(wrong.code(), Some(2));
    let wrong = log.run(&["collect", "--local"]);
    assert!(wrong.code() == Some(2) && wrong.stderr.contains("hint: `fedilake servers add --local"), "{wrong:#?}");
    assert!(!log.data.path().exists());
}

#[test]
fn a_killed_collector_is_replaced_by_the_other_and_nothing_is_missed() {
    let Some(log) = Log::new("a_killed_collector_is_replaced_by_the_other_and_nothing_is_missed") else { return };
    let servers = Servers::start(Config { servers: 6, rate: 0.0, deletes: 0.0, edits: 0.0, ..Config::default() });
    let mut first = log.collect(SESSION_MS);
    first.wait_for_line("no server is listed yet");
    let urls = urls(&servers);
    let add: Vec<&str> = ["servers", "add"].into_iter().chain(urls.iter().map(String::as_str)).collect();
    log.run(&add).done();
    first.wait_for_line("collecting from 6 servers");
    let mut second = log.collect(LONG_SESSION_MS);
    // Each member has half of the partitions; the number of its servers depends on their hosts.
    first.wait_for_line(": 8 partitions");

    // Posts from before the first look at a server may be missing.
    let bookmarks = |log: &Log| {
        let rows = log.run(&["servers", "list", "--format", "json"]).done().json();
        rows.as_array().unwrap().iter().filter(|row| !row["bookmark"].is_null()).count()
    };
    wait_until("the first look at each", || bookmarks(&log) == 6);
    let mut published: BTreeSet<String> = BTreeSet::new();
    let mut publish = |count: usize| published.extend((0..count).map(|nth| servers.simulation.publish(nth % 6).uri));
    publish(60);
    let began = Instant::now();
    first.kill();
    publish(300);
    second.wait_for_line(": 16 partitions");
    let replaced = began.elapsed().as_millis();
    assert!(replaced < SESSION_MS + 6_000, "{replaced} ms");
    publish(60);
    wait_until("all that was published", || log.uris().is_superset(&published));

    // The table is of what collectors saved, whoever asks.
    let read = |log: &Log| {
        let rows = log.run(&["servers", "--format", "json"]).done().json();
        rows.as_array().unwrap().iter().filter(|row| row["state"] == "read" && row["software"] == "mastodon").count()
    };
    wait_until("all are read by the table", || read(&log) == 6);

    // A removed server is no longer read, however far its bookmark is.
    log.run(&["servers", "remove", &urls[0]]).done();
    second.wait_for_line("collecting from 5 servers");
    // A member leaves the group when it ends, so the next one need not wait for its session.
    second.interrupt().done();
    let began = Instant::now();
    let mut third = log.collect(LONG_SESSION_MS);
    third.wait_for_line("collecting from 5 servers: 16 partitions");
    let left = began.elapsed();
    assert!(left.as_millis() < LONG_SESSION_MS / 2, "{left:?}");
    let said = third.interrupt().done();
    assert!(!said.stderr.contains("hint: `fedilake sink"), "{}", said.stderr);
    log.run(&["sink", "--once"]).done();
    log.run(&["check"]).done();
    println!("{} posts, replaced after {replaced} ms when killed, after {left:?} when left", published.len());
    servers.stop();
}
