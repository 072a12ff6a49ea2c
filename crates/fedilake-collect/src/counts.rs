//! What came in and what became of it, by reason.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use fedilake_model::Server;

use crate::admit::Skipped;
use crate::error::SourceError;
use crate::timeline::Timeline;

/// Counts of one way in: a server, or a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Admitted and durably appended.
    pub accepted: u64,
    /// Seen just before with the same edit time, and dropped.
    pub duplicates: u64,
    /// Frames of an event that we do not know.
    pub unknown: u64,
    /// Not admitted, by [`Skipped::as_str`].
    pub skipped: BTreeMap<&'static str, u64>,
    /// Not translatable, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Counts one that was not admitted.
    pub fn skip(&mut self, skipped: Skipped) {
        *self.skipped.entry(skipped.as_str()).or_default() += 1;
    }

    /// Counts one that could not be translated.
    pub fn reject(&mut self, reason: &'static str) {
        *self.rejected.entry(reason).or_default() += 1;
    }

    /// How many were not admitted.
    pub fn skipped_total(&self) -> u64 {
        self.skipped.values().sum()
    }

    /// How many could not be translated.
    pub fn rejected_total(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// Adds what `other` counted.
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
    }
}

/// How a server is being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServerState {
    /// A connection is being made.
    #[default]
    Connecting,
    /// Its stream is open.
    Live,
    /// Its timeline is read page by page.
    Polling,
    /// It failed and is left alone until then.
    BackingOff {
        /// When it is tried again.
        until: DateTime<Utc>,
    },
    /// The run is over.
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

/// A server at one moment.
#[derive(Clone, Debug)]
pub struct ServerSnapshot {
    /// Which.
    pub server: Server,
    /// What of it.
    pub timeline: Timeline,
    /// How it is being read.
    pub state: ServerState,
    /// What came from it.
    pub tally: Tally,
    /// Failures by [`SourceError::as_str`], also those beside a stream that went on.
    pub failures: BTreeMap<&'static str, u64>,
    /// The last failure.
    pub last_error: Option<String>,
    /// When something last came from it.
    pub last_event_at: Option<DateTime<Utc>>,
}

/// All servers of a run, for anyone to look at.
#[derive(Debug, Default)]
pub struct Counts {
    servers: Mutex<Vec<Arc<ServerCounts>>>,
}

impl Counts {
    /// Every server as it is now, in the order in which they were given.
    pub fn snapshot(&self) -> Vec<ServerSnapshot> {
        lock(&self.servers).iter().map(|server| lock(&server.0).clone()).collect()
    }

    /// What came from all servers together.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for server in lock(&self.servers).iter() {
            tally.add(&lock(&server.0).tally);
        }
        tally
    }

    /// The counts of a timeline: those that there are already, if it was read before.
    pub(crate) fn register(&self, server: Server, timeline: Timeline) -> Arc<ServerCounts> {
        let mut servers = lock(&self.servers);
        let is_it = |counts: &&Arc<ServerCounts>| {
            let counts = lock(&counts.0);
            counts.server == server && counts.timeline == timeline
        };
        if let Some(counts) = servers.iter().find(is_it) {
            return counts.clone();
        }
        let counts = Arc::new(ServerCounts(Mutex::new(ServerSnapshot {
            server,
            timeline,
            state: ServerState::default(),
            tally: Tally::default(),
            failures: BTreeMap::new(),
            last_error: None,
            last_event_at: None,
        })));
        servers.push(counts.clone());
        counts
    }
}

/// The counts of one server, moved by its collector.
#[derive(Debug)]
pub(crate) struct ServerCounts(Mutex<ServerSnapshot>);

impl ServerCounts {
    pub(crate) fn tally(&self, count: impl FnOnce(&mut Tally)) {
        count(&mut lock(&self.0).tally);
    }

    pub(crate) fn arrived(&self, at: DateTime<Utc>) {
        lock(&self.0).last_event_at = Some(at);
    }

    pub(crate) fn state(&self, state: ServerState) {
        lock(&self.0).state = state;
    }

    /// Says whether it is the first of its kind.
    pub(crate) fn failed(&self, error: &SourceError) -> bool {
        let mut counts = lock(&self.0);
        let is_first = !counts.failures.contains_key(error.as_str());
        *counts.failures.entry(error.as_str()).or_default() += 1;
        counts.last_error = Some(error.to_string());
        is_first
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
