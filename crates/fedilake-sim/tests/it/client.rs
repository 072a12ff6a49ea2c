//! A small client: pages, and the events of a stream.

use std::time::Duration;

use fedilake_sim::{Config, Simulation, serve};
use tokio_util::sync::CancellationToken;

/// A simulation without posts of its own.
pub(crate) fn quiet() -> Config {
    Config { servers: 2, rate: 0.0, ..Config::default() }
}

pub(crate) async fn start(config: Config) -> Simulation {
    serve(config, CancellationToken::new()).await.unwrap()
}

pub(crate) async fn get(simulation: &Simulation, server: usize, path: &str) -> reqwest::Response {
    try_get(simulation, server, path).await.unwrap()
}

pub(crate) async fn try_get(simulation: &Simulation, server: usize, path: &str) -> reqwest::Result<reqwest::Response> {
    reqwest::get(format!("http://{}{path}", simulation.addresses()[server])).await
}

pub(crate) async fn json(simulation: &Simulation, server: usize, path: &str) -> serde_json::Value {
    parse(get(simulation, server, path).await).await
}

pub(crate) fn ids(page: &serde_json::Value) -> Vec<String> {
    page.as_array().unwrap().iter().map(|status| status["id"].as_str().unwrap().to_owned()).collect()
}

/// An open stream, read event by event.
pub(crate) struct Events {
    pub(crate) response: reqwest::Response,
    pub(crate) text: String,
    /// The start of a character that the last chunk split.
    rest: Vec<u8>,
}

impl Events {
    /// Opens the stream. Every event published after this returns is received.
    pub(crate) async fn open(simulation: &Simulation, server: usize, path: &str) -> Events {
        Events::of(get(simulation, server, path).await).await
    }

    /// Reads on from an answer, behind the greeting.
    pub(crate) async fn of(response: reqwest::Response) -> Events {
        assert_eq!(response.status(), 200);
        let mut events = Events { response, text: String::new(), rest: Vec::new() };
        while !events.text.starts_with(":)\n") {
            assert!(events.more().await, "a stream opens with a greeting");
        }
        events
    }

    /// Reads on. False at a clean end; panics if the connection breaks.
    pub(crate) async fn more(&mut self) -> bool {
        self.try_more().await.unwrap()
    }

    pub(crate) async fn try_more(&mut self) -> reqwest::Result<bool> {
        let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk()).await.unwrap()?;
        if let Some(chunk) = &chunk {
            self.rest.extend_from_slice(chunk);
            let whole = match std::str::from_utf8(&self.rest) {
                Ok(text) => text.len(),
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                Err(error) => panic!("{error}"),
            };
            self.text.push_str(std::str::from_utf8(&self.rest[..whole]).unwrap());
            self.rest.drain(..whole);
        }
        Ok(chunk.is_some())
    }

    /// The next event's name and data.
    pub(crate) async fn next(&mut self) -> (String, String) {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let lines = block.lines().filter(|line| !line.starts_with(':'));
                let (mut name, mut data) = (String::new(), String::new());
                for line in lines {
                    match line.split_once(": ").unwrap() {
                        ("event", value) => name = value.to_owned(),
                        ("data", value) => data = value.to_owned(),
                        other => panic!("unexpected field {other:?}"),
                    }
                }
                self.text = rest.to_owned();
                return (name, data);
            }
            assert!(self.more().await, "the stream ended");
        }
    }
}

pub(crate) async fn parse(response: reqwest::Response) -> serde_json::Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}
