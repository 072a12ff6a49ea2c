//! A running world: compares streams with the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fedilake_sim::{Config, Simulation};

use crate::client::{Events, get, start};

fn busy() -> Config {
    Config {
        servers: 3,
        rate: 2_000.0,
        posts_max: Some(600),
        edits: 0.0,
        deletes: 0.2,
        delay: Duration::from_millis(20),
        reach: 9,
        ..Config::default()
    }
}

/// All events until every post of the configuration, and one more published by hand, was shown.
async fn events_of(simulation: &Simulation, server: usize, events: &mut Events) -> Vec<(String, String)> {
    while simulation.totals()[server].updates < 600 {
        tokio::task::yield_now().await;
    }
    let last = simulation.publish(server);
    let mut seen = Vec::new();
    loop {
        let event = events.next().await;
        if event.1.contains(&last.uri) {
            return seen;
        }
        seen.push(event);
    }
}

#[tokio::test]
async fn streams_carry_what_the_truth_says_and_deletes_overtake() {
    let simulation = start(busy()).await;
    let mut events = Events::open(&simulation, 1, "/api/v1/streaming/public").await;
    let opened_at_ms = simulation.truth().iter().map(|post| post.shown_at_ms).max().unwrap_or(0);
    let seen = events_of(&simulation, 1, &mut events).await;
    let mut updates: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut overtaken = 0;
    let mut deletes = BTreeSet::new();
    for (at, (name, data)) in seen.iter().enumerate() {
        if name == "delete" {
            deletes.insert(data.clone());
            overtaken += usize::from(!updates.contains_key(data));
        } else {
            let status: serde_json::Value = serde_json::from_str(data).unwrap();
            let id = status["id"].as_str().unwrap().to_owned();
            assert!(updates.insert(id, (at, status["uri"].as_str().unwrap().to_owned())).is_none(), "an id comes once");
        }
    }
    assert!(overtaken > 20, "{overtaken} of {} deletes overtook their update", deletes.len());
    let ids: Vec<u64> = updates.keys().map(|id| id.parse().unwrap()).collect();
    let mut in_order: Vec<(usize, u64)> = updates.values().map(|(at, _)| *at).zip(ids).collect();
    in_order.sort();
    assert!(!in_order.is_sorted_by_key(|(_, id)| *id), "order is not kept");
    let truth: Vec<_> = simulation.truth().into_iter().filter(|post| post.server == simulation.name(1)).collect();
    let seen: BTreeSet<&str> = updates.values().map(|(_, uri)| uri.as_str()).collect();
    let missed: Vec<_> = truth.iter().filter(|post| !seen.contains(post.uri.as_str())).collect();
    // The only one missed is the post by hand, which ends the reading.
    assert_eq!(missed.iter().filter(|post| post.shown_at_ms > opened_at_ms).count(), 1, "{missed:?}");
    assert_eq!(truth.len(), 601);
    let deleted: BTreeSet<String> =
        truth.iter().filter(|post| post.deleted_at_ms.is_some()).map(|post| post.id.clone()).collect();
    assert!(deleted.is_superset(&deletes));
    simulation.stop().await;
}

#[tokio::test]
async fn local_and_remote_streams_part_the_public_one() {
    let simulation = start(Config { servers: 2, rate: 0.0, ..busy() }).await;
    let mut local = Events::open(&simulation, 0, "/api/v1/streaming/public/local").await;
    let mut remote = Events::open(&simulation, 0, "/api/v1/streaming/public/remote").await;
    let (home, away) = (simulation.publish(0), simulation.publish(1));
    assert!(local.next().await.1.contains(&home.uri));
    assert!(remote.next().await.1.contains(&away.uri));
    simulation.stop().await;
}

#[tokio::test]
async fn the_past_is_there_at_the_start() {
    let simulation = start(Config { history: 50, rate: 0.0, servers: 1, ..Config::default() }).await;
    let page = get(&simulation, 0, "/api/v1/timelines/public?limit=40").await.text().await.unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&page).unwrap().as_array().unwrap().len(), 40);
    assert_eq!(simulation.truth().len(), 50);
    simulation.stop().await;
}

#[tokio::test]
async fn replies_name_post_and_author_by_the_ids_of_the_server_that_shows_them() {
    let config = Config { history: 400, rate: 0.0, servers: 3, reach: 3, ..Config::default() };
    let simulation = start(config).await;
    let mut uris: BTreeSet<(String, String)> = BTreeSet::new();
    for server in 0..3 {
        let mut statuses: BTreeMap<String, serde_json::Value> = BTreeMap::new();
        let mut below = String::new();
        loop {
            let page = get(&simulation, server, &format!("/api/v1/timelines/public?limit=40{below}")).await;
            let page: Vec<serde_json::Value> = serde_json::from_str(&page.text().await.unwrap()).unwrap();
            let Some(last) = page.last() else { break };
            below = format!("&max_id={}", last["id"].as_str().unwrap());
            statuses.extend(page.into_iter().map(|status| (status["id"].as_str().unwrap().to_owned(), status)));
        }
        assert_eq!(statuses.len(), 400);
        let replies = statuses.values().filter(|status| !status["in_reply_to_id"].is_null());
        let mut count = 0;
        for reply in replies {
            let answered = &statuses[reply["in_reply_to_id"].as_str().unwrap()];
            assert_eq!(reply["in_reply_to_account_id"], answered["account"]["id"]);
            let of_author = |mention: &&serde_json::Value| mention["id"] == answered["account"]["id"];
            let mention = reply["mentions"].as_array().unwrap().iter().find(of_author);
            let is_thread = answered["account"]["id"] == reply["account"]["id"];
            assert!(is_thread || mention.unwrap()["acct"] == answered["account"]["acct"], "{reply}");
            uris.insert((reply["uri"].to_string(), answered["uri"].to_string()));
            count += 1;
        }
        assert!(count > 40, "{count} replies at server {server}");
    }
    let repliers: BTreeSet<&String> = uris.iter().map(|(reply, _)| reply).collect();
    assert_eq!(repliers.len(), uris.len(), "a reply answers the same post everywhere");
    simulation.stop().await;
}

#[tokio::test]
async fn with_enough_reach_every_server_shows_every_post_once() {
    let simulation = start(Config { deletes: 0.0, ..busy() }).await;
    while simulation.totals().iter().any(|totals| totals.updates < 600) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let truth = simulation.truth();
    let mut servers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for post in &truth {
        servers.entry(&post.uri).or_default().insert(&post.server);
    }
    assert_eq!(servers.len(), 600);
    assert!(servers.values().all(|servers| servers.len() == 3));
    let members = truth.iter().filter(|post| post.local).count();
    assert!((200..400).contains(&members), "{members} posts by members");
    simulation.stop().await;
}
