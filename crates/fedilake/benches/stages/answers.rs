//! The reports from the lake, warm, beside the talk's way; and how soon a lake that was closed answers.

use std::path::Path;
use std::time::Duration;

use fedilake_query::{Filter, Lake, LakeOptions, Names, Question};

use crate::cost::Times;
use crate::sheet::{Sheet, met, ms, ratio};
use crate::talk::Measured;

const ROUNDS: usize = 20;
const OPENINGS: usize = 5;
/// The talk's analyses, which have budgets and the talk's own way beside them.
pub const TALKS: [&str; 7] = ["statistics", "daily", "apps", "hours", "languages", "lengths", "topics"];

/// Every report over all posts.
pub fn measure(lake: &Path, talk: &Measured) -> anyhow::Result<Sheet> {
    let mut sheet = Sheet::new(&[
        "report",
        "median",
        "p95",
        "CPU",
        "floor: one column scanned",
        "talk's way",
        "times faster",
        "budget",
        "met",
    ]);
    let lake_path = lake;
    let lake = Lake::open(lake_path, LakeOptions::default())?;
    let new_word = Question { words: vec!["zeppelin".to_owned()], ..Question::of("topics") };
    let questions = TALKS.map(|name| (name, Question::of(name))).into_iter().chain([("topics, a new word", new_word)]);
    for (name, question) in questions {
        let times = Times::of(ROUNDS, || Ok(lake.report(&question)?))?;
        row(&mut sheet, name, &times, &talk.scan, talk.answer(name)?.median(), budget(name));
    }
    drop(lake);
    let opened = Times::of(OPENINGS, || {
        let lake = Lake::open(lake_path, LakeOptions::default())?;
        Ok(lake.report(&Question::of("statistics"))?)
    })?;
    let talks = talk.load.wall + talk.answer("statistics")?.median();
    row(&mut sheet, "opened, and the first answer", &opened, &talk.scan, talks, Duration::from_millis(300));
    Ok(sheet)
}

fn budget(name: &str) -> Duration {
    Duration::from_millis(match name {
        "statistics" => 10,
        "topics" => 20,
        "topics, a new word" => 250,
        _ => 30,
    })
}

fn row(sheet: &mut Sheet, name: &str, times: &Times, floor: &Times, talks: Duration, budget: Duration) {
    sheet.row([
        name.to_owned(),
        ms(times.median()),
        ms(times.quantile(0.95)),
        ms(times.cpu()),
        ms(floor.median()),
        ms(talks),
        ratio(talks.as_secs_f64(), times.median().as_secs_f64()),
        format!("{}", budget.as_millis()),
        met(times.median() <= budget),
    ]);
}

/// The talk's reports under a few filters.
pub fn filtered(lake: &Path) -> anyhow::Result<Sheet> {
    let mut sheet = Sheet::new(&["filter", "median", "p95", "CPU"]);
    let lake = Lake::open(lake, LakeOptions::default())?;
    let of = |name: &str| vec![name.to_owned()];
    let only = |only: Names| Filter { only, ..Filter::default() };
    let (third, hour) = (1_675_382_400_000, 3_600_000);
    let filters = [
        ("none", Filter::default()),
        (
            "three whole days",
            Filter { from: Some(third + 24 * hour), to: Some(third + 96 * hour), ..Filter::default() },
        ),
        (
            "37 hours from 9:00",
            Filter { from: Some(third + 33 * hour), to: Some(third + 70 * hour), ..Filter::default() },
        ),
        ("one language", only(Names { languages: of("de"), ..Names::default() })),
        ("one origin", only(Names { origins: of("mastodon.social"), ..Names::default() })),
        ("one server", only(Names { servers: of("mastodon.social"), ..Names::default() })),
        ("people only", Filter { bot: Some(false), ..Filter::default() }),
    ];
    for (name, filter) in filters {
        let times = Times::of(ROUNDS, || {
            for name in TALKS {
                lake.report(&Question { filter: filter.clone(), ..Question::of(name) })?;
            }
            Ok(())
        })?;
        sheet.row([name.to_owned(), ms(times.median()), ms(times.quantile(0.95)), ms(times.cpu())]);
    }
    Ok(sheet)
}
