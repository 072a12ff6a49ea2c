//! Offsets that lie in a file which does not answer for them, or that several rows have.

use std::path::PathBuf;

use duckdb::Connection;

use super::Finding;
use super::files::paths;
use crate::literal::literal;
use crate::take::source;
use crate::{Chunk, LakeError};

/// Looks for both in the rows of all files.
pub(super) fn offsets(outside: &Connection, chunks: &[Chunk]) -> Result<Vec<Finding>, LakeError> {
    let ranges: Vec<_> = chunks
        .iter()
        .map(|chunk| {
            let path = literal(&chunk.parquet.to_string_lossy());
            format!("({path}, {}, {}, {}, {})", literal(&chunk.log), chunk.partition, chunk.first, chunk.next)
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
