//! How far the lake is in each log partition.

use duckdb::Connection;
use serde::{Deserialize, Serialize};

use crate::LakeError;

/// The lake's position in a log partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LakePosition {
    /// The log's id.
    pub log: String,
    /// The partition.
    pub partition: i32,
    /// The first offset that is not in the lake.
    pub next: i64,
    /// Ranges of offsets below `next` that the lake lacks, because the table lost the files that held them; range
    /// ends are not included.
    pub lacks: Vec<(i64, i64)>,
}

/// The lake's positions, by log and partition.
pub(crate) fn positions(connection: &Connection) -> Result<Vec<LakePosition>, LakeError> {
    let mut statement =
        connection.prepare("select log, partition, next from internal.log_partition order by log, partition")?;
    let rows = statement.query_map([], |row| {
        Ok(LakePosition { log: row.get(0)?, partition: row.get(1)?, next: row.get(2)?, lacks: Vec::new() })
    })?;
    let mut positions: Vec<LakePosition> = rows.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare(
        "select log, partition, first, hole.next from internal.hole join internal.log_partition on log_partition.id = hole.log_partition order by first",
    )?;
    let holes = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, i32>(1)?, (row.get::<_, i64>(2)?, row.get::<_, i64>(3)?)))
    })?;
    for hole in holes {
        let (log, partition, range) = hole?;
        let of_log_partition = |position: &&mut LakePosition| position.log == log && position.partition == partition;
        positions.iter_mut().find(of_log_partition).expect("a hole is in a log partition").lacks.push(range);
    }
    Ok(positions)
}
