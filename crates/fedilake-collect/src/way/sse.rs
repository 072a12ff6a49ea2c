//! Server-sent events: bytes as they come → frames. Pure.
//!
//! Lines end with LF or CRLF. Comments (Mastodon's opening `:)` and its `:thump` every 15 s) and fields that we do not use
//! (`id`, `retry`) are passed over. However the bytes were split on their way, the frames are the same. A frame that grows
//! beyond the cap is an error and the framer is of no use afterwards: a server that sends an endless line costs the cap.
//!
//! Bounded: the line begun and the frame begun together hold no more than the cap; buffers of long frames are given back.

use std::mem;

use bytes::Bytes;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseFrame {
    /// The event's name; `message` if none was given.
    pub event: String,
    /// The event's data; lines joined by LF.
    pub data: Bytes,
}

/// A frame is longer than the cap: the stream cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameTooLong;

/// The most bytes of an empty buffer that are kept; a longer buffer, grown for one long frame, is freed.
const BUFFER_BYTES_KEPT: usize = 64 * 1024;

/// The state between two reads: the line begun and the frame begun.
#[derive(Debug)]
pub struct Framer {
    frame_bytes_max: usize,
    line: Vec<u8>,
    event: String,
    data: Vec<u8>,
    has_data: bool,
}

impl Framer {
    /// A framer at the start of a stream, for frames of at most `frame_bytes_max`.
    pub fn new(frame_bytes_max: usize) -> Framer {
        Framer { frame_bytes_max, line: Vec::new(), event: String::new(), data: Vec::new(), has_data: false }
    }

    /// Takes the next bytes of the stream and passes the frames that they complete to `each`.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(SseFrame)) -> Result<(), FrameTooLong> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (head, rest) = (&bytes[..end], &bytes[end + 1..]);
            bytes = rest;
            self.check_length(head.len())?;
            if self.line.is_empty() {
                self.take_line(head, &mut each);
            } else {
                let mut line = mem::take(&mut self.line);
                line.extend_from_slice(head);
                self.take_line(&line, &mut each);
                if line.capacity() <= BUFFER_BYTES_KEPT {
                    line.clear();
                    self.line = line;
                }
            }
        }
        self.check_length(bytes.len())?;
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn check_length(&self, more: usize) -> Result<(), FrameTooLong> {
        if self.line.len() + self.data.len() + more > self.frame_bytes_max { Err(FrameTooLong) } else { Ok(()) }
    }

    fn take_line(&mut self, line: &[u8], each: &mut impl FnMut(SseFrame)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return self.end_frame(each);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => self.event = String::from_utf8_lossy(value).into_owned(),
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                self.has_data = true;
            }
            _ => {}
        }
    }

    fn end_frame(&mut self, each: &mut impl FnMut(SseFrame)) {
        let event = mem::take(&mut self.event);
        if !mem::take(&mut self.has_data) {
            return;
        }
        let event = if event.is_empty() { "message".to_owned() } else { event };
        each(SseFrame { event, data: Bytes::from(mem::take(&mut self.data)) });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const STREAM: &[u8] = b":)\nevent: update\ndata: {\"id\":\"1\"}\n\n:thump\n\nevent: delete\r\ndata: 2\r\n\r\n\
        data:a\ndata: b\ndata\nid: 7\nretry: 5\n\nevent: lonely\n\nevent: status.update\ndata: \xc3\xa9:\xf0\x9f\x98\x80\n\nevent: update\ndata: cut";

    fn frame(event: &str, data: &str) -> SseFrame {
        SseFrame { event: event.to_owned(), data: Bytes::copy_from_slice(data.as_bytes()) }
    }

    fn framed(parts: &[&[u8]]) -> Vec<SseFrame> {
        let mut framer = Framer::new(1000);
        let mut frames = Vec::new();
        for part in parts {
            framer.push(part, |frame| frames.push(frame)).unwrap();
        }
        frames
    }

    fn expected() -> Vec<SseFrame> {
        vec![
            frame("update", "{\"id\":\"1\"}"),
            frame("delete", "2"),
            frame("message", "a\nb\n"),
            frame("status.update", "é:😀"),
        ]
    }

    #[test]
    fn comments_unused_fields_and_unfinished_frames_are_passed_over() {
        assert_eq!(framed(&[STREAM]), expected());
    }

    #[test]
    fn a_split_at_any_byte_gives_the_same_frames() {
        for at in 0..=STREAM.len() {
            assert_eq!(framed(&[&STREAM[..at], &STREAM[at..]]), expected(), "split at {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_splits_give_the_same_frames(
            bytes in proptest::collection::vec(prop_oneof![
                Just(b'\n'), Just(b'\r'), Just(b':'), Just(b' '), Just(b'd'), any::<u8>()], 0..200),
            prefixed in any::<bool>(),
            splits in proptest::collection::vec(0usize..300, 0..8),
        ) {
            let mut stream = if prefixed { STREAM.to_vec() } else { Vec::new() };
            stream.extend_from_slice(&bytes);
            let mut cuts: Vec<usize> = splits.into_iter().map(|at| at.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
            prop_assert_eq!(framed(&parts), framed(&[&stream]));
        }
    }

    #[test]
    fn a_frame_beyond_the_cap_is_cut_off_wherever_it_grows() {
        let endless_line = vec![b'x'; 64];
        let many_lines = b"data: 0123456789\n".repeat(20);
        for stream in [endless_line, many_lines] {
            let mut framer = Framer::new(100);
            let outcome = (0..10).try_for_each(|_| framer.push(&stream, |_| panic!("no frame ends here")));
            assert_eq!(outcome, Err(FrameTooLong));
        }
    }

    #[test]
    fn a_million_frames_and_field_floods_leave_small_buffers() {
        let mut framer = Framer::new(1 << 20);
        let long = [b"data: ".as_slice(), &[b'x'; 500_000], b"\n\n"].concat();
        let frames: [&[u8]; 6] =
            [b"event: delete\ndata: 1\n\n", b":thump\n", b"id: 7\nretry: 5\n", b"event: x\n", b"\n\n\n", b"odd\n"];
        let mut count = 0;
        for n in 0..1_000_000 {
            framer.push(frames[n % frames.len()], |_| count += 1).unwrap();
            if n % 100_000 == 0 {
                for part in long.chunks(10_000) {
                    framer.push(part, |_| count += 1).unwrap();
                }
            }
        }
        assert!(count > 100_000);
        assert!(framer.line.capacity() + framer.data.capacity() + framer.event.capacity() <= 2 * BUFFER_BYTES_KEPT);
    }

    #[test]
    fn a_frame_of_exactly_the_cap_passes() {
        let mut framer = Framer::new(16);
        let mut frames = Vec::new();
        for _ in 0..3 {
            framer.push(b"data: 0123456789\n\n", |frame| frames.push(frame)).unwrap();
        }
        assert_eq!(frames, vec![frame("message", "0123456789"); 3]);
    }
}
