//! Compares data files with each other and the lake with them.
//!
//! Of the files: every row lies in the range that its file answers for, and no offset comes twice. Of the lake: it
//! stands where the files end, and its `posts` and `sightings` are what the same views give over the files.
//!
//! Each side is read once ([`compare`]). Every row becomes a hash, and each of [`compare::BUCKETS`] groups of uris the sum of its rows'
//! hashes; only groups whose sums differ are looked at row by row. The lake is read where it lies. Of the files a narrow table is made
//! ([`files`]): what tells which version of a post counts, and a hash of the rest. So a check needs room for that table, which may be on
//! disk, and memory for the posts that are chosen at a time ([`AtOnce`]). The files are read in windows, which the caller brings one after the
//! other ([`Bring`]): they need not all be here at once.

mod compare;
mod files;
mod finding;
mod offsets;
mod steps;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use self::files::Bring;
use self::files::Files;
pub use self::finding::Finding;
use self::steps::Steps;
use crate::answer::sql::Watch;
use crate::lake::{Snapshot, outside_of};
use crate::{Cancel, Chunk, Lake, LakeError, LakeOptions, SqlLimits};

/// How much of the files a check holds at a time. Where there is more, it reads the files once for each such part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtOnce {
    /// Rows in the narrow table, which is spilled to disk where memory does not do.
    pub staged_rows: u64,
    /// Rows of it among which the posts' versions are chosen, in memory.
    pub chosen_rows: u64,
    /// Rows of the files that are read together, and for which the files are brought together.
    pub window_rows: u64,
}

impl AtOnce {
    /// As much as fits into the lake's limits: a row is some 200 bytes in the narrow table, and some 500 while versions are chosen.
    pub fn within(options: &LakeOptions) -> AtOnce {
        AtOnce {
            staged_rows: (options.spill_bytes_max / 512).max(100_000),
            chosen_rows: (options.memory_bytes_max / 1024).max(100_000),
            // Enough for all threads, and few files of a store elsewhere.
            window_rows: 300_000,
        }
    }
}

/// Counts checks, so that each has a folder of its own to spill into.
static CHECKS: AtomicU64 = AtomicU64::new(0);

/// Checks every row of the files, and one moment of `lake` against them: takes go on meanwhile. `chunks` are the table's files
/// and, where the lake is ahead of the table, the log's tail as it was taken. `bring` is called before some of them are read, with their
/// range, and its error ends the check. `progress` is told the share that is done, 0 to 1.
///
/// Returns the findings, in the order of the module's description; an error means that checking failed, or was cancelled.
pub fn rows(
    lake: &Lake,
    snapshot: &Snapshot,
    chunks: &[Chunk],
    bring: &mut Bring<'_>,
    cancel: &Cancel,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Finding>, LakeError> {
    rows_within(lake, snapshot, chunks, AtOnce::within(lake.options()), bring, cancel, progress)
}

/// Like [`rows`], holding about as much of the files at a time as `at_once` says.
pub fn rows_within(
    lake: &Lake,
    snapshot: &Snapshot,
    chunks: &[Chunk],
    at_once: AtOnce,
    bring: &mut Bring<'_>,
    cancel: &Cancel,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Finding>, LakeError> {
    let name = format!(".check-{}", CHECKS.fetch_add(1, Ordering::Relaxed));
    let outside = outside_of(lake.path(), &name, lake.options())?;
    // A person waits for the check, so it takes all cores. Sums need no order.
    outside.execute_batch(&format!(
        "set threads = {}; set preserve_insertion_order = false",
        lake.options().threads.max(1)
    ))?;
    let limits = SqlLimits { time: Duration::MAX, cancel: cancel.clone(), ..SqlLimits::default() };
    let files_watch = Watch::start(|| lake.gauge(), &outside, &limits)?;
    let lake_watch = Watch::start(|| lake.gauge(), &snapshot.connection, &limits)?;
    let mut steps = Steps::new(progress);
    let found = match Files::new(&outside, chunks, snapshot.deletes, at_once, bring) {
        Ok(mut files) => find(&mut files, snapshot, at_once, &mut steps),
        Err(error) => Err(error),
    };
    // `cancel` says all that the watches would.
    let _ = (files_watch.stop(), lake_watch.stop());
    // A file whose reading was interrupted seems damaged.
    if cancel.is_cancelled() { Err(LakeError::Interrupted) } else { found }
}

fn find(
    files: &mut Files<'_>,
    snapshot: &Snapshot,
    at_once: AtOnce,
    steps: &mut Steps<'_>,
) -> Result<Vec<Finding>, LakeError> {
    let mut findings = places(snapshot, files.chunks());
    let is_comparable = findings.is_empty();
    let found = read(files, snapshot, at_once, is_comparable, steps);
    // A comparison without an error has read each file whole.
    if found.is_err() || !is_comparable {
        let damaged = files.damaged()?;
        if !damaged.is_empty() {
            return Ok(damaged);
        }
    }
    findings.extend(found?);
    Ok(findings)
}

fn read(
    files: &mut Files<'_>,
    snapshot: &Snapshot,
    at_once: AtOnce,
    is_comparable: bool,
    steps: &mut Steps<'_>,
) -> Result<Vec<Finding>, LakeError> {
    if files.chunks().iter().all(|chunk| chunk.next <= chunk.first) {
        return Ok(Vec::new());
    }
    let differences = if is_comparable { compare::compare(snapshot, files, at_once, steps)? } else { Vec::new() };
    // The comparison's walk over the files has looked at them.
    let mut found = files.offsets()?;
    found.extend(differences);
    Ok(found)
}

/// Findings for log partitions whose files end elsewhere than the lake stands.
fn places(snapshot: &Snapshot, chunks: &[Chunk]) -> Vec<Finding> {
    let lake = snapshot.positions();
    let mut ends = BTreeMap::new();
    for chunk in chunks {
        let end = ends.entry((chunk.log.clone(), chunk.partition)).or_insert(chunk.next);
        *end = chunk.next.max(*end);
    }
    let mut findings = Vec::new();
    for ((log, partition), &files) in &ends {
        let known = lake
            .iter()
            .find(|position| (&position.log, position.partition) == (log, *partition))
            .map(|position| position.next);
        let (log, partition) = (log.clone(), *partition);
        match known {
            Some(next) if next == files => {}
            Some(next) if next > files => {
                findings.push(Finding::Ahead { log, partition, lake: next, files: Some(files) })
            }
            lake => findings.push(Finding::Behind { log, partition, lake, files }),
        }
    }
    for position in lake {
        if !ends.contains_key(&(position.log.clone(), position.partition)) {
            let crate::LakePosition { log, partition, next, .. } = position.clone();
            findings.push(Finding::Ahead { log, partition, lake: next, files: None });
        }
    }
    findings
}
