//! Blocks: records that were written together form one entry of the store. Pure.
//!
//! The store's costs are by entry, the log's traffic is by record: with a thousand records in one block, an append, a
//! scan and a restart cost a fraction of those of a thousand entries.

use bytes::Bytes;

use super::layout::PARTITION;
use crate::{Key, Offset, Record};

/// A block is full when it has this many records, or this many bytes. A reader keeps a whole block in memory while it
/// holds any of the block's records.
const RECORDS_MAX: u32 = 1_000;
const BYTES_MAX: usize = 256 << 10;

/// The version of a block's layout: the upper byte of the number of records, which is far below 2^24.
const VERSION: u8 = 0;

const TIME_BYTES: usize = 8;
const COUNT_BYTES: usize = 4;
const LENGTH_BYTES: usize = 4;

/// A block's key: the offset of its first record, and its number among all blocks that the log ever had. Numbers have
/// no gaps, so counting entries shows whether one is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockKey {
    pub(super) first: Offset,
    pub(super) number: u64,
}

impl BlockKey {
    /// Encodes the key as 16 bytes, which sort as offsets do.
    pub(super) fn encode(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.first.0.to_be_bytes());
        bytes[8..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// Decodes a key; `None` if the bytes are not what [`BlockKey::encode`] makes.
    pub(super) fn decode(bytes: &[u8]) -> Option<BlockKey> {
        let (first, number) = bytes.split_first_chunk::<8>()?;
        Some(BlockKey {
            first: Offset(u64::from_be_bytes(*first)),
            number: u64::from_be_bytes(number.try_into().ok()?),
        })
    }
}

/// A block that is being filled.
#[derive(Debug)]
pub(super) struct BlockBuilder {
    count: u32,
    bytes: Vec<u8>,
}

impl BlockBuilder {
    /// An empty block of records that are appended at `appended_at_ms`.
    pub(super) fn new(appended_at_ms: i64) -> BlockBuilder {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&appended_at_ms.to_be_bytes());
        bytes.extend_from_slice(&[0; COUNT_BYTES]);
        BlockBuilder { count: 0, bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// True if the next record must begin another block.
    pub(super) fn is_full(&self) -> bool {
        self.count >= RECORDS_MAX || self.bytes.len() >= BYTES_MAX
    }

    pub(super) fn push(&mut self, key: &Key, value: &[u8]) {
        self.count += 1;
        self.bytes.reserve(2 * LENGTH_BYTES + key.0.len() + value.len());
        self.bytes.extend_from_slice(&length(&key.0));
        self.bytes.extend_from_slice(&length(value));
        self.bytes.extend_from_slice(&key.0);
        self.bytes.extend_from_slice(value);
    }

    /// Returns the block's bytes: appended_at_ms (i64), the version (u8), the number of records (u24), and for each record the key's length
    /// (u32), the value's length (u32), the key, the value; numbers are big-endian.
    pub(super) fn finish(mut self) -> Vec<u8> {
        assert_eq!(self.count.to_be_bytes()[0], VERSION, "a block has at most {RECORDS_MAX} records");
        self.bytes[TIME_BYTES..][..COUNT_BYTES].copy_from_slice(&self.count.to_be_bytes());
        self.bytes
    }
}

fn length(bytes: &[u8]) -> [u8; LENGTH_BYTES] {
    u32::try_from(bytes.len()).expect("keys and values are far below 4 GiB").to_be_bytes()
}

/// Why bytes are not a block that this program can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// The bytes do not have the form of a block.
    Malformed,
    /// A newer fedilake made the block, in this version.
    Newer(u8),
}

/// A block read from the store.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) key: BlockKey,
    pub(super) appended_at_ms: i64,
    /// The offset after the block's last record.
    pub(super) next: Offset,
    records: Bytes,
}

impl Block {
    /// Reads the header of the block under `key`.
    pub(super) fn decode(key: BlockKey, bytes: Bytes) -> Result<Block, Unread> {
        let (time, rest) = bytes.split_first_chunk::<TIME_BYTES>().ok_or(Unread::Malformed)?;
        let (count, _) = rest.split_first_chunk::<COUNT_BYTES>().ok_or(Unread::Malformed)?;
        if count[0] != VERSION {
            return Err(Unread::Newer(count[0]));
        }
        let count = u32::from_be_bytes(*count);
        if count == 0 {
            return Err(Unread::Malformed);
        }
        Ok(Block {
            key,
            appended_at_ms: i64::from_be_bytes(*time),
            next: Offset(key.first.0.checked_add(u64::from(count)).ok_or(Unread::Malformed)?),
            records: bytes.slice(TIME_BYTES + COUNT_BYTES..),
        })
    }

    /// Returns the size of the block's records in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.records.len()
    }

    /// Adds the records at or above `from` to `records`; they share the block's bytes. `None` if the bytes hold more or fewer
    /// records than the header counts.
    pub(super) fn records_from(&self, from: Offset, records: &mut Vec<Record>) -> Option<()> {
        let mut at = 0;
        for offset in (self.key.first.0..self.next.0).map(Offset) {
            let (key_length, after) = self.records[at..].split_first_chunk::<LENGTH_BYTES>()?;
            let (value_length, after) = after.split_first_chunk::<LENGTH_BYTES>()?;
            let key_length = u32::from_be_bytes(*key_length) as usize;
            let value_length = u32::from_be_bytes(*value_length) as usize;
            if after.len() < key_length.checked_add(value_length)? {
                return None;
            }
            let key_at = at + 2 * LENGTH_BYTES;
            let value_at = key_at + key_length;
            at = value_at + value_length;
            if offset >= from {
                records.push(Record {
                    partition: PARTITION,
                    offset,
                    appended_at_ms: self.appended_at_ms,
                    key: Key(self.records.slice(key_at..value_at)),
                    value: self.records.slice(value_at..at),
                });
            }
        }
        (at == self.records.len()).then_some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_sort_as_offsets_do() {
        let offsets = [0, 1, 255, 256, 65_535, 1 << 40, u64::MAX];
        assert!(offsets.map(|first| BlockKey { first: Offset(first), number: !first }.encode()).is_sorted());
    }

    #[test]
    fn a_block_is_full_by_records_or_by_bytes() {
        let mut block = BlockBuilder::new(0);
        for _ in 0..RECORDS_MAX {
            assert!(!block.is_full());
            block.push(&Key(Bytes::new()), b"");
        }
        assert!(block.is_full());

        let mut block = BlockBuilder::new(0);
        block.push(&Key(Bytes::new()), &vec![0; BYTES_MAX]);
        assert!(block.is_full());
    }

    #[test]
    fn a_block_of_a_later_version_is_not_taken_for_damage() {
        let mut builder = BlockBuilder::new(1);
        builder.push(&Key("key".into()), b"value");
        let mut bytes = builder.finish();
        for version in [1, 2, 255] {
            bytes[TIME_BYTES] = version;
            let key = BlockKey { first: Offset(0), number: 0 };
            assert_eq!(Block::decode(key, bytes.clone().into()).unwrap_err(), Unread::Newer(version));
        }
    }

    proptest! {
        #[test]
        fn records_survive_a_block(
            first in 0..u64::MAX / 2,
            time: i64,
            pairs in prop::collection::vec((any::<Vec<u8>>(), any::<Vec<u8>>()), 1..20),
            skipped in 0_u64..25,
        ) {
            let mut builder = BlockBuilder::new(time);
            for (key, value) in &pairs {
                builder.push(&Key(key.clone().into()), value);
            }
            let bytes = builder.finish();
            let key = BlockKey { first: Offset(first), number: 3 };
            let block = Block::decode(BlockKey::decode(&key.encode()).unwrap(), bytes.into()).unwrap();
            prop_assert_eq!(block.next, Offset(first + pairs.len() as u64));
            let mut records = Vec::new();
            block.records_from(Offset(first + skipped), &mut records).unwrap();
            let expected: Vec<_> = (first..)
                .zip(pairs)
                .skip(skipped as usize)
                .map(|(offset, (key, value))| Record {
                    partition: PARTITION,
                    offset: Offset(offset),
                    appended_at_ms: time,
                    key: Key(key.into()),
                    value: value.into(),
                })
                .collect();
            prop_assert_eq!(records, expected);
        }

        #[test]
        fn no_bytes_panic(key: [u8; 16], bytes: Vec<u8>) {
            if let Ok(block) = Block::decode(BlockKey::decode(&key).unwrap(), bytes.into()) {
                // Counts in damaged bytes reach four billion, but each record needs bytes, so the loop ends with
                // them.
                let _ = block.records_from(Offset(0), &mut Vec::new());
            }
        }

        #[test]
        fn a_block_that_is_cut_short_is_no_block(cut in 1_usize..30) {
            let mut builder = BlockBuilder::new(1);
            builder.push(&Key("key".into()), b"some value");
            builder.push(&Key("key".into()), b"another");
            let mut bytes = builder.finish();
            bytes.truncate(bytes.len() - cut);
            let block = Block::decode(BlockKey { first: Offset(0), number: 0 }, bytes.into());
            let records = block.ok().and_then(|block| block.records_from(Offset(0), &mut Vec::new()));
            prop_assert_eq!(records, None);
        }
    }
}
