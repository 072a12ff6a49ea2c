//! The files' side of a comparison: a narrow table of their rows, and the views' choice among them.

use std::ops::Range;
use std::path::PathBuf;

use duckdb::Connection;

use super::compare::BUCKETS;
use crate::literal::literal;
use crate::take::source;
use crate::views::{self, COLUMNS, Deletes};
use crate::{Chunk, LakeError};

/// Columns of `posts` that do not come from the version that counts alone: a post's hash takes them from where they are chosen.
const CHOSEN: [&str; 6] = ["uri", "server", "id", "observed_at", "author", "app"];
/// Columns of the table that `posts` does not have.
const OTHERS: [&str; 6] =
    ["kind", "appended_at", "author_created_at", "visibility", "rejected_reason", "rejected_bytes"];

/// Rows that go into the narrow table together: enough for all threads.
const STAGED_TOGETHER: i64 = 300_000;
/// Or this share of all rows.
const STAGED_PARTS: i64 = 20;

/// SQL: a hash of the columns of a post that come from its version, by how each is named or counted.
pub(super) fn content_hash(column: impl Fn(&str) -> String) -> String {
    let columns = COLUMNS.iter().filter(|(name, _)| !CHOSEN.contains(name) && !OTHERS.contains(name));
    let columns: Vec<_> = columns.map(|(name, kind)| format!("({})::{kind}", column(name))).collect();
    format!("hash({})", columns.join(", "))
}

/// The files of a comparison, in an in-memory DuckDB of its own.
pub(super) struct Files<'a> {
    outside: &'a Connection,
    chunks: &'a [Chunk],
    deletes: Deletes,
}

impl<'a> Files<'a> {
    pub(super) fn new(outside: &'a Connection, chunks: &'a [Chunk], deletes: Deletes) -> Result<Files<'a>, LakeError> {
        let files = Files { outside, chunks, deletes };
        outside.execute_batch(include_str!("staged.sql"))?;
        let mut logs: Vec<&str> = chunks.iter().map(|chunk| chunk.log.as_str()).collect();
        logs.sort_unstable();
        logs.dedup();
        let places: Vec<_> = chunks
            .iter()
            .map(|chunk| {
                let log = logs.binary_search(&chunk.log.as_str()).unwrap_or_default();
                format!("({}, {log})", literal(&chunk.parquet.to_string_lossy()))
            })
            .collect();
        outside.execute_batch(&format!(
            "create or replace table internal.chunk as from (values {}) chunk (path, log);",
            places.join(", ")
        ))?;
        outside.execute_batch("create or replace table internal.spelling (person ubigint, name varchar)")?;
        Ok(files)
    }

    /// Finds the authors of several spellings in the files, or, where all of them are there, in the staged rows.
    pub(super) fn spell(&self, all_are_staged: bool) -> Result<(), LakeError> {
        let rows = if all_are_staged { "internal.staged" } else { "internal.source" };
        self.look_at(self.chunks)?;
        Ok(self.outside.execute_batch(&include_str!("spelling.sql").replace("{rows}", rows))?)
    }

    /// Stages the rows of these buckets in place of the earlier ones, some files after the other; `staged` is told how many offsets
    /// they cover.
    pub(super) fn stage(&self, buckets: &Range<u64>, staged: &mut dyn FnMut(i64)) -> Result<(), LakeError> {
        self.outside.execute_batch(include_str!("staged.sql"))?;
        let stage = within(include_str!("stage.sql"), buckets)
            .replace("{content}", &content_hash(counted))
            .replace("{others}", &OTHERS.join(", "));
        let together = STAGED_TOGETHER.max(self.rows() / STAGED_PARTS);
        let mut rest = self.chunks;
        while !rest.is_empty() {
            let mut rows = 0;
            let is_more = |chunk: &&Chunk| {
                let is_more = rows < together;
                rows += length(chunk);
                is_more
            };
            let (some, after) = rest.split_at(rest.iter().take_while(is_more).count());
            self.look_at(some)?;
            self.outside.execute_batch(&stage)?;
            staged(some.iter().map(length).sum());
            rest = after;
        }
        self.outside.execute_batch(
            "create or replace table internal.deletes as
            select server, id, min(observed_at) as deleted_at from internal.staged where sort = 1 group by all",
        )?;
        Ok(())
    }

    /// Lets the views show the staged rows of these buckets, among which the posts' versions are chosen.
    pub(super) fn choose(&self, buckets: &Range<u64>) -> Result<(), LakeError> {
        let shown = within(include_str!("choose.sql"), buckets);
        let chosen = views::chosen(self.deletes, "table", "log");
        Ok(self.outside.execute_batch(&format!("{shown}\n{chosen}\n{}", include_str!("hashes.sql")))?)
    }

    /// The offsets that the files cover, holes included.
    pub(super) fn rows(&self) -> i64 {
        self.chunks.iter().map(length).sum()
    }

    /// Lets `internal.source` have the rows of all files.
    pub(super) fn look_at_all(&self) -> Result<(), LakeError> {
        self.look_at(self.chunks)
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
