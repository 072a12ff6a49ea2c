//! Where each timeline was durably appended up to, kept beside the log.
//!
//! Places are noted after each append and saved now and then: a place saved late costs a few posts read twice, one saved
//! early would cost posts.

use std::collections::HashMap;
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fedilake_log::{Bookmarks, LogError};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{MissedTickBehavior, interval};

use crate::cursor::Cursor;
use crate::server_config::ServerConfig;

/// Saves under way at once: the log syncs them together.
const SAVES_MAX: usize = 64;

/// The bookmark's name: one a server and timeline.
pub(crate) fn name(config: &ServerConfig) -> String {
    format!("timeline/{}/{}", config.address.server, config.timeline.as_str())
}

/// Places noted and not yet saved.
pub(crate) struct Keeper {
    bookmarks: Arc<dyn Bookmarks>,
    /// The bookmarks' names, by the servers' numbers.
    names: Vec<String>,
    noted: Mutex<HashMap<usize, Cursor>>,
}

impl Keeper {
    pub(crate) fn new(bookmarks: Arc<dyn Bookmarks>, names: Vec<String>) -> Keeper {
        Keeper { bookmarks, names, noted: Mutex::default() }
    }

    /// The place saved last for a server.
    pub(crate) async fn load(&self, server: usize) -> Result<Option<Cursor>, LogError> {
        let saved = self.bookmarks.load(&self.names[server]).await?;
        Ok(saved.filter(|saved| !saved.is_empty()).map(|saved| Cursor::new(&saved)))
    }

    /// Everything of the server's timeline up to `place` is durable.
    pub(crate) fn note(&self, server: usize, place: Cursor) {
        self.noted().insert(server, place);
    }

    /// Saves what was noted. A dropped call forgets nothing.
    pub(crate) async fn save(&self) -> Result<(), LogError> {
        let noted: Vec<(usize, Cursor)> = self.noted().iter().map(|(server, place)| (*server, place.clone())).collect();
        let saves = noted.into_iter().map(|(server, place)| async move {
            self.bookmarks.save(&self.names[server], place.as_str()).await?;
            let mut noted = self.noted();
            if noted.get(&server) == Some(&place) {
                noted.remove(&server);
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

    fn noted(&self) -> MutexGuard<'_, HashMap<usize, Cursor>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
