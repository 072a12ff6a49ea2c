//! Records of other programs: bytes that are not a record become a rejected row, a schema that is too new stops the
//! program.

use std::collections::BTreeSet;

use fedilake_services::Services;
use serde_json::json;

use super::broker::{Broker, framed};
use super::{Cluster, end_of, publish, rounds, still, wait_for};

#[test]
fn chaos_of_foreign_records_rejects_garbage_and_stops_at_a_newer_schema() {
    let Some(services) = Services::shared("foreign records") else { return };
    let cluster = Cluster::new(&services, 1);
    let servers = still(1);
    cluster.store();
    let broker = Broker::of(&cluster);
    let collector = cluster.collector(&servers);
    wait_for("the collector's first look", || {
        publish(&servers, 1);
        broker.bounds(0).1 > 0
    });
    let (id, schema) = broker.schema();
    let mut expected = BTreeSet::new();
    let (mut rejected, mut lost) = (0, 0);
    for round in 0..rounds(2) {
        let appended = |posts: usize| {
            let end = broker.bounds(0).1 + posts as i64;
            let uris = publish(&servers, posts);
            wait_for("records", || broker.bounds(0).1 >= end);
            uris
        };
        expected.extend(appended(20));
        // Without a header; a header without a valid body; empty.
        broker.produce(0, b"garbage");
        broker.produce(0, &framed(id, b"\xff\xff\xff garbage"));
        broker.produce(0, b"");
        rejected += 3;
        expected.extend(appended(20));
        cluster.store();
        let checked = cluster.run(["check", "--format", "json"]).done().json();
        assert_eq!(checked["rows"].as_i64().unwrap(), broker.bounds(0).1 - lost);

        // A schema as a newer version would write it.
        let field = format!("added_{round}");
        let mut newer = schema.clone();
        let added = json!({"name": field, "type": ["null", "string"], "default": null});
        newer["fields"].as_array_mut().unwrap().push(added);
        let newer = broker.register(&newer);
        expected.extend(appended(20));
        let at = broker.produce(0, &framed(newer, b"what only a newer version can read"));
        expected.extend(appended(20));
        for arguments in [vec!["sink".to_owned()], vec!["sink".to_owned(), "--once".to_owned()], cluster.serve()] {
            let said = end_of(cluster.start(&arguments));
            assert_eq!(said.code(), Some(2), "{arguments:?}: {said:#?}");
            let told = [&format!("0:{at}"), &field, "hint: "];
            assert!(told.iter().all(|part| said.stderr.contains(*part)), "{arguments:?}: {}", said.stderr);
        }

        // The table ends right before this record: nothing was skipped, and a gap of this one offset fits.
        broker.delete_records(0, at + 1);
        cluster.run(["sink", "--once", "--accept-gap", &format!("0:{at}..{}", at + 1)]).done();
        lost += 1;
    }
    assert_eq!(collector.stop(), 0);
    let records = broker.bounds(0).1;
    let posts = || cluster.number("select count(*) from posts");
    wait_for("all posts", || posts() >= records - rejected - lost);
    assert_eq!(posts(), records - rejected - lost);
    assert!(cluster.uris().is_superset(&expected));
    let checked = cluster.check();
    println!("{records} records, {rejected} rejected, {lost} too new and accepted\n{}", checked.stdout);
    servers.stop();
}
