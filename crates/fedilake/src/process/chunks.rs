//! Chunks: the Parquet files that the lake takes, with the offsets that they cover. Table files are chunks already;
//! the log's tail is written as chunks here.

use std::ops::Range;

use anyhow::Context;
use fedilake_log::{Assignment, LogError, LogEvent, LogId, Offset, Partition, Record};
use fedilake_model::avro::{Decoder, Encoded, Schemas};
use fedilake_query::Chunk;
use fedilake_table::Chain;

use crate::chunk::{chunk, folders};
use crate::temporary::Temporary;
use crate::wire::OpenLog;

/// Records in a chunk of a range of the log.
const FROM_LOG_ROWS_MAX: usize = 100_000;

/// Writes records of the log as chunks into one folder.
pub struct ChunkWriter {
    folder: Temporary,
    decoder: Decoder,
}

impl ChunkWriter {
    /// A writer of the records of a log with these schemas into `folder`; first deletes everything that an earlier process left
    /// there.
    pub fn in_empty_folder(folder: Temporary, schemas: &Schemas) -> anyhow::Result<ChunkWriter> {
        folder.remove().with_context(|| format!("empty {}", folder.path().display()))?;
        Ok(ChunkWriter::new(folder, schemas))
    }

    /// A writer of the records of a log with these schemas into `folder`, whose other files stay.
    pub fn new(folder: Temporary, schemas: &Schemas) -> ChunkWriter {
        ChunkWriter { folder, decoder: schemas.decoder() }
    }

    /// Writes the records, in order, as a chunk that covers `offsets`, holes included. `name` is one part of a path.
    pub fn write(
        &mut self,
        name: &str,
        log: &LogId,
        partition: Partition,
        offsets: Range<Offset>,
        records: &[Record],
    ) -> anyhow::Result<Chunk> {
        let encoded: Vec<Encoded> = records
            .iter()
            .map(|record| Encoded {
                partition: record.partition.0,
                offset: record.offset.0,
                appended_at_ms: record.appended_at_ms,
                value: record.value.clone(),
            })
            .collect();
        let rows = self.decoder.decode(&encoded).context("read the log's records")?;
        let parquet = self.folder.make()?.join(name);
        let bytes = fedilake_table::file::encode(&[rows]).context("write a chunk for the lake")?;
        std::fs::write(&parquet, bytes).with_context(|| format!("write {}", parquet.display()))?;
        Ok(chunk(log, partition, offsets.start, offsets.end, parquet))
    }
}

/// The records of `chain` at these offsets, which its `log` gives, as chunks of a bounded size in `folder`; `None`
/// if the log has let go of them. The log must reach to the last of the offsets.
pub async fn from_log(
    log: &OpenLog,
    chain: &Chain,
    offsets: Range<Offset>,
    folder: &Temporary,
) -> anyhow::Result<Option<Vec<Chunk>>> {
    let folder = folder.folder(folders(&chain.log, chain.partition));
    let mut writer = ChunkWriter::new(folder, &log.schemas);
    let mut reader = log.source.reader(Assignment::All)?;
    let mut chunks = Vec::new();
    let mut first = offsets.start;
    let mut records: Vec<Record> = Vec::new();
    let mut end_reached = false;
    while first < offsets.end {
        match reader.next().await {
            Ok(LogEvent::Assigned(assigned)) if assigned == chain.partition => {
                match reader.seek(assigned, offsets.start).await {
                    Err(LogError::BelowStart { .. }) => return Ok(None),
                    sought => sought.context("read the log's tail")?,
                }
            }
            Ok(LogEvent::Assigned(_) | LogEvent::Revoked(_)) => {}
            Ok(LogEvent::Reached(_, offset)) => end_reached = offset >= offsets.end,
            Ok(LogEvent::Records(read)) => {
                // A read may go beyond the last offset that is wanted; holes may be there instead of it.
                end_reached = read.last().is_some_and(|record| record.offset.next() >= offsets.end);
                records.extend(read.into_iter().filter(|record| offsets.contains(&record.offset)));
            }
            Err(LogError::BelowStart { .. }) => return Ok(None),
            Err(error) => return Err(error).context("read the log's tail"),
        }
        if end_reached || records.len() >= FROM_LOG_ROWS_MAX {
            let last = records.last().map_or(offsets.end, |record| record.offset.next());
            let next = if end_reached { offsets.end } else { last };
            let name = format!("tail-{first}.parquet");
            chunks.push(writer.write(&name, &chain.log, chain.partition, first..next, &records)?);
            records.clear();
            first = next;
        }
    }
    Ok(Some(chunks))
}

#[cfg(test)]
mod tests {
    use fedilake_model::avro;
    use fedilake_model::{Frame, FrameKind, PostEvent, Server};
    use fedilake_query::{Lake, LakeOptions, Question};

    use super::*;

    const POSTS: u64 = 500;

    /// Makes posts with these offsets. Each has `n` more characters in its text and `n` fewer in its content warning.
    fn records(first: u64, n: usize) -> Vec<Record> {
        let event = |offset: u64| {
            let (text, warning) = ("x".repeat(n), "y".repeat(24 - n));
            let json = format!(
                r#"{{"id":"{offset}","uri":"https://a.example/{offset:06}","account":{{"acct":"ann"}},
                "created_at":"2023-02-04T10:00:00Z","content":"{offset:06}{text}","spoiler_text":"{offset:06}{warning}"}}"#
            );
            let frame = Frame { kind: FrameKind::Update, data: json.into() };
            PostEvent::from_api(&frame, &Server::new("a.example"), chrono::DateTime::UNIX_EPOCH).unwrap()
        };
        let events: Vec<PostEvent> = (first..first + POSTS).map(event).collect();
        let values = avro::encode(&events).into_iter();
        let record = |(offset, value)| Record {
            partition: Partition(0),
            offset: Offset(offset),
            appended_at_ms: 0,
            key: fedilake_log::Key(b"k".as_slice().into()),
            value,
        };
        (first..).zip(values).map(record).collect()
    }

    #[test]
    fn a_chunk_is_not_taken_for_an_earlier_one_of_its_name_and_size() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let lake = Lake::open(&folder.path().join("lake.duckdb"), LakeOptions::default())?;
        let chunks = Temporary::within(folder.path(), "tmp")?;
        let mut writer = ChunkWriter { folder: chunks, decoder: Decoder::new() };
        let log = LogId::new("l").unwrap();
        let mut sizes = std::collections::HashSet::new();
        let mut first = 100_000;
        for n in 1..24 {
            let offsets = Offset(first)..Offset(first + POSTS);
            let chunk = writer.write("0.parquet", &log, Partition(0), offsets, &records(first, n))?;
            sizes.insert(std::fs::metadata(&chunk.parquet)?.len());
            lake.take(&[chunk], &mut |_| ()).with_context(|| format!("chunk {n}"))?;
            first += POSTS;
            let rows = crate::render::read_rows(&lake.report(&Question::of("statistics"))?.ipc)?;
            let posts = arrow::util::display::array_value_to_string(rows.column_by_name("posts").unwrap(), 0)?;
            assert_eq!(posts, (n as u64 * POSTS).to_string());
        }
        assert!(sizes.len() < 10, "{sizes:?}");
        Ok(())
    }
}
