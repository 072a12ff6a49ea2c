//! A server: how it is named and asked, what it says of itself, and what is learned of it.

pub mod about;
pub mod address;
pub mod http;
pub mod limits;
pub mod robots;

pub(crate) mod config;
pub(crate) mod delay;
pub(crate) mod error;
pub(crate) mod guard;
pub(crate) mod health;
pub(crate) mod instance;
pub(crate) mod number;
pub(crate) mod reason;

pub(crate) mod timeline;
pub(crate) mod token;
pub(crate) mod via;
