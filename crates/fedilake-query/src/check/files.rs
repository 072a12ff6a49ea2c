//! The files' side of a check: a narrow table of their rows, and the views' choice among them.
//!
//! Files are read in *windows*, a few at a time and one window after the other, so that files of a store elsewhere need not all be here at
//! once. The first walk over all windows also looks at the rows' offsets.

use std::ops::Range;
use std::path::PathBuf;

use duckdb::{Connection, params};

use super::compare::BUCKETS;
use super::offsets::{self, Offsets};
use super::{AtOnce, Finding};
use crate::error::message;
use crate::take::source;
use crate::views::{self, COLUMNS, Deletes};
use crate::{Chunk, LakeError};

/// Columns of `posts` that do not come from the version that counts alone: a post's hash takes them from where they are chosen.
const CHOSEN: [&str; 6] = ["uri", "server", "id", "observed_at", "author", "app"];
/// Columns of the table that `posts` does not have.
const OTHERS: [&str; 6] =
    ["kind", "appended_at", "author_created_at", "visibility", "rejected_reason", "rejected_bytes"];

/// The most files in a window.
const WINDOW_FILES: usize = 1_000;

/// SQL: a hash of the columns of a post that come from its version, by how each is named or counted.
pub(super) fn content_hash(column: impl Fn(&str) -> String) -> String {
    let columns = COLUMNS.iter().filter(|(name, _)| !CHOSEN.contains(name) && !OTHERS.contains(name));
    let columns: Vec<_> = columns.map(|(name, kind)| format!("({})::{kind}", column(name))).collect();
    format!("hash({})", columns.join(", "))
}

/// Makes the files of the chunks at a range readable. Those of an earlier call may be gone afterwards.
pub type Bring<'a> = dyn FnMut(Range<usize>) -> Result<(), LakeError> + 'a;

/// The files of a check, in an in-memory DuckDB of its own.
pub(super) struct Files<'a> {
    outside: &'a Connection,
    chunks: &'a [Chunk],
    deletes: Deletes,
    windows: Vec<Range<usize>>,
    bring: &'a mut Bring<'a>,
    /// The offsets of all files, after the first walk over them.
    offsets: Option<Offsets>,
}

impl<'a> Files<'a> {
    pub(super) fn new(
        outside: &'a Connection,
        chunks: &'a [Chunk],
        deletes: Deletes,
        at_once: AtOnce,
        bring: &'a mut Bring<'a>,
    ) -> Result<Files<'a>, LakeError> {
        outside.execute_batch(include_str!("chunk.sql"))?;
        let mut logs: Vec<&str> = chunks.iter().map(|chunk| chunk.log.as_str()).collect();
        logs.sort_unstable();
        logs.dedup();
        let mut appender = outside.appender_to_db("chunk", "internal")?;
        for chunk in chunks {
            let log = logs.binary_search(&chunk.log.as_str()).unwrap_or_default();
            let log = i32::try_from(log).expect("no table has 2^31 logs");
            let path = chunk.parquet.to_string_lossy();
            appender.append_row(params![path, log, chunk.log, chunk.partition, chunk.first, chunk.next])?;
        }
        appender.flush()?;
        drop(appender);
        let windows = windows(chunks, at_once.window_rows);
        Ok(Files { outside, chunks, deletes, windows, bring, offsets: None })
    }

    /// Reads all files, a window after the other.
    fn walk(&mut self, mut read: impl FnMut(&Files<'a>, &[Chunk]) -> Result<(), LakeError>) -> Result<(), LakeError> {
        let mut offsets = self.offsets.is_none().then(|| Offsets::of(self.chunks));
        for window in self.windows.clone() {
            (self.bring)(window.clone())?;
            let chunks = &self.chunks[window];
            if let Some(offsets) = &mut offsets {
                offsets.look_at(self.outside, chunks)?;
            }
            read(self, chunks)?;
        }
        if offsets.is_some() {
            self.offsets = offsets;
        }
        Ok(())
    }

    /// Offsets that lie in a file which does not answer for them, and those that several rows have.
    pub(super) fn offsets(&mut self) -> Result<Vec<Finding>, LakeError> {
        if self.offsets.is_none() {
            self.walk(|_, _| Ok(()))?;
        }
        let mut offsets = self.offsets.take().unwrap_or_default();
        let mut findings = offsets.strays();
        if offsets.may_come_twice() {
            self.outside.execute_batch(
                "create or replace table internal.place (log integer, partition integer, log_offset bigint)",
            )?;
            self.walk(|files, chunks| offsets::gather(files.outside, chunks))?;
            findings.extend(offsets::twice(self.outside)?);
        }
        Ok(findings)
    }

    /// Finds the authors of several spellings in the files, or, where all of them are there, in the staged rows.
    pub(super) fn spell(&mut self, all_are_staged: bool) -> Result<(), LakeError> {
        let spelling = |rows| include_str!("spelling.sql").replace("{rows}", rows);
        if all_are_staged {
            return Ok(self.outside.execute_batch(&spelling("internal.staged"))?);
        }
        self.outside.execute_batch(
            "create or replace table internal.spelled (sort utinyint, person ubigint, author varchar, from_origin boolean)",
        )?;
        self.walk(|files, chunks| {
            files.look_at(chunks)?;
            Ok(files.outside.execute_batch(include_str!("spelled.sql"))?)
        })?;
        Ok(self.outside.execute_batch(&format!("{}; drop table internal.spelled", spelling("internal.spelled")))?)
    }

    /// Stages the rows of these buckets in place of the earlier ones; `staged` is told how many offsets they cover.
    pub(super) fn stage(&mut self, buckets: &Range<u64>, staged: &mut dyn FnMut(i64)) -> Result<(), LakeError> {
        self.outside.execute_batch(include_str!("staged.sql"))?;
        let stage = within(include_str!("stage.sql"), buckets)
            .replace("{content}", &content_hash(counted))
            .replace("{others}", &OTHERS.join(", "));
        self.walk(|files, chunks| {
            files.look_at(chunks)?;
            files.outside.execute_batch(&stage)?;
            staged(chunks.iter().map(length).sum());
            Ok(())
        })?;
        self.outside.execute_batch(
            "create or replace table internal.deletes as
            select server, id, min(observed_at) as deleted_at from internal.staged where sort = 1 group by all",
        )?;
        Ok(())
    }

    /// The uris of posts that have these hashes.
    pub(super) fn uris(&mut self, hashes: &str) -> Result<Vec<String>, LakeError> {
        let mut uris = Vec::new();
        self.walk(|files, chunks| {
            files.look_at(chunks)?;
            let sql = format!("select distinct uri from internal.source where sort = 0 and hash(uri) in ({hashes})");
            let mut statement = files.outside.prepare(&sql)?;
            for uri in statement.query_map([], |row| row.get(0))? {
                uris.push(uri?);
            }
            Ok(())
        })?;
        Ok(uris)
    }

    /// The files that cannot be read, and why.
    pub(super) fn damaged(&mut self) -> Result<Vec<Finding>, LakeError> {
        let mut damaged = Vec::new();
        for window in self.windows.clone() {
            (self.bring)(window.clone())?;
            for chunk in &self.chunks[window] {
                if let Err(error) = source::read_whole(self.outside, &chunk.parquet) {
                    damaged.push(Finding::Damaged { path: chunk.parquet.clone(), reason: message(&error) });
                }
            }
        }
        Ok(damaged)
    }

    /// Lets the views show the staged rows of these buckets, among which the posts' versions are chosen.
    pub(super) fn choose(&self, buckets: &Range<u64>) -> Result<(), LakeError> {
        let shown = within(include_str!("choose.sql"), buckets);
        let chosen = views::chosen(self.deletes, "table", "log");
        Ok(self.outside.execute_batch(&format!("{shown}\n{chosen}\n{}", include_str!("hashes.sql")))?)
    }

    pub(super) fn outside(&self) -> &'a Connection {
        self.outside
    }

    pub(super) fn chunks(&self) -> &'a [Chunk] {
        self.chunks
    }

    /// The offsets that the files cover, holes included.
    pub(super) fn rows(&self) -> i64 {
        self.chunks.iter().map(length).sum()
    }

    /// Lets `internal.source` have the rows of these files.
    fn look_at(&self, chunks: &[Chunk]) -> Result<(), LakeError> {
        let sql = include_str!("source.sql")
            .replace("{shown}", &views::shown_columns(&["sort", "file_of_table"]))
            .replace("{columns}", &views::cast_columns())
            .replace("{typed}", &views::typed_nulls())
            .replace("{is_shown}", &views::is_shown())
            .replace("{is_delete}", views::IS_DELETE)
            .replace("{deleted_at}", &views::deleted_at())
            .replace("{files}", &source::files(&paths(chunks)));
        Ok(self.outside.execute_batch(&sql)?)
    }
}

pub(super) fn paths(chunks: &[Chunk]) -> Vec<PathBuf> {
    chunks.iter().map(|chunk| chunk.parquet.clone()).collect()
}

/// The chunks in parts that cover at least so many offsets, in their order; a part of as many files as may be covers fewer.
fn windows(chunks: &[Chunk], rows_min: u64) -> Vec<Range<usize>> {
    let (mut windows, mut begin, mut rows) = (Vec::new(), 0, 0);
    for (at, chunk) in chunks.iter().enumerate() {
        if rows >= rows_min || at - begin >= WINDOW_FILES {
            windows.push(begin..at);
            (begin, rows) = (at, 0);
        }
        rows += length(chunk).unsigned_abs();
    }
    windows.push(begin..chunks.len());
    windows
}

fn length(chunk: &Chunk) -> i64 {
    chunk.next.saturating_sub(chunk.first).max(0)
}

/// A column as view `posts` shows it (views/columns.sql).
fn counted(name: &str) -> String {
    match name {
        "url" => "nullif(url, '')".to_owned(),
        "author_bot" => "coalesce(author_bot, false)".to_owned(),
        "characters" => "coalesce(characters, 0)".to_owned(),
        other => other.to_owned(),
    }
}

fn within(sql: &str, buckets: &Range<u64>) -> String {
    sql.replace("{buckets}", &BUCKETS.to_string())
        .replace("{first}", &buckets.start.to_string())
        .replace("{next}", &buckets.end.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_the_view_is_compared() {
        let connection = Connection::open_in_memory().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log=l/partition=0/0.parquet");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let copy = format!("copy (select {}) to '{}' (format parquet)", views::typed_nulls(), file.display());
        connection.execute_batch(&copy).unwrap();
        let views = views::over_parquet(&file.to_string_lossy(), Deletes::default());
        connection.execute_batch(&views).unwrap();
        let mut statement = connection.prepare("select column_name from (describe posts)").unwrap();
        let shown: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let compared = COLUMNS.iter().map(|(name, _)| *name).filter(|name| !OTHERS.contains(name));
        assert_eq!(shown, compared.collect::<Vec<_>>());
        for name in CHOSEN {
            assert!(shown.iter().any(|shown| shown == name), "{name}");
        }
    }
}
