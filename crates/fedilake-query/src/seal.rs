//! Sealed days: exact figures of whole days, stored so that a report need not read their posts.
//!
//! A day is sealed when most of its posts have come. A late post, an edit or a delete opens its day again in the same
//! transaction, so a report is always right; sealing only makes it faster. A large take seals every day, including
//! the newest, and so does [`Lake::seal`], for times without new records: later records only open their day again. A
//! small take seals at most one day, so that it stays short, and only a day without changes for [`REST_MINUTES`], so
//! that a day which changes often is not sealed in vain.

use duckdb::Connection;

use crate::lake::lock;
use crate::{Lake, LakeError};

/// Minutes without a change, by the posts' observed_at, after which a small take may seal a day.
const REST_MINUTES: u32 = 10;

/// How many days a take may seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// One day without recent changes.
    Small,
    /// Every day.
    Large,
}

impl Lake {
    /// Seals every open day, including the newest, which makes reports fastest. Takes about 0.1 s for a day of
    /// 200,000 posts: worth it when no rows are expected for a while.
    pub fn seal(&self) -> Result<(), LakeError> {
        seal(&lock(&self.writer), Effort::Large)
    }
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

/// Seals open days, the oldest first.
pub(crate) fn seal(writer: &Connection, effort: Effort) -> Result<(), LakeError> {
    for day in ripe(writer, effort)? {
        let of_day = |table: &str| format!("(select * from {table} where day = {day})");
        let figures = include_str!("reports/day_figures.sql")
            .replace("{distinct_authors}", &of_day("author_day"))
            .replace("{origins}", &of_day("origin_day"));
        let sql =
            include_str!("seal/seal.sql").replace("{day}", &day.to_string()).replace("{figures}", figures.trim_end());
        if let Err(error) = writer.execute_batch(&format!("begin;\n{sql}\ncommit")) {
            // The first error explains more than that of a failing rollback.
            let _ = writer.execute_batch("rollback");
            return Err(error.into());
        }
    }
    Ok(())
}

fn ripe(writer: &Connection, effort: Effort) -> Result<Vec<i32>, LakeError> {
    let condition = match effort {
        Effort::Small => format!(
            "day < floor(epoch_ms(newest) / 86400000) and touched_at <= newest - interval {REST_MINUTES} minute \
            order by day limit 1"
        ),
        Effort::Large => "true order by day".to_owned(),
    };
    let sql = format!(
        "select day from day, (select max(touched_at) as newest from day) \
        where not sealed and {condition}"
    );
    let mut statement = writer.prepare(&sql)?;
    let days = statement.query_map([], |row| row.get(0))?;
    Ok(days.collect::<Result<_, _>>()?)
}
