//! Import: a table as the talk's Kafka Connect sink wrote it → our table.
//!
//! ```text
//! topics/mastodon-topic/partition=0/mastodon-topic+0+0000001000.snappy.parquet       offsets 1000..2000 of partition 0
//! ```
//!
//! Each topic of a source is a log of its own ([`ImportLog`]), which keeps the source's partitions and offsets, so the sink
//! that every log has does the rest: a file is committed once, a kill at any moment costs nothing, and the same command goes on
//! where the table ends. The log's id is a hash of the topic's folder and name ([`Topic::log_id`]): whoever moves the source
//! imports another log, whose posts are the same ones in the `posts` view.
//!
//! Promises: an offset whose row may be kept is one row of the table. Rows that are not kept, offsets that no file has or two have,
//! and values that cannot be read are counted and named ([`Findings`]). A file that cannot be read ends its partition there, after
//! all before it is in the table.

mod column;
mod fetch;
mod file;
mod findings;
mod log;
mod missing;
mod name;
mod offsets;
mod receipt;
mod row;
mod source;
mod time;
mod unit;
mod unusable;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use chrono::Utc;
use fedilake_collect::admission::Admission;
use fedilake_log::{Assignment, Bounds, Offset, Partition};
use fedilake_model::avro::Decoder;
use fedilake_table::sink::{self, SinkError, SinkProgress, SinkSummary};
use fedilake_table::{Chain, Table, TableError};
use tokio_util::sync::CancellationToken;

use file::Terms;
pub use findings::{Findings, Progress, SHOWN_MAX};
use log::ImportLog;
pub use missing::{Missing, Ranges, missing};
pub use source::{Listing, Source, Topic};
pub use unusable::{Memory, Unusable};

/// The outcome of one topic's import.
pub struct Imported {
    /// Rows that the table did not have before.
    pub committed: SinkSummary,
    /// Gaps, doubled rows and values that could not be used.
    pub findings: Findings,
}

/// Moves the rows of `topic` that the table lacks into it, until the topic's end or `shutdown`. Files that could not be read are in
/// the findings; an error is one of the table, or of a source that does not continue the table's rows.
pub async fn run(
    topic: Topic,
    table: Arc<Table>,
    limits: sink::Limits,
    memory: Memory,
    admission: Admission,
    progress: Arc<Progress>,
    shutdown: &CancellationToken,
) -> anyhow::Result<Imported> {
    let known = ends_in(&table, &topic).await?;
    let done = shutdown.child_token();
    let what = topic.to_string();
    let terms = Terms { now: Utc::now(), admission };
    let log = ImportLog::open(topic, &known, memory, Arc::clone(&progress), terms, done.clone()).await;
    let log = Arc::new(log.with_context(|| format!("import {what}"))?);
    let (decoder, sunk) = (Decoder::new(), Arc::<SinkProgress>::default());
    let committed = sink::run(log, Assignment::All, decoder, table, limits, sunk, done).await;
    let committed = committed.map_err(|error| with_hint(&what, error))?;
    Ok(Imported { committed, findings: progress.findings() })
}

/// The table's end in each partition of the topic; for a partition that the table lacks, the first file's beginning.
async fn ends_in(table: &Table, topic: &Topic) -> anyhow::Result<BTreeMap<Partition, Offset>> {
    let mut ends = BTreeMap::new();
    for (partition, first) in topic.firsts() {
        let chain = Chain { log: topic.log_id(), partition };
        // Where the source ends is asked of the reader.
        let bounds = Bounds { start: first, end: Offset(u64::MAX) };
        let end = match table.next_offset(&chain, bounds).await {
            Ok(next) => next,
            // Files that went away before they were imported are as missing as any other: holes, which are said.
            Err(TableError::Gap { first, .. }) => first,
            Err(error) => return Err(error).context("read the table"),
        };
        ends.insert(partition, end);
    }
    Ok(ends)
}

fn with_hint(topic: &str, error: SinkError) -> anyhow::Error {
    let hint = match &error {
        SinkError::Table(TableError::BeyondEnd { .. }) => Some(
            "the newest files are gone, or the topic was made anew under its name: \
             what is there now can be imported from a copy in another folder, as a log of its own"
                .to_owned(),
        ),
        other => other.hint(),
    };
    match hint {
        Some(hint) => anyhow::anyhow!("import {topic}: {error}\nhint: {hint}"),
        None => anyhow::Error::new(error).context(format!("import {topic}")),
    }
}
