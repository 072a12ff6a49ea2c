//! Sizes of the lake and the table, beside those of the talk's way.

use std::path::{Path, PathBuf};

use duckdb::Connection;
use fedilake_query::{Lake, LakeOptions, Question};

use crate::answers::TALKS;
use crate::intake::Files;
use crate::sheet::{Sheet, mb, met, none, ratio};
use crate::talk::Measured;

/// The table's columns that carry what the talk's record carries; the talk's `created_at` is the time of receipt.
const TALKS_COLUMNS: &str = "'id', 'observed_at', 'app', 'url', 'server', 'language', 'favourites', 'author', 'author_bot', \
    'tags', 'characters', 'words', 'text'";

/// Memory after all reports were asked, and bytes on disk.
pub fn measure(lake_path: &Path, files: &Files, talk: &Measured) -> anyhow::Result<Sheet> {
    let mut sheet = Sheet::new(&["what", "ours", "talk's way", "ratio", "budget", "met"]);
    let lake = Lake::open(lake_path, LakeOptions::default())?;
    for name in TALKS {
        lake.report(&Question::of(name))?;
    }
    let memory = lake.memory_bytes()?;
    drop(lake);
    row(&mut sheet, "DuckDB's memory after all reports", memory, talk.memory_bytes, Some(150e6), mb(150_000_000));
    let file = std::fs::metadata(lake_path)?.len();
    sheet.row(["the lake's file".to_owned(), mb(file), none(), none(), mb(250_000_000), met(file <= 250_000_000)]);
    let layout = talk.bytes as f64;
    let of_layout = |share: f64| (Some(share * layout), format!("{share:.2}"));
    for (what, ours, (at_most, budget)) in [
        ("the same posts: the talk's columns", column_bytes(&files.posts)?, of_layout(0.6)),
        ("the same posts: all columns", whole_bytes(&files.posts)?, of_layout(1.0)),
        ("the table, with every event: the talk's columns", column_bytes(&files.table)?, (None, none())),
        ("the table, with every event: all columns", whole_bytes(&files.table)?, of_layout(1.0)),
    ] {
        row(&mut sheet, what, ours, talk.bytes, at_most, budget);
    }
    let [ours, talks] = [files.table.len() as u64, talk.files].map(|files| files.to_string());
    sheet.row(["files, a count".to_owned(), ours, talks, none(), none(), none()]);
    Ok(sheet)
}

fn row(sheet: &mut Sheet, what: &str, ours: u64, talks: u64, at_most: Option<f64>, budget: String) {
    sheet.row([
        what.to_owned(),
        mb(ours),
        mb(talks),
        ratio(ours as f64, talks as f64),
        budget,
        at_most.map_or_else(none, |at_most| met(ours as f64 <= at_most)),
    ]);
}

fn whole_bytes(files: &[PathBuf]) -> anyhow::Result<u64> {
    Ok(files.iter().map(|path| Ok(std::fs::metadata(path)?.len())).sum::<std::io::Result<u64>>()?)
}

/// The bytes of the talk's columns in the files.
fn column_bytes(files: &[PathBuf]) -> anyhow::Result<u64> {
    let names: Vec<String> = files.iter().map(|path| format!("'{}'", path.display())).collect();
    let sql = format!(
        "select sum(total_compressed_size)::ubigint from parquet_metadata([{}])
         where split_part(replace(path_in_schema, '.', ','), ',', 1) in ({TALKS_COLUMNS})",
        names.join(", ")
    );
    Ok(Connection::open_in_memory()?.query_row(&sql, [], |row| row.get(0))?)
}
