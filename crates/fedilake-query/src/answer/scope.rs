//! A filter in the lake's own numbers, as relations from which reports read.
//!
//! Each relation is the filter's posts, counted by some columns. Its rows come from the tables of sealed days if the
//! filter takes whole days and uses only columns of those tables, and from the posts themselves for everything else.

use std::sync::Arc;

use duckdb::Connection;

use crate::answer::filter::UTC;
use crate::lake::states::Findings;
use crate::languages::{self, Meant};
use crate::literal::{instant, literal};
use crate::{Filter, LakeError, Names, topic};

/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;
/// Milliseconds of a day.
const DAY_MS: i64 = 24 * HOUR_MS;

/// The most ranges of open days that are read one by one.
const RANGES_MAX: usize = 4;

/// A filter with its names looked up, and its days.
#[derive(Clone)]
pub(crate) struct Scope {
    /// Conditions on created_at, for `post` only.
    times: Vec<String>,
    conditions: Vec<Condition>,
    /// The time zone of days and hours; None for UTC, in which the lake counts them.
    zone: Option<String>,
    /// What tables of sealed days tell, if the days are those of UTC.
    days: Option<Cover>,
    /// What the hours of sealed days tell, if the filter begins and ends with an hour.
    hours: Option<Cover>,
}

/// The filter's days, divided into those that a table of sealed days tells and the others.
#[derive(Clone, Default)]
struct Cover {
    /// The first and the last of the table's days. Days between them that are not sealed have no rows in the table.
    sealed: Option<(i32, i32)>,
    /// Conditions on the table's hours.
    hours: Vec<String>,
    /// The days whose posts are read: the first and the last day of each range that has no sealed day.
    open: Vec<(i32, i32)>,
    /// True if the next open day begins a range.
    is_cut: bool,
}

/// A condition on one column of `post`.
#[derive(Clone)]
struct Condition {
    column: &'static str,
    sql: String,
    /// The condition of the rows of `day_figures` that are of the posts that meet it; None if it has no such rows.
    of_figures: Option<String>,
}

impl Condition {
    fn new(column: &'static str, sql: String) -> Condition {
        Condition { column, sql, of_figures: None }
    }
}

/// Posts counted by some columns.
struct Relation {
    keys: &'static [&'static str],
    /// What the tables tell of the posts of a key, and what one post is to it.
    measures: &'static [Measure],
    /// Those that have keys and measures; of those that leave as few posts to be read, the smallest first.
    tables: &'static [Table],
}

/// A figure of the posts of a key.
struct Measure {
    name: &'static str,
    /// SQL: its value for a single post.
    of_post: &'static str,
}

const POSTS: Measure = Measure { name: "posts", of_post: "1" };

/// A table of sealed days.
struct Table {
    name: &'static str,
    /// True if it has hours, so that parts of days can be told.
    has_hours: bool,
    /// The columns that conditions may name.
    columns: &'static [&'static str],
}

impl Table {
    const fn of_days(name: &'static str, columns: &'static [&'static str]) -> Table {
        Table { name, has_hours: false, columns }
    }

    const fn of_hours(name: &'static str, columns: &'static [&'static str]) -> Table {
        Table { name, has_hours: true, columns }
    }
}

/// Has one row for each of its keys.
const AUTHOR_DAY: &str = "author_day";

const AUTHORS: Relation = Relation {
    keys: &["day", "author", "origin", "bot"],
    measures: &[POSTS],
    tables: &[
        Table::of_days(AUTHOR_DAY, &["origin", "bot"]),
        Table::of_days("author_detail", &["origin", "bot", "language", "server", "app"]),
    ],
};

const ORIGIN_DAY: Table = Table::of_days("origin_day", &["origin", "bot"]);
const ORIGIN_DETAIL: Table = Table::of_days("origin_detail", &["origin", "bot", "language", "server", "app"]);

const ORIGINS: Relation =
    Relation { keys: &["day", "origin", "bot"], measures: &[POSTS], tables: &[ORIGIN_DAY, ORIGIN_DETAIL] };

const USAGE_DAY: Table = Table::of_days("usage_day", &["language", "server", "app", "bot"]);
const HOUR_CELL: Table = Table::of_hours("hour_cell", &["language", "app", "bot"]);
const HOUR_DETAIL: Table = Table::of_hours("hour_detail", &["language", "server", "app", "bot"]);

const USAGE: Relation = Relation {
    keys: &["day", "language", "app", "bot"],
    measures: &[POSTS],
    tables: &[USAGE_DAY, HOUR_CELL, HOUR_DETAIL, ORIGIN_DETAIL],
};

const SIZES: Relation = Relation {
    keys: &["day", "bot"],
    measures: &[
        POSTS,
        Measure { name: "characters", of_post: "characters::bigint" },
        Measure { name: "shortest", of_post: "characters" },
        Measure { name: "longest", of_post: "characters" },
        Measure { name: "first_at", of_post: "created_at" },
        Measure { name: "last_at", of_post: "created_at" },
    ],
    tables: &[USAGE_DAY, ORIGIN_DAY],
};

const HOURS: Relation = Relation {
    keys: &["day", "hour"],
    measures: &[POSTS],
    tables: &[HOUR_CELL, HOUR_DETAIL, Table::of_hours("origin_hour", &["origin", "bot"])],
};

const LENGTHS: Relation = Relation {
    keys: &["day", "language", "bot", "characters"],
    measures: &[POSTS],
    tables: &[
        Table::of_days("length_cell", &["language", "bot"]),
        Table::of_days("length_detail", &["language", "bot", "server", "app"]),
        Table::of_days("origin_length", &["origin", "language", "bot"]),
    ],
};

/// The rows that a relation has of posts.
#[derive(Clone, Copy)]
enum Rows {
    /// One a post.
    Single,
    /// One a key, with the number of posts.
    Grouped,
}

/// The columns of `topic_hit` that conditions may name.
const OF_HITS: [&str; 5] = ["origin", "language", "server", "app", "bot"];

/// The columns of `hidden` that conditions may name.
const OF_DELETES: [&str; 5] = ["origin", "server", "language", "app", "bot"];

impl Scope {
    pub(crate) fn new(
        connection: &Connection,
        findings: &Findings<'_>,
        filter: &Filter,
        zone: &str,
    ) -> Result<Scope, LakeError> {
        let mut scope = Scope {
            times: Vec::new(),
            conditions: Vec::new(),
            zone: zone_of(connection, zone)?,
            days: None,
            hours: None,
        };
        scope.conditions.extend(filter.bot.map(|bot| of_one("bot", format!("bot = {bot}"))));
        scope.conditions.extend(named(connection, findings, &filter.only)?);
        for condition in named(connection, findings, &filter.without)? {
            // A post without a name does not have that name.
            scope.conditions.push(Condition::new(condition.column, format!("({}) is not true", condition.sql)));
        }
        if let Some(from) = filter.from {
            scope.times.push(format!("created_at >= {}", instant(from)));
        }
        if let Some(to) = filter.to {
            scope.times.push(format!("created_at < {}", instant(to)));
        }
        scope.divide(connection, findings, filter)?;
        Ok(scope)
    }

    /// The first and the last of the sealed days for which `day_figures` has the filter's figures, and the condition of its rows.
    pub(crate) fn kept_days(&self) -> Option<(i32, i32, String)> {
        let columns: Vec<_> = self.conditions.iter().map(|condition| condition.column).collect();
        let is_a_part = matches!(columns.as_slice(), [] | ["bot" | "server" | "language"] | ["bot", "language"]);
        let mut all: Vec<_> =
            self.conditions.iter().map(|condition| condition.of_figures.clone()).collect::<Option<_>>()?;
        let others = ["bot", "server", "language"].into_iter().filter(|column| !columns.contains(column));
        all.extend(others.map(|column| format!("{column} is null")));
        let (first, last) = self.days.as_ref()?.sealed?;
        is_a_part.then(|| (first, last, all.join(" and ")))
    }

    /// The filter without its whole sealed days; None when nothing is left.
    pub(crate) fn other_days(&self) -> Option<Scope> {
        let days = self.days.as_ref()?;
        let others = Cover { sealed: None, ..days.clone() };
        (!days.open.is_empty()).then(|| Scope { days: Some(others), ..self.clone() })
    }

    /// The posts themselves, with the columns of `post`.
    pub(crate) fn posts(&self) -> String {
        self.post_where(&self.times)
    }

    /// Columns day, author, origin, bot, posts; several rows may have the same key.
    pub(crate) fn authors(&self) -> String {
        self.relation(&AUTHORS)
    }

    /// Like [`Scope::authors`], with one row for each (day, author, bot).
    pub(crate) fn distinct_authors(&self) -> String {
        match self.told(&AUTHORS) {
            Some((Table { name: AUTHOR_DAY, .. }, _)) | None => self.relation_of(&AUTHORS, Rows::Grouped),
            Some(_) => format!(
                "(select day, author, origin, bot, sum(posts) as posts from {} group by day, author, origin, bot)",
                self.authors()
            ),
        }
    }

    /// Columns day, origin, bot, posts; several rows may have the same key.
    pub(crate) fn origins(&self) -> String {
        self.relation(&ORIGINS)
    }

    /// Columns day, language, app, bot, posts; several rows may have the same key.
    pub(crate) fn usage(&self) -> String {
        self.relation(&USAGE)
    }

    /// Columns day, bot, posts, characters, shortest, longest, first_at, last_at; several rows may have the same key.
    pub(crate) fn sizes(&self) -> String {
        self.relation(&SIZES)
    }

    /// Columns day, hour, posts; several rows may have the same key.
    pub(crate) fn hours(&self) -> String {
        self.relation(&HOURS)
    }

    /// Columns day, language, bot, characters, posts; several rows may have the same key.
    pub(crate) fn lengths(&self) -> String {
        self.relation(&LENGTHS)
    }

    /// The sightings of the filter's posts that were not deleted: columns post, server, observed_at, own, and of the post first_server,
    /// created_at, origin.
    pub(crate) fn sightings(&self) -> String {
        let posts = self.posts();
        format!(
            "(select id as post, server, observed_at, first_own as own, server as first_server, created_at, origin from {posts} \
            union all select g.post, g.server, g.observed_at, g.own, shown.server, shown.created_at, shown.origin from sighting g \
            join {posts} shown on shown.id = g.post \
            anti join deleted d on d.server = g.server and d.native = g.native)"
        )
    }

    /// The posts of the filter that were deleted: columns server (that first showed it), created_at, deleted_at, origin, language,
    /// app, bot. Without a row if the filter has a condition on anything else than these.
    pub(crate) fn deletes(&self) -> String {
        let condition = if self.knows_deletes() { self.condition(&self.times) } else { " where false".to_owned() };
        format!("(select server, created_at, deleted_at, origin, language, app, bot from hidden{condition})")
    }

    /// True if all of the filter's conditions can be told of deleted posts.
    pub(crate) fn knows_deletes(&self) -> bool {
        self.conditions.iter().all(|condition| OF_DELETES.contains(&condition.column))
    }

    /// The answers to the filter's posts, whether the answers are in the filter or not: columns post, created_at and
    /// in_reply_to of the answered post, answered_at, own.
    pub(crate) fn answers(&self) -> String {
        let posts = self.posts();
        format!(
            "(select shown.id as post, shown.created_at, shown.in_reply_to, answer.created_at as answered_at, \
            answer.in_reply_to = 'self' as own \
            from (select seen_server, reply_native, created_at, in_reply_to from post where reply_native is not null) answer \
            join (select id as post, server, native from post union all select post, server, native from sighting) place \
            on place.server = answer.seen_server and place.native = answer.reply_native \
            join {posts} shown on shown.id = place.post)"
        )
    }

    /// The rows of `topic_hit` for the filter's posts that mention a followed word.
    pub(crate) fn hits(&self, topic: i32) -> String {
        let mut all = vec![format!("topic = {topic}")];
        all.extend(self.times.iter().cloned());
        if self.conditions.iter().all(|condition| OF_HITS.contains(&condition.column)) {
            all.extend(self.conditions.iter().map(|condition| condition.sql.clone()));
        } else {
            all.push(format!("post in (select id from {})", self.posts()));
        }
        let columns = match &self.zone {
            Some(zone) => format!("* replace ({} as day)", local_day(CREATED_AT, zone)),
            None => "*".to_owned(),
        };
        format!("(select {columns} from topic_hit where {})", all.join(" and "))
    }

    /// Divides the filter's days.
    fn divide(&mut self, connection: &Connection, findings: &Findings<'_>, filter: &Filter) -> Result<(), LakeError> {
        let (mut whole, mut met) = (Cover::default(), Cover::default());
        for (day, sealed) in findings.once("days", || days(connection))?.iter().copied() {
            let (first_ms, next_ms) = (i64::from(day) * DAY_MS, (i64::from(day) + 1) * DAY_MS);
            if filter.from.is_some_and(|from| from >= next_ms) || filter.to.is_some_and(|to| to <= first_ms) {
                continue;
            }
            let is_whole = filter.from.is_none_or(|from| from <= first_ms) && filter.to.is_none_or(|to| to >= next_ms);
            whole.add(day, sealed && is_whole);
            met.add(day, sealed);
        }
        // Only the days that the filter cuts have cells to be left out.
        if let Some((day, hour)) = filter.from.map(day_and_hour).filter(|(day, _)| met.contains(*day)) {
            met.hours.push(format!("(cell.day > {day} or cell.hour >= {hour})"));
        }
        if let Some((day, hour)) = filter.to.map(day_and_hour).filter(|(day, _)| met.contains(*day)) {
            met.hours.push(format!("(cell.day < {day} or cell.hour < {hour})"));
        }
        let is_of_hours = [filter.from, filter.to].iter().flatten().all(|time| time % HOUR_MS == 0);
        self.hours = (is_of_hours && keeps_hours(connection, self.zone.as_deref())?).then_some(met);
        self.days = self.zone.is_none().then_some(whole);
        Ok(())
    }

    /// The table of sealed days that tells most of a relation, and what it tells; None if only the posts do.
    fn told(&self, relation: &Relation) -> Option<(&'static Table, &Cover)> {
        let knows = |table: &&Table| self.conditions.iter().all(|condition| table.columns.contains(&condition.column));
        let cover = |table: &'static Table| {
            Some((table, if table.has_hours { self.hours.as_ref() } else { self.days.as_ref() }?))
        };
        relation.tables.iter().filter(knows).filter_map(cover).min_by_key(|(_, cover)| cover.open_days())
    }

    fn relation(&self, relation: &Relation) -> String {
        self.relation_of(relation, Rows::Single)
    }

    /// `rows` is for the posts themselves.
    fn relation_of(&self, relation: &Relation, rows: Rows) -> String {
        let keys = relation.keys.join(", ");
        let from_posts = |conditions: &[String]| {
            let posts = match self.zone {
                Some(_) => self.post_where(conditions),
                // Naming post's many columns by a star takes longer than reading a day of posts.
                None => format!("post{}", self.condition(conditions)),
            };
            match rows {
                Rows::Single => {
                    let measures =
                        relation.measures.iter().map(|Measure { name, of_post }| format!(", {of_post} as {name}"));
                    format!("select {keys}{} from {posts}", measures.collect::<String>())
                }
                Rows::Grouped => format!("select {keys}, count(*) as posts from {posts} group by {keys}"),
            }
        };
        let Some((table, cover)) = self.told(relation) else { return format!("({})", from_posts(&self.times)) };
        let mut parts = Vec::new();
        if let Some((first, last)) = cover.sealed {
            let mut conditions = vec![format!("cell.day between {first} and {last}")];
            conditions.extend(cover.hours.iter().cloned());
            let column = |key: &&str| match (&self.zone, *key) {
                (Some(zone), "day") => format!("{} as day", local_day(HOUR, zone)),
                (Some(zone), "hour") => format!("{} as hour", local_hour(HOUR, zone)),
                (_, key) => key.to_owned(),
            };
            let mut columns: Vec<_> = relation.keys.iter().map(column).collect();
            columns.extend(relation.measures.iter().map(|measure| measure.name.to_owned()));
            parts.push(format!(
                "select {} from {} cell{}",
                columns.join(", "),
                table.name,
                self.condition(&conditions)
            ));
        }
        for days in cover.of_open() {
            let conditions: Vec<_> = std::iter::once(days).chain(self.times.iter().cloned()).collect();
            parts.push(from_posts(&conditions));
        }
        if parts.is_empty() {
            parts.push(from_posts(&["false".to_owned()]));
        }
        format!("({})", parts.join(" union all "))
    }

    fn post_where(&self, conditions: &[String]) -> String {
        let condition = self.condition(conditions);
        match &self.zone {
            Some(zone) => format!(
                "(select * replace ({} as day, {} as hour) from post{condition})",
                local_day(CREATED_AT, zone),
                local_hour(CREATED_AT, zone)
            ),
            None if condition.is_empty() => "post".to_owned(),
            None => format!("(select * from post{condition})"),
        }
    }

    /// SQL: ` where` with the filter's conditions and more; empty if there are none.
    fn condition(&self, more: &[String]) -> String {
        let of_filter = self.conditions.iter().map(|condition| &condition.sql);
        let all: Vec<_> = more.iter().chain(of_filter).map(String::as_str).collect();
        if all.is_empty() { String::new() } else { format!(" where {}", all.join(" and ")) }
    }
}

impl Cover {
    /// Adds the next day.
    fn add(&mut self, day: i32, is_sealed: bool) {
        if is_sealed {
            self.sealed = Some((self.sealed.map_or(day, |(first, _)| first), day));
        } else if let Some((_, last)) = self.open.last_mut().filter(|_| !self.is_cut) {
            *last = day;
        } else {
            self.open.push((day, day));
        }
        self.is_cut = is_sealed;
    }

    /// True if a time of this day is within the table's days.
    fn contains(&self, day: i64) -> bool {
        self.sealed.is_some_and(|(first, last)| (i64::from(first)..=i64::from(last)).contains(&day))
    }

    /// The number of days in the ranges whose posts are read.
    fn open_days(&self) -> i32 {
        self.open.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// The conditions on a post's day: the posts of the open days are those of one after the other. DuckDB reads a range of days in half
    /// of the time that it takes for several, so that few ranges are read one by one.
    fn of_open(&self) -> Vec<String> {
        let ranges = self.open.iter().map(|(first, last)| format!("post.day between {first} and {last}"));
        if self.open.len() <= RANGES_MAX {
            return ranges.collect();
        }
        vec![format!("({})", ranges.collect::<Vec<_>>().join(" or "))]
    }
}

/// The day of an instant in milliseconds, counted from 1970, and its hour.
fn day_and_hour(ms: i64) -> (i64, i64) {
    (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS) / HOUR_MS)
}

/// SQL: the instant of a post.
pub(crate) const CREATED_AT: &str = "created_at";
/// SQL: the instant at which the hour of a table of sealed days begins.
const HOUR: &str = "make_timestamptz((cell.day::bigint * 24 + cell.hour) * 3600000000)";

/// SQL: the day of an instant in a time zone, counted from 1970.
pub(crate) fn local_day(instant: &str, zone: &str) -> String {
    format!("(timezone({}, {instant})::date - date '1970-01-01')::integer", literal(zone))
}

/// SQL: the hour of an instant in a time zone, 0 to 23.
pub(crate) fn local_hour(instant: &str, zone: &str) -> String {
    format!("hour(timezone({}, {instant}))::integer", literal(zone))
}

/// Every day that has posts, in order, and whether it is sealed.
fn days(connection: &Connection) -> Result<Vec<(i32, bool)>, LakeError> {
    let mut statement = connection.prepare("select day, sealed from day order by day")?;
    Ok(statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?)
}

/// True if each hour of UTC is one hour of the zone, on all days with posts. Clocks change by whole hours nearly
/// everywhere, so that both ends of a day tell.
fn keeps_hours(connection: &Connection, zone: Option<&str>) -> Result<bool, LakeError> {
    let Some(zone) = zone else { return Ok(true) };
    let sql = "select coalesce(bool_and(epoch_us(timezone(?, make_timestamptz(day * 86400000000))) % 3600000000 = 0), true) \
               from (select day::bigint as day from day union select day::bigint + 1 from day)";
    Ok(connection.query_row(sql, [zone], |row| row.get(0))?)
}

/// The name of a time zone as DuckDB writes it; None for UTC.
fn zone_of(connection: &Connection, zone: &str) -> Result<Option<String>, LakeError> {
    if zone.eq_ignore_ascii_case(UTC) {
        return Ok(None);
    }
    let sql = "select min(name) from pg_timezone_names() where lower(name) = lower(?)";
    match connection.query_row(sql, [zone], |row| row.get::<_, Option<String>>(0))? {
        Some(name) => Ok(Some(name)),
        None => Err(LakeError::Question(format!(
            "invalid time zone `{zone}`: expected a name such as Europe/Berlin, Asia/Tokyo or UTC"
        ))),
    }
}

/// The conditions that posts have names of these lists.
fn named(connection: &Connection, findings: &Findings<'_>, names: &Names) -> Result<Vec<Condition>, LakeError> {
    let conditions = [
        among(connection, findings, "origin", &names.origins)?,
        among(connection, findings, "server", &names.servers)?,
        among(connection, findings, "app", &names.apps)?,
        in_languages(connection, findings, &names.languages)?,
        tagged(&names.hashtags).map(|sql| Condition::new("tags", sql)),
        topic::mentions_one(&names.about).map(|sql| Condition::new("text", sql)),
    ];
    Ok(conditions.into_iter().flatten().collect())
}

/// The condition that a post has one of these hashtags; `None` if there are none.
pub(crate) fn tagged(hashtags: &[String]) -> Option<String> {
    let hashtags: Vec<_> = hashtags.iter().map(|tag| literal(&tag.trim_start_matches('#').to_lowercase())).collect();
    let any = format!("list_has_any(list_transform(tags, lambda tag: lower(tag)), [{}])", hashtags.join(", "));
    (!hashtags.is_empty()).then_some(any)
}

/// The condition that a column has one of these names, in any letter case; `None` if there are none.
fn among(
    connection: &Connection,
    findings: &Findings<'_>,
    column: &'static str,
    names: &[String],
) -> Result<Option<Condition>, LakeError> {
    if names.is_empty() {
        return Ok(None);
    }
    let names: Vec<_> = names.iter().map(|name| literal(&name.to_lowercase())).collect();
    let known = numbers(connection, findings, column, &format!("lower(name) in ({})", names.join(", ")))?;
    let sql = is_in(column, &known);
    Ok(Some(if known.len() == 1 { of_one(column, sql) } else { Condition::new(column, sql) }))
}

/// A condition that leaves one value of the column, which `day_figures` has under the same name.
fn of_one(column: &'static str, sql: String) -> Condition {
    Condition { of_figures: Some(sql.clone()), ..Condition::new(column, sql) }
}

/// The condition that a post has one of the languages that the user typed; `None` if there are none.
fn in_languages(
    connection: &Connection,
    findings: &Findings<'_>,
    typed: &[String],
) -> Result<Option<Condition>, LakeError> {
    if typed.is_empty() {
        return Ok(None);
    }
    let meant: Vec<_> = typed.iter().map(|typed| languages::meant(typed)).collect();
    let conditions: Vec<_> = meant
        .iter()
        .map(|meant| match meant {
            Meant::Unknown => "counted is null".to_owned(),
            Meant::Language(name) => format!("counted = {}", literal(name)),
            Meant::Tag(tag) => format!("{} = {}", languages::canonical_sql("name"), literal(tag)),
        })
        .collect();
    let known = is_in("language", &numbers(connection, findings, "language", &conditions.join(" or "))?);
    let without = meant.contains(&Meant::Unknown);
    let sql = if without { format!("(language is null or {known})") } else { known };
    let of_figures = match meant.as_slice() {
        [Meant::Language(name)] => Some(format!("language = {}", literal(name))),
        _ => None,
    };
    Ok(Some(Condition { of_figures, ..Condition::new("language", sql) }))
}

/// The numbers of the names in a table that meet a condition.
fn numbers(
    connection: &Connection,
    findings: &Findings<'_>,
    table: &str,
    condition: &str,
) -> Result<Arc<Vec<i32>>, LakeError> {
    let sql = format!("select id from {table} where {condition}");
    findings.once(&sql, || {
        let mut statement = connection.prepare(&sql)?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i32>, _>>()?)
    })
}

/// SQL: a column has one of these numbers.
fn is_in(column: &str, numbers: &[i32]) -> String {
    // No name has the number -1, and a list may not be empty. A list of one is compared while the column is still compressed, in half
    // of the time.
    let none = [-1];
    let all: Vec<_> = if numbers.is_empty() { &none } else { numbers }.iter().map(ToString::to_string).collect();
    format!("{column} in ({})", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_days_without_a_sealed_day_between_them_are_one_range() {
        let mut cover = Cover::default();
        for (day, is_sealed) in [(1, false), (3, false), (4, true), (5, false), (6, true)] {
            cover.add(day, is_sealed);
        }
        assert_eq!(cover.of_open(), ["post.day between 1 and 3", "post.day between 5 and 5"]);
        assert_eq!(cover.sealed, Some((4, 6)));

        (7..17).for_each(|day| cover.add(day, day % 2 == 0));
        let many = cover.of_open();
        assert_eq!(many.len(), 1);
        for day in [5, 7, 9, 11, 13, 15] {
            assert!(many[0].contains(&format!("post.day between {day} and {day}")), "{many:?}");
        }
    }
}
