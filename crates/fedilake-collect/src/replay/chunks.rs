//! JSON values in large pieces, cut from a stream.
//!
//! An input is a sequence of JSON values in any layout that people save: one a line, in arrays, indented, with commas or blank
//! lines or nothing between them, in the lists of a wrapper such as `{"statuses": […]}`. The reader of a stream decides where
//! each value ends and looks no further into it; translating the values is for the threads that take the chunks.
//!
//! - **Lines are fast.** After [`REGULAR`] values that were one line each, a line that begins with `{` and ends with `}` counts
//!   as a value unseen, until a line looks otherwise. A line for which that was wrong is split by whoever cannot translate it.
//! - **A broken value costs itself.** Reading goes on at the next element of its array, at the next line, or, where the value
//!   was indented, at the next line that is indented no deeper. What was passed over is one [`Bad`] value.
//! - **Memory is bounded.** A value longer than the limit is passed over without being held, as is all that is not a value.
//! - **A chunk ends where reading can begin again**: a [`Position`] says which arrays and wrappers are open there.

mod recovery;
mod split;
#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::mem;

use bytes::Bytes;

use self::recovery::Seek;
use super::chunk::{Bad, Chunk, Value};
use super::packed::read_more;
use super::position::{Open, Position};
use super::value::Scan;

/// Cuts a reader into chunks.
pub(super) struct Chunks<R> {
    reader: R,
    value_bytes_max: usize,
    chunk_bytes_min: usize,
    is_live: bool,
    /// Read, and neither given out nor passed over.
    buffer: Vec<u8>,
    /// Where the buffer's first byte stands in the input.
    buffer_at: u64,
    /// The place in the buffer up to which it is split.
    at: usize,
    /// The line of that place, from 1.
    line: u64,
    /// The place in the buffer at which a chunk may end: there stands `end`.
    safe: usize,
    end: Position,
    /// Where the last chunk ended.
    given: Position,
    open: Open,
    /// White space before the values of this line.
    indent: usize,
    state: State,
    /// Values in a row that were one line each.
    regular: u32,
    values: Vec<Value>,
    bad: Vec<Bad>,
    /// True if the last byte that was read is a line end.
    ends_line: bool,
    /// Nothing more is to be read; an error is given out after all that came before it.
    ended: Option<io::Result<()>>,
}

/// The surroundings of the split place.
enum State {
    /// Between values.
    Between,
    /// At the first byte of a value, which is held.
    Value(Scan),
    /// In the middle of a value that is too long to be held.
    Passing(Scan, Bad),
    /// In a wrapper, after one of its members.
    Members(Scan),
    /// Behind a broken value, looking for where to go on.
    Seeking(Seek, Bad),
}

enum Split {
    /// Something of the buffer was used.
    Some,
    /// Nothing can be done before more is read.
    Starved,
}

/// Enough posts that a thread has something to do, few enough that several chunks fit a cache.
const CHUNK_BYTES: usize = 512 * 1024;
const READ_BYTES: usize = 256 * 1024;
/// Values that were one line each, until lines are taken for values.
const REGULAR: u32 = 64;
/// A chunk holds no more values and bad ones than this, however short they are.
const CHUNK_VALUES_MAX: usize = 20_000;

impl<R: Read> Chunks<R> {
    /// Chunks of `reader`, which stands at `from`. With `is_live`, values are given out as soon as they are whole.
    pub(super) fn new(reader: R, from: Position, value_bytes_max: usize, is_live: bool) -> Chunks<R> {
        Chunks {
            reader,
            value_bytes_max,
            chunk_bytes_min: CHUNK_BYTES,
            is_live,
            buffer: Vec::new(),
            buffer_at: from.bytes,
            at: 0,
            line: from.lines + 1,
            safe: 0,
            end: from,
            given: from,
            open: from.open,
            // In the middle of an input nobody knows: then any line will do.
            indent: if from.bytes == 0 { 0 } else { usize::MAX },
            state: State::Between,
            regular: 0,
            values: Vec::new(),
            bad: Vec::new(),
            ends_line: true,
            ended: None,
        }
    }

    /// The next chunk; none at the end of the input. After an error nothing follows.
    pub(super) fn next(&mut self) -> io::Result<Option<Chunk>> {
        loop {
            let has_some = !self.values.is_empty() || !self.bad.is_empty();
            let is_many = self.values.len() + self.bad.len() >= CHUNK_VALUES_MAX;
            if has_some && (is_many || self.safe >= self.chunk_bytes_min) {
                return Ok(Some(self.cut()));
            }
            match self.split() {
                Split::Some => {}
                Split::Starved if self.ended.is_none() => {
                    // Bytes that are passed over need not be held; values gathered before them go first.
                    let passes = matches!(self.state, State::Passing(..) | State::Members(_) | State::Seeking(..));
                    if has_some && (passes || self.is_live) {
                        return Ok(Some(self.cut()));
                    }
                    self.forget();
                    self.read();
                }
                Split::Starved if matches!(self.ended, Some(Ok(()))) && !self.end_of_input() => {}
                Split::Starved if has_some || self.end != self.given => return Ok(Some(self.cut())),
                Split::Starved => {
                    // A value that an error cuts is lost.
                    (self.buffer, self.at, self.safe) = (Vec::new(), 0, 0);
                    (self.state, self.open, self.ends_line) = (State::Between, Open::default(), true);
                    return self.ended.replace(Ok(())).transpose().map(|_| None);
                }
            }
        }
    }

    /// Reads once, to the end of the buffer.
    fn read(&mut self) {
        match read_more(&mut self.reader, &mut self.buffer, READ_BYTES) {
            Ok(0) => self.ended = Some(Ok(())),
            Ok(_) => self.ends_line = self.buffer.ends_with(b"\n"),
            Err(error) => self.ended = Some(Err(error)),
        }
    }

    /// Gives out what lies before the safe place.
    fn cut(&mut self) -> Chunk {
        let rest = self.buffer.split_off(self.safe);
        let text = mem::replace(&mut self.buffer, rest);
        let chunk = Chunk {
            first_byte: self.buffer_at,
            values: mem::take(&mut self.values),
            bad: mem::take(&mut self.bad),
            end: self.end,
            text: Bytes::from(text),
        };
        self.buffer_at += self.safe as u64;
        self.at -= self.safe;
        self.safe = 0;
        self.given = self.end;
        chunk
    }

    /// Lets go of what was passed over. Nothing before the split place may be wanted any more.
    fn forget(&mut self) {
        let is_held = !self.values.is_empty() || matches!(self.state, State::Value(_));
        if !is_held && self.at > 0 {
            self.buffer.drain(..self.at);
            self.buffer_at += self.at as u64;
            self.safe = self.safe.saturating_sub(self.at);
            self.at = 0;
        }
    }

    /// Settles what was begun; false where there is something to split again.
    fn end_of_input(&mut self) -> bool {
        match mem::replace(&mut self.state, State::Between) {
            State::Between => {}
            State::Value(_) => {
                self.break_off(self.buffer.len() - self.at, "cut_off");
                return false;
            }
            State::Passing(_, bad) | State::Seeking(_, bad) => self.bad.push(bad),
            State::Members(_) => {}
        }
        if !self.open.is_empty() {
            let bad = self.bad_here("cut_off");
            // One entry for what was cut is enough.
            if self.bad.last().is_none_or(|last| last.why != "cut_off") {
                self.bad.push(bad);
            }
            self.open = Open::default();
        }
        self.at = self.buffer.len();
        self.line += u64::from(!mem::replace(&mut self.ends_line, true));
        self.settle();
        true
    }

    /// The split place is one at which reading can begin again.
    fn settle(&mut self) {
        self.safe = self.at;
        let bytes = self.buffer_at + self.at as u64;
        self.end = Position { bytes, lines: self.line - 1, open: self.open, ..Position::default() };
    }

    fn bad_here(&self, why: &'static str) -> Bad {
        Bad { line: self.line, byte: self.buffer_at + self.at as u64, why }
    }

    /// Moves the split place by `length`, over whatever lines.
    fn advance(&mut self, length: usize) {
        let passed = &self.buffer[self.at..self.at + length];
        self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
        self.at += length;
    }
}
