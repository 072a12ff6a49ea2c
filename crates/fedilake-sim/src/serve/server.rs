//! One simulated server: its timeline, its streams' feed, its faults and its limits.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use chrono::{TimeDelta, Utc};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::access::Feed;
use super::cache::Cache;
use super::fault::{Fault, Faults};
use super::limits::{RateLimits, Standing, Throttle};
use super::live_post::{LivePost, Map};
use super::manner::Manner;
use super::message::{Message, MessageKind};
use super::oauth::OAuth;
use super::scripted::Answers;
use super::software::Software;
use super::timeline::{Entry, Timeline};
use super::truth::{ServerTotals, TruthPost};
use super::visits::Visits;
use crate::content::ids::Ids;
use crate::content::status::Facts;

/// A server. Shared by its routes, its streams and the world that publishes to it.
pub(crate) struct Server {
    pub(crate) index: usize,
    pub(crate) address: SocketAddr,
    pub(crate) map: Arc<Map>,
    pub(crate) feed: Feed,
    pub(crate) stream_needs_token: bool,
    /// Apps are let in without asking anybody.
    pub(crate) approves: bool,
    pub(crate) heartbeat: std::time::Duration,
    pub(crate) faults: Faults,
    pub(crate) cache: Cache,
    pub(crate) stopping: CancellationToken,
    timeline: Mutex<Timeline>,
    throttle: Mutex<Throttle>,
    oauth: Mutex<OAuth>,
    messages: broadcast::Sender<Arc<Message>>,
    /// Changes when all open streams are to end.
    pub(crate) ends: watch::Sender<()>,
    pub(crate) visits: Visits,
    pub(crate) answers: Answers,
    pub(crate) manner: Manner,
    /// Pages of more posts are refused.
    pub(crate) page_limit_max: Option<usize>,
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
    pub(crate) approves: bool,
    pub(crate) heartbeat: std::time::Duration,
    pub(crate) limits: RateLimits,
    pub(crate) user_requests: u32,
    pub(crate) manner: Option<Manner>,
    pub(crate) cached: Option<std::time::Duration>,
    pub(crate) recent_max: usize,
    pub(crate) visits_max: usize,
    pub(crate) page_limit_max: Option<usize>,
    /// Events that a stream may fall behind before it is cut off.
    pub(crate) backlog_max: usize,
    pub(crate) stopping: CancellationToken,
}

impl Server {
    pub(crate) fn new(nature: Nature) -> Server {
        // GoToSocial shows nothing to those without a token.
        let is_shut = nature.map.software(nature.index) == Software::GoToSocial;
        Server {
            timeline: Mutex::new(Timeline::new(nature.index, nature.recent_max)),
            throttle: Mutex::new(Throttle::new(nature.limits, nature.user_requests)),
            oauth: Mutex::new(OAuth::new(nature.map.seed, nature.index, &nature.tokens)),
            messages: broadcast::Sender::new(nature.backlog_max),
            faults: Faults::new(),
            cache: Cache::new(nature.cached),
            ends: watch::Sender::new(()),
            visits: Visits::new(nature.visits_max),
            answers: Answers::default(),
            manner: nature.manner.unwrap_or_else(|| Manner::of(nature.map.software(nature.index))),
            page_limit_max: nature.page_limit_max,
            updates: AtomicU64::new(0),
            edits: AtomicU64::new(0),
            deletes: AtomicU64::new(0),
            index: nature.index,
            address: nature.address,
            map: nature.map,
            feed: match nature.feed {
                Feed::Public if is_shut => Feed::LimitedFederation,
                feed => feed,
            },
            stream_needs_token: nature.stream_needs_token,
            approves: nature.approves,
            heartbeat: nature.heartbeat,
            stopping: nature.stopping,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.map.names[self.index]
    }

    /// The domain of its members.
    pub(crate) fn domain(&self) -> &str {
        &self.map.domains[self.index]
    }

    pub(crate) fn software(&self) -> Software {
        self.map.software(self.index)
    }

    pub(crate) fn ids(&self) -> Ids {
        self.software().ids()
    }

    pub(crate) fn timeline(&self) -> MutexGuard<'_, Timeline> {
        self.timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn oauth(&self) -> MutexGuard<'_, OAuth> {
        self.oauth.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if streams want a token.
    pub(crate) fn stream_is_closed(&self) -> bool {
        self.stream_needs_token
            || self.software() == Software::GoToSocial
            || !matches!(self.feed, Feed::Public | Feed::Disabled)
    }

    /// How far ahead the server's clock is.
    pub(crate) fn ahead(&self) -> TimeDelta {
        match self.faults.watch().now() {
            Some(Fault::Skewed) => TimeDelta::hours(1),
            _ => TimeDelta::zero(),
        }
    }

    /// Adds the headers of rate limits, by the server's own clock.
    pub(crate) fn tell_limits(&self, standing: Standing, headers: &mut HeaderMap) {
        let ahead = self.ahead();
        let standing = Standing { reset_at_s: standing.reset_at_s + ahead.num_seconds(), ..standing };
        self.manner.tell(&standing, Utc::now() + ahead, headers);
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
    pub(crate) fn listen(&self) -> broadcast::Receiver<Arc<Message>> {
        self.messages.subscribe()
    }

    /// Keeps a post and tells the streams.
    pub(crate) fn show(&self, post: &LivePost, id: u64, now_ms: i64) {
        self.keep(post, id, now_ms);
        let local = self.timeline().is_local(post);
        self.updates.fetch_add(1, Ordering::Relaxed);
        self.tell(MessageKind::Update, post, local, |out| post.write_status(&self.map, self.index, id, out));
    }

    /// Keeps a post and tells no stream.
    pub(crate) fn keep(&self, post: &LivePost, id: u64, now_ms: i64) {
        let mut timeline = self.timeline();
        match timeline.get_mut(id) {
            // Its delete came first: the stream still gets the update, the timeline does not.
            Some(entry) => entry.shown_at_ms = entry.shown_at_ms.min(now_ms),
            None => timeline.put(id, Entry { post: *post, shown_at_ms: now_ms, deleted_at_ms: None }),
        }
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
        self.tell(MessageKind::Edit, post, local, |out| post.write_status(&self.map, self.index, id, out));
    }

    /// Takes a post away, shown or not, and tells the streams.
    pub(crate) fn delete(&self, post: &LivePost, id: u64, now_ms: i64) {
        let local = self.hide(post, id, now_ms);
        self.deletes.fetch_add(1, Ordering::Relaxed);
        self.tell(MessageKind::Delete, post, local, |out| {
            self.ids().write(id, out);
            post.facts(&self.map)
        });
    }

    /// Takes a post off the timeline and tells no stream, as when its author is suspended. True if its author is a member.
    pub(crate) fn hide(&self, post: &LivePost, id: u64, now_ms: i64) -> bool {
        let mut timeline = self.timeline();
        let local = timeline.is_local(post);
        match timeline.get_mut(id) {
            Some(entry) => entry.deleted_at_ms = Some(now_ms),
            None => timeline.put(id, Entry { post: *post, shown_at_ms: now_ms, deleted_at_ms: Some(now_ms) }),
        }
        local
    }

    fn tell(&self, kind: MessageKind, post: &LivePost, local: bool, write: impl FnOnce(&mut Vec<u8>) -> Facts) {
        if self.messages.receiver_count() > 0 {
            self.send(Message::new(kind, *post, local, write));
        }
    }

    /// Sends a message to every stream.
    pub(crate) fn send(&self, message: Message) {
        // The last listener may have left since: then nobody misses it.
        let _ = self.messages.send(Arc::new(message));
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
            id: self.ids().text(id),
            uri: entry.post.uri(&self.map),
            author: entry.post.author(&self.map),
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
