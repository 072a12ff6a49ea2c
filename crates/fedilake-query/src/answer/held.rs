//! The posts that the lake shows of an author or a domain, by which they can be deleted.

use serde::{Deserialize, Serialize};

use crate::literal::literal;
use crate::{Lake, LakeError};

/// The posts of one author or one domain that were seen up to a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// `user@domain` in lower case, or a domain, which has those below it.
    pub name: HolderName,
    /// Sightings after this moment are left out: microseconds since 1970.
    pub until_micros: i64,
    /// True to leave out posts whose author did not agree to be indexed when they were seen.
    pub only_indexable: bool,
}

/// The name of a [`Holder`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are the kinds of names")]
pub enum HolderName {
    Author(String),
    Domain(String),
}

/// A post as one server showed it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Held {
    /// The server.
    pub server: String,
    /// The post's id there.
    pub id: String,
    /// The last moment that a holder names: microseconds since 1970.
    pub until_micros: i64,
}

impl Lake {
    /// The sightings of visible posts that these hold, at most `limit` of them, without those that their server deleted.
    pub fn held(&self, holders: &[Holder], limit: u32) -> Result<Vec<Held>, LakeError> {
        if holders.is_empty() {
            return Ok(Vec::new());
        }
        let row = |holder: &Holder| {
            let (author, domain) = match &holder.name {
                HolderName::Author(name) => (literal(name), literal(name.rsplit('@').next().unwrap_or_default())),
                HolderName::Domain(name) => ("null".to_owned(), literal(name)),
            };
            let Holder { until_micros, only_indexable, .. } = holder;
            format!("({author}::varchar, {domain}, {until_micros}::bigint, {only_indexable})")
        };
        let rows = holders.iter().map(row).collect::<Vec<_>>().join(", ");
        let sql = include_str!("held.sql").replace("{holders}", &rows).replace("{limit}", &limit.to_string());
        self.read(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let held = statement
                .query_map([], |row| Ok(Held { server: row.get(0)?, id: row.get(1)?, until_micros: row.get(2)? }))?;
            Ok(held.collect::<Result<_, _>>()?)
        })
    }
}
