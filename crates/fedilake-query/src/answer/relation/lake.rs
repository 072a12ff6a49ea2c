//! The relations in the lake's own tables.

use super::{asked, day_step, gaps_sql, replaced, skips_sql, unknown, words_sql};
use crate::answer::report::Question;
use crate::answer::scope::Scope;
use crate::lake::layout;
use crate::literal::literal;
use crate::{LakeError, topic};

/// The lookups, which are tables under their own names.
const LOOKUPS: [&str; 5] = ["author", "origin", "server", "app", "language"];

/// A statement about the posts of `scope`.
pub(crate) fn bind(sql: &str, scope: &Scope, question: &Question) -> Result<String, LakeError> {
    replaced(sql, |name| {
        Ok(match name {
            "posts" => scope.posts(),
            "hours" => scope.hours(),
            "usage" => scope.usage(),
            "sizes" => scope.sizes(),
            "authors" => scope.authors(),
            "distinct_authors" => scope.distinct_authors(),
            "origins" => scope.origins(),
            "lengths" => scope.lengths(),
            "sightings" => scope.sightings(),
            "answers" => scope.answers(),
            "deletes" => scope.deletes(),
            "deletes_known" => scope.knows_deletes().to_string(),
            "gaps" => format!("({})", gaps_sql(&question.filter, "gap")),
            "skips" => format!("({})", skips_sql(&question.filter, "skip")),
            "day_figures" => day_figures(scope, question)?,
            "words" => format!("({})", words_sql(&question.words)),
            "hits" => hits(&question.words, scope),
            "day_step" => day_step(question.calendar.by).to_owned(),
            "by" => question.calendar.by.to_string(),
            lookup if LOOKUPS.contains(&lookup) => lookup.to_owned(),
            other => return Err(LakeError::Engine(unknown(other))),
        })
    })
}

/// The figures of each day: the stored figures of sealed days if they are of the posts that are counted.
fn day_figures(scope: &Scope, question: &Question) -> Result<String, LakeError> {
    let counted = |scope: &Scope| bind(include_str!("day_figures.sql"), scope, question);
    let Some((first, last, part)) = scope.kept_days() else { return Ok(format!("({})", counted(scope)?)) };
    let kept = format!(
        "select * exclude (bot, server, language) from day_figures where day between {first} and {last} and {part}"
    );
    Ok(match scope.other_days() {
        Some(others) => format!("({kept} union all ({}))", counted(&others)?),
        None => format!("({kept})"),
    })
}

fn hits(words: &[String], scope: &Scope) -> String {
    let hits = asked(words).into_iter().map(|word| {
        let label = literal(&word);
        match layout::FOLLOWED.iter().position(|followed| followed.eq_ignore_ascii_case(&word)) {
            Some(topic) => format!("select day, {label} as word from {}", scope.hits(topic as i32)),
            None => format!("select day, {label} as word from {} where {}", scope.posts(), topic::mentions(&word)),
        }
    });
    format!("({})", hits.collect::<Vec<_>>().join(" union all "))
}
