//! Simulated servers know what they published: is all of it in the log?

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray};
use fedilake_collect::{CollectorSettings, ServerConfig, ServerSnapshot, ServerState, Timeline, Via, address};
use fedilake_sim::serve::{Answer, Published, RateLimits, TruthPost};
use fedilake_sim::{Config, Fault, Simulation, serve};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::memory::{MemoryBookmarks, MemoryLog};
use crate::run::{Run, settings, until};

pub(crate) async fn simulate(config: Config) -> Simulation {
    let unlimited = 1_000_000;
    let limits = RateLimits { requests: unlimited, paged: unlimited, ..RateLimits::default() };
    let config = Config { limits, backdated: 0.0, delay: Duration::from_millis(30), ..config };
    serve(config, CancellationToken::new()).await.unwrap()
}

pub(crate) fn configs(simulation: &Simulation) -> Vec<ServerConfig> {
    let config = |address: std::net::SocketAddr| {
        ServerConfig::new(address::parse(&format!("http://{address}")).unwrap(), Timeline::Public)
    };
    simulation.addresses().into_iter().map(config).collect()
}

/// The settings for real servers, with shorter times.
pub(crate) fn fast() -> CollectorSettings {
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
pub(crate) async fn wait_for_all(simulation: &Simulation, log: &MemoryLog) {
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
    with_thirty_posts_read(config, CollectorSettings { overlap_long: Duration::from_secs(1), ..fast() }).await
}

async fn with_thirty_posts_read(config: Config, settings: CollectorSettings) -> (Simulation, Run, Vec<Published>) {
    let config = Config { servers: 2, rate: 0.0, history: 0, ..config };
    let simulation = simulate(config).await;
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
async fn deletes_before_an_open_stream_brings_its_first_post_are_found() {
    let simulation = simulate(Config { servers: 1, rate: 0.0, history: 0, ..Config::default() }).await;
    simulation.set_fault(0, Some(Fault::Silent), None);
    let settings = CollectorSettings { second_look_after: Duration::from_millis(500), ..fast() };
    let run = Run::start_with(configs(&simulation), settings, Arc::new(MemoryLog::new()), Arc::default());
    run.server_where(|server| server.state == ServerState::Live).await;
    // The stream is open and loses them; pages bring them.
    let posts: Vec<Published> = (0..30).map(|_| simulation.publish(0)).collect();
    run.log.wait_for(30).await;
    assert!(posts[..10].iter().all(|post| simulation.delete(&post.uri)));
    simulation.set_fault(0, None, None);
    simulation.publish(0);
    wait_for_changes(&simulation, &run.log, &posts[..10]).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn deletes_that_no_stream_tells_are_found_where_a_timeline_is_polled() {
    let (simulation, run, posts) = with_thirty_posts(Config { stream_needs_token: true, ..Config::default() }).await;
    assert!(posts[..10].iter().all(|post| simulation.delete(&post.uri)));
    wait_for_changes(&simulation, &run.log, &posts[..10]).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn deletes_while_nobody_collects_are_found_after_the_restart() {
    for is_killed in [false, true] {
        // Nothing is saved at times before the kill.
        let rarely = if is_killed { Duration::from_secs(3_600) } else { fast().bookmark_interval };
        let settings = CollectorSettings { bookmark_interval: rarely, history_interval: rarely, ..fast() };
        let (simulation, run, posts) = with_thirty_posts_read(Config::default(), settings).await;
        let (log, bookmarks) = (run.log.clone(), run.bookmarks.clone());
        if is_killed {
            run.kill().await
        } else {
            run.stop().await.unwrap()
        }
        assert!(posts[..10].iter().all(|post| simulation.delete(&post.uri)));
        assert!(posts[10..15].iter().all(|post| simulation.edit(&post.uri)));
        let run = Run::start_with(configs(&simulation), fast(), log, bookmarks);
        wait_for_changes(&simulation, &run.log, &posts[..15]).await;
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn posts_that_vanish_without_a_word_are_found_while_the_stream_works() {
    let looks_at_age = [Duration::from_millis(500), Duration::from_secs(60)];
    let settings = CollectorSettings { looks_at_age, ..fast() };
    let (simulation, run, posts) = with_thirty_posts_read(Config::default(), settings).await;
    assert!(posts[..10].iter().all(|post| simulation.hide(&post.uri)));
    wait_for_changes(&simulation, &run.log, &posts[..10]).await;
    let servers = run.counts.snapshot();
    assert!(servers.iter().all(|server| server.failures.is_empty()), "{servers:?}");
    run.stop().await.unwrap();
}

#[tokio::test]
async fn what_only_another_server_told_is_asked_for() {
    let ages = [Duration::from_secs(600), Duration::from_secs(1_500)];
    let settings = CollectorSettings { hearsay_after: Duration::from_millis(200), looks_at_age: ages, ..fast() };
    let (simulation, run, posts) = with_thirty_posts_read(Config::default(), settings).await;
    // The first server's stream says nothing while nothing is posted there, which is no hole.
    simulation.set_fault(0, Some(Fault::Silent), None);
    assert!(posts[..10].iter().all(|post| simulation.delete(&post.uri)));
    assert!(posts[10..15].iter().all(|post| simulation.edit(&post.uri)));
    wait_for_changes(&simulation, &run.log, &posts[..15]).await;
    let failures = run.counts.snapshot().iter().map(|server| server.failures.len()).sum::<usize>();
    assert_eq!(failures, 0, "the stream was not given up");
    run.stop().await.unwrap();
}

/// Asserts that each row names its author as the servers do. Returns the rows of authors whose domain is apart from their server's host.
fn rows_of_domains_apart(simulation: &Simulation, log: &MemoryLog) -> usize {
    let shown: HashMap<(String, String), TruthPost> =
        simulation.truth().into_iter().map(|post| ((post.server.clone(), post.id.clone()), post)).collect();
    let rows = log.rows();
    let text = |column: &str| rows.column_by_name(column).unwrap().as_string::<i32>().clone();
    let (servers, ids, authors, domains) = (text("server"), text("id"), text("author"), text("author_domain"));
    let from_origin = rows.column_by_name("from_origin").unwrap().as_boolean();
    let mut apart = 0;
    for row in (0..rows.num_rows()).filter(|row| authors.is_valid(*row)) {
        let post = &shown[&(servers.value(row).to_owned(), ids.value(row).to_owned())];
        assert_eq!((authors.value(row), from_origin.value(row)), (&*post.author, post.local), "{}", post.uri);
        let domain = post.author.split_once('@').unwrap().1;
        assert_eq!(domains.value(row), domain);
        apart += usize::from(domain.starts_with("server-"));
    }
    apart
}

#[tokio::test]
async fn authors_have_their_own_domain_where_it_is_not_the_servers_host() {
    for stream_needs_token in [false, true] {
        let config = Config { servers: 4, reach: 4, apart: 0.5, stream_needs_token, ..with_late_posts() };
        let simulation = simulate(Config { rate: 400.0, posts_max: Some(400), ..config }).await;
        let run = Run::start_with(configs(&simulation), fast(), Arc::new(MemoryLog::new()), Arc::default());
        wait_for_all(&simulation, &run.log).await;
        let log = run.log.clone();
        run.stop().await.unwrap();
        let apart = rows_of_domains_apart(&simulation, &log);
        assert!(apart > 50, "{apart}");
    }
}

#[tokio::test]
async fn the_members_domain_is_known_before_their_first_post_and_outlives_the_process() {
    for (via, stream_needs_token) in [(Via::Auto, false), (Via::Auto, true), (Via::Poll, false)] {
        let config = Config { servers: 3, reach: 3, apart: 1.0, rate: 0.0, visits_max: 1_000, ..Config::default() };
        let simulation = simulate(Config { stream_needs_token, ..config }).await;
        let each = || 0..simulation.addresses().len();
        let documents = |answer: Option<Answer>| {
            each().for_each(|server| simulation.answer(server, "/api/v2/instance", answer.clone()));
        };
        let publish = || each().for_each(|server| (0..10).for_each(|_| drop(simulation.publish(server))));
        let asked = |server| {
            let visits = simulation.visits(server);
            visits.iter().filter(|visit| visit.path == "/api/v2/instance").count()
        };
        documents(Some(Answer::text(502, "back soon")));
        publish();
        let settings = || CollectorSettings { via, live_retry_after: Duration::from_millis(50), ..fast() };
        let run = Run::start_with(configs(&simulation), settings(), Arc::new(MemoryLog::new()), Arc::default());
        until("the documents are asked for", || each().all(|server| asked(server) > 0).then_some(())).await;
        documents(None);
        wait_for_all(&simulation, &run.log).await;
        let (log, bookmarks) = (run.log.clone(), run.bookmarks.clone());
        run.stop().await.unwrap();
        assert_eq!(rows_of_domains_apart(&simulation, &log), log.keys().len());

        documents(Some(Answer::text(502, "back soon")));
        publish();
        let run = Run::start_with(configs(&simulation), settings(), log.clone(), bookmarks);
        wait_for_all(&simulation, &log).await;
        run.stop().await.unwrap();
        assert_eq!(rows_of_domains_apart(&simulation, &log), log.keys().len());
    }
}

#[tokio::test]
async fn a_server_that_never_tells_of_itself_is_read_all_the_same() {
    for answer in [Answer::text(500, "no"), Answer::nothing(), Answer::text(200, "<html>")] {
        let simulation = simulate(Config { servers: 1, rate: 0.0, ..Config::default() }).await;
        simulation.answer(0, "/api/v2/instance", Some(answer));
        (0..20).for_each(|_| drop(simulation.publish(0)));
        let run = Run::start_with(configs(&simulation), fast(), Arc::new(MemoryLog::new()), Arc::default());
        wait_for_all(&simulation, &run.log).await;
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn no_fault_of_a_server_loses_a_post_or_disturbs_another_server() {
    // The other faults affect requests only, or events that reach the reader all the same.
    let is_felt = |fault: &Fault| fault.is_felt_by_streams();
    let faults = Fault::ALL
        .into_iter()
        .filter(|fault| is_felt(fault) || matches!(fault, Fault::ServerError | Fault::Html))
        .enumerate();
    let well = faults.clone().count();
    let config =
        Config { servers: well + 1, reach: 3, rate: 500.0, posts_max: Some(2_000), edits: 0.0, ..Config::default() };
    let simulation = simulate(config).await;
    let run = Run::start_with(configs(&simulation), fast(), Arc::new(MemoryLog::new()), Arc::default());
    run.log.wait_for(200).await;
    for (server, fault) in faults.clone() {
        simulation.set_fault(server, Some(fault), None);
    }
    // A short silence cannot be distinguished from chance.
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
