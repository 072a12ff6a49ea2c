//! Post events ↔ the log's records: Avro in single-object encoding.
//!
//! A record is `C3 01`, the Rabin fingerprint of the schema that wrote it (8 bytes, little endian) and the Avro body.
//!
//! Promises of the [`Decoder`]:
//! - A row for each record, in the given order, whatever its bytes are. What cannot be read is a row with `kind`
//!   "rejected", a reason and the bytes, and disturbs no other row.
//! - A record of any earlier version is read; a column that it did not know is null.
//! - A record of a schema that this program does not know is an error and not a row: it may be a newer program's, and a
//!   good post must not be lost.
//! - No bytes make it panic, or allocate more than a small multiple of their length.

mod body;
mod column;
mod decode;
mod encode;
mod header;
mod learned;
mod shape;
mod writer;

#[cfg(test)]
mod evolution;

pub use decode::{DecodeError, Decoder, Encoded, Place};
pub use encode::Encoder;
pub use header::Header;
pub use learned::{SchemaError, learn, own_header};

/// Every schema that a released version wrote, oldest first. The last one is [`crate::schema::AVRO`].
pub const KNOWN_SCHEMAS: &[&str] =
    &[include_str!("../schemas/post_event.1.avsc"), include_str!("../schemas/post_event.2.avsc")];
