//! Streams and pages of servers without faults.

use fedilake_sim::Config;
use fedilake_sim::serve::Holder;

use crate::client::{Events, get, ids, json, parse, quiet, start};

#[tokio::test]
async fn a_post_reaches_streams_and_pages_of_every_server_under_one_uri() {
    let simulation = start(quiet()).await;
    let mut home = Events::open(&simulation, 0, "/api/v1/streaming/public").await;
    let mut away = Events::open(&simulation, 1, "/api/v1/streaming/public").await;
    let published = simulation.publish(0);
    for (events, server) in [(&mut home, 0), (&mut away, 1)] {
        let (name, data) = events.next().await;
        assert_eq!(name, "update");
        let status: serde_json::Value = serde_json::from_str(&data).unwrap();
        assert_eq!(status["uri"], published.uri);
        let page = json(&simulation, server, "/api/v1/timelines/public").await;
        assert_eq!(page[0], status, "stream and page show the same");
    }
    assert!(simulation.edit(&published.uri));
    assert!(simulation.delete(&published.uri));
    let (name, data) = home.next().await;
    let status: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!((name.as_str(), &status["uri"]), ("status.update", &published.uri.as_str().into()));
    assert!(status["edited_at"].is_string());
    assert_eq!(home.next().await, ("delete".to_owned(), published.id));
    assert_eq!(ids(&json(&simulation, 0, "/api/v1/timelines/public").await), Vec::<String>::new());
    let truth = simulation.truth();
    assert_eq!(truth.len(), 2);
    assert!(truth.iter().all(|post| post.uri == published.uri && post.edits == 1 && post.deleted_at_ms.is_some()));
    simulation.stop().await;
}

#[tokio::test]
async fn pages_walk_up_by_min_id_until_an_empty_one() {
    let simulation = start(quiet()).await;
    let published: Vec<String> = (0..95).map(|_| simulation.publish(0).id).collect();
    let mut walked = Vec::new();
    let mut above = "0".to_owned();
    loop {
        let response = get(&simulation, 0, &format!("/api/v1/timelines/public?limit=99&min_id={above}")).await;
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let mut page = ids(&parse(response).await);
        if page.is_empty() {
            assert_eq!(link, None);
            break;
        }
        let (newest, oldest) = (page[0].clone(), page.last().unwrap().clone());
        let link = link.unwrap();
        assert!(link.contains(&format!("max_id={oldest}>; rel=\"next\"")), "{link}");
        assert!(link.contains(&format!("min_id={newest}>; rel=\"prev\"")), "{link}");
        above = newest;
        page.reverse();
        walked.extend(page);
    }
    let mut in_order = published;
    in_order.sort_by_key(|id| id.parse::<u64>().unwrap());
    assert_eq!(walked, in_order);
    let newest = ids(&json(&simulation, 0, &format!("/api/v1/timelines/public?since_id={}", in_order[0])).await);
    assert_eq!(newest.len(), 20);
    assert_eq!(&newest[0], in_order.last().unwrap());
    simulation.stop().await;
}

#[tokio::test]
async fn streams_of_hashtags_and_lists_carry_their_posts_only() {
    let config = Config { rate: 500.0, edits: 0.0, deletes: 0.0, ..quiet() };
    let simulation = start(config).await;
    let token = simulation.token(0, Holder::User, "read").unwrap();
    let mut tagged = Events::open(&simulation, 0, "/api/v1/streaming/hashtag?tag=photography").await;
    let listed = format!("/api/v1/streaming/list?list=1&access_token={token}");
    let mut listed = Events::open(&simulation, 0, &listed).await;
    for _ in 0..2 {
        assert!(tagged.next().await.1.contains("\"name\":\"photography\""));
        listed.next().await;
    }
    for (path, status) in [("hashtag", 400), ("list?list=1", 401), ("everything", 400)] {
        assert_eq!(get(&simulation, 0, &format!("/api/v1/streaming/{path}")).await.status(), status, "{path}");
    }
    simulation.stop().await;
}
