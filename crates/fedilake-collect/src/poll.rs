//! A timeline read page by page, for servers that let us read but not stream.
//!
//! Polls come as often as new posts need it, within limits: an interval is halved when a poll brought more than half a page
//! and grows when it brought next to nothing. Ids are not in the order in which posts become visible: a poll begins a little
//! before its place, and now and then, as far as half of the budget of pages allows, much before it. What deletes and edits
//! did to older posts, polling does not see.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use tokio::time::{Instant, sleep_until};

use crate::arrival::{Arrival, EventStream};
use crate::cursor::Cursor;
use crate::error::SourceError;
use crate::gap::{self, Pages};
use crate::limits::PAGED_WINDOW;
use crate::mark::Mark;
use crate::page::Page;
use crate::source::Source;

/// Everything of the timeline from `from` on; without a place from the newest page on. Ends with the first failed request.
pub fn open(source: Arc<Source>, from: Option<Cursor>) -> EventStream {
    let settings = source.settings();
    let poll = Poll {
        interval: settings.poll_interval_min,
        pages: Some(gap::fill(source.clone(), from.clone(), settings.overlap)),
        source,
        mark: Mark::new(from),
        ready: VecDeque::new(),
        found: 0,
        pages_read: 0,
        is_deep: true,
        deep_due: Instant::now(),
        due: Instant::now(),
    };
    stream::try_unfold(Box::new(poll), |mut poll| async move {
        let arrival = poll.next().await?;
        Ok(Some((arrival, poll)))
    })
    .boxed()
}

struct Poll {
    source: Arc<Source>,
    mark: Mark,
    /// The poll under way.
    pages: Option<Pages>,
    /// Posts that it brought.
    found: usize,
    pages_read: u32,
    /// It begins much before its place.
    is_deep: bool,
    /// When the next one does.
    deep_due: Instant,
    interval: Duration,
    /// When the next one begins.
    due: Instant,
    ready: VecDeque<Arrival>,
}

impl Poll {
    async fn next(&mut self) -> Result<Arrival, SourceError> {
        loop {
            if let Some(arrival) = self.ready.pop_front() {
                return Ok(arrival);
            }
            let Some(pages) = &mut self.pages else {
                sleep_until(self.due).await;
                let settings = self.source.settings();
                self.is_deep = Instant::now() >= self.deep_due;
                let overlap = if self.is_deep { settings.overlap } else { settings.overlap_short };
                self.pages = Some(gap::fill(self.source.clone(), self.mark.place().cloned(), overlap));
                continue;
            };
            match pages.next().await.transpose()? {
                Some(page) => self.take(page),
                None => self.finish(),
            }
        }
    }

    fn take(&mut self, page: Page) {
        self.pages_read += 1;
        self.mark.take_page(&page);
        for arrival in self.source.arrivals(page) {
            self.found += usize::from(matches!(arrival, Arrival::Event(_)));
            self.ready.push_back(arrival);
        }
        self.ready.extend(self.mark.moved());
    }

    fn finish(&mut self) {
        let settings = self.source.settings();
        let next = match self.found {
            20.. => self.interval / 2,
            0..=5 => self.interval.mul_f64(1.5),
            _ => self.interval,
        };
        self.interval = next.clamp(settings.poll_interval_min, settings.poll_interval_max);
        let now = Instant::now();
        self.due = now + self.interval;
        if self.is_deep {
            let pace = PAGED_WINDOW * self.pages_read / (settings.paged_requests_max / 2).max(1);
            self.deep_due = now + pace.max(settings.overlap / 2);
        }
        self.ready.push_back(Arrival::CaughtUp);
        self.pages = None;
        self.found = 0;
        self.pages_read = 0;
    }
}
