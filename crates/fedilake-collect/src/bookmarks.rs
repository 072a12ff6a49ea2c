//! Bookmarks: up to where each timeline was durably appended, kept beside the log.
//!
//! Places are noted after each append and saved now and then: a place saved late costs a few posts read twice, one saved
//! early would cost posts. Bounded: one place a timeline waits to be saved.

use std::collections::HashMap;
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fedilake_log::{Bookmarks, LogError};
use fedilake_model::Server;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{MissedTickBehavior, interval};

use crate::cursor::Cursor;
use crate::server_config::ServerConfig;
use crate::timeline::Timeline;

/// Saves under way at once: the log syncs them together.
const SAVES_MAX: usize = 64;

/// The name of the bookmark of a server's timeline.
pub(crate) fn name(config: &ServerConfig) -> String {
    name_of(&config.address.server, config.timeline)
}

/// The name of a timeline's bookmark.
pub fn name_of(server: &Server, timeline: Timeline) -> String {
    format!("timeline/{server}/{}", timeline.as_str())
}

/// Places noted and not yet saved.
pub(crate) struct Keeper {
    bookmarks: Arc<dyn Bookmarks>,
    /// By the bookmarks' names.
    noted: Mutex<HashMap<Arc<str>, Cursor>>,
}

impl Keeper {
    pub(crate) fn new(bookmarks: Arc<dyn Bookmarks>) -> Keeper {
        Keeper { bookmarks, noted: Mutex::default() }
    }

    /// The place of a bookmark: the one noted last, else the one saved last, by this process or another.
    pub(crate) async fn load(&self, name: &str) -> Result<Option<Cursor>, LogError> {
        if let Some(noted) = self.noted().get(name) {
            return Ok(Some(noted.clone()));
        }
        let saved = self.bookmarks.load(name).await?;
        Ok(saved.and_then(|saved| Cursor::new(&saved)))
    }

    /// Everything of the bookmark's timeline up to `place` is durable.
    pub(crate) fn note(&self, name: Arc<str>, place: Cursor) {
        self.noted().insert(name, place);
    }

    /// Saves the noted places. A dropped call forgets none.
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

    /// Saves at every `period`; returns only with an error.
    pub(crate) async fn save_at_times(&self, period: Duration) -> LogError {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.save().await {
                return error;
            }
        }
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<Arc<str>, Cursor>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
