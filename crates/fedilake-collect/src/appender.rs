//! Admitted events of all servers → log, many in one append.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use std::{iter, mem};

use fedilake_log::{LogError, LogWriter};
use fedilake_model::PostEvent;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::admission::Admitted;
use crate::bookmarks::Keeper;
use crate::counts::ServerCounts;
use crate::records::records;
use crate::way::cursor::Cursor;

/// The timeline that a delivery comes from.
#[derive(Debug)]
pub(crate) struct Whence {
    /// The bookmark of its timeline.
    pub(crate) bookmark: Arc<str>,
    /// The beginning of the names under which its last posts are kept.
    pub(crate) recent: String,
    pub(crate) counts: Arc<ServerCounts>,
}

impl Whence {
    /// The timeline's last posts as they changed since the last call: names and texts.
    fn changed_posts(&self) -> Vec<(String, String)> {
        let changed = self.counts.learned().recent().changed();
        changed.into_iter().map(|(name, text)| (format!("{}{name}", self.recent), text)).collect()
    }
}

/// A message of a server's collector to the appender, in the order of arrival.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// What was admitted of an event.
    Event { from: Arc<Whence>, admitted: Admitted },
    /// Once everything before it is durable, the timeline's bookmark may move to this place.
    Mark { from: Arc<Whence>, place: Cursor },
}

pub(crate) struct Appender {
    pub(crate) deliveries: mpsc::Receiver<Delivery>,
    pub(crate) writer: Arc<dyn LogWriter>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) events_max: usize,
    pub(crate) time_max: Duration,
}

/// Events that wait to be appended together: at most `events_max`, and a place for each timeline.
#[derive(Default)]
struct Gathered {
    events: Vec<PostEvent>,
    /// The origin of each event.
    from: Vec<Arc<Whence>>,
    /// The place of each timeline, by the name of its bookmark.
    places: HashMap<Arc<str>, Cursor>,
}

impl Appender {
    /// Appends until every collector has ended and all deliveries are durable.
    pub(crate) async fn run(mut self) -> Result<(), LogError> {
        let mut gathered = Gathered::default();
        let mut arrived = Vec::new();
        let mut due = Instant::now();
        loop {
            let is_waiting = !gathered.is_empty();
            let room = self.events_max.saturating_sub(gathered.events.len());
            let count = tokio::select! {
                count = self.deliveries.recv_many(&mut arrived, room) => Some(count),
                () = sleep_until(due), if is_waiting => None,
            };
            if !is_waiting {
                due = Instant::now() + self.time_max;
            }
            gathered.take(&mut arrived);
            if count.is_none_or(|count| count == 0) || gathered.events.len() >= self.events_max {
                self.append(mem::take(&mut gathered)).await?;
            }
            if count == Some(0) {
                return Ok(());
            }
        }
    }

    async fn append(&self, gathered: Gathered) -> Result<(), LogError> {
        if !gathered.events.is_empty() {
            // A post of which the log has a record is asked for after a kill: its place among the last posts is on its way first.
            let saved = self.keeper.save_recent(gathered.changed_posts());
            let ((), appended) = futures::join!(saved, self.writer.append(records(&gathered.events)));
            appended?;
        }
        for from in gathered.from {
            from.counts.tally(|tally| tally.accepted += 1);
        }
        for (bookmark, place) in gathered.places {
            self.keeper.note(bookmark, place);
        }
        Ok(())
    }
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.places.is_empty()
    }

    /// The last posts of the timelines that the events come from, as they changed: names and texts.
    fn changed_posts(&self) -> Vec<(String, String)> {
        let timelines: HashMap<&str, &Whence> = self.from.iter().map(|from| (&*from.bookmark, &**from)).collect();
        timelines.into_values().flat_map(Whence::changed_posts).collect()
    }

    fn take(&mut self, arrived: &mut Vec<Delivery>) {
        for delivery in arrived.drain(..) {
            match delivery {
                Delivery::Event { from, admitted } => {
                    self.from.extend(iter::repeat_n(from, admitted.records()));
                    self.events.extend(admitted.events());
                }
                Delivery::Mark { from, place } => {
                    self.places.insert(from.bookmark.clone(), place);
                }
            }
        }
    }
}
