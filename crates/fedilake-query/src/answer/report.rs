//! Reports: the rows of a file of the catalogue, for the posts of a filter.

use std::time::Duration;

use duckdb::Connection;
use serde::{Deserialize, Serialize};

use crate::answer::catalogue::{self, Report};
use crate::answer::filter::{Calendar, Filter};
use crate::answer::relation;
use crate::answer::scope::Scope;
use crate::answer::sql::Watch;
use crate::lake::from_one_snapshot;
use crate::lake::states::Findings;
use crate::rows;
use crate::{Cancel, Lake, LakeError, Rows, SqlLimits};

/// The length of a time of few authors: two days, in milliseconds.
const SHORT_MS: i64 = 2 * 24 * 3_600_000;

/// A report that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Question {
    /// The report's name.
    pub report: String,
    /// The words of a report that counts words: looked for in texts, in any letter case, also within longer words.
    /// Words that differ only in case count once. Empty for the followed words.
    #[serde(default)]
    pub words: Vec<String>,
    /// The posts that are counted.
    #[serde(default)]
    pub filter: Filter,
    /// The days and hours by which they are counted.
    #[serde(default)]
    pub calendar: Calendar,
}

impl Question {
    /// The question for a report of all posts.
    pub fn of(report: &str) -> Question {
        Question { report: report.to_owned(), ..Question::default() }
    }
}

impl Lake {
    /// Answers a question of the catalogue, from one snapshot of the lake. An unknown report or time zone is
    /// [`LakeError::Question`].
    pub fn report(&self, question: &Question) -> Result<Rows, LakeError> {
        self.report_until(question, &Cancel::default())
    }

    /// The same until `cancel` stops it, which is [`LakeError::Interrupted`].
    pub fn report_until(&self, question: &Question, cancel: &Cancel) -> Result<Rows, LakeError> {
        self.answer_until(named(&question.report)?, question, cancel)
    }

    /// Answers a question by a report that need not be in the catalogue.
    pub fn answer(&self, report: &Report, question: &Question) -> Result<Rows, LakeError> {
        self.answer_until(report, question, &Cancel::default())
    }

    fn answer_until(&self, report: &Report, question: &Question, cancel: &Cancel) -> Result<Rows, LakeError> {
        let (filter, zone) = (&question.filter, &question.calendar.zone);
        let counts_many = report.header.counts_authors && !is_short(filter);
        let lend = |ask: &mut dyn FnMut(&Connection) -> Result<Rows, LakeError>| match counts_many {
            true => self.count(ask),
            false => self.read(ask),
        };
        lend(&mut |connection| {
            let ask = |findings: &Findings<'_>| {
                from_one_snapshot(connection, || {
                    watched(connection, cancel, || {
                        let make = || Scope::new(connection, findings, filter, zone);
                        let scope = findings.once(&format!("scope of {filter:?} in {zone}"), make)?;
                        answer(connection, report, question, &scope)
                    })
                })
            };
            let findings = Findings::present(&self.states);
            let answered = ask(&findings);
            if findings.are_of_the_snapshot() { answered } else { ask(&Findings::default()) }
        })
    }
}

/// True if a filter takes so short a time that its authors are few: a table of all authors, 30 ms with five million, costs more then.
fn is_short(filter: &Filter) -> bool {
    filter.from.zip(filter.to).is_some_and(|(from, to)| to.saturating_sub(from) <= SHORT_MS)
}

/// Asks on a connection until `cancel` stops it.
pub(crate) fn watched<T>(
    connection: &Connection,
    cancel: &Cancel,
    ask: impl FnOnce() -> Result<T, LakeError>,
) -> Result<T, LakeError> {
    let limits = SqlLimits { time: Duration::MAX, cancel: cancel.clone(), ..SqlLimits::default() };
    let watch = Watch::start(|| unreachable!("memory is not limited"), connection, &limits)?;
    let answer = ask();
    watch.stop();
    answer
}

impl Report {
    /// The question for this report; `words` are left out where they would mean nothing.
    pub fn question(&self, words: &[String], filter: &Filter, calendar: &Calendar) -> Question {
        let words = if self.words { words.to_vec() } else { Vec::new() };
        Question { report: self.name.clone(), words, filter: filter.clone(), calendar: calendar.clone() }
    }

    /// The report's statement over the documented views, with the question's filter in it: for `fedilake sql` and any
    /// DuckDB that has the views.
    pub fn sql(&self, question: &Question) -> String {
        let sql = relation::sql(&self.rows, question).expect("a test binds every report");
        format!("-- {}\n{sql}", self.header.title)
    }
}

/// The report of a name, or what to do about a name that no report has.
pub fn named(name: &str) -> Result<&'static Report, LakeError> {
    catalogue::find(name).ok_or_else(|| {
        let names: Vec<_> = catalogue::reports().iter().map(|report| report.name.as_str()).collect();
        LakeError::Question(format!("no report `{name}`: expected one of {}", names.join(", ")))
    })
}

fn answer(connection: &Connection, report: &Report, question: &Question, scope: &Scope) -> Result<Rows, LakeError> {
    let rows = rows::query(connection, &relation::bind(&report.rows, scope, question)?)?;
    let note = match (&report.header.note, &report.of_note) {
        (Some(note), Some(sql)) => {
            let sql = sql.replace("{rows}", &format!("({})", report.rows));
            Some(filled(note, connection, &relation::bind(&sql, scope, question)?)?)
        }
        _ => None,
    };
    Ok(Rows { note, ..rows })
}

/// The sentence with the columns of the statement's only row in place of their names in braces.
fn filled(note: &str, connection: &Connection, sql: &str) -> Result<String, LakeError> {
    let mut statement = connection.prepare(&format!("select columns(*)::varchar from ({sql})"))?;
    let mut rows = statement.query([])?;
    let row = rows.next()?.ok_or_else(|| LakeError::Engine("a note has no row".to_owned()))?;
    let mut filled = note.to_owned();
    for (index, column) in row.as_ref().column_names().iter().enumerate() {
        let value: Option<String> = row.get(index)?;
        filled = filled.replace(&format!("{{{column}}}"), value.as_deref().unwrap_or("unknown"));
    }
    Ok(filled)
}
