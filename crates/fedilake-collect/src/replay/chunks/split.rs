//! The value at the split place of the buffer, and its end.

use std::io::Read;
use std::mem;

use super::recovery::Seek;
use super::{Chunks, REGULAR, Split, State};
use crate::replay::chunk::{Bad, Value};
use crate::replay::value::{Scan, Step};

impl<R: Read> Chunks<R> {
    /// Uses something of the buffer.
    pub(super) fn split(&mut self) -> Split {
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
            // Brackets that close a broken value.
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

    /// True if `value` shares its line with nothing but a comma.
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

    /// Passes over something that is no object: in an array a value of another kind, elsewhere a line of another kind.
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
