//! The truth: posts as a server really published them, to check collections against.

use serde::{Deserialize, Serialize};

/// A post at one server. A post that federates has one of these for each server that showed it, with the same uri.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthPost {
    /// The server's name, `host:port`.
    pub server: String,
    /// The post's id there.
    pub id: String,
    /// The post's identity on every server.
    pub uri: String,
    /// The author's full name, `user@domain`.
    pub author: String,
    /// The author is a member of this server.
    pub local: bool,
    /// The author's claim, in milliseconds since 1970.
    pub created_at_ms: i64,
    /// When this server first showed it, or was told that it is gone.
    pub shown_at_ms: i64,
    /// Number of edits that this server has shown.
    pub edits: u32,
    /// The author's claim of the last edit.
    pub edited_at_ms: Option<i64>,
    /// When this server was told that it is gone.
    pub deleted_at_ms: Option<i64>,
    /// Length of the plain text in the newest version.
    pub characters: u32,
}

/// Counts of events that a server sent since its start, forgotten posts included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerTotals {
    /// The server's name, `host:port`.
    pub server: String,
    /// Updates sent to its streams, whether or not anybody listened.
    pub updates: u64,
    /// Edits sent.
    pub edits: u64,
    /// Deletes sent.
    pub deletes: u64,
    /// Posts dropped from memory; neither the API nor the truth knows them any more.
    pub forgotten: u64,
}
