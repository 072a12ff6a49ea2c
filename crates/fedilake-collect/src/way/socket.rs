//! WebSockets: one for each server, with a subscription for each timeline that is read there.
//!
//! The first subscription stands in the address, which servers of all kinds understand; others are asked for on the open socket. A server
//! acknowledges none of them, and its errors name none: an error ends all.
//!
//! Bounded: one frame on the socket, and [`FRAMES_MAX`] frames for each subscription. When one is not taken the socket is not read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use reqwest::header::HeaderMap;
use reqwest::{StatusCode, Upgraded, Url};
use serde_json::{Value, json};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use crate::server::error::{SourceError, said};
use crate::server::http::Http;
use crate::server::timeline::Timeline;
use crate::server::token::Token;
use crate::way::feed::FeedFrame;

const FRAMES_MAX: usize = 64;
/// Subscriptions on their way to an open socket.
const SUBSCRIPTIONS_MAX: usize = 16;

type Socket = WebSocketStream<Upgraded>;
type Frames = mpsc::Sender<Result<FeedFrame, SourceError>>;

/// A server's socket, while there is one.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    open: Mutex<Option<Open>>,
}

/// The socket that is open, and where it leads.
#[derive(Debug)]
struct Open {
    url: Url,
    token: Option<Token>,
    subscribe: mpsc::Sender<(Timeline, Frames)>,
    /// Notified when a subscription has ended.
    left: Arc<Notify>,
}

/// The frames of one timeline. Dropping it ends the subscription; the last one closes the socket.
#[derive(Debug)]
pub(crate) struct Subscription {
    frames: mpsc::Receiver<Result<FeedFrame, SourceError>>,
    left: Arc<Notify>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.frames.close();
        self.left.notify_one();
    }
}

impl Subscription {
    /// The next frame. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<FeedFrame, SourceError> {
        self.frames.recv().await.unwrap_or(Err(SourceError::Ended))
    }
}

impl Sockets {
    /// Subscribes to `timeline` on the socket at `url` that is open with this token, or on a new one. `each_headers` as in [`Http::get`].
    pub(crate) async fn subscribe(
        &self,
        http: &Http,
        url: &Url,
        token: Option<&Token>,
        timeline: &Timeline,
        each_headers: impl FnMut(StatusCode, &HeaderMap),
    ) -> Result<Subscription, SourceError> {
        let mut open = self.open.lock().await;
        let (sender, frames) = mpsc::channel(FRAMES_MAX);
        if let Some(open) = open.as_ref().filter(|open| open.url == *url && open.token.as_ref() == token)
            && open.subscribe.send((timeline.clone(), sender.clone())).await.is_ok()
        {
            return Ok(Subscription { frames, left: open.left.clone() });
        }
        let mut first = url.clone();
        first.query_pairs_mut().append_pair("stream", timeline.stream_name()).extend_pairs(timeline.stream_parameter());
        let upgraded = http.upgrade(first, token, each_headers).await?;
        let bytes_max = Some(http.frame_bytes_max());
        let config = WebSocketConfig::default().max_message_size(bytes_max).max_frame_size(bytes_max);
        let socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await;
        let (subscribe, subscriptions) = mpsc::channel(SUBSCRIPTIONS_MAX);
        let left = Arc::new(Notify::new());
        let reading = Reading {
            socket,
            subscriptions,
            takers: HashMap::from([(key_of(timeline), sender)]),
            frame_bytes_max: http.frame_bytes_max(),
            silence_timeout: http.silence_timeout(),
            left: left.clone(),
        };
        tokio::spawn(reading.run());
        *open = Some(Open { url: url.clone(), token: token.cloned(), subscribe, left: left.clone() });
        Ok(Subscription { frames, left })
    }
}

/// The timeline as frames name it: the stream and its parameter.
type Key = (String, Option<String>);

fn key_of(timeline: &Timeline) -> Key {
    (timeline.stream_name().to_owned(), timeline.stream_parameter().map(|(_, value)| value.to_owned()))
}

/// The task that reads a socket.
struct Reading {
    socket: Socket,
    subscriptions: mpsc::Receiver<(Timeline, Frames)>,
    takers: HashMap<Key, Frames>,
    frame_bytes_max: usize,
    silence_timeout: Duration,
    left: Arc<Notify>,
}

impl Reading {
    async fn run(mut self) {
        let error = self.read().await.err();
        for taker in self.takers.values() {
            // A taker with a full channel is at work, and then finds the channel's end.
            let _ = taker.try_send(Err(error.clone().unwrap_or(SourceError::Ended)));
        }
        // The server may be gone, and nobody waits for it.
        let _ = timeout(self.silence_timeout, self.socket.close(None)).await;
    }

    /// Returns when nobody takes frames any more.
    async fn read(&mut self) -> Result<(), SourceError> {
        loop {
            self.takers.retain(|_, taker| !taker.is_closed());
            if self.takers.is_empty() {
                return Ok(());
            }
            let message = tokio::select! {
                message = timeout(self.silence_timeout, self.socket.next()) => message,
                Some((timeline, frames)) = self.subscriptions.recv() => {
                    self.subscribe(&timeline, frames).await?;
                    continue;
                }
                () = self.left.notified() => continue,
            };
            let message = message.map_err(|_| {
                let why = format!("not even a ping for {} s", self.silence_timeout.as_secs());
                SourceError::Unreachable { doing: "read the socket", why }
            })?;
            match message {
                Some(Ok(Message::Text(text))) => self.take(&text).await?,
                Some(Ok(Message::Close(_))) | None => return Err(SourceError::Ended),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(self.failed(error)),
            }
        }
    }

    async fn subscribe(&mut self, timeline: &Timeline, frames: Frames) -> Result<(), SourceError> {
        let mut asked = json!({"type": "subscribe", "stream": timeline.stream_name()});
        if let Some((name, value)) = timeline.stream_parameter() {
            asked[name] = value.into();
        }
        self.takers.insert(key_of(timeline), frames);
        let sent = self.socket.send(Message::text(asked.to_string())).await;
        sent.map_err(|error| self.failed(error))
    }

    async fn take(&mut self, text: &str) -> Result<(), SourceError> {
        let message = Told::parse(text).map_err(|why| SourceError::Malformed { path: "the socket".to_owned(), why })?;
        let Some((key, frame)) = message else { return Ok(()) };
        // A message that names no stream is for the only taker.
        let taker = match &key {
            Some(key) => self.takers.get(key),
            None => self.takers.values().next().filter(|_| self.takers.len() == 1),
        };
        if let Some(taker) = taker {
            // Without a taker there is nobody who misses the frame.
            let _ = taker.send(Ok(frame)).await;
        }
        Ok(())
    }

    fn failed(&self, error: SocketError) -> SourceError {
        match error {
            SocketError::ConnectionClosed | SocketError::AlreadyClosed => SourceError::Ended,
            SocketError::Capacity(_) => SourceError::TooLong { what: "a frame", bytes_max: self.frame_bytes_max },
            error => SourceError::Unreachable { doing: "read the socket", why: said(&error.to_string()) },
        }
    }
}

/// Reads a message.
pub(crate) struct Told;

impl Told {
    /// The stream that a message names, and its frame; None for a message without an event. Fails with what is wrong, or with the server's
    /// own words.
    pub(crate) fn parse(text: &str) -> Result<Option<(Option<Key>, FeedFrame)>, String> {
        let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
            return Err("no JSON object".to_owned());
        };
        if let Some(Value::String(error)) = message.get("error") {
            return Err(format!("the server says: {}", said(error)));
        }
        let Some(Value::String(event)) = message.remove("event") else { return Ok(None) };
        let payload = match message.remove("payload") {
            Some(Value::String(payload)) => payload,
            // Some software sends the status itself, or a number as an id.
            Some(payload @ (Value::Object(_) | Value::Number(_))) => payload.to_string(),
            _ => String::new(),
        };
        let names = message.get("stream").and_then(Value::as_array);
        let mut names = names.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let key = names.next().map(|name| (name, names.next()));
        Ok(Some((key, FeedFrame { event, payload: payload.into() })))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_message_names_its_stream_and_carries_a_text() {
        let key = |name: &str, parameter: Option<&str>| Some((name.to_owned(), parameter.map(str::to_owned)));
        for (text, stream, payload) in [
            (
                r#"{"stream":["public"],"event":"update","payload":"{\"id\":\"1\"}"}"#,
                key("public", None),
                r#"{"id":"1"}"#,
            ),
            (r#"{"stream":["hashtag","rust"],"event":"delete","payload":"7"}"#, key("hashtag", Some("rust")), "7"),
            (r#"{"stream":["list","3"],"event":"delete","payload":7}"#, key("list", Some("3")), "7"),
            (r#"{"event":"update","payload":{"id":"1"}}"#, None, r#"{"id":"1"}"#),
            (r#"{"stream":7,"event":"filters_changed"}"#, None, ""),
        ] {
            let (found, frame) = Told::parse(text).unwrap().unwrap();
            assert_eq!((found, &frame.payload[..]), (stream, payload.as_bytes()), "{text}");
        }
        assert_eq!(Told::parse(r#"{"stream":["public"]}"#).unwrap(), None);
        for (text, why) in [
            ("", "no JSON object"),
            ("[]", "no JSON object"),
            (&"[".repeat(100_000), "no JSON object"),
            (r#"{"error":"Unknown\u001b stream"}"#, "the server says: Unknown stream"),
        ] {
            assert_eq!(Told::parse(text).unwrap_err(), why);
        }
    }

    #[test]
    fn frames_find_the_timeline_that_asked_for_them() {
        for (timeline, stream) in [
            ("public", r#"["public"]"#),
            ("local", r#"["public:local"]"#),
            ("remote", r#"["public:remote"]"#),
            ("hashtag:rust", r#"["hashtag","rust"]"#),
            ("list:3", r#"["list","3"]"#),
        ] {
            let text = format!(r#"{{"stream":{stream},"event":"delete","payload":"1"}}"#);
            let (found, _) = Told::parse(&text).unwrap().unwrap();
            assert_eq!(found, Some(key_of(&Timeline::parse(timeline).unwrap())));
        }
    }
}
