//! A chunk: records of a log partition in a Parquet file, with the offsets that they cover, as the lake takes it.

use std::path::PathBuf;

use fedilake_log::{LogId, Offset, Partition};
use fedilake_query::{Chunk, LakePosition};
use fedilake_table::FileMeta;

/// Hive-style folders. `log_partition` and `log_offset` repeat across logs, so a reader of several logs needs the
/// folder to tell rows apart.
pub fn folders(log: &LogId, partition: Partition) -> String {
    format!("log={log}/partition={partition}")
}

/// The chunk of a table file, whose local copy is at `parquet` and which ends at `next`.
pub fn chunk_of(file: &FileMeta, next: Offset, parquet: PathBuf) -> Chunk {
    chunk(&file.chain.log, file.chain.partition, file.first, next, parquet)
}

/// The chunk of these offsets, whose records are in `parquet`.
pub fn chunk(log: &LogId, partition: Partition, first: Offset, next: Offset, parquet: PathBuf) -> Chunk {
    let partition = i32::try_from(partition.0).expect("no log has 2^31 partitions");
    Chunk { log: log.to_string(), partition, first: as_lakes(first), next: as_lakes(next), parquet, lost_from: None }
}

/// An offset in the lake's type.
pub fn as_lakes(offset: Offset) -> i64 {
    i64::try_from(offset.0).expect("no position is beyond Offset::END")
}

/// The next offset that the lake needs of a partition, if the lake has the partition.
pub fn position_of(positions: &[LakePosition], log: &LogId, partition: Partition) -> Option<Offset> {
    let wanted = |p: &&LakePosition| p.log == log.as_str() && u32::try_from(p.partition) == Ok(partition.0);
    positions.iter().find(wanted).and_then(|p| u64::try_from(p.next).ok()).map(Offset)
}

/// The number of offsets that the files cover.
pub fn offsets(files: &[FileMeta]) -> u64 {
    files.iter().map(|file| file.next.0 - file.first.0).sum()
}
