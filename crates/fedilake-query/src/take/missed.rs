//! Gaps and skips: times in which collectors could not read a server, and events that they left out. No figure can count those posts.
//!
//! The table has neither. The log keeps both, beside the bookmarks of timelines, and whoever follows the log tells the lake. Telling the same
//! again changes nothing, so a lake that is rebuilt has the same rows.

use std::collections::BTreeSet;

use duckdb::Connection;
use serde::{Deserialize, Serialize};

use crate::literal::{instant, literal};
use crate::{Lake, LakeError};

/// Rows of one statement.
const ROWS: usize = 1_000;

/// Gaps and skips of one server. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// The server.
    pub server: String,
    /// Times in which the server was not read: the beginning, and the end unless they go on. No two have a moment in common.
    pub gaps: Vec<(i64, Option<i64>)>,
    /// Events that were left out: the beginning of the hour, the reason, the number. An hour has a reason once.
    pub skips: Vec<(i64, String, u64)>,
}

/// A row of `gap`.
type Gap = (String, i64, Option<i64>);
/// A row of `skip`.
type Skip = (String, i64, String, i64);

impl Lake {
    /// Replaces all that the lake knew of these servers, in one transaction; rows of other servers stay. Writes only the rows that differ,
    /// and nothing where none does. Waits for a take that runs.
    pub fn tell_missed(&self, told: &[Missed]) -> Result<(), LakeError> {
        let counted = |events: u64| i64::try_from(events).unwrap_or(i64::MAX);
        let (mut servers, mut gaps, mut skips) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for Missed { server, gaps: its_gaps, skips: its_skips } in told {
            servers.insert(server.as_str());
            gaps.extend(its_gaps.iter().map(|(from, to)| (server.clone(), *from, *to)));
            skips.extend(
                its_skips
                    .iter()
                    .map(|(hour, reason, events)| (server.clone(), *hour, reason.clone(), counted(*events))),
            );
        }
        self.change(|writer| {
            let known = known_gaps(writer)?.into_iter().filter(|gap| servers.contains(gap.0.as_str())).collect();
            let mut statements = GAP.changes(&known, &gaps, |(server, from, to): &Gap| {
                vec![literal(server), instant(*from), to.map_or("null".to_owned(), instant)]
            });
            let known = known_skips(writer)?.into_iter().filter(|skip| servers.contains(skip.0.as_str())).collect();
            statements.extend(SKIP.changes(&known, &skips, |(server, hour, reason, events): &Skip| {
                vec![literal(server), instant(*hour), literal(reason), events.to_string()]
            }));
            match statements.is_empty() {
                true => Ok(()),
                false => Ok(writer.execute_batch(&statements.join("; "))?),
            }
        })
    }
}

/// A table and its columns; the first `keys` of them tell its rows apart and are never null.
struct Told {
    table: &'static str,
    columns: &'static [&'static str],
    keys: usize,
}

const GAP: Told = Told { table: "gap", columns: &["server", "from_at", "to_at"], keys: 2 };
const SKIP: Told = Told { table: "skip", columns: &["server", "hour", "reason", "events"], keys: 3 };

impl Told {
    /// The statements after which the table has the rows `told` in the place of `known`.
    fn changes<T: Ord>(
        &self,
        known: &BTreeSet<T>,
        told: &BTreeSet<T>,
        values: impl Fn(&T) -> Vec<String>,
    ) -> Vec<String> {
        let Told { table, columns, keys } = self;
        let rows =
            |rows: &[&T]| rows.iter().map(|row| format!("({})", values(row).join(", "))).collect::<Vec<_>>().join(", ");
        let same: Vec<_> = columns[..*keys].iter().map(|key| format!("{table}.{key} = gone.{key}")).collect();
        let (columns, same) = (columns.join(", "), same.join(" and "));
        let delete =
            |gone: &[&T]| format!("delete from {table} using (values {}) gone ({columns}) where {same}", rows(gone));
        let insert = |come: &[&T]| format!("insert into {table} values {}", rows(come));
        let gone: Vec<&T> = known.difference(told).collect();
        let come: Vec<&T> = told.difference(known).collect();
        gone.chunks(ROWS).map(delete).chain(come.chunks(ROWS).map(insert)).collect()
    }
}

fn known_gaps(connection: &Connection) -> Result<Vec<Gap>, LakeError> {
    let mut statement = connection.prepare("select server, epoch_ms(from_at), epoch_ms(to_at) from gap")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn known_skips(connection: &Connection) -> Result<Vec<Skip>, LakeError> {
    let mut statement = connection.prepare("select server, epoch_ms(hour), reason, events from skip")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
