//! Each fault as a client sees it.

use std::time::Duration;

use fedilake_sim::serve::{Answer, ByHand};
use fedilake_sim::{Config, Fault, Script};
use tokio::time::timeout;

use crate::client::{Events, get, ids, json, parse, quiet, start, try_get};

const PAGE: &str = "/api/v1/timelines/public";
const STREAM: &str = "/api/v1/streaming/public";

#[tokio::test]
async fn hang_answers_nothing_and_ends_in_a_broken_connection() {
    let simulation = start(quiet()).await;
    let mut events = Events::open(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::Hang), None);
    let before = simulation.requests(0);
    let request = |path: &str| tokio::spawn(reqwest::get(format!("http://{}{path}", simulation.name(0))));
    let (page, stream) = (request(PAGE), request(STREAM));
    while simulation.requests(0) < before + 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    simulation.publish(0);
    assert!(timeout(Duration::from_millis(100), events.more()).await.is_err());
    assert!(!page.is_finished() && !stream.is_finished());
    assert_eq!(get(&simulation, 1, PAGE).await.status(), 200, "another server is well");
    simulation.set_fault(0, None, None);
    assert!(page.await.unwrap().is_err() && stream.await.unwrap().is_err());
    assert_eq!(get(&simulation, 0, PAGE).await.status(), 200);
    let published = simulation.publish(0);
    assert!(events.next().await.1.contains(&published.uri), "what was published meanwhile is lost");
    simulation.stop().await;
}

#[tokio::test]
async fn stall_says_nothing_at_all_while_pages_are_served() {
    let simulation = start(Config { heartbeat: Duration::from_millis(5), ..quiet() }).await;
    let mut events = Events::open(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::Stall), None);
    while timeout(Duration::from_millis(250), events.more()).await.is_ok() {}
    events.text.clear();
    simulation.publish(0);
    assert!(timeout(Duration::from_millis(100), events.more()).await.is_err());
    assert_eq!(json(&simulation, 0, PAGE).await.as_array().unwrap().len(), 1);
    simulation.set_fault(0, None, None);
    while !events.text.contains(":thump\n") {
        assert!(events.more().await);
    }
    assert!(!events.text.contains("event:"), "what was published meanwhile is lost");
    simulation.stop().await;
}

#[tokio::test]
async fn a_blind_server_thumps_and_shows_no_post_but_by_its_id() {
    let simulation = start(Config { heartbeat: Duration::from_millis(5), ..quiet() }).await;
    let mut events = Events::open(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::Blind), None);
    let hidden = simulation.publish(0);
    assert!(json(&simulation, 0, PAGE).await.as_array().unwrap().is_empty());
    assert_eq!(json(&simulation, 1, PAGE).await.as_array().unwrap().len(), 1, "another server shows it");
    let status = json(&simulation, 0, &format!("/api/v1/statuses/{}", hidden.id)).await;
    assert_eq!(status["uri"], hidden.uri);
    events.text.clear();
    while !events.text.contains(":thump\n") {
        assert!(events.more().await);
    }
    assert!(!events.text.contains("event:"), "{}", events.text);
    simulation.set_fault(0, None, None);
    assert_eq!(json(&simulation, 0, PAGE).await.as_array().unwrap().len(), 1);
    simulation.stop().await;
}

#[tokio::test]
async fn silent_streams_thump_and_lose_what_is_published() {
    let simulation = start(Config { heartbeat: Duration::from_millis(5), ..quiet() }).await;
    let mut events = Events::open(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::Silent), None);
    let lost = simulation.publish(0);
    events.text.clear();
    while events.text.matches(":thump\n").count() < 5 {
        assert!(events.more().await);
    }
    assert!(!events.text.contains(&lost.uri));
    simulation.set_fault(0, None, None);
    let seen = simulation.publish(0);
    let (_, data) = events.next().await;
    assert!(data.contains(&seen.uri) && !data.contains(&lost.uri));
    simulation.stop().await;
}

#[tokio::test]
async fn reset_breaks_open_streams_and_each_request() {
    let simulation = start(quiet()).await;
    let mut events = Events::open(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::Reset), None);
    let error = format!("{:?}", events.try_more().await.unwrap_err());
    assert!(error.contains("ConnectionReset"), "{error}");
    for path in [PAGE, STREAM, "/api/v2/instance"] {
        let error = format!("{:?}", try_get(&simulation, 0, path).await.unwrap_err());
        assert!(error.contains("ConnectionReset"), "{error}");
    }
    assert_eq!(get(&simulation, 0, "/_sim/totals").await.status(), 200, "control goes on");
    simulation.stop().await;
}

#[tokio::test]
async fn refusals_have_their_status_and_headers() {
    let simulation = start(quiet()).await;
    for (fault, status, kind) in [
        (Fault::TooManyRequests, 429, "application/json"),
        (Fault::ServerError, 500, "text/html; charset=utf-8"),
        (Fault::Html, 200, "text/html; charset=utf-8"),
        (Fault::Unauthorized, 401, "application/json"),
    ] {
        simulation.set_fault(0, Some(fault), None);
        for path in [PAGE, STREAM, "/api/v2/instance"] {
            let response = get(&simulation, 0, path).await;
            assert_eq!(response.status(), status, "{fault} {path}");
            assert_eq!(response.headers()["content-type"], kind, "{fault} {path}");
            if fault == Fault::TooManyRequests {
                assert_eq!(response.headers()["x-ratelimit-remaining"], "0");
                assert!(response.headers()["x-ratelimit-reset"].to_str().unwrap().ends_with('Z'));
                assert!(!response.headers().contains_key("retry-after"));
            }
        }
    }
    simulation.stop().await;
}

#[tokio::test]
async fn streams_end_cleanly_when_disconnected_or_when_the_token_is_revoked() {
    let simulation = start(quiet()).await;
    for fault in [Fault::Disconnect, Fault::Unauthorized] {
        let mut events = Events::open(&simulation, 0, STREAM).await;
        simulation.set_fault(0, Some(fault), None);
        assert!(!events.more().await, "{fault}");
        if fault == Fault::Disconnect {
            assert!(!Events::open(&simulation, 0, STREAM).await.more().await, "a new stream ends too");
            assert_eq!(get(&simulation, 0, PAGE).await.status(), 200);
        }
        simulation.set_fault(0, None, None);
    }
    simulation.stop().await;
}

#[tokio::test]
async fn an_endless_line_never_ends() {
    let simulation = start(quiet()).await;
    let mut open = Events::open(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::EndlessLine), None);
    let mut new = get(&simulation, 0, STREAM).await;
    let mut page = get(&simulation, 0, PAGE).await;
    for response in [&mut open.response, &mut new, &mut page] {
        let (mut read, mut lines) = (0, 0);
        while read < 1_000_000 {
            let chunk = response.chunk().await.unwrap().unwrap();
            lines += chunk.iter().filter(|byte| **byte == b'\n').count();
            read += chunk.len();
        }
        assert!(lines <= 2, "only the greeting and the event's name end");
    }
    simulation.stop().await;
}

#[tokio::test]
async fn a_huge_status_has_a_hundred_megabytes() {
    let simulation = start(quiet()).await;
    let mut events = Events::open(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::HugeStatus), None);
    let page = get(&simulation, 0, PAGE).await.text().await.unwrap();
    assert!(page.len() > 100_000_000 && page.starts_with("[{\"id\"") && page.ends_with("}]"));
    let mut read = 0;
    while read < 100_000_000 {
        assert!(events.more().await);
        read += events.text.len();
        events.text = events.text.split_off(events.text.len().saturating_sub(1_000));
        read -= events.text.len();
    }
    assert!(timeout(Duration::from_millis(50), async { while events.more().await {} }).await.is_err());
    assert!(events.text.ends_with("\n\n"));
    events.text.clear();
    let published = simulation.publish(0);
    assert!(events.next().await.1.contains(&published.uri), "one is enough");
    simulation.stop().await;
}

#[tokio::test]
async fn slow_servers_answer_after_seconds() {
    let simulation = start(quiet()).await;
    simulation.set_fault(0, Some(Fault::Slow), None);
    let began = std::time::Instant::now();
    assert_eq!(get(&simulation, 0, PAGE).await.status(), 200);
    assert!(began.elapsed() >= Duration::from_secs(3));
    simulation.stop().await;
}

#[tokio::test]
async fn a_fault_is_set_over_http_and_ends_by_itself() {
    let simulation = start(quiet()).await;
    let client = reqwest::Client::new();
    let post = |query: &str| client.post(format!("http://{}/_sim/fault?{query}", simulation.addresses()[0])).send();
    assert_eq!(post("kind=500&all=true").await.unwrap().status(), 204);
    assert_eq!(get(&simulation, 1, PAGE).await.status(), 500);
    assert_eq!(post("kind=500&for=80ms&all=true").await.unwrap().status(), 204);
    for server in [0, 1] {
        while get(&simulation, server, PAGE).await.status() != 200 {}
    }
    assert_eq!(post("kind=hang").await.unwrap().status(), 204);
    assert_eq!(post("kind=none").await.unwrap().status(), 204);
    assert_eq!(get(&simulation, 0, PAGE).await.status(), 200);
    for wrong in ["kind=flood", "kind=500&for=soon"] {
        let response = post(wrong).await.unwrap();
        assert_eq!(response.status(), 400);
        assert!(parse(response).await["error"].is_string());
    }
    simulation.stop().await;
}

#[tokio::test]
async fn a_half_open_stream_says_nothing_and_does_not_end_while_new_ones_are_good() {
    let simulation = start(Config { heartbeat: Duration::from_millis(5), ..quiet() }).await;
    let mut old = Events::open(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::HalfOpen), None);
    while timeout(Duration::from_millis(250), old.more()).await.is_ok() {}
    let mut new = Events::open(&simulation, 0, STREAM).await;
    let published = simulation.publish(0);
    assert!(new.next().await.1.contains(&published.uri));
    simulation.set_fault(0, None, None);
    assert!(timeout(Duration::from_millis(100), old.more()).await.is_err(), "it stays dead");
    assert_eq!(get(&simulation, 0, PAGE).await.status(), 200);
    simulation.stop().await;
}

#[tokio::test]
async fn a_torn_stream_is_reset_in_the_middle_of_an_event() {
    let simulation = start(quiet()).await;
    let mut events = Events::open(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::Torn), None);
    simulation.publish(0);
    let error = loop {
        match events.try_more().await {
            Ok(more) => assert!(more, "no clean end"),
            Err(error) => break format!("{error:?}"),
        }
    };
    assert!(error.contains("ConnectionReset"), "{error}");
    assert!(!events.text.contains("\n\n"), "the event is not whole");
    simulation.stop().await;
}

#[tokio::test]
async fn dripping_servers_answer_byte_by_byte() {
    let simulation = start(quiet()).await;
    simulation.set_fault(0, Some(Fault::Drip), None);
    let page = timeout(Duration::from_millis(300), try_get(&simulation, 0, PAGE)).await;
    assert!(page.is_err(), "not even its headers are there");
    simulation.set_fault(0, None, None);
    assert_eq!(get(&simulation, 0, PAGE).await.status(), 200);
    simulation.stop().await;
}

#[tokio::test]
async fn a_streaming_server_that_restarts_or_says_nothing_leaves_pages_alone() {
    let simulation = start(quiet()).await;
    let mut events = Events::open(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::Headerless), None);
    let published = simulation.publish(0);
    assert!(events.next().await.1.contains(&published.uri), "open streams go on");
    assert!(timeout(Duration::from_millis(100), try_get(&simulation, 0, STREAM)).await.is_err());
    assert_eq!(get(&simulation, 0, PAGE).await.status(), 200);
    simulation.set_fault(0, Some(Fault::Restart), None);
    assert!(!events.more().await);
    assert_eq!(get(&simulation, 0, STREAM).await.status(), 502);
    assert_eq!(get(&simulation, 0, PAGE).await.status(), 200);
    simulation.stop().await;
}

#[tokio::test]
async fn shuffled_streams_carry_deletes_first_and_some_events_twice() {
    let simulation = start(quiet()).await;
    let mut events = Events::open(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::Shuffled), None);
    // Read once, so that the stream is known to see the fault before anything is published.
    let first = simulation.publish(0);
    assert!(events.next().await.1.contains(&first.uri));
    let published: Vec<_> = (0..30).map(|_| simulation.publish(0)).collect();
    simulation.delete(&published[29].uri);
    let mut seen: Vec<String> = Vec::new();
    while published.iter().any(|post| !seen.iter().any(|data| data.contains(&post.uri))) {
        seen.push(events.next().await.1);
    }
    let place = |text: &str| seen.iter().position(|data| data.contains(text)).unwrap();
    assert_eq!(place(&published[29].id), seen.iter().position(|data| *data == published[29].id).unwrap());
    assert!(seen.len() > 31, "{} events", seen.len());
    let places: Vec<usize> = published.iter().map(|post| place(&post.uri)).collect();
    assert!(!places.is_sorted());
    simulation.stop().await;
}

#[tokio::test]
async fn nonsense_stands_between_good_events() {
    let simulation = start(quiet()).await;
    let mut response = get(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::Malformed), None);
    let mut read = Vec::new();
    for _ in 0..8 {
        let published = simulation.publish(0);
        let wanted = published.uri.as_bytes();
        while !read.windows(wanted.len()).any(|window| window == wanted) {
            read.extend_from_slice(&response.chunk().await.unwrap().unwrap());
        }
    }
    let text = String::from_utf8_lossy(&read);
    for nonsense in ["data: [1,2,3]", "event: announcement.reaction", "\u{fffd}\u{fffd}", "retry: soon"] {
        assert!(text.contains(nonsense), "{nonsense}");
    }
    simulation.stop().await;
}

#[tokio::test]
async fn refusals_of_every_kind_are_said_as_real_servers_say_them() {
    let simulation = start(Config { tokens: vec!["secret".to_owned()], ..quiet() }).await;
    for (fault, status) in [
        (Fault::Forbidden, 403),
        (Fault::Gone, 410),
        (Fault::Unprocessable, 422),
        (Fault::BadGateway, 502),
        (Fault::Unavailable, 503),
    ] {
        simulation.set_fault(0, Some(fault), None);
        for path in [PAGE, STREAM] {
            let response = get(&simulation, 0, path).await;
            assert_eq!(response.status(), status, "{fault} {path}");
            assert_eq!(response.headers().contains_key("retry-after"), fault == Fault::Unavailable);
        }
    }
    simulation.set_fault(0, Some(Fault::Revoked), None);
    assert_eq!(get(&simulation, 0, PAGE).await.status(), 200, "who has no token is served");
    assert_eq!(get(&simulation, 0, &format!("{PAGE}?access_token=secret")).await.status(), 401);
    simulation.set_fault(0, Some(Fault::Skewed), None);
    let response = get(&simulation, 0, PAGE).await;
    let date = chrono::DateTime::parse_from_rfc2822(response.headers()["date"].to_str().unwrap()).unwrap();
    let ahead = date.to_utc() - chrono::Utc::now();
    assert!((58..=61).contains(&ahead.num_minutes()), "{ahead}");
    let reset = chrono::DateTime::parse_from_rfc3339(response.headers()["x-ratelimit-reset"].to_str().unwrap());
    assert!((0..=300).contains(&(reset.unwrap() - date).num_seconds()), "by the same clock");
    simulation.set_fault(0, Some(Fault::Redirected), None);
    let response = get(&simulation, 0, PAGE).await;
    assert_eq!((response.status().as_u16(), response.url().host_str()), (200, Some("localhost")));
    simulation.stop().await;
}

#[tokio::test]
async fn a_script_is_played_by_itself_and_leaves_every_server_well() {
    let script = Script::draw(5, 2, Duration::from_secs(2));
    let length = script.end();
    let simulation = start(Config { script, posts_max: Some(0), ..quiet() }).await;
    assert!(!simulation.is_quiet());
    while !simulation.is_quiet() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for server in [0, 1] {
        assert_eq!(get(&simulation, server, PAGE).await.status(), 200, "after {length:?}");
    }
    simulation.stop().await;
}

#[tokio::test]
async fn answers_that_are_set_come_before_faults_and_the_server_until_they_are_taken_back() {
    let simulation = start(Config { visits_max: 3, ..quiet() }).await;
    simulation.set_fault(0, Some(Fault::Gone), None);
    let status = async |path: &str| get(&simulation, 0, path).await.status().as_u16();
    simulation.answer(0, PAGE, Some(Answer::refusal(403, "No.")));
    simulation.answer(0, &format!("{PAGE}?min_id"), Some(Answer::json(&serde_json::json!([]))));
    assert_eq!([status(PAGE).await, status(&format!("{PAGE}?limit=1&min_id=7")).await], [403, 200]);
    assert_eq!(status("/api/v1/instance").await, 410);
    simulation.answer(0, PAGE, None);
    assert_eq!(status(PAGE).await, 410);
    simulation.set_fault(0, None, None);
    assert_eq!(status(PAGE).await, 200);

    let asked: Vec<(String, String)> =
        simulation.visits(0).into_iter().map(|visit| (visit.path, visit.query)).collect();
    let page = || (PAGE.to_owned(), String::new());
    assert_eq!(asked, [("/api/v1/instance".to_owned(), String::new()), page(), page()], "the last three");
    assert_eq!(simulation.requests(0), 5);

    let limited = chrono::Utc::now() + Duration::from_millis(500);
    simulation.answer(0, PAGE, Some(Answer::limited(limited)));
    let response = get(&simulation, 0, PAGE).await;
    assert_eq!(response.status(), 429);
    let reset = response.headers()["x-ratelimit-reset"].to_str().unwrap();
    assert!((chrono::DateTime::parse_from_rfc3339(reset).unwrap().to_utc() - limited).num_milliseconds().abs() <= 1);
    while get(&simulation, 0, PAGE).await.status() != 200 {
        assert!(chrono::Utc::now() < limited + Duration::from_secs(10));
    }
    simulation.stop().await;
}

#[tokio::test]
async fn streams_end_and_carry_bytes_as_they_are_told() {
    let simulation = start(quiet()).await;
    let mut events = Events::open(&simulation, 0, STREAM).await;
    let mut other = Events::open(&simulation, 1, STREAM).await;
    assert_eq!((simulation.streams(0), simulation.streams(1)), (1, 1));
    let kept = simulation.publish_with(0, &ByHand { created_at_ms: Some(1_700_000_000_000), streamed: false });
    simulation.send(0, "event: odd\ndata: 1\n\n");
    assert_eq!(events.next().await, ("odd".to_owned(), "1".to_owned()));
    assert_eq!(ids(&json(&simulation, 0, PAGE).await), [kept.id.as_str()]);
    assert_eq!(kept.id.parse::<u64>().unwrap() >> 16, 1_700_000_000_000);
    simulation.end_streams(0);
    assert!(!events.more().await, "a clean end");
    simulation.publish(0);
    assert_eq!(other.next().await.0, "update", "another server's goes on");
    simulation.answer(0, "/api/v1/streaming", Some(Answer::refusal(503, "No.")));
    assert_eq!(get(&simulation, 0, STREAM).await.status(), 503);
    assert_eq!(simulation.streams(0), 2);
    simulation.stop().await;
}
