//! Names and values of the log's state inside its store. Pure.

use crate::{Offset, Partition};

/// The one partition of an embedded log.
pub(super) const PARTITION: Partition = Partition(0);

/// The number of the layout that this program writes; it opens no other.
pub(super) const LAYOUT: &[u8] = b"1";

/// The version of the bookmarks that this program writes, and the newest that it reads. A log without one has this version too.
pub(super) const BOOKMARKS: &[u8] = b"1";

pub(super) const BOOKMARKS_KEY: &[u8] = b"bookmarks";
pub(super) const LAYOUT_KEY: &[u8] = b"layout";
pub(super) const ID_KEY: &[u8] = b"id";
pub(super) const START_KEY: &[u8] = b"start";
pub(super) const TRIMMED_KEY: &[u8] = b"trimmed";

/// Key of the bookmark `name` among the state's keys.
pub(super) fn bookmark_key(name: &str) -> Vec<u8> {
    [b"bookmark/", name.as_bytes()].concat()
}

/// The log's start, with the time and block number to continue from when no block is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) offset: Offset,
    /// Time of the last record when the start was set.
    pub(super) appended_at_ms: i64,
    /// Number of the next block when the start was set.
    pub(super) block_number: u64,
}

impl Start {
    /// The start of a log that never had a record.
    pub(super) const NEW: Start = Start { offset: Offset(0), appended_at_ms: 0, block_number: 0 };

    /// Encodes the start as 24 bytes: offset (u64), time (i64), block number (u64), big-endian.
    pub(super) fn encode(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.offset.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.appended_at_ms.to_be_bytes());
        bytes[16..].copy_from_slice(&self.block_number.to_be_bytes());
        bytes
    }

    /// Decodes a start; `None` if the bytes are not what [`Start::encode`] makes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Start> {
        let (offset, rest) = bytes.split_first_chunk::<8>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        Some(Start {
            offset: Offset(u64::from_be_bytes(*offset)),
            appended_at_ms: i64::from_be_bytes(*time),
            block_number: u64::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_start_survives_its_bytes(offset: u64, appended_at_ms: i64, block_number: u64) {
            let start = Start { offset: Offset(offset), appended_at_ms, block_number };
            prop_assert_eq!(Start::decode(&start.encode()), Some(start));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Start::decode(&bytes);
        }
    }
}
