//! The talk's analyses. Each is one .sql file in reports/, for the posts of a [`Filter`].

use serde::{Deserialize, Serialize};

use crate::scope::Scope;
use crate::views::literal;
use crate::{Filter, Lake, LakeError, Rows, layout, rows, topic};

/// A question of the talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// One row: posts, users, origins, languages (no language counts as one), characters_min, characters_mean,
    /// characters_max, characters_sum, first_created_at, last_created_at.
    Statistics,
    /// A row a day: day (a date, as in all reports), posts, users, origins, most_frequent_nonbot, most_frequent_bot,
    /// most_frequent_host.
    Daily,
    /// The 10 most used apps of people: app, posts. The note gives the number of posts whose app is known.
    Apps,
    /// 24 rows a day: day, hour, posts.
    Hours,
    /// The 20 most frequent languages: language (its name), posts.
    Languages,
    /// The 20 most frequent known languages: language, posts, characters_min, characters_p25, characters_median,
    /// characters_p75, characters_max.
    Lengths,
    /// A row for each day that has posts and each word: day, topic, posts (0 if no post mentions the word).
    Topics {
        /// Words to look for in texts, in any letter case, also within longer words. Words that differ only in case
        /// count once. `None` for the followed words.
        words: Vec<String>,
    },
}

impl Report {
    /// The report's name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Report::Statistics => "statistics",
            Report::Daily => "daily",
            Report::Apps => "apps",
            Report::Hours => "hours",
            Report::Languages => "languages",
            Report::Lengths => "lengths",
            Report::Topics { .. } => "topics",
        }
    }

    /// Every report, topics with the followed words, in the talk's order.
    pub fn all() -> [Report; 7] {
        [
            Report::Statistics,
            Report::Daily,
            Report::Apps,
            Report::Hours,
            Report::Languages,
            Report::Lengths,
            Report::Topics { words: Vec::new() },
        ]
    }
}

impl Lake {
    /// Makes a report on the posts of `filter`, from one snapshot of the lake.
    pub fn report(&self, report: &Report, filter: &Filter) -> Result<Rows, LakeError> {
        let lend = |ask: &mut dyn FnMut(&duckdb::Connection) -> Result<Rows, LakeError>| match report {
            Report::Statistics => self.count(ask),
            _ => self.read(ask),
        };
        lend(&mut |connection| {
            connection.execute_batch("begin transaction read only")?;
            let answer = Scope::new(connection, filter).and_then(|scope| answer(connection, report, &scope));
            connection.execute_batch("rollback")?;
            answer
        })
    }
}

fn answer(connection: &duckdb::Connection, report: &Report, scope: &Scope) -> Result<Rows, LakeError> {
    let query = |sql: &str| rows::query(connection, &over(scope, sql));
    match report {
        Report::Statistics => query(include_str!("reports/statistics.sql")),
        Report::Daily => {
            rows::query(connection, &include_str!("reports/daily.sql").replace("{figures}", &figures(scope)))
        }
        Report::Apps => {
            let answer = query(include_str!("reports/apps.sql"))?;
            let (named, posts): (i64, i64) =
                connection.query_row(&over(scope, include_str!("reports/apps_note.sql")), [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
            let note = format!("the app is known for {named} of {posts} posts by people: apps do not federate");
            Ok(Rows { note: Some(note), ..answer })
        }
        Report::Hours => query(include_str!("reports/hours.sql")),
        Report::Languages => query(include_str!("reports/languages.sql")),
        Report::Lengths => query(include_str!("reports/lengths.sql")),
        Report::Topics { words } => rows::query(connection, &topics(words, scope)),
    }
}

/// A statement about the posts of `scope`.
fn over(scope: &Scope, sql: &str) -> String {
    sql.replace("{authors}", &scope.authors())
        .replace("{distinct_authors}", &scope.distinct_authors())
        .replace("{origins}", &scope.origins())
        .replace("{hours}", &scope.hours())
        .replace("{lengths}", &scope.lengths())
        .replace("{posts}", &scope.posts())
}

/// The figures of each day: the stored figures of sealed days if all of their posts are counted.
fn figures(scope: &Scope) -> String {
    let counted = |scope: &Scope| over(scope, include_str!("reports/day_figures.sql"));
    let Some((first, last)) = scope.kept_days() else { return counted(scope) };
    let kept = format!("from day_figures where day between {first} and {last}");
    match scope.other_days() {
        Some(others) => format!("{kept} union all ({})", counted(&others)),
        None => kept,
    }
}

fn topics(words: &[String], scope: &Scope) -> String {
    let followed = layout::FOLLOWED.map(str::to_owned);
    let words = topic::distinct(if words.is_empty() { &followed } else { words });
    let hits: Vec<_> = words
        .iter()
        .map(|word| {
            let label = literal(word);
            let followed = layout::FOLLOWED.iter().position(|followed| followed.eq_ignore_ascii_case(word));
            match followed {
                Some(topic) => format!("select day, {label} as word from {}", scope.hits(topic as i32)),
                None => format!("select day, {label} as word from {} where {}", scope.posts(), topic::mentions(word)),
            }
        })
        .collect();
    let labels: Vec<_> = words.iter().map(|word| format!("({})", literal(word))).collect();
    let asked = format!(
        "asked (word) as (values {}), hit as (select day, word, count(*) as posts from ({}) group by all)",
        labels.join(", "),
        hits.join(" union all ")
    );
    // Replaced last, because a word may look like a placeholder.
    over(scope, include_str!("reports/topics.sql")).replace("{asked}", &asked)
}
