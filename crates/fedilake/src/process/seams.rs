//! Seams between the table's files, as the lake takes them: offsets that no readable file has come from the log as long
//! as it has them, and are marked as lost where it has not.
//!
//! A file's end is in its own footer: the names of the files around a lost one do not show the loss.

use std::collections::HashMap;

use anyhow::Context;
use fedilake_log::{Bounds, Offset};
use fedilake_query::{Chunk, LakePosition};
use fedilake_table::{Chain, ChainFiles, Snapshot, Table, TableError};

use crate::chunk::{as_lakes, position_of};
use crate::process::chunks::{ChunkWriter, from_log};
use crate::temporary::Temporary;
use crate::wire::OpenLog;

/// The name of a chunk that has no records and only says what is lost.
const LOST: &str = "lost.parquet";

/// The chains of a table, each with the offset up to which the lake or its chunks have it.
#[derive(Clone)]
pub struct Seams {
    /// The log that one or several of the chains are of.
    log: OpenLog,
    ends: HashMap<Chain, Offset>,
}

impl Seams {
    /// The chains of `snapshot` for a lake at `positions`. A chain that the lake does not have begins at its stored start;
    /// one whose start is unknown, which `check` reports, begins with its first file.
    pub async fn of(
        snapshot: &Snapshot,
        table: &Table,
        positions: &[LakePosition],
        log: &OpenLog,
    ) -> anyhow::Result<Seams> {
        let mut ends = HashMap::new();
        for ChainFiles { chain, files } in &snapshot.chains {
            let end = match position_of(positions, &chain.log, chain.partition) {
                Some(position) => Some(position),
                None => match table.start(chain).await {
                    Ok(start) => start,
                    Err(TableError::Damaged { .. }) => None,
                    Err(error) => return Err(error).context("read the table"),
                },
            };
            ends.extend(end.or(files.first().map(|file| file.first)).map(|end| (chain.clone(), end)));
        }
        Ok(Seams { log: log.clone(), ends })
    }

    /// The offset up to which the lake or its chunks have a chain, if that is before `offset`.
    pub fn end_before(&self, chain: &Chain, offset: Offset) -> Option<Offset> {
        self.ends.get(chain).copied().filter(|end| *end < offset)
    }

    /// `chunk`, the next of `chain`, behind chunks with the offsets before it that the log still has. Chunks of the log are
    /// written to `folder`.
    pub async fn join(&mut self, chain: &Chain, chunk: &Chunk, folder: &Temporary) -> anyhow::Result<Vec<Chunk>> {
        let (first, next) = (Offset(chunk.first.unsigned_abs()), Offset(chunk.next.unsigned_abs()));
        let (mut chunks, lost_from) = self.fill(chain, first, folder).await?;
        chunks.push(Chunk { lost_from, ..chunk.clone() });
        let end = self.ends.entry(chain.clone()).or_insert(next);
        *end = next.max(*end);
        Ok(chunks)
    }

    /// Chunks for the offsets of `chain` up to `next` that no readable file has. Offsets that its log has not given yet are
    /// not among them.
    pub async fn close(&mut self, chain: &Chain, next: Offset, folder: &Temporary) -> anyhow::Result<Vec<Chunk>> {
        if self.end_before(chain, next).is_none() {
            return Ok(Vec::new());
        }
        let next = self.bounds(chain).await?.map_or(next, |log| log.end.min(next));
        let (mut chunks, lost_from) = self.fill(chain, next, folder).await?;
        if lost_from.is_some() {
            let mut writer = ChunkWriter::new(folder.clone(), &self.log.schemas);
            let empty = writer.write(LOST, &chain.log, chain.partition, next..next, &[])?;
            chunks.push(Chunk { lost_from, ..empty });
        }
        let end = self.ends.entry(chain.clone()).or_insert(next);
        *end = next.max(*end);
        Ok(chunks)
    }

    /// Chunks with the offsets of `chain` up to `next` that the log still has, and the first of those behind them that it has
    /// not.
    async fn fill(&self, chain: &Chain, next: Offset, folder: &Temporary) -> anyhow::Result<(Vec<Chunk>, Option<i64>)> {
        let Some(end) = self.end_before(chain, next) else { return Ok((Vec::new(), None)) };
        loop {
            let lost = (Vec::new(), Some(as_lakes(end)));
            let Some(log) = self.bounds(chain).await? else { return Ok(lost) };
            let has = log.start.max(end)..log.end.min(next);
            if has.is_empty() {
                return Ok(lost);
            }
            // `None`: the log has let go of more since its bounds were read.
            if let Some(mut chunks) = from_log(&self.log, chain, has.clone(), folder).await? {
                chunks[0].lost_from = (has.start > end).then(|| as_lakes(end));
                return Ok((chunks, (has.end < next).then(|| as_lakes(has.end))));
            }
        }
    }

    /// The bounds of the log partition of `chain`; `None` if it is of another log.
    async fn bounds(&self, chain: &Chain) -> anyhow::Result<Option<Bounds>> {
        if *self.log.source.id() != chain.log {
            return Ok(None);
        }
        Ok(self.log.source.bounds().await.context("read the log's bounds")?.remove(&chain.partition))
    }
}
