//! A timeline read page by page, for servers that let us read but not stream.
//!
//! Polls come as often as new posts need it, within limits: an interval is halved when a poll brought more than half a page
//! and grows when it brought next to nothing. What deletes and edits did to older posts, polling does not see.

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
use crate::source::{Page, Source};

/// Everything of the timeline from `from` on; without a place from the newest page on. Ends with the first failed request.
pub fn open(source: Arc<Source>, from: Option<Cursor>) -> EventStream {
    let settings = source.settings();
    let poll = Poll {
        interval: settings.poll_interval_min,
        pages: Some(gap::fill(source.clone(), from.clone(), settings.overlap)),
        source,
        mark: from,
        ready: VecDeque::new(),
        found: 0,
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
    mark: Option<Cursor>,
    /// The poll under way.
    pages: Option<Pages>,
    /// Posts that it brought.
    found: usize,
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
                let overlap = self.source.settings().overlap_poll;
                self.pages = Some(gap::fill(self.source.clone(), self.mark.clone(), overlap));
                continue;
            };
            match pages.next().await.transpose()? {
                Some(page) => self.take(page),
                None => self.finish(),
            }
        }
    }

    fn take(&mut self, page: Page) {
        // A timeline seen empty is known whole: what comes next is new.
        let highest = page.highest().cloned().unwrap_or_else(Cursor::start);
        let (frames, observed_at) = page.into_frames();
        for frame in frames {
            let arrival = self.source.translate(&frame, observed_at);
            self.found += usize::from(matches!(arrival, Arrival::Event(_)));
            self.ready.push_back(arrival);
        }
        if self.mark.as_ref().is_none_or(|mark| *mark < highest) {
            self.mark = Some(highest.clone());
            self.ready.push_back(Arrival::Mark(highest));
        }
    }

    fn finish(&mut self) {
        let settings = self.source.settings();
        let next = match self.found {
            20.. => self.interval / 2,
            0..=5 => self.interval.mul_f64(1.5),
            _ => self.interval,
        };
        self.interval = next.clamp(settings.poll_interval_min, settings.poll_interval_max);
        self.due = Instant::now() + self.interval;
        self.pages = None;
        self.found = 0;
    }
}
