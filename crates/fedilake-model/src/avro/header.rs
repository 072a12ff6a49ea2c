//! The ten bytes before a record's body.

use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm};

const MAGIC: [u8; 2] = [0xC3, 0x01];

/// The start of a record in single-object encoding: `C3 01` and the schema's fingerprint.
pub type Header = [u8; 10];

/// Splits a record into the fingerprint of its schema and its body; `None` if it has no header.
pub(super) fn split(record: &[u8]) -> Option<(u64, &[u8])> {
    let (fingerprint, body) = record.strip_prefix(&MAGIC)?.split_first_chunk()?;
    Some((u64::from_le_bytes(*fingerprint), body))
}

/// The header of records with a schema of this fingerprint.
pub(super) fn of(fingerprint: u64) -> Header {
    let mut header = Header::default();
    header[..2].copy_from_slice(&MAGIC);
    header[2..].copy_from_slice(&fingerprint.to_le_bytes());
    header
}

/// The Rabin fingerprint of an Avro schema's canonical form. The error says why the text is not an Avro schema.
pub(super) fn fingerprint(schema: &str) -> Result<u64, String> {
    match AvroSchema::new(schema.to_owned()).fingerprint(FingerprintAlgorithm::Rabin) {
        Ok(Fingerprint::Rabin(fingerprint)) => Ok(fingerprint),
        Ok(other) => Err(format!("expected a Rabin fingerprint, got {other:?}")),
        Err(error) => Err(error.to_string()),
    }
}
