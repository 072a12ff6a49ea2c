//! Simulated servers know what they published: is all of it in the log?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fedilake_collect::{CollectorSettings, ServerConfig, ServerSnapshot, ServerState, Timeline, address};
use fedilake_sim::serve::{Published, RateLimits};
use fedilake_sim::{Config, Fault, Simulation, serve};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::memory::{MemoryBookmarks, MemoryLog};
use crate::run::{Run, settings, until};

async fn simulate(config: Config) -> Simulation {
    let unlimited = 1_000_000;
    let limits = RateLimits { requests: unlimited, paged: unlimited, ..RateLimits::default() };
    let config = Config { limits, backdated: 0.0, delay: Duration::from_millis(30), ..config };
    serve(config, CancellationToken::new()).await.unwrap()
}

fn configs(simulation: &Simulation) -> Vec<ServerConfig> {
    let config = |address: std::net::SocketAddr| ServerConfig {
        address: address::parse(&format!("http://{address}")).unwrap(),
        timeline: Timeline::Public,
        token: None,
    };
    simulation.addresses().into_iter().map(config).collect()
}

/// The settings for real servers, with shorter times.
fn fast() -> CollectorSettings {
    CollectorSettings {
        overlap: Duration::from_secs(5),
        overlap_short: Duration::from_secs(1),
        seen_max: 100_000,
        ..settings()
    }
}

/// Posts that a server still shows; deleted ones may have been deleted before anyone saw them.
fn shown(simulation: &Simulation) -> BTreeSet<String> {
    let truth = simulation.truth().into_iter().filter(|post| post.deleted_at_ms.is_none());
    truth.map(|post| format!("{}/{}", post.server, post.id)).collect()
}

/// Waits until the log has every post that the servers show.
async fn wait_for_all(simulation: &Simulation, log: &MemoryLog) {
    let wait = async {
        loop {
            let keys: BTreeSet<String> = log.keys().into_iter().collect();
            if simulation.is_quiet() && shown(simulation).is_subset(&keys) {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(Duration::from_secs(20), wait).await.is_err() {
        let keys: BTreeSet<String> = log.keys().into_iter().collect();
        let shown = shown(simulation);
        let missing: Vec<&String> = shown.difference(&keys).collect();
        let mut servers = BTreeMap::new();
        for key in &missing {
            let server = simulation.addresses().iter().position(|at| key.starts_with(&at.to_string()));
            *servers.entry(server.unwrap()).or_insert(0) += 1;
        }
        panic!("{} of {} are missing, by server: {servers:?}", missing.len(), shown.len());
    }
}

#[tokio::test]
async fn what_federating_servers_stream_is_collected() {
    let config = Config { servers: 3, rate: 1_000.0, posts_max: Some(1_500), edits: 0.0, ..Config::default() };
    let simulation = simulate(config).await;
    let run = Run::start_with(configs(&simulation), fast(), Arc::new(MemoryLog::new()), Arc::default());
    wait_for_all(&simulation, &run.log).await;
    let known: BTreeSet<String> =
        simulation.truth().into_iter().map(|post| format!("{}/{}", post.server, post.id)).collect();
    let (log, counts) = (run.log.clone(), run.counts.clone());
    run.stop().await.unwrap();
    assert!(log.keys().into_iter().all(|key| known.contains(&key)), "no id is made up");
    assert!(counts.snapshot().iter().all(|server| server.failures.is_empty()), "{:?}", counts.snapshot());
    assert_eq!(counts.tally().accepted, log.keys().len() as u64);
}

#[tokio::test]
async fn what_federating_servers_show_is_polled() {
    let config = Config {
        servers: 2,
        rate: 300.0,
        posts_max: Some(600),
        edits: 0.0,
        stream_needs_token: true,
        ..Config::default()
    };
    let simulation = simulate(config).await;
    let run = Run::start_with(configs(&simulation), fast(), Arc::new(MemoryLog::new()), Arc::default());
    wait_for_all(&simulation, &run.log).await;
    run.stop().await.unwrap();
}

/// Settings under which a fill alone reaches back less far than posts come late.
fn shallow() -> CollectorSettings {
    CollectorSettings {
        overlap: Duration::from_millis(300),
        overlap_short: Duration::from_millis(100),
        overlap_long: Duration::from_secs(4),
        ..fast()
    }
}

/// A simulation in which every twentieth post of another server is late, by up to four seconds.
fn with_late_posts() -> Config {
    Config {
        servers: 2,
        rate: 200.0,
        posts_max: Some(1_200),
        edits: 0.0,
        late: 0.05,
        late_max: Duration::from_secs(4),
        ..Config::default()
    }
}

#[tokio::test]
async fn posts_that_become_visible_late_in_a_hole_of_the_stream_are_found_afterwards() {
    let simulation = simulate(with_late_posts()).await;
    let run = Run::start_with(configs(&simulation), shallow(), Arc::new(MemoryLog::new()), Arc::default());
    run.log.wait_for(400).await;
    for server in 0..2 {
        simulation.set_fault(server, Some(Fault::Disconnect), None);
    }
    until("the streams end", || run.counts.snapshot().iter().all(|server| !server.failures.is_empty()).then_some(()))
        .await;
    run.log.wait_for(800).await;
    for server in 0..2 {
        simulation.set_fault(server, None, None);
    }
    wait_for_all(&simulation, &run.log).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn posts_that_become_visible_late_are_polled() {
    let simulation = simulate(Config { stream_needs_token: true, ..with_late_posts() }).await;
    let run = Run::start_with(configs(&simulation), shallow(), Arc::new(MemoryLog::new()), Arc::default());
    wait_for_all(&simulation, &run.log).await;
    run.stop().await.unwrap();
}

/// Two servers on which only posts by hand are published, and thirty of them, which both have been read to show.
async fn with_thirty_posts(config: Config) -> (Simulation, Run, Vec<Published>) {
    let config = Config { servers: 2, rate: 0.0, history: 0, ..config };
    let simulation = simulate(config).await;
    let settings = CollectorSettings { overlap_long: Duration::from_secs(1), ..fast() };
    let run = Run::start_with(configs(&simulation), settings, Arc::new(MemoryLog::new()), Arc::default());
    until("both are read", || {
        let is_read = |server: &ServerSnapshot| matches!(server.state, ServerState::Live | ServerState::Polling);
        run.counts.snapshot().iter().all(is_read).then_some(())
    })
    .await;
    let posts: Vec<Published> = (0..30).map(|_| simulation.publish(0)).collect();
    run.log.wait_for(60).await;
    (simulation, run, posts)
}

/// Waits until the log has a second record of each of these posts by the first server.
async fn wait_for_changes(simulation: &Simulation, log: &MemoryLog, posts: &[Published]) {
    let wanted: Vec<String> = posts.iter().map(|post| format!("{}/{}", simulation.name(0), post.id)).collect();
    until("each change is told", || {
        let keys = log.keys();
        wanted.iter().all(|key| keys.iter().filter(|other| *other == key).count() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn deletes_and_edits_in_a_hole_of_the_stream_are_found_afterwards() {
    let (simulation, run, posts) = with_thirty_posts(Config::default()).await;
    simulation.set_fault(0, Some(Fault::Disconnect), None);
    until("the stream ends", || (!run.counts.snapshot()[0].failures.is_empty()).then_some(())).await;
    assert!(posts[..10].iter().all(|post| simulation.delete(&post.uri)));
    assert!(posts[10..15].iter().all(|post| simulation.edit(&post.uri)));
    simulation.set_fault(0, None, None);
    wait_for_changes(&simulation, &run.log, &posts[..15]).await;
    let log = run.log.clone();
    run.stop().await.unwrap();
    let of_others = |key: &&String| posts[15..].iter().any(|post| key.ends_with(&format!("/{}", post.id)));
    let kept = log.keys();
    let kept: Vec<&String> = kept.iter().filter(of_others).filter(|key| key.starts_with(simulation.name(0))).collect();
    assert_eq!(kept.len(), 15, "nothing is told of those that stay");
}

#[tokio::test]
async fn deletes_that_no_stream_tells_are_found_where_a_timeline_is_polled() {
    let (simulation, run, posts) = with_thirty_posts(Config { stream_needs_token: true, ..Config::default() }).await;
    assert!(posts[..10].iter().all(|post| simulation.delete(&post.uri)));
    wait_for_changes(&simulation, &run.log, &posts[..10]).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn no_fault_of_a_server_loses_a_post_or_disturbs_another_server() {
    // 429 has a test of its own, because its reset is minutes away.
    let faults = Fault::ALL.into_iter().filter(|fault| *fault != Fault::TooManyRequests).enumerate();
    let well = faults.clone().count();
    let config =
        Config { servers: well + 1, reach: 3, rate: 500.0, posts_max: Some(2_000), edits: 0.0, ..Config::default() };
    let simulation = simulate(config).await;
    let run = Run::start_with(configs(&simulation), fast(), Arc::new(MemoryLog::new()), Arc::default());
    run.log.wait_for(200).await;
    for (server, fault) in faults.clone() {
        simulation.set_fault(server, Some(fault), None);
    }
    // The other faults affect requests only, which an open stream does not send. A short silence cannot be
    // distinguished from chance.
    let is_felt = |fault: &Fault| !matches!(fault, Fault::ServerError | Fault::Html);
    for (server, fault) in faults.clone().filter(|(_, fault)| is_felt(fault)) {
        until(&format!("{fault} is felt"), || (!run.counts.snapshot()[server].failures.is_empty()).then_some(())).await;
    }
    for (server, _) in faults.clone() {
        simulation.set_fault(server, None, None);
    }
    wait_for_all(&simulation, &run.log).await;
    let servers = run.counts.snapshot();
    let failures = &servers[well].failures;
    assert!(failures.is_empty(), "the server that was well: {failures:?}");
    run.stop().await.unwrap();
}

#[tokio::test]
async fn runs_that_are_stopped_and_started_again_lose_nothing() {
    let config = Config { servers: 2, rate: 400.0, posts_max: Some(1_200), edits: 0.0, ..Config::default() };
    let simulation = simulate(config).await;
    let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
    let start = || Run::start_with(configs(&simulation), fast(), log.clone(), bookmarks.clone());
    let mut count = 0;
    while !simulation.is_quiet() {
        let run = start();
        count += 100;
        log.wait_for(count).await;
        run.stop().await.unwrap();
        count = log.keys().len();
        sleep(Duration::from_millis(100)).await;
    }
    let run = start();
    wait_for_all(&simulation, &log).await;
    run.stop().await.unwrap();
}
