//! Where reading goes on after a broken value.

use std::io::Read;

use super::{Chunks, READ_BYTES, Split, State};
use crate::replay::chunk::Bad;
use crate::replay::value::{Scan, Step, closed_on_its_line};

/// Where reading goes on after a broken value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seek {
    /// The next line.
    Line,
    /// The next line that begins with a brace or a bracket and is indented no deeper than this.
    Indented(usize),
    /// The next element of the array, if it is on the same line.
    Element,
}

impl<R: Read> Chunks<R> {
    /// The value at the split place is broken, `length` on. Decides where to go on.
    pub(super) fn break_off(&mut self, length: usize, why: &'static str) {
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

    /// True if the end of this line is yet to be read, and the line is short enough to wait for it.
    pub(super) fn lacks_line_end(&self) -> bool {
        let rest = &self.buffer[self.at..];
        self.ended.is_none() && rest.len() <= self.value_bytes_max && memchr::memchr(b'\n', rest).is_none()
    }

    /// A wrapper goes with what it wraps.
    pub(super) fn leave_wrappers(&mut self) {
        self.regular = 0;
        while self.open.is_in_object() {
            self.open.pop();
        }
    }

    /// Looks for where to go on after a broken value, from the split place on.
    pub(super) fn seek(&mut self, seek: Seek, bad: Bad) -> Split {
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
            // The line's first byte is yet to be read.
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

/// True if an object in a broken array is one of its elements, and not a part of one.
fn is_of_posts(object: &[u8]) -> bool {
    let has = |name: &[u8]| memchr::memmem::find(object, name).is_some();
    has(b"\"account\"") || has(b"\"payload\"")
}
