//! The body of an SSE stream.

use std::io;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use tokio::time::{Interval, MissedTickBehavior};

use super::access::Feed;
use super::channel::Channel;
use super::fault::{self, Fault};
use super::listener::{End, Happened, Listener};
use super::message::Message;

/// What the channel carries from the listener's opening on.
pub(crate) fn body(listener: Listener, channel: Channel) -> Body {
    let every = listener.server.heartbeat;
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let opened = Opened { listener, channel, heartbeat, huge_sent: false, nonsense: 0, over: false };
    // The greeting is not a block of its own: it stands glued to the first event.
    let greeting = futures::stream::once(async { Ok(Bytes::from_static(b":)\n")) });
    Body::from_stream(greeting.chain(opened.parts().flatten()))
}

struct Opened {
    listener: Listener,
    channel: Channel,
    heartbeat: Interval,
    /// True once the present [`Fault::HugeStatus`] has sent its status.
    huge_sent: bool,
    /// Blocks of nonsense sent so far.
    nonsense: usize,
    over: bool,
}

/// One or many chunks of the body.
type Part = futures::stream::BoxStream<'static, io::Result<Bytes>>;

impl Opened {
    fn parts(self) -> impl Stream<Item = Part> {
        futures::stream::unfold(Some(self), |opened| async move {
            let mut opened = opened?;
            let part = opened.next_part().await?;
            Some((part, Some(opened)))
        })
    }

    /// The next bytes; `None` ends the stream cleanly.
    async fn next_part(&mut self) -> Option<Part> {
        loop {
            let fault = self.listener.fault();
            self.huge_sent &= fault == Some(Fault::HugeStatus);
            match self.listener.end(fault) {
                _ if self.over => return None,
                Some(End::Reset) => {
                    self.listener.peer.reset();
                    return Some(one(Err(io::ErrorKind::ConnectionReset.into())));
                }
                Some(End::Silent | End::Told) => return None,
                None => {}
            }
            match fault {
                Some(Fault::EndlessLine) => {
                    self.over = true;
                    let ended = Box::pin(self.listener.server.clone().fault_over());
                    return Some(fault::endless_line("event: update\ndata: ").take_until(ended).boxed());
                }
                Some(Fault::HugeStatus) if !self.huge_sent => {
                    self.huge_sent = true;
                    return Some(huge_block().boxed());
                }
                _ => {}
            }
            let is_mute = matches!(fault, Some(Fault::Hang | Fault::Stall));
            tokio::select! {
                biased;
                happened = self.listener.next(fault) => match happened {
                    Happened::Over | Happened::Revoked => return None,
                    Happened::FaultChanged => {}
                    Happened::Messages(messages) => if let Some(chunk) = self.chunk(&messages) {
                        return Some(one(Ok(self.spoiled(chunk, fault))));
                    },
                },
                _ = self.heartbeat.tick() => if !is_mute {
                    return Some(one(Ok(Bytes::from_static(b":thump\n"))));
                },
            }
        }
    }

    fn spoiled(&mut self, chunk: Bytes, fault: Option<Fault>) -> Bytes {
        match fault {
            Some(Fault::Torn) => {
                self.listener.peer.tear_after(chunk.len() / 2);
                chunk
            }
            Some(Fault::Malformed) => {
                self.nonsense += 1;
                [NONSENSE[self.nonsense % NONSENSE.len()], &chunk[..]].concat().into()
            }
            _ => chunk,
        }
    }

    /// The blocks of those messages that the channel carries.
    fn chunk(&self, messages: &[std::sync::Arc<Message>]) -> Option<Bytes> {
        let is_disabled = self.listener.server.feed == Feed::Disabled;
        let mut carried = messages.iter().filter(|message| self.channel.carries(message, is_disabled));
        let first = carried.next()?.block();
        let mut chunk = BytesMut::new();
        for message in carried {
            if chunk.is_empty() {
                chunk.extend_from_slice(first);
            }
            chunk.extend_from_slice(message.block());
        }
        Some(if chunk.is_empty() { first.clone() } else { chunk.freeze() })
    }
}

/// Blocks that no reader may stumble over.
const NONSENSE: [&[u8]; 8] = [
    b"event: update\ndata: {\"id\":\n\n",
    b"event: update\ndata: [1,2,3]\n\n",
    b"event: update\n\n",
    b"event: delete\ndata: \n\n",
    b"event: announcement.reaction\ndata: {\"name\":\"x\"}\n\n",
    b"event: update\ndata: {\"content\":\"\xff\xfe\"}\n\n",
    b"data: \"no event\"\n\n\n\n",
    b": a comment\nretry: soon\nid\nevent\ndata\n\n",
];

fn one(chunk: io::Result<Bytes>) -> Part {
    futures::stream::once(async { chunk }).boxed()
}

fn huge_block() -> impl Stream<Item = io::Result<Bytes>> + Send {
    let before = format!("event: update\ndata: {}", HUGE_STATUS_START);
    fault::huge(before, format!("{HUGE_STATUS_END}\n\n"))
}

/// A status up to its content, which is missing; [`HUGE_STATUS_END`] goes on after it.
pub(crate) const HUGE_STATUS_START: &str = "{\"id\":\"1\",\"visibility\":\"public\",\"content\":\"<p>";
/// The rest of a huge status.
pub(crate) const HUGE_STATUS_END: &str = "</p>\",\"uri\":\"https://huge.example/1\",\"created_at\":\"2023-02-03T00:00:00.000Z\",\"account\":{\"id\":\"1\",\"username\":\"huge\",\"acct\":\"huge@huge.example\",\"url\":\"https://huge.example/@huge\"}}";
