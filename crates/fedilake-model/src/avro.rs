//! Post events ↔ the log's records: Avro in single-object encoding.
//!
//! A record is `C3 01`, the Rabin fingerprint of the schema that wrote it (8 bytes, little endian) and the Avro body.
//!
//! Promises of the [`Decoder`]:
//! - Every record becomes one row, in the given order, whatever its bytes are. A record that cannot be read becomes a
//!   row with `kind` "rejected", a reason and the bytes; the other rows are not affected.
//! - Records of every earlier version are read; columns that the version did not know are null.
//! - A record of a schema that this program does not know is an error and not a row: a newer program may have written
//!   it, and a good post must not be lost. Only where the log itself names our schemas
//!   ([`Schemas::named_by_the_log`]) such a record is another program's, and a rejected row.
//! - No input makes the decoder panic, or allocate more than a small multiple of the input's length.

mod body;
mod column;
mod decode;
mod encode;
mod header;
mod record_schema;
mod schemas;
mod shape;

#[cfg(test)]
mod evolution;

pub use decode::{DecodeError, Decoder, Encoded, SortKeys};
pub use encode::encode;
pub use header::Header;
pub use schemas::{SchemaError, Schemas, own_header};

/// Every schema that a released version wrote, oldest first. The last one is [`crate::schema::AVRO`].
pub const KNOWN_SCHEMAS: &[&str] =
    &[include_str!("../schemas/post_event.1.avsc"), include_str!("../schemas/post_event.2.avsc")];
