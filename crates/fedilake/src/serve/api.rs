//! What guests of a data folder send its owner, and how the answers come back.

use fedilake_query::{Filter, Report};
use serde::{Deserialize, Serialize};

/// The header that carries the folder's secret.
pub const SECRET_HEADER: &str = "x-fedilake-secret";
/// The header that carries a report's note, as UTF-8.
pub const NOTE_HEADER: &str = "x-fedilake-note";

/// A report to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReportRequest {
    pub report: Report,
    pub filter: Filter,
}

/// A question in SQL.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SqlRequest {
    pub query: String,
}
