//! The servers that are read: which ones, and with whose contact.

pub mod asking;
pub mod configured;
pub mod contact;
pub mod listed;
pub mod roster;
