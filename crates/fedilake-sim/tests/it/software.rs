//! Other software behind the same API.

use fedilake_sim::serve::{Holder, Software};
use fedilake_sim::{Config, Simulation};
use serde_json::Value;

use crate::client::{get, ids, json, parse, quiet, start};

const PAGE: &str = "/api/v1/timelines/public";

async fn one_of_each() -> Simulation {
    start(Config { servers: Software::ALL.len(), software: Software::ALL.to_vec(), ..quiet() }).await
}

#[tokio::test]
async fn nodeinfo_names_the_software_and_documents_say_where_streams_are() {
    let simulation = one_of_each().await;
    for (server, software) in Software::ALL.into_iter().enumerate() {
        assert_eq!(json(&simulation, server, "/nodeinfo/2.0").await["software"]["name"], software.as_str());
        let v1 = json(&simulation, server, "/api/v1/instance").await;
        let address = format!("ws://{}", simulation.name(server));
        let has_streams =
            matches!(software, Software::Mastodon | Software::Pleroma | Software::Akkoma | Software::GoToSocial);
        let said = if has_streams { Value::from(address.clone()) } else { Value::Null };
        assert_eq!(v1["urls"]["streaming_api"], said, "{software}");
        let v2 = get(&simulation, server, "/api/v2/instance").await;
        if software == Software::Akkoma {
            assert_eq!(v2.status(), 404);
            continue;
        }
        let v2 = parse(v2).await;
        assert_eq!(v2["configuration"]["urls"]["streaming"], said, "{software}");
        assert_eq!(v2["api_versions"].is_object(), software == Software::Mastodon);
        let stream = get(&simulation, server, "/api/v1/streaming/public").await.status();
        assert_eq!(stream == 200, software == Software::Mastodon, "{software}: {stream}");
    }
    simulation.stop().await;
}

#[tokio::test]
async fn pages_walk_by_ids_of_every_form() {
    let simulation = one_of_each().await;
    let published: Vec<_> = (0..7).map(|_| simulation.publish(0)).collect();
    for (server, software) in Software::ALL.into_iter().enumerate() {
        let token = simulation.token(server, Holder::User, "read").unwrap();
        let page =
            async |query: String| json(&simulation, server, &format!("{PAGE}?access_token={token}{query}")).await;
        let all = ids(&page(String::new()).await);
        assert_eq!(all.len(), published.len() + server, "{software}: one more was published at each before");
        let length = match software {
            Software::Pleroma | Software::Akkoma => 18,
            Software::GoToSocial => 26,
            Software::Hollo => 36,
            _ => all[0].len(),
        };
        assert!(all.iter().all(|id| id.len() == length), "{software}: {all:?}");
        assert!(all.is_sorted_by(|newer, older| newer > older), "{software}: {all:?}");
        assert_eq!(
            ids(&page(format!("&min_id={}&limit=2", all[all.len() - 1])).await),
            all[all.len() - 3..all.len() - 1],
            "{software}"
        );
        assert_eq!(ids(&page(format!("&max_id={}&limit=2", all[1])).await), all[2..4], "{software}");
        let status = json(&simulation, server, &format!("/api/v1/statuses/{}", all[3])).await;
        assert_eq!(status["id"], all[3].as_str(), "{software}");
        let many = get(&simulation, server, &format!("/api/v1/statuses?id[]={}", all[3])).await.status();
        let has_many = matches!(software, Software::Mastodon | Software::Pleroma | Software::Akkoma);
        assert_eq!(many.as_u16(), if has_many { 200 } else { 404 }, "{software}");
        assert_eq!(simulation.publish(server).id.len(), length, "{software}");
    }
    simulation.stop().await;
}

#[tokio::test]
async fn akkoma_quotes_a_bare_status_and_gotosocial_wants_a_token_and_keeps_robots_away() {
    let software = vec![Software::Akkoma, Software::GoToSocial];
    let simulation = start(Config { software, history: 40, reach: 2, ..quiet() }).await;
    let page = json(&simulation, 0, &format!("{PAGE}?limit=40")).await;
    let quotes: Vec<&Value> = page.as_array().unwrap().iter().map(|status| &status["quote"]).collect();
    assert!(quotes.iter().any(|quote| quote["uri"].is_string() && quote["account"].is_object()));
    assert!(quotes.iter().any(|quote| quote.is_null()));
    assert_eq!(get(&simulation, 1, PAGE).await.status(), 401);
    let robots = get(&simulation, 1, "/robots.txt").await.text().await.unwrap();
    assert!(robots.contains("Disallow: /api/") && robots.contains("Crawl-delay: 500"), "{robots}");
    simulation.stop().await;
}
