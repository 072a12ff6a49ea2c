//! Counts of events: accepted, skipped and rejected ones, by reason.
//!
//! Bounded: an entry for each timeline that the process ever read, with counts for a dozen reasons and one text of an error.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use fedilake_model::{Flaw, PostEvent, Server};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::admit::Skipped;
use crate::history::{Gap, History};
use crate::names;
use crate::pace::Pace;
use crate::server::error::SourceError;
use crate::server::limits::Limits;
use crate::server::timeline::Timeline;
use crate::settings::CollectorSettings;
use crate::way::learned::Learned;

/// The counts of one source: a server, or a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Admitted and durably appended.
    pub accepted: u64,
    /// Dropped, because the same version was seen just before.
    pub duplicates: u64,
    /// Frames of unknown events.
    pub unknown: u64,
    /// Not admitted, by [`Skipped::as_str`].
    pub skipped: BTreeMap<&'static str, u64>,
    /// Not translatable, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Admitted without a field or a part of one, by [`Flaw::as_str`](fedilake_model::Flaw::as_str).
    pub flaws: BTreeMap<&'static str, u64>,
    /// The first twenty posts with an unreadable time: `uri (flaw)`.
    pub unread: Vec<String>,
}

/// The number of posts with an unreadable time that are kept.
const UNREAD_KEPT: usize = 20;

impl Tally {
    /// Counts an event that was not admitted.
    pub fn skip(&mut self, skipped: Skipped) {
        *self.skipped.entry(skipped.as_str()).or_default() += 1;
    }

    /// Counts an event that could not be translated.
    pub fn reject(&mut self, reason: &'static str) {
        *self.rejected.entry(reason).or_default() += 1;
    }

    /// Counts the flaws of an admitted event.
    pub fn flaw(&mut self, event: &PostEvent) {
        let Some(post) = event.post() else { return };
        for flaw in post.flaws.iter() {
            self.add_flaw(flaw);
            if flaw.is_unreadable_time() && self.unread.len() < UNREAD_KEPT {
                let uri: String = post.uri.chars().take(200).collect();
                self.unread.push(format!("{uri} ({})", flaw.as_str()));
            }
        }
    }

    /// Counts something that was wrong with one that was admitted.
    pub fn add_flaw(&mut self, flaw: Flaw) {
        *self.flaws.entry(flaw.as_str()).or_default() += 1;
    }

    /// The number of fields that were given and are not kept as they were given ([`Flaw::is_loss`]).
    pub fn lost_total(&self) -> u64 {
        let count = |flaw: Flaw| self.flaws.get(flaw.as_str()).copied().unwrap_or(0);
        Flaw::ALL.into_iter().filter(|flaw| flaw.is_loss()).map(count).sum()
    }

    /// The number of events that were not admitted.
    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// The number of events that could not be translated.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Tally) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.unknown += other.unknown;
        for (reason, count) in &other.skipped {
            *self.skipped.entry(reason).or_default() += count;
        }
        for (reason, count) in &other.rejected {
            *self.rejected.entry(reason).or_default() += count;
        }
        for (flaw, count) in &other.flaws {
            *self.flaws.entry(flaw).or_default() += count;
        }
        let room = UNREAD_KEPT.saturating_sub(self.unread.len());
        self.unread.extend(other.unread.iter().take(room).cloned());
    }
}

/// A server's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerState {
    /// A connection is being made.
    #[default]
    Connecting,
    /// The server's stream is open.
    Live,
    /// The server's timeline is read page by page.
    Polling,
    /// The server failed; the next try is at `until`.
    BackingOff {
        /// The time of the next request.
        until: DateTime<Utc>,
    },
    /// The server is no longer read.
    Stopped,
}

impl ServerState {
    /// The label of the state.
    pub fn as_str(self) -> &'static str {
        match self {
            ServerState::Connecting => "connecting",
            ServerState::Live => "live",
            ServerState::Polling => "polling",
            ServerState::BackingOff { .. } => "backing_off",
            ServerState::Stopped => "stopped",
        }
    }
}

/// The greatest age of a post that counts in the lag: older posts say nothing of how fast posts come.
const LAG_MAX: Duration = Duration::from_secs(86_400);
/// The weight of the latest post in the lag.
const LAG_WEIGHT: f64 = 1.0 / 16.0;

/// A server's figures at one moment.
#[derive(Clone, Debug)]
pub struct ServerSnapshot {
    /// The server's host.
    pub server: Server,
    /// The timeline that is read.
    pub timeline: Timeline,
    /// The domain in the handles of its members, if the server told one.
    pub domain: Option<String>,
    /// The server's state.
    pub state: ServerState,
    /// Counts of its events.
    pub tally: Tally,
    /// Failures by [`SourceError::as_str`], including those beside a stream that went on.
    pub failures: BTreeMap<&'static str, u64>,
    /// The last failure.
    pub last_error: Option<String>,
    /// When a post or a delete last came.
    pub last_event_at: Option<DateTime<Utc>>,
    /// The mean time from writing to arrival of the last dozen or two posts. Authors claim the time of writing, so
    /// posts from the future and from more than a day ago do not count.
    pub lag: Option<Duration>,
    /// Ranges of the timeline that the newest page did not cover, so that they had to be read page by page.
    pub gaps_found: u64,
    /// Ranges that were read to their end.
    pub gaps_filled: u64,
    /// True while a range is read page by page.
    pub is_filling: bool,
    pace: Pace,
    history: History,
}

impl ServerSnapshot {
    /// The new posts that came in the minute before `now`, kept or not.
    pub fn posts_a_minute(&self, now: DateTime<Utc>) -> f64 {
        self.pace.a_minute(now)
    }

    /// The times in which the server was not read, the oldest first. The last one has no end if it goes on at `now`.
    pub fn gaps(&self, now: DateTime<Utc>) -> Vec<Gap> {
        let is_over = self.state == ServerState::Stopped;
        self.history.gaps(now).into_iter().filter(|gap| gap.to.is_some() || !is_over).collect()
    }

    /// What was skipped or rejected: the beginning of an hour, the reason, the number of events.
    pub fn left_out(&self) -> Vec<(DateTime<Utc>, String, u64)> {
        self.history.left_out()
    }
}

/// The timelines of a run.
#[derive(Debug, Default)]
struct Servers {
    /// In the order in which collecting began.
    all: Vec<Arc<ServerCounts>>,
    by_timeline: HashMap<(Server, Timeline), Arc<ServerCounts>>,
}

/// The figures of all servers of a run.
#[derive(Debug, Default)]
pub struct Counts {
    servers: Mutex<Servers>,
    /// Shared by the timelines of a server.
    limits: Mutex<HashMap<Server, Arc<Mutex<Limits>>>>,
    /// Notified when what was learned of a timeline is to be saved at once.
    save: Arc<Notify>,
}

impl Counts {
    /// Every server's figures, in the order in which collecting began.
    pub fn snapshot(&self) -> Vec<ServerSnapshot> {
        lock(&self.servers).all.iter().map(|server| server.snapshot()).collect()
    }

    /// The counts of all servers together.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for server in &lock(&self.servers).all {
            tally.add(&lock(&server.figures).tally);
        }
        tally
    }

    /// Begins the figures of a timeline that nobody reads yet, if it has none. It will be read with these settings.
    pub fn named(&self, server: Server, timeline: Timeline, settings: &CollectorSettings) {
        self.register(server, timeline, settings);
    }

    /// The name of each timeline's history among the bookmarks, and its text at `now`; or only of those that are to be saved at once.
    pub(crate) fn histories(&self, only_urgent: bool, now: DateTime<Utc>) -> Vec<(String, String)> {
        let servers = lock(&self.servers).all.clone();
        let clocks = (Instant::now(), now);
        let each = servers.iter().filter(|server| !only_urgent || server.learned.is_urgent()).map(|server| {
            let learned = server.learned.to_text(clocks);
            let figures = lock(&server.figures);
            let name = names::history_of(&figures.server, &figures.timeline);
            (name, figures.history.to_text(now) + &learned)
        });
        each.collect()
    }

    /// Resolves when a history is to be saved at once. Cancel-safe.
    pub(crate) async fn urgent(&self) {
        self.save.notified().await;
    }

    /// The counts of a timeline, which continue if the timeline was collected before.
    pub(crate) fn register(
        &self,
        server: Server,
        timeline: Timeline,
        settings: &CollectorSettings,
    ) -> Arc<ServerCounts> {
        let mut servers = lock(&self.servers);
        let key = (server.clone(), timeline.clone());
        if let Some(counts) = servers.by_timeline.get(&key) {
            return counts.clone();
        }
        let new = || Limits::shared(settings.paged_requests_max);
        let limits = lock(&self.limits).entry(server.clone()).or_insert_with(new).clone();
        let learned = Arc::new(Learned::new(limits, settings.looks_at_age, self.save.clone()));
        let figures = Mutex::new(ServerSnapshot {
            server,
            timeline,
            domain: None,
            state: ServerState::default(),
            tally: Tally::default(),
            failures: BTreeMap::new(),
            last_error: None,
            last_event_at: None,
            lag: None,
            gaps_found: 0,
            gaps_filled: 0,
            is_filling: false,
            pace: Pace::default(),
            history: History::default(),
        });
        let counts = Arc::new(ServerCounts { figures, learned });
        servers.all.push(counts.clone());
        servers.by_timeline.insert(key, counts.clone());
        counts
    }
}

/// The counts of one server, updated by its collector.
#[derive(Debug)]
pub(crate) struct ServerCounts {
    figures: Mutex<ServerSnapshot>,
    learned: Arc<Learned>,
}

impl ServerCounts {
    fn snapshot(&self) -> ServerSnapshot {
        let domain = self.learned.domain().map(|domain| domain.to_string());
        ServerSnapshot { domain, ..lock(&self.figures).clone() }
    }

    pub(crate) fn tally(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut lock(&self.figures).tally);
    }

    /// Counts an event that came at `now`.
    pub(crate) fn arrived(&self, event: &PostEvent, now: DateTime<Utc>) {
        let mut counts = lock(&self.figures);
        counts.last_event_at = Some(now);
        let PostEvent::Created(post) = event else { return };
        counts.pace.count(now);
        let lag = post.created_at.and_then(|written| (now - written).to_std().ok());
        if let Some(lag) = lag.filter(|lag| *lag <= LAG_MAX) {
            let so_far = counts.lag.unwrap_or(lag);
            counts.lag = Some(so_far.mul_f64(1.0 - LAG_WEIGHT) + lag.mul_f64(LAG_WEIGHT));
        }
    }

    /// Counts an event that was not admitted.
    pub(crate) fn skip(&self, skipped: Skipped, now: DateTime<Utc>) {
        let mut counts = lock(&self.figures);
        counts.tally.skip(skipped);
        counts.history.leave_out(skipped.as_str(), now);
    }

    /// Counts an event that could not be translated.
    pub(crate) fn reject(&self, reason: &'static str, now: DateTime<Utc>) {
        let mut counts = lock(&self.figures);
        counts.tally.reject(reason);
        counts.history.leave_out(reason, now);
    }

    /// No post of the timeline is missing at `now`.
    pub(crate) fn caught_up(&self, now: DateTime<Utc>) {
        lock(&self.figures).history.caught_up(now);
    }

    /// The source has ended, having brought everything up to `now`.
    pub(crate) fn broke(&self, now: DateTime<Utc>) {
        let mut counts = lock(&self.figures);
        counts.history.broke(now);
        counts.is_filling = false;
    }

    /// Takes over a history that was saved before, and what had been learned.
    pub(crate) fn restore(&self, history: &str, now: DateTime<Utc>) {
        lock(&self.figures).history.restore(history);
        self.learned.restore(history, (Instant::now(), now));
    }

    /// What is learned of the timeline.
    pub(crate) fn learned(&self) -> Arc<Learned> {
        self.learned.clone()
    }

    pub(crate) fn gap_found(&self) {
        let mut counts = lock(&self.figures);
        counts.gaps_found += 1;
        counts.is_filling = true;
    }

    pub(crate) fn gap_filled(&self) {
        let mut counts = lock(&self.figures);
        counts.gaps_filled += 1;
        counts.is_filling = false;
    }

    pub(crate) fn state(&self, state: ServerState) {
        lock(&self.figures).state = state;
    }

    /// Counts a failed page of a range, which is read on later.
    pub(crate) fn fill_failed(&self, error: &SourceError) {
        self.failed(error);
        lock(&self.figures).is_filling = false;
    }

    pub(crate) fn failed(&self, error: &SourceError) {
        let mut counts = lock(&self.figures);
        *counts.failures.entry(error.as_str()).or_default() += 1;
        counts.last_error = Some(error.to_string());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
