//! Compressed inputs: gzip members and zstd frames one after the other, as parallel compressors and `cat` write them.
//!
//! Zero bytes between members and after the last one are skipped: tapes and disks fill their blocks up with them. Any other bytes
//! there are an error, which comes after all that was decoded.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The decoded bytes of a compressed input.
pub(super) struct Packed<R: Read>(Option<At<R>>);

enum At<R: Read> {
    Between(Ahead<R>),
    Gzip(Box<GzDecoder<Ahead<R>>>),
    Zstd(Box<zstd::Decoder<'static, Ahead<R>>>),
}

/// True if an input with this beginning is compressed in a way that is read here.
pub(super) fn is_packed(head: &[u8]) -> bool {
    is_gzip(head) || is_zstd(head)
}

impl<R: Read> Packed<R> {
    /// Nothing is read yet.
    pub(super) fn new(raw: R) -> Packed<R> {
        Packed(Some(At::Between(Ahead { raw, buffer: Vec::new(), at: 0, is_ended: false })))
    }
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(at) = &mut self.0 {
            let count = match at {
                At::Between(_) => 0,
                At::Gzip(member) => member.read(buffer)?,
                At::Zstd(frame) => frame.read(buffer)?,
            };
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            self.0 = match self.0.take() {
                Some(At::Between(rest)) => begin(rest)?,
                Some(At::Gzip(member)) => Some(At::Between(member.into_inner())),
                Some(At::Zstd(frame)) => Some(At::Between(frame.finish())),
                None => None,
            };
        }
        Ok(0)
    }
}

/// The next member or frame; none at the end of the input.
fn begin<R: Read>(mut rest: Ahead<R>) -> io::Result<Option<At<R>>> {
    loop {
        let bytes = rest.fill_buf()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        if zeros == 0 {
            break;
        }
        rest.consume(zeros);
    }
    let head = rest.peek(MAGIC_BYTES)?;
    if head.is_empty() {
        Ok(None)
    } else if is_gzip(head) {
        Ok(Some(At::Gzip(Box::new(GzDecoder::new(rest)))))
    } else if is_zstd(head) {
        let mut decoder = zstd::Decoder::with_buffer(rest)?.single_frame();
        decoder.window_log_max(WINDOW_LOG_MAX)?;
        Ok(Some(At::Zstd(Box::new(decoder))))
    } else {
        let why = "bytes that are neither gzip nor zstd follow the compressed data, and are not read";
        Err(io::Error::new(io::ErrorKind::InvalidData, why))
    }
}

const MAGIC_BYTES: usize = 4;
/// Archives are made with `zstd --long=31`: such a frame takes 2 GiB of memory, others as much as they say.
const WINDOW_LOG_MAX: u32 = 31;

fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b])
}

/// A zstd frame, or one that decoders skip, as parallel compressors write first.
fn is_zstd(head: &[u8]) -> bool {
    let is_skipped =
        head.first().is_some_and(|first| first & 0xf0 == 0x50) && head.get(1..4) == Some(&[0x2a, 0x4d, 0x18]);
    is_skipped || head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

const READ_BYTES: usize = 128 * 1024;

/// Reads once, at most `length` bytes, to the end of `buffer`. Returns how many came: 0 at the input's end.
pub(super) fn read_more(mut input: impl Read, buffer: &mut Vec<u8>, length: usize) -> io::Result<usize> {
    let before = buffer.len();
    buffer.resize(before + length, 0);
    let read = loop {
        match input.read(&mut buffer[before..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read,
        }
    };
    buffer.truncate(before + *read.as_ref().unwrap_or(&0));
    read
}

/// A buffered reader that can be asked for its next bytes without using them up.
struct Ahead<R> {
    raw: R,
    buffer: Vec<u8>,
    /// The bytes of the buffer that were used up.
    at: usize,
    is_ended: bool,
}

impl<R: Read> Ahead<R> {
    /// The next bytes: at least `length`, unless the input ends before.
    fn peek(&mut self, length: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.at < length && !self.is_ended {
            self.buffer.drain(..self.at);
            self.at = 0;
            self.is_ended = read_more(&mut self.raw, &mut self.buffer, READ_BYTES)? == 0;
        }
        Ok(&self.buffer[self.at..])
    }
}

impl<R: Read> BufRead for Ahead<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)
    }

    fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

impl<R: Read> Read for Ahead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    fn gzip(content: &str) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(content.as_bytes()).unwrap();
        out.finish().unwrap()
    }

    fn zstd_of(content: &str) -> Vec<u8> {
        zstd::encode_all(content.as_bytes(), 1).unwrap()
    }

    /// A reader that gives a few bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len());
            self.0.read(&mut buffer[..count])
        }
    }

    #[test]
    fn members_frames_and_padding_are_read_to_the_end_and_other_bytes_are_an_error_behind_all_before() {
        let skipped = [&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
        let zeros = vec![0; 300_000];
        let cases: &[(&[Vec<u8>], &str, bool)] = &[
            (&[gzip("one ")], "one ", true),
            (&[gzip("one "), gzip("two")], "one two", true),
            (&[gzip("one "), vec![0]], "one ", true),
            (&[gzip("one "), zeros.clone()], "one ", true),
            (&[gzip("one "), zeros.clone(), gzip("two"), vec![0; 512]], "one two", true),
            (&[gzip(""), zeros.clone()], "", true),
            (&[zstd_of("one ")], "one ", true),
            (&[zstd_of("one "), zstd_of("two"), skipped.clone()], "one two", true),
            (&[skipped.clone(), zstd_of("one "), skipped.clone(), zstd_of("two"), zeros.clone()], "one two", true),
            (&[gzip("one "), zstd_of("two")], "one two", true),
            (&[gzip("one "), b"garbage".to_vec()], "one ", false),
            (&[gzip("one "), vec![0; 512], b"garbage".to_vec()], "one ", false),
            (&[gzip("one "), vec![0x1f]], "one ", false),
            (&[zstd_of("one "), b"g".to_vec()], "one ", false),
            (&[gzip("one "), gzip("two")[..12].to_vec()], "one ", false),
            (&[zstd_of("one "), zstd_of("two")[..9].to_vec()], "one ", false),
        ];
        for (parts, expected, is_whole) in cases {
            for step in [1, 7, usize::MAX] {
                let bytes = parts.concat();
                let mut decoded = Vec::new();
                let read = Packed::new(Drip(&bytes, step)).read_to_end(&mut decoded);
                assert!(decoded.starts_with(expected.as_bytes()), "{decoded:?} of {expected}");
                assert_eq!(
                    (read.is_ok(), decoded.len() == expected.len() || !is_whole),
                    (*is_whole, true),
                    "{read:?} {expected}"
                );
            }
        }
    }

    /// Archives of large dumps are made with `zstd --long`.
    #[test]
    fn a_frame_with_a_large_window_is_read() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(28).unwrap();
        encoder.write_all(b"one").unwrap();
        let bytes = encoder.finish().unwrap();
        assert!(zstd::decode_all(bytes.as_slice()).is_err(), "the default refuses it");
        let mut decoded = String::new();
        Packed::new(bytes.as_slice()).read_to_string(&mut decoded).unwrap();
        assert_eq!(decoded, "one");
    }
}
