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

use std::io::{self, Read};
use std::{fmt, mem};

use bytes::Bytes;

use super::value::{Scan, Step, closed_on_its_line};

/// How far into an input's decoded bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) bytes: u64,
    pub(super) lines: u64,
    /// Values before it that could not be used.
    pub(super) rejected: u64,
    /// Arrays and wrappers around it.
    pub(super) open: Open,
}

impl Position {
    /// Reads a position as [`Position::fmt`] writes it, also the older form that ends after the lines. Text that is no position
    /// counts as the start.
    pub(super) fn parse(saved: Option<&str>) -> Position {
        let mut parts = saved.unwrap_or_default().split(' ');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (Some(bytes), Some(lines)) = (number(), number()) else { return Position::default() };
        let rejected = number().unwrap_or(0);
        match parts.next().map(Open::parse) {
            None => Position { bytes, lines, rejected, open: Open::default() },
            Some(Some(open)) => Position { bytes, lines, rejected, open },
            Some(None) => Position::default(),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.bytes, self.lines, self.rejected, self.open)
    }
}

/// Arrays and wrapper objects around a place, the innermost last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    /// A bit each, 1 for an object; the innermost is the lowest.
    objects: u64,
    count: u32,
}

impl Open {
    fn parse(saved: &str) -> Option<Open> {
        let mut open = Open::default();
        for byte in saved.strip_prefix('-')?.bytes() {
            matches!(byte, b'{' | b'[').then(|| open.push(byte))?;
        }
        Some(open)
    }

    /// Where there are too many, the outermost is forgotten.
    fn push(&mut self, byte: u8) {
        self.objects = self.objects << 1 | u64::from(byte == b'{');
        self.count = (self.count + 1).min(u64::BITS);
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.count = self.count.saturating_sub(1);
    }

    fn is_empty(self) -> bool {
        self.count == 0
    }

    fn is_in_object(self) -> bool {
        self.objects & 1 == 1
    }

    fn is_in_array(self) -> bool {
        !self.is_empty() && !self.is_in_object()
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("-")?;
        (0..self.count).rev().try_for_each(|at| f.write_str(if self.objects >> at & 1 == 1 { "{" } else { "[" }))
    }
}

/// A piece of an input.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) text: Bytes,
    /// Where in the input `text` begins.
    pub(super) first_byte: u64,
    /// In the input's order, within `text`.
    pub(super) values: Vec<Value>,
    /// In the input's order.
    pub(super) bad: Vec<Bad>,
    /// Where the input stands after this.
    pub(super) end: Position,
}

/// Where a value stands in its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The line that it begins in, from 1.
    pub(super) line: u64,
}

/// A value that could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// The line that it begins in, from 1.
    pub(super) line: u64,
    /// Where it begins in the input, from 0.
    pub(super) byte: u64,
    /// The label under which it is counted.
    pub(super) why: &'static str,
}

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
    /// Whether the last byte that was read is a line end.
    ends_line: bool,
    /// Nothing more is to be read; an error is given out after all that came before it.
    ended: Option<io::Result<()>>,
}

/// What the split place of the buffer is in.
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

/// Where reading goes on after a broken value.
#[derive(Clone, Copy, Debug)]
enum Seek {
    /// The next line.
    Line,
    /// The next line that begins with a brace or a bracket and is indented no deeper than this.
    Indented(usize),
    /// The next element of the array, if it is on the same line.
    Element,
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
                    // What is passed over need not be held; what was gathered before it goes first.
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
                    // What was begun before an error is lost with what should have followed it.
                    (self.buffer, self.at, self.safe) = (Vec::new(), 0, 0);
                    (self.state, self.open, self.ends_line) = (State::Between, Open::default(), true);
                    return self.ended.replace(Ok(())).transpose().map(|_| None);
                }
            }
        }
    }

    /// Reads once, to the end of the buffer.
    fn read(&mut self) {
        let before = self.buffer.len();
        self.buffer.resize(before + READ_BYTES, 0);
        let read = loop {
            match self.reader.read(&mut self.buffer[before..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(before + *read.as_ref().unwrap_or(&0));
        match read {
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
        self.end = Position { bytes, lines: self.line - 1, rejected: 0, open: self.open };
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

    /// Uses something of the buffer.
    fn split(&mut self) -> Split {
        match mem::replace(&mut self.state, State::Between) {
            State::Between => self.between(),
            State::Value(scan) => self.value(scan),
            State::Passing(scan, bad) => self.passing(scan, bad),
            State::Members(scan) => self.members(scan),
            State::Seeking(seek, bad) => self.seek(seek, bad),
        }
    }

    fn between(&mut self) -> Split {
        if self.open.is_in_object() {
            self.state = State::Members(Scan::of_members());
            return Split::Some;
        }
        self.separators();
        self.settle();
        let Some(&byte) = self.buffer.get(self.at) else { return Split::Starved };
        match byte {
            b'{' if self.regular >= REGULAR => self.line(),
            b'{' => {
                self.state = State::Value(Scan::of_object());
                Split::Some
            }
            b'[' => {
                self.open.push(b'[');
                self.bracket()
            }
            b']' if self.open.is_in_array() => {
                self.open.pop();
                self.bracket()
            }
            // They close what was broken before.
            b']' | b'}' => self.bracket(),
            0xef if b"\xef\xbb\xbf".starts_with(&self.buffer[self.at..]) && self.ended.is_none() => Split::Starved,
            _ => self.no_object(),
        }
    }

    fn bracket(&mut self) -> Split {
        self.at += 1;
        self.settle();
        Split::Some
    }

    /// White space, commas, the record separators of JSON sequences, and byte order marks, which stand wherever files were joined.
    fn separators(&mut self) {
        let mut indent = None;
        while let Some(&byte) = self.buffer.get(self.at) {
            match byte {
                b'\n' => {
                    self.line += 1;
                    indent = Some(0);
                }
                b' ' | b'\t' => indent = indent.map(|indent| indent + 1),
                b'\r' | b',' | 0x1e => {}
                0xef if self.buffer[self.at..].starts_with(b"\xef\xbb\xbf") => self.at += 2,
                _ => break,
            }
            self.at += 1;
        }
        self.indent = indent.unwrap_or(self.indent);
    }

    /// A line that should be a value, as those before it were.
    fn line(&mut self) -> Split {
        let length = match memchr::memchr(b'\n', &self.buffer[self.at..]) {
            Some(length) => length,
            None if self.buffer.len() - self.at <= self.value_bytes_max && self.ended.is_none() => {
                return Split::Starved;
            }
            None => {
                self.regular = 0;
                return Split::Some;
            }
        };
        let line = self.buffer[self.at..self.at + length].trim_ascii_end();
        let value = line.strip_suffix(b",").map_or(line, <[u8]>::trim_ascii_end);
        if !value.ends_with(b"}") || value.len() > self.value_bytes_max {
            self.regular = 0;
            return Split::Some;
        }
        self.values.push(Value { start: self.at, end: self.at + value.len(), line: self.line });
        self.at += length + 1;
        self.line += 1;
        self.indent = 0;
        self.settle();
        Split::Some
    }

    fn value(&mut self, mut scan: Scan) -> Split {
        match scan.advance(&self.buffer[self.at..]) {
            Step::End(length) if length > self.value_bytes_max => {
                self.bad.push(self.bad_here("too_long"));
                self.advance(length);
                self.settle();
            }
            Step::End(length) => {
                let value = Value { start: self.at, end: self.at + length, line: self.line };
                self.values.push(value);
                self.regular = if self.is_a_line(value) { self.regular + 1 } else { 0 };
                self.advance(length);
                self.settle();
            }
            Step::Enter(length) => {
                self.open.push(b'{');
                self.enter(length);
            }
            Step::Broken(_) | Step::TooDeep(_) if self.lacks_line_end() => {
                // Where to go on is decided with all of the line in sight; the scan will say the same again.
                self.state = State::Value(scan);
                return Split::Starved;
            }
            Step::Broken(length) => self.break_off(length, "not_json"),
            Step::TooDeep(length) => self.break_off(length, "too_deep"),
            Step::More if self.buffer.len() - self.at > self.value_bytes_max => {
                let bad = self.bad_here("too_long");
                self.regular = 0;
                self.advance(scan.forget());
                self.state = State::Passing(scan, bad);
            }
            Step::More => {
                self.state = State::Value(scan);
                return Split::Starved;
            }
        }
        Split::Some
    }

    /// Whether nothing else is on the lines of `value` than a comma.
    fn is_a_line(&self, value: Value) -> bool {
        let before = self.buffer[..value.start].iter().rev().find(|byte| !matches!(byte, b' ' | b'\t'));
        let after = self.buffer[value.end..].iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b','));
        before.is_none_or(|byte| *byte == b'\n')
            && after.is_none_or(|byte| *byte == b'\n')
            && !self.buffer[value.start..value.end].contains(&b'\n')
    }

    /// Goes into a wrapper: `length` on stands the `[` or `{` of its member.
    fn enter(&mut self, length: usize) {
        self.regular = 0;
        self.advance(length);
        if self.buffer[self.at] == b'{' {
            self.state = State::Value(Scan::of_object());
        } else {
            self.open.push(b'[');
            self.bracket();
        }
    }

    fn passing(&mut self, mut scan: Scan, bad: Bad) -> Split {
        let step = scan.advance(&self.buffer[self.at..]);
        match step {
            Step::End(length) => {
                self.bad.push(bad);
                self.advance(length);
                self.settle();
            }
            Step::Broken(length) | Step::TooDeep(length) => {
                self.advance(length);
                self.leave_wrappers();
                self.state = State::Seeking(Seek::Element, bad);
            }
            // A wrapper whose first members were too long to be held.
            Step::Enter(length) => {
                self.open.push(b'{');
                self.enter(length);
            }
            Step::More => {
                self.advance(scan.forget());
                self.state = State::Passing(scan, bad);
                return Split::Starved;
            }
        }
        Split::Some
    }

    fn members(&mut self, mut scan: Scan) -> Split {
        match scan.advance(&self.buffer[self.at..]) {
            Step::End(length) => {
                self.advance(length);
                self.open.pop();
                self.settle();
            }
            Step::Enter(length) => self.enter(length),
            Step::Broken(length) | Step::TooDeep(length) => {
                self.advance(length);
                self.open.pop();
                let bad = self.bad_here("not_json");
                if self.buffer[self.at] == b'{' {
                    // The wrapper was torn, and the next value begins.
                    self.bad.push(bad);
                    self.settle();
                } else {
                    self.state = State::Seeking(Seek::Line, bad);
                }
            }
            Step::More => {
                self.advance(scan.forget());
                self.state = State::Members(scan);
                return Split::Starved;
            }
        }
        Split::Some
    }

    /// What begins here is no object: in an array a value of another kind, elsewhere a line of another kind.
    fn no_object(&mut self) -> Split {
        let rest = &self.buffer[self.at..];
        let found = if self.open.is_in_array() { end_of_scalar(rest) } else { memchr::memchr(b'\n', rest) };
        self.regular = 0;
        match found {
            None if rest.len() > self.value_bytes_max => {
                self.state = State::Seeking(Seek::Line, self.bad_here("too_long"));
                Split::Some
            }
            None if self.ended.is_none() => Split::Starved,
            found => {
                let length = found.unwrap_or(rest.len());
                let why = if length > self.value_bytes_max {
                    "too_long"
                } else if std::str::from_utf8(&rest[..length]).is_err() {
                    "not_utf8"
                } else {
                    "not_an_object"
                };
                self.bad.push(self.bad_here(why));
                self.advance(length);
                self.settle();
                Split::Some
            }
        }
    }

    /// The value at the split place is broken, `length` on. Decides where to go on.
    fn break_off(&mut self, length: usize, why: &'static str) {
        self.leave_wrappers();
        let rest = &self.buffer[self.at..];
        let bad = self.bad_here(if std::str::from_utf8(&rest[..length]).is_err() { "not_utf8" } else { why });
        let first_line = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let is_of_line = length <= first_line
            || (first_line > 1 && rest[first_line..length].iter().all(|byte| byte.is_ascii_whitespace()));
        if !is_of_line {
            self.at += first_line;
            self.state = State::Seeking(Seek::Indented(self.indent), bad);
        } else if self.open.is_in_array() {
            self.state = State::Seeking(Seek::Element, bad);
        } else if let Some(closed) = closed_on_its_line(&rest[..first_line]).filter(|closed| *closed >= length) {
            self.bad.push(bad);
            self.at += closed;
            self.settle();
        } else {
            self.state = State::Seeking(Seek::Line, bad);
        }
    }

    /// Whether the end of this line is yet to be read, and short enough to be waited for.
    fn lacks_line_end(&self) -> bool {
        let rest = &self.buffer[self.at..];
        self.ended.is_none() && rest.len() <= self.value_bytes_max && memchr::memchr(b'\n', rest).is_none()
    }

    /// A wrapper goes with what it wraps.
    fn leave_wrappers(&mut self) {
        self.regular = 0;
        while self.open.is_in_object() {
            self.open.pop();
        }
    }

    /// Looks for where to go on after a broken value, from the split place on.
    fn seek(&mut self, seek: Seek, bad: Bad) -> Split {
        let rest = &self.buffer[self.at..];
        let found = match seek {
            Seek::Line => memchr::memchr(b'\n', rest).ok_or(rest.len()),
            Seek::Indented(indent) => outdented(rest, indent),
            Seek::Element => element(rest, self.value_bytes_max, self.ended.is_some()),
        };
        match found {
            Ok(length) => {
                let goes_on = length < rest.len();
                self.advance(length);
                self.bad.push(Bad { why: if goes_on && bad.why == "cut_off" { "not_json" } else { bad.why }, ..bad });
                self.settle();
                Split::Some
            }
            Err(passed) => {
                self.advance(passed);
                self.state = State::Seeking(seek, bad);
                Split::Starved
            }
        }
    }
}

/// Where a value that is no object ends in an array.
fn end_of_scalar(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    if rest.first() == Some(&b'"') {
        at = 1;
        loop {
            at += memchr::memchr3(b'"', b'\\', b'\n', &rest[at..])?;
            match rest[at] {
                b'\\' => at += 2,
                _ => break,
            }
            if at > rest.len() {
                return None;
            }
        }
        at += usize::from(rest[at] == b'"');
    }
    rest[at..].iter().position(|byte| matches!(byte, b',' | b']' | b'\n')).map(|length| at + length)
}

/// The first line after the one that `rest` is in which begins with a brace or a bracket and is indented no deeper than
/// `indent`; where there is none, how much was looked at in vain.
fn outdented(rest: &[u8], indent: usize) -> Result<usize, usize> {
    let mut from = 0;
    while let Some(line_end) = memchr::memchr(b'\n', &rest[from..]) {
        let line = from + line_end + 1;
        match rest[line..].iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\r')) {
            Some(begins) if begins <= indent && matches!(rest[line + begins], b'{' | b'[' | b'}' | b']') => {
                return Ok(line + begins);
            }
            // What the line begins with is yet to be read.
            None if rest.len() - line <= indent.min(READ_BYTES) => return Err(line - 1),
            _ => from = line,
        }
    }
    Err(rest.len())
}

/// The next element of an array of posts on the line that `rest` is in, or else the line's end; where neither is there, how
/// much was looked at in vain.
fn element(rest: &[u8], value_bytes_max: usize, is_last: bool) -> Result<usize, usize> {
    let mut from = 1;
    while let Some(found) = memchr::memchr2(b'{', b'\n', rest.get(from..).unwrap_or_default()) {
        let at = from + found;
        if rest[at] == b'\n' {
            return Ok(end_of_last(rest).unwrap_or(at));
        }
        from = at + 1;
        if rest[..at].trim_ascii_end().last() != Some(&b',') {
            continue;
        }
        match Scan::of_object().advance(&rest[at..]) {
            Step::End(length) if is_of_posts(&rest[at..at + length]) => return Ok(at),
            Step::More if rest.len() - at <= value_bytes_max && !is_last => return Err(0),
            _ => {}
        }
    }
    if is_last {
        return Ok(end_of_last(rest).unwrap_or(rest.len()));
    }
    // The comma before an element is wanted.
    Err(if rest.len() > value_bytes_max { rest.len() - 1 } else { 0 })
}

/// Where the array's last element ends, if that is what begins here.
fn end_of_last(rest: &[u8]) -> Option<usize> {
    closed_on_its_line(rest).filter(|closed| rest[*closed..].trim_ascii_start().starts_with(b"]"))
}

/// Whether a broken array's object is one of its elements, and not a part of one.
fn is_of_posts(object: &[u8]) -> bool {
    let has = |name: &[u8]| memchr::memmem::find(object, name).is_some();
    has(b"\"account\"") || has(b"\"payload\"")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    /// Gives at most `step` bytes a read, then fails if told to.
    struct Slow<'a> {
        bytes: &'a [u8],
        step: usize,
        fails: bool,
    }

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.bytes.len().min(self.step).min(buffer.len());
            if count == 0 && self.fails {
                return Err(io::Error::other("broken"));
            }
            let (head, rest) = self.bytes.split_at(count);
            buffer[..count].copy_from_slice(head);
            self.bytes = rest;
            Ok(count)
        }
    }

    fn chunks(bytes: &[u8], from: Position, step: usize, max: usize, chunk_bytes_min: usize) -> Vec<Chunk> {
        let rest = &bytes[usize::try_from(from.bytes).unwrap()..];
        let mut chunks = Chunks::new(Slow { bytes: rest, step, fails: false }, from, max, false);
        chunks.chunk_bytes_min = chunk_bytes_min;
        std::iter::from_fn(|| chunks.next().unwrap()).collect()
    }

    fn values(chunks: &[Chunk]) -> Vec<String> {
        let of_chunk = |chunk: &Chunk| {
            let text = |value: &Value| String::from_utf8(chunk.text[value.start..value.end].to_vec()).unwrap();
            chunk.values.iter().map(text).collect::<Vec<_>>()
        };
        chunks.iter().flat_map(of_chunk).collect()
    }

    /// Each value's id and line, and each broken one's line and reason, in order.
    fn read(text: &str) -> String {
        let chunks = chunks(text.as_bytes(), Position::default(), 7, 200, usize::MAX);
        let mut found = Vec::new();
        for chunk in &chunks {
            for value in &chunk.values {
                let json: serde_json::Value = serde_json::from_slice(&chunk.text[value.start..value.end]).unwrap();
                let byte = chunk.first_byte + value.start as u64;
                found.push((byte, format!("{}@{}", json["id"].as_str().unwrap_or("?"), value.line)));
            }
            found.extend(chunk.bad.iter().map(|bad| (bad.byte, format!("{}@{}", bad.why, bad.line))));
        }
        found.sort();
        found.into_iter().map(|(_, found)| found).collect::<Vec<_>>().join(" ")
    }

    fn post(id: usize) -> String {
        format!(
            r#"{{"id":"{id}","content":"}},{{\"[x","account":{{"acct":"ann"}},"tags":[{{"name":"a"}},{{"name":"b"}}]}}"#
        )
    }

    fn indented(json: &str) -> String {
        serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(json).unwrap()).unwrap()
    }

    /// The layouts in which people keep posts.
    const LAYOUTS: [&str; 12] = [
        "lines",
        "crlf",
        "page",
        "array of lines",
        "indented array",
        "joined objects",
        "comma after line",
        "pages",
        "wrapped",
        "glued",
        "wrapped lines",
        "sequence",
    ];

    fn laid_out(layout: &str, posts: &[String]) -> String {
        match layout {
            "lines" => posts.iter().map(|post| format!("{post}\n\n")).collect(),
            "crlf" => format!("\u{feff}{}", posts.join("\r\n")),
            "page" => format!("[{}]", posts.join(", ")),
            "array of lines" => format!("[\n{}\n]\n", posts.join(",\n")),
            "indented array" => indented(&format!("[{}]", posts.join(","))),
            "joined objects" => posts.iter().map(|post| indented(post) + "\n").collect(),
            "comma after line" => posts.iter().map(|post| format!("{post},\n")).collect(),
            "pages" => posts.chunks(3).map(|page| format!("[{}]\n", page.join(","))).collect(),
            "wrapped" => format!(r#"{{"accounts":[{{"id":"x"}}],"statuses":[{}],"hashtags":[]}}"#, posts.join(",")),
            "glued" => posts.concat(),
            "wrapped lines" => {
                posts.iter().map(|post| format!("{{\"type\":\"mention\",\"status\":{post},\"id\":\"n\"}}\n")).collect()
            }
            "sequence" => posts.iter().map(|post| format!("\u{1e}{post}\n")).collect(),
            other => panic!("{other}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn whatever_the_layout_each_value_is_found_and_a_chunk_ends_where_reading_can_begin_again(
            layout in 0..LAYOUTS.len(), count in 0usize..120, step in 1usize..300, chunk_bytes_min in 1usize..400,
        ) {
            let posts: Vec<String> = (0..count).map(post).collect();
            let text = laid_out(LAYOUTS[layout], &posts);
            let expected: Vec<serde_json::Value> = posts.iter().map(|post| serde_json::from_str(post).unwrap()).collect();
            let parsed = |chunks: &[Chunk]| -> Vec<serde_json::Value> {
                values(chunks).iter().map(|value| serde_json::from_str(value).unwrap()).collect()
            };
            let all = chunks(text.as_bytes(), Position::default(), step, 10_000, chunk_bytes_min);
            // Once they are regular, lines are values unseen: what is wrapped is taken apart later.
            prop_assert_eq!(&parsed(&all), &expected);
            prop_assert!(all.iter().all(|chunk| chunk.bad.is_empty()));
            let end = all.last().map_or(Position::default(), |chunk| chunk.end);
            prop_assert_eq!(end, Position {
                bytes: text.len() as u64, lines: text.lines().count() as u64, rejected: 0, open: Open::default(),
            });
            let mut seen = 0;
            for chunk in &all {
                seen += chunk.values.len();
                let saved = Position::parse(Some(&chunk.end.to_string()));
                prop_assert_eq!(saved, chunk.end);
                let rest = chunks(text.as_bytes(), saved, step, 10_000, chunk_bytes_min);
                prop_assert_eq!(&parsed(&rest)[..], &expected[seen..]);
                prop_assert_eq!(rest.last().map_or(saved, |chunk| chunk.end).bytes, end.bytes);
            }
        }

        #[test]
        fn every_line_of_a_value_is_named_rightly(layout in 0..LAYOUTS.len(), count in 1usize..90, step in 1usize..300) {
            let posts: Vec<String> = (0..count).map(post).collect();
            let text = laid_out(LAYOUTS[layout], &posts);
            for chunk in chunks(text.as_bytes(), Position::default(), step, 10_000, 300) {
                for value in &chunk.values {
                    let before = &text.as_bytes()[..usize::try_from(chunk.first_byte).unwrap() + value.start];
                    prop_assert_eq!(value.line, 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64);
                }
            }
        }

        #[test]
        fn a_value_too_long_is_passed_over_without_being_held(
            layout in 0..LAYOUTS.len(), at in 0usize..100, length in 3_000usize..20_000, step in 1usize..300,
        ) {
            let mut posts: Vec<String> = (0..100).map(post).collect();
            posts[at] = post(at).replace("ann", &"x".repeat(length));
            let text = laid_out(LAYOUTS[layout], &posts);
            let mut chunks = Chunks::new(Slow { bytes: text.as_bytes(), step, fails: false }, Position::default(), 1_000, false);
            chunks.chunk_bytes_min = 500;
            let (mut count, mut bad) = (0, Vec::new());
            while let Some(chunk) = chunks.next().unwrap() {
                count += chunk.values.len();
                bad.extend(chunk.bad);
                prop_assert!(chunks.buffer.len() <= 1_000 + 2 * step + 500, "{} are held", chunks.buffer.len());
            }
            prop_assert_eq!(count, 99);
            prop_assert_eq!(bad.iter().map(|bad| bad.why).collect::<Vec<_>>(), ["too_long"]);
        }

        #[test]
        fn no_input_makes_it_fail_or_stand_still(
            pieces in proptest::collection::vec(prop_oneof![
                Just("{"), Just("}"), Just("["), Just("]"), Just("\""), Just("\\"), Just(","), Just(":"), Just("\n"), Just("  "),
                Just("x"), Just("1"), Just("\"a\""), Just("\"statuses\":["), Just("\"status\":{"), Just("{\"id\":\"1\"}"),
                Just("\u{feff}"), Just("\u{1e}"), Just("{\"account\":{}},"),
            ], 0..120),
            step in 1usize..50, max in 1usize..100, live in any::<bool>(),
        ) {
            let text = pieces.concat();
            let mut chunks = Chunks::new(Slow { bytes: text.as_bytes(), step, fails: false }, Position::default(), max, live);
            chunks.chunk_bytes_min = 20;
            let mut end = Position::default();
            while let Some(chunk) = chunks.next().unwrap() {
                prop_assert!(chunk.end != end || !chunk.values.is_empty() || !chunk.bad.is_empty());
                end = chunk.end;
                prop_assert!(chunk.values.iter().all(|value| value.start < value.end && value.end <= chunk.text.len()));
            }
            prop_assert_eq!(end.bytes, text.len() as u64);
        }
    }

    #[test]
    fn a_broken_value_costs_itself() {
        let p = post;
        let torn = |id: usize, length: usize| post(id)[..length].to_owned();
        let without_comma = |id: usize| post(id).replace("\",\"content", "\" \"content");
        let unquoted = |id: usize| post(id).replace("\"id\":\"", "\"id\":\"\"");
        let pretty = |id: usize| indented(&post(id));
        for (text, expected) in [
            // Lines: cut anywhere, with rubbish, glued.
            (format!("{}\n{}\n{}\n", p(1), torn(2, 12), p(3)), "1@1 not_json@2 3@3"),
            (format!("{}\n{}\n{}\n{}\n", p(1), "{\"id\":", p(3), p(4)), "1@1 not_json@2 3@3 4@4"),
            (format!("{}\n{}\n{}\n{}\n", p(1), "{\"id\":\"2\",\"tags\":[", p(3), p(4)), "1@1 not_json@2 3@3 4@4"),
            (format!("{}\n<html>\n\noops\n{}\n", p(1), p(3)), "1@1 not_an_object@2 not_an_object@4 3@5"),
            (format!("{}{}\n{}\n", without_comma(1), p(2), p(3)), "not_json@1 2@1 3@2"),
            (format!("{}\n{}", p(1), torn(2, 40)), "1@1 cut_off@2"),
            (format!("null\n12\n\"text\"\n{}\n", p(4)), "not_an_object@1 not_an_object@2 not_an_object@3 4@4"),
            // A page on one line.
            (format!("[{},{},{}]", p(1), without_comma(2), p(3)), "1@1 not_json@1 3@1"),
            (format!("[{},{},{}]", p(1), unquoted(2), p(3)), "1@1 not_json@1 3@1"),
            (format!("[{},{}]\n[{}]", p(1), without_comma(2), p(3)), "1@1 not_json@1 3@2"),
            (format!("[{},{}]", p(1), without_comma(2)), "1@1 not_json@1"),
            (
                format!("[{},1,\"a, {{b\",null,{}]", p(1), p(2)),
                "1@1 not_an_object@1 not_an_object@1 not_an_object@1 2@1",
            ),
            (format!("[{},{}", p(1), torn(2, 30)), "1@1 cut_off@1"),
            (format!("[{},{},", p(1), p(2)), "1@1 2@1 cut_off@1"),
            // An array with an element a line.
            (format!("[\n{},\n{},\n{}\n]\n", p(1), torn(2, 12), p(3)), "1@2 not_json@3 3@4"),
            // Indented.
            (
                format!("{}\n{}\n{}\n", pretty(1), pretty(2).replace("\"acct\": ", ""), pretty(3)),
                "1@1 not_json@16 3@31",
            ),
            (format!("{}\n{}\n{}\n", pretty(1), &pretty(2)[..60], pretty(3)), "1@1 not_json@16 3@21"),
            (format!("{}\n{}", pretty(1), &pretty(2)[..60]), "1@1 cut_off@16"),
            (
                indented(&format!("[{},{},{}]", p(1), p(2), p(3))).replacen("\"acct\": ", "", 2).replacen(
                    "\"ann\"",
                    "\"acct\": 1",
                    1,
                ),
                "1@2 not_json@17 3@32",
            ),
            // Wrapped.
            (format!("{{\"statuses\":[{},{},{}]}}", p(1), without_comma(2), p(3)), "1@1 not_json@1 3@1"),
            (format!("{{\"status\":{}}}\n{{\"status\":{}}}\n", without_comma(1), p(2)), "not_json@1 2@2"),
            (format!("{{\"statuses\":[{}]\n{}\n", p(1), p(2)), "1@1 2@2 not_json@2"),
            // Nothing but what closes.
            (format!("]\n}}\n{}\n", p(1)), "1@3"),
            ("[]\n[ ]\n".to_owned(), ""),
        ] {
            assert_eq!(read(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_value_too_deep_costs_itself() {
        let deep = format!("{{\"id\":\"2\",\"x\":{}{}}}", "[".repeat(90), "]".repeat(90));
        assert_eq!(read(&format!("{}\n{deep}\n{}\n", post(1), post(3))), "1@1 2@2 3@3");
        let deep = format!("{{\"id\":\"2\",\"x\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
        for layout in ["lines", "page", "array of lines"] {
            let text = laid_out(layout, &[post(1), deep.clone(), post(3)]);
            let found = chunks(text.as_bytes(), Position::default(), 1_000, 100_000, 1);
            assert_eq!(values(&found), [post(1), post(3)], "{layout}");
            let bad: Vec<&str> = found.iter().flat_map(|chunk| &chunk.bad).map(|bad| bad.why).collect();
            assert_eq!(bad, ["too_deep"], "{layout}");
        }
    }

    #[test]
    fn values_before_an_error_come_first() {
        let text = format!("{}\n{}\n{{\"id\"", post(1), post(2));
        let slow = Slow { bytes: text.as_bytes(), step: 5, fails: true };
        let mut chunks = Chunks::new(slow, Position::default(), 1_000, false);
        let chunk = chunks.next().unwrap().unwrap();
        assert_eq!((chunk.values.len(), chunk.end.lines), (2, 2));
        assert_eq!(chunks.next().unwrap_err().to_string(), "broken");
        assert!(chunks.next().unwrap().is_none());
    }

    #[test]
    fn a_position_reads_as_it_was_saved() {
        let mut open = Open::default();
        b"[{[[{".iter().for_each(|byte| open.push(*byte));
        assert_eq!(open.to_string(), "-[{[[{");
        let position = Position { bytes: 70_000_000_000, lines: 12, rejected: 3, open };
        assert_eq!(Position::parse(Some(&position.to_string())), position);
        // As earlier versions wrote it.
        assert_eq!(Position::parse(Some("7 2")), Position { bytes: 7, lines: 2, ..Position::default() });
        for odd in [None, Some(""), Some("7"), Some("a b"), Some("-1 2"), Some("7 2 0 -x"), Some("7 2 0 [")] {
            assert_eq!(Position::parse(odd), Position::default());
        }
    }

    #[test]
    fn more_is_open_than_can_be_kept() {
        let text = format!("{}{}{}\n{}\n", "[".repeat(1_000), post(1), "]".repeat(1_000), post(2));
        assert_eq!(values(&chunks(text.as_bytes(), Position::default(), 50, 1_000, 1)), [post(1), post(2)]);
    }
}
