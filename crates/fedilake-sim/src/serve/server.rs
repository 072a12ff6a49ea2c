//! One simulated server: its timeline, its streams' feed, its faults and its limits.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::access::Feed;
use super::fault::Faults;
use super::limits::{RateLimits, Throttle};
use super::live_post::{LivePost, Map};
use super::timeline::{Entry, Timeline};
use super::truth::{ServerTotals, TruthPost};

/// A message to the streams.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) kind: MessageKind,
    /// The author is a member of this server. Deletes go to every stream, as on real servers.
    pub(crate) local: bool,
    /// The whole SSE block.
    pub(crate) block: Bytes,
}

/// The events of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MessageKind {
    Update,
    Edit,
    Delete,
}

/// A server. Shared by its routes, its streams and the world that publishes to it.
pub(crate) struct Server {
    pub(crate) index: usize,
    pub(crate) address: SocketAddr,
    pub(crate) map: Arc<Map>,
    pub(crate) feed: Feed,
    pub(crate) stream_needs_token: bool,
    pub(crate) tokens: Vec<String>,
    pub(crate) heartbeat: std::time::Duration,
    pub(crate) faults: Faults,
    pub(crate) stopping: CancellationToken,
    timeline: Mutex<Timeline>,
    throttle: Mutex<Throttle>,
    messages: broadcast::Sender<Message>,
    updates: AtomicU64,
    edits: AtomicU64,
    deletes: AtomicU64,
}

/// Properties of a server that do not change.
pub(crate) struct Nature {
    pub(crate) index: usize,
    pub(crate) address: SocketAddr,
    pub(crate) map: Arc<Map>,
    pub(crate) feed: Feed,
    pub(crate) stream_needs_token: bool,
    pub(crate) tokens: Vec<String>,
    pub(crate) heartbeat: std::time::Duration,
    pub(crate) limits: RateLimits,
    pub(crate) recent_max: usize,
    /// Events that a stream may fall behind before it is cut off.
    pub(crate) backlog_max: usize,
    pub(crate) stopping: CancellationToken,
}

impl Server {
    pub(crate) fn new(nature: Nature) -> Server {
        Server {
            timeline: Mutex::new(Timeline::new(nature.index, nature.recent_max)),
            throttle: Mutex::new(Throttle::new(nature.limits)),
            messages: broadcast::Sender::new(nature.backlog_max),
            faults: Faults::new(),
            updates: AtomicU64::new(0),
            edits: AtomicU64::new(0),
            deletes: AtomicU64::new(0),
            index: nature.index,
            address: nature.address,
            map: nature.map,
            feed: nature.feed,
            stream_needs_token: nature.stream_needs_token,
            tokens: nature.tokens,
            heartbeat: nature.heartbeat,
            stopping: nature.stopping,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.map.names[self.index]
    }

    pub(crate) fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Completes when the present fault may have ended, another begun, or the server stops.
    pub(crate) async fn fault_over(self: Arc<Server>) {
        let mut faults = self.faults.watch();
        faults.now();
        tokio::select! {
            () = faults.changed() => {}
            () = self.stopping.cancelled() => {}
        }
    }

    /// Subscribes to events from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Message> {
        self.messages.subscribe()
    }

    /// Keeps a post and tells the streams; returns its id here.
    pub(crate) fn show(&self, post: &LivePost, id: u64, now_ms: i64) {
        let local = {
            let mut timeline = self.timeline();
            match timeline.get_mut(id) {
                // Its delete came first: the stream still gets the update, the timeline does not.
                Some(entry) => entry.shown_at_ms = entry.shown_at_ms.min(now_ms),
                None => timeline.put(id, Entry { post: *post, shown_at_ms: now_ms, deleted_at_ms: None }),
            }
            timeline.is_local(post)
        };
        self.updates.fetch_add(1, Ordering::Relaxed);
        self.tell(MessageKind::Update, local, |out| post.write_status(&self.map, self.index, id, out));
    }

    /// Replaces a post by its newer version and tells the streams.
    pub(crate) fn edit(&self, post: &LivePost, id: u64) {
        let local = {
            let mut timeline = self.timeline();
            let local = timeline.is_local(post);
            match timeline.get_mut(id) {
                Some(entry) if entry.deleted_at_ms.is_none() => entry.post = *post,
                _ => return,
            }
            local
        };
        self.edits.fetch_add(1, Ordering::Relaxed);
        self.tell(MessageKind::Edit, local, |out| post.write_status(&self.map, self.index, id, out));
    }

    /// Takes a post away, shown or not, and tells the streams.
    pub(crate) fn delete(&self, post: &LivePost, id: u64, now_ms: i64) {
        let local = {
            let mut timeline = self.timeline();
            let local = timeline.is_local(post);
            match timeline.get_mut(id) {
                Some(entry) => entry.deleted_at_ms = Some(now_ms),
                None => timeline.put(id, Entry { post: *post, shown_at_ms: now_ms, deleted_at_ms: Some(now_ms) }),
            }
            local
        };
        self.deletes.fetch_add(1, Ordering::Relaxed);
        self.tell(MessageKind::Delete, local, |out| out.extend_from_slice(id.to_string().as_bytes()));
    }

    fn tell(&self, kind: MessageKind, local: bool, write_payload: impl FnOnce(&mut Vec<u8>)) {
        if self.messages.receiver_count() == 0 {
            return;
        }
        let name = match kind {
            MessageKind::Update => "update",
            MessageKind::Edit => "status.update",
            MessageKind::Delete => "delete",
        };
        let mut block = format!("event: {name}\ndata: ").into_bytes();
        block.reserve(if kind == MessageKind::Delete { 24 } else { 4_096 });
        write_payload(&mut block);
        block.extend_from_slice(b"\n\n");
        // The last listener may have left since: then nobody misses it.
        let _ = self.messages.send(Message { kind, local, block: block.into() });
    }

    pub(crate) fn totals(&self) -> ServerTotals {
        ServerTotals {
            server: self.name().to_owned(),
            updates: self.updates.load(Ordering::Relaxed),
            edits: self.edits.load(Ordering::Relaxed),
            deletes: self.deletes.load(Ordering::Relaxed),
            forgotten: self.timeline().forgotten(),
        }
    }

    pub(crate) fn truth(&self, after: u64, limit: usize) -> Vec<TruthPost> {
        let entries: Vec<(u64, Entry)> = {
            let timeline = self.timeline();
            timeline.after(after, limit).map(|(id, entry)| (id, *entry)).collect()
        };
        let truth_post = |(id, entry): (u64, Entry)| TruthPost {
            server: self.name().to_owned(),
            id: id.to_string(),
            uri: entry.post.uri(&self.map),
            local: entry.post.home == super::live_post::Home::Server(self.index),
            created_at_ms: entry.post.created_at_ms,
            shown_at_ms: entry.shown_at_ms,
            edits: entry.post.version,
            edited_at_ms: entry.post.edited_at_ms,
            deleted_at_ms: entry.deleted_at_ms,
            characters: entry.post.characters,
        };
        entries.into_iter().map(truth_post).collect()
    }
}
