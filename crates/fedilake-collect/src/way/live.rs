//! A server's live stream. The gap before it is filled, and its silences are compared with the timeline.
//!
//! The stream is opened first. Then the timeline is paged from the bookmark, minus an overlap, up to now, and again a
//! little later, until the stream has proved to bring posts. Those are passed on meanwhile, but until the gap is
//! closed only pages move the mark; at the first contact, the first posts of the stream begin it.
//!
//! Bounded: one chunk of the stream (a few frames of a socket), one frame and one page with their arrivals. The next bytes are read when all
//! arrivals were taken.
//!
//! Heartbeats do not prove that a stream works: when a server's Redis restarts, the connection and its heartbeats go
//! on, and posts are lost. So a stream that is, or was, silent for much longer than usual is compared with the
//! timeline. Posts that it did not bring are taken from there; if it stays silent it is given up. Deletes do not
//! count as posts, because they also pass where posts are filtered out. A loss too short to be distinguished from
//! chance goes unnoticed. Posts that became visible minutes late in a hole are found by a slow walk afterwards ([`late`](crate::way::late)),
//! and deletes and edits that passed there by asking for the last posts again ([`gone`](crate::way::gone)).

use std::collections::VecDeque;
use std::mem;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fedilake_model::{Frame, FrameKind};
use futures::StreamExt;
use futures::stream;
use tokio::time::{Instant, sleep_until};

use crate::server::error::SourceError;
use crate::way::again::Again;
use crate::way::arrival::{Arrival, EventStream};
use crate::way::backoff::Backoff;
use crate::way::cursor::Cursor;
use crate::way::feed::{Feed, FeedFrame};
use crate::way::gap::{self, Pages};
use crate::way::mark::{Mark, Start};
use crate::way::page::{self, Page};
use crate::way::source::Source;
use crate::way::watch::{Gap, Watch};

/// Opens the stream, and everything of the timeline from `from` on; without a place from the newest page on.
pub async fn open(source: Arc<Source>, from: Option<Cursor>) -> Result<EventStream, SourceError> {
    let feed = source.stream().await?;
    Ok(follow(source, feed, from))
}

/// Like [`open`], for a stream that is already open.
pub(crate) fn follow(source: Arc<Source>, feed: Feed, from: Option<Cursor>) -> EventStream {
    let live = Live {
        feed,
        overlap: source.reach_short(),
        watch: Watch::new(Instant::now(), source.settings()),
        again: Again::new(source.clone()),
        mark: Mark::new(from.clone(), source.places()),
        source,
        broken: None,
        highest: from,
        pages: None,
        is_walking: false,
        has_filled: false,
        filled_from: None,
        backoff: Backoff::default(),
        hole_until: Instant::now(),
        has_hole: true,
        ready: VecDeque::new(),
    };
    let arrivals = stream::try_unfold(Box::new(live), |mut live| async move {
        let arrival = live.next().await?;
        Ok(Some((arrival, live)))
    });
    arrivals.boxed()
}

struct Live {
    source: Arc<Source>,
    feed: Feed,
    /// The stream's error, returned after the arrivals before it.
    broken: Option<SourceError>,
    mark: Mark,
    /// The highest place that was returned; for ids without an order the latest one. Never that of a post dated in
    /// the future.
    highest: Option<Cursor>,
    watch: Watch,
    /// The fill under way.
    pages: Option<Pages>,
    /// True if the fill under way reads pages by id.
    is_walking: bool,
    /// True if the fill under way brought posts that the stream had not brought.
    has_filled: bool,
    /// The place at which the fill under way began.
    filled_from: Option<Cursor>,
    again: Again,
    /// How far before the mark a second fill begins.
    overlap: Duration,
    backoff: Backoff,
    /// Deletes and edits since then came by the stream, if it has brought a post.
    hole_until: Instant,
    /// True if posts from before then were not asked for yet.
    has_hole: bool,
    ready: VecDeque<Arrival>,
}

impl Live {
    async fn next(&mut self) -> Result<Arrival, SourceError> {
        loop {
            if let Some(arrival) = self.ready.pop_front() {
                return Ok(arrival);
            }
            if let Some(error) = self.broken.take() {
                return Err(error);
            }
            tokio::select! {
                frames = self.feed.next() => self.take_frames(frames?),
                page = gap::next_page(&mut self.pages), if self.pages.is_some() => match page {
                    Some(Ok(page)) => self.take_page(page),
                    Some(Err(error)) => self.fill_later(error),
                    None => self.finish_fill(),
                },
                () = sleep_until(self.watch.due()), if self.pages.is_none() => self.start_fill(),
                found = self.again.next() => self.ready.extend(found),
            }
        }
    }

    fn take_frames(&mut self, frames: Vec<FeedFrame>) {
        for frame in frames {
            self.take_frame(frame);
        }
        self.ready.extend(self.mark.moved());
    }

    fn take_frame(&mut self, frame: FeedFrame) {
        let kind = match frame.event.as_str() {
            "update" => FrameKind::Update,
            "status.update" => FrameKind::StatusUpdate,
            "delete" => FrameKind::Delete,
            _ => return self.ready.push_back(Arrival::Unknown),
        };
        let now = Utc::now();
        let arrival = self.source.translate(&Frame { kind, data: frame.payload }, now);
        self.source.learn_delay(slice::from_ref(&arrival), now);
        if kind != FrameKind::Delete {
            self.beat();
        }
        if kind == FrameKind::Update
            && let Arrival::Event(event) = &arrival
            && let Some(post) = event.post()
            && let Some(id) = Cursor::new(&post.id)
            && ![id.time(), post.created_at].into_iter().flatten().any(|date| date > page::latest_date(Utc::now()))
        {
            self.raise(id.clone());
            match self.watch.gap() {
                Gap::Closed => self.mark.take_post(id, Instant::now()),
                // A backfill begins before them.
                Gap::Open if self.source.settings().backfill.is_zero() => self.mark.take_first(id, Instant::now()),
                // Posts before it may be missing.
                _ => {}
            }
        }
        self.ready.push_back(arrival);
    }

    /// The stream brought a post. One that is open and was silent since may have lost what came before.
    fn beat(&mut self) {
        let now = Instant::now();
        if !self.watch.is_alive() {
            self.hole_until = now;
            self.has_hole = true;
        }
        if self.watch.beat(now) {
            self.owe_short_silence();
        }
    }

    /// Has the time before a short silence walked again, soon.
    fn owe_short_silence(&mut self) {
        let now = Instant::now();
        let from = self.mark.start(self.source.reach_late(), now);
        if let (Some(from), Some(until)) = (from, self.highest.clone()) {
            self.source.late().owe_once(from.place, until, self.source.settings().second_look_after, now);
        }
    }

    fn start_fill(&mut self) {
        let source = self.source.clone();
        if self.watch.gap() != Gap::Open {
            // The stream may have lost something up to now.
            self.hole_until = Instant::now();
        }
        self.watch.begin();
        self.is_walking = false;
        self.has_filled = false;
        let start = |overlap| self.mark.start(overlap, Instant::now());
        self.filled_from = start(source.reach_late()).map(|start| start.place);
        let (reach, reach_short) = (source.reach(), source.reach_short());
        self.pages = Some(match (self.watch.gap(), start(self.overlap), &self.highest) {
            (Gap::Open, ..) => gap::fill(source, start(reach).map(Start::anew), reach),
            // Unlike the newest page, these pages are not in a cache yet.
            (Gap::Settling, Some(start), Some(highest)) if self.watch.is_alive() => {
                gap::walk(source, start.place.back(self.overlap), highest.clone())
            }
            _ => gap::fill(source, start(reach_short), reach_short),
        });
    }

    fn raise(&mut self, id: Cursor) {
        if !self.highest.as_ref().is_some_and(|highest| highest.is_surely_at_least(&id)) {
            self.highest = Some(id);
        }
    }

    fn take_page(&mut self, page: Page) {
        self.backoff.reset();
        if self.filled_from.is_none()
            && let Some(first) = self.mark.start(Duration::ZERO, Instant::now())
            && !gap::reaches(&page, &first.place)
        {
            // The stream has brought posts since the first page was asked for, and may have lost some between them and that page.
            return self.start_fill();
        }
        self.overlap = gap::overlap_within(self.source.reach_short(), &page);
        if let Some(usual) = page.usual_interval() {
            self.watch.guess(usual);
        }
        if !page.is_newest() && self.watch.gap() != Gap::Settling && !self.is_walking {
            self.is_walking = true;
            self.ready.push_back(Arrival::GapFound);
        }
        self.mark.take_page(&page, Instant::now());
        if let Some(highest) = page.ids().next_back()
            && self.highest.as_ref().is_none_or(|so_far| highest.is_surely_at_least(so_far))
        {
            self.highest = Some(highest.clone());
        }
        for arrival in self.source.arrivals(page) {
            if matches!(arrival, Arrival::Event(_)) {
                self.watch.find();
                self.has_filled = true;
            }
            self.ready.push_back(arrival);
        }
        self.ready.extend(self.mark.moved());
    }

    fn finish_fill(&mut self) {
        self.pages = None;
        if self.is_walking {
            self.ready.push_back(Arrival::GapFilled);
        }
        self.ready.push_back(Arrival::Read);
        let was_hole = self.watch.gap() == Gap::Open || self.has_filled;
        if mem::take(&mut self.has_hole) || was_hole {
            let until = if self.watch.is_alive() { self.hole_until } else { Instant::now() };
            self.source.gone().suspect_all_until(until);
            self.again.listen();
        }
        if let (true, Some(from), Some(until)) = (was_hole, self.filled_from.take(), self.highest.clone()) {
            self.source.late().owe(from, until, self.source.settings().overlap_long, Instant::now());
        }
        if let Err(error) = self.watch.end(Instant::now()) {
            self.broken = Some(error);
        } else if self.watch.gap() == Gap::Closed {
            self.ready.push_back(Arrival::CaughtUp);
        } else if self.watch.gap() == Gap::Settling && !self.has_filled {
            // A server without new posts is read all the same.
            self.ready.push_back(Arrival::Whole);
        }
    }

    /// Postpones the fill, which later continues after its last page. The stream goes on meanwhile.
    fn fill_later(&mut self, error: SourceError) {
        self.pages = None;
        let wait: Duration = self.backoff.next(&error, self.source.settings());
        self.watch.fail(Instant::now() + wait);
        self.ready.push_back(Arrival::Trouble(error));
    }
}
