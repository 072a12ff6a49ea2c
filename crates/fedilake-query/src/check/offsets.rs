//! Offsets that lie in a file which does not answer for them, or that several rows have.
//!
//! Files whose rows all lie in ranges of their own, and in each of which no offset repeats, have no offset twice between them. So a walk over
//! the files looks at each by itself; only where one of these conditions fails are the offsets of all files gathered.

use std::path::PathBuf;

use duckdb::Connection;

use super::Finding;
use super::files::paths;
use crate::take::source;
use crate::{Chunk, LakeError};

/// The most bits that stand for offsets at a time: 64 MB.
const BITS_MAX: i64 = 1 << 29;

/// The offsets of the files that were looked at.
#[derive(Default)]
pub(super) struct Offsets {
    strays: Vec<Finding>,
    may_come_twice: bool,
}

impl Offsets {
    /// No file was looked at yet; `chunks` are those that will be.
    pub(super) fn of(chunks: &[Chunk]) -> Offsets {
        let mut ranges: Vec<_> =
            chunks.iter().map(|chunk| (&chunk.log, chunk.partition, chunk.first, chunk.next)).collect();
        ranges.sort_unstable();
        let overlap =
            ranges.windows(2).any(|pair| (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1) && pair[1].2 < pair[0].3);
        Offsets { strays: Vec::new(), may_come_twice: overlap }
    }

    /// Looks at the rows of these files, which are here.
    pub(super) fn look_at(&mut self, outside: &Connection, chunks: &[Chunk]) -> Result<(), LakeError> {
        let mut statement = outside.prepare(&format!(
            "select
                path, coalesce(count(*) filter (not is_stray) > {distinct}, false), min(log_offset) filter (is_stray),
                max(log_offset) filter (is_stray), (count(*) filter (is_stray))::ubigint
            from (
                select
                    path, file.log_offset, file.log_offset - chunk.first as place,
                    file.log_offset < chunk.first or file.log_offset >= chunk.next as is_stray
                from {rows} file join internal.chunk chunk using (path)
            ) group by path",
            distinct = distinct(chunks),
            rows = rows_of(chunks),
        ))?;
        let mut files = statement.query([])?;
        while let Some(file) = files.next()? {
            let (path, repeats, rows): (String, bool, u64) = (file.get(0)?, file.get(1)?, file.get(4)?);
            self.may_come_twice |= repeats || rows > 0;
            if rows > 0 {
                let path = PathBuf::from(path);
                self.strays.push(Finding::Outside { path, first: file.get(2)?, last: file.get(3)?, rows });
            }
        }
        Ok(())
    }

    /// A finding for each file with offsets for which it does not answer, by path.
    pub(super) fn strays(&mut self) -> Vec<Finding> {
        let path = |finding: &Finding| match finding {
            Finding::Outside { path, .. } => path.clone(),
            _ => PathBuf::new(),
        };
        self.strays.sort_by_key(path);
        std::mem::take(&mut self.strays)
    }

    /// False if it is certain that no two rows have one offset.
    pub(super) fn may_come_twice(&self) -> bool {
        self.may_come_twice
    }
}

/// SQL: the number of distinct offsets of a file, strays left out. Setting a bit for each takes a fourth of the time of counting them.
fn distinct(chunks: &[Chunk]) -> String {
    let longest = chunks.iter().map(|chunk| chunk.next.saturating_sub(chunk.first)).max().unwrap_or_default().max(1);
    match longest.checked_mul(chunks.len() as i64) {
        Some(bits) if bits <= BITS_MAX => {
            format!("bit_count(bitstring_agg(place, 0, {longest}) filter (not is_stray))")
        }
        _ => "count(distinct log_offset) filter (not is_stray)".to_owned(),
    }
}

/// Adds the offsets of these files to `internal.place`.
pub(super) fn gather(outside: &Connection, chunks: &[Chunk]) -> Result<(), LakeError> {
    let gather = format!(
        "insert into internal.place
        select chunk.log, chunk.partition, file.log_offset from {} file join internal.chunk chunk using (path)",
        rows_of(chunks)
    );
    Ok(outside.execute_batch(&gather)?)
}

/// A finding for each run of offsets in `internal.place` that several rows have.
pub(super) fn twice(outside: &Connection) -> Result<Vec<Finding>, LakeError> {
    let mut repeated = outside.prepare(
        "with twice as (
            select log, partition, log_offset from internal.place group by log, partition, log_offset having count(*) > 1
        ), run as (
            select *, log_offset - row_number() over (partition by log, partition order by log_offset) as run from twice
        )
        select name.log_name, partition, min(log_offset), max(log_offset)
        from run join (select distinct log, log_name from internal.chunk) name using (log)
        group by name.log_name, partition, run order by 1, 2, 3",
    )?;
    let repeated = repeated.query_map([], |row| {
        Ok(Finding::Twice { log: row.get(0)?, partition: row.get(1)?, first: row.get(2)?, last: row.get(3)? })
    })?;
    Ok(repeated.collect::<Result<_, _>>()?)
}

/// SQL: the rows of files that are here, with the path of each one's file.
fn rows_of(chunks: &[Chunk]) -> String {
    let files = source::files(&paths(chunks));
    format!("read_parquet({files}, union_by_name = true, hive_partitioning = false, filename = 'path')")
}
