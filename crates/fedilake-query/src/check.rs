//! Compares data files with each other and the lake with them.
//!
//! Of the files: every row lies in the range that its file answers for, and no offset comes twice. Of the lake: it
//! stands where the files end, and its `posts` and `sightings` are what the same views give over the files.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;

use crate::error::message;
use crate::lake::{Snapshot, outside_of};
use crate::sql::Watch;
use crate::{Cancel, Chunk, Lake, LakeError, SqlLimits, source, views};

/// Uris that a finding names.
const EXAMPLES: usize = 3;

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A file cannot be read; nothing that needs it was checked.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What reading it said.
        reason: String,
    },
    /// Rows that are in a file which does not answer for them.
    Outside {
        /// The file.
        path: PathBuf,
        /// The lowest such offset.
        first: i64,
        /// The highest such offset.
        last: i64,
        /// How many.
        rows: u64,
    },
    /// Offsets that more than one row has.
    Twice {
        /// The log's id.
        log: String,
        /// The partition.
        partition: i32,
        /// The first of them.
        first: i64,
        /// The last of them, without a gap between.
        last: i64,
    },
    /// The lake has not taken what the files hold.
    Behind {
        /// The log's id.
        log: String,
        /// The partition.
        partition: i32,
        /// Where the lake stands; None: it does not know the partition.
        lake: Option<i64>,
        /// Where the files end.
        files: i64,
    },
    /// The lake has taken rows that no given file holds, so its posts cannot be compared.
    Ahead {
        /// The log's id.
        log: String,
        /// The partition.
        partition: i32,
        /// Where the lake stands.
        lake: i64,
        /// Where the files end; None: there are none.
        files: Option<i64>,
    },
    /// Rows of a view that only one side has.
    Differs {
        /// `posts` or `sightings`.
        view: &'static str,
        /// Rows that the files give and the lake does not have.
        missing: u64,
        /// Rows that the lake has and the files do not give.
        surplus: u64,
        /// Uris of some.
        uris: Vec<String>,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Damaged { path, reason } => write!(f, "data file {} is damaged: {reason}", path.display()),
            Finding::Outside { path, first, last, rows } => {
                write!(
                    f,
                    "data file {} holds {rows} rows that are not its own: offsets {first}..={last}",
                    path.display()
                )
            }
            Finding::Twice { log, partition, first, last } => {
                write!(f, "log {log} partition {partition}: offsets {first}..={last} are in the table twice")
            }
            Finding::Behind { log, partition, lake, files } => match lake {
                Some(lake) => write!(f, "log {log} partition {partition}: the lake lacks offsets {lake}..{files}"),
                None => write!(f, "log {log} partition {partition}: the lake lacks every offset below {files}"),
            },
            Finding::Ahead { log, partition, lake, files } => match files {
                Some(files) => write!(
                    f,
                    "log {log} partition {partition}: the lake has offsets {files}..{lake}, which no file holds"
                ),
                None => {
                    write!(f, "log {log} partition {partition}: the lake has offsets below {lake}, which no file holds")
                }
            },
            Finding::Differs { view, missing, surplus, uris } => {
                write!(
                    f,
                    "{view}: the lake lacks {missing} rows of the table and has {surplus} others: {}",
                    uris.join(", ")
                )
            }
        }
    }
}

/// Counts checks, so that each has a folder of its own to spill into.
static CHECKS: AtomicU64 = AtomicU64::new(0);

/// Checks every row of the files, and one moment of `lake` against them: takes go on meanwhile. `chunks` are the table's files
/// and, where the lake is ahead of the table, the log's tail as it was taken.
///
/// What is wrong is returned, in the order of the module's description; an error means that checking failed, or was cancelled.
pub fn rows(lake: &Lake, snapshot: &Snapshot, chunks: &[Chunk], cancel: &Cancel) -> Result<Vec<Finding>, LakeError> {
    let name = format!(".check-{}", CHECKS.fetch_add(1, Ordering::Relaxed));
    let outside = outside_of(lake.path(), &name, lake.options())?;
    let limits = SqlLimits { time: Duration::MAX, cancel: cancel.clone(), ..SqlLimits::default() };
    let files_watch = Watch::start(|| lake.another(), &outside, &limits)?;
    let lake_watch = Watch::start(|| lake.another(), &snapshot.connection, &limits)?;
    let found = find(&outside, snapshot, chunks);
    // What they would say, the flag says.
    let _ = (files_watch.stop(), lake_watch.stop());
    // A file whose reading was interrupted seems damaged.
    if cancel.is_cancelled() { Err(LakeError::Interrupted) } else { found }
}

fn find(outside: &Connection, snapshot: &Snapshot, chunks: &[Chunk]) -> Result<Vec<Finding>, LakeError> {
    let mut findings = damaged(outside, chunks);
    if !findings.is_empty() {
        return Ok(findings);
    }
    findings.extend(places(snapshot, chunks));
    let comparable = findings.is_empty();
    if chunks.iter().any(|chunk| chunk.next > chunk.first) {
        findings.extend(offsets(outside, chunks)?);
        if comparable {
            for view in ["posts", "sightings"] {
                findings.extend(compare(snapshot, outside, chunks, view)?);
            }
        }
    }
    Ok(findings)
}

fn damaged(outside: &Connection, chunks: &[Chunk]) -> Vec<Finding> {
    let unreadable = |chunk: &Chunk| {
        let error = source::read_whole(outside, &chunk.parquet).err()?;
        Some(Finding::Damaged { path: chunk.parquet.clone(), reason: message(&error) })
    };
    chunks.iter().filter_map(unreadable).collect()
}

/// Whether the lake stands where the files of each log partition end.
fn places(snapshot: &Snapshot, chunks: &[Chunk]) -> Vec<Finding> {
    let lake = snapshot.positions();
    let mut ends = std::collections::BTreeMap::new();
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

fn offsets(outside: &Connection, chunks: &[Chunk]) -> Result<Vec<Finding>, LakeError> {
    let ranges: Vec<_> = chunks
        .iter()
        .map(|chunk| {
            let path = views::literal(&chunk.parquet.to_string_lossy());
            format!("({path}, {}, {}, {}, {})", views::literal(&chunk.log), chunk.partition, chunk.first, chunk.next)
        })
        .collect();
    outside.execute_batch(&format!(
        "create or replace temp table chunk as from (values {}) chunk (path, log, partition, first, next);
        create or replace temp view place as
        select chunk.path, chunk.log, chunk.partition, chunk.first, chunk.next, file.log_offset
        from read_parquet({}, union_by_name = true, hive_partitioning = false, filename = 'path') file
        join chunk using (path)",
        ranges.join(", "),
        source::files(&paths(chunks)),
    ))?;
    let mut findings = Vec::new();
    let mut strays = outside.prepare(
        "select path, min(log_offset), max(log_offset), count(*)::ubigint from place
        where log_offset < first or log_offset >= next group by path order by path",
    )?;
    let strays = strays.query_map([], |row| {
        let path: String = row.get(0)?;
        Ok(Finding::Outside { path: PathBuf::from(path), first: row.get(1)?, last: row.get(2)?, rows: row.get(3)? })
    })?;
    for finding in strays {
        findings.push(finding?);
    }
    let mut repeated = outside.prepare(
        "with twice as (
            select log, partition, log_offset from place group by log, partition, log_offset having count(*) > 1
        ), run as (
            select *, log_offset - row_number() over (partition by log, partition order by log_offset) as run from twice
        )
        select log, partition, min(log_offset), max(log_offset) from run group by log, partition, run order by 1, 2, 3",
    )?;
    let repeated = repeated.query_map([], |row| {
        Ok(Finding::Twice { log: row.get(0)?, partition: row.get(1)?, first: row.get(2)?, last: row.get(3)? })
    })?;
    for finding in repeated {
        findings.push(finding?);
    }
    Ok(findings)
}

/// Rows compared at a time: what the plain views keep of a post until they know its last version has to fit into memory.
const COMPARED_ROWS: i64 = 250_000;

/// Compares a view's rows by their hashes, a share of the uris after the other.
fn compare(
    snapshot: &Snapshot,
    outside: &Connection,
    chunks: &[Chunk],
    view: &'static str,
) -> Result<Option<Finding>, LakeError> {
    let offsets: i64 = chunks.iter().map(|chunk| chunk.next - chunk.first).sum();
    let shares = 1 + offsets / COMPARED_ROWS;
    // A delete names no uri: each share sees all of them.
    outside.execute_batch(&views::over_files(&source::files(&paths(chunks)), snapshot.deletes))?;
    // An author's spelling may come from a post of another share.
    outside.execute_batch(
        "create or replace table internal.spelling as from internal.author;
        create or replace view internal.author as from internal.spelling;
        drop view if exists internal.all_rows;
        alter view internal.table_rows rename to all_rows",
    )?;
    let mut difference = Difference::default();
    for share in 0..shares {
        outside.execute_batch(&format!(
            "create or replace view internal.table_rows as
            from internal.all_rows where kind not in ('created', 'edited') or hash(uri) % {shares} = {share}"
        ))?;
        let of_share = format!("where hash(v.uri) % {shares} = {share}");
        difference.add(compare_share(snapshot, outside, view, &of_share)?);
    }
    let Difference { missing, surplus, mut uris } = difference;
    uris.sort();
    uris.dedup();
    uris.truncate(2 * EXAMPLES);
    Ok((missing + surplus > 0).then_some(Finding::Differs { view, missing, surplus, uris }))
}

/// Rows that only one side has.
#[derive(Default)]
struct Difference {
    missing: u64,
    surplus: u64,
    /// Uris of some.
    uris: Vec<String>,
}

impl Difference {
    fn add(&mut self, other: Difference) {
        self.missing += other.missing;
        self.surplus += other.surplus;
        self.uris.extend(other.uris);
    }
}

fn compare_share(
    snapshot: &Snapshot,
    outside: &Connection,
    view: &str,
    of_share: &str,
) -> Result<Difference, LakeError> {
    let hashes = format!("select v.uri as uri, hash(v) as hash from {view} v {of_share}");
    outside.execute_batch("create or replace temp table lake_row (uri varchar, hash ubigint)")?;
    let mut appender = outside.appender_to_catalog_and_db("lake_row", "temp", "main")?;
    let mut statement = snapshot.connection.prepare(&hashes)?;
    // Started as a stream and read by `step`, which returns errors where the iterator would panic.
    drop(statement.stream_arrow([])?);
    while let Some(batch) = statement.step()? {
        appender.append_record_batch(RecordBatch::from(&batch))?;
    }
    appender.flush()?;
    drop(appender);
    outside.execute_batch(&format!("create or replace temp table file_row as {hashes}"))?;
    let only = |here: &str, there: &str| -> Result<(u64, Vec<String>), LakeError> {
        let rows = format!("from {here} anti join {there} using (uri, hash)");
        let count = outside.query_row(&format!("select count(*)::ubigint {rows}"), [], |row| row.get(0))?;
        let mut statement = outside.prepare(&format!("select uri {rows} order by uri limit {EXAMPLES}"))?;
        let uris = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok((count, uris))
    };
    let (missing, mut uris) = only("file_row", "lake_row")?;
    let (surplus, others) = only("lake_row", "file_row")?;
    outside.execute_batch("drop table file_row; drop table lake_row")?;
    uris.extend(others);
    Ok(Difference { missing, surplus, uris })
}

fn paths(chunks: &[Chunk]) -> Vec<PathBuf> {
    chunks.iter().map(|chunk| chunk.parquet.clone()).collect()
}
