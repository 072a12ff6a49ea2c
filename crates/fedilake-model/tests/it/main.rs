//! The crate's tests over its public interface.
#![allow(clippy::unwrap_used)]

mod api;
mod caps;
mod corpus;
mod html_reference;
mod odd_statuses;
mod records;
mod text;
