//! The views that users query: `posts`, `sightings`, `deletes`, `replies`, `languages`, `gaps`, `skips` and the talk's `mastodon_toot`.
//!
//! Each view exists twice with the same columns and rows: in the lake, over its own tables, and over plain Parquet
//! files, for any DuckDB ([`over_parquet`]). The second form is the definition; a property test compares the lake
//! with it. Both build on the schema `internal`, which no listing of tables shows.
//!
//! - `posts`: one row a uri. Servers have ranks: versions that the post's own server showed come first
//!   (`from_origin`; in records of earlier versions, the uri's host), then the greatest (edited_at with nulls first,
//!   observed_at, log position). So no server replaces what the own server showed. server, id and observed_at are
//!   those of the first sighting that was not deleted; app is the one that the own server names, or that any server
//!   names if the own one showed nothing. The columns are the table's, in its order, without those that do not belong
//!   to the post: kind, appended_at, author_created_at, visibility (always public), rejected_reason and
//!   rejected_bytes.
//! - `sightings`: one row for each (server, id, uri) of those posts, with the time at which the server first showed
//!   the post, and `deleted_at` if that server later deleted it.
//! - `deletes`: one row for each post that was shown and that deletes hide, without its uri, its author and what was written:
//!   the server that first showed it, when it was written, first shown and deleted, and of its best version the origin, language and
//!   app and whether the author is a bot. A delete of a post that was never shown has no row.
//! - `replies`: one row for each of those posts that answers another.
//! - `languages`: one row for each language tag of posts and of `deletes`, with the name under which reports count it.
//! - `gaps`: one row for each time of a minute or more in which a server was not read, as its collectors told the log. `to_at` is null and
//!   `filled` false while it is not read; at `to_at` it was read again, with the posts of that time that it still had. No two rows of a
//!   server have a moment in common.
//! - `skips`: one row for each (server, hour, reason): the number of events that collectors left out then.
//!   The table does not have these two: over plain files they have no rows.
//! - `mastodon_toot`: the talk's columns, on `posts`.
//!
//! [`Deletes`] is the setting that says which deletes hide a post.
//!
//! No time counts beyond the moment at which it was seen: created_at and edited_at are at most observed_at. A row
//! without a created_at, or with one before the year 1, counts as created when it was observed: a missing or
//! unreadable time costs the post only that time. A created or edited row without uri, server, id, author or
//! author_domain, or without an observed_at in the years 1 to 9999, is not a post.
//!
//! An author is a user name, in any letter case, and a domain. One spelling stands for all of an author's posts: that
//! of the own server, or the first by code points.
//!
//! Names that repeat (servers, authors, languages, apps) are cut after [`NAME_CHARACTERS`].

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::languages;
use crate::literal::literal;

/// The table's columns, in its order, with DuckDB's types. A file may lack some of them.
pub const COLUMNS: [(&str, &str); 42] = [
    ("kind", "varchar"),
    ("server", "varchar"),
    ("id", "varchar"),
    ("uri", "varchar"),
    ("url", "varchar"),
    ("created_at", "timestamptz"),
    ("edited_at", "timestamptz"),
    ("observed_at", "timestamptz"),
    ("appended_at", "timestamptz"),
    ("author", "varchar"),
    ("author_domain", "varchar"),
    ("author_created_at", "timestamptz"),
    ("author_bot", "boolean"),
    ("author_followers", "bigint"),
    ("author_indexable", "boolean"),
    ("language", "varchar"),
    ("text", "varchar"),
    ("spoiler_text", "varchar"),
    ("characters", "integer"),
    ("words", "integer"),
    ("tags", "varchar[]"),
    ("mentions", "varchar[]"),
    ("links", "varchar[]"),
    ("media", "integer"),
    ("media_described", "integer"),
    ("poll", "boolean"),
    ("in_reply_to", "varchar"),
    ("quote_uri", "varchar"),
    ("app", "varchar"),
    ("visibility", "varchar"),
    ("sensitive", "boolean"),
    ("favourites", "integer"),
    ("reblogs", "integer"),
    ("replies", "integer"),
    ("in_reply_to_id", "varchar"),
    ("in_reply_to_author", "varchar"),
    ("media_types", "varchar[]"),
    ("from_origin", "boolean"),
    ("log_partition", "integer"),
    ("log_offset", "bigint"),
    ("rejected_reason", "varchar"),
    ("rejected_bytes", "blob"),
];

/// The names of the views that users query.
pub const DOCUMENTED: [&str; 8] =
    ["posts", "sightings", "deletes", "replies", "languages", "gaps", "skips", "mastodon_toot"];

/// The table's columns that do not belong to a post.
const OF_ROWS: [&str; 6] =
    ["kind", "appended_at", "author_created_at", "visibility", "rejected_reason", "rejected_bytes"];

/// The columns of a documented view, in its order; none of any other.
pub(crate) fn columns(view: &str) -> impl Iterator<Item = &'static str> {
    let of_posts = COLUMNS.iter().map(|(name, _)| *name).filter(|name| !OF_ROWS.contains(name));
    let own: &'static [&'static str] = match view {
        "sightings" => &["server", "id", "uri", "observed_at", "from_origin", "deleted_at"],
        "deletes" => {
            &["server", "created_at", "observed_at", "deleted_at", "author_domain", "author_bot", "language", "app"]
        }
        "replies" => &["uri", "parent_uri", "author", "parent_author", "created_at", "server", "in_reply_to"],
        "languages" => &["tag", "name"],
        "gaps" => &["server", "from_at", "to_at", "filled"],
        "skips" => &["server", "hour", "reason", "events"],
        "mastodon_toot" => &[
            "m_id",
            "created_at",
            "created_at_str",
            "created_tz",
            "app",
            "url",
            "from_instance",
            "base_url",
            "language",
            "favourites",
            "username",
            "bot",
            "tags",
            "characters",
            "words",
            "mastodon_text",
            "language_name",
        ],
        _ => &[],
    };
    of_posts.filter(move |_| view == "posts").chain(own.iter().copied())
}

/// The most characters of a name that are kept.
pub const NAME_CHARACTERS: usize = 500;

/// The setting that says which deletes hide a post. A delete by the post's own server always hides it, everywhere.
///
/// The delete of another server may mean that the author deleted the post, or only that this server removed its copy
/// (a moderator's decision, a broken federation, an expired cache, malice).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deletes {
    /// Another server's delete hides that server's sighting, and hides the post unless the post's own server showed
    /// it: if nobody reads the own server, nothing outranks the delete, and privacy wins.
    #[default]
    Origin,
    /// The delete of any server that showed a post hides it: the most private choice, but any server can hide any
    /// post.
    Any,
    /// Another server's delete hides its sighting; the post is hidden with its last sighting.
    All,
}

impl Deletes {
    /// The setting's value as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Deletes::Origin => "origin",
            Deletes::Any => "any",
            Deletes::All => "all",
        }
    }

    /// SQL: true if a group of a post's sightings leaves the post visible. `deleted` is a condition, `own` a column
    /// of the sightings.
    pub(crate) fn visible_sql(self, deleted: &str, own: &str) -> String {
        let own_deleted = format!("bool_or({own} and {deleted})");
        match self {
            Deletes::Any => format!("not bool_or({deleted})"),
            Deletes::Origin => format!("not {own_deleted} and (not bool_or({deleted}) or bool_or({own}))"),
            Deletes::All => format!("not {own_deleted} and not bool_and({deleted})"),
        }
    }
}

impl fmt::Display for Deletes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Deletes {
    type Err = String;

    fn from_str(text: &str) -> Result<Deletes, String> {
        [Deletes::Origin, Deletes::Any, Deletes::All]
            .into_iter()
            .find(|deletes| deletes.as_str() == text)
            .ok_or_else(|| format!("invalid value `{text}`: expected `origin`, `any` or `all`"))
    }
}

/// The SQL that defines the views over Parquet files, as statements ending in semicolons.
///
/// `glob` is a path or a pattern for DuckDB's `read_parquet`, such as `table/posts/**/*.parquet`. Write a path within
/// it that is not meant as a pattern with [`plain`].
pub fn over_parquet(glob: &str, deletes: Deletes) -> String {
    over_files(&printed(glob), deletes)
}

/// A path as a pattern that matches only this path.
pub fn plain(path: &str) -> String {
    let each = |c: char| match c {
        '*' | '?' | '[' => format!("[{c}]"),
        other => other.to_string(),
    };
    path.chars().map(each).collect()
}

/// The folder of a pattern whose path [`plain`] wrote, `FOLDER/**/*.parquet`; `None` for any other pattern, as on S3.
pub(crate) fn folder(pattern: &str) -> Option<PathBuf> {
    let folder = pattern.strip_suffix("/**/*.parquet").filter(|folder| !folder.contains("://"))?;
    Some(PathBuf::from(folder.replace("[*]", "*").replace("[?]", "?").replace("[[]", "[")))
}

/// The views over a SQL expression that names files.
pub(crate) fn over_files(files: &str, deletes: Deletes) -> String {
    let base = include_str!("views/parquet.sql")
        .replace("{columns}", &cast_columns())
        .replace("{typed}", &typed_nulls())
        .replace("{shown}", &shown_columns(&["log", "file"]))
        .replace("{is_shown}", &is_shown())
        .replace("{is_delete}", IS_DELETE)
        .replace("{name_of_server}", &cut("server"))
        .replace("{deleted_at}", &deleted_at())
        .replace("{files}", files);
    let chosen = chosen(deletes, "view", "file");
    let is_visible = deletes.visible_sql("gone.deleted_at is not null", "shown.from_origin");
    let columns = include_str!("views/columns.sql").replace("{is_visible_post}", &is_visible);
    let names = format!(
        "left join (values\n{}\n) as language_name (key, name) on language_name.key = {}",
        languages::rows_sql(),
        languages::key_sql("posts.language")
    );
    let tags = format!(
        "create or replace view languages as\nselect posts.language as tag,\n    {} as name\n\
        from (\n    select language from posts where language is not null\n    union\n    \
        select language from deletes where language is not null\n) posts\n{names};",
        languages::counted_sql("posts.language", "language_name.name")
    );
    format!("{base}\n{chosen}\n{columns}\n{tags}\n\n{}", toot("create or replace view", &names))
}

/// The SQL that chooses, of the rows of `internal.shown` and `internal.deletes`, one a visible post (`internal.post`), and defines view
/// `sightings`. Beside the columns that it names, `internal.post` has whatever others `internal.shown` has. `steps` is `view`, or `table`
/// where the steps of the choice are asked several times. `copy` is the column by which copies of one row are told apart.
pub(crate) fn chosen(deletes: Deletes, steps: &str, copy: &str) -> String {
    include_str!("views/chosen.sql")
        .replace("{steps}", steps)
        .replace("{copy}", copy)
        .replace("{is_visible}", &deletes.visible_sql("deleted_at is not null", "from_origin"))
}

/// The SQL that defines the views over the lake's tables.
pub(crate) fn lake() -> String {
    let number = format!("xor(p.uri_number, {})", snowflake("p.created_at"));
    let made = format!("'https://' || o.name || '/users/' || a.user_name || '/statuses/' || {number}");
    let base = include_str!("views/lake.sql")
        .replace("{uri}", &format!("coalesce(p.uri, {made})"))
        .replace("{number}", &number);
    let names = "left join internal.language_tag as language_name on language_name.tag = posts.language";
    format!("{base}\n{}", toot("create view", names))
}

/// SQL: every column of the table as null. With `union all by name` it adds the columns that files lack.
pub(crate) fn typed_nulls() -> String {
    COLUMNS.map(|(name, kind)| format!("null::{kind} as {name}")).join(", ")
}

/// SQL: the table's columns only, in the table's types, because files of other writers may have others.
pub(crate) fn cast_columns() -> String {
    COLUMNS.map(|(name, kind)| format!("{name}::{kind} as {name}")).join(", ")
}

/// SQL: the columns of rows that are posts, with the values that count, and the columns `more` unchanged.
pub(crate) fn shown_columns(more: &[&str]) -> String {
    let counted = |name: &str| match name {
        "server" | "author" | "language" | "app" => format!("{} as {name}", cut(name)),
        // Letter case does not matter in hosts.
        "author_domain" => format!("lower({}) as {name}", cut(name)),
        "created_at" => format!(
            "case when created_at >= {YEAR_1} then least(created_at, observed_at) else observed_at end as created_at"
        ),
        "edited_at" => format!("case when edited_at >= {YEAR_1} then least(edited_at, observed_at) end as edited_at"),
        "from_origin" => {
            "coalesce(from_origin, lower(server) = lower(split_part(uri, '/', 3))) as from_origin".to_owned()
        }
        other => other.to_owned(),
    };
    COLUMNS
        .iter()
        .map(|(name, _)| counted(name))
        .chain(more.iter().map(|name| (*name).to_owned()))
        .collect::<Vec<_>>()
        .join(", ")
}

const YEAR_1: &str = "'0001-01-01 00:00:00+00'::timestamptz";
const YEAR_10000: &str = "'10000-01-01 00:00:00+00'::timestamptz";

/// SQL: true if a row of the table shows a post.
pub(crate) fn is_shown() -> String {
    format!(
        "kind in ('created', 'edited') and uri is not null and server is not null and id is not null \
        and author is not null and author_domain is not null and observed_at >= {YEAR_1} and observed_at < {YEAR_10000}"
    )
}

/// SQL: true if a row of the table is a delete.
pub(crate) const IS_DELETE: &str = "kind = 'deleted' and server is not null and id is not null";

/// SQL: the time at which a delete was seen; a delete without a time counts too.
pub(crate) fn deleted_at() -> String {
    format!(
        "case when observed_at >= {YEAR_1} and observed_at < {YEAR_10000} then observed_at \
        else '1970-01-01 00:00:00+00'::timestamptz end"
    )
}

/// SQL: a name, cut to [`NAME_CHARACTERS`].
pub(crate) fn cut(column: &str) -> String {
    format!("left({column}, {NAME_CHARACTERS})")
}

/// The number that a Mastodon server gives a post made at `created_at`, without its lower 16 bits: the milliseconds
/// since 1970. Of times beyond the year 6000 the upper bits are left out.
pub(crate) fn snowflake(created_at: &str) -> String {
    format!("((epoch_ms({created_at}) & 140737488355327) * 65536)")
}

/// A SQL expression for a text, without characters that a terminal obeys instead of showing: `'a' || chr(27) || 'b'`.
fn printed(text: &str) -> String {
    let is_shown = |c: char| matches!(c, '\'' | '"' | '\\') || c.escape_debug().len() == 1;
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(obeyed) = rest.chars().find(|c| !is_shown(*c)) {
        let (before, behind) = rest.split_once(obeyed).unwrap_or((rest, ""));
        parts.extend([literal(before), format!("chr({})", u32::from(obeyed))]);
        rest = behind;
    }
    parts.push(literal(rest));
    parts.join(" || ")
}

/// A SQL name in quotes.
pub(crate) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn toot(create: &str, language_names: &str) -> String {
    include_str!("views/toot.sql").replace("{create}", create).replace("{language_names}", language_names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lake, LakeOptions};

    #[test]
    fn the_columns_named_for_a_view_are_those_that_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(&folder.path().join("lake.duckdb"), LakeOptions::default()).unwrap();
        let connection = lake.another().unwrap();
        for view in DOCUMENTED {
            let mut described = connection.prepare(&format!("describe {view}")).unwrap();
            let described = described.query_map([], |row| row.get::<_, String>(0)).unwrap();
            let described = described.collect::<Result<Vec<_>, _>>().unwrap();
            assert_eq!(columns(view).collect::<Vec<_>>(), described, "{view}");
        }
    }

    #[test]
    fn a_path_of_any_name_is_written_in_characters_that_terminals_show_and_is_the_same() {
        let connection = duckdb::Connection::open_in_memory().unwrap();
        for path in
            ["/a/b", "it's", "", "\u{1b}[31mred", "a\u{202e}b\u{7}", "\n\t\r", "é e\u{301} 🐘 \\x", "\u{9b}\u{2028}"]
        {
            let sql = printed(path);
            assert!(!sql.contains(|c: char| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c)), "{sql:?}");
            let read: String = connection.query_row(&format!("select {sql}"), [], |row| row.get(0)).unwrap();
            assert_eq!(read, path, "{sql}");
        }
        assert_eq!(printed("/a's/é"), "'/a''s/é'");
    }

    #[test]
    fn a_folder_of_any_name_is_found_in_its_pattern() {
        for path in ["/a/b", "/a [x]/b*c?", "/[[*]]/?", "C:/a"] {
            assert_eq!(folder(&format!("{}/**/*.parquet", plain(path))), Some(PathBuf::from(path)), "{path}");
        }
        for pattern in ["s3://bucket/posts/**/*.parquet", "/a/x.parquet"] {
            assert_eq!(folder(pattern), None, "{pattern}");
        }
    }
}
