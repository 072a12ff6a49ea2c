//! The check: the table's chains and files, the rows in them, and the lake against them.

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use fedilake_log::{LogEvent, LogReader, Offset, Partition, Record};
use fedilake_query::{Chunk, Filter, Lake, Report, Rows};
use fedilake_table::{ChainFiles, Table};
use serde::{Deserialize, Serialize};

use crate::chunks::{ChunkWriter, chunk_of};
use crate::render::{self, with_separators};

/// Makes readers of the log.
pub type ReaderSource = Arc<dyn Fn() -> Box<dyn LogReader> + Send + Sync>;
/// Held while the lake takes rows, or is to stand still.
pub type LakeGate = Arc<tokio::sync::Mutex<()>>;

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
        writeln!(
            out,
            "{} rows in {} files of {} chains, {} bytes",
            count(self.rows),
            count(self.files),
            count(self.chains),
            count(self.bytes)
        )?;
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

/// What a check works on.
#[derive(Clone)]
pub struct Checker {
    pub table: Arc<Table>,
    pub table_folder: PathBuf,
    /// Where chunks may be written.
    pub chunks_folder: PathBuf,
    pub new_reader: ReaderSource,
    pub lake: Arc<Lake>,
    pub gate: LakeGate,
}

impl Checker {
    /// Checks the table by itself, then, if it is whole, its rows against each other and the lake against them and the
    /// log's tail. The lake stands still meanwhile.
    pub async fn check(&self) -> anyhow::Result<CheckReport> {
        let still = self.gate.lock().await;
        let checked = self.table.check().await.context("check the table")?;
        let mut findings: Vec<String> = checked.findings.iter().map(ToString::to_string).collect();
        let mut posts = 0;
        // A table with a damaged file has no figures to hold the lake against.
        if findings.is_empty() {
            let chunks = self.chunks().await?;
            let lake = Arc::clone(&self.lake);
            let (rows, counted) = tokio::task::spawn_blocking(move || {
                let rows = fedilake_query::check::rows(&lake, &chunks)?;
                anyhow::Ok((rows, lake.report(&Report::Statistics, &Filter::default())?))
            })
            .await?
            .context("check the lake")?;
            findings.extend(rows.iter().map(ToString::to_string));
            posts = count_of_posts(&counted)?;
        }
        drop(still);
        Ok(CheckReport {
            chains: checked.chains,
            files: checked.files,
            rows: checked.rows,
            bytes: checked.bytes,
            posts,
            accepted_gaps: checked
                .accepted_gaps
                .iter()
                .map(|gap| format!("offsets {}..{} of {}", gap.first, gap.next, gap.chain))
                .collect(),
            findings,
        })
    }

    /// The table's files, and of the log what the lake has and the table not yet.
    async fn chunks(&self) -> anyhow::Result<Vec<Chunk>> {
        let snapshot = self.table.snapshot().await.context("read the table")?;
        let files = snapshot.chains.iter().flat_map(|chain| &chain.files);
        let mut chunks: Vec<Chunk> = files.map(|file| chunk_of(&self.table_folder, file)).collect();
        let positions = self.lake.positions().context("read the lake's position")?;
        let mut reader = (self.new_reader)();
        let mut writer = ChunkWriter::new(&self.chunks_folder)?;
        let log = reader.id().clone();
        for position in positions.iter().filter(|position| position.log == log.as_str()) {
            let partition = Partition(u32::try_from(position.partition).context("a partition is no negative number")?);
            let next = Offset(u64::try_from(position.next).context("an offset is no negative number")?);
            let of_partition = |chain: &&ChainFiles| chain.chain.log == log && chain.chain.partition == partition;
            let first = match snapshot.chains.iter().find(of_partition) {
                Some(chain) => chain.next(),
                None => reader.bounds(partition).await.context("read the log's bounds")?.start,
            };
            if first < next {
                let records = read(reader.as_mut(), partition, first..next).await?;
                let name = format!("check-{partition}.parquet");
                chunks.push(writer.write(&name, &log, partition, first..next, &records)?);
            }
        }
        Ok(chunks)
    }
}

/// The records of a partition at these offsets.
async fn read(reader: &mut dyn LogReader, partition: Partition, offsets: Range<Offset>) -> anyhow::Result<Vec<Record>> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        match reader.next().await.context("read the log's tail")? {
            LogEvent::Assigned(assigned) if assigned == partition => {
                reader.seek(partition, offsets.start).await.context("read the log's tail")?;
            }
            LogEvent::Assigned(_) | LogEvent::Revoked(_) => {}
            LogEvent::Records(read) => {
                let end_reached = read.last().is_some_and(|record| record.offset.next() >= offsets.end);
                records.extend(read.into_iter().filter(|record| offsets.contains(&record.offset)));
                if end_reached {
                    return Ok(records);
                }
            }
        }
    }
}

fn count_of_posts(statistics: &Rows) -> anyhow::Result<u64> {
    let rows = render::read_rows(&statistics.ipc)?;
    let posts = rows.column_by_name("posts").and_then(|posts| posts.as_primitive_opt::<Int64Type>());
    posts.and_then(|posts| posts.iter().next()??.try_into().ok()).context("the statistics count posts")
}
