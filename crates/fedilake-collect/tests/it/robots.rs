//! robots.txt, over real HTTP.

use std::time::Duration;

use fedilake_collect::{CollectorSettings, ServerConfig, ServerState};
use fedilake_model::Server;

use crate::memory::{MemoryBookmarks, MemoryLog};
use crate::run::{Run, settings};
use crate::single::{Single, refused};

fn start(single: &Single, settings: CollectorSettings) -> Run {
    Run::start_with(
        vec![single.config_with_token()],
        settings,
        MemoryLog::new().into(),
        MemoryBookmarks::default().into(),
    )
}

/// Rules count for so short that a test sees them read again.
fn brief() -> CollectorSettings {
    CollectorSettings { robots_for: Duration::from_millis(100), ..settings() }
}

const NOTHING: &str = "User-agent: *\nDisallow: /api/";

#[tokio::test]
async fn a_server_whose_robots_forbid_the_api_is_asked_for_nothing_else_until_they_change() {
    let single = Single::start().await;
    single.publish_unstreamed();
    single.answer_robots_with(200, NOTHING);
    let run = start(&single, brief());
    let server = run.server_where(|server| matches!(server.state, ServerState::BackingOff { .. })).await;
    let said = server.last_error.unwrap();
    assert!(said.contains("robots.txt does not allow /api/v1/") && said.contains("Disallow: /api/"), "{said}");
    single.robots_asked(5).await;
    assert_eq!(single.seen().len(), 0, "{:?}", single.seen());
    single.answer_robots_with(200, "User-agent: *\nDisallow: /admin");
    single.streams_opened(1).await;
    run.log.wait_for(1).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn an_open_stream_ends_when_robots_forbid_it_and_the_timeline_is_polled() {
    let single = Single::start().await;
    let run = start(&single, brief());
    single.streams_opened(1).await;
    run.server_where(|server| server.state == ServerState::Live).await;
    single.answer_robots_with(200, "User-agent: fedilake\nDisallow: /api/v1/streaming");
    run.server_where(|server| server.state == ServerState::Polling).await;
    single.publish_unstreamed();
    run.log.wait_for(1).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_stream_is_read_where_robots_forbid_the_timeline() {
    let single = Single::start().await;
    single.answer_robots_with(200, "User-agent: *\nDisallow: /api/v1/timelines");
    let run = start(&single, settings());
    single.streams_opened(1).await;
    run.server_where(|server| server.state == ServerState::Live).await;
    let key = single.publish();
    run.log.wait_for(1).await;
    assert_eq!(run.log.keys(), [key]);
    assert_eq!(single.pages().len(), 0);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn nothing_is_read_before_robots_answer_and_rules_stay_while_they_do_not() {
    let single = Single::start().await;
    single.publish_unstreamed();
    for status in [500, 503, 429] {
        single.answer_robots_with(status, "");
        let run = start(&single, brief());
        run.server_where(|server| matches!(server.state, ServerState::BackingOff { .. })).await;
        assert_eq!(single.seen().len(), 0, "{status}");
        run.stop().await.unwrap();
    }
    single.answer_robots_with(404, "");
    let run = start(&single, brief());
    run.log.wait_for(1).await;
    single.answer_robots_with(500, NOTHING);
    single.publish();
    run.log.wait_for(2).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn the_operators_own_server_is_read_whatever_its_robots_say() {
    let single = Single::start().await;
    single.answer_robots_with(200, NOTHING);
    single.publish_unstreamed();
    let own = CollectorSettings { own_servers: [Server::new(&single.host())].into(), ..settings() };
    let run = start(&single, own.clone());
    run.log.wait_for(1).await;
    run.stop().await.unwrap();
    // Her word alone, without a token, is not enough.
    let single = Single::start().await;
    single.answer_robots_with(200, NOTHING);
    let own = CollectorSettings { own_servers: [Server::new(&single.host())].into(), ..own };
    let run =
        Run::start_with(vec![single.config()], own.clone(), MemoryLog::new().into(), MemoryBookmarks::default().into());
    run.server_where(|server| matches!(server.state, ServerState::BackingOff { .. })).await;
    assert_eq!(single.seen().len(), 0);
    run.stop().await.unwrap();
    // With a token that comes later it is.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let own = CollectorSettings { token_interval: Duration::from_millis(20), ..own };
    let config = ServerConfig { token_file: Some(file.clone()), ..single.config() };
    let run = Run::start_with(vec![config], own, MemoryLog::new().into(), MemoryBookmarks::default().into());
    run.server_where(|server| matches!(server.state, ServerState::BackingOff { .. })).await;
    single.publish_unstreamed();
    std::fs::write(&file, single.token()).unwrap();
    run.log.wait_for(1).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn requests_are_as_far_apart_as_the_crawl_delay() {
    let single = Single::start().await;
    single.answer_streams_with(refused(401));
    single.answer_robots_with(200, "User-agent: *\nCrawl-delay: 0.3");
    let run = start(&single, settings());
    single.requests(6).await;
    let seen = single.seen();
    let apart: Vec<Duration> = seen.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    // Requests are sent 0.3 s apart; they may come somewhat closer.
    assert!(apart.iter().all(|apart| *apart >= Duration::from_millis(200)), "{apart:?}");
    run.stop().await.unwrap();
}
