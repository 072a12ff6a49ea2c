//! What is asked for again beside a stream or polls: ranges that had a hole, posts that may be gone, and those of which other servers told
//! what this one did not.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::time::{Instant, sleep_until};

use crate::way::arrival::Arrival;
use crate::way::gone::Looker;
use crate::way::hearsay::Heard;
use crate::way::late::Walker;
use crate::way::page::Page;
use crate::way::source::Source;

pub(crate) struct Again {
    source: Arc<Source>,
    walker: Walker,
    looker: Looker,
    heard: Heard,
    next_hearing: Instant,
}

impl Again {
    pub(crate) fn new(source: Arc<Source>) -> Again {
        Again {
            walker: Walker::new(source.clone()),
            looker: Looker::new(source.clone()),
            heard: Heard::default(),
            next_hearing: Instant::now() + source.settings().hearsay_after,
            source,
        }
    }

    /// What the next answer brings, or its trouble; pending while nothing is to be asked. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Vec<Arrival> {
        let found = loop {
            tokio::select! {
                page = self.walker.next() => break page.map(|page| self.found_late(page)),
                arrivals = self.looker.next() => break arrivals,
                () = sleep_until(self.next_hearing) => {
                    let patience = self.source.settings().hearsay_after;
                    self.next_hearing = Instant::now() + patience;
                    self.listen_after(patience);
                }
            }
        };
        found.unwrap_or_else(|error| vec![Arrival::Trouble(error)])
    }

    /// Has the server asked for posts of which others told what it did not: what it would have told itself may have been lost.
    pub(crate) fn listen(&mut self) {
        self.listen_after(Duration::ZERO);
    }

    /// The same for what others told this long ago.
    fn listen_after(&mut self, patience: Duration) {
        let until = Instant::now().checked_sub(patience);
        until.into_iter().for_each(|until| self.source.listen(&mut self.heard, until));
    }

    /// Posts that only a late walk brought took no longer than until now.
    fn found_late(&self, page: Page) -> Vec<Arrival> {
        let arrivals: Vec<Arrival> = self.source.arrivals(page).collect();
        self.source.learn_delay(&arrivals, Utc::now());
        arrivals
    }
}
