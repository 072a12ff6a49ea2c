//! Answers a mistyped table or column with the nearest documented name.
//!
//! DuckDB's own suggestion considers every name, including the lake's own tables, which users neither know nor need.

use crate::views::{COLUMNS, DOCUMENTED};

/// The least similarity (Jaro-Winkler; 1 for equal names) at which one name is taken for the other, mistyped.
const ALIKE: f64 = 0.82;

/// Columns of the documented views that the table lacks.
const MADE: [&str; 12] = [
    "parent_uri",
    "parent_author",
    "deleted_at",
    "m_id",
    "created_at_str",
    "created_tz",
    "from_instance",
    "base_url",
    "username",
    "bot",
    "mastodon_text",
    "language_name",
];

/// DuckDB's message about an unknown name, with documented names only. `None` if the message is about something else.
pub(super) fn documented(message: &str) -> Option<String> {
    if let Some(table) = missing_table(message) {
        let typed = table.rsplit('.').next().unwrap_or(table);
        return Some(match nearest(typed, DOCUMENTED) {
            Some(view) => format!("there is no table `{table}`: did you mean `{view}`?"),
            None => {
                let all = DOCUMENTED.map(|view| format!("`{view}`")).join(", ");
                format!("there is no table `{table}`: the tables are {all}")
            }
        });
    }
    let column = missing_column(message)?;
    let columns = COLUMNS.iter().map(|(name, _)| *name).chain(MADE);
    Some(match nearest(column, columns) {
        Some(near) => format!("there is no column `{column}`: did you mean `{near}`?"),
        None => format!("there is no column `{column}` here: `describe posts` names those of a view"),
    })
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
    let alike = |name: &'a str| {
        let part = typed.len() > 3 && name.contains(&typed);
        (if part { 1.0 } else { strsim::jaro_winkler(&typed, name) }, name)
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
            assert_eq!(documented(message), None, "{message}");
        }
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
