//! Requests of a data folder's guests to its owner.

use serde::{Deserialize, Serialize};

use crate::checked::{CheckReport, Doing};
use crate::figures::Estimates;

/// The header that carries the folder's secret.
pub const SECRET_HEADER: &str = "x-fedilake-secret";
/// The header that carries a report's note, as UTF-8.
pub const NOTE_HEADER: &str = "x-fedilake-note";

/// The longest statement in bytes, whoever runs it: this process, or the owner of the folder.
pub const STATEMENT_BYTES_MAX: usize = 16 << 20;
/// The longest request in bytes: JSON writes a byte of a statement as up to six.
pub const REQUEST_BYTES_MAX: usize = 6 * STATEMENT_BYTES_MAX + (64 << 10);

/// A question in SQL.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SqlRequest {
    pub query: String,
}

/// Servers that the owner is to read from now on, and such that it is not; an answer tells of all that it reads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServersRequest {
    /// Hosts or URLs.
    pub add: Vec<String>,
    /// Hosts or URLs.
    pub remove: Vec<String>,
    /// The timelines of those that are added, with commas between them.
    pub timeline: String,
}

/// The servers of an owner after a request.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ServersAnswer {
    /// False if the owner reads no servers.
    pub collects: bool,
    /// Sentences for the person who asked.
    pub said: Vec<String>,
    /// The servers as in /api/v1/collector.
    pub servers: serde_json::Value,
    /// How complete servers are by the owner's lake, also those that others read.
    #[serde(default)]
    pub completeness: Estimates,
}

/// A check that is wanted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CheckRequest {
    /// True if the answer is to be lines with a [`CheckMessage`] each; false for the report alone.
    #[serde(default)]
    pub progress: bool,
    /// True for a check of names and footers only.
    #[serde(default)]
    pub quick: bool,
}

/// A line of an answer to a check.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum CheckMessage {
    /// The check goes on.
    Doing(Doing),
    /// The check has ended; nothing comes after it.
    Report(CheckReport),
    /// There is no report, and why; nothing comes after it.
    Failed(String),
}
