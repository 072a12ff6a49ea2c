//! Sealed days: exact figures of whole days, stored so that a report need not read their posts.
//!
//! A day is sealed when most of its posts have come. A late post, an edit or a delete opens its day again in the same
//! transaction, so a report is always right; sealing only makes it faster. A large take seals days up to the newest, and
//! so does [`Lake::seal`], for times without new records: later records only open their day again. A small take seals at
//! most one day, so that it stays short, and only a day without changes for [`REST_MINUTES`], so that a day which changes
//! often is not sealed in vain.

use duckdb::Connection;

use crate::take::STAGE_ROWS;
use crate::{Lake, LakeError};

/// Minutes without a change, by the posts' observed_at, after which a small take may seal a day.
const REST_MINUTES: u32 = 10;
/// Posts of the days that are sealed in one transaction, unless one day has more. The cost is of posts, not of days:
/// strangers may date each post on a day of its own.
const POSTS_AT_ONCE: u64 = 200_000;
/// Posts that a large take may seal for each row that it took, so that a table whose rows come in another order than
/// that of days is not sealed again with every take.
const POSTS_A_ROW: u64 = 2;

impl Lake {
    /// Seals the oldest open days, of about 200,000 posts together, in some 0.1 s. False if no day was open. Calls until
    /// then make reports fastest, which is worth it when no rows are expected for a while.
    pub fn seal(&self) -> Result<bool, LakeError> {
        Ok(seal(self, "true", POSTS_AT_ONCE)?.is_some())
    }
}

/// Seals days after a take of `rows`.
pub(crate) fn after_take(lake: &Lake, rows: u64) -> Result<(), LakeError> {
    if rows < STAGE_ROWS as u64 {
        let rested = format!(
            "day < (select floor(epoch_ms(max(touched_at)) / 86400000) from day) \
             and touched_at <= (select max(touched_at) - interval {REST_MINUTES} minute from day)"
        );
        // One day with posts.
        seal(lake, &rested, 1)?;
        return Ok(());
    }
    let mut sealed = 0;
    while sealed < POSTS_A_ROW * rows
        && let Some(posts) = seal(lake, "true", POSTS_AT_ONCE)?
    {
        sealed += posts;
    }
    Ok(())
}

/// Opens the days that the running transaction changed.
pub(crate) fn reopen(writer: &Connection) -> Result<(), LakeError> {
    let sealed_ones = "select exists (from day semi join touched using (day) where sealed)";
    if writer.query_row(sealed_ones, [], |row| row.get(0))? {
        writer.execute_batch(include_str!("seal/reopen.sql"))?;
    }
    writer.execute_batch(include_str!("seal/touch.sql"))?;
    Ok(())
}

/// Seals the oldest open days that fulfil `condition` and have `posts_max` posts together, or one day with more. Returns
/// the number of their posts; `None` if there is no such day.
fn seal(lake: &Lake, condition: &str, posts_max: u64) -> Result<Option<u64>, LakeError> {
    lake.change(|writer| seal_with(writer, condition, posts_max))
}

fn seal_with(writer: &Connection, condition: &str, posts_max: u64) -> Result<Option<u64>, LakeError> {
    let exists = format!("select exists (from day where not sealed and {condition})");
    if !writer.query_row(&exists, [], |row| row.get(0))? {
        return Ok(None);
    }
    let choose = include_str!("seal/choose.sql")
        .replace("{condition}", condition)
        .replace("{posts_max}", &posts_max.to_string());
    writer.execute_batch(&choose)?;
    let chosen = "select min(day), max(day), sum(posts)::bigint from sealing";
    let (first, last, posts): (Option<i32>, Option<i32>, Option<i64>) =
        writer.query_row(chosen, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(None) };
    // The range lets the scans pass over the other days' rows.
    let days = format!("day between {first} and {last} and day in (select day from sealing)");
    let figures = |authors: &str, origins: &str| {
        include_str!("../answer/relation/day_figures.sql")
            .replace("{author}", "author")
            .replace("{origin}", "origin")
            .replace("{distinct_authors}", &format!("({authors})"))
            .replace("{origins}", &format!("({origins})"))
            .trim_end()
            .to_owned()
    };
    let of_days = |table: &str| format!("from {table} where {days}");
    // A part of a day's posts is told as a day of its own.
    let of_parts = |columns: &str, table: &str| {
        let rows = include_str!("seal/parts.sql").replace("{columns}", columns).replace("{table}", table);
        rows.replace("{days}", &days).trim_end().to_owned()
    };
    let figures_of_parts =
        figures(&of_parts("author, origin, bot", "author_detail"), &of_parts("origin, bot", "origin_detail"));
    let sql = include_str!("seal/seal.sql")
        .replace("{days}", &days)
        .replace("{figures}", &figures(&of_days("author_day"), &of_days("origin_day")))
        .replace("{figures_of_parts}", &figures_of_parts);
    writer.execute_batch(&sql)?;
    Ok(Some(posts.unwrap_or(0).unsigned_abs()))
}
