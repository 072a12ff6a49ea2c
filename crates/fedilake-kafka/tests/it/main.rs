//! The log over Kafka, on a real broker and a real registry.
#![allow(clippy::unwrap_used)]

mod conforms;
mod groups;
mod holes;
mod identity;
mod reading;
mod refusals;
mod rights;
mod schemas;
mod secure;
mod servers;
mod services;
