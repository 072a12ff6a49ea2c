//! Replay: recorded posts into the log, as if they were seen now.
//!
//! An input holds JSON in any layout that people save ([`chunks`]): JSON lines, arrays such as a saved page of the API, indented or
//! joined objects, lists within wrappers. Each value is a bare status as the API gives it, or a recorded frame
//! `{"server", "observed_at", "event": "update|status.update|delete", "payload"}`. Files are plain, zstd or gzip, told by their
//! first bytes; an input that is something else is refused ([`Refusal`]). A thread splits the input into chunks of values; the
//! cores translate, admit and encode them side by side; the records are appended in the order of the input. A value that cannot
//! be used costs only itself, and a field that cannot be used costs only itself too: both are counted, and the first ones are kept
//! with their places.
//!
//! A bookmark under a hash of a file's whole content keeps how far the file was appended, and how many of its values and fields
//! could not be used. So a replay that starts again after a kill goes on from there, and repeats at most the last append; a file that was
//! replayed to its end is not replayed again, unless a byte of it has changed; and a second run says the same of it as the first.
//! Standard input has no identity and always starts anew; repeated records are one post in the `posts` view.

mod chunk;
mod chunks;
mod input;
mod line;
mod nested;
mod pace;
mod packed;
mod part;
mod position;
mod progress;
mod python;
mod refusal;
mod value;

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

use crate::admission::Admission;
use crate::counts::Tally;
use chunk::Bad;
pub use input::Input;
use input::{Fault, Opened};
use pace::Pacer;
pub use pace::{Pace, PaceError};
use part::{Part, Translator};
use position::Position;
pub use progress::Progress;
pub use refusal::Refusal;

/// Settings of a replay.
#[derive(Clone, Debug)]
pub struct ReplaySettings {
    /// The speed, measured by the events' observed_at.
    pub pace: Pace,
    /// The observed_at of bare statuses, and of frames without one.
    pub observed_at: DateTime<Utc>,
    /// What is kept of whose posts.
    pub admission: Admission,
    /// Threads that translate; none means one a core.
    pub threads: Option<NonZeroUsize>,
    /// A longer value is passed over without being held, and counted.
    pub value_bytes_max: usize,
    /// Records of one append, at most about.
    pub append_records_max: usize,
    /// Records wait for others this long at most.
    pub append_wait_max: Duration,
    /// The time between two saves of the bookmark.
    pub bookmark_interval: Duration,
}

impl ReplaySettings {
    /// The fastest pace, with limits that suit a laptop.
    pub fn new(observed_at: DateTime<Utc>) -> ReplaySettings {
        ReplaySettings {
            pace: Pace::Max,
            observed_at,
            admission: Admission::default(),
            threads: None,
            value_bytes_max: 4 << 20,
            append_records_max: 5_000,
            append_wait_max: Duration::from_millis(50),
            bookmark_interval: Duration::from_secs(1),
        }
    }
}

/// A value that could not be used, or one with a field that could not be used whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadValue {
    /// The input's name, as given.
    pub input: String,
    /// The line in which the value begins, from 1.
    pub line: u64,
    /// The place of its first byte in the decoded input, from 0.
    pub byte: u64,
    /// The label under which it is counted, or its field's.
    pub why: &'static str,
}

/// The outcome of a replay.
#[derive(Debug, Default)]
pub struct ReplaySummary {
    /// Lines read, without those that an earlier run had appended.
    pub lines: u64,
    /// Lines that an earlier run had appended.
    pub lines_resumed: u64,
    /// Values of these lines that could not be used; `tally` does not count them.
    pub rejected_resumed: u64,
    /// Fields of these lines that could not be used whole; `tally` does not count them.
    pub lost_resumed: u64,
    /// Counts of the values, by outcome.
    pub tally: Tally,
    /// The first values and fields that could not be used, at most [`BAD_KEPT`]; `tally` counts all.
    pub bad: Vec<BadValue>,
    /// Inputs that could not be opened, were refused, or broke off. The others are not affected.
    pub failures: Vec<ReplayError>,
    /// True if each input was read as far as it goes; false if the replay was stopped.
    pub complete: bool,
}

impl ReplaySummary {
    /// Values that could not be used, those of an earlier run included.
    pub fn rejected_total(&self) -> u64 {
        self.rejected_resumed + self.tally.rejected_total()
    }

    /// Fields that could not be used whole, those of an earlier run included.
    pub fn lost_total(&self) -> u64 {
        self.lost_resumed + self.tally.lost_total()
    }
}

/// The number of bad values that are kept to be shown.
pub const BAD_KEPT: usize = 20;

/// Why an input, or the whole replay, ended early. Records appended before stay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The input cannot be opened.
    #[error("open {input}: {source}")]
    Open {
        /// The input's name.
        input: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The input is something else than posts in JSON.
    #[error("{input}: {refusal}")]
    Refused {
        /// The input's name.
        input: String,
        /// The input's kind, and a hint.
        refusal: Refusal,
    },
    /// The input broke off while it was read: a damaged or cut archive, a failing disk. All values before are appended.
    #[error("read {input} after line {line}: {source}")]
    Read {
        /// The input's name.
        input: String,
        /// The last line that was read whole.
        line: u64,
        /// The system's or the decoder's error.
        source: std::io::Error,
    },
    /// The log failed, which ends the replay.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Replays `inputs` one after the other into the log; returns when all of it is durable, or soon after `shutdown`.
///
/// An input that fails is named in the summary, and the next one is replayed. Only an error of the log ends the replay.
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
        match replay.run(input, &pacer, &shutdown).await {
            Err(ReplayError::Log(error)) => return Err(error.into()),
            Err(failure) => replay.summary.failures.push(failure),
            Ok(()) => {}
        }
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

/// The state of an input: its records on their way into the log, and its positions.
struct Pending {
    records: Vec<(Key, Bytes)>,
    /// The position once `records` are appended.
    end: Position,
    /// The time at which `records` have waited long enough.
    due: Instant,
    /// The position up to which everything is in the log.
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
        self.summary.rejected_resumed += from.rejected;
        self.summary.lost_resumed += from.lost;
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
                    Some(Err(Fault::Refused(refusal))) => break Err(ReplayError::Refused { input: name, refusal }),
                    Some(Err(Fault::Read(source))) => {
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
        part.words.into_iter().for_each(|word| self.settings.admission.hear(Some(word)));
        if let Some(end) = part.end {
            self.summary.lines += end.lines - pending.end.lines;
            pending.end = Position {
                rejected: pending.end.rejected + part.tally.rejected_total(),
                lost: pending.end.lost + part.tally.lost_total(),
                ..end
            };
        }
        self.summary.tally.add(&part.tally);
        let room = BAD_KEPT - self.summary.bad.len();
        let bad = part.bad.into_iter().take(room);
        self.summary.bad.extend(bad.map(|Bad { line, byte, why }| BadValue {
            input: input.to_owned(),
            line,
            byte,
            why,
        }));
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
fn translated(opened: Opened, from: Position, settings: &ReplaySettings) -> BoxStream<'static, Result<Part, Fault>> {
    let threads = settings.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let mut chunks = opened.read(from, settings.value_bytes_max, threads);
    let translator =
        Arc::new(Translator::new(settings.observed_at, settings.value_bytes_max, settings.admission.clone()));
    stream::poll_fn(move |context| chunks.poll_recv(context))
        .map(move |chunk| {
            let translator = translator.clone();
            async move {
                let chunk = chunk?;
                match spawn_blocking(move || translator.translate(chunk)).await {
                    Ok(part) => Ok(part),
                    Err(error) => match error.try_into_panic() {
                        Ok(panic) => resume_unwind(panic),
                        Err(cancelled) => Err(io::Error::other(cancelled).into()),
                    },
                }
            }
        })
        // One more than the threads, so that none waits while the oldest part is appended.
        .buffered(threads + 1)
        .boxed()
}
