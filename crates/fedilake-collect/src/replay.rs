//! Recorded posts, as if they came in now: files of JSON lines → log.
//!
//! Each line is a bare status as the API gives it, or a recorded frame
//! `{"server", "observed_at", "event": "update|status.update|delete", "payload"}`; files are plain, zstd or gzip, told
//! by their first bytes. A thread reads chunks of whole lines; the cores translate, admit and encode them side by side; they
//! are appended in the order of the input. A line that cannot be used is counted, and the first of them are kept with file
//! and line number to be shown.
//!
//! How far a file was appended is kept as a bookmark under a hash of its whole content, so that a replay started again
//! after a kill goes on from there: at most the last append is repeated. A file replayed to its end is not replayed again,
//! unless a byte of it has changed.
//! Standard input has no identity and always starts anew; repeated records are one post in the `posts` view.

mod chunk;
mod input;
mod line;
mod pace;
mod part;
mod progress;

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;
use std::{io, mem, thread};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_log::{Bookmarks, Key, LogError, LogWriter};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::counts::Tally;
use chunk::Position;
pub use input::Input;
use input::Opened;
use pace::Pacer;
pub use pace::{Pace, PaceError};
use part::{Part, Translator};
pub use progress::Progress;

/// How a replay goes about it.
#[derive(Clone, Debug)]
pub struct ReplaySettings {
    /// How fast, measured by the events' observed_at.
    pub pace: Pace,
    /// When a bare status counts as observed; also for a frame that does not say.
    pub observed_at: DateTime<Utc>,
    /// Threads that translate; none means one a core.
    pub threads: Option<NonZeroUsize>,
    /// A longer line is skipped without being held, and counted.
    pub line_bytes_max: usize,
    /// Records of one append, at most about.
    pub append_records_max: usize,
    /// How long records wait for others.
    pub append_wait_max: Duration,
    /// How often the bookmark is saved.
    pub bookmark_interval: Duration,
}

impl ReplaySettings {
    /// As fast as it goes, with what a laptop can hold.
    pub fn new(observed_at: DateTime<Utc>) -> ReplaySettings {
        ReplaySettings {
            pace: Pace::Max,
            observed_at,
            threads: None,
            line_bytes_max: 4 << 20,
            append_records_max: 5_000,
            append_wait_max: Duration::from_millis(50),
            bookmark_interval: Duration::from_secs(1),
        }
    }
}

/// A line that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// The input's name, as given.
    pub input: String,
    /// From 1.
    pub line: u64,
    /// The label under which it is counted.
    pub why: &'static str,
}

/// What a replay did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplaySummary {
    /// Lines read, without those that an earlier run had appended.
    pub lines: u64,
    /// Lines that an earlier run had appended.
    pub lines_resumed: u64,
    /// What became of them.
    pub tally: Tally,
    /// The first lines that could not be used, at most [`BAD_LINES_KEPT`]; `tally.rejected` counts all.
    pub bad_lines: Vec<BadLine>,
    /// Whether the inputs' ends were reached; not, when it was stopped.
    pub complete: bool,
}

/// How many bad lines are kept to be shown.
pub const BAD_LINES_KEPT: usize = 20;

/// Why a replay ended early. What was appended before stays.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The input cannot be opened.
    #[error("open {input}: {source}")]
    Open {
        /// The input's name.
        input: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The input broke off while it was read: a damaged or cut archive, a failing disk. All lines before are appended.
    #[error("read {input} after line {line}: {source}")]
    Read {
        /// The input's name.
        input: String,
        /// The last line that was read whole.
        line: u64,
        /// What the system or the decoder said.
        source: std::io::Error,
    },
    /// The log failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Replays `inputs` one after the other into the log; returns when all of it is durable, or soon after `shutdown`.
pub async fn run(
    inputs: Vec<Input>,
    settings: ReplaySettings,
    writer: Arc<dyn LogWriter>,
    bookmarks: Arc<dyn Bookmarks>,
    progress: Arc<Progress>,
    shutdown: CancellationToken,
) -> Result<ReplaySummary, ReplayError> {
    progress.expect(inputs.iter().map(Input::length).sum());
    let pacer = Pacer::new(settings.pace);
    let mut replay = Replay { settings, writer, bookmarks, progress, summary: ReplaySummary::default() };
    for input in inputs {
        replay.run(input, &pacer, &shutdown).await?;
    }
    replay.summary.complete = !shutdown.is_cancelled();
    Ok(replay.summary)
}

struct Replay {
    settings: ReplaySettings,
    writer: Arc<dyn LogWriter>,
    bookmarks: Arc<dyn Bookmarks>,
    progress: Arc<Progress>,
    summary: ReplaySummary,
}

/// What of an input is on its way into the log, and what is there.
struct Pending {
    records: Vec<(Key, Bytes)>,
    /// Where the input stands once `records` are appended.
    end: Position,
    /// When they have waited long enough.
    due: Instant,
    /// Where it stands now.
    durable: Position,
    saved: Position,
    saved_at: Instant,
}

impl Replay {
    async fn run(&mut self, input: Input, pacer: &Pacer, shutdown: &CancellationToken) -> Result<(), ReplayError> {
        let name = input.to_string();
        let open_error = |source| ReplayError::Open { input: name.clone(), source };
        let identity = input.identity(shutdown.clone()).await.map_err(open_error)?;
        let bookmark = identity.map(|identity| format!("replay/{identity}"));
        let from = match &bookmark {
            Some(bookmark) => Position::parse(self.bookmarks.load(bookmark).await?.as_deref()),
            None => Position::default(),
        };
        self.summary.lines_resumed += from.lines;
        let opened = input.open(self.progress.clone()).map_err(open_error)?;
        let mut parts = pacer.paced(translated(opened, from, &self.settings));
        let now = Instant::now();
        let mut pending =
            Pending { records: Vec::new(), end: from, due: now, durable: from, saved: from, saved_at: now };
        let ended = loop {
            let part = tokio::select! {
                biased;
                () = shutdown.cancelled() => break Ok(()),
                () = sleep_until(pending.due), if !pending.records.is_empty() => None,
                part = parts.next() => match part {
                    Some(Ok(part)) => Some(part),
                    Some(Err(source)) => {
                        break Err(ReplayError::Read { input: name, line: pending.end.lines, source });
                    }
                    None => break Ok(()),
                },
            };
            let is_due = part.is_none();
            if let Some(part) = part {
                self.take(part, &name, &mut pending);
            }
            if is_due || pending.records.len() >= self.settings.append_records_max {
                self.append(&mut pending).await?;
            }
            if pending.saved_at.elapsed() >= self.settings.bookmark_interval {
                self.save(bookmark.as_deref(), &mut pending).await?;
            }
        };
        self.append(&mut pending).await?;
        self.save(bookmark.as_deref(), &mut pending).await?;
        ended
    }

    fn take(&mut self, part: Part, input: &str, pending: &mut Pending) {
        if pending.records.is_empty() {
            pending.due = Instant::now() + self.settings.append_wait_max;
        }
        pending.records.extend(part.records);
        if let Some(end) = part.end {
            self.summary.lines += end.lines - pending.end.lines;
            pending.end = end;
        }
        self.summary.tally.add(&part.tally);
        let room = BAD_LINES_KEPT - self.summary.bad_lines.len();
        let bad = part.bad_lines.into_iter().take(room);
        self.summary.bad_lines.extend(bad.map(|(line, why)| BadLine { input: input.to_owned(), line, why }));
    }

    async fn append(&mut self, pending: &mut Pending) -> Result<(), ReplayError> {
        let records = mem::take(&mut pending.records);
        if !records.is_empty() {
            let count = records.len() as u64;
            self.writer.append(records).await?;
            self.summary.tally.accepted += count;
            self.progress.appended(count);
        }
        pending.durable = pending.end;
        Ok(())
    }

    async fn save(&self, bookmark: Option<&str>, pending: &mut Pending) -> Result<(), ReplayError> {
        pending.saved_at = Instant::now();
        if let Some(bookmark) = bookmark
            && pending.durable != pending.saved
        {
            self.bookmarks.save(bookmark, &pending.durable.to_string()).await?;
            pending.saved = pending.durable;
        }
        Ok(())
    }
}

/// The parts of an input in its order, translated side by side on the blocking threads.
fn translated(opened: Opened, from: Position, settings: &ReplaySettings) -> BoxStream<'static, io::Result<Part>> {
    let threads = settings.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let mut chunks = opened.read(from, settings.line_bytes_max, threads);
    let translator = Arc::new(Translator::new(settings.observed_at, settings.line_bytes_max));
    stream::poll_fn(move |context| chunks.poll_recv(context))
        .map(move |chunk| {
            let translator = translator.clone();
            async move {
                let chunk = chunk?;
                match spawn_blocking(move || translator.translate(chunk)).await {
                    Ok(part) => Ok(part),
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => resume_unwind(panic),
                        Err(cancelled) => Err(io::Error::other(cancelled)),
                    },
                }
            }
        })
        // One more than the threads, so that none waits while the oldest part is appended.
        .buffered(threads + 1)
        .boxed()
}
