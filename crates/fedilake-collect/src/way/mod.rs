//! Ways to read what a server shows: its stream, its timeline page by page, and what both left out.

pub mod feed;
pub mod live;
pub mod poll;
pub mod sse;

pub(crate) mod again;
pub(crate) mod arrival;
pub(crate) mod backoff;
pub(crate) mod cursor;
pub(crate) mod gap;
pub(crate) mod gone;
pub(crate) mod hearsay;
pub(crate) mod late;
pub(crate) mod learned;
pub(crate) mod mark;
pub(crate) mod page;
pub(crate) mod permission;
pub(crate) mod places;
pub(crate) mod recent;
pub(crate) mod rhythm;
pub(crate) mod seen;
pub(crate) mod socket;
pub(crate) mod source;
pub(crate) mod watch;
