//! Answers a mistyped table or column with the nearest documented name.
//!
//! DuckDB's own suggestion considers every name, including the lake's own tables, which users neither know nor need.

use crate::views::{self, DOCUMENTED};

/// The least similarity (Jaro-Winkler; 1 for equal names) at which one name is taken for the other, mistyped.
const ALIKE: f64 = 0.82;

/// The beginning of the message about an unknown table.
const NO_TABLE: &str = "there is no table `";

/// True if a message of [`documented`] says that one of the documented views is not there.
pub(crate) fn is_about_a_missing_view(message: &str) -> bool {
    let named = message.strip_prefix(NO_TABLE).and_then(|rest| rest.split_once('`'));
    named.is_some_and(|(full, _)| {
        let name = full.rsplit('.').next().unwrap_or(full);
        DOCUMENTED.iter().any(|view| view.eq_ignore_ascii_case(name))
    })
}

/// DuckDB's message about an unknown name, with documented names only. `None` if the message is about something else. `named` are the
/// documented views that the statement names.
pub(super) fn documented(message: &str, named: &[&str]) -> Option<String> {
    if let Some(table) = missing_table(message) {
        let typed = table.rsplit('.').next().unwrap_or(table);
        return Some(match nearest(typed, DOCUMENTED) {
            Some(view) => format!("{NO_TABLE}{table}`: did you mean `{view}`?"),
            None => format!("{NO_TABLE}{table}`: the tables are {}", all()),
        });
    }
    let column = missing_column(message)?;
    let views = views_with(column).map(|view| format!("`{view}`")).collect::<Vec<_>>();
    let elsewhere = (!views.is_empty()).then(|| format!("is a column of {}", views.join(", ")));
    let near = match candidates(message) {
        Some(candidates) => nearest(column, candidates),
        None => nearest(column, named.iter().flat_map(|view| views::columns(view))),
    };
    Some(match (near, elsewhere) {
        (Some(near), None) => format!("there is no column `{column}`: did you mean `{near}`?"),
        (Some(near), Some(elsewhere)) => {
            format!("there is no column `{column}` here: did you mean `{near}`? `{column}` {elsewhere}")
        }
        (None, Some(elsewhere)) => format!("there is no column `{column}` here: it {elsewhere}"),
        (None, None) => format!("there is no column `{column}` here: `describe posts` names those of a view"),
    })
}

/// The names of all documented views.
pub(super) fn all() -> String {
    DOCUMENTED.map(|view| format!("`{view}`")).join(", ")
}

/// The documented views that have a column.
fn views_with(column: &str) -> impl Iterator<Item = &'static str> {
    let has = |view: &str, column: &str| views::columns(view).any(|name| name.eq_ignore_ascii_case(column));
    DOCUMENTED.into_iter().filter(move |view| has(view, column))
}

/// The columns that DuckDB suggests: some of those that could stand at the place. `None` if it suggests none, as for columns of a view.
fn candidates(message: &str) -> Option<impl Iterator<Item = &str>> {
    let (_, listed) = message.split_once("Candidate bindings: ")?;
    Some(listed.split('"').skip(1).step_by(2))
}

fn missing_table(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("Catalog Error: Table with name ")?;
    let (name, _) = rest.split_once(" does not exist")?;
    // The name may be any text, also a quoted one.
    Some(name.trim_matches('"'))
}

fn missing_column(message: &str) -> Option<&str> {
    let message = message.strip_prefix("Binder Error: ")?;
    if let Some(rest) = message.strip_prefix("Referenced column \"") {
        return rest.split_once("\" not found in FROM clause!").map(|(name, _)| name);
    }
    let (_, rest) = message.split_once("does not have a column named \"")?;
    rest.split_once('"').map(|(name, _)| name)
}

fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    let alike = |full: &'a str| {
        let name = full.rsplit('.').next().unwrap_or(full);
        let part = typed.len() > 3 && name.contains(&typed);
        (if part { 1.0 } else { strsim::jaro_winkler(&typed, name) }, full)
    };
    let (likeness, name) = names.into_iter().map(alike).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness >= ALIKE).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_about_names_that_are_not_there_are_said_anew() {
        for message in [
            "Catalog Error: Scalar Function with name lowr does not exist!\nDid you mean \"lower\"?",
            "Binder Error: Ambiguous reference to column name \"uri\"",
            "Conversion Error: Could not convert string 'x' to INT32",
        ] {
            assert_eq!(documented(message, &[]), None, "{message}");
        }
    }

    #[test]
    fn a_column_is_suggested_only_where_it_could_stand() {
        for (column, candidates, told) in [
            ("auther", "\"author\", \"author_bot\"", "there is no column `auther`: did you mean `author`?"),
            (
                "usernam",
                "\"uri\", \"author\"",
                "there is no column `usernam` here: `describe posts` names those of a view",
            ),
            (
                "username",
                "\"uri\", \"author\"",
                "there is no column `username` here: it is a column of `mastodon_toot`",
            ),
            (
                "created_tz",
                "\"created_at\"",
                "there is no column `created_tz` here: did you mean `created_at`? `created_tz` is a column of `mastodon_toot`",
            ),
            ("whos", "\"whose\"", "there is no column `whos`: did you mean `whose`?"),
            ("edited", "\"a.edited_at\"", "there is no column `edited`: did you mean `a.edited_at`?"),
            ("kind", "\"uri\"", "there is no column `kind` here: `describe posts` names those of a view"),
        ] {
            for message in [
                format!(
                    "Binder Error: Referenced column \"{column}\" not found in FROM clause!\nCandidate bindings: {candidates}"
                ),
                format!(
                    "Binder Error: Table \"a\" does not have a column named \"{column}\"\n\nCandidate bindings: : {candidates}"
                ),
            ] {
                assert_eq!(documented(&message, &["posts"]).as_deref(), Some(told), "{message}");
            }
        }
    }

    #[test]
    fn a_missing_view_is_told_from_other_tables() {
        let missing =
            |name: &str| documented(&format!("Catalog Error: Table with name {name} does not exist!"), &[]).unwrap();
        for (name, is_view) in [
            ("posts", true),
            ("Replies", true),
            ("main.posts", true),
            ("post", false),
            ("posts.parquet", false),
            ("x`posts", false),
        ] {
            assert_eq!(is_about_a_missing_view(&missing(name)), is_view, "{name}");
        }
        assert!(!is_about_a_missing_view("there is no column `posts`"));
    }

    #[test]
    fn the_nearest_name_is_named() {
        for (typed, near) in [
            ("post", Some("posts")),
            ("sighting", Some("sightings")),
            ("reply", Some("replies")),
            ("toot", Some("mastodon_toot")),
            ("Posts2", Some("posts")),
            ("author", None),
            ("topic_hit", None),
            ("stream", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, DOCUMENTED), near, "{typed}");
        }
    }
}
