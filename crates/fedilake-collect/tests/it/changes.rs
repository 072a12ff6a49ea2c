//! Servers that are added and removed while others are collected.

use std::sync::Arc;
use std::time::Duration;

use fedilake_collect::collector::{self, Change};
use fedilake_collect::{Counts, ServerConfig, ServerState, Timeline, address};
use fedilake_sim::{Config, Simulation, serve};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::memory::{MemoryBookmarks, MemoryLog};
use crate::run::{settings, until};

fn config(simulation: &Simulation, server: usize) -> ServerConfig {
    ServerConfig::new(address::parse(&format!("http://{}", simulation.addresses()[server])).unwrap(), Timeline::Public)
}

fn end(config: &ServerConfig) -> Change {
    Change::End(config.address.server.clone(), config.timeline.clone())
}

/// The id of a post at a server that shows it.
fn id_at(simulation: &Simulation, config: &ServerConfig, uri: &str) -> String {
    let server = config.address.server.as_str();
    let post = simulation.truth().into_iter().find(|post| post.uri == uri && post.server == server);
    post.expect("it is shown everywhere").id
}

/// True if the log has a post of this server.
fn has(log: &MemoryLog, config: &ServerConfig, id: &str) -> bool {
    log.keys().contains(&format!("{}/{id}", config.address.server))
}

#[tokio::test]
async fn a_server_that_goes_and_comes_back_misses_nothing_and_disturbs_no_other() {
    let quiet = Config { servers: 2, rate: 0.0, delay: Duration::from_millis(1), ..Config::default() };
    let simulation = serve(quiet, CancellationToken::new()).await.unwrap();
    let (one, other) = (config(&simulation, 0), config(&simulation, 1));
    let (log, bookmarks, counts) = (Arc::new(MemoryLog::new()), Arc::<MemoryBookmarks>::default(), Arc::default());
    let (changes, receiver) = mpsc::unbounded_channel();
    let stop = CancellationToken::new();
    let run = tokio::spawn(collector::run_changing(
        UnboundedReceiverStream::new(receiver).boxed(),
        settings(),
        log.clone(),
        bookmarks.clone(),
        Arc::clone(&counts),
        stop.clone(),
    ));
    let state = |config: &ServerConfig| {
        let of = |counts: &Counts| {
            counts.snapshot().into_iter().find(|server| server.server == config.address.server).map(|it| it.state)
        };
        of(&counts)
    };
    for config in [&one, &other, &one] {
        changes.send(Change::Begin(config.clone())).unwrap();
    }
    until("both are live", || {
        [&one, &other].iter().all(|config| state(config) == Some(ServerState::Live)).then_some(())
    })
    .await;
    // Posts from before the first look at a server may be missing: publish until both servers were looked at.
    until("a post of each is in the log", || {
        simulation.publish(0);
        (bookmarks.all().len() == 2).then_some(())
    })
    .await;

    changes.send(end(&one)).unwrap();
    until("one has stopped", || (state(&one) == Some(ServerState::Stopped)).then_some(())).await;
    let meanwhile = simulation.publish(0);
    until("the other goes on", || has(&log, &other, &id_at(&simulation, &other, &meanwhile.uri)).then_some(())).await;

    // Stopped and started at once: the collector starts again when it has stopped.
    changes.send(Change::Begin(one.clone())).unwrap();
    changes.send(end(&one)).unwrap();
    changes.send(Change::Begin(one.clone())).unwrap();
    until("what came while it was away", || has(&log, &one, &id_at(&simulation, &one, &meanwhile.uri)).then_some(()))
        .await;
    assert_eq!(counts.snapshot().len(), 2, "a server that came back is counted where it was");
    // The channel of changes may close; collecting goes on.
    drop(changes);
    let last = simulation.publish(1);
    until("a post after that", || has(&log, &one, &id_at(&simulation, &one, &last.uri)).then_some(())).await;
    stop.cancel();
    run.await.unwrap().unwrap();
    simulation.stop().await;
}
