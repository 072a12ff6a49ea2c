//! Each fault as a client sees it.

use std::time::Duration;

use fedilake_sim::{Config, Fault};
use tokio::time::timeout;

use crate::client::{Events, get, json, parse, quiet, start, try_get};

const PAGE: &str = "/api/v1/timelines/public";
const STREAM: &str = "/api/v1/streaming/public";

#[tokio::test]
async fn hang_answers_nothing_and_ends_in_a_broken_connection() {
    let simulation = start(quiet()).await;
    let mut events = Events::open(&simulation, 0, STREAM).await;
    simulation.set_fault(0, Some(Fault::Hang), None);
    let mut page = Box::pin(try_get(&simulation, 0, PAGE));
    let mut stream = Box::pin(try_get(&simulation, 0, STREAM));
    assert!(timeout(Duration::from_millis(150), &mut page).await.is_err());
    assert!(timeout(Duration::from_millis(50), &mut stream).await.is_err());
    simulation.publish(0);
    assert!(timeout(Duration::from_millis(100), events.more()).await.is_err());
    assert_eq!(get(&simulation, 1, PAGE).await.status(), 200, "another server is well");
    simulation.set_fault(0, None, None);
    assert!(page.await.is_err() && stream.await.is_err());
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
