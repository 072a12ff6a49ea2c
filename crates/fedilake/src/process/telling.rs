//! Gaps and skips, from the log's bookmarks into the lake: times in which a server was not read, and events that were left out.
//!
//! Collectors, wherever they run, save both every few seconds beside the bookmark of each timeline. A process with a lake reads them when it
//! starts, every ten seconds, and once more when it ends. A failure stops nothing: the next look tries again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fedilake_log::Bookmarks;
use fedilake_query::Missed;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::lake_process::LakeProcess;

/// The interval at which the bookmarks are read again.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// How long the bookmarks may take to be read: those of a broker that is gone do not hold up a start or an end.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// Tells a lake the gaps and skips of all servers.
pub struct Telling {
    bookmarks: Arc<dyn Bookmarks>,
    lake: Arc<LakeProcess>,
    /// True while it fails.
    fails: bool,
}

impl Telling {
    pub fn new(bookmarks: Arc<dyn Bookmarks>, lake: Arc<LakeProcess>) -> Telling {
        Telling { bookmarks, lake, fails: false }
    }

    /// Tells the lake again and again until `stop`, and then a last time, when collectors have saved what they know.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut looks = interval(LOOK_AGAIN);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once, and the lake was just told.
        looks.tick().await;
        while stop.run_until_cancelled(looks.tick()).await.is_some() {
            self.tell().await;
        }
        self.tell().await;
        Ok(())
    }

    /// Tells the lake what is known now. A failure is logged once, until it has ended.
    pub async fn tell(&mut self) {
        let told = self.try_to_tell().await;
        if let (Err(error), false) = (&told, self.fails) {
            tracing::warn!("the lake does not know when servers were not read; trying again: {error:#}");
        }
        self.fails = told.is_err();
    }

    async fn try_to_tell(&self) -> anyhow::Result<()> {
        let read = fedilake_collect::missed(self.bookmarks.as_ref(), chrono::Utc::now());
        let missed = tokio::time::timeout(READ_WITHIN, read).await.context("the bookmarks do not answer")??;
        let missed: Vec<Missed> = missed.into_iter().map(of_lake).collect();
        if missed.is_empty() {
            return Ok(());
        }
        let lake = Arc::clone(&self.lake);
        Ok(tokio::task::spawn_blocking(move || lake.tell_missed(&missed)).await??)
    }
}

fn of_lake(missed: fedilake_collect::Missed) -> Missed {
    let gap = |gap: fedilake_collect::Gap| (gap.from.timestamp_millis(), gap.to.map(|to| to.timestamp_millis()));
    let left_out = missed.left_out.into_iter();
    Missed {
        server: missed.server,
        gaps: missed.gaps.into_iter().map(gap).collect(),
        skips: left_out.map(|(hour, reason, events)| (hour.timestamp_millis(), reason, events)).collect(),
    }
}
