//! Posts that come late: which ranges of a timeline are walked once more, when, and how slowly.
//!
//! A post of another server has the id of the time at which it was written, and may become visible minutes later, below posts that
//! were read. A stream brings it all the same; where the stream had a hole, and where a timeline is polled, it stays unread. So the
//! range of each hole, from some minutes before it, is walked again some minutes later, and once more after an hour; a timeline that is
//! polled is walked again minutes later. How far before it follows from how late the server's posts come ([`Delay`](crate::server::delay)); where
//! ids do not hold their times, a range begins where the timeline stood then ([`Places`](crate::way::places)). Ranges outlive the process.
//!
//! A walk has a quarter of the budget of pages. What is older than that allows is left: on a server that shows more than
//! some ten posts a second, the latest of the late posts of a hole are not found.
//!
//! Bounded: a few ranges. When more are wanted the oldest is left.

use std::collections::VecDeque;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use tokio::time::{Instant, sleep_until};

use crate::server::error::SourceError;
use crate::server::limits::PAGED_WINDOW;
use crate::way::cursor::Cursor;
use crate::way::gap::{self, Pages};
use crate::way::page::Page;
use crate::way::source::Source;

const RANGES_MAX: usize = 8;
/// A range that was kept and is due later than this is none of ours.
const RESTORED_WAIT_MAX: Duration = Duration::from_secs(86_400);
/// The wait for the last walk of a range, in walks' usual waits.
const LAST_WAITS: u32 = 12;

/// A range of a timeline, to be walked at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    from: Cursor,
    until: Cursor,
    due: Instant,
    is_last: bool,
}

/// What is still to be walked.
#[derive(Debug, Default)]
pub(crate) struct Late {
    ranges: VecDeque<Range>,
    /// The range whose walk is under way.
    walking: Option<Range>,
}

impl Late {
    /// Remembers the range of a hole that was filled at `now`: it is walked after `wait`, and after twelve times that.
    pub(crate) fn owe(&mut self, from: Cursor, until: Cursor, wait: Duration, now: Instant) {
        self.push(Range { from, until, due: now + wait, is_last: false });
    }

    /// The same for a range that was polled: it is walked once.
    pub(crate) fn owe_once(&mut self, from: Cursor, until: Cursor, wait: Duration, now: Instant) {
        self.push(Range { from, until, due: now + wait, is_last: true });
    }

    /// When the next walk is due.
    fn due(&self) -> Option<Instant> {
        self.ranges.iter().map(|range| range.due).min()
    }

    /// Gives out the range whose walk is due first.
    fn begin(&mut self) -> Option<Range> {
        let first = self.due()?;
        let at = self.ranges.iter().position(|range| range.due == first)?;
        self.walking = self.ranges.remove(at);
        self.walking.clone()
    }

    fn walked(&mut self, range: Range, wait: Duration, now: Instant) {
        self.walking = None;
        if !range.is_last {
            self.push(Range { due: now + wait * LAST_WAITS, is_last: true, ..range });
        }
    }

    /// The walk begins again after `wait`.
    fn failed(&mut self, range: Range, wait: Duration, now: Instant) {
        self.walking = None;
        self.push(Range { due: now + wait, ..range });
    }

    /// The lines that keep the ranges over a restart: `walk FROM UNTIL TIME`, with a fourth word for the last walk.
    pub(crate) fn to_lines(&self, now: (Instant, DateTime<Utc>)) -> Vec<String> {
        let line = |range: &Range| {
            let wait = range.due.saturating_duration_since(now.0);
            let due_ms = (now.1 + TimeDelta::from_std(wait).unwrap_or_default()).timestamp_millis();
            format!("walk {} {} {due_ms}{}", range.from, range.until, if range.is_last { " last" } else { "" })
        };
        self.walking.iter().chain(&self.ranges).map(line).collect()
    }

    /// Takes over what followed `walk` in a line that was kept, unless that range is known.
    pub(crate) fn restore(&mut self, told: &str, now: (Instant, DateTime<Utc>)) {
        let words: Vec<&str> = told.split(' ').collect();
        let [from, until, due, ref last @ ..] = words[..] else { return };
        let due = due.parse().ok().and_then(DateTime::from_timestamp_millis);
        if let (Some(from), Some(until), Some(due)) = (Cursor::new(from), Cursor::new(until), due) {
            let range = Range {
                from,
                until,
                due: now.0 + (due - now.1).to_std().unwrap_or_default(),
                is_last: !last.is_empty(),
            };
            let is_it = |other: &Range| (&other.from, &other.until) == (&range.from, &range.until);
            if range.due <= now.0 + RESTORED_WAIT_MAX && !self.ranges.iter().chain(&self.walking).any(is_it) {
                self.push(range);
            }
        }
    }

    fn push(&mut self, range: Range) {
        if self.ranges.len() == RANGES_MAX {
            self.ranges.pop_front();
        }
        self.ranges.push_back(range);
    }
}

/// Walks a server's ranges when they are due.
pub(crate) struct Walker {
    source: Arc<Source>,
    walk: Option<(Range, Pages)>,
}

impl Walker {
    pub(crate) fn new(source: Arc<Source>) -> Walker {
        Walker { source, walk: None }
    }

    /// The next page of a walk; pending while none is due. After an error the walk begins again later. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Result<Page, SourceError> {
        loop {
            let Some((_, pages)) = &mut self.walk else {
                let due = self.source.late().due();
                match due {
                    Some(due) => sleep_until(due).await,
                    None => future::pending().await,
                }
                self.begin();
                continue;
            };
            match pages.next().await {
                Some(Ok(page)) => return Ok(page),
                Some(Err(error)) => {
                    self.give_back();
                    return Err(error);
                }
                None => {
                    let wait = self.source.settings().overlap_long;
                    if let Some((range, _)) = self.walk.take() {
                        self.source.late().walked(range, wait, Instant::now());
                    }
                }
            }
        }
    }

    fn begin(&mut self) {
        let settings = self.source.settings();
        let pace = PAGED_WINDOW / (settings.paged_requests_max / 4).max(1);
        let range = self.source.late().begin();
        self.walk = range.map(|range| {
            let (from, until) = (range.from.clone(), range.until.clone());
            (range, gap::walk_late(self.source.clone(), from, until, self.source.reach_late(), pace))
        });
    }

    fn give_back(&mut self) {
        if let Some((range, _)) = self.walk.take() {
            self.source.late().failed(range, self.source.settings().overlap_long, Instant::now());
        }
    }
}

/// A walk that does not come to its end begins again with the server's next stream or polls.
impl Drop for Walker {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(second: u64) -> Cursor {
        Cursor::new(&((1_760_000_000_000 + second * 1_000) << 16).to_string()).unwrap()
    }

    #[test]
    fn a_hole_is_walked_minutes_later_and_after_an_hour() {
        let (mut late, now) = (Late::default(), Instant::now());
        late.owe(at(10), at(20), 5 * MINUTE, now);
        assert_eq!(late.due(), Some(now + 5 * MINUTE));
        let range = late.begin().unwrap();
        assert_eq!((&range.from, &range.until, late.due()), (&at(10), &at(20), None));
        late.walked(range, 5 * MINUTE, now);
        assert_eq!(late.due(), Some(now + 60 * MINUTE));
        let range = late.begin().unwrap();
        late.walked(range, 5 * MINUTE, now);
        assert_eq!(late.due(), None);
    }

    #[test]
    fn what_was_polled_is_walked_once() {
        let (mut late, now) = (Late::default(), Instant::now());
        late.owe_once(at(10), at(20), MINUTE, now);
        let range = late.begin().unwrap();
        late.walked(range, MINUTE, now);
        assert_eq!(late.due(), None);
    }

    #[test]
    fn a_walk_that_fails_begins_again_and_the_others_come_before_it() {
        let (mut late, now) = (Late::default(), Instant::now());
        late.owe(at(10), at(20), MINUTE, now);
        late.owe(at(50), at(60), MINUTE, now + MINUTE / 2);
        let first = late.begin().unwrap();
        assert_eq!(first.from, at(10));
        late.failed(first, 3 * MINUTE, now);
        assert_eq!(late.begin().unwrap().from, at(50));
        assert_eq!(late.due(), Some(now + 3 * MINUTE));
    }

    #[test]
    fn the_oldest_of_many_is_left() {
        let (mut late, now) = (Late::default(), Instant::now());
        (0..20).for_each(|n| late.owe(at(n), at(n + 1), MINUTE, now));
        assert_eq!(late.ranges.len(), RANGES_MAX);
        assert_eq!(late.begin().unwrap().from, at(12));
    }

    #[test]
    fn ranges_outlive_the_process_also_the_one_that_is_being_walked() {
        let (mut before, now) = (Late::default(), (Instant::now(), Utc::now()));
        before.owe(at(10), Cursor::new("01HE7XJ1CG84TBKH5V9XKBVGF5").unwrap(), MINUTE, now.0);
        before.owe_once(at(30), at(40), 2 * MINUTE, now.0);
        before.begin().unwrap();
        let lines = before.to_lines(now);
        let mut after = Late::default();
        for _ in 0..2 {
            lines.iter().for_each(|line| after.restore(line.strip_prefix("walk ").unwrap(), now));
        }
        assert_eq!((after.ranges.len(), after.to_lines(now)), (2, lines));
        assert!(after.begin().is_some_and(|range| !range.is_last) && after.begin().is_some_and(|range| range.is_last));
        for odd in ["", "1 2", "1 2 x", "1 2 99999999999999", "\u{1b} 2 3"] {
            after.restore(odd, now);
            assert!(after.begin().is_none(), "{odd:?}");
        }
    }
}
