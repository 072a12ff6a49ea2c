//! Control routes of a server, and single posts.

use std::time::Duration;

use fedilake_sim::Config;
use fedilake_sim::serve::{ServerTotals, TruthPost};

use crate::client::{get, ids, json, quiet, start};

#[tokio::test]
async fn the_truth_is_the_same_over_http_and_comes_in_parts() {
    let simulation = start(quiet()).await;
    let published: Vec<_> = (0..7).map(|_| simulation.publish(1)).collect();
    assert!(simulation.delete(&published[3].uri) && !simulation.delete(&published[3].uri));
    let of_first: Vec<TruthPost> =
        simulation.truth().into_iter().filter(|post| post.server == simulation.name(0)).collect();
    let mut read: Vec<TruthPost> = Vec::new();
    loop {
        let after = read.last().map_or("0", |post| &post.id);
        let part = get(&simulation, 0, &format!("/_sim/truth?after={after}&limit=3")).await.text().await.unwrap();
        if part.is_empty() {
            break;
        }
        read.extend(part.lines().map(|line| serde_json::from_str::<TruthPost>(line).unwrap()));
    }
    assert_eq!(read, of_first);
    assert_eq!(read.len(), 7);
    assert!(read.iter().all(|post| !post.local));
    let totals: ServerTotals = serde_json::from_value(json(&simulation, 0, "/_sim/totals").await).unwrap();
    assert_eq!((totals.updates, totals.edits, totals.deletes, totals.forgotten), (7, 0, 1, 0));
    assert_eq!(totals, simulation.totals()[0]);
    simulation.stop().await;
}

#[tokio::test]
async fn single_statuses_are_found_until_they_are_deleted() {
    let simulation = start(quiet()).await;
    let (kept, gone) = (simulation.publish(0), simulation.publish(0));
    simulation.delete(&gone.uri);
    assert_eq!(json(&simulation, 0, &format!("/api/v1/statuses/{}", kept.id)).await["uri"], kept.uri);
    assert_eq!(get(&simulation, 0, &format!("/api/v1/statuses/{}", gone.id)).await.status(), 404);
    let both = json(&simulation, 0, &format!("/api/v1/statuses?id[]={}&id[]={}", kept.id, gone.id)).await;
    assert_eq!(ids(&both), [kept.id]);
    simulation.stop().await;
}

#[tokio::test]
async fn a_flow_that_was_ended_brings_nothing_more() {
    let simulation = start(Config { rate: 1_000.0, ..quiet() }).await;
    while simulation.truth().len() < 100 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!simulation.is_quiet());
    simulation.end_flow();
    let (truth, totals) = (simulation.truth(), simulation.totals());
    assert!(simulation.is_quiet());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((simulation.truth(), simulation.totals()), (truth.clone(), totals));
    simulation.publish(0);
    assert!(simulation.truth().len() > truth.len(), "by hand it goes on");
    simulation.stop().await;
}
