//! The names that have numbers, as far as this process knows them: servers, origins, languages and apps.
//!
//! Few batches bring a new name, and looking for new names in the tables takes milliseconds for each sort. This cache
//! never has more than what is committed, so a name that it lacks only costs a look into its table.

use std::collections::HashSet;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::UInt8Type;
use duckdb::Connection;

use crate::languages;

/// The most names of a sort that are remembered. Further names cost a look into the table each time, but no more
/// memory.
const REMEMBERED: usize = 50_000;

/// A sort of names: its table, the staged column with the names, and a condition, in SQL and in Rust, for the rows
/// that have one.
struct Sort {
    table: &'static str,
    column: &'static str,
    rows: &'static str,
    brings: fn(kind: u8) -> bool,
}

const SORTS: [Sort; 4] = [
    Sort { table: "server", column: "server", rows: "kind <> 2", brings: |kind| kind != 2 },
    Sort { table: "origin", column: "author_domain", rows: "kind = 0", brings: |kind| kind == 0 },
    Sort { table: "language", column: "language", rows: "kind = 0", brings: |kind| kind == 0 },
    Sort { table: "app", column: "app", rows: "kind = 0", brings: |kind| kind == 0 },
];

/// The names that a lake's process remembers.
#[derive(Default)]
pub(crate) struct Names {
    sorts: [Known; 4],
    /// True once the committed names were read.
    are_read: bool,
}

#[derive(Default)]
struct Known {
    committed: HashSet<String>,
    /// The names that the running take has brought.
    met: HashSet<String>,
    /// True if staged rows have, or may have, a name that is in neither set.
    is_new_staged: bool,
}

impl Names {
    /// Reads the committed names, before the first take.
    pub(crate) fn begin(&mut self, writer: &Connection) -> duckdb::Result<()> {
        if !self.are_read {
            for (known, Sort { table, .. }) in self.sorts.iter_mut().zip(&SORTS) {
                let mut statement = writer.prepare(&format!("select name from {table} limit {REMEMBERED}"))?;
                known.committed = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            }
            self.are_read = true;
        }
        Ok(())
    }

    /// Records the names of rows that are about to be staged.
    pub(crate) fn meet(&mut self, batch: &RecordBatch) {
        for (known, sort) in self.sorts.iter_mut().zip(&SORTS) {
            known.meet(batch, sort);
        }
    }

    /// Numbers the staged names that are new to the lake.
    pub(crate) fn number(&mut self, writer: &Connection) -> duckdb::Result<()> {
        for (known, Sort { table, column, rows, .. }) in self.sorts.iter_mut().zip(&SORTS) {
            if std::mem::take(&mut known.is_new_staged) {
                let sql = match *table {
                    "language" => include_str!("../take/merge/languages.sql")
                        .replace("{counted}", &languages::counted_sql("met.name", "language_name.name"))
                        .replace("{key}", &languages::key_sql("met.name")),
                    _ => include_str!("../take/merge/names.sql")
                        .replace("{table}", table)
                        .replace("{column}", column)
                        .replace("{rows}", rows),
                };
                writer.execute_batch(&sql)?;
            }
        }
        Ok(())
    }

    /// Keeps the take's names: the take was committed.
    pub(crate) fn commit(&mut self) {
        for known in &mut self.sorts {
            let room = REMEMBERED.saturating_sub(known.committed.len());
            known.committed.extend(known.met.drain().take(room));
        }
    }

    /// Forgets the take's names: the take was rolled back.
    pub(crate) fn rollback(&mut self) {
        for known in &mut self.sorts {
            known.met.clear();
            known.is_new_staged = false;
        }
    }
}

impl Known {
    fn meet(&mut self, batch: &RecordBatch, sort: &Sort) {
        let kinds = batch.column_by_name("kind").and_then(|column| column.as_primitive_opt::<UInt8Type>());
        let names = batch.column_by_name(sort.column).and_then(|column| column.as_string_opt::<i32>());
        let (Some(kinds), Some(names)) = (kinds, names) else {
            // The column has a type that is not read here, so the table decides.
            self.is_new_staged = true;
            return;
        };
        for (kind, name) in kinds.iter().zip(names) {
            let (Some(kind), Some(name)) = (kind, name) else { continue };
            if !(sort.brings)(kind) || self.committed.contains(name) || self.met.contains(name) {
                continue;
            }
            self.is_new_staged = true;
            if self.met.len() < REMEMBERED {
                self.met.insert(name.to_owned());
            }
        }
    }
}
