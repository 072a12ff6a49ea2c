//! A chunk of lines → a part of what is appended.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_log::Key;
use fedilake_model::PostEvent;
use fedilake_model::avro::Encoder;

use super::chunk::{Chunk, Position};
use super::line::Line;
use crate::admit::admit;
use crate::counts::Tally;
use crate::records::records;

/// Records of some lines in the input's order, and what became of the others.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) records: Vec<(Key, Bytes)>,
    /// When each record was observed, milliseconds since 1970.
    pub(super) observed_ms: Vec<i64>,
    /// Where the input stands once the records are appended; none when more parts of the same chunk follow.
    pub(super) end: Option<Position>,
    pub(super) tally: Tally,
    /// Line numbers and why they could not be used.
    pub(super) bad_lines: Vec<(u64, &'static str)>,
}

impl Part {
    /// The same in the same order, cut wherever an event was observed `step_ms` or more after the first of its part.
    pub(super) fn split(mut self, step_ms: i64) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut part = Part::default();
        for (record, observed_ms) in self.records.into_iter().zip(self.observed_ms.drain(..)) {
            if part.observed_ms.first().is_some_and(|first| observed_ms - first >= step_ms) {
                parts.push(std::mem::take(&mut part));
            }
            part.records.push(record);
            part.observed_ms.push(observed_ms);
        }
        parts.push(Part { end: self.end, tally: self.tally, bad_lines: self.bad_lines, ..part });
        parts
    }
}

/// Turns chunks into parts; used by several threads at once.
pub(super) struct Translator {
    observed_at: DateTime<Utc>,
    line_bytes_max: usize,
    /// Idle ones: at most as many as there were threads at once.
    encoders: Mutex<Vec<Encoder>>,
}

impl Translator {
    pub(super) fn new(observed_at: DateTime<Utc>, line_bytes_max: usize) -> Translator {
        Translator { observed_at, line_bytes_max, encoders: Mutex::default() }
    }

    pub(super) fn translate(&self, chunk: Chunk) -> Part {
        let mut part = Part { end: Some(chunk.end), ..Part::default() };
        let mut events = Vec::new();
        for (number, line) in (chunk.first_line..).zip(lines(&chunk.lines)) {
            match self.event(&line) {
                Ok(Outcome::Event(event)) => match admit(&event) {
                    Ok(()) => events.push(event),
                    Err(skipped) => part.tally.skip(skipped),
                },
                Ok(Outcome::Unknown) => part.tally.unknown += 1,
                Ok(Outcome::Blank) => {}
                // Only an input's last line lacks its end: it was being written when the recording stopped.
                Err("not_json" | "not_utf8") if !line.ends_with(b"\n") => part.reject(number, "cut_off"),
                Err(why) => part.reject(number, why),
            }
        }
        if chunk.too_long {
            part.reject(chunk.first_line, "too_long");
        }
        part.observed_ms = events.iter().map(observed_ms).collect();
        let mut encoder = self.idle().pop().unwrap_or_default();
        part.records = records(&mut encoder, &events);
        self.idle().push(encoder);
        part
    }

    fn event(&self, line: &Bytes) -> Result<Outcome, &'static str> {
        if line.len() > self.line_bytes_max {
            return Err("too_long");
        }
        if let Some(recorded) = Line::parse_recorded(line)
            && let Ok(outcome) = self.outcome(recorded)
        {
            return Ok(outcome);
        }
        self.outcome(Line::parse(line)?)
    }

    fn outcome(&self, line: Line) -> Result<Outcome, &'static str> {
        let (server, observed_at, frame) = match line {
            Line::Frame { server, observed_at, frame } => (server, observed_at, frame),
            Line::Unknown => return Ok(Outcome::Unknown),
            Line::Blank => return Ok(Outcome::Blank),
        };
        let event = PostEvent::from_api(&frame, &server, observed_at.unwrap_or(self.observed_at));
        event.map(Outcome::Event).map_err(|rejected| rejected.reason.as_str())
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Encoder>> {
        self.encoders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Outcome {
    Event(PostEvent),
    Unknown,
    Blank,
}

impl Part {
    fn reject(&mut self, line: u64, why: &'static str) {
        self.tally.reject(why);
        if self.bad_lines.len() < super::BAD_LINES_KEPT {
            self.bad_lines.push((line, why));
        }
    }
}

/// Each line with its line end.
fn lines(bytes: &Bytes) -> impl Iterator<Item = Bytes> {
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', bytes).map(|at| at + 1);
    let last = (!bytes.ends_with(b"\n") && !bytes.is_empty()).then_some(bytes.len());
    ends.chain(last).map(move |end| bytes.slice(std::mem::replace(&mut start, end)..end))
}

fn observed_ms(event: &PostEvent) -> i64 {
    let observed_at = match event {
        PostEvent::Created(post) | PostEvent::Edited(post) => post.observed_at,
        PostEvent::Deleted(deletion) => deletion.observed_at,
    };
    observed_at.timestamp_millis()
}
