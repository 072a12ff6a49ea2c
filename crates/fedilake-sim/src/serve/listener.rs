//! A listener: the events of one stream as its server's faults let them through, over SSE and WebSocket alike.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::access::Known;
use super::connection::Peer;
use super::fault::{Fault, Watch};
use super::message::{Message, MessageKind};
use super::server::Server;
use crate::dice::{Dice, Purpose};

/// The listener. From its opening on it hears of everything, and loses what a fault makes it lose.
pub(crate) struct Listener {
    pub(crate) server: Arc<Server>,
    pub(crate) peer: Peer,
    /// The reader's token; its end is the stream's.
    revoked: CancellationToken,
    messages: broadcast::Receiver<Arc<Message>>,
    faults: Watch,
    ended: watch::Receiver<()>,
    /// Messages that a fault keeps back, and until when.
    held: Vec<Arc<Message>>,
    due: Option<Instant>,
    dice: Dice,
    /// The reader has one.
    has_token: bool,
    /// The fault in which the stream was opened, which kills only those that were open before.
    born_in: Option<Fault>,
}

/// Events of a listener.
#[derive(Debug)]
pub(crate) enum Happened {
    /// At least one, in the order in which they are to be sent.
    Messages(Vec<Arc<Message>>),
    /// Another fault began, or the present one ended.
    FaultChanged,
    /// The token was revoked.
    Revoked,
    /// The server stops or ends all streams, or the reader is too slow: it is cut off, as real servers do.
    Over,
}

/// The end of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// RST.
    Reset,
    /// The connection ends without a closing frame.
    Silent,
    /// With a closing frame, where there are frames.
    Told,
}

/// Messages that are taken together while more wait.
const TOGETHER_MAX: usize = 64;
/// Time between events of a slow stream.
const SLOW: Duration = Duration::from_secs(1);
/// Time in which events of a shuffled stream are gathered.
const SHUFFLED: Duration = Duration::from_millis(200);

impl Listener {
    pub(crate) fn open(server: Arc<Server>, peer: Peer, known: Option<&Known>) -> Listener {
        let revoked = known.map(|known| known.token.revoked.clone()).unwrap_or_default();
        let (messages, mut faults) = (server.listen(), server.faults.watch());
        let ended = server.ends.subscribe();
        server.visits.note_stream();
        let dice = Dice::new(server.map.seed, Purpose::Faults, server.index as u64);
        let (has_token, born_in) = (known.is_some(), faults.now());
        Listener {
            server,
            peer,
            revoked,
            messages,
            faults,
            ended,
            held: Vec::new(),
            due: None,
            dice,
            has_token,
            born_in,
        }
    }

    /// The end that `fault` brings to the stream at once, if it brings one.
    pub(crate) fn end(&mut self, fault: Option<Fault>) -> Option<End> {
        if fault != self.born_in {
            self.born_in = None;
        }
        self.peer.drip(fault == Some(Fault::Drip));
        match fault? {
            Fault::Reset => Some(End::Reset),
            Fault::Disconnect | Fault::Restart => Some(End::Silent),
            Fault::Unauthorized => Some(End::Told),
            Fault::Revoked if self.has_token => Some(End::Told),
            Fault::HalfOpen if self.born_in.is_none() => {
                self.peer.die();
                None
            }
            _ => None,
        }
    }

    /// The present fault.
    pub(crate) fn fault(&mut self) -> Option<Fault> {
        self.faults.now()
    }

    /// True once the connection is half open.
    pub(crate) fn is_dead(&self) -> bool {
        self.peer.is_dead()
    }

    /// The next event under `fault`, which [`Listener::fault`] gave. Cancel-safe.
    pub(crate) async fn next(&mut self, fault: Option<Fault>) -> Happened {
        let is_deaf = matches!(fault, Some(Fault::Hang | Fault::Stall | Fault::Silent | Fault::Blind));
        let (is_slow, is_shuffled) = (fault == Some(Fault::Slow), fault == Some(Fault::Shuffled));
        loop {
            let due = self.due.filter(|_| is_slow || is_shuffled);
            if !self.held.is_empty() && due.is_none() {
                return self.release();
            }
            tokio::select! {
                biased;
                () = self.server.stopping.cancelled() => return Happened::Over,
                () = self.revoked.cancelled() => return Happened::Revoked,
                _ = self.ended.changed() => return Happened::Over,
                () = self.faults.changed() => return Happened::FaultChanged,
                () = until(due), if due.is_some() => return self.release(),
                message = self.messages.recv(), if due.is_none() || is_shuffled => match message {
                    Err(RecvError::Closed | RecvError::Lagged(_)) => return Happened::Over,
                    Ok(_) if is_deaf => {}
                    Ok(message) if is_slow => {
                        self.held.push(message);
                        self.due = Some(Instant::now() + SLOW);
                    }
                    Ok(message) if is_shuffled => {
                        self.held.push(message);
                        self.due.get_or_insert_with(|| Instant::now() + SHUFFLED);
                    }
                    Ok(message) => return Happened::Messages(self.gather(message)),
                },
            }
        }
    }

    fn release(&mut self) -> Happened {
        self.due = None;
        let mut held = std::mem::take(&mut self.held);
        let twice: Vec<_> = held.iter().filter(|_| self.dice.chance(0.25)).cloned().collect();
        if self.fault() == Some(Fault::Shuffled) {
            held.extend(twice);
            self.dice.shuffle(&mut held);
            held.sort_by_key(|message| message.kind != MessageKind::Delete);
        }
        Happened::Messages(held)
    }

    fn gather(&mut self, first: Arc<Message>) -> Vec<Arc<Message>> {
        let mut messages = vec![first];
        while messages.len() < TOGETHER_MAX {
            let Ok(next) = self.messages.try_recv() else { break };
            messages.push(next);
        }
        messages
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
