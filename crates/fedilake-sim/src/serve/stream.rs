//! The body of an SSE stream.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::{Interval, MissedTickBehavior};

use super::access::Feed;
use super::connection::Peer;
use super::fault::{self, Fault, Watch};
use super::server::{Message, MessageKind, Server};
use super::timeline::Scope;

/// A stream of that scope, from now on.
pub(crate) fn body(server: Arc<Server>, scope: Scope, peer: Peer) -> Body {
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + server.heartbeat, server.heartbeat);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (messages, faults) = (server.listen(), server.faults.watch());
    let opened = Opened { server, scope, peer, messages, faults, heartbeat, huge_sent: false, over: false };
    // The greeting is not a block of its own: it stands glued to the first event.
    let greeting = futures::stream::once(async { Ok(Bytes::from_static(b":)\n")) });
    Body::from_stream(greeting.chain(opened.parts().flatten()))
}

struct Opened {
    server: Arc<Server>,
    scope: Scope,
    peer: Peer,
    messages: broadcast::Receiver<Message>,
    faults: Watch,
    heartbeat: Interval,
    /// True once the present [`Fault::HugeStatus`] has sent its status.
    huge_sent: bool,
    over: bool,
}

/// One or many chunks of the body.
type Part = futures::stream::BoxStream<'static, io::Result<Bytes>>;

/// An event of a stream.
enum Happened {
    Message(Result<Message, RecvError>),
    Heartbeat,
    FaultChanged,
    Stopping,
}

/// Bytes that are gathered into one chunk while more events wait.
const CHUNK_BYTES: usize = 64 * 1024;

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
            let fault = self.faults.now();
            self.huge_sent &= fault == Some(Fault::HugeStatus);
            match fault {
                _ if self.over => return None,
                Some(Fault::Reset) => {
                    self.peer.reset();
                    return Some(one(Err(io::ErrorKind::ConnectionReset.into())));
                }
                Some(Fault::Disconnect | Fault::Unauthorized) => return None,
                Some(Fault::EndlessLine) => {
                    self.over = true;
                    let ended = Box::pin(self.server.clone().fault_over());
                    return Some(fault::endless_line("event: update\ndata: ").take_until(ended).boxed());
                }
                Some(Fault::HugeStatus) if !self.huge_sent => {
                    self.huge_sent = true;
                    return Some(huge_block().boxed());
                }
                _ => {}
            }
            match self.wait().await {
                Happened::Stopping | Happened::Message(Err(RecvError::Closed)) => return None,
                // A reader this slow is cut off, as real servers do.
                Happened::Message(Err(RecvError::Lagged(_))) => return None,
                Happened::FaultChanged => {}
                Happened::Heartbeat if matches!(fault, Some(Fault::Hang | Fault::Stall)) => {}
                Happened::Heartbeat => return Some(one(Ok(Bytes::from_static(b":thump\n")))),
                Happened::Message(Ok(_)) if matches!(fault, Some(Fault::Hang | Fault::Stall | Fault::Silent)) => {}
                Happened::Message(Ok(message)) => {
                    if fault == Some(Fault::Slow) {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                    if let Some(chunk) = self.gather(message, fault) {
                        return Some(one(Ok(chunk)));
                    }
                }
            }
        }
    }

    async fn wait(&mut self) -> Happened {
        tokio::select! {
            biased;
            () = self.server.stopping.cancelled() => Happened::Stopping,
            () = self.faults.changed() => Happened::FaultChanged,
            message = self.messages.recv() => Happened::Message(message),
            _ = self.heartbeat.tick() => Happened::Heartbeat,
        }
    }

    /// The first message and those that wait behind it, as far as this stream carries them.
    fn gather(&mut self, first: Message, fault: Option<Fault>) -> Option<Bytes> {
        let carries = |message: &Message| match message.kind {
            MessageKind::Delete => true,
            MessageKind::Update | MessageKind::Edit => {
                self.scope.holds(message.local) && self.server.feed != Feed::Disabled
            }
        };
        let first = Some(first).filter(carries);
        let mut chunk = BytesMut::new();
        while fault.is_none() && chunk.len() < CHUNK_BYTES {
            let Ok(next) = self.messages.try_recv() else { break };
            if carries(&next) {
                if chunk.is_empty() {
                    chunk.extend_from_slice(first.as_ref().map_or(&[], |first| &first.block));
                }
                chunk.extend_from_slice(&next.block);
            }
        }
        if chunk.is_empty() { first.map(|first| first.block) } else { Some(chunk.freeze()) }
    }
}

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
