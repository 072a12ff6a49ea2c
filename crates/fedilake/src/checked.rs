//! What a check found, and how far it is.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::render::counted;

/// The report of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Log partitions that have files.
    pub chains: u64,
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
    /// Posts that the lake shows; `None` of a quick check.
    pub posts: Option<u64>,
    /// True if only names and footers of the table's files were looked at.
    #[serde(default)]
    pub quick: bool,
    /// Ranges that the log lost before the table had them, accepted by hand. Not a fault, but never forgotten.
    pub accepted_gaps: Vec<String>,
    /// A sentence for each fault; empty when there is none.
    pub findings: Vec<String>,
}

impl CheckReport {
    /// True if no row is missing and none is doubled.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    /// For people.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(
            out,
            "{} in {} of {}, {}",
            counted(self.rows, "row"),
            counted(self.files, "file"),
            counted(self.chains, "chain"),
            counted(self.bytes, "byte")
        )?;
        if let Some(posts) = self.posts {
            writeln!(out, "{} in the lake", counted(posts, "post"))?;
        }
        for gap in &self.accepted_gaps {
            writeln!(out, "accepted gap: {gap}")?;
        }
        for finding in &self.findings {
            writeln!(out, "{finding}")?;
        }
        if self.quick {
            writeln!(out, "quick: looked at the files' names and footers, and at where the log begins")?;
            writeln!(out, "not looked at: rows, checksums, the lake; `fedilake check` without --quick does")?;
        }
        match self.findings.len() {
            0 if self.quick => writeln!(out, "whole by names and footers: no offset missing, none doubled"),
            0 => writeln!(out, "whole: nothing missing, nothing doubled"),
            1 => writeln!(out, "1 finding"),
            n => writeln!(out, "{n} findings"),
        }
    }
}

/// The step that a check is at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Doing {
    /// A sentence without its subject, for people.
    pub what: String,
    /// The share of the whole check that is done, 0 to 1.
    pub share: f64,
}

/// The progress of a running check; anyone may look at any time.
#[derive(Debug, Default)]
pub struct Progress(Mutex<Doing>);

impl Progress {
    /// The step that the check is at now.
    pub fn doing(&self) -> Doing {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes the step that the check is at now.
    pub fn note(&self, doing: Doing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = doing;
    }

    pub fn say(&self, what: &str, share: f64) {
        self.note(Doing { what: what.to_owned(), share });
    }
}
