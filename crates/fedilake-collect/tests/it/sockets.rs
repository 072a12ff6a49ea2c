//! WebSockets, and the timelines that share one.

use std::collections::BTreeSet;
use std::sync::Arc;

use fedilake_collect::{CollectorSettings, ServerConfig, ServerState, Timeline, Token, Via};
use fedilake_sim::serve::{Holder, Software};
use fedilake_sim::{Config, Fault, Simulation};

use crate::memory::MemoryLog;
use crate::run::{Run, until};
use crate::simulation::{configs, fast, simulate, wait_for_all};

fn posts() -> Config {
    Config { servers: 2, rate: 200.0, posts_max: Some(600), edits: 0.0, ..Config::default() }
}

/// The servers, each with a token of its own.
fn with_tokens(simulation: &Simulation) -> Vec<ServerConfig> {
    let with_token = |(server, config): (usize, ServerConfig)| {
        let token = Token::new(&simulation.token(server, Holder::User, "read").unwrap());
        ServerConfig { token, ..config }
    };
    configs(simulation).into_iter().enumerate().map(with_token).collect()
}

#[tokio::test]
async fn what_servers_show_is_read_by_sockets_through_their_ends() {
    let simulation = simulate(Config { stream_needs_token: true, ..posts() }).await;
    let settings = CollectorSettings { via: Via::WebSocket, ..fast() };
    let run = Run::start_with(with_tokens(&simulation), settings, Arc::new(MemoryLog::new()), Arc::default());
    run.log.wait_for(200).await;
    assert!(run.counts.snapshot().iter().all(|server| server.state == ServerState::Live));
    simulation.set_fault(0, Some(Fault::Disconnect), None);
    until("the socket ends", || (!run.counts.snapshot()[0].failures.is_empty()).then_some(())).await;
    run.log.wait_for(600).await;
    simulation.set_fault(0, None, None);
    wait_for_all(&simulation, &run.log).await;
    assert!(run.counts.snapshot()[1].failures.is_empty(), "{:?}", run.counts.snapshot()[1]);
    run.stop().await.unwrap();
}

/// A run of the operator's own servers: some software's robots.txt lets nobody else in.
async fn run_of_own(simulation: &Simulation) -> Run {
    let servers = with_tokens(simulation);
    let own_servers = servers.iter().map(|config| config.address.server.clone()).collect();
    let settings = CollectorSettings { own_servers, ..fast() };
    let run = Run::start_with(servers, settings, Arc::new(MemoryLog::new()), Arc::default());
    until("the streams are open", || {
        let servers = run.counts.snapshot();
        (servers.len() == 2 && servers.iter().all(|server| server.state == ServerState::Live)).then_some(())
    })
    .await;
    run
}

#[tokio::test]
async fn a_server_that_has_only_sockets_is_read_by_one() {
    let simulation = simulate(Config { software: vec![Software::GoToSocial], ..posts() }).await;
    let run = run_of_own(&simulation).await;
    wait_for_all(&simulation, &run.log).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn the_operators_own_server_is_read_again_after_it_refused_the_token_for_a_while() {
    let simulation = simulate(Config { software: vec![Software::GoToSocial], ..posts() }).await;
    let run = run_of_own(&simulation).await;
    simulation.set_fault(0, Some(Fault::Unauthorized), None);
    until("the token is refused", || (!run.counts.snapshot()[0].failures.is_empty()).then_some(())).await;
    simulation.set_fault(0, None, None);
    wait_for_all(&simulation, &run.log).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn polls_only_are_polls_only() {
    let simulation = simulate(posts()).await;
    let settings = CollectorSettings { via: Via::Poll, ..fast() };
    let run = Run::start_with(configs(&simulation), settings, Arc::new(MemoryLog::new()), Arc::default());
    wait_for_all(&simulation, &run.log).await;
    assert!(run.counts.snapshot().iter().all(|server| server.state == ServerState::Polling));
    run.stop().await.unwrap();
}

#[tokio::test]
async fn timelines_of_a_server_are_read_beside_each_other_by_each_way() {
    for via in [Via::Sse, Via::WebSocket, Via::Poll] {
        let simulation = simulate(Config { servers: 1, deletes: 0.0, ..posts() }).await;
        let config = &with_tokens(&simulation)[0];
        let names = ["local", "remote", "list:1", "hashtag:photography"];
        let of = |name: &&str| ServerConfig { timeline: Timeline::parse(name).unwrap(), ..config.clone() };
        let settings = CollectorSettings { via, ..fast() };
        let servers = names.iter().map(of).collect();
        let run = Run::start_with(servers, settings, Arc::new(MemoryLog::new()), Arc::default());
        // What is local and what is remote is all there is.
        wait_for_all(&simulation, &run.log).await;
        let servers = run.counts.snapshot();
        assert_eq!(servers.len(), names.len());
        let accepted = |name: &str| {
            let server = servers.iter().find(|server| server.timeline.to_string() == name).unwrap();
            server.tally.accepted
        };
        let all = run.log.keys().into_iter().collect::<BTreeSet<_>>().len() as u64;
        assert_eq!(accepted("local") + accepted("remote"), all, "{via:?}");
        assert!(accepted("list:1") > 0 && accepted("list:1") < all, "{via:?}");
        assert!(servers.iter().all(|server| server.failures.is_empty()), "{via:?}: {servers:?}");
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_list_that_is_not_there_is_told_as_the_server_tells_it_and_no_fault_of_the_token() {
    for via in [Via::Sse, Via::WebSocket, Via::Poll] {
        let simulation = simulate(Config { servers: 1, ..posts() }).await;
        let config = &with_tokens(&simulation)[0];
        let of = |name: &&str| ServerConfig { timeline: Timeline::parse(name).unwrap(), ..config.clone() };
        let servers = ["list:999", "list:1"].iter().map(of).collect();
        let settings = CollectorSettings { via, ..fast() };
        let run = Run::start_with(servers, settings, Arc::new(MemoryLog::new()), Arc::default());
        let told = until("a list that is not there", || {
            let servers = run.counts.snapshot();
            let wrong = servers.iter().find(|server| server.timeline.to_string() == "list:999")?;
            wrong.last_error.clone().filter(|error| error.contains("/timelines/list/"))
        });
        let told = told.await;
        assert!(told.contains("404 Not Found") && told.contains("Record not found"), "{via:?}: {told}");
        until("the other list", || (!run.log.keys().is_empty()).then_some(())).await;
        run.stop().await.unwrap();
    }
}
