//! Access, rate limits, and the documents in which a server describes itself.

use fedilake_sim::serve::{Feed, Manner, RateLimits, Reset, RetryAfter, Software};
use fedilake_sim::{Config, Fault};

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
async fn waits_are_told_in_every_form_that_is_wanted() {
    let limits = RateLimits { requests: 1, ..RateLimits::default() };
    for reset in [Reset::Iso8601, Reset::EpochSeconds, Reset::SecondsToGo, Reset::Untold] {
        for retry_after in [RetryAfter::Seconds, RetryAfter::HttpDate] {
            let manner = Some(Manner { reset, retry_after: Some(retry_after) });
            let simulation = start(Config { limits, manner, ..quiet() }).await;
            get(&simulation, 0, PAGE).await;
            let limited = get(&simulation, 0, PAGE).await;
            simulation.set_fault(0, Some(Fault::Unavailable), None);
            let unavailable = get(&simulation, 0, PAGE).await;
            assert_eq!((limited.status().as_u16(), unavailable.status().as_u16()), (429, 503));
            for response in [&limited, &unavailable] {
                let text = response.headers()["retry-after"].to_str().unwrap();
                match retry_after {
                    RetryAfter::Seconds => assert!(text.parse::<u32>().unwrap() <= 300, "{text}"),
                    RetryAfter::HttpDate => assert!(chrono::DateTime::parse_from_rfc2822(text).is_ok(), "{text}"),
                }
            }
            let told = limited.headers().get("x-ratelimit-reset").map(|value| value.to_str().unwrap());
            match (reset, told) {
                (Reset::Iso8601, Some(text)) => assert!(chrono::DateTime::parse_from_rfc3339(text).is_ok(), "{text}"),
                (Reset::EpochSeconds, Some(text)) => assert!(text.parse::<u64>().unwrap() > 1_000_000_000, "{text}"),
                (Reset::SecondsToGo, Some(text)) => assert!(text.parse::<u64>().unwrap() <= 300, "{text}"),
                (Reset::Untold, None) => {}
                other => panic!("{other:?}"),
            }
            simulation.stop().await;
        }
    }
}

#[tokio::test]
async fn a_member_has_a_limit_for_all_tokens_together() {
    let tokens = vec!["one".to_owned(), "other".to_owned()];
    let simulation = start(Config { user_requests: 3, tokens, ..quiet() }).await;
    let mut statuses = Vec::new();
    for token in ["one", "one", "other", "other", "one"] {
        statuses.push(get(&simulation, 0, &format!("{PAGE}?access_token={token}")).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(get(&simulation, 0, PAGE).await.status(), 200, "an address has its own");
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
    assert_eq!(json(&simulation, 0, "/api/v2/instance/").await, instance, "a slash at the end changes nothing");
    assert_eq!(get(&simulation, 0, "/api/v1/timelines/public/?limit=1").await.status(), 200);
    assert_eq!(get(&simulation, 0, "/api/v1/anything").await.status(), 404);
    assert_eq!(get(&simulation, 0, "//").await.status(), 404);
    simulation.stop().await;
}

#[tokio::test]
async fn members_can_have_another_domain_than_the_servers_host() {
    let software = vec![Software::Mastodon, Software::Mastodon, Software::GoToSocial, Software::Pleroma];
    let tokens = vec!["secret".to_owned()];
    let simulation = start(Config { servers: 4, software, apart: 1.0, tokens, ..quiet() }).await;
    let document = async |server| json(&simulation, server, "/api/v2/instance").await;
    assert_eq!(document(0).await["domain"], "server-0.example");
    assert_eq!(document(0).await["configuration"]["urls"]["streaming"], format!("ws://{}", simulation.name(0)));
    assert_eq!(json(&simulation, 1, "/api/v1/instance").await["uri"], "server-1.example");
    assert_eq!(document(2).await["account_domain"], "server-2.example");
    assert_eq!(document(2).await["domain"], simulation.name(2));
    assert_eq!(document(3).await["domain"], simulation.name(3), "its software cannot");

    let post = simulation.publish(0);
    let author = simulation.truth().into_iter().find(|truth| truth.uri == post.uri).unwrap().author;
    let user = author.strip_suffix("@server-0.example").unwrap();
    for (server, acct) in [(0, user), (1, &*author), (2, &*author), (3, &*author)] {
        let status = json(&simulation, server, &format!("{PAGE}?access_token=secret")).await[0].clone();
        let account = &status["account"];
        assert_eq!((&account["username"], &account["acct"]), (&user.into(), &acct.into()));
        let at = format!("http://{}/", simulation.name(0));
        for address in [&status["uri"], &status["url"], &account["url"]] {
            assert!(address.as_str().unwrap().starts_with(&at), "{address}");
        }
    }
    simulation.stop().await;
    let half = start(Config { servers: 4, apart: 0.5, ..quiet() }).await;
    let mut domains = Vec::new();
    for server in 0..4 {
        domains.push(json(&half, server, "/api/v2/instance").await["domain"].as_str().unwrap().to_owned());
    }
    assert_eq!(domains, [half.name(0), "server-1.example", half.name(2), "server-3.example"]);
    half.stop().await;
}

#[tokio::test]
async fn a_cdn_keeps_pages_of_those_without_a_token() {
    let cached = Some(std::time::Duration::from_secs(15));
    let simulation = start(Config { cached, tokens: vec!["secret".to_owned()], ..quiet() }).await;
    assert_eq!(json(&simulation, 0, PAGE).await.as_array().unwrap().len(), 0);
    simulation.publish(0);
    let old = get(&simulation, 0, PAGE).await;
    assert!(old.headers()["cache-control"].to_str().unwrap().starts_with("max-age=15, public"));
    assert!(old.headers().contains_key("age"));
    assert_eq!(parse(old).await.as_array().unwrap().len(), 0);
    let other = json(&simulation, 0, &format!("{PAGE}?limit=5")).await;
    assert_eq!(other.as_array().unwrap().len(), 1, "another query is another page");
    let with_token = get(&simulation, 0, &format!("{PAGE}?access_token=secret")).await;
    assert!(!with_token.headers().contains_key("age"));
    assert_eq!(parse(with_token).await.as_array().unwrap().len(), 1);
    simulation.stop().await;
}
