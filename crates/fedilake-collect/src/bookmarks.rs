//! Bookmarks: the place up to which each timeline was durably appended, stored with the log.
//!
//! Places are noted after each append and saved at intervals: a place that is saved late makes a few posts be read
//! twice, one that is saved early would lose posts. Bounded: one noted place for each timeline.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;
use fedilake_log::{Bookmarks, LogError};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::counts::Counts;
use crate::names::{history_of, name, recent_of};
use crate::server::config::ServerConfig;
use crate::way::cursor::Cursor;

/// The most saves at once: the log syncs them together.
const SAVES_MAX: usize = 64;

/// What was saved of a timeline.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    pub(crate) place: Option<Cursor>,
    pub(crate) history: Option<String>,
    /// The chapters of its last posts.
    pub(crate) recent: Vec<String>,
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

    /// What is known of the timelines of `configs`, looked up together, by the names of their bookmarks. A place is the last one noted,
    /// else the last one saved, by this or another process.
    pub(crate) async fn load_each(&self, configs: &[&ServerConfig]) -> Result<HashMap<String, Saved>, LogError> {
        let of_timelines: BTreeMap<String, &ServerConfig> =
            configs.iter().map(|config| (name(config), *config)).collect();
        let histories = of_timelines.values().map(|config| history_of(&config.address.server, &config.timeline));
        let texts: Vec<String> = of_timelines.keys().cloned().chain(histories).collect();
        let prefixes = of_timelines.values().map(|config| recent_of(&config.address.server, &config.timeline));
        let prefixes: Vec<String> = prefixes.collect();
        let mut places = self.bookmarks.load_each(&texts).await?;
        let histories = places.split_off(of_timelines.len());
        let recent = self.bookmarks.named_each(&prefixes).await?;
        let noted = self.noted();
        let saved = of_timelines.into_keys().zip(places).zip(histories).zip(recent);
        let saved = saved.map(|(((name, place), history), recent)| {
            let place = noted.get(&*name).cloned().or_else(|| Cursor::new(&place?));
            (name, Saved { place, history, recent: recent.into_values().collect() })
        });
        Ok(saved.collect())
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

    /// Saves last posts: names and texts.
    pub(crate) async fn save_recent(&self, posts: Vec<(String, String)>) {
        self.save_each_text(posts, "the last posts").await;
    }

    /// Saves the noted places after each `period`; returns only with an error.
    pub(crate) async fn save_at_times(&self, period: Duration) -> LogError {
        let mut ticks = ticks(period).await;
        loop {
            ticks.tick().await;
            if let Err(error) = self.save().await {
                return error;
            }
        }
    }

    /// Saves the histories of all timelines. A history that cannot be saved costs no post, so it ends nothing: the next
    /// call saves it, and a log that fails is told by an append.
    pub(crate) async fn save_histories(&self, counts: &Counts) {
        self.save_each_text(counts.histories(false, Utc::now()), "the history").await;
    }

    async fn save_each_text(&self, texts: Vec<(String, String)>, what: &str) {
        let saves = texts.into_iter().map(|(name, text)| async move {
            let saved = self.bookmarks.save(&name, &text).await;
            saved.inspect_err(|error| tracing::warn!("{what} of {name} is not saved: {error}"))
        });
        // With the first failure the others would fail too.
        let _ = stream::iter(saves).buffer_unordered(SAVES_MAX).try_for_each(|()| future::ready(Ok(()))).await;
    }

    /// Saves the histories after each `period`, and some at once when their servers were asked for many pages; does not return.
    pub(crate) async fn save_histories_at_times(&self, counts: &Counts, period: Duration) -> Infallible {
        let mut ticks = ticks(period).await;
        loop {
            let only_urgent = tokio::select! {
                _ = ticks.tick() => false,
                () = counts.urgent() => true,
            };
            self.save_each_text(counts.histories(only_urgent, Utc::now()), "the history").await;
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
