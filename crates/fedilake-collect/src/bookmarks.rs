//! Bookmarks: the place up to which each timeline was durably appended, stored with the log.
//!
//! Places are noted after each append and saved at intervals: a place that is saved late makes a few posts be read
//! twice, one that is saved early would lose posts. Bounded: one noted place for each timeline.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;
use fedilake_log::{Bookmarks, LogError};
use fedilake_model::Server;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::counts::Counts;
use crate::cursor::Cursor;
use crate::server_config::ServerConfig;
use crate::timeline::Timeline;

/// The most saves at once: the log syncs them together.
const SAVES_MAX: usize = 64;

/// The beginning of the names of timelines' bookmarks.
const TIMELINES: &str = "timeline/";
/// The end of the names of their histories.
const HISTORY: &str = "/history";

/// The name of the bookmark of a server's timeline.
pub(crate) fn name(config: &ServerConfig) -> String {
    name_of(&config.address.server, config.timeline)
}

/// The name of a timeline's bookmark.
pub fn name_of(server: &Server, timeline: Timeline) -> String {
    format!("{TIMELINES}{server}/{}", timeline.as_str())
}

/// The name under which a timeline's history is kept, beside its bookmark.
pub(crate) fn history_of(server: &Server, timeline: Timeline) -> String {
    format!("{}{HISTORY}", name_of(server, timeline))
}

/// The histories that were saved last, by any process: each with its server.
pub(crate) async fn histories(bookmarks: &dyn Bookmarks) -> Result<Vec<(String, String)>, LogError> {
    let server = |name: &str| {
        let (server, timeline) = name.strip_prefix(TIMELINES)?.strip_suffix(HISTORY)?.rsplit_once('/')?;
        Timeline::parse(timeline).map(|_| server.to_owned())
    };
    let found = bookmarks.named(TIMELINES).await?;
    Ok(found.into_iter().filter_map(|(name, text)| Some((server(&name)?, text))).collect())
}

/// Places that are noted and not saved yet.
pub(crate) struct Keeper {
    bookmarks: Arc<dyn Bookmarks>,
    /// The noted places by the names of their bookmarks.
    noted: Mutex<HashMap<Arc<str>, Cursor>>,
}

impl Keeper {
    pub(crate) fn new(bookmarks: Arc<dyn Bookmarks>) -> Keeper {
        Keeper { bookmarks, noted: Mutex::default() }
    }

    /// The place of a bookmark: the last one noted, else the last one saved, by this or another process.
    pub(crate) async fn load(&self, name: &str) -> Result<Option<Cursor>, LogError> {
        if let Some(noted) = self.noted().get(name) {
            return Ok(Some(noted.clone()));
        }
        let saved = self.bookmarks.load(name).await?;
        Ok(saved.and_then(|saved| Cursor::new(&saved)))
    }

    /// Notes that everything of the bookmark's timeline up to `place` is durable.
    pub(crate) fn note(&self, name: Arc<str>, place: Cursor) {
        self.noted().insert(name, place);
    }

    /// Saves the noted places. A cancelled call keeps them noted.
    pub(crate) async fn save(&self) -> Result<(), LogError> {
        let noted: Vec<(Arc<str>, Cursor)> =
            self.noted().iter().map(|(name, place)| (name.clone(), place.clone())).collect();
        let saves = noted.into_iter().map(|(name, place)| async move {
            self.bookmarks.save(&name, place.as_str()).await?;
            let mut noted = self.noted();
            if noted.get(&name) == Some(&place) {
                noted.remove(&name);
            }
            Ok(())
        });
        stream::iter(saves).buffer_unordered(SAVES_MAX).try_for_each(|()| future::ready(Ok(()))).await
    }

    /// Saves after each `period`; returns only with an error.
    pub(crate) async fn save_at_times(&self, period: Duration) -> LogError {
        let mut ticks = ticks(period).await;
        loop {
            ticks.tick().await;
            if let Err(error) = self.save().await {
                return error;
            }
        }
    }

    /// The history that was saved under a name.
    pub(crate) async fn load_history(&self, name: &str) -> Result<Option<String>, LogError> {
        self.bookmarks.load(name).await
    }

    /// Saves the histories of all timelines. A history that cannot be saved costs no post, so it ends nothing: the next
    /// call saves it, and a log that fails is told by an append.
    pub(crate) async fn save_histories(&self, counts: &Counts) {
        let saves = counts.histories(Utc::now()).into_iter().map(|(name, text)| async move {
            let saved = self.bookmarks.save(&name, &text).await;
            saved.inspect_err(|error| tracing::warn!("the history of {name} is not saved: {error}"))
        });
        // With the first failure the others would fail too.
        let _ = stream::iter(saves).buffer_unordered(SAVES_MAX).try_for_each(|()| future::ready(Ok(()))).await;
    }

    /// Saves the histories after each `period`; does not return.
    pub(crate) async fn save_histories_at_times(&self, counts: &Counts, period: Duration) -> Infallible {
        let mut ticks = ticks(period).await;
        loop {
            ticks.tick().await;
            self.save_histories(counts).await;
        }
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<Arc<str>, Cursor>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ticks after each `period`, for the first time when one has gone by.
async fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is at once, when nothing has happened yet.
    ticks.tick().await;
    ticks
}
