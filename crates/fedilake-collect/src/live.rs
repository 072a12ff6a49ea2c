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
use crate::source::Source;
use crate::sse::{Framer, SseFrame};
use crate::watch::{Gap, Watch};

/// Opens the stream and everything of the timeline from `from` on; without a place from the newest page on.
pub async fn open(source: Arc<Source>, from: Option<Cursor>) -> Result<EventStream, SourceError> {
    let stream = source.stream().await?;
    let live = Live {
        stream,
        overlap: source.settings().overlap_short,
        framer: Framer::new(source.frame_bytes_max()),
        watch: Watch::new(Instant::now(), source.settings()),
        source,
        broken: None,
        mark: Mark::new(from.clone()),
        highest: from,
        pages: None,
        backoff: Backoff::default(),
        ready: VecDeque::new(),
    };
    let arrivals = stream::try_unfold(Box::new(live), |mut live| async move {
        let arrival = live.next().await?;
        Ok(Some((arrival, live)))
    });
    Ok(arrivals.boxed())
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
    watch: Watch,
    /// The fill under way.
    pages: Option<Pages>,
    /// How far before the mark a second look begins.
    overlap: Duration,
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
                () = sleep_until(self.watch.due()), if self.pages.is_none() => self.start_fill(),
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
            self.watch.beat(Instant::now());
        }
        if kind == FrameKind::Update
            && let Arrival::Event(event) = &arrival
            && let Some(post) = event.post()
        {
            let id = Cursor::new(&post.id);
            self.highest = self.highest.take().max(Some(id.clone()));
            // Else posts before it may be missing.
            if self.watch.gap() == Gap::Closed {
                self.mark.take_post(id);
            }
        }
        self.ready.push_back(arrival);
    }

    fn start_fill(&mut self) {
        let (source, settings) = (self.source.clone(), self.source.settings());
        self.watch.begin();
        self.pages = Some(match (self.watch.gap(), self.mark.place(), &self.highest) {
            (Gap::Open, ..) => gap::fill(source, self.mark.place().cloned(), settings.overlap),
            // A cache does not know these pages yet, unlike the newest one.
            (Gap::Settling, Some(mark), Some(highest)) if self.watch.is_alive() => {
                gap::walk(source, mark.back(self.overlap), highest.clone())
            }
            _ => gap::fill(source, self.mark.place().cloned(), settings.overlap_short),
        });
    }

    fn take_page(&mut self, page: Page) {
        self.backoff.reset();
        self.overlap = gap::overlap_within(self.source.settings().overlap_short, &page);
        if let Some(usual) = page.usual_interval() {
            self.watch.guess(usual);
        }
        self.mark.take_page(&page);
        self.highest = self.highest.take().max(page.highest().cloned());
        for arrival in self.source.arrivals(page) {
            if matches!(arrival, Arrival::Event(_)) {
                self.watch.find();
            }
            self.ready.push_back(arrival);
        }
        self.ready.extend(self.mark.moved());
    }

    fn finish_fill(&mut self) -> Result<(), SourceError> {
        self.pages = None;
        self.watch.end(Instant::now())?;
        if self.watch.gap() == Gap::Closed {
            self.ready.push_back(Arrival::CaughtUp);
        }
        Ok(())
    }

    /// The stream goes on without the fill, which begins again where its pages had come to.
    fn fill_later(&mut self, error: SourceError) {
        self.pages = None;
        let wait: Duration = self.backoff.next(&error, self.source.settings());
        self.watch.fail(Instant::now() + wait);
        self.ready.push_back(Arrival::Trouble(error));
    }
}

async fn next_page(pages: &mut Option<Pages>) -> Option<Result<Page, SourceError>> {
    match pages {
        Some(pages) => pages.next().await,
        None => None,
    }
}
