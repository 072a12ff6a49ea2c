//! How much of what its members wrote each server showed, as report `completeness` estimates it, of all servers at once.

use serde::{Deserialize, Serialize};

use crate::literal::literal;
use crate::{Lake, LakeError};

/// The posts by which completeness is estimated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The earliest created_at: microseconds since 1970.
    pub from_micros: i64,
    /// The earliest created_at of the posts that count as written lately.
    pub lately_micros: i64,
    /// The end of created_at, not included.
    pub until_micros: i64,
    /// Servers that are read.
    pub read: Vec<Reading>,
}

/// A server that is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The server.
    pub server: String,
    /// The domain in its members' handles, if it is known: it may be one under which the lake has no post of this server.
    pub domain: Option<String>,
    /// The moment since which it counts if it never showed a post: microseconds since 1970.
    pub since_micros: i64,
}

/// The posts of a server's members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completeness {
    /// The server, in lower case.
    pub server: String,
    /// Posts that another server showed.
    pub elsewhere: u64,
    /// Those of them that the server showed too.
    pub common: u64,
    /// Posts written lately that another server showed.
    pub elsewhere_lately: u64,
    /// Those of them that the server showed too.
    pub common_lately: u64,
}

impl Lake {
    /// The completeness of each server of whose members another server showed a post of `span`, by server.
    pub fn completeness(&self, span: &Span) -> Result<Vec<Completeness>, LakeError> {
        let reader = |Reading { server, domain, since_micros }: &Reading| {
            let [host, domain] = [server, domain.as_ref().unwrap_or(server)].map(|name| literal(&name.to_lowercase()));
            format!("({host}, {domain}, {since_micros}::bigint)")
        };
        let readers = match &span.read[..] {
            [] => "(null::varchar, null::varchar, null::bigint)".to_owned(),
            read => read.iter().map(reader).collect::<Vec<_>>().join(", "),
        };
        let sql = include_str!("completeness.sql")
            .replace("{readers}", &readers)
            .replace("{from}", &span.from_micros.to_string())
            .replace("{lately}", &span.lately_micros.to_string())
            .replace("{until}", &span.until_micros.to_string());
        self.read(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let rows = statement.query_map([], |row| {
                Ok(Completeness {
                    server: row.get(0)?,
                    elsewhere: row.get(1)?,
                    common: row.get(2)?,
                    elsewhere_lately: row.get(3)?,
                    common_lately: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
