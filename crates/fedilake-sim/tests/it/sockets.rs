//! WebSockets: several subscriptions on one connection.

use std::time::Duration;

use fedilake_sim::serve::Holder;
use fedilake_sim::{Config, Fault, Simulation};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message, handshake::client::Request};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::client::{json, quiet, start};

struct Socket(WebSocketStream<TcpStream>);

fn request(simulation: &Simulation, query: &str) -> Request {
    format!("ws://{}/api/v1/streaming{query}", simulation.name(0)).into_client_request().unwrap()
}

async fn connect(simulation: &Simulation, request: Request) -> Result<Socket, Error> {
    let stream = TcpStream::connect(simulation.addresses()[0]).await.unwrap();
    client_async(request, stream).await.map(|(socket, _)| Socket(socket))
}

impl Socket {
    async fn open(simulation: &Simulation, query: &str) -> Socket {
        connect(simulation, request(simulation, query)).await.unwrap()
    }

    async fn say(&mut self, command: Value) {
        self.0.send(Message::text(command.to_string())).await.unwrap();
    }

    /// Subscribes, and waits until the server did: commands are obeyed in order, and only an error is answered.
    async fn subscribe(&mut self, command: Value) {
        self.say(command).await;
        self.say(json!({"type": "subscribe", "stream": "nothing"})).await;
        assert_eq!(self.next().await, json!({"error": "Unknown stream type", "status": 400}));
    }

    async fn next(&mut self) -> Value {
        loop {
            match timeout(Duration::from_secs(20), self.0.next()).await.unwrap().unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The rest, up to the end of the connection: an error if that came without a closing frame.
    async fn end(&mut self) -> Result<(), Error> {
        loop {
            match timeout(Duration::from_secs(20), self.0.next()).await.unwrap() {
                None => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
            }
        }
    }
}

fn payload(frame: &Value) -> Value {
    serde_json::from_str(frame["payload"].as_str().expect("a payload is a text")).unwrap()
}

#[tokio::test]
async fn one_socket_carries_several_subscriptions_and_names_the_one_of_each_frame() {
    let simulation = start(quiet()).await;
    let mut socket = Socket::open(&simulation, "?stream=public").await;
    socket.subscribe(json!({"type": "subscribe", "stream": "public:local"})).await;
    socket.subscribe(json!({"type": "subscribe", "stream": ["public:remote"]})).await;
    let (home, away) = (simulation.publish(0), simulation.publish(1));
    let mut seen = Vec::new();
    for _ in 0..4 {
        let frame = socket.next().await;
        assert_eq!(frame["event"], "update");
        seen.push((frame["stream"].clone(), payload(&frame)["uri"].as_str().unwrap().to_owned()));
    }
    let expected = [("public", &home), ("public:local", &home), ("public", &away), ("public:remote", &away)];
    assert_eq!(seen, expected.map(|(stream, post)| (json!([stream]), post.uri.clone())));
    assert!(simulation.edit(&home.uri) && simulation.delete(&home.uri));
    socket.say(json!({"type": "unsubscribe", "stream": "public:local"})).await;
    let edit = socket.next().await;
    assert_eq!((&edit["event"], &payload(&edit)["uri"]), (&json!("status.update"), &json!(home.uri)));
    let mut delete = socket.next().await;
    while delete["event"] != "delete" {
        delete = socket.next().await;
    }
    assert_eq!(delete["payload"], json!(home.id), "the id itself is the payload");
    simulation.stop().await;
}

#[tokio::test]
async fn a_token_opens_a_socket_from_each_of_its_three_places_and_its_end_closes_it() {
    let simulation = start(Config { stream_needs_token: true, ..quiet() }).await;
    let token = simulation.token(0, Holder::User, "read:statuses").unwrap();
    let refused = connect(&simulation, request(&simulation, "")).await;
    let Err(Error::Http(response)) = refused.map(|_| ()) else { panic!("a socket without a token") };
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-error-message"].to_str().unwrap()),
        (401, &"Missing access token")
    );
    let of_app = simulation.token(0, Holder::App, "read").unwrap();
    assert!(connect(&simulation, request(&simulation, &format!("?access_token={of_app}"))).await.is_err());

    let mut in_header = request(&simulation, "?stream=public");
    in_header.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let mut as_protocol = request(&simulation, "?stream=public");
    as_protocol.headers_mut().insert("sec-websocket-protocol", token.parse().unwrap());
    let in_query = request(&simulation, &format!("?stream=public&access_token={token}"));
    let mut sockets = Vec::new();
    for request in [in_header, as_protocol, in_query] {
        sockets.push(connect(&simulation, request).await.unwrap());
    }
    let published = simulation.publish(0);
    for socket in &mut sockets {
        assert_eq!(payload(&socket.next().await)["uri"], json!(published.uri));
    }
    assert!(simulation.revoke(0, &token));
    for socket in &mut sockets {
        socket.end().await.expect("a closing frame");
    }
    simulation.stop().await;
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_dropped() {
    let simulation = start(Config { heartbeat: Duration::from_millis(20), ..quiet() }).await;
    // Pings are answered while the client reads.
    let mut answers = Socket::open(&simulation, "?stream=public").await;
    let mut pings = 0;
    while pings < 4 {
        pings += usize::from(matches!(answers.0.next().await.unwrap().unwrap(), Message::Ping(_)));
    }
    let mut mute = Socket::open(&simulation, "?stream=public").await;
    let stream = mute.0.get_mut();
    let (mut read, mut buffer) = (0, [0; 64]);
    // Raw reads answer nothing: one ping of two bytes, then the end.
    loop {
        match timeout(Duration::from_secs(20), tokio::io::AsyncReadExt::read(stream, &mut buffer)).await.unwrap() {
            Ok(0) | Err(_) => break,
            Ok(length) => read += length,
        }
    }
    assert_eq!(read, 2);
    simulation.stop().await;
}

#[tokio::test]
async fn hashtags_and_lists_have_channels_and_pages() {
    let config = Config { history: 400, rate: 500.0, posts_max: Some(400), edits: 0.0, deletes: 0.0, ..quiet() };
    let simulation = start(config).await;
    let token = simulation.token(0, Holder::User, "read").unwrap();
    let mut socket = Socket::open(&simulation, &format!("?access_token={token}&stream=hashtag&tag=Photography")).await;
    socket.say(json!({"type": "subscribe", "stream": "list", "list": "2"})).await;
    for wrong in [json!({"stream": "hashtag"}), json!({"stream": "list"}), json!({"stream": "list", "list": "99"})] {
        let mut command = wrong;
        command["type"] = "subscribe".into();
        socket.say(command).await;
    }
    let (mut errors, mut of_tag, mut of_list) = (Vec::new(), 0, 0);
    while of_tag < 2 || of_list < 20 || errors.len() < 3 {
        let frame = socket.next().await;
        if frame["error"].is_string() {
            errors.push(frame["status"].as_u64().unwrap());
            continue;
        }
        let tags = payload(&frame)["tags"].to_string();
        if frame["stream"] == json!(["hashtag", "Photography"]) {
            assert!(tags.contains("\"name\":\"photography\""), "{tags}");
            of_tag += 1;
        } else {
            assert_eq!(frame["stream"], json!(["list", "2"]));
            of_list += 1;
        }
    }
    assert_eq!(errors, [400, 400, 401]);
    let mut walked = 0;
    let mut below = String::new();
    loop {
        let page = json(&simulation, 0, &format!("/api/v1/timelines/tag/photography?limit=2{below}")).await;
        let page = page.as_array().unwrap().clone();
        let Some(last) = page.last() else { break };
        assert!(page.iter().all(|status| status["tags"].to_string().contains("\"photography\"")));
        below = format!("&max_id={}", last["id"].as_str().unwrap());
        walked += page.len();
    }
    assert!(walked > 4, "{walked} posts in 400");
    let of_list = json(&simulation, 0, &format!("/api/v1/timelines/list/2?limit=40&access_token={token}")).await;
    assert_eq!(of_list.as_array().unwrap().len(), 40);
    assert!(json(&simulation, 0, "/api/v1/timelines/list/2").await["error"].is_string(), "lists are for members");
    simulation.stop().await;
}

#[tokio::test]
async fn faults_are_felt_on_sockets() {
    let simulation = start(Config { heartbeat: Duration::from_millis(20), ..quiet() }).await;
    let mut silent = Socket::open(&simulation, "?stream=public").await;
    simulation.set_fault(0, Some(Fault::Silent), None);
    let lost = simulation.publish(0);
    for _ in 0..2 {
        assert!(matches!(silent.0.next().await.unwrap().unwrap(), Message::Ping(_)), "{} is lost", lost.uri);
    }
    simulation.set_fault(0, None, None);
    let seen = simulation.publish(0);
    let frame = silent.next().await;
    assert_eq!(payload(&frame)["uri"], json!(seen.uri));
    for (fault, is_told) in [(Fault::Unauthorized, true), (Fault::Disconnect, false), (Fault::Reset, false)] {
        let mut socket = Socket::open(&simulation, "?stream=public").await;
        simulation.set_fault(0, Some(fault), None);
        let end = socket.end().await;
        assert_eq!(end.is_ok(), is_told, "{fault}: {end:?}");
        simulation.set_fault(0, None, None);
    }
    simulation.stop().await;
}
