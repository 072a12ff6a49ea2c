//! The log over Kafka, on a real broker and a real registry.
#![allow(clippy::unwrap_used)]

mod conforms;
mod groups;
mod holes;
mod identity;
mod refusals;
mod schemas;
mod servers;
mod services;
