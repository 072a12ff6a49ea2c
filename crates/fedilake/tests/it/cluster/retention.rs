//! Retention that deletes records which the table lacks: the sink stops and names the range, and goes on only when
//! somebody accepts the loss.

use std::time::Duration;

use fedilake_services::Services;

use super::broker::Broker;
use super::{Cluster, end_of, publish, rounds, still, wait_for};
use crate::program::signal;

#[test]
fn chaos_of_retention_stops_the_sink_until_the_gap_is_accepted() {
    let Some(services) = Services::shared("retention") else { return };
    let cluster = Cluster::new(&services, 1);
    let servers = still(1);
    // The chain begins before the log has a record, and has no file when it loses the first ones.
    cluster.store();
    let broker = Broker::of(&cluster);
    let collector = cluster.collector(&servers);
    let appended = |posts: i64| {
        let end = broker.bounds(0).1 + posts;
        publish(&servers, posts as usize);
        wait_for("records", || broker.bounds(0).1 >= end);
    };
    wait_for("the collector's first look", || {
        publish(&servers, 1);
        broker.bounds(0).1 > 0
    });
    let (mut table_end, mut lost, mut gaps) = (0, 0, Vec::new());
    for round in 0..rounds(2) {
        let said = if round % 2 == 0 {
            appended(40);
            lose(&broker, table_end);
            end_of(cluster.start(["sink"]))
        } else {
            // Deletes records while a sink reads them.
            let sink = cluster.start(["sink"]);
            let before = cluster.files().0;
            appended(10);
            wait_for("a file", || cluster.files().0 > before);
            cluster.store();
            signal(sink.pid(), "STOP");
            // Waits until the broker has answered a fetch that waits for records, within half a second.
            std::thread::sleep(Duration::from_secs(1));
            table_end = broker.bounds(0).1;
            appended(40);
            lose(&broker, table_end);
            signal(sink.pid(), "CONT");
            end_of(sink)
        };
        let (start, end) = broker.bounds(0);
        assert_eq!(said.code(), Some(2), "{said:#?}");
        let gap = format!("0:{table_end}..{start}");
        assert!(said.stderr.contains(&format!("lacks offsets {table_end}..{start} of ")), "{}", said.stderr);
        assert!(
            said.stderr.contains("hint:") && said.stderr.contains(&format!("--accept-gap {gap}")),
            "{}",
            said.stderr
        );

        // Nothing goes on by itself, and `check` reports the gap.
        let files = cluster.files();
        assert_eq!(cluster.run(["sink", "--once"]).code(), Some(2));
        let more = format!("0:{table_end}..{}", start + 1);
        let refused = cluster.run(["sink", "--once", "--accept-gap", &more]);
        assert!(refused.code() == Some(2) && refused.stderr.contains("not lost"), "{refused:#?}");
        assert_eq!(cluster.files(), files);
        let checked = cluster.run(["check"]);
        assert_eq!(checked.code(), Some(1), "{checked:#?}");
        assert!(checked.stdout.contains(&format!("missing: offsets {table_end}..{start} of ")), "{checked:#?}");

        cluster.run(["sink", "--once", "--accept-gap", &gap]).done();
        gaps.push(format!("accepted gap: offsets {table_end}..{start} of "));
        lost += start - table_end;
        table_end = end;
        let checked = cluster.run(["check"]).done();
        assert!(gaps.iter().all(|gap| checked.stdout.contains(gap)), "{}", checked.stdout);
    }
    appended(20);
    assert_eq!(collector.stop(), 0);
    cluster.store();
    let records = broker.bounds(0).1;
    wait_for("all posts that are left", || cluster.number("select count(*) from posts") >= records - lost);
    assert_eq!(cluster.number("select count(*) from posts"), records - lost);
    println!("{records} records, {lost} of them lost and accepted\n{}", cluster.check().stdout);
    servers.stop();
}

/// Deletes half of the records that the table lacks.
fn lose(broker: &Broker, table_end: i64) {
    let end = broker.bounds(0).1;
    broker.delete_records(0, table_end + (end - table_end) / 2);
}
