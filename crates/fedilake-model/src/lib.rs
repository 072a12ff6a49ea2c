//! What a post is. Pure: no clock, no I/O.
//!
//! A [`Frame`] of a server's stream becomes a [`PostEvent`]; events become Avro records ([`avro`]) in the log and Arrow rows
//! ([`schema`]) in the table.

pub mod schema;

mod post;

pub use post::{Consent, Deletion, Frame, FrameKind, InReplyTo, Post, PostEvent, Server};
