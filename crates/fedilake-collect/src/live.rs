//! A server's live stream, with the gap before it filled and its silences looked into.
//!
//! The stream is opened first, then the timeline is paged from the bookmark, less an overlap, up to now, and once more a
//! little later; posts of the stream are passed on meanwhile, but only pages move the mark until the gap is closed.
//!
//! Heartbeats are no sign of life: when a server's Redis restarts, the connection stands and thumps on, and posts are lost.
//! A stream silent for much longer than usual is compared with the timeline; posts that it did not bring are taken from
//! there, and if it stays silent it is given up. Deletes do not count as life: they pass where posts are filtered out.

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
use crate::rhythm::Rhythm;
use crate::source::{Page, Source};
use crate::sse::{Framer, SseFrame};

/// Opens the stream and everything of the timeline from `from` on; without a place from the newest page on.
pub async fn open(source: Arc<Source>, from: Option<Cursor>) -> Result<EventStream, SourceError> {
    let stream = source.stream().await?;
    let live = Live {
        stream,
        overlap: source.settings().overlap,
        framer: Framer::new(source.frame_bytes_max()),
        rhythm: Rhythm::new(source.settings().silence_min, source.settings().silence_max),
        source,
        broken: None,
        mark: from.clone(),
        highest: from,
        gap: Gap::Open,
        pages: None,
        found: 0,
        due: Instant::now(),
        is_doubtful: false,
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
#[derive(Clone, Debug, PartialEq, Eq)]
enum Gap {
    /// Posts from before the stream was opened may be missing.
    Open,
    /// They were read up to this place; those that became visible late may be missing.
    Settling(Cursor),
    /// Nothing is missing while the stream works: the next look is due when it has been silent for too long.
    Closed,
    /// The stream is silent: is the timeline too?
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
    /// The last mark given out.
    mark: Option<Cursor>,
    /// The greatest id given out.
    highest: Option<Cursor>,
    gap: Gap,
    /// The fill under way.
    pages: Option<Pages>,
    /// Posts that it found and the stream had not brought.
    found: usize,
    /// When the next one begins.
    due: Instant,
    /// A look into a silence found posts, and the stream has brought none since.
    is_doubtful: bool,
    /// How far back a second look begins.
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
        self.mark_highest();
    }

    fn take_frame(&mut self, frame: SseFrame) {
        let kind = match frame.event.as_str() {
            "update" => FrameKind::Update,
            "status.update" => FrameKind::StatusUpdate,
            "delete" => FrameKind::Delete,
            _ => return self.ready.push_back(Arrival::Unknown),
        };
        let arrival = self.source.translate(&Frame { kind, data: frame.data }, Utc::now());
        if let Arrival::Event(event) = &arrival
            && let Some(post) = event.post()
        {
            raise(&mut self.highest, Cursor::new(&post.id));
        }
        if kind != FrameKind::Delete {
            self.is_doubtful = false;
            self.rhythm.beat(Instant::now());
            if self.gap == Gap::Closed {
                self.due = self.rhythm.patience();
            }
        }
        self.ready.push_back(arrival);
    }

    fn start_fill(&mut self) {
        let (source, settings) = (self.source.clone(), self.source.settings());
        if self.gap == Gap::Closed {
            self.gap = Gap::Silent;
        }
        self.found = 0;
        self.pages = Some(match &self.gap {
            Gap::Settling(until) => gap::walk(source, until.back(self.overlap), until.clone()),
            Gap::Open => gap::fill(source, self.mark.clone(), settings.overlap),
            Gap::Closed | Gap::Silent | Gap::Doubtful => gap::fill(source, self.mark.clone(), settings.overlap_poll),
        });
    }

    fn take_page(&mut self, page: Page) {
        self.backoff.reset();
        self.overlap = gap::overlap_within(self.source.settings().overlap, &page);
        // A timeline seen empty is known whole: what comes next is new.
        let highest = page.highest().cloned().unwrap_or_else(Cursor::start);
        let (frames, observed_at) = page.into_frames();
        for frame in frames {
            let arrival = self.source.translate(&frame, observed_at);
            self.found += usize::from(matches!(arrival, Arrival::Event(_)));
            self.ready.push_back(arrival);
        }
        raise(&mut self.highest, highest.clone());
        self.mark(highest);
    }

    fn finish_fill(&mut self) -> Result<(), SourceError> {
        self.pages = None;
        match (&self.gap, &self.highest) {
            (Gap::Open, Some(highest)) => self.look_later(Gap::Settling(highest.clone())),
            (Gap::Silent, _) if self.found > 0 => {
                self.is_doubtful = true;
                self.look_later(Gap::Doubtful);
            }
            (Gap::Silent, _) => {
                self.rhythm.wait_longer(Instant::now());
                self.close();
            }
            (Gap::Doubtful, _) if self.is_doubtful => return Err(SourceError::Stalled),
            _ => self.close(),
        }
        Ok(())
    }

    fn look_later(&mut self, gap: Gap) {
        self.gap = gap;
        self.due = Instant::now() + self.source.settings().second_look_after;
    }

    fn close(&mut self) {
        self.gap = Gap::Closed;
        self.due = self.rhythm.patience();
        self.mark_highest();
    }

    /// The stream goes on without the fill, which begins again where its pages had come to.
    fn fill_later(&mut self, error: SourceError) {
        self.pages = None;
        let wait: Duration = self.backoff.next(&error, self.source.settings());
        self.due = Instant::now() + wait;
        self.ready.push_back(Arrival::Trouble(error));
    }

    fn mark_highest(&mut self) {
        if self.gap == Gap::Closed
            && let Some(highest) = self.highest.clone()
        {
            self.mark(highest);
        }
    }

    fn mark(&mut self, cursor: Cursor) {
        if raise(&mut self.mark, cursor.clone()) {
            self.ready.push_back(Arrival::Mark(cursor));
        }
    }
}

async fn next_page(pages: &mut Option<Pages>) -> Option<Result<Page, SourceError>> {
    match pages {
        Some(pages) => pages.next().await,
        None => None,
    }
}

/// Whether `cursor` was above `highest`, where it now stands.
fn raise(highest: &mut Option<Cursor>, cursor: Cursor) -> bool {
    let is_above = highest.as_ref().is_none_or(|highest| *highest < cursor);
    if is_above {
        *highest = Some(cursor);
    }
    is_above
}
