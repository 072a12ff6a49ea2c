//! Hostile content in the topic and in the bucket: each piece costs only itself, and nothing panics.

use std::collections::BTreeSet;

use fedilake_services::Services;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use serde_json::json;

use super::broker::{Broker, framed};
use super::{Cluster, end_of, publish, still, wait_for};

/// Records that are none of ours: each with what it is.
fn garbage(id: u32, real: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut garbage: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |what: &str, bytes: Vec<u8>| garbage.push((what.to_owned(), bytes));
    add("text", b"garbage".to_vec());
    add("nothing", Vec::new());
    add("a zero byte", vec![0]);
    add("an id that is cut", vec![0, 0, 0, 0]);
    add("an id and no body", framed(id, b""));
    let nowhere = [&[0xc3, 0x01][..], &[0xa5; 8]].concat();
    add("a fingerprint that nobody knows", nowhere.clone());
    add("a fingerprint that nobody knows, and a body", [&nowhere[..], b"body"].concat());
    add("a fingerprint that nobody knows, and the body of a post", [&nowhere[..], &real[5..]].concat());
    add("a fingerprint that is cut", nowhere[..9].to_vec());
    add("an id that the registry does not have", framed(u32::MAX >> 1, b"body"));
    add("another id that the registry does not have", framed(u32::MAX, b""));
    add("another magic byte", [&[1], &real[1..]].concat());
    add("control codes", b"\x1b]0;owned\x07\x1b[2J\r\n\x9b1m".to_vec());
    add("no UTF-8", vec![0xff; 64]);
    add("JSON, deep", "[".repeat(100_000).into_bytes());
    add("an array that claims 2^62 items", framed(id, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x01]));
    add("a text that claims 2^62 bytes", framed(id, &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]));
    add("a huge one", framed(id, &vec![0xaa; 900_000]));
    // Every place at which a real record may break off, and what may follow it.
    let body = &real[5..];
    for cut in (0..body.len()).step_by((body.len() / 40).max(1)) {
        add(&format!("a record cut at {cut}"), framed(id, &body[..cut]));
    }
    add("a record and a byte more", framed(id, &[body, b"\0"].concat()));
    add("a record twice", framed(id, &[body, body].concat()));
    garbage
}

#[test]
fn chaos_of_hostile_records_costs_only_themselves() {
    let Some(services) = Services::shared("hostile records") else { return };
    let cluster = Cluster::new(&services, 1);
    let servers = still(1);
    let (collector, sink) = (cluster.collector(&servers), cluster.sink());
    let broker = Broker::of(&cluster);
    wait_for("the topic", || broker.has_topic());
    wait_for("the collector's first look", || {
        publish(&servers, 1);
        broker.bounds(0).1 > 0
    });
    let (id, _) = broker.schema();
    let real = broker.value(0, 0);
    assert_eq!(real[..5], framed(id, b""));
    let mut rejected = 0;
    let mut replica = cluster.start(cluster.serve());
    replica.wait_for_line("answering on");
    let mut expected = BTreeSet::new();
    for (_, bytes) in garbage(id, &real) {
        broker.produce(0, &bytes);
        rejected += 1;
    }
    broker.produce_with(0, None, Some(b"\x1b[2Ja\nkey\0"));
    broker.produce_with(0, Some(b"no key"), None);
    broker.produce_with(0, Some(b"a long key"), Some(&[0xff; 100_000]));
    rejected += 3;
    // Records of other programs, well made.
    for schema in [
        json!({"type": "record", "name": "Order", "fields": [{"name": "price", "type": "double"}]}),
        json!({"type": "enum", "name": "Colour", "symbols": ["RED"]}),
        json!("string"),
    ] {
        let other = broker.register_elsewhere(&schema);
        broker.produce(0, &framed(other, b"\x08body"));
        rejected += 1;
    }
    expected.extend(publish(&servers, 30));
    let shown = || -> BTreeSet<String> {
        let rows = cluster.run(["sql", "select uri from posts", "--format", "json"]).done().json();
        rows.as_array().unwrap().iter().map(|row| row["uri"].as_str().unwrap().to_owned()).collect()
    };
    wait_for("all posts", || shown().is_superset(&expected));
    assert_eq!((collector.stop(), sink.stop()), (0, 0));
    let said = replica.interrupt();
    assert_eq!(said.code(), Some(0));
    assert_eq!(said.stderr.matches("is no record of fedilake").count(), 1, "{}", said.stderr);
    cluster.store();
    let checked = cluster.run(["check", "--format", "json"]).done().json();
    assert_eq!(checked["rows"].as_i64(), Some(broker.bounds(0).1), "{checked}");
    // A lake that is made anew from the table has the same.
    std::fs::remove_file(cluster.folder().join("lake.duckdb")).unwrap();
    assert!(shown().is_superset(&expected));
    assert_eq!(shown().len() as i64, broker.bounds(0).1 - rejected);
    servers.stop();
}

#[test]
fn an_id_stops_the_sink_at_its_offset_while_the_registry_lacks_the_logs_own_schemas() {
    let Some(services) = Services::shared("an unknown id") else { return };
    let cluster = Cluster::new(&services, 1);
    cluster.store();
    let broker = Broker::of(&cluster);
    let at = broker.produce(0, &framed(u32::MAX >> 1, b"body"));
    let said = end_of(cluster.start(["sink", "--once"]));
    assert_eq!(said.code(), Some(2), "{said:#?}");
    for part in [&format!("0:{at}"), "does not have schema 2147483647", "--accept-gap"] {
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    broker.delete_records(0, at + 1);
    cluster.run(["sink", "--once", "--accept-gap", &format!("0:{at}..{}", at + 1)]).done();
}

#[test]
fn objects_of_odd_names_in_the_bucket_cost_only_themselves() {
    let Some(services) = Services::shared("foreign objects") else { return };
    let cluster = Cluster::new(&services, 1);
    let servers = still(1);
    cluster.stores_what_is_published(&servers, 40);
    let before = cluster.uris();
    cluster.check();

    let (store, runtime) = (cluster.bucket(), tokio::runtime::Runtime::new().unwrap());
    let put = |name: &str, bytes: &[u8]| {
        let (path, bytes) = (Path::parse(name).unwrap(), PutPayload::from(bytes.to_vec()));
        runtime.block_on(store.put(&path, bytes)).unwrap();
    };
    let files = cluster.objects();
    let (first, chain) = (&files[0], files[0].rsplit_once('/').unwrap().0);
    let real =
        runtime.block_on(async { store.get(&Path::parse(first).unwrap()).await.unwrap().bytes().await.unwrap() });
    let posts = format!("{}/posts", cluster.topic);
    // Names that no writer of ours gives, none of them read as a part of the table.
    let strays = [
        format!("{chain}/09223372036854775807.parquet"),
        format!("{chain}/09223372036854775808.parquet"),
        format!("{chain}/18446744073709551615.parquet"),
        format!("{chain}/99999999999999999999.parquet"),
        format!("{chain}/123.parquet"),
        format!("{chain}/+0000000000000000001.parquet"),
        format!("{chain}/-0000000000000000001.parquet"),
        format!("{chain}/\u{661}0000000000000000000.parquet"),
        format!("{chain}/a \u{202e}name\u{9b}2J.parquet"),
        format!("{chain}/notes.txt"),
        format!("{chain}/00000000000000000000.parquet.tmp"),
        format!("{chain}/deeper/00000000000000000000.parquet"),
        format!("{posts}/log=x/partition=99999999999/00000000000000000000.parquet"),
        format!("{posts}/log=x/partition=-1/00000000000000000000.parquet"),
        format!("{posts}/log=a b/partition=0/00000000000000000000.parquet"),
        format!("{posts}/_SUCCESS"),
        format!("{}/README", cluster.topic),
    ];
    for (nth, name) in strays.iter().enumerate() {
        put(name, if nth % 2 == 0 { b"garbage" } else { &real });
    }
    let whole = |what: &str| {
        // A replica whose lake was deleted answers while it takes the table.
        wait_for(|| format!("all posts beside {what}"), || cluster.uris() == before);
        let said = cluster.stopped_check();
        assert!(said.code() == Some(1) && !said.stderr.contains("panicked"), "{what}: {said:#?}");
        assert!(!said.stdout.contains(['\u{202e}', '\u{9b}']), "{what}: {}", said.stdout);
        cluster.run(["sink", "--once"]).done();
        std::fs::remove_file(cluster.folder().join("lake.duckdb")).unwrap();
        said
    };
    let said = whole("strays");
    assert!(said.stdout.contains("09223372036854775808.parquet"), "{}", said.stdout);
    strays.iter().for_each(|name| runtime.block_on(store.delete(&Path::parse(name).unwrap())).unwrap());
    cluster.check();

    servers.stop();
}

/// The replica of a bucket with unreadable objects: what Kafka still has is taken from there, and nothing is lost.
#[test]
fn an_unreadable_object_costs_nothing_while_kafka_has_its_records() {
    let Some(services) = Services::shared("unreadable objects") else { return };
    let cluster = Cluster::new(&services, 1);
    let servers = still(1);
    let collector = cluster.collector(&servers);
    wait_for("the first post", || {
        publish(&servers, 1);
        !cluster.uris().is_empty()
    });
    for _ in 0..3 {
        let more = publish(&servers, 10);
        wait_for("the posts", || cluster.uris().is_superset(&more));
        cluster.store();
    }
    assert_eq!(collector.stop(), 0);
    cluster.store();
    cluster.check();
    let expected = cluster.uris();
    cluster.check();
    let (store, runtime) = (cluster.bucket(), tokio::runtime::Runtime::new().unwrap());
    let put = |name: &str, bytes: &[u8]| {
        runtime.block_on(store.put(&Path::from(name), PutPayload::from(bytes.to_vec()))).unwrap();
    };
    let get =
        |name: &str| runtime.block_on(async { store.get(&Path::from(name)).await.unwrap().bytes().await.unwrap() });
    let files = cluster.objects();
    assert!(files.len() >= 3, "{files:?}");
    let (first, middle, newest) = (&files[0], &files[files.len() - 2], files.last().unwrap());
    let other_chain = format!("{}/posts/log=another/partition=0/00000000000000000000.parquet", cluster.topic);
    let whole = [first, middle, newest].map(|name| get(name));
    for content in [&b"PAR1"[..], &whole[0][..whole[0].len() / 2], &whole[1]] {
        for (place, bytes) in [(first, &whole[0]), (middle, &whole[1]), (newest, &whole[2])] {
            if content == &bytes[..] {
                continue;
            }
            put(place, content);
            put(&other_chain, content);
            let what = format!("{} bytes in the place of {place}", content.len());
            let said = cluster.stopped_check();
            assert!(said.code() == Some(1) && !said.stderr.contains("panicked"), "{what}: {said:#?}");
            assert!(
                said.stdout.contains(place.as_str()) && said.stdout.contains("log=another"),
                "{what}: {}",
                said.stdout
            );
            std::fs::remove_file(cluster.folder().join("lake.duckdb")).unwrap();
            let said = cluster.run(["report", "statistics"]).done();
            let told = said.stderr.contains("is damaged: ") && said.stderr.contains("of log=another");
            assert!(told && !said.stderr.contains("panicked"), "{what}: {}", said.stderr);
            wait_for(|| format!("all posts beside {what}"), || cluster.uris() == expected);
            let sunk = cluster.run(["sink", "--once"]);
            let is_newest = place == newest;
            assert_eq!(sunk.code(), Some(if is_newest { 2 } else { 0 }), "{what}: {sunk:#?}");
            assert_eq!(sunk.stderr.contains("move the file out of the table"), is_newest, "{what}: {}", sunk.stderr);
            put(place, bytes);
        }
    }
    // The way out, as the hint says it: what Kafka still has is stored again.
    put(newest, b"PAR1");
    cluster.stopped_check();
    for name in [newest, &other_chain] {
        runtime.block_on(store.delete(&Path::from(name.as_str()))).unwrap();
    }
    cluster.store();
    std::fs::remove_file(cluster.folder().join("lake.duckdb")).unwrap();
    wait_for("all posts", || cluster.uris() == expected);
    cluster.check();
    servers.stop();
}
