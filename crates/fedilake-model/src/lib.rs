//! The model of a post. Pure: no clock, no I/O.
//!
//! A [`Frame`] of a server's stream becomes a [`PostEvent`]; events become Avro records ([`avro`]) in the log and
//! Arrow rows ([`schema`]) in the table.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod avro;
pub mod caps;
pub mod json;
pub mod rows;
pub mod schema;
pub mod text;

mod consent;
mod domain;
mod flaws;
mod from_api;
mod post;
mod rejected;
mod shown_by;
mod status;
mod time;

pub use domain::spelled_uri;
pub use flaws::{Flaw, Flaws};
pub use post::{Consent, Deletion, Frame, FrameKind, InReplyTo, Post, PostEvent, Server};
pub use rejected::{Rejected, RejectedReason};
pub use shown_by::ShownBy;
pub use time::Moment;
