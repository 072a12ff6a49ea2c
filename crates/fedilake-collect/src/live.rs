//! A server's live stream, with the gap before it filled and its silences looked into.
//!
//! The stream is opened first, then the timeline is paged from the bookmark, less an overlap, up to now, and again a little
//! later, until the stream has proved to bring posts; those are passed on meanwhile, but only pages move the mark until the
//! gap is closed.
//!
//! Heartbeats are no sign of life: when a server's Redis restarts, the connection stands and thumps on, and posts are lost.
//! A stream that is, or was, silent for much longer than usual is compared with the timeline; posts that it did not bring are
//! taken from there, and if it stays silent it is given up. Deletes do not count as life: they pass where posts are
//! filtered out. A loss too short to be told from chance is not seen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use fedilake_model::{Frame, FrameKind};
use futures::StreamExt;
use futures::stream;
use tokio::time::{Instant, sleep_until};

use crate::arrival::{Arrival, EventStream};
use crate::backoff::Backoff;
use crate::cursor::Cursor;
use crate::error::SourceError;
use crate::gap::{self, Pages};
use crate::http::Stream;
use crate::mark::Mark;
use crate::page::Page;
use crate::rhythm::Rhythm;
use crate::source::Source;
use crate::sse::{Framer, SseFrame};

/// Opens the stream and everything of the timeline from `from` on; without a place from the newest page on.
pub async fn open(source: Arc<Source>, from: Option<Cursor>) -> Result<EventStream, SourceError> {
    let stream = source.stream().await?;
    let live = Live {
        stream,
        overlap: source.settings().overlap_short,
        framer: Framer::new(source.frame_bytes_max()),
        rhythm: Rhythm::new(Instant::now(), source.settings().silence_min, source.settings().silence_max),
        source,
        broken: None,
        mark: Mark::new(from.clone()),
        highest: from,
        gap: Gap::Open,
        pages: None,
        found: 0,
        due: Instant::now(),
        may_be_lost: false,
        is_alive: false,
        was_alive: false,
        wait: Duration::ZERO,
        backoff: Backoff::default(),
        ready: VecDeque::new(),
    };
    let arrivals = stream::try_unfold(Box::new(live), |mut live| async move {
        let arrival = live.next().await?;
        Ok(Some((arrival, live)))
    });
    Ok(arrivals.boxed())
}

/// What the fill under way, or the next one, is for. Only while the gap is closed, posts of the stream move the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    /// Posts from before the stream was opened may be missing.
    Open,
    /// They were read; those that became visible late, or before the stream began to bring posts, may be missing.
    Settling,
    /// Nothing is missing while the stream works: the next look is due when it has been silent for too long.
    Closed,
    /// The stream is, or was, silent: was the timeline too?
    Silent,
    /// It was not. Does the stream bring posts again?
    Doubtful,
}

struct Live {
    source: Arc<Source>,
    stream: Stream,
    framer: Framer,
    /// The stream's end, given out after all that came before it.
    broken: Option<SourceError>,
    mark: Mark,
    /// The greatest id given out.
    highest: Option<Cursor>,
    gap: Gap,
    /// The fill under way.
    pages: Option<Pages>,
    /// Posts that it found and the stream had not brought.
    found: usize,
    /// When the next one begins.
    due: Instant,
    /// The stream brought a post after a silence longer than normal, and the timeline was not looked at since.
    may_be_lost: bool,
    /// The stream has brought a post, since it was opened or since a look into a silence found some.
    is_alive: bool,
    /// It had when the fill began.
    was_alive: bool,
    /// How long a stream that has brought nothing is left to itself.
    wait: Duration,
    /// How far before the mark a second look begins.
    overlap: Duration,
    rhythm: Rhythm,
    backoff: Backoff,
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
                bytes = self.stream.next() => self.take_bytes(&bytes?),
                page = next_page(&mut self.pages), if self.pages.is_some() => match page {
                    Some(Ok(page)) => self.take_page(page),
                    Some(Err(error)) => self.fill_later(error),
                    None => self.finish_fill()?,
                },
                () = sleep_until(self.due), if self.pages.is_none() => self.start_fill(),
            }
        }
    }

    fn take_bytes(&mut self, bytes: &[u8]) {
        let mut frames = Vec::new();
        if self.framer.push(bytes, |frame| frames.push(frame)).is_err() {
            self.broken = Some(SourceError::TooLong { what: "a frame", bytes_max: self.source.frame_bytes_max() });
        }
        for frame in frames {
            self.take_frame(frame);
        }
        self.ready.extend(self.mark.moved());
    }

    fn take_frame(&mut self, frame: SseFrame) {
        let kind = match frame.event.as_str() {
            "update" => FrameKind::Update,
            "status.update" => FrameKind::StatusUpdate,
            "delete" => FrameKind::Delete,
            _ => return self.ready.push_back(Arrival::Unknown),
        };
        let arrival = self.source.translate(&Frame { kind, data: frame.data }, Utc::now());
        if kind != FrameKind::Delete {
            self.beat(Instant::now());
        }
        if kind == FrameKind::Update
            && let Arrival::Event(event) = &arrival
            && let Some(post) = event.post()
        {
            let id = Cursor::new(&post.id);
            self.highest = self.highest.take().max(Some(id.clone()));
            if self.gap == Gap::Closed {
                self.mark.take_post(id);
            }
        }
        self.ready.push_back(arrival);
    }

    /// The stream brought a post.
    fn beat(&mut self, now: Instant) {
        self.may_be_lost |= self.rhythm.beat(now);
        let was_alive = std::mem::replace(&mut self.is_alive, true);
        self.wait = Duration::ZERO;
        match self.gap {
            Gap::Closed if self.may_be_lost => {
                self.gap = Gap::Silent;
                self.due = now;
            }
            Gap::Closed => self.due = self.rhythm.patience(),
            Gap::Settling if !was_alive => self.due = now + self.source.settings().second_look_after,
            _ => {}
        }
    }

    fn start_fill(&mut self) {
        let (source, settings) = (self.source.clone(), self.source.settings());
        if self.gap == Gap::Closed {
            self.gap = Gap::Silent;
        }
        self.found = 0;
        self.was_alive = self.is_alive;
        self.may_be_lost = false;
        self.pages = Some(match (self.gap, self.mark.place(), &self.highest) {
            (Gap::Open, ..) => gap::fill(source, self.mark.place().cloned(), settings.overlap),
            // A cache does not know these pages yet, unlike the newest one.
            (Gap::Settling, Some(mark), Some(highest)) if self.is_alive => {
                gap::walk(source, mark.back(self.overlap), highest.clone())
            }
            _ => gap::fill(source, self.mark.place().cloned(), settings.overlap_short),
        });
    }

    fn take_page(&mut self, page: Page) {
        self.backoff.reset();
        self.overlap = gap::overlap_within(self.source.settings().overlap_short, &page);
        if let Some(usual) = page.usual_interval() {
            self.rhythm.guess(usual);
        }
        self.mark.take_page(&page);
        self.highest = self.highest.take().max(page.highest().cloned());
        for arrival in self.source.arrivals(page) {
            self.found += usize::from(matches!(arrival, Arrival::Event(_)));
            self.ready.push_back(arrival);
        }
        self.ready.extend(self.mark.moved());
    }

    fn finish_fill(&mut self) -> Result<(), SourceError> {
        self.pages = None;
        let is_behind = self.found > 0 && !self.is_alive;
        match self.gap {
            Gap::Open => self.look_later(Gap::Settling),
            Gap::Doubtful if !self.is_alive => return Err(SourceError::Stalled),
            Gap::Settling if is_behind => self.look_later(Gap::Doubtful),
            Gap::Silent if self.found > 0 => {
                self.is_alive = false;
                self.look_later(Gap::Doubtful);
            }
            _ if !self.was_alive || self.may_be_lost => self.look_later(Gap::Settling),
            Gap::Silent => {
                self.rhythm.wait_longer(Instant::now());
                self.close();
            }
            Gap::Settling | Gap::Doubtful | Gap::Closed => self.close(),
        }
        Ok(())
    }

    /// Soon; while the stream has brought nothing, later each time.
    fn look_later(&mut self, gap: Gap) {
        let settings = self.source.settings();
        self.due = Instant::now() + settings.second_look_after.max(self.wait);
        if gap == Gap::Settling && self.gap == gap && !self.is_alive {
            self.wait = ((settings.second_look_after + self.wait) * 2).min(settings.silence_max);
        }
        self.gap = gap;
    }

    fn close(&mut self) {
        self.gap = Gap::Closed;
        self.due = self.rhythm.patience();
        self.ready.push_back(Arrival::CaughtUp);
    }

    /// The stream goes on without the fill, which begins again where its pages had come to.
    fn fill_later(&mut self, error: SourceError) {
        self.pages = None;
        let wait: Duration = self.backoff.next(&error, self.source.settings());
        self.due = Instant::now() + wait;
        self.ready.push_back(Arrival::Trouble(error));
    }
}

async fn next_page(pages: &mut Option<Pages>) -> Option<Result<Page, SourceError>> {
    match pages {
        Some(pages) => pages.next().await,
        None => None,
    }
}
