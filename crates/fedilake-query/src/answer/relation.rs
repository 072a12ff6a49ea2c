//! The relations that a report's statement names in braces.
//!
//! | relation | columns |
//! |---|---|
//! | `posts` | a post: id, created_at, day, hour, author, origin, language, app, server, bot, and the columns of docs/columns.md that describe what was written |
//! | `hours` | day, hour, posts |
//! | `usage` | day, language, app, bot, posts |
//! | `sizes` | day, bot, posts; their characters together, of the shortest and of the longest one; first_at and last_at, created_at of the first and the last one |
//! | `authors` | day, author, origin, bot, posts |
//! | `distinct_authors` | the same, one row for each (day, author, bot) |
//! | `origins` | day, origin, bot, posts |
//! | `lengths` | day, language, bot, characters, posts |
//! | `sightings` | post, server, observed_at, own; of the post first_server, created_at, origin |
//! | `deletes` | server (first shown by), created_at, deleted_at, origin, language, app, bot of the scope's posts that were deleted; no row if `deletes_known` is false |
//! | `deletes_known` | the text `true`, or `false` if the filter has hashtags or words, which are not known of deleted posts |
//! | `gaps` | server (a name), from_at, to_at (null while it is not read): the times in which the filter's servers were not read and that reach into its time; scope_from, scope_to: that time, infinite where it has no end |
//! | `skips` | server (a name), hour, reason, events that were left out, of the filter's servers, in the hours that begin in its time |
//! | `answers` | post (that is answered), its created_at and in_reply_to, answered_at (created_at of the answer), own (authors answer themselves) |
//! | `day_figures` | day, posts, users, origins, most_frequent_nonbot, most_frequent_bot, most_frequent_host |
//! | `words` | word: the words that are asked for |
//! | `hits` | day, word: a row for each post and each of these words that it mentions |
//! | `author` | id, name, origin, two_faced |
//! | `origin`, `server`, `app` | id, name |
//! | `language` | id, name (the tag), counted (the English name) |
//! | `by` | the calendar's step: `hour`, `day` or `week` |
//! | `day_step` | the step of a `day`: the day itself, or its week, counted from that of 1 January 1970 |
//!
//! All but `gaps`, `skips`, `deletes_known` and the last seven have the rows of the filter's posts; several rows may have the same key. `day` counts from 1970
//! and `hour` from 0 to 23, in the calendar's time zone. Keys such as `author` are numbers in the lake and names in the
//! documented views: a statement joins the relation of that name to show them.

mod lake;
mod plain;

use crate::lake::layout;
use crate::literal::{instant, literal};
use crate::{By, Filter, topic};

pub(crate) use self::lake::bind;
pub(crate) use self::plain::sql;

/// Replaces each `{name}` by what `relation` makes of it. Braces around anything but a name are left as they are.
fn replaced<E>(sql: &str, mut relation: impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, behind)) = rest.split_once('{') {
        out.push_str(before);
        match behind.split_once('}') {
            Some((name, after)) if is_name(name) => {
                out.push_str(&relation(name)?);
                rest = after;
            }
            _ => {
                out.push('{');
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// The conditions of a filter on rows that are about a server and no post: those on servers, and that `begins` is before its end and `ends`
/// behind its beginning.
fn of_servers(filter: &Filter, begins: &str, ends: &str) -> Vec<String> {
    let among = |servers: &[String]| {
        let servers: Vec<_> = servers.iter().map(|server| literal(&server.to_lowercase())).collect();
        (!servers.is_empty()).then(|| servers.join(", "))
    };
    let mut all = Vec::new();
    all.extend(filter.from.map(|from| format!("{ends} {}", instant(from))));
    all.extend(filter.to.map(|to| format!("{begins} < {}", instant(to))));
    if filter.from.zip(filter.to).is_some_and(|(from, to)| from >= to) {
        all.push("false".to_owned());
    }
    all.extend(among(&filter.only.servers).map(|servers| format!("lower(server) in ({servers})")));
    all.extend(among(&filter.without.servers).map(|servers| format!("lower(server) not in ({servers})")));
    all
}

/// The statement of relation `gaps`. `table` has the columns of view `gaps`.
fn gaps_sql(filter: &Filter, table: &str) -> String {
    let conditions = of_servers(filter, "from_at", "coalesce(to_at, 'infinity') >");
    let bound = |ms: Option<i64>, none: &str| ms.map_or(format!("'{none}'::timestamptz"), instant);
    let (from, to) = (bound(filter.from, "-infinity"), bound(filter.to, "infinity"));
    format!("select server, from_at, to_at, {from} as scope_from, {to} as scope_to from {table}{}", whole(&conditions))
}

/// The statement of relation `skips`. `table` has the columns of view `skips`.
fn skips_sql(filter: &Filter, table: &str) -> String {
    format!("select server, hour, reason, events from {table}{}", whole(&of_servers(filter, "hour", "hour >=")))
}

fn whole(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" where {}", conditions.join(" and ")) }
}

/// The words that are asked for, each once; the followed words if none are.
fn asked(words: &[String]) -> Vec<String> {
    let followed = layout::FOLLOWED.map(str::to_owned);
    topic::distinct(if words.is_empty() { &followed } else { words }).into_iter().map(str::to_owned).collect()
}

/// SQL: the words that are asked for, a row each.
fn words_sql(words: &[String]) -> String {
    let words: Vec<_> = asked(words).iter().map(|word| format!("({})", literal(word))).collect();
    format!("select word from (values {}) asked (word)", words.join(", "))
}

/// SQL: the day, or by week the week, of a column `day`. Weeks begin on Monday, also before 1970.
fn day_step(by: By) -> &'static str {
    match by {
        By::Hour | By::Day => "day",
        By::Week => "((day + 3 - ((day + 3) % 7 + 7) % 7) // 7)",
    }
}

/// The error for a statement that names no relation.
fn unknown(name: &str) -> String {
    format!("a report's statement names {{{name}}}, which is no relation")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_in_braces_are_replaced_and_what_replaces_them_is_not() {
        let bind = |sql: &str| {
            replaced(sql, |name| match name {
                "posts" => Ok("{hours}".to_owned()),
                other => Err(unknown(other)),
            })
        };
        assert_eq!(bind("from {posts} p, {'a': {posts}} {").unwrap(), "from {hours} p, {'a': {hours}} {");
        assert!(bind("from {post}").unwrap_err().contains("{post}"));
    }
}
