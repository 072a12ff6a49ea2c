//! Failing servers and logs: others are not affected, nothing is lost, and no bookmark is beyond what is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use fedilake_collect::collector::{self, CollectError};
use fedilake_collect::server::http::Http;
use fedilake_collect::{At, CollectorSettings, ServerState, Source};
use fedilake_log::{Bookmarks, LogError};
use fedilake_sim::serve::Answer;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::memory::{MemoryLog, is_place};
use crate::run::{Run, settings, until};
use crate::single::{Failure, Single, refused};

const FAILURES: [Failure; 6] =
    [Failure::Status(500), Failure::Html, Failure::Hang, Failure::Reset, Failure::EndlessLine, Failure::HugeStatus];

#[tokio::test]
async fn a_server_that_fails_disturbs_no_other_and_is_collected_when_it_is_well_again() {
    for failure in FAILURES {
        let (bad, good) = (Single::start().await, Single::start().await);
        let first = bad.publish_unstreamed();
        let run = Run::start(vec![bad.config(), good.config()]);
        run.log.wait_for(1).await;
        bad.streams_opened(1).await;
        bad.fail_streams(failure);
        bad.fail_pages(failure);
        bad.end_streams();
        let mut keys = vec![first];
        keys.extend((0..90).map(|_| bad.publish_unstreamed()));
        good.streams_opened(1).await;
        for _ in 0..10 {
            keys.extend(good.publish_many(10));
            run.log.wait_for(keys.len() - 90).await;
        }
        bad.streams_opened(2).await;
        until("the failure is felt", || {
            run.counts.snapshot()[0].failures.keys().find(|name| **name != "ended").copied()
        })
        .await;
        assert!(run.counts.snapshot()[1].failures.is_empty(), "{failure:?} disturbed the other server");
        bad.answer_streams_with(None);
        bad.answer_pages_with(None);
        run.log.wait_for(keys.len()).await;
        let mut found = run.log.keys();
        found.sort();
        keys.sort();
        assert_eq!(found, keys, "{failure:?}");
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_frame_without_end_is_cut_off_and_the_stream_left() {
    for failure in [Failure::EndlessLine, Failure::HugeStatus] {
        let single = Single::start().await;
        single.fail_streams(failure);
        let run = Run::start(vec![single.config()]);
        let server = run.server_where(|server| server.failures.contains_key("too_long")).await;
        assert!(server.last_error.unwrap().contains("262144"));
        run.stop().await.unwrap();
    }
}

#[tokio::test]
async fn too_many_requests_stop_all_requests_until_the_reset() {
    let single = Single::start().await;
    single.answer_streams_with(refused(401));
    let key = single.publish_unstreamed();
    let wait = Duration::from_millis(700);
    single.answer_pages_with(Answer::limited(Utc::now() + wait));
    let run = Run::start(vec![single.config()]);
    run.server_where(|server| matches!(server.state, ServerState::BackingOff { .. })).await;
    run.log.wait_for(1).await;
    let pages = single.pages();
    // The Date header has whole seconds: the wait may be one longer, never shorter.
    assert!(pages[1].at - pages[0].at > wait / 2, "{:?} after", pages[1].at - pages[0].at);
    assert_eq!(run.log.keys(), [key]);
    assert_eq!(run.server_where(|_| true).await.failures["rate_limited"], 1);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn nothing_is_asked_of_a_server_whose_stream_said_to_wait_however_often_it_failed() {
    let single = Single::start().await;
    single.answer_streams_with(refused(500));
    let run = Run::start(vec![single.config()]);
    run.server_where(|server| server.state == ServerState::Polling).await;
    let reset = Utc::now() + Duration::from_millis(1_500);
    single.answer_streams_with(Answer::limited(reset));
    run.server_where(|server| server.failures.contains_key("rate_limited")).await;
    let asked = single.seen().len();
    let key = single.publish_unstreamed();
    run.log.wait_for(1).await;
    assert!(Utc::now() > reset - Duration::from_millis(1_000), "the Date header has whole seconds");
    let server = run.server_where(|_| true).await;
    assert_eq!((run.log.keys(), server.failures["rate_limited"]), (vec![key], 1));
    assert!(single.seen().len() <= asked + 4, "{:?}", &single.seen()[asked..]);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn what_the_answer_to_a_stream_request_says_of_limits_holds_for_pages_too() {
    let single = Single::start().await;
    let wait = Duration::from_millis(1_500);
    single.answer_streams_with(Answer::limited(Utc::now() + wait));
    let http = Http::new(settings().http).unwrap();
    let source = Source::new(single.config(), http, Arc::new(settings()));
    assert!(source.stream().await.is_err());
    source.page(At::Newest).await.unwrap();
    let seen = single.seen();
    let apart = seen[2].at - seen[1].at;
    // The Date header has whole seconds, and the request before took its time.
    assert!(apart > wait / 5, "{} is {apart:?} after {}", seen[2].path, seen[1].path);
}

#[tokio::test]
async fn a_stream_that_works_between_its_ends_is_never_given_up_for_polling() {
    let single = Single::start().await;
    // With this setting, a stream of any length here counts as short.
    let settings = CollectorSettings { backoff_max: Duration::from_secs(60), ..settings() };
    let run = Run::start_with(vec![single.config()], settings, Arc::new(MemoryLog::new()), Arc::default());
    for ends in 0..10 {
        single.streams_opened(ends + 1).await;
        let shown = single.publish();
        // Posts that only the stream brings move the bookmark once the gap is closed.
        let stream = async {
            loop {
                single.stream_only();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = stream => {}
            _ = run.bookmark_where(|bookmark| bookmark != "0" && bookmark > shown.split_once('/').unwrap().1) => {}
        }
        assert_eq!(run.server_where(|_| true).await.state, ServerState::Live, "after {ends} ends");
        single.end_streams();
    }
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_connection_without_heartbeats_is_found_out_while_the_timeline_is_looked_at() {
    let single = Single::start().await;
    let mut settings = settings();
    // Looks happen more often than this.
    settings.http.silence_timeout = Duration::from_millis(800);
    let run = Run::start_with(vec![single.config()], settings, Arc::new(MemoryLog::new()), Arc::default());
    let server = run.server_where(|server| server.failures.contains_key("unreachable")).await;
    assert!(server.last_error.unwrap().contains("heartbeat"));
    single.streams_opened(2).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn posts_pass_while_a_gap_cannot_be_filled_but_the_bookmark_stays() {
    let single = Single::start().await;
    let run = Run::start(vec![single.config()]);
    single.streams_opened(1).await;
    let before = single.publish();
    let before = before.split_once('/').unwrap().1.to_owned();
    run.bookmark_where(|bookmark| bookmark == before).await;
    single.answer_pages_with(refused(500));
    single.end_streams();
    let missed = single.publish_unstreamed();
    single.streams_opened(2).await;
    // So many that they take longer than several saves.
    let streamed = 40;
    for count in 1..=streamed {
        single.publish();
        run.log.wait_for(1 + count).await;
        assert_eq!(run.bookmark_where(|_| true).await, before);
    }
    run.server_where(|server| server.failures.contains_key("failed")).await;
    assert!(!run.log.keys().contains(&missed));
    single.answer_pages_with(None);
    run.log.wait_for(2 + streamed).await;
    assert!(run.log.keys().contains(&missed));
    let last = single.publish_many(40);
    run.bookmark_near(&last).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_stream_that_only_thumps_is_found_out_by_its_timeline() {
    let single = Single::start().await;
    let settings = CollectorSettings { silence_max: Duration::from_millis(300), ..settings() };
    let run = Run::start_with(vec![single.config()], settings, Arc::new(MemoryLog::new()), Arc::default());
    single.streams_opened(1).await;
    single.publish_many(10);
    run.log.wait_for(10).await;
    // A restarted Redis does this: the connection lives on, and published posts are lost.
    let lost: Vec<String> = (0..50).map(|_| single.publish_unstreamed()).collect();
    let reopened = async {
        loop {
            single.send(":thump\n\n");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = reopened => {}
        () = single.streams_opened(2) => {}
    }
    run.server_where(|server| server.failures.contains_key("stalled") && server.tally.accepted == 60).await;
    run.log.wait_for(60).await;
    assert!(lost.iter().all(|key| run.log.keys().contains(key)));
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_stream_that_was_quiet_for_very_long_is_still_collected() {
    let single = Single::start().await;
    let ms = Duration::from_millis;
    let settings = CollectorSettings { second_look_after: ms(1), silence_max: ms(1), ..settings() };
    let run = Run::start_with(vec![single.config()], settings, Arc::new(MemoryLog::new()), Arc::default());
    // The wait for the next look doubles with each look.
    single.requests(100).await;
    single.publish();
    run.log.wait_for(1).await;
    assert!(run.server_where(|_| true).await.failures.is_empty());
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_collector_that_panics_ends_the_run_with_its_panic() {
    let single = Single::start().await;
    // No date is that far in the future, so the collector panics.
    let settings = CollectorSettings { backoff_min: Duration::MAX, backoff_max: Duration::MAX, ..settings() };
    single.answer_streams_with(refused(500));
    let run = Run::start_with(vec![single.config()], settings, Arc::new(MemoryLog::new()), Arc::default());
    let ended = tokio::spawn(run.ended());
    assert!(timeout(Duration::from_secs(10), ended).await.expect("the run ends").unwrap_err().is_panic());
}

#[tokio::test]
async fn a_silence_of_the_timeline_itself_is_no_failure() {
    let single = Single::start().await;
    let run = Run::start(vec![single.config()]);
    single.streams_opened(1).await;
    single.publish();
    run.log.wait_for(1).await;
    let looked = single.pages().len();
    while single.pages().len() < looked + 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        single.send(":thump\n\n");
    }
    assert!(run.server_where(|_| true).await.failures.is_empty());
    let keys = single.publish_many(10);
    run.log.wait_for(11).await;
    run.bookmark_near(&keys).await;
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_log_that_fails_ends_the_run_and_no_bookmark_is_beyond_it() {
    let single = Single::start().await;
    let log = Arc::new(MemoryLog::full_after(100));
    let bookmarks = Arc::default();
    let run = Run::start_with(vec![single.config()], settings(), log.clone(), Arc::clone(&bookmarks));
    single.streams_opened(1).await;
    let first = single.publish_many(20);
    run.bookmark_near(&first).await;
    let keys = async {
        let mut keys = Vec::new();
        loop {
            keys.push(single.publish());
            tokio::task::yield_now().await;
            if run.counts.snapshot()[0].state == ServerState::Stopped {
                return keys;
            }
        }
    };
    timeout(Duration::from_secs(10), keys).await.expect("the run ends");
    let error = run.ended().await.unwrap_err();
    assert!(matches!(error, CollectError::Log(_)), "{error}");
    assert!(error.to_string().contains("no space left"), "{error}");
    let durable = log.keys();
    let bookmark = bookmarks.all().into_values().next().unwrap();
    assert!(durable.iter().any(|key| key.ends_with(&format!("/{bookmark}"))), "{bookmark} is not in the log");
}

/// Reads the log at each save.
struct Watched {
    log: Arc<MemoryLog>,
    saves: Mutex<Vec<(String, bool)>>,
}

#[async_trait]
impl Bookmarks for Watched {
    async fn load(&self, _: &str) -> Result<Option<String>, LogError> {
        Ok(None)
    }

    async fn named(&self, _: &str) -> Result<BTreeMap<String, String>, LogError> {
        Ok(BTreeMap::new())
    }

    async fn save(&self, name: &str, place: &str) -> Result<(), LogError> {
        if !is_place(name) {
            return Ok(());
        }
        let is_durable = place == "0" || self.log.keys().iter().any(|key| key.ends_with(place));
        self.saves.lock().unwrap().push((place.to_owned(), is_durable));
        Ok(())
    }
}

#[tokio::test]
async fn a_bookmark_is_saved_after_what_it_stands_for() {
    let single = Single::start().await;
    // An append takes as long as several saves.
    let log = Arc::new(MemoryLog::slow(Duration::from_millis(25)));
    let bookmarks = Arc::new(Watched { log: log.clone(), saves: Mutex::default() });
    let shutdown = CancellationToken::new();
    let counts = Arc::default();
    let run = tokio::spawn(collector::run(
        vec![single.config()],
        settings(),
        log.clone(),
        bookmarks.clone(),
        counts,
        shutdown.clone(),
    ));
    single.streams_opened(1).await;
    for count in 1..=10 {
        let keys = single.publish_many(50);
        log.wait_for(50 * count).await;
        until("the bookmark is saved", || {
            let saves = bookmarks.saves.lock().unwrap();
            saves.iter().any(|(place, _)| keys.iter().any(|key| key.ends_with(place))).then_some(())
        })
        .await;
    }
    shutdown.cancel();
    run.await.unwrap().unwrap();
    for (place, is_durable) in bookmarks.saves.lock().unwrap().iter() {
        assert!(is_durable, "{place} was saved before it was in the log");
    }
}

#[tokio::test]
async fn a_shutdown_saves_the_bookmarks() {
    let single = Single::start().await;
    single.answer_streams_with(refused(401));
    let settings = CollectorSettings { bookmark_interval: Duration::from_secs(3600), ..settings() };
    let run = Run::start_with(vec![single.config()], settings, Arc::new(MemoryLog::new()), Arc::default());
    let mut keys = Vec::new();
    for count in 1..=10 {
        keys.push(single.publish());
        run.log.wait_for(count).await;
    }
    let bookmarks = run.bookmarks.clone();
    run.stop().await.unwrap();
    let bookmark = bookmarks.all().into_values().next().expect("there is one");
    // The mark trails behind, and the last page's own mark may have come too late.
    assert!(keys[1..].iter().any(|key| key.ends_with(&bookmark)), "{bookmark} of {keys:?}");
}

#[tokio::test]
async fn what_was_accepted_before_a_shutdown_is_in_the_log_and_the_bookmark_says_so() {
    let single = Single::start().await;
    let run = Run::start(vec![single.config()]);
    single.streams_opened(1).await;
    let first = single.publish_many(20);
    run.bookmark_near(&first).await;
    single.publish_many(1_000);
    run.log.wait_for(200).await;
    let (log, counts, bookmarks) = (run.log.clone(), run.counts.clone(), run.bookmarks.clone());
    run.stop().await.unwrap();
    assert_eq!(log.keys().len() as u64, counts.tally().accepted);
    assert_eq!(counts.snapshot()[0].state, ServerState::Stopped);
    let bookmark = bookmarks.all().into_values().next().unwrap();
    assert!(log.keys().iter().any(|key| key.ends_with(&format!("/{bookmark}"))), "{bookmark} is not in the log");
}

#[tokio::test]
async fn a_token_is_not_sent_on_to_where_a_server_redirects() {
    let (single, other) = (Single::start().await, Single::start().await);
    single.redirect(Some(&other));
    let run = Run::start(vec![single.config_with_token()]);
    other.requests(2).await;
    assert!(single.seen().iter().all(|seen| seen.headers["authorization"] == "Bearer secret-token"));
    assert!(other.seen().iter().all(|seen| !seen.headers.contains_key("authorization")));
    run.stop().await.unwrap();
}

#[tokio::test]
async fn a_token_is_not_sent_in_the_open_to_another_host() {
    let (api, streams) = (Single::start().await, Single::start().await);
    let other = format!("ws://localhost:{}", streams.simulation.addresses()[0].port());
    api.says_it_streams_at(Some(other));
    let run = Run::start(vec![api.config_with_token()]);
    streams.streams_opened(1).await;
    assert!(!streams.seen().is_empty());
    assert!(streams.seen().iter().all(|seen| !seen.headers.contains_key("authorization")));
    run.stop().await.unwrap();
}

#[tokio::test]
async fn redirects_in_a_circle_are_a_failure_like_others() {
    let single = Single::start().await;
    single.redirect(Some(&single));
    let run = Run::start(vec![single.config()]);
    let server = run.server_where(|server| server.failures.contains_key("unreachable")).await;
    assert!(server.last_error.unwrap().contains("too many redirects"));
    single.redirect(None);
    let key = single.publish();
    run.log.wait_for(1).await;
    assert_eq!(run.log.keys(), [key]);
    run.stop().await.unwrap();
}

#[tokio::test]
async fn what_polls_had_ready_when_the_stream_opened_is_not_lost() {
    let single = Single::start().await;
    single.fail_streams(Failure::Status(503));
    let first = single.publish();
    // Deliveries wait for the log, and a page of posts for them.
    let log = Arc::new(MemoryLog::slow(Duration::from_millis(5)));
    let settings = CollectorSettings { gather_events_max: 5, ..settings() };
    let run = Run::start_with(vec![single.config()], settings, log, Arc::default());
    run.log.wait_for(1).await;
    let mut keys = vec![first];
    for _ in 0..2 {
        single.fail_streams(Failure::Status(503));
        single.end_streams();
        run.server_where(|server| server.state == ServerState::Polling).await;
        let before = keys.len();
        keys.extend(single.publish_many(2_500));
        // A thousand deliveries may wait, so most posts are still to be read.
        run.log.wait_for(before + 300).await;
        single.answer_streams_with(None);
        run.server_where(|server| server.state == ServerState::Live).await;
        run.log.wait_for(keys.len()).await;
    }
    let held: BTreeSet<String> = run.log.keys().into_iter().collect();
    assert!(keys.iter().all(|key| held.contains(key)));
    run.stop().await.unwrap();
}
