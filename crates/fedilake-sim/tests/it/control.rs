//! Control routes of a server, and single posts.

use std::time::Duration;

use fedilake_sim::Config;
use fedilake_sim::serve::{Held, ServerTotals, State, TruthPost};
use fedilake_sim::{Fault, Script};

use crate::client::{get, ids, json, parse, quiet, start};

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

#[tokio::test]
async fn a_collection_is_audited_against_the_truth() {
    let simulation = start(quiet()).await;
    let posts: Vec<_> = (0..4).map(|_| simulation.publish(0)).collect();
    simulation.edit(&posts[1].uri);
    simulation.delete(&posts[2].uri);
    let edited_at_ms = simulation.truth().iter().find(|post| post.uri == posts[1].uri).unwrap().edited_at_ms;
    let held = |post: usize, edited_at_ms| Held { uri: posts[post].uri.clone(), edited_at_ms };
    let whole = [held(0, None), held(1, edited_at_ms), held(3, None)];
    assert!(simulation.audit(whole).is_clean());
    let audit = simulation.audit([held(0, None), held(0, None), held(1, None), held(2, None)]);
    let named = |post: usize| vec![posts[post].uri.clone()];
    assert_eq!((&audit.missing, &audit.doubled, &audit.stale), (&named(3), &named(0), &named(1)));
    assert_eq!((&audit.undeleted, audit.shown), (&named(2), 3));

    let edited_at = chrono::DateTime::from_timestamp_millis(edited_at_ms.unwrap()).unwrap().to_rfc3339();
    let lines: Vec<String> = [(0, None), (1, Some(edited_at)), (3, None)]
        .into_iter()
        .map(|(post, edited_at)| serde_json::json!({"uri": posts[post].uri, "edited_at": edited_at}).to_string())
        .collect();
    let url = format!("http://{}/_sim/audit", simulation.name(1));
    let answer = reqwest::Client::new().post(url).body(lines.join("\n")).send().await.unwrap();
    let answer = parse(answer).await;
    assert_eq!(
        (&answer["shown"], &answer["missing"], &answer["stale"]),
        (&3.into(), &serde_json::json!([]), &serde_json::json!([]))
    );
    simulation.stop().await;
}

#[tokio::test]
async fn the_state_says_what_goes_on_and_what_is_still_to_come() {
    let state =
        async |simulation| -> State { serde_json::from_value(json(simulation, 1, "/_sim/state").await).unwrap() };
    let script = Script::draw(5, 2, Duration::from_secs(2));
    let config = Config { rate: 1_000.0, posts_max: Some(20), edits: 0.0, deletes: 0.0, script, ..quiet() };
    let simulation = start(config).await;
    let begun = state(&simulation).await;
    assert!(!begun.faults_over && !begun.quiet, "{begun:?}");
    simulation.faults_over().await;
    simulation.quiet().await;
    let quiet = state(&simulation).await;
    assert_eq!((quiet.posts, quiet.waiting, quiet.faults.len()), (20, 0, 0));
    assert!(quiet.posts_over && quiet.faults_over && quiet.quiet);
    simulation.set_fault(0, Some(Fault::Gone), None);
    let faults = state(&simulation).await.faults;
    assert_eq!(faults.into_iter().collect::<Vec<_>>(), [(simulation.name(0).to_owned(), "410".to_owned())]);
    simulation.stop().await;
}
