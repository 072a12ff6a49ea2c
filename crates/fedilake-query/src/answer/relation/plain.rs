//! The relations over the documented views, as common table expressions: the SQL that people are shown.
//!
//! It gives the same rows as the lake's own tables, more slowly, and runs in any DuckDB that has the views.

use super::{asked, day_step, gaps_sql, replaced, skips_sql, unknown, words_sql};
use crate::answer::report::Question;
use crate::answer::scope::{CREATED_AT, local_day, local_hour, tagged};
use crate::languages::{self, Meant};
use crate::literal::{instant, literal};
use crate::{Filter, Names, topic};

/// A report's statement over the documented views.
pub(crate) fn sql(statement: &str, question: &Question) -> Result<String, String> {
    let mut plain = Plain { question, tables: Vec::new() };
    let statement = plain.bind(statement)?;
    // Sightings are joined by uri: memory for one copy of the uris is enough, so the posts are read again instead of kept.
    let joins = plain.tables.iter().any(|(name, _)| name == "sighting");
    let kept = |name: &str| if joins && name == "post" { "not materialized " } else { "" };
    let tables: Vec<_> = plain
        .tables
        .iter()
        .map(|(name, sql)| format!("    {name} as {}(\n{}\n    )", kept(name), indented(sql)))
        .collect();
    if tables.is_empty() {
        return Ok(statement);
    }
    let tables = tables.join(",\n");
    // A statement's own tables come behind those that it reads.
    Ok(match statement.strip_prefix("with") {
        Some(rest) => format!("with\n{tables},{}{rest}", if rest.starts_with('\n') { "" } else { "\n   " }),
        None => format!("with\n{tables}\n{statement}"),
    })
}

struct Plain<'a> {
    question: &'a Question,
    /// Names and statements, each behind those that it reads.
    tables: Vec<(String, String)>,
}

impl Plain<'_> {
    fn bind(&mut self, sql: &str) -> Result<String, String> {
        replaced(sql, |name| self.relation(name))
    }

    /// The name of a relation's table, which is added if it is not there.
    fn relation(&mut self, name: &str) -> Result<String, String> {
        match name {
            "day_step" => return Ok(day_step(self.question.calendar.by).to_owned()),
            "by" => return Ok(self.question.calendar.by.to_string()),
            "deletes_known" => return Ok(self.knows_deletes().to_string()),
            _ => {}
        }
        let table = table(name);
        if !self.tables.iter().any(|(known, _)| known == table) {
            let definition = self.definition(name)?;
            let definition = self.bind(&definition)?;
            self.tables.push((table.to_owned(), definition));
        }
        Ok(table.to_owned())
    }

    fn definition(&self, name: &str) -> Result<String, String> {
        Ok(match name {
            "posts" => self.posts(),
            "hours" => counted("day, hour"),
            "usage" => counted("day, language, app, bot"),
            "sizes" => "select day, bot, count(*) as posts, sum(characters)::bigint as characters,\n    min(characters) as shortest, \
                max(characters) as longest, min(created_at) as first_at, max(created_at) as last_at\nfrom {posts}\ngroup by day, bot"
                .to_owned(),
            "authors" | "distinct_authors" => counted("day, author, origin, bot"),
            "origins" => counted("day, origin, bot"),
            "lengths" => counted("day, language, bot, characters"),
            "sightings" => "select sightings.uri as post, sightings.server, sightings.observed_at, sightings.from_origin as own,\n    \
                post.server as first_server, post.created_at, post.origin\nfrom sightings\n\
                join {posts} on post.id = sightings.uri\nwhere sightings.deleted_at is null"
                .to_owned(),
            "deletes" => self.deletes(),
            "gaps" => guarded(&gaps_sql(&self.question.filter, "gaps")),
            "skips" => guarded(&skips_sql(&self.question.filter, "skips")),
            "answers" => "select post.id as post, post.created_at, post.in_reply_to, replies.created_at as answered_at,\n    \
                replies.in_reply_to = 'self' as own\nfrom replies\njoin {posts} on post.id = replies.parent_uri"
                .to_owned(),
            "day_figures" => include_str!("day_figures.sql").trim().to_owned(),
            "words" => guarded(&words_sql(&self.question.words)),
            "hits" => {
                // Texts are read once, whatever the number of words.
                let words = asked(&self.question.words);
                let hits = words.iter().map(|word| {
                    format!("case when {} then {} end", guarded(&topic::mentions(word)), guarded(&literal(word)))
                });
                format!(
                    "select day, word\nfrom (\n    select day, unnest([\n        {}\n    ]) as word\n    from {{posts}}\n)\n\
                    where word is not null",
                    hits.collect::<Vec<_>>().join(",\n        ")
                )
            }
            "author" => "select author as id, author as name, any_value(author_domain) as origin, \
                count(distinct author_bot) > 1 as two_faced\nfrom posts group by author"
                .to_owned(),
            "origin" => lookup("author_domain"),
            // A server may show posts only after others did.
            "server" => "select distinct server as id, server as name\nfrom sightings".to_owned(),
            "app" => lookup("app"),
            "language" => "select tag as id, tag as name, name as counted\nfrom languages".to_owned(),
            other => return Err(unknown(other)),
        })
    }

    fn posts(&self) -> String {
        let zone = &self.question.calendar.zone;
        let conditions = self.conditions();
        let condition =
            if conditions.is_empty() { String::new() } else { format!("\nwhere {}", conditions.join("\n    and ")) };
        format!(
            "select uri as id, created_at, {} as day,\n    {} as hour, author, author_domain as origin, language, app, \
             server, author_bot as bot,\n    characters, words, tags, mentions, links, media, media_described, media_types, \
             poll, in_reply_to,\n    in_reply_to_author, quote_uri, sensitive, spoiler_text, favourites, reblogs, replies, \
             edited_at,\n    observed_at, from_origin as own, text\nfrom posts{condition}",
            local_day(CREATED_AT, zone),
            local_hour(CREATED_AT, zone),
        )
    }

    fn deletes(&self) -> String {
        let conditions = if self.knows_deletes() { self.conditions() } else { vec!["false".to_owned()] };
        let condition =
            if conditions.is_empty() { String::new() } else { format!("\nwhere {}", conditions.join("\n    and ")) };
        format!(
            "select server, created_at, deleted_at, author_domain as origin, language, app, author_bot as bot\nfrom deletes{condition}"
        )
    }

    /// True if all of the filter's conditions can be told of deleted posts.
    fn knows_deletes(&self) -> bool {
        let Filter { only, without, .. } = &self.question.filter;
        [only, without].iter().all(|names| names.hashtags.is_empty() && names.about.is_empty())
    }

    fn conditions(&self) -> Vec<String> {
        let filter = &self.question.filter;
        let mut all = Vec::new();
        all.extend(filter.from.map(|from| format!("created_at >= {}", instant(from))));
        all.extend(filter.to.map(|to| format!("created_at < {}", instant(to))));
        all.extend(filter.bot.map(|bot| format!("author_bot = {bot}")));
        all.extend(named(&filter.only));
        all.extend(named(&filter.without).into_iter().map(|condition| format!("({condition}) is not true")));
        all
    }
}

/// The name of a relation's table, which no documented view has.
fn table(relation: &str) -> &str {
    match relation {
        "posts" => "post",
        "sightings" => "sighting",
        "deletes" => "gone",
        "gaps" => "not_read",
        "skips" => "not_kept",
        "distinct_authors" => "authors",
        other => other,
    }
}

fn counted(keys: &str) -> String {
    format!("select {keys}, count(*) as posts from {{posts}} group by all")
}

fn lookup(column: &str) -> String {
    format!("select distinct {column} as id, {column} as name from posts where {column} is not null")
}

/// The conditions that posts have names of these lists.
fn named(names: &Names) -> Vec<String> {
    let among = |column: &str, names: &[String]| {
        let names: Vec<_> = names.iter().map(|name| literal(&name.to_lowercase())).collect();
        (!names.is_empty()).then(|| guarded(&format!("lower({column}) in ({})", names.join(", "))))
    };
    let conditions = [
        among("author_domain", &names.origins),
        among("server", &names.servers),
        among("app", &names.apps),
        in_languages(&names.languages),
        tagged(&names.hashtags).map(|condition| guarded(&condition)),
        topic::mentions_one(&names.about).map(|condition| guarded(&condition)),
    ];
    conditions.into_iter().flatten().collect()
}

/// The condition that a post has one of the languages that the user typed; `None` if there are none.
fn in_languages(typed: &[String]) -> Option<String> {
    let conditions = typed.iter().map(|typed| match languages::meant(typed) {
        Meant::Unknown => {
            "language is null or language in (select id from {language} where counted is null)".to_owned()
        }
        Meant::Language(name) => {
            format!("language in (select id from {{language}} where counted = {})", guarded(&literal(&name)))
        }
        Meant::Tag(tag) => format!("{} = {}", languages::canonical_sql("language"), guarded(&literal(&tag))),
    });
    let conditions: Vec<_> = conditions.collect();
    (!conditions.is_empty()).then(|| format!("({})", conditions.join(" or ")))
}

/// SQL whose literals have no brace, which would be read as a relation's.
fn guarded(sql: &str) -> String {
    sql.replace('{', "' || chr(123) || '")
}

fn indented(sql: &str) -> String {
    sql.lines().map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_with_braces_is_the_same_without() {
        let connection = duckdb::Connection::open_in_memory().unwrap();
        for text in ["{posts}", "a{b", "{{}}", "it's {'a': 1}", "plain"] {
            let sql = guarded(&literal(text));
            assert!(!sql.contains('{'), "{sql}");
            let read: String = connection.query_row(&format!("select {sql}"), [], |row| row.get(0)).unwrap();
            assert_eq!(read, text, "{sql}");
        }
    }
}
