//! Servers → log, without faults or with lost connections.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use fedilake_collect::{CollectorSettings, ServerConfig, ServerState, Timeline};
use fedilake_log::Bookmarks;

use crate::memory::{MemoryBookmarks, MemoryLog};
use crate::run::{Run, settings};
use crate::single::{Failure, Single, refused};

fn sorted(mut keys: Vec<String>) -> Vec<String> {
    keys.sort();
    keys
}

#[tokio::test]
async fn a_stream_is_collected_whole_and_once() {
    let single = Single::start().await;
    let run = Run::start(vec![single.config()]);
    single.streams_opened(1).await;
    let mut keys = Vec::new();
    for _ in 0..20 {
        keys.extend(single.publish_many(25));
        run.log.wait_for(keys.len()).await;
    }
    run.bookmark_near(&keys).await;
    let server = run.server_where(|server| server.state == ServerState::Live && server.tally.accepted == 500).await;
    assert!(server.failures.is_empty(), "{:?}", server.failures);
    assert!(server.last_event_at.is_some());
    let log = run.log.clone();
    run.stop().await.unwrap();
    assert_eq!(sorted(log.keys()), keys);
}

#[tokio::test]
async fn deletes_pass_though_they_overtake_and_unknown_events_are_counted() {
    let single = Single::start().await;
    let run = Run::start(vec![single.config()]);
    single.streams_opened(1).await;
    run.server_where(|server| server.state == ServerState::Live).await;
    single.send("event: delete\ndata: 77\n\nevent: announcement\ndata: {}\n\nevent: filters_changed\ndata: \n\n");
    let key = single.publish();
    single.send(":thump\n\nevent: update\ndata: {\"no\":\"status\"}\n\n");
    run.log.wait_for(2).await;
    let server = run.server_where(|server| server.tally.rejected_total() == 1).await;
    assert_eq!(server.tally.unknown, 2);
    assert_eq!(sorted(run.log.keys()), [key, format!("{}/77", single.host())]);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_first_contact_begins_at_the_newest_page() {
    let single = Single::start().await;
    let keys: Vec<String> = (0..100).map(|_| single.publish_unstreamed()).collect();
    let run = Run::start(vec![single.config()]);
    run.bookmark_near(&keys).await;
    assert_eq!(sorted(run.log.keys()), keys[60..]);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn the_gap_of_a_lost_connection_is_filled() {
    let single = Single::start().await;
    let run = Run::start(vec![single.config()]);
    single.streams_opened(1).await;
    let mut keys = Vec::new();
    for lost in 1..=4 {
        keys.extend(single.publish_many(30));
        run.log.wait_for(keys.len()).await;
        single.end_streams();
        keys.extend((0..200).map(|_| single.publish_unstreamed()));
        single.streams_opened(lost + 1).await;
        keys.extend(single.publish_many(30));
        run.log.wait_for(keys.len()).await;
    }
    assert_eq!(sorted(run.log.keys()), keys);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn nothing_is_missing_after_the_first_post_of_a_stream_whose_pages_come_late() {
    for is_stopped in [false, true] {
        let single = Single::start().await;
        let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
        let start = || Run::start_with(vec![single.config()], settings(), log.clone(), bookmarks.clone());
        (0..100).for_each(|_| drop(single.publish_unstreamed()));
        single.answer_pages_with(refused(503));
        let first = start();
        single.streams_opened(1).await;
        let mut keys = single.publish_many(30);
        log.wait_for(keys.len()).await;
        let publish_more = || (0..200).map(|_| single.publish_unstreamed());
        let run = if is_stopped {
            first.stop().await.unwrap();
            keys.extend(publish_more());
            start()
        } else {
            single.end_streams();
            keys.extend(publish_more());
            first
        };
        single.answer_pages_with(None);
        run.bookmark_near(&keys).await;
        run.stop().await.unwrap();
        let found: HashSet<String> = log.keys().into_iter().collect();
        let missing: Vec<&String> = keys.iter().filter(|key| !found.contains(*key)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}

#[tokio::test]
async fn a_time_without_reading_is_told_also_after_a_restart() {
    let single = Single::start().await;
    let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
    let start = || Run::start_with(vec![single.config()], settings(), log.clone(), bookmarks.clone());
    let history = format!("timeline/{}/public/history", single.host());
    // The process before was killed an hour ago, after it had read everything.
    let hour_ago = chrono::Utc::now() - chrono::TimeDelta::hours(1);
    let saved = format!("read {}\nleft 470000 boost 7\n", hour_ago.timestamp_millis());
    bookmarks.save(&history, &saved).await.unwrap();
    single.answer_streams_with(refused(401));
    single.answer_pages_with(refused(500));
    let run = start();
    let of = |server: &fedilake_collect::ServerSnapshot| server.gaps(chrono::Utc::now());
    let server = run.server_where(|server| matches!(server.state, ServerState::BackingOff { .. })).await;
    let gaps = of(&server);
    assert_eq!((gaps.len(), gaps[0].from.timestamp(), gaps[0].to), (1, hour_ago.timestamp(), None));
    single.answer_pages_with(None);
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
    let single = Single::start().await;
    let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
    let mut keys = Vec::new();
    for is_live in [true, false, true] {
        single.answer_streams_with((!is_live).then(|| refused(401)));
        keys.extend((0..230).map(|_| single.publish_unstreamed()));
        if log.keys().is_empty() {
            // The first contact begins at the newest page.
            keys.drain(..190);
        }
        let run = Run::start_with(vec![single.config()], settings(), log.clone(), bookmarks.clone());
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
    let next_year_ms = chrono::Utc::now().timestamp_millis() + 31_536_000_000;
    for id in ["99999999999999999999999", &next_year_ms.to_string()] {
        for is_live in [true, false] {
            let single = Single::start().await;
            if !is_live {
                single.answer_streams_with(refused(401));
            }
            let (log, bookmarks) = (Arc::new(MemoryLog::new()), Arc::new(MemoryBookmarks::default()));
            let start = || Run::start_with(vec![single.config()], settings(), log.clone(), bookmarks.clone());
            let run = start();
            single.streams_opened(1).await;
            let mut keys = single.publish_many(10);
            run.bookmark_near(&keys).await;
            let odd = match id.parse::<i64>() {
                Ok(ms) => single.publish_at(ms, true),
                Err(_) => single.stream_as(id),
            };
            keys.extend(single.publish_many(10));
            run.log.wait_for(keys.len()).await;
            run.stop().await.unwrap();
            keys.extend((0..200).map(|_| single.publish_unstreamed()));
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
        let single = Single::start().await;
        if !is_live {
            single.answer_streams_with(refused(401));
        }
        let keys: Vec<String> = (0..100).map(|_| single.publish_unstreamed()).collect();
        let bookmarks = Arc::new(MemoryBookmarks::default());
        let name = format!("timeline/{}/public", single.host());
        bookmarks.save(&name, "99999999999999999999999").await.unwrap();
        let run = Run::start_with(vec![single.config()], settings(), Arc::new(MemoryLog::new()), bookmarks);
        run.bookmark_near(&keys).await;
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_lets_nobody_stream_is_polled_and_not_asked_again() {
    let single = Single::start().await;
    single.answer_streams_with(refused(401));
    let run = Run::start(vec![single.config()]);
    run.server_where(|server| server.state == ServerState::Polling).await;
    let mut keys = Vec::new();
    for _ in 0..5 {
        keys.push(single.publish_unstreamed());
        run.log.wait_for(keys.len()).await;
    }
    assert_eq!(run.log.keys(), keys);
    assert_eq!(single.seen().iter().filter(|seen| seen.path.contains("streaming")).count(), 1, "asked once");
    run.stop().await.unwrap();
}

#[tokio::test]
async fn the_timeline_is_polled_while_the_stream_cannot_be_had_and_the_stream_is_back_when_it_can() {
    for failure in [
        Failure::Status(401),
        Failure::Status(403),
        Failure::Status(404),
        Failure::Status(500),
        Failure::Html,
        Failure::Hang,
        Failure::Reset,
        Failure::Closed,
        Failure::Thumps,
        Failure::Drip,
    ] {
        let single = Single::start().await;
        single.fail_streams(failure);
        let run = Run::start(vec![single.config_with_token()]);
        let mut keys = Vec::new();
        for _ in 0..5 {
            keys.extend((0..20).map(|_| single.publish_unstreamed()));
            run.log.wait_for(keys.len()).await;
        }
        single.answer_streams_with(None);
        single.end_streams();
        run.server_where(|server| server.state == ServerState::Live).await;
        keys.extend(single.publish_many(20));
        run.log.wait_for(keys.len()).await;
        assert_eq!(sorted(run.log.keys()), keys, "{failure:?}");
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_without_streaming_is_not_asked_for_it() {
    let single = Single::start().await;
    single.says_it_streams_at(None);
    let run = Run::start(vec![single.config()]);
    let key = single.publish_unstreamed();
    run.log.wait_for(1).await;
    assert_eq!(run.log.keys(), [key]);
    assert!(single.seen().iter().all(|seen| !seen.path.contains("streaming")));
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_is_asked_for_its_stream_again_after_a_while() {
    let single = Single::start().await;
    single.answer_streams_with(refused(401));
    let settings = CollectorSettings { live_retry_after: Duration::from_millis(40), ..settings() };
    let run = Run::start_with(vec![single.config()], settings, Arc::new(MemoryLog::new()), Arc::default());
    run.server_where(|server| server.state == ServerState::Polling).await;
    single.answer_streams_with(None);
    run.server_where(|server| server.state == ServerState::Live).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn polling_misses_nothing_when_more_than_a_page_comes_between_two_polls() {
    let single = Single::start().await;
    single.answer_streams_with(refused(401));
    let run = Run::start(vec![single.config()]);
    let mut keys = vec![single.publish_unstreamed()];
    run.log.wait_for(1).await;
    for burst in [1, 39, 40, 41, 100, 7, 333, 0, 80] {
        keys.extend((0..burst).map(|_| single.publish_unstreamed()));
        run.log.wait_for(keys.len()).await;
    }
    assert_eq!(sorted(run.log.keys()), keys);
    run.bookmark_near(&keys).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn polling_asks_for_ids_only_when_the_newest_page_is_not_enough() {
    let single = Single::start().await;
    single.answer_streams_with(refused(401));
    (0..200).for_each(|_| drop(single.publish_unstreamed()));
    let run = Run::start(vec![single.config()]);
    run.log.wait_for(40).await;
    for count in 41..60 {
        single.publish_unstreamed();
        run.log.wait_for(count).await;
    }
    assert!(single.pages().iter().all(|page| page.query == "limit=40"), "{:?}", single.pages());
    (0..41).for_each(|_| drop(single.publish_unstreamed()));
    run.log.wait_for(100).await;
    assert!(single.pages().iter().any(|page| page.query.starts_with("limit=40&min_id=")));
    run.stop().await.unwrap();
}

#[tokio::test]
async fn streams_are_opened_where_the_server_says() {
    let (api, streams) = (Single::start().await, Single::start().await);
    api.says_it_streams_at(Some(format!("ws://{}", streams.host())));
    let run = Run::start(vec![api.config_with_token()]);
    streams.streams_opened(1).await;
    let key = api.publish_unstreamed();
    // The post from the stream belongs to the server that was asked, whatever host it streams from. Skips the id of that server's post.
    streams.publish_unstreamed();
    streams.publish();
    run.log.wait_for(2).await;
    assert!(run.log.keys().contains(&key));
    assert!(run.log.keys().iter().all(|key| key.starts_with(&api.host())));
    assert_eq!(streams.seen()[0].headers["authorization"], "Bearer secret-token");
    run.stop().await.unwrap();
}

#[tokio::test]
async fn requests_name_the_program_its_version_and_a_contact() {
    let single = Single::start().await;
    let run = Run::start(vec![ServerConfig { timeline: Timeline::Local, ..single.config_with_token() }]);
    single.streams_opened(1).await;
    single.requests(3).await;
    run.bookmark_where(|_| true).await;
    for seen in single.seen() {
        let agent = seen.headers["user-agent"].to_str().unwrap();
        assert_eq!(agent, format!("fedilake/{} (+https://example.org/fedilake)", env!("CARGO_PKG_VERSION")));
        assert_eq!(seen.headers["authorization"], "Bearer secret-token");
    }
    assert!(single.pages().iter().all(|page| page.query.contains("local=true")));
    assert!(single.seen().iter().any(|seen| seen.path == "/api/v1/streaming/public/local"));
    let name = run.bookmarks.all().into_keys().next().unwrap();
    assert_eq!(name, format!("timeline/{}/local", single.host()));
    run.stop().await.unwrap();
}

#[tokio::test]
async fn servers_are_collected_side_by_side() {
    let mut singles = Vec::new();
    for _ in 0..5 {
        singles.push(Single::start().await);
    }
    singles[1].answer_streams_with(refused(401));
    singles[2].fail_pages(Failure::Hang);
    let run = Run::start(singles.iter().map(Single::config).collect());
    for single in &singles {
        single.streams_opened(1).await;
    }
    let mut keys: Vec<String> = singles.iter().flat_map(|single| single.publish_many(40)).collect();
    run.log.wait_for(200).await;
    keys.sort();
    assert_eq!(sorted(run.log.keys()), keys);
    assert_eq!(run.counts.tally().accepted, 200);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn one_timeline_that_is_given_twice_is_read_once() {
    let single = Single::start().await;
    let run = Run::start(vec![single.config(), single.config_with_token(), single.config()]);
    single.streams_opened(1).await;
    let keys = single.publish_many(10);
    run.log.wait_for(10).await;
    assert_eq!(run.counts.snapshot().len(), 1);
    assert_eq!(single.seen().iter().filter(|seen| seen.path.contains("streaming")).count(), 1);
    let log = run.log.clone();
    run.stop().await.unwrap();
    assert_eq!(sorted(log.keys()), keys);
}
