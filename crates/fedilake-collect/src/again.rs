//! What is asked for again beside a stream or polls: ranges that had a hole, and posts that may be gone.

use std::sync::Arc;

use chrono::Utc;

use crate::arrival::Arrival;
use crate::gone::Looker;
use crate::late::Walker;
use crate::page::Page;
use crate::source::Source;

pub(crate) struct Again {
    source: Arc<Source>,
    walker: Walker,
    looker: Looker,
}

impl Again {
    pub(crate) fn new(source: Arc<Source>) -> Again {
        Again { walker: Walker::new(source.clone()), looker: Looker::new(source.clone()), source }
    }

    /// What the next answer brings, or its trouble; pending while nothing is to be asked. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Vec<Arrival> {
        let found = tokio::select! {
            page = self.walker.next() => page.map(|page| self.found_late(page)),
            arrivals = self.looker.next() => arrivals,
        };
        found.unwrap_or_else(|error| vec![Arrival::Trouble(error)])
    }

    /// Posts that only a late walk brought took no longer than until now.
    fn found_late(&self, page: Page) -> Vec<Arrival> {
        let arrivals: Vec<Arrival> = self.source.arrivals(page).collect();
        self.source.learn_delay(&arrivals, Utc::now());
        arrivals
    }
}
