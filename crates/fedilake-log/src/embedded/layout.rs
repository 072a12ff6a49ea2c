//! Bytes of the embedded log inside its store: names, keys and values. Pure.

use bytes::Bytes;

use crate::{Key, Offset, Partition, Record};

/// The one partition of an embedded log.
pub(super) const PARTITION: Partition = Partition(0);

/// The layout that this program writes; it opens no other.
pub(super) const LAYOUT: &[u8] = b"1";

pub(super) const LAYOUT_KEY: &[u8] = b"layout";
pub(super) const ID_KEY: &[u8] = b"id";
pub(super) const START_KEY: &[u8] = b"start";

/// Key of the bookmark `name` among the state's keys.
pub(super) fn bookmark_key(name: &str) -> Vec<u8> {
    [b"bookmark/", name.as_bytes()].concat()
}

/// Key of the record at `offset`: 8 bytes, big-endian, so that keys sort as offsets do.
pub(super) fn record_key(offset: Offset) -> [u8; 8] {
    offset.0.to_be_bytes()
}

/// The offset that `key` stands for, if it is a record's key.
pub(super) fn record_offset(key: &[u8]) -> Option<Offset> {
    Some(Offset(u64::from_be_bytes(key.try_into().ok()?)))
}

const TIME_BYTES: usize = 8;
const KEY_LENGTH_BYTES: usize = 4;
const HEAD_BYTES: usize = TIME_BYTES + KEY_LENGTH_BYTES;

/// Value of a record: appended_at_ms (i64), the key's length (u32), the key, the value; numbers are big-endian.
pub(super) fn record_value(appended_at_ms: i64, key: &Key, value: &[u8]) -> Vec<u8> {
    let key_length = u32::try_from(key.0.len()).expect("keys are far below 4 GiB");
    let mut bytes = Vec::with_capacity(HEAD_BYTES + key.0.len() + value.len());
    bytes.extend_from_slice(&appended_at_ms.to_be_bytes());
    bytes.extend_from_slice(&key_length.to_be_bytes());
    bytes.extend_from_slice(&key.0);
    bytes.extend_from_slice(value);
    bytes
}

/// The record at `offset` with what [`record_value`] made, sharing its bytes; nothing if they are not of that form.
pub(super) fn record(offset: Offset, bytes: Bytes) -> Option<Record> {
    let (time, rest) = bytes.split_first_chunk::<TIME_BYTES>()?;
    let (key_length, _) = rest.split_first_chunk::<KEY_LENGTH_BYTES>()?;
    let value_at = HEAD_BYTES.checked_add(u32::from_be_bytes(*key_length) as usize)?;
    if value_at > bytes.len() {
        return None;
    }
    Some(Record {
        partition: PARTITION,
        offset,
        appended_at_ms: i64::from_be_bytes(*time),
        key: Key(bytes.slice(HEAD_BYTES..value_at)),
        value: bytes.slice(value_at..),
    })
}

/// Where the log starts, and the clock that must not go back when no record is left to tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) offset: Offset,
    pub(super) appended_at_ms: i64,
}

impl Start {
    /// 16 bytes: the offset (u64) and the time (i64), big-endian.
    pub(super) fn encode(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.offset.0.to_be_bytes());
        bytes[8..].copy_from_slice(&self.appended_at_ms.to_be_bytes());
        bytes
    }

    /// What [`Start::encode`] made; nothing if the bytes are not of that form.
    pub(super) fn decode(bytes: &[u8]) -> Option<Start> {
        let (offset, time) = bytes.split_first_chunk::<8>()?;
        Some(Start {
            offset: Offset(u64::from_be_bytes(*offset)),
            appended_at_ms: i64::from_be_bytes(time.try_into().ok()?),
        })
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
        assert!(offsets.map(|offset| record_key(Offset(offset))).is_sorted());
    }

    proptest! {
        #[test]
        fn a_record_survives_its_bytes(offset: u64, time: i64, key: Vec<u8>, value: Vec<u8>) {
            let key = Key(key.into());
            let bytes = record_value(time, &key, &value);
            let expected =
                Record { partition: PARTITION, offset: Offset(offset), appended_at_ms: time, key, value: value.into() };
            prop_assert_eq!(record(Offset(offset), bytes.into()), Some(expected));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = record(Offset(0), bytes.clone().into());
            let _ = Start::decode(&bytes);
            let _ = record_offset(&bytes);
        }

        #[test]
        fn a_start_survives_its_bytes(offset: u64, appended_at_ms: i64) {
            let start = Start { offset: Offset(offset), appended_at_ms };
            prop_assert_eq!(Start::decode(&start.encode()), Some(start));
        }
    }
}
