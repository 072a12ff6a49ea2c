//! Look-ups beside the reports: the newest posts of a filter, and the names that a filter can have.

use duckdb::Connection;
use serde::{Deserialize, Serialize};

use crate::answer::report;
use crate::answer::scope::Scope;
use crate::lake::from_one_snapshot;
use crate::lake::states::Findings;
use crate::literal::literal;
use crate::rows;
use crate::{Cancel, Filter, Lake, LakeError, Rows, topic};

/// A look-up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lookup {
    /// Posts, the newest first: uri, url, created_at, author, author_bot, language, text, app, server, tags, media, edited_at,
    /// spoiler_text, then micros and hash, which make the [`Place`] of the row.
    Posts {
        /// The posts that are shown.
        filter: Box<Filter>,
        /// A text that they contain, in any letter case.
        search: Option<String>,
        /// Only posts behind this place.
        before: Option<Place>,
        /// The most rows.
        limit: u32,
    },
    /// One row: posts, and newest, the greatest created_at.
    Standing,
    /// Names that begin with a text, in any letter case, the most frequent first: name, posts.
    Names {
        /// The column of the names.
        of: Named,
        /// The beginning.
        prefix: String,
        /// The most rows.
        limit: u32,
    },
}

/// A place in the order of posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// created_at in microseconds since 1970.
    pub micros: i64,
    /// Tells posts of one moment apart.
    pub hash: u64,
}

/// A column whose values name parts of the posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the variants are the columns")]
pub enum Named {
    Origin,
    Server,
    Language,
    App,
    Hashtag,
}

impl Lake {
    /// Answers a look-up, from one snapshot of the lake, until `cancel` stops it.
    pub fn look_up(&self, lookup: &Lookup, cancel: &Cancel) -> Result<Rows, LakeError> {
        self.read(|connection| {
            from_one_snapshot(connection, || {
                report::watched(connection, cancel, || rows::query(connection, &sql(connection, lookup)?))
            })
        })
    }
}

fn sql(connection: &Connection, lookup: &Lookup) -> Result<String, LakeError> {
    match lookup {
        Lookup::Posts { filter, search, before, limit } => {
            let scope = Scope::new(connection, &Findings::default(), filter, crate::answer::filter::UTC)?;
            let mut conditions = vec!["true".to_owned()];
            conditions.extend(search.as_deref().map(topic::mentions));
            conditions.extend(before.map(|Place { micros, hash }| {
                format!("(created_at, uri_hash) < (make_timestamptz({micros}), {hash}::ubigint)")
            }));
            // Chosen by the columns of their order alone; everything else is read of the chosen ones.
            Ok(format!(
                "with chosen as materialized (
                    select created_at, uri_hash from {} where {} order by created_at desc, uri_hash desc limit {limit}
                )
                select
                    v.uri, v.url, v.created_at, v.author, v.author_bot, v.language, v.text, v.app, v.server, v.tags, v.media,
                    v.edited_at, v.spoiler_text, epoch_us(v.created_at) as micros, v.uri_hash::varchar as hash
                from version v
                join chosen on chosen.created_at = v.created_at and chosen.uri_hash = v.uri_hash
                order by v.created_at desc, v.uri_hash desc",
                scope.posts(),
                conditions.join(" and ")
            ))
        }
        Lookup::Standing => Ok("select count(*) as posts, max(created_at) as newest from post".to_owned()),
        Lookup::Names { of, prefix, limit } => {
            let scope = Scope::new(connection, &Findings::default(), &Filter::default(), crate::answer::filter::UTC)?;
            let counted = match of {
                Named::Origin => format!(
                    "select origin.name, sum(cell.posts) as posts from {} cell join origin on origin.id = cell.origin group by all",
                    scope.origins()
                ),
                Named::Server => {
                    "select server.name, count(*) as posts from post join server on server.id = post.server group by all".to_owned()
                }
                Named::Language => format!(
                    "select coalesce(language.counted, 'unknown') as name, sum(cell.posts) as posts from {} cell \
                    left join language on language.id = cell.language group by all",
                    scope.usage()
                ),
                Named::App => format!(
                    "select app.name, sum(cell.posts) as posts from {} cell join app on app.id = cell.app group by all",
                    scope.usage()
                ),
                Named::Hashtag => "select lower(tag) as name, count(*) as posts from (select unnest(tags) as tag from post) group by all".to_owned(),
            };
            let prefix = prefix.to_lowercase();
            let prefix = if *of == Named::Hashtag { prefix.trim_start_matches('#') } else { &prefix };
            Ok(format!(
                "select name, posts::bigint as posts from ({counted}) where starts_with(lower(name), {}) \
                order by posts desc, name limit {limit}",
                literal(prefix)
            ))
        }
    }
}
