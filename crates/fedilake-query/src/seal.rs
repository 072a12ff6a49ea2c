//! Sealed days: figures of whole days, kept exactly, so that a report need not read their posts.
//!
//! A day is sealed once posts of a later day have been taken: most of its own have come by then. A late post, an edit or
//! a delete opens its day again in the same transaction, so a report is right at every moment; sealing it anew is only
//! a matter of speed. A small take seals at most one day, so that it stays short; a large one seals all it can.

use duckdb::Connection;

use crate::LakeError;

/// Opens the days that the running transaction touched.
pub(crate) fn reopen(writer: &Connection) -> Result<(), LakeError> {
    let sealed_ones = "select exists (from day semi join touched using (day) where sealed)";
    let sql = include_str!("seal/reopen.sql");
    if writer.query_row(sealed_ones, [], |row| row.get(0))? {
        writer.execute_batch(sql)?;
    } else {
        writer.execute_batch(
            "insert into day select day, false from (select distinct day from touched) anti join day using (day)",
        )?;
    }
    Ok(())
}

/// Seals open days, the oldest first, at most `days_max`.
pub(crate) fn seal(writer: &Connection, days_max: usize) -> Result<(), LakeError> {
    for day in ripe(writer, days_max)? {
        let sql = include_str!("seal/seal.sql").replace("{day}", &day.to_string());
        if let Err(error) = writer.execute_batch(&format!("begin;\n{sql}\ncommit")) {
            // The first error says more than a failing rollback would.
            let _ = writer.execute_batch("rollback");
            return Err(error.into());
        }
    }
    Ok(())
}

/// Open days before the newest day on which a post was seen.
fn ripe(writer: &Connection, days_max: usize) -> Result<Vec<i32>, LakeError> {
    let sql = "select day from day \
        where not sealed and day < (select floor(epoch_ms(max(observed_at)) / 86400000) from post) \
        order by day limit ?";
    let mut statement = writer.prepare(sql)?;
    let days = statement.query_map([days_max.min(i64::MAX as usize) as i64], |row| row.get(0))?;
    Ok(days.collect::<Result<_, _>>()?)
}
