//! Servers → log, without faults or with lost connections.

use std::sync::Arc;
use std::time::Duration;

use fedilake_collect::{CollectorSettings, ServerConfig, ServerState, Timeline};
use fedilake_log::Bookmarks;
use serde_json::json;

use crate::fake::{Answer, Fake};
use crate::memory::{MemoryBookmarks, MemoryLog};
use crate::run::{Run, settings};

fn sorted(mut keys: Vec<String>) -> Vec<String> {
    keys.sort();
    keys
}

#[tokio::test]
async fn a_stream_is_collected_whole_and_once() {
    let fake = Fake::start().await;
    let run = Run::start(vec![fake.config()]);
    fake.streams_opened(1).await;
    let mut keys = Vec::new();
    for _ in 0..20 {
        keys.extend(fake.publish_many(25));
        run.log.wait_for(keys.len()).await;
    }
    run.bookmark_near(&keys).await;
    let server = run.server_where(|server| server.state == ServerState::Live).await;
    assert_eq!((server.tally.accepted, server.failures.len()), (500, 0));
    assert!(server.last_event_at.is_some());
    let log = run.log.clone();
    run.stop().await.unwrap();
    assert_eq!(sorted(log.keys()), keys);
}

#[tokio::test]
async fn deletes_pass_though_they_overtake_and_unknown_events_are_counted() {
    let fake = Fake::start().await;
    let run = Run::start(vec![fake.config()]);
    fake.streams_opened(1).await;
    run.server_where(|server| server.state == ServerState::Live).await;
    fake.send("event: delete\ndata: 77\n\nevent: announcement\ndata: {}\n\nevent: filters_changed\ndata: \n\n");
    let key = fake.publish();
    fake.send(":thump\n\nevent: update\ndata: {\"no\":\"status\"}\n\n");
    run.log.wait_for(2).await;
    let server = run.server_where(|server| server.tally.rejected_total() == 1).await;
    assert_eq!(server.tally.unknown, 2);
    assert_eq!(sorted(run.log.keys()), [key, format!("{}/77", fake.host())]);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_first_contact_begins_at_the_newest_page() {
    let fake = Fake::start().await;
    let keys: Vec<String> = (0..100).map(|_| fake.publish_unstreamed()).collect();
    let run = Run::start(vec![fake.config()]);
    run.bookmark_near(&keys).await;
    assert_eq!(sorted(run.log.keys()), keys[60..]);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn the_gap_of_a_lost_connection_is_filled() {
    let fake = Fake::start().await;
    let run = Run::start(vec![fake.config()]);
    fake.streams_opened(1).await;
    let mut keys = Vec::new();
    for lost in 1..=4 {
        keys.extend(fake.publish_many(30));
        run.log.wait_for(keys.len()).await;
        fake.end_streams();
        keys.extend((0..200).map(|_| fake.publish_unstreamed()));
        fake.streams_opened(lost + 1).await;
        keys.extend(fake.publish_many(30));
        run.log.wait_for(keys.len()).await;
    }
    assert_eq!(sorted(run.log.keys()), keys);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_time_without_reading_is_told_also_after_a_restart() {
    let fake = Fake::start().await;
    let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
    let start = || Run::start_with(vec![fake.config()], settings(), log.clone(), bookmarks.clone());
    let history = format!("timeline/{}/public/history", fake.host());
    // The process before was killed an hour ago, after it had read everything.
    let hour_ago = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    let saved = format!("read {}\nleft 470000 boost 7\n", hour_ago.timestamp_millis());
    bookmarks.save(&history, &saved).await.unwrap();
    fake.answer_streams_with(Answer::Status(401));
    fake.answer_pages_with(Answer::Status(500));
    let run = start();
    let of = |server: &fedilake_collect::ServerSnapshot| server.gaps(chrono::Utc::now());
    let server = run.server_where(|server| matches!(server.state, ServerState::BackingOff { .. })).await;
    let gaps = of(&server);
    assert_eq!((gaps.len(), gaps[0].from.timestamp(), gaps[0].to), (1, hour_ago.timestamp(), None));
    fake.answer_pages_with(Answer::Good);
    let server = run.server_where(|server| of(server).iter().any(|gap| gap.to.is_some())).await;
    assert_eq!(of(&server).len(), 1);
    assert!(of(&server)[0].to.unwrap() - hour_ago >= chrono::TimeDelta::hours(1));
    run.stop().await.unwrap();
    // What was left out before is still told, by the next process too.
    let saved = bookmarks.load(&history).await.unwrap().unwrap();
    assert!(saved.contains("\ngap ") && saved.contains("left 470000 boost 7"), "{saved}");
    let run = start();
    let server = run.server_where(|server| server.left_out().len() == 1).await;
    assert_eq!((of(&server).len(), server.left_out()[0].2), (1, 7));
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_run_goes_on_from_its_bookmark_after_days() {
    let fake = Fake::start().await;
    let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
    let mut keys = Vec::new();
    for is_live in [true, false, true] {
        fake.answer_streams_with(if is_live { Answer::Good } else { Answer::Status(401) });
        keys.extend((0..230).map(|_| fake.publish_unstreamed()));
        if log.keys().is_empty() {
            // The first contact begins at the newest page.
            keys.drain(..190);
        }
        let run = Run::start_with(vec![fake.config()], settings(), log.clone(), bookmarks.clone());
        log.wait_for(keys.len()).await;
        run.bookmark_near(&keys).await;
        run.stop().await.unwrap();
    }
    let mut found = sorted(log.keys());
    // A new run does not remember what the last one saw, so the overlap is in the log twice.
    found.dedup();
    assert_eq!(found, keys);
}

#[tokio::test]
async fn an_odd_id_hides_no_later_post() {
    let next_year = (u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap() + 31_536_000_000) << 16;
    for id in ["99999999999999999999999".to_owned(), next_year.to_string()] {
        for is_live in [true, false] {
            let fake = Fake::start().await;
            if !is_live {
                fake.answer_streams_with(Answer::Status(401));
            }
            let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
            let start = || Run::start_with(vec![fake.config()], settings(), log.clone(), bookmarks.clone());
            let run = start();
            fake.streams_opened(1).await;
            let mut keys = fake.publish_many(10);
            run.bookmark_near(&keys).await;
            let odd = match id.parse() {
                Ok(id) => fake.publish_as(id),
                Err(_) => fake.stream_as(&id),
            };
            keys.extend(fake.publish_many(10));
            run.log.wait_for(keys.len()).await;
            run.stop().await.unwrap();
            keys.extend((0..200).map(|_| fake.publish_unstreamed()));
            let run = start();
            run.bookmark_near(&keys).await;
            run.stop().await.unwrap();
            let mut found = sorted(log.keys());
            found.dedup();
            found.retain(|key| *key != odd);
            assert_eq!(found, keys, "{id}");
        }
    }
}

#[tokio::test]
async fn a_bookmark_above_the_whole_timeline_is_not_kept() {
    for is_live in [true, false] {
        let fake = Fake::start().await;
        if !is_live {
            fake.answer_streams_with(Answer::Status(401));
        }
        let keys: Vec<String> = (0..100).map(|_| fake.publish_unstreamed()).collect();
        let bookmarks = Arc::new(MemoryBookmarks::default());
        let name = format!("timeline/{}/public", fake.host());
        bookmarks.save(&name, "99999999999999999999999").await.unwrap();
        let run = Run::start_with(vec![fake.config()], settings(), Arc::new(MemoryLog::new()), bookmarks);
        run.bookmark_near(&keys).await;
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_lets_nobody_stream_is_polled_and_not_asked_again() {
    let fake = Fake::start().await;
    fake.answer_streams_with(Answer::Status(401));
    let run = Run::start(vec![fake.config()]);
    run.server_where(|server| server.state == ServerState::Polling).await;
    let mut keys = Vec::new();
    for _ in 0..5 {
        keys.push(fake.publish_unstreamed());
        run.log.wait_for(keys.len()).await;
    }
    assert_eq!(run.log.keys(), keys);
    assert_eq!(fake.seen().iter().filter(|seen| seen.path.contains("streaming")).count(), 1, "asked once");
    run.stop().await.unwrap();
}

#[tokio::test]
async fn the_timeline_is_polled_while_the_stream_cannot_be_had_and_the_stream_is_back_when_it_can() {
    for fault in [
        Answer::Status(401),
        Answer::Status(403),
        Answer::Status(404),
        Answer::Status(500),
        Answer::Html,
        Answer::Hang,
        Answer::Reset,
        Answer::Closed,
        Answer::Thumps,
        Answer::Drip,
    ] {
        let fake = Fake::start().await;
        fake.answer_streams_with(fault);
        let run = Run::start(vec![fake.config_with_token("token")]);
        let mut keys = Vec::new();
        for _ in 0..5 {
            keys.extend((0..20).map(|_| fake.publish_unstreamed()));
            run.log.wait_for(keys.len()).await;
        }
        fake.answer_streams_with(Answer::Good);
        fake.end_streams();
        run.server_where(|server| server.state == ServerState::Live).await;
        keys.extend(fake.publish_many(20));
        run.log.wait_for(keys.len()).await;
        assert_eq!(sorted(run.log.keys()), keys, "{fault:?}");
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_without_streaming_is_not_asked_for_it() {
    let fake = Fake::start().await;
    fake.describe_itself(json!({"configuration": {"urls": {"streaming": null}}}));
    let run = Run::start(vec![fake.config()]);
    let key = fake.publish_unstreamed();
    run.log.wait_for(1).await;
    assert_eq!(run.log.keys(), [key]);
    assert!(fake.seen().iter().all(|seen| !seen.path.contains("streaming")));
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_is_asked_for_its_stream_again_after_a_while() {
    let fake = Fake::start().await;
    fake.answer_streams_with(Answer::Status(401));
    let settings = CollectorSettings { live_retry_after: Duration::from_millis(40), ..settings() };
    let run = Run::start_with(vec![fake.config()], settings, Arc::new(MemoryLog::new()), Arc::default());
    run.server_where(|server| server.state == ServerState::Polling).await;
    fake.answer_streams_with(Answer::Good);
    run.server_where(|server| server.state == ServerState::Live).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn polling_misses_nothing_when_more_than_a_page_comes_between_two_polls() {
    let fake = Fake::start().await;
    fake.answer_streams_with(Answer::Status(401));
    let run = Run::start(vec![fake.config()]);
    let mut keys = vec![fake.publish_unstreamed()];
    run.log.wait_for(1).await;
    for burst in [1, 39, 40, 41, 100, 7, 333, 0, 80] {
        keys.extend((0..burst).map(|_| fake.publish_unstreamed()));
        run.log.wait_for(keys.len()).await;
    }
    assert_eq!(sorted(run.log.keys()), keys);
    run.bookmark_near(&keys).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn polling_asks_for_ids_only_when_the_newest_page_is_not_enough() {
    let fake = Fake::start().await;
    fake.answer_streams_with(Answer::Status(401));
    (0..200).for_each(|_| drop(fake.publish_unstreamed()));
    let run = Run::start(vec![fake.config()]);
    run.log.wait_for(40).await;
    for count in 41..60 {
        fake.publish_unstreamed();
        run.log.wait_for(count).await;
    }
    assert!(fake.pages().iter().all(|page| page.query == "limit=40"), "{:?}", fake.pages());
    (0..41).for_each(|_| drop(fake.publish_unstreamed()));
    run.log.wait_for(100).await;
    assert!(fake.pages().iter().any(|page| page.query.starts_with("limit=40&min_id=")));
    run.stop().await.unwrap();
}

#[tokio::test]
async fn streams_are_opened_where_the_server_says() {
    let (api, streams) = (Fake::start().await, Fake::start().await);
    api.describe_itself(json!({"configuration": {"urls": {"streaming": format!("ws://{}", streams.host())}}}));
    let run = Run::start(vec![api.config_with_token("secret-token")]);
    streams.streams_opened(1).await;
    let key = api.publish_unstreamed();
    // The post from the stream belongs to the server that was asked, whatever host it streams from. Skips one id.
    streams.id();
    streams.publish();
    run.log.wait_for(2).await;
    assert!(run.log.keys().contains(&key));
    assert!(run.log.keys().iter().all(|key| key.starts_with(&api.host())));
    assert_eq!(streams.seen()[0].headers["authorization"], "Bearer secret-token");
    run.stop().await.unwrap();
}

#[tokio::test]
async fn requests_name_the_program_its_version_and_a_contact() {
    let fake = Fake::start().await;
    let run = Run::start(vec![ServerConfig { timeline: Timeline::Local, ..fake.config_with_token("secret-token") }]);
    fake.streams_opened(1).await;
    fake.requests(3).await;
    run.bookmark_where(|_| true).await;
    for seen in fake.seen() {
        let agent = seen.headers["user-agent"].to_str().unwrap();
        assert_eq!(agent, format!("fedilake/{} (+https://example.org/fedilake)", env!("CARGO_PKG_VERSION")));
        assert_eq!(seen.headers["authorization"], "Bearer secret-token");
    }
    assert!(fake.pages().iter().all(|page| page.query.contains("local=true")));
    assert!(fake.seen().iter().any(|seen| seen.path == "/api/v1/streaming/public/local"));
    let name = run.bookmarks.all().into_keys().next().unwrap();
    assert_eq!(name, format!("timeline/{}/local", fake.host()));
    run.stop().await.unwrap();
}

#[tokio::test]
async fn servers_are_collected_side_by_side() {
    let mut fakes = Vec::new();
    for _ in 0..5 {
        fakes.push(Fake::start().await);
    }
    fakes[1].answer_streams_with(Answer::Status(401));
    fakes[2].answer_pages_with(Answer::Hang);
    let run = Run::start(fakes.iter().map(Fake::config).collect());
    for fake in &fakes {
        fake.streams_opened(1).await;
    }
    let mut keys: Vec<String> = fakes.iter().flat_map(|fake| fake.publish_many(40)).collect();
    run.log.wait_for(200).await;
    keys.sort();
    assert_eq!(sorted(run.log.keys()), keys);
    assert_eq!(run.counts.tally().accepted, 200);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn one_timeline_that_is_given_twice_is_read_once() {
    let fake = Fake::start().await;
    let run = Run::start(vec![fake.config(), fake.config_with_token("token"), fake.config()]);
    fake.streams_opened(1).await;
    let keys = fake.publish_many(10);
    run.log.wait_for(10).await;
    assert_eq!(run.counts.snapshot().len(), 1);
    assert_eq!(fake.seen().iter().filter(|seen| seen.path.contains("streaming")).count(), 1);
    let log = run.log.clone();
    run.stop().await.unwrap();
    assert_eq!(sorted(log.keys()), keys);
}
