//! The end mark: the offset up to which appends were acknowledged, kept outside the store.
//!
//! The store cuts its journal at the first bytes that it cannot read. That is right for the last, unfinished write of
//! a killed process, but would silently lose acknowledged records if those bytes were damaged later. The mark tells
//! the two apart: a log that ends before its mark has lost records.
//!
//! The mark is written after each sync and before the answer, without a sync of its own: after the death of the
//! process it is exact, after the death of the machine it may be too low. A mark that is too low or unreadable never
//! reports a loss that did not happen.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use crate::Offset;

/// The mark's file: the offset as u64, big-endian, and the same 8 bytes inverted.
#[derive(Debug)]
pub(super) struct EndMark(File);

impl EndMark {
    /// Opens the mark at `path`, or creates it.
    pub(super) fn open(path: &Path) -> io::Result<EndMark> {
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map(EndMark)
    }

    /// Returns the offset below which the mark knows every append to be acknowledged.
    pub(super) fn read(&mut self) -> io::Result<Option<Offset>> {
        let mut bytes = Vec::with_capacity(16);
        self.0.rewind()?;
        self.0.read_to_end(&mut bytes)?;
        Ok(decode(&bytes))
    }

    /// Moves the mark to `end`.
    pub(super) fn write(&mut self, end: Offset) -> io::Result<()> {
        self.0.rewind()?;
        self.0.write_all(&encode(end))
    }
}

fn encode(end: Offset) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&end.0.to_be_bytes());
    bytes[8..].copy_from_slice(&(!end.0).to_be_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Offset> {
    let (end, inverted) = bytes.split_first_chunk::<8>()?;
    let end = u64::from_be_bytes(*end);
    (u64::from_be_bytes(inverted.try_into().ok()?) == !end).then_some(Offset(end))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_mark_is_what_was_written_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("end");
        let mut mark = EndMark::open(&path).unwrap();
        assert_eq!(mark.read().unwrap(), None);
        for end in [0, 7, u64::MAX, 300] {
            mark.write(Offset(end)).unwrap();
            assert_eq!(mark.read().unwrap(), Some(Offset(end)));
            assert_eq!(EndMark::open(&path).unwrap().read().unwrap(), Some(Offset(end)));
        }
    }

    #[test]
    fn a_mark_that_does_not_check_is_none() {
        let whole = encode(Offset(123_456));
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length]), None);
        }
        for byte in 0..whole.len() {
            let mut damaged = whole;
            damaged[byte] ^= 4;
            assert_eq!(decode(&damaged), None);
        }
        assert_eq!(decode(&[0; 16]), None);
    }
}
