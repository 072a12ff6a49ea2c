//! A WebSocket: several subscriptions on one connection, as Mastodon's streaming server has them.
//!
//! A subscription is not acknowledged. An error says its status and not its subscription. Every 30 s (twice the
//! heartbeat of [`Config`](super::Config)) the server pings, and drops a client that did not answer the last ping. A
//! message arrives once for each subscription that carries it, its payload as a text.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message as Frame, WebSocket};
use futures::SinkExt;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::access::{Feed, Known};
use super::channel::{Channel, Given};
use super::fault::{Fault, HUGE_BYTES};
use super::listener::{End, Happened, Listener};
use super::message::{Message, MessageKind};
use super::stream::{HUGE_STATUS_END, HUGE_STATUS_START};

/// A client that does not read for so long is dropped.
const SEND_MAX: Duration = Duration::from_secs(60);

/// A connection and its subscriptions.
pub(crate) struct Socket {
    socket: WebSocket,
    listener: Listener,
    is_member: bool,
    subscriptions: Vec<Subscription>,
    pings: Interval,
    /// The last ping was answered.
    is_alive: bool,
    huge_sent: bool,
    nonsense: usize,
}

struct Subscription {
    channel: Channel,
    /// `{"stream":["public"],`, before what is the same in every subscription.
    start: String,
}

/// A client's request on the socket.
#[derive(Deserialize)]
struct Command {
    r#type: Option<String>,
    stream: Option<OneOrMany>,
    tag: Option<String>,
    list: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn first(&self) -> &str {
        match self {
            OneOrMany::One(name) => name,
            OneOrMany::Many(names) => names.first().map_or("", String::as_str),
        }
    }
}

/// Frames that no reader may stumble over.
const NONSENSE: [&str; 7] = [
    "{\"stream\":[\"public\"],\"event\":\"update\",\"payload\":\"{\\\"id\\\":\"}",
    "{\"stream\":[\"public\"],\"event\":\"update\",\"payload\":{\"id\":1}}",
    "{\"stream\":[\"public\"],\"event\":\"update\"}",
    "{\"stream\":[\"public\"],\"event\":\"announcement.reaction\",\"payload\":\"{}\"}",
    "[\"no object\"]",
    "{\"stream\":",
    "",
];

/// Why a connection is given up, and its last frame.
struct Finished(End, Option<CloseFrame>);

const SILENT: Finished = Finished(End::Silent, None);

impl Socket {
    pub(crate) fn new(socket: WebSocket, listener: Listener, known: Option<&Known>) -> Socket {
        let every = listener.server.heartbeat * 2;
        let mut pings = tokio::time::interval_at(Instant::now() + every, every);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let is_member = known.is_some();
        Socket {
            socket,
            listener,
            is_member,
            subscriptions: Vec::new(),
            pings,
            is_alive: true,
            huge_sent: false,
            nonsense: 0,
        }
    }

    /// Serves the connection to its end. `first` is the subscription of the query.
    pub(crate) async fn serve(mut self, first: Option<(String, Option<String>, Option<String>)>) {
        let mut end = None;
        if let Some((stream, tag, list)) = first {
            let given = Given { tag: tag.as_deref(), list: list.as_deref(), is_member: self.is_member };
            end = self.subscribe(&stream, &given).await.err();
        }
        let end = match end {
            Some(end) => end,
            None => loop {
                if let Err(end) = self.step().await {
                    break end;
                }
            },
        };
        match end {
            Finished(End::Told, frame) => {
                // A client that is gone already needs no frame.
                let _ = tokio::time::timeout(Duration::from_secs(1), self.socket.send(Frame::Close(frame))).await;
            }
            Finished(End::Silent, _) => {}
            Finished(End::Reset, _) => self.listener.peer.reset(),
        }
    }

    /// One event of the listener, the client or the clock.
    async fn step(&mut self) -> Result<(), Finished> {
        let fault = self.listener.fault();
        self.huge_sent &= matches!(fault, Some(Fault::HugeStatus | Fault::EndlessLine));
        if let Some(end) = self.listener.end(fault) {
            return Err(Finished(end, None));
        }
        match fault {
            // A frame has a length, so that no line is endless: both are one huge frame.
            Some(Fault::HugeStatus | Fault::EndlessLine) if !self.huge_sent => {
                self.huge_sent = true;
                let huge = format!("{HUGE_STATUS_START}{}{HUGE_STATUS_END}", "a".repeat(HUGE_BYTES));
                let frame = json!({"stream": ["public"], "event": "update", "payload": huge}).to_string();
                return self.send(vec![Frame::text(frame)]).await;
            }
            _ => {}
        }
        // The pings of a connection that is half open would end it, and its end would be heard.
        let is_mute = matches!(fault, Some(Fault::Hang | Fault::Stall)) || self.listener.is_dead();
        tokio::select! {
            biased;
            happened = self.listener.next(fault) => match happened {
                Happened::Over => Err(SILENT),
                Happened::Revoked => Err(Finished(End::Told, None)),
                Happened::FaultChanged => Ok(()),
                Happened::Messages(messages) => {
                    let mut frames = self.frames(&messages);
                    match fault {
                        Some(Fault::Torn) => self.listener.peer.tear_after(frames.iter().map(length).sum::<usize>() / 2),
                        Some(Fault::Malformed) if !frames.is_empty() => {
                            self.nonsense += 1;
                            frames.insert(0, Frame::text(NONSENSE[self.nonsense % NONSENSE.len()]));
                        }
                        _ => {}
                    }
                    self.send(frames).await
                }
            },
            frame = self.socket.recv(), if !is_mute || self.listener.is_dead() => match frame {
                None | Some(Err(_) | Ok(Frame::Close(_))) => Err(SILENT),
                Some(Ok(Frame::Pong(_))) => {
                    self.is_alive = true;
                    Ok(())
                }
                Some(Ok(Frame::Ping(_))) => Ok(()),
                Some(Ok(Frame::Binary(_))) => {
                    let reason = "The mastodon streaming server does not support binary messages".into();
                    Err(Finished(End::Told, Some(CloseFrame { code: 1003, reason })))
                }
                Some(Ok(Frame::Text(text))) => self.obey(&text).await,
            },
            _ = self.pings.tick() => {
                if is_mute {
                    return Ok(());
                }
                if !std::mem::replace(&mut self.is_alive, false) {
                    return Err(SILENT);
                }
                self.send(vec![Frame::Ping(Vec::new().into())]).await
            }
        }
    }

    /// Text that is no command is passed over.
    async fn obey(&mut self, text: &str) -> Result<(), Finished> {
        let Ok(command) = serde_json::from_str::<Command>(text) else { return Ok(()) };
        let stream = command.stream.as_ref().map_or("", OneOrMany::first);
        let (tag, list) = (command.tag.as_deref(), command.list.as_deref());
        let given = Given { tag, list, is_member: self.is_member };
        match command.r#type.as_deref() {
            Some("subscribe") => self.subscribe(stream, &given).await,
            Some("unsubscribe") => match Channel::parse(stream, &given) {
                Ok(channel) => {
                    self.subscriptions.retain(|subscription| subscription.channel != channel);
                    Ok(())
                }
                Err(_) => self.complain(json!({"error": "Error unsubscribing from channel"})).await,
            },
            _ => Ok(()),
        }
    }

    async fn subscribe(&mut self, stream: &str, given: &Given<'_>) -> Result<(), Finished> {
        match Channel::parse(stream, given) {
            Ok(channel) => {
                if self.subscriptions.iter().all(|subscription| subscription.channel != channel) {
                    let start = format!("{{\"stream\":{},", json!(channel.labels()));
                    self.subscriptions.push(Subscription { channel, start });
                }
                Ok(())
            }
            Err((status, error)) => self.complain(json!({"error": error, "status": status.as_u16()})).await,
        }
    }

    async fn complain(&mut self, error: serde_json::Value) -> Result<(), Finished> {
        self.send(vec![Frame::text(error.to_string())]).await
    }

    fn frames(&self, messages: &[Arc<Message>]) -> Vec<Frame> {
        let is_disabled = self.listener.server.feed == Feed::Disabled;
        let of_message = |message: &Arc<Message>| {
            let carrying = self.subscriptions.iter().filter(|one| one.channel.carries(message, is_disabled));
            carrying.map(|one| Frame::text(format!("{}{}", one.start, message.quoted()))).collect::<Vec<_>>()
        };
        messages.iter().filter(|message| message.kind != MessageKind::Raw).flat_map(of_message).collect()
    }

    async fn send(&mut self, frames: Vec<Frame>) -> Result<(), Finished> {
        let all = async {
            for frame in frames {
                self.socket.feed(frame).await?;
            }
            self.socket.flush().await
        };
        tokio::select! {
            sent = all => sent.map_err(|_| SILENT),
            () = self.listener.server.stopping.cancelled() => Err(SILENT),
            () = tokio::time::sleep(SEND_MAX) => Err(SILENT),
        }
    }
}

fn length(frame: &Frame) -> usize {
    match frame {
        Frame::Text(text) => text.len(),
        _ => 0,
    }
}
