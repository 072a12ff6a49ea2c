//! A chunk of values → a part of what is appended.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_log::Key;
use fedilake_model::json::{self, Mended};
use fedilake_model::{Flaw, Flaws, Moment, PostEvent};

use super::chunk::{Bad, Chunk};
use super::chunks::Chunks;
use super::line::Line;
use super::nested;
use super::position::Position;
use super::python;
use crate::admission::{Admission, Word};
use crate::counts::Tally;
use crate::records::records;

/// The greatest difference between the clocks of two machines that is taken for one: a frame that was seen further ahead
/// was not seen then.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(30);

/// Records of some values in the input's order, and what became of the others.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) records: Vec<(Key, Bytes)>,
    /// The observed_at of each record, in milliseconds since 1970.
    pub(super) observed_ms: Vec<i64>,
    /// The input's position once the records are appended; None if more parts of the same chunk follow.
    pub(super) end: Option<Position>,
    pub(super) tally: Tally,
    /// The authors' words, in the order of the input.
    pub(super) words: Vec<Word>,
    /// The first values that could not be used, or not whole.
    pub(super) bad: Vec<Bad>,
}

impl Part {
    /// The part in its order, cut wherever an event was observed `step_ms` or more after the first of its piece.
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
        parts.push(Part { end: self.end, tally: self.tally, words: self.words, bad: self.bad, ..part });
        parts
    }
}

/// Turns chunks into parts; used by several threads at once.
pub(super) struct Translator {
    observed_at: DateTime<Utc>,
    value_bytes_max: usize,
    admission: Admission,
}

impl Translator {
    pub(super) fn new(observed_at: DateTime<Utc>, value_bytes_max: usize, admission: Admission) -> Translator {
        Translator { observed_at, value_bytes_max, admission }
    }

    pub(super) fn translate(&self, chunk: Chunk) -> Part {
        let mut part = Part { end: Some(chunk.end), ..Part::default() };
        let mut events = Vec::new();
        let mut broken = chunk.bad.into_iter().peekable();
        for value in &chunk.values {
            let byte = chunk.first_byte + value.start as u64;
            while let Some(bad) = broken.next_if(|bad| bad.byte < byte) {
                part.reject(bad);
            }
            let text = chunk.text.slice(value.start..value.end);
            let place = Bad { line: value.line, byte, why: "" };
            let mut value = Mendable { text, mends: Flaws::default() };
            if let Err(why) = self.take(&value, place, &mut events, &mut part)
                // The first reason stays: it is that of the value as it was given.
                && !(value.mend() && self.take(&value, place, &mut events, &mut part).is_ok())
            {
                self.take_apart(&value, Bad { why, ..place }, &mut events, &mut part);
            }
        }
        broken.for_each(|bad| part.reject(bad));
        part.observed_ms = events.iter().map(observed_ms).collect();
        part.records = records(&events);
        part
    }

    /// Reads the value at `place` and counts what becomes of it; an error is the label of why it cannot be used.
    fn take(
        &self,
        value: &Mendable,
        place: Bad,
        events: &mut Vec<PostEvent>,
        part: &mut Part,
    ) -> Result<(), &'static str> {
        let text = &value.text;
        let outcome = self.event(text).or_else(|why| match python::without_nan(text).filter(|_| why == "not_json") {
            Some(mended) => self.event(&Bytes::from(mended)),
            None => Err(why),
        });
        match outcome? {
            Outcome::Event(event, mut flaws) => {
                let mut admitted = self.admission.judge(event);
                match admitted.skipped {
                    Some(skipped) => part.tally.skip(skipped),
                    None => {
                        flaws.add_all(value.mends);
                        flaws.iter().for_each(|flaw| part.flaw(flaw, place));
                    }
                }
                part.words.extend(admitted.word.take());
                events.extend(admitted.events());
            }
            Outcome::Unknown => part.tally.unknown += 1,
        }
        Ok(())
    }

    /// A value that cannot be used may be several, or a wrapper of some: lines are taken for values unseen.
    fn take_apart(&self, whole_value: &Mendable, whole: Bad, events: &mut Vec<PostEvent>, part: &mut Part) {
        let Mendable { text, mends } = whole_value;
        let mut chunks = Chunks::new(&text[..], Position::default(), self.value_bytes_max, false);
        let (mut values, mut broken) = (Vec::new(), Vec::new());
        // Reading from memory does not fail.
        while let Ok(Some(chunk)) = chunks.next() {
            let texts = chunk.values.iter().map(|value| chunk.text.slice(value.start..value.end));
            values.extend(texts);
            broken.extend(chunk.bad);
        }
        let is_one = values.first().is_some_and(|value: &Bytes| value.len() == text.len());
        let nested = if is_one || values.is_empty() { nested::posts_in(text) } else { Vec::new() };
        if !nested.is_empty() {
            values = nested;
        } else if is_one || values.is_empty() {
            let is_activity = ["\"@context\"", "\"attributedTo\"", "\"actor\""]
                .iter()
                .any(|name| memchr::memmem::find(text, name.as_bytes()).is_some());
            return part.reject(Bad { why: if is_activity { "activity_pub" } else { whole.why }, ..whole });
        }
        for text in values {
            let mut value = Mendable { text, mends: *mends };
            let taken = self.take(&value, whole, events, part);
            let taken = if taken.is_err() && value.mend() { self.take(&value, whole, events, part) } else { taken };
            if let Err(why) = taken {
                part.reject(Bad { why, ..whole });
            }
        }
        for bad in broken {
            part.reject(Bad { line: whole.line, byte: whole.byte + bad.byte, why: bad.why });
        }
    }

    fn event(&self, value: &Bytes) -> Result<Outcome, &'static str> {
        if let Some(recorded) = Line::parse_recorded(value)
            && let Ok(outcome) = self.outcome(recorded)
        {
            return Ok(outcome);
        }
        self.outcome(Line::parse(value)?)
    }

    fn outcome(&self, line: Line) -> Result<Outcome, &'static str> {
        let (server, observed_at, frame) = match line {
            Line::Frame { server, observed_at, frame } => (server, observed_at, frame),
            Line::Unknown => return Ok(Outcome::Unknown),
        };
        // Nothing was seen later than now. A replay of what is still being written may take long.
        let latest = self.observed_at.max(Utc::now()) + CLOCKS_APART_MAX;
        let seen_at = observed_at.at().filter(|seen_at| *seen_at <= latest);
        let event = PostEvent::from_api(&frame, &server, seen_at.unwrap_or(self.observed_at));
        let mut event = event.map_err(|rejected| rejected.reason.as_str())?;
        if seen_at.is_none() {
            event.doubt_edit_after(latest);
        }
        let mut flaws = event.post().map_or_else(Flaws::default, |post| post.flaws);
        flaws.add_if(observed_at == Moment::Unreadable, Flaw::ObservedAtUnreadable);
        flaws.add_if(observed_at.at().is_some() && seen_at.is_none(), Flaw::ObservedAtAhead);
        Ok(Outcome::Event(event, flaws))
    }
}

/// A value, and what was mended in its text.
struct Mendable {
    text: Bytes,
    mends: Flaws,
}

impl Mendable {
    /// Mends the text's broken characters; true if there were some.
    fn mend(&mut self) -> bool {
        let Some(Mended { text, mends }) = json::mended(&self.text) else { return false };
        self.text = Bytes::from(text);
        self.mends.add_all(mends);
        true
    }
}

enum Outcome {
    /// An event, and what is wrong with what it was made of.
    Event(PostEvent, Flaws),
    Unknown,
}

impl Part {
    fn reject(&mut self, bad: Bad) {
        self.tally.reject(bad.why);
        self.keep(bad);
    }

    fn flaw(&mut self, flaw: Flaw, place: Bad) {
        self.tally.add_flaw(flaw);
        if flaw.is_loss() {
            self.keep(Bad { why: flaw.as_str(), ..place });
        }
    }

    fn keep(&mut self, bad: Bad) {
        if self.bad.len() < super::BAD_KEPT {
            self.bad.push(bad);
        }
    }
}

fn observed_ms(event: &PostEvent) -> i64 {
    let observed_at = match event {
        PostEvent::Created(post) | PostEvent::Edited(post) => post.observed_at,
        PostEvent::Deleted(deletion) => deletion.observed_at,
    };
    observed_at.timestamp_millis()
}
