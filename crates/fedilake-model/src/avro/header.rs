//! The ten bytes before a record's body.

use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm};

const MAGIC: [u8; 2] = [0xC3, 0x01];

/// The fingerprint in a record's header, and its body; `None` where there is no header.
pub(super) fn split(record: &[u8]) -> Option<(u64, &[u8])> {
    let (fingerprint, body) = record.strip_prefix(&MAGIC)?.split_first_chunk()?;
    Some((u64::from_le_bytes(*fingerprint), body))
}

/// The fingerprint of an Avro schema.
pub(super) fn fingerprint(schema: &str) -> u64 {
    match AvroSchema::new(schema.to_owned()).fingerprint(FingerprintAlgorithm::Rabin) {
        Ok(Fingerprint::Rabin(fingerprint)) => fingerprint,
        other => unreachable!("the committed schemas have Rabin fingerprints: {other:?}"),
    }
}
