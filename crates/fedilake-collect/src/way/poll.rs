//! A timeline read page by page, for servers that can be read but do not stream.
//!
//! Polls come as often as new posts need, within limits: the interval is halved if a poll brought more than half a
//! page; it grows if a poll brought next to nothing, or read pages without new posts. Posts do not become visible in
//! the order of their ids: a poll begins a little before its place, and now and then, as far as half of the budget of
//! pages allows, much before it. Beside the polls, what was polled is walked again some minutes later ([`late`](crate::way::late)). Polling
//! does not see deletes, nor edits of older posts: for these the last posts are asked for again ([`gone`](crate::way::gone)).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream;
use tokio::time::{Instant, sleep_until};

use crate::server::error::SourceError;
use crate::server::limits::PAGED_WINDOW;
use crate::way::again::Again;
use crate::way::arrival::{Arrival, EventStream};
use crate::way::cursor::Cursor;
use crate::way::gap::{self, Pages};
use crate::way::mark::{Mark, Start};
use crate::way::page::Page;
use crate::way::source::{PAGE_POSTS, Source};

/// Reads everything of the timeline from `from` on; without a place from the newest page on. Ends with the first
/// failed request.
pub fn open(source: Arc<Source>, from: Option<Cursor>) -> EventStream {
    let settings = source.settings();
    let mark = Mark::new(from, source.places());
    let reach = source.reach();
    let poll = Poll {
        interval: settings.poll_interval_min,
        pages: Some(gap::fill(source.clone(), mark.start(reach, Instant::now()), reach)),
        again: Again::new(source.clone()),
        is_introduced: false,
        owed_from: mark.start(source.reach_late(), Instant::now()).map(|start| start.place),
        polled_at: None,
        owed_at: Instant::now(),
        source,
        mark,
        ready: VecDeque::new(),
        found: 0,
        pages_walked: 0,
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
    /// True once the server was asked about itself.
    is_introduced: bool,
    mark: Mark,
    /// The poll under way.
    pages: Option<Pages>,
    /// Posts that the poll under way brought.
    found: usize,
    /// Pages by id that it took.
    pages_walked: u32,
    /// True if the poll under way begins much before its place.
    is_deep: bool,
    /// When the next deep poll is due.
    deep_due: Instant,
    again: Again,
    /// The place from which what was polled is to be walked again, and since when.
    owed_from: Option<Cursor>,
    /// When the newest page was read last.
    polled_at: Option<DateTime<Utc>>,
    owed_at: Instant,
    interval: Duration,
    /// When the next poll begins.
    due: Instant,
    ready: VecDeque<Arrival>,
}

impl Poll {
    async fn next(&mut self) -> Result<Arrival, SourceError> {
        if !self.is_introduced {
            self.source.introduced().await?;
            self.is_introduced = true;
        }
        loop {
            if let Some(arrival) = self.ready.pop_front() {
                return Ok(arrival);
            }
            tokio::select! {
                page = gap::next_page(&mut self.pages), if self.pages.is_some() => match page.transpose()? {
                    Some(page) => self.take(page),
                    None => self.finish(),
                },
                () = sleep_until(self.due), if self.pages.is_none() => self.begin(),
                found = self.again.next() => self.ready.extend(found),
            }
        }
    }

    fn begin(&mut self) {
        self.is_deep = Instant::now() >= self.deep_due;
        let overlap = if self.is_deep { self.source.reach() } else { self.source.reach_short() };
        let start = self.mark.start(overlap, Instant::now());
        let start = if self.is_deep { start.map(Start::anew) } else { start };
        self.pages = Some(gap::fill(self.source.clone(), start, overlap));
    }

    fn take(&mut self, page: Page) {
        if !page.is_newest() {
            if self.pages_walked == 0 {
                self.ready.push_back(Arrival::GapFound);
            }
            self.pages_walked += 1;
        }
        self.mark.take_page(&page, Instant::now());
        let is_newest = page.is_newest();
        let arrivals: Vec<Arrival> = self.source.arrivals(page).collect();
        if is_newest {
            // What was visible then was read then.
            if let Some(polled_at) = self.polled_at.replace(Utc::now()) {
                self.source.learn_delay(&arrivals, polled_at);
            }
        }
        for arrival in arrivals {
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
        // At this interval, pages by id use half of their budget.
        let pace = |pages: u32| PAGED_WINDOW * pages / (settings.paged_requests_max / 2).max(1);
        let fruitful = u32::try_from(self.found.div_ceil(PAGE_POSTS)).unwrap_or(u32::MAX);
        let now = Instant::now();
        self.due = now + self.interval.max(pace(self.pages_walked.saturating_sub(fruitful)));
        if self.is_deep {
            self.deep_due = now + pace(self.pages_walked + 1).max(settings.overlap / 2);
        }
        self.again.listen();
        if now >= self.owed_at + settings.overlap_long {
            self.owe(now);
        }
        if self.pages_walked > 0 {
            self.ready.push_back(Arrival::GapFilled);
        }
        self.ready.push_back(Arrival::CaughtUp);
        self.pages = None;
        self.found = 0;
        self.pages_walked = 0;
    }

    /// Has what was polled since the last time walked again.
    fn owe(&mut self, now: Instant) {
        let start = |overlap| self.mark.start(overlap, now).map(|start| start.place);
        if let (Some(from), Some(until)) = (self.owed_from.take(), start(Duration::ZERO)) {
            self.source.late().owe_once(from, until, self.source.settings().overlap_long, now);
        }
        let mut gone = self.source.gone();
        if gone.is_idle() {
            gone.suspect_all();
        }
        drop(gone);
        self.owed_from = self.mark.start(self.source.reach_late(), now).map(|start| start.place);
        self.owed_at = now;
    }
}

/// What was polled last is walked again with the next stream or polls.
impl Drop for Poll {
    fn drop(&mut self) {
        self.owe(Instant::now());
    }
}
