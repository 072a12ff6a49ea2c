//! Whole lines in large pieces.

use std::io::{self, Read};
use std::{fmt, mem};

use bytes::Bytes;

/// How far into an input's decoded bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) bytes: u64,
    pub(super) lines: u64,
}

impl Position {
    /// Reads what [`Position::fmt`] wrote; the start where there is none or it is no position.
    pub(super) fn parse(saved: Option<&str>) -> Position {
        let parts = saved.and_then(|saved| saved.split_once(' '));
        let position =
            parts.and_then(|(bytes, lines)| Some(Position { bytes: bytes.parse().ok()?, lines: lines.parse().ok()? }));
        position.unwrap_or_default()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.bytes, self.lines)
    }
}

/// A piece of an input.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Whole lines. The last one of an input may lack its line end.
    pub(super) lines: Bytes,
    /// The number of the first line, from 1.
    pub(super) first_line: u64,
    /// A line after `lines` that was too long to be held.
    pub(super) too_long: bool,
    /// Where the input stands after this.
    pub(super) end: Position,
}

/// Cuts a reader into chunks.
pub(super) struct Chunks<R> {
    reader: R,
    /// Where the buffer's first byte stands in the input.
    at: Position,
    line_bytes_max: usize,
    chunk_bytes_min: usize,
    /// Read, and not yet given out.
    buffer: Vec<u8>,
    /// How much of the buffer is whole lines.
    whole: usize,
    /// Nothing more is to be read; an error is given out after all that came before it.
    ended: Option<io::Result<()>>,
}

/// Enough posts that a thread has something to do, few enough that several chunks fit a cache.
const CHUNK_BYTES: usize = 512 * 1024;
const READ_BYTES: usize = 256 * 1024;

impl<R: Read> Chunks<R> {
    /// Chunks of `reader`, which stands at `at`. With `is_live`, lines are given out as soon as they are whole.
    pub(super) fn new(reader: R, at: Position, line_bytes_max: usize, is_live: bool) -> Chunks<R> {
        let chunk_bytes_min = if is_live { 1 } else { CHUNK_BYTES };
        Chunks { reader, at, line_bytes_max, chunk_bytes_min, buffer: Vec::new(), whole: 0, ended: None }
    }

    /// The next chunk; none at the end of the input, where a last line may lack its line end. After an error nothing follows.
    pub(super) fn next(&mut self) -> io::Result<Option<Chunk>> {
        while self.ended.is_none() && self.whole < self.chunk_bytes_min {
            if self.buffer.len() - self.whole > self.line_bytes_max {
                return Ok(Some(if self.whole > 0 { self.cut(self.whole) } else { self.skip_line() }));
            }
            self.read();
        }
        if self.whole > 0 && !matches!(self.ended, Some(Ok(()))) {
            return Ok(Some(self.cut(self.whole)));
        }
        self.ended.replace(Ok(())).transpose()?;
        let rest = self.buffer.len();
        Ok((rest > 0).then(|| self.cut(rest)))
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
            Ok(_) => {
                if let Some(at) = memchr::memrchr(b'\n', &self.buffer[before..]) {
                    self.whole = before + at + 1;
                }
            }
            Err(error) => {
                // The line begun is lost with what should have followed it.
                self.buffer.truncate(self.whole);
                self.ended = Some(Err(error));
            }
        }
    }

    /// Gives out the first `length` bytes of the buffer.
    fn cut(&mut self, length: usize) -> Chunk {
        let rest = self.buffer.split_off(length);
        let lines = mem::replace(&mut self.buffer, rest);
        self.whole = 0;
        let first_line = self.at.lines + 1;
        let line_ends = memchr::memchr_iter(b'\n', &lines).count() as u64;
        self.at.bytes += lines.len() as u64;
        self.at.lines += line_ends + u64::from(!lines.ends_with(b"\n"));
        Chunk { lines: Bytes::from(lines), first_line, too_long: false, end: self.at }
    }

    /// Reads on to the end of the line that fills the buffer, and forgets it.
    fn skip_line(&mut self) -> Chunk {
        let first_line = self.at.lines + 1;
        let line_end = loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer) {
                break at + 1;
            }
            if self.ended.is_some() {
                break self.buffer.len();
            }
            self.at.bytes += self.buffer.len() as u64;
            self.buffer.clear();
            self.read();
        };
        self.buffer.drain(..line_end);
        self.whole = memchr::memrchr(b'\n', &self.buffer).map_or(0, |at| at + 1);
        self.at.bytes += line_end as u64;
        self.at.lines += 1;
        Chunk { lines: Bytes::new(), first_line, too_long: true, end: self.at }
    }
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

    fn chunks_of(bytes: &[u8], step: usize, line_bytes_max: usize, chunk_bytes_min: usize) -> Vec<Chunk> {
        let mut chunks = Chunks::new(Slow { bytes, step, fails: false }, Position::default(), line_bytes_max, false);
        chunks.chunk_bytes_min = chunk_bytes_min;
        std::iter::from_fn(|| chunks.next().unwrap()).collect()
    }

    proptest! {
        #[test]
        fn chunks_are_whole_lines_and_join_to_the_input(
            lines in proptest::collection::vec("[a-z]{0,12}", 0..40),
            ends in any::<bool>(),
            step in 1usize..40,
            chunk_bytes_min in 1usize..60,
        ) {
            let mut input = lines.join("\n");
            if ends && !lines.is_empty() { input.push('\n'); }
            let mut joined = Vec::new();
            let mut line = 0;
            for chunk in chunks_of(input.as_bytes(), step, 1000, chunk_bytes_min) {
                prop_assert_eq!(chunk.first_line, line + 1);
                joined.extend_from_slice(&chunk.lines);
                line = chunk.end.lines;
                prop_assert_eq!(chunk.end.bytes, joined.len() as u64);
                prop_assert!(chunk.lines.ends_with(b"\n") || joined.len() == input.len());
            }
            prop_assert_eq!(joined, input.as_bytes());
            prop_assert_eq!(line, input.lines().count() as u64);
        }

        #[test]
        fn a_line_too_long_is_passed_over_without_being_held(
            before in "[a-w]{0,5}\n", after in "[a-w]{0,5}(\n[a-w]{0,5}\n)?", length in 21usize..2000, step in 1usize..30,
        ) {
            let input = format!("{before}{}\n{after}", "x".repeat(length));
            let chunks = chunks_of(input.as_bytes(), step, 20, 8);
            let kept: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.lines.to_vec()).filter(|b| *b != b'x').collect();
            let too_long: Vec<u64> = chunks.iter().filter(|c| c.too_long).map(|c| c.first_line).collect();
            let last = chunks.last().unwrap().end;
            prop_assert_eq!(last.bytes, input.len() as u64);
            prop_assert_eq!(last.lines, input.lines().count() as u64);
            if length > 20 + step {
                prop_assert_eq!(too_long, vec![2]);
                prop_assert_eq!(kept, format!("{before}{after}").into_bytes());
            }
            prop_assert!(chunks.iter().all(|chunk| chunk.lines.len() < 8 + 20 + 2 * step + 20));
        }
    }

    #[test]
    fn lines_before_an_error_come_first() {
        let mut chunks =
            Chunks::new(Slow { bytes: b"one\ntwo\nthr", step: 5, fails: true }, Position::default(), 100, false);
        assert_eq!(chunks.next().unwrap().unwrap().lines, "one\ntwo\n");
        assert_eq!(chunks.next().unwrap_err().to_string(), "broken");
        assert!(chunks.next().unwrap().is_none());
    }

    #[test]
    fn a_position_reads_as_it_was_saved() {
        let position = Position { bytes: 70_000_000_000, lines: 12 };
        assert_eq!(Position::parse(Some(&position.to_string())), position);
        for odd in [None, Some(""), Some("7"), Some("a b"), Some("-1 2")] {
            assert_eq!(Position::parse(odd), Position::default());
        }
    }
}
