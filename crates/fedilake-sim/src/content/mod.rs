//! Invented content: people, hosts, words, posts, and their JSON as Mastodon's API gives it.

pub(crate) mod account;
mod common_words;
pub(crate) mod hosts;
pub(crate) mod ids;
pub(crate) mod json;
pub(crate) mod language;
pub(crate) mod media;
pub(crate) mod names;
pub(crate) mod people;
pub(crate) mod prose;
pub(crate) mod status;
pub(crate) mod vocabulary;
