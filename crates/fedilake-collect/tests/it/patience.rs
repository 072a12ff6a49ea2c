//! What servers refuse, for a while or for good, costs no more than it must.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fedilake_collect::{CollectorSettings, ServerConfig, ServerState, Token};
use fedilake_sim::Config;
use fedilake_sim::serve::{Manner, RateLimits, Reset, RetryAfter};
use futures::future::join_all;
use tokio::time::Instant;

use crate::memory::MemoryLog;
use crate::run::{Run, settings, until};
use crate::single::{Failure, Single, refused};

#[tokio::test]
async fn a_token_that_is_revoked_costs_the_stream_only_and_a_new_one_in_its_file_is_used_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let single = Single::start_with(Config { stream_needs_token: true, ..Config::default() }).await;
    let old = single.token();
    std::fs::write(&file, &old).unwrap();
    let config = ServerConfig { token: Token::new(&old), token_file: Some(file.clone()), ..single.config() };
    let settings = CollectorSettings { token_interval: Duration::from_millis(20), ..settings() };
    let run = Run::start_with(vec![config], settings, Arc::new(MemoryLog::new()), Arc::default());
    single.streams_opened(1).await;
    let mut keys = vec![single.publish()];
    run.log.wait_for(1).await;
    single.simulation.revoke(0, &old);
    let server = run.server_where(|server| server.failures.contains_key("token_refused")).await;
    let said = server.last_error.unwrap();
    assert!(said.contains("Invalid access token") && said.contains("fedilake login"), "{said}");
    run.server_where(|server| server.state == ServerState::Polling).await;
    for count in 2..=6 {
        keys.push(single.publish_unstreamed());
        run.log.wait_for(count).await;
    }
    std::fs::write(&file, format!("{}\n", single.token())).unwrap();
    single.streams_opened(2).await;
    // What the timeline does not show comes by the stream alone.
    keys.push(single.stream_only());
    run.log.wait_for(keys.len()).await;
    assert_eq!(run.log.keys(), keys);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_token_that_appears_while_the_timeline_is_polled_opens_the_stream() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let single = Single::start_with(Config { stream_needs_token: true, ..Config::default() }).await;
    let config = ServerConfig { token_file: Some(file.clone()), ..single.config() };
    let settings = CollectorSettings { token_interval: Duration::from_millis(20), ..settings() };
    let run = Run::start_with(vec![config], settings, Arc::new(MemoryLog::new()), Arc::default());
    run.server_where(|server| server.state == ServerState::Polling).await;
    std::fs::write(&file, single.token()).unwrap();
    single.streams_opened(1).await;
    run.server_where(|server| server.state == ServerState::Live).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_token_that_appears_while_a_stream_is_asked_for_without_it_is_used_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let single = Single::start().await;
    single.fail_streams(Failure::Hang);
    let config = ServerConfig { token_file: Some(file.clone()), ..single.config() };
    let mut settings = CollectorSettings { token_interval: Duration::from_millis(20), ..settings() };
    settings.http.open_timeout = Duration::from_secs(3_600);
    let run = Run::start_with(vec![config], settings, Arc::new(MemoryLog::new()), Arc::default());
    run.server_where(|server| server.state == ServerState::Polling).await;
    single.answer_streams_with(None);
    std::fs::write(&file, single.token()).unwrap();
    run.server_where(|server| server.state == ServerState::Live).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn one_refusal_of_the_stream_is_asked_about_again_soon() {
    for status in [403, 404, 410, 422, 429, 500, 503] {
        let single = Single::start().await;
        let run = Run::start(vec![single.config_with_token()]);
        single.streams_opened(1).await;
        run.server_where(|server| server.state == ServerState::Live).await;
        single.answer_streams_with(refused(status));
        single.end_streams();
        single.streams_opened(2).await;
        single.answer_streams_with(None);
        // A 429 that names no wait means one of a minute.
        if status != 429 {
            single.streams_opened(3).await;
            run.server_where(|server| server.state == ServerState::Live).await;
        }
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn pages_that_are_limited_do_not_hold_up_the_stream() {
    let single = Single::start().await;
    let run = Run::start(vec![single.config()]);
    single.streams_opened(1).await;
    single.publish_many(5);
    run.log.wait_for(5).await;
    (0..100).for_each(|_| drop(single.publish_unstreamed()));
    // The newest page is given; those by id are not.
    single.limit_paged_until(Utc::now() + Duration::from_secs(3_600));
    single.end_streams();
    single.streams_opened(2).await;
    run.server_where(|server| server.failures.contains_key("rate_limited")).await;
    single.end_streams();
    single.streams_opened(3).await;
    let before = run.log.keys().len();
    single.stream_only();
    run.log.wait_for(before + 1).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn requests_of_before_a_restart_count() {
    for is_killed in [false, true] {
        let single = Single::start().await;
        let settings = CollectorSettings { paged_requests_max: 12, ..settings() };
        let run = Run::start_with(vec![single.config()], settings.clone(), Arc::new(MemoryLog::new()), Arc::default());
        single.streams_opened(1).await;
        single.publish();
        run.log.wait_for(1).await;
        single.end_streams();
        (0..900).for_each(|_| drop(single.publish_unstreamed()));
        let paged = || single.pages().iter().filter(|page| page.query.contains("min_id")).count();
        until("the budget is used up", || (paged() >= 12).then_some(())).await;
        let (log, bookmarks) = (run.log.clone(), run.bookmarks.clone());
        if is_killed {
            until("the requests are saved", || bookmarks.history().filter(|text| text.contains("pages ")).map(drop))
                .await;
            run.kill().await;
        } else {
            run.stop().await.unwrap();
        }
        let run = Run::start_with(vec![single.config()], settings, log, bookmarks);
        single.streams_opened(3).await;
        single.publish();
        until("posts come", || (run.counts.tally().accepted > 0).then_some(())).await;
        let allowed = if is_killed { 12 + 10 } else { 12 };
        assert!(paged() <= allowed, "{} pages by id", paged());
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_gives_small_pages_only_is_read_in_small_pages() {
    let single = Single::start_with(Config { page_limit_max: Some(20), ..Config::default() }).await;
    single.answer_streams_with(refused(401));
    let mut keys = vec![single.publish_unstreamed()];
    let run = Run::start(vec![single.config()]);
    run.log.wait_for(1).await;
    keys.extend((0..100).map(|_| single.publish_unstreamed()));
    run.log.wait_for(keys.len()).await;
    let mut found = run.log.keys();
    found.sort();
    assert_eq!(found, keys);
    let refused = single.pages().iter().filter(|page| page.query.contains("limit=40")).count();
    assert_eq!(refused, 1);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_second_in_which_a_busy_stream_lost_posts_is_found() {
    let single = Single::start().await;
    let settings = CollectorSettings {
        silence_min: Duration::from_secs(60),
        silence_max: Duration::from_secs(60),
        silence_short: Duration::from_millis(100),
        ..settings()
    };
    let run = Run::start_with(vec![single.config()], settings, Arc::new(MemoryLog::new()), Arc::default());
    single.streams_opened(1).await;
    let mut keys = Vec::new();
    // A post in every other millisecond, until no gap is open and the rhythm is known.
    let beats = async |keys: &mut Vec<String>, count: usize| {
        for _ in 0..count {
            keys.push(single.publish());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    beats(&mut keys, 200).await;
    let place = keys[150].split_once('/').unwrap().1.to_owned();
    while run.bookmark_where(|_| true).await < place {
        beats(&mut keys, 10).await;
    }
    keys.extend((0..20).map(|_| single.publish_unstreamed()));
    tokio::time::sleep(Duration::from_millis(600)).await;
    beats(&mut keys, 20).await;
    run.log.wait_for(keys.len()).await;
    assert!(run.counts.snapshot()[0].failures.is_empty());
    run.stop().await.unwrap();
}

#[tokio::test]
async fn limits_are_obeyed_in_whatever_form_they_are_told() {
    let resets = [Reset::Iso8601, Reset::EpochSeconds, Reset::SecondsToGo, Reset::Untold];
    let waits = [None, Some(RetryAfter::Seconds), Some(RetryAfter::HttpDate)];
    // Without either nothing says how long to wait.
    let told = resets.into_iter().flat_map(|reset| waits.map(|retry_after| Manner { reset, retry_after }));
    let told = told.filter(|manner| (manner.reset, manner.retry_after) != (Reset::Untold, None));
    join_all(told.map(obeyed)).await;
}

/// Polls a server that answers ten requests in two seconds, for some of these windows.
async fn obeyed(manner: Manner) {
    let limits = RateLimits { requests: 10, requests_window_seconds: 2, paged: 1_000_000, ..RateLimits::default() };
    let config = Config { stream_needs_token: true, manner: Some(manner), ..Config::default() };
    let (single, started) = (Single::start_limited(limits, config).await, Instant::now());
    let run = Run::start(vec![single.config()]);
    for window in 0..3 {
        let asked = single.seen().len();
        let keys = single.publish_many(5);
        run.log.wait_for(5 * (window + 1)).await;
        assert!(keys.iter().all(|key| run.log.keys().contains(key)), "{manner:?}");
        single.requests(asked + 10).await;
    }
    let refused = run.server_where(|_| true).await.failures.get("rate_limited").copied().unwrap_or(0);
    // Once in each window at most; one that does not obey is refused some hundred times.
    let windows = started.elapsed().as_secs() / 2 + 2;
    assert!(refused <= windows, "{manner:?}: refused {refused} times in {windows} windows");
    run.stop().await.unwrap();
}
