//! Access, rate limits, and the documents in which a server describes itself.

use fedilake_sim::Config;
use fedilake_sim::serve::{Feed, RateLimits};

use crate::client::{get, json, parse, quiet, start};

const PAGE: &str = "/api/v1/timelines/public";
const STREAM: &str = "/api/v1/streaming/public";

#[tokio::test]
async fn streams_that_need_a_token_refuse_those_without() {
    let config = Config { tokens: vec!["secret".to_owned()], stream_needs_token: true, ..quiet() };
    let simulation = start(config).await;
    for scope in ["", "/local", "/remote"] {
        assert_eq!(get(&simulation, 0, &format!("{STREAM}{scope}")).await.status(), 401);
        assert_eq!(get(&simulation, 0, &format!("{STREAM}{scope}?access_token=wrong")).await.status(), 401);
        assert_eq!(get(&simulation, 0, &format!("{STREAM}{scope}?access_token=secret")).await.status(), 200);
    }
    let url = format!("http://{}{STREAM}", simulation.name(0));
    let response = reqwest::Client::new().get(url).bearer_auth("secret").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    drop(response);
    assert_eq!(get(&simulation, 0, PAGE).await.status(), 200, "pages are open");
    let access = &json(&simulation, 0, "/api/v2/instance").await["configuration"]["timelines_access"];
    assert_eq!(access["live_feeds"]["local"], "authenticated");
    simulation.stop().await;
}

#[tokio::test]
async fn closed_feeds_answer_as_real_ones() {
    for (feed, status, body) in [
        (Feed::Authenticated, 422, "This method requires an authenticated user"),
        (Feed::LimitedFederation, 401, "This API requires an authenticated user"),
        (Feed::Disabled, 200, "[]"),
    ] {
        let simulation = start(Config { feed, tokens: vec!["secret".to_owned()], ..quiet() }).await;
        simulation.publish(0);
        let response = get(&simulation, 0, PAGE).await;
        assert_eq!(response.status(), status, "{feed:?}");
        assert!(response.text().await.unwrap().contains(body), "{feed:?}");
        let with_token = json(&simulation, 0, &format!("{PAGE}?access_token=secret")).await;
        assert_eq!(with_token.as_array().unwrap().len(), usize::from(feed != Feed::Disabled), "{feed:?}");
        simulation.stop().await;
    }
}

#[tokio::test]
async fn requests_are_limited_and_paged_ones_apart() {
    let limits = RateLimits { requests: 5, paged: 2, ..RateLimits::default() };
    let simulation = start(Config { limits, tokens: vec!["secret".to_owned()], ..quiet() }).await;
    let mut statuses = Vec::new();
    for query in ["min_id=1", "since_id=1", "max_id=1", "limit=1", "limit=1", "limit=1"] {
        let response = get(&simulation, 0, &format!("{PAGE}?{query}")).await;
        let header = |name| response.headers()[name].to_str().unwrap().to_owned();
        let left = (header("x-ratelimit-limit"), header("x-ratelimit-remaining"));
        assert!(chrono::DateTime::parse_from_rfc3339(&header("x-ratelimit-reset")).is_ok());
        assert!(!response.headers().contains_key("retry-after"));
        statuses.push((response.status().as_u16(), left.0, left.1));
    }
    let expected =
        [(200, "2", "1"), (200, "2", "0"), (429, "2", "0"), (200, "5", "1"), (200, "5", "0"), (429, "5", "0")];
    let expected: Vec<_> = expected.map(|(status, limit, left)| (status, limit.to_owned(), left.to_owned())).into();
    assert_eq!(statuses, expected);
    let with_token = get(&simulation, 0, &format!("{PAGE}?access_token=secret")).await;
    assert_eq!(with_token.status(), 200, "a token has limits of its own");
    simulation.stop().await;
}

#[tokio::test]
async fn a_server_describes_itself() {
    let simulation = start(quiet()).await;
    let name = simulation.name(0).to_owned();
    let instance = json(&simulation, 0, "/api/v2/instance").await;
    assert_eq!(instance["domain"], name);
    assert_eq!(instance["configuration"]["urls"]["streaming"], format!("ws://{name}"));
    assert_eq!(instance["configuration"]["timelines_access"]["live_feeds"]["remote"], "public");
    assert_eq!(json(&simulation, 0, "/api/v1/instance").await["uri"], name);
    assert!(json(&simulation, 0, "/api/v1/instance/rules").await.is_array());
    let known = json(&simulation, 0, "/.well-known/nodeinfo").await;
    let href = known["links"][0]["href"].as_str().unwrap();
    assert_eq!(parse(reqwest::get(href).await.unwrap()).await["software"]["name"], "mastodon");
    assert!(get(&simulation, 0, "/robots.txt").await.text().await.unwrap().contains("User-agent: *"));
    assert_eq!(get(&simulation, 0, "/api/v1/anything").await.status(), 404);
    simulation.stop().await;
}
