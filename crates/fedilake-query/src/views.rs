//! The views that people query: `posts`, `sightings` and the talk's `mastodon_toot`.
//!
//! They exist twice with the same columns and the same rows: in the lake, over its own tables, and over plain Parquet
//! files, for any DuckDB ([`over_parquet`]). The second form is the definition; a property test holds the lake to it.
//!
//! - `posts`: one row a uri. The version with the greatest (edited_at with nulls first, observed_at, log position);
//!   server, id and observed_at are those of the first sighting; app is the one that any sighting names, because only
//!   the author's own server knows it. A post is absent once any server that showed it deleted it.
//!   Its columns are the table's, in the table's order, but for those that are not the post's: kind, appended_at,
//!   author_created_at, visibility (always public), rejected_reason and rejected_bytes.
//! - `sightings`: one row for each (server, id, uri) of those posts: who showed it, and when first.
//! - `mastodon_toot`: the talk's columns, on `posts`.
//!
//! A created or edited row without uri, server, id, observed_at, author or author_domain is no post. One whose
//! created_at is null is: a server that leaves it out, or writes it so that nobody can read it, costs the post its own
//! time and no more. The row counts as created when it was observed, so each version of such a post has its own.

/// The names of the views over Parquet files; the first two are steps to the others.
pub(crate) const NAMES: [&str; 5] = ["table_rows", "visible_rows", "posts", "sightings", "mastodon_toot"];

/// A query with every column of the table and no row: `union all by name` with it gives old files the new columns.
pub(crate) const COLUMNS: &str = include_str!("views/columns.sql");

const LANGUAGES: &str = include_str!("views/languages.csv");

/// The SQL that defines the views over Parquet files, as statements ending in semicolons.
///
/// `glob` is a path or a pattern as DuckDB's `read_parquet` takes it, such as `table/posts/**/*.parquet`; the part of it that
/// is no pattern is for [`plain`] to write.
pub fn over_parquet(glob: &str) -> String {
    over_files(&literal(glob))
}

/// A path as a pattern that stands for nothing but this path.
pub fn plain(path: &str) -> String {
    let each = |c: char| match c {
        '*' | '?' | '[' => format!("[{c}]"),
        other => other.to_string(),
    };
    path.chars().map(each).collect()
}

/// The same over a SQL expression that names files.
pub(crate) fn over_files(files: &str) -> String {
    let base = include_str!("views/parquet.sql").replace("{columns}", COLUMNS).replace("{files}", files);
    format!("{base}\n{}", toot("create or replace view", &format!("(values\n{}\n)", language_rows())))
}

/// The SQL that defines the views over the lake's tables.
pub(crate) fn lake() -> String {
    let uri = format!(
        "coalesce(p.uri, 'https://' || o.name || '/users/' || split_part(a.name, '@', 1) || '/statuses/' || xor(p.uri_number, {}))",
        snowflake("p.created_at")
    );
    let base = include_str!("views/lake.sql").replace("{uri}", &uri);
    format!("{base}\n{}", toot("create view", "language_name"))
}

/// The number that a Mastodon server gives a post made at `created_at`, but for its lower 16 bits: the milliseconds.
/// Any time has one: of those beyond the year 6000 the upper bits are left out.
pub(crate) fn snowflake(created_at: &str) -> String {
    format!("((epoch_ms({created_at}) & 140737488355327) * 65536)")
}

/// The English name of a language tag's primary subtag, where ISO 639 has one.
pub fn language_name(tag: &str) -> Option<&'static str> {
    let code = tag.split('-').next()?.to_ascii_lowercase();
    language_names().find_map(|(known, name)| (known == code).then_some(name))
}

/// The code of the language that has this English name, in any case.
pub fn language_code(name: &str) -> Option<&'static str> {
    let wanted = name.to_lowercase();
    language_names().find_map(|(code, known)| (known.to_lowercase() == wanted).then_some(code))
}

/// Whether ISO 639 has this code, in any case.
pub fn is_language_code(code: &str) -> bool {
    language_names().any(|(known, _)| known.eq_ignore_ascii_case(code))
}

/// A SQL string literal.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A SQL list of `(code, name)` rows: ISO 639 codes and their English names.
pub(crate) fn language_rows() -> String {
    language_names()
        .map(|(code, name)| format!("    ({}, {})", literal(code), literal(name)))
        .collect::<Vec<_>>()
        .join(",\n")
}

fn language_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    LANGUAGES.lines().skip(1).filter_map(|line| line.split_once(','))
}

fn toot(create: &str, language_names: &str) -> String {
    include_str!("views/toot.sql").replace("{create}", create).replace("{language_names}", language_names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_english_name_is_one_languages() {
        for (code, name) in language_names() {
            assert_eq!(language_code(&name.to_uppercase()), Some(code), "{name}");
            assert_eq!(language_name(code), Some(name));
        }
    }
}
