//! The talk's reports for people. They fit a terminal of any width; names are cut only if a terminal has no room for
//! them. A narrow one has no plots, and shows the fields of a row below each other.
//!
//! A report has the question that it answers as its title, in grey what is counted, then figures with bars. The other
//! formats have everything shown here, under the same column names.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Context;
use arrow::array::RecordBatch;

use super::bars::{self, FiveNumbers};
use super::table::{Column, GAP, cut, may_fit, wrap, write_columns, write_records};
use super::{Style, cells};
use crate::cli::ReportName;

/// The width of plots and sentences if stdout is not a terminal.
const WIDTH: usize = 80;
/// The greatest width of plots and sentences, even in a wider terminal.
const WIDTH_MAX: usize = 120;
/// The least width of a plot; a narrower one shows nothing.
const PLOT_WIDTH_MIN: usize = 8;
/// The least width of the names beside a plot; a terminal without room for both shows no plot.
const NAMES_WIDTH_MIN: usize = 8;
/// The widths of the hours' report with two columns an hour, and with one.
const HOURS_WIDTHS: [usize; 2] = [75, 51];
/// Lengths that people know: the limits of an SMS-like text, of an old and a new microblog, of Mastodon, and round
/// numbers.
const LENGTH_TICKS: [f64; 8] = [0.0, 10.0, 50.0, 140.0, 280.0, 500.0, 5_000.0, 50_000.0];

/// Writes one report.
pub fn write(
    name: ReportName,
    rows: &RecordBatch,
    note: Option<&str>,
    style: &Style,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (title, unit) = match name {
        ReportName::Statistics => ("What was collected", "posts count once, however many servers showed them"),
        ReportName::Daily => {
            ("How much is posted each day", "by the author's date, UTC; users are acct@domain, origins their servers")
        }
        ReportName::Apps => ("Which apps do people use", "posts by people, bots left out"),
        ReportName::Hours => ("When do people post", "posts an hour of the day, UTC, a line a day"),
        ReportName::Languages => ("Which languages are used", "posts, by the language that the author's app gave"),
        ReportName::Lengths => {
            ("How long are posts", "characters of the text, by language: least, middle half, most; logarithmic")
        }
        ReportName::Topics => ("What is mentioned", "posts whose text contains the word, in any case"),
    };
    for line in wrap(title, width(style)) {
        writeln!(out, "{}", style.bold(&line))?;
    }
    for line in std::iter::once(unit).chain(note).flat_map(|text| wrap(&separated(text), width(style))) {
        writeln!(out, "{}", style.grey(&line))?;
    }
    let report = Report::new(rows)?;
    if rows.num_rows() == 0 || (name == ReportName::Statistics && report.text("posts", 0)? == "0") {
        return write_text("no posts: collect some, or widen the filter", style, out);
    }
    match name {
        ReportName::Statistics => statistics(&report, style, out),
        ReportName::Daily => daily(&report, style, out),
        ReportName::Hours => hours(&report, style, out),
        ReportName::Lengths => lengths(&report, style, out),
        ReportName::Topics => topics(&report, style, out),
        ReportName::Apps => counted(&report, "app", style, out),
        ReportName::Languages => counted(&report, "language", style, out),
    }
}

/// The columns of a report, by name.
struct Report<'a> {
    rows: &'a RecordBatch,
    texts: BTreeMap<&'a str, Vec<String>>,
}

impl<'a> Report<'a> {
    fn new(rows: &'a RecordBatch) -> anyhow::Result<Report<'a>> {
        let columns = rows.schema_ref().fields().iter().zip(rows.columns());
        let texts = columns.map(|(field, column)| {
            let cells = cells::as_line(field, column)?.into_iter();
            let cells = cells.map(|cell| cell.unwrap_or_else(|| cells::NULL.to_owned()));
            Ok((field.name().as_str(), cells.collect()))
        });
        Ok(Report { rows, texts: texts.collect::<anyhow::Result<_>>()? })
    }

    fn texts(&self, name: &str) -> anyhow::Result<&[String]> {
        Ok(self.texts.get(name).with_context(|| format!("the report has no column {name}"))?)
    }

    fn text(&self, name: &str, row: usize) -> anyhow::Result<&str> {
        Ok(&self.texts(name)?[row])
    }

    /// The report's days as `2023/02/03 Fri`.
    fn days(&self) -> anyhow::Result<Vec<String>> {
        let known = |day: &String| match day.parse::<chrono::NaiveDate>() {
            Ok(day) => day.format("%Y/%m/%d %a").to_string(),
            Err(_) => day.clone(),
        };
        Ok(self.texts("day")?.iter().map(known).collect())
    }

    fn counts(&self, name: &str) -> anyhow::Result<Vec<String>> {
        Ok(self.texts(name)?.iter().map(|text| cells::with_separators(text)).collect())
    }

    fn floats(&self, name: &str) -> anyhow::Result<Vec<f64>> {
        cells::as_floats(self.rows.column_by_name(name).with_context(|| format!("the report has no column {name}"))?)
    }
}

fn statistics(report: &Report<'_>, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let figure = |name: &str| report.text(name, 0).map(cells::with_separators);
    let count = |name: &str, what: &str| anyhow::Ok(cells::counted(report.text(name, 0)?.parse()?, what));
    let mean = report.floats("characters_mean")?[0];
    let posts = count("posts", "post")?;
    match posts.split_once(' ') {
        Some((number, word)) if posts.len() <= width(style) => writeln!(out, "{} {word}", style.bold(number))?,
        _ => write_text(&posts, style, out)?,
    }
    let (users, origins) = (count("users", "user")?, count("origins", "origin")?);
    write_text(&format!("by {users} of {origins} in {}", count("languages", "language")?), style, out)?;
    let (characters, min, max) =
        (count("characters_sum", "character")?, figure("characters_min")?, figure("characters_max")?);
    write_text(&format!("{characters}: {mean:.0} a post, {min} at least, {max} at most"), style, out)?;
    let (first, last) = (report.text("first_created_at", 0)?, report.text("last_created_at", 0)?);
    write_text(&format!("from {first} to {last}"), style, out)
}

fn daily(report: &Report<'_>, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let hosts = report.texts("most_frequent_host")?;
    let mut columns = vec![
        text("day", report.days()?),
        count("posts", report.counts("posts")?),
        count("users", report.counts("users")?),
        count("origins", report.counts("origins")?),
        text("most by", report.texts("most_frequent_nonbot")?.to_vec()),
        text("bot", report.texts("most_frequent_bot")?.to_vec()),
        text("host", hosts.iter().map(|host| host.trim_start_matches("https://").to_owned()).collect()),
    ];
    write_rows(&mut columns, style, out)
}

fn hours(report: &Report<'_>, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let posts = report.floats("posts")?;
    let most = posts.iter().copied().fold(0.0, f64::max);
    // Grouped in the order of the report's rows.
    let mut days: Vec<(String, [f64; 24])> = Vec::new();
    for (row, (day, posts)) in report.days()?.into_iter().zip(&posts).enumerate() {
        let hour: usize = report.text("hour", row)?.parse().context("an hour is a number")?;
        if days.last().is_none_or(|(last, _)| *last != day) {
            days.push((day, [f64::NAN; 24]));
        }
        days.last_mut().expect("a day was pushed").1[hour % 24] = *posts;
    }
    let totals = days.iter().map(|(_, hours)| {
        let total: f64 = hours.iter().filter(|posts| !posts.is_nan()).sum();
        cells::with_separators(&format!("{total}"))
    });
    let fits = |width: &usize| style.width.is_none_or(|room| *width <= room);
    let (repeated, axis) = match HOURS_WIDTHS.iter().position(fits) {
        Some(0) => (2, "0     3     6     9     12    15    18    21"),
        Some(_) => (1, "0  3  6  9  12 15 18 21"),
        None => {
            let names = days.iter().map(|(day, _)| day.clone()).collect();
            return write_rows(&mut [text("day", names), count("posts", totals.collect())], style, out);
        }
    };
    writeln!(out, "{:14}  {axis}", "")?;
    for ((day, hours), total) in days.iter().zip(totals) {
        let bars: Vec<f64> = hours.iter().flat_map(|posts| std::iter::repeat_n(*posts, repeated)).collect();
        writeln!(out, "{day:14}  {}  {total:>9}", bars::sparkline(&bars, most))?;
    }
    let highest = format!("the highest bar is {} posts an hour", cells::with_separators(&format!("{most}")));
    let beside = format!("{:14}  {highest}", "");
    if beside.len() > width(style) {
        return write_text(&highest, style, out);
    }
    writeln!(out, "{beside}")?;
    Ok(())
}

fn lengths(report: &Report<'_>, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let columns = ["characters_min", "characters_p25", "characters_median", "characters_p75", "characters_max"];
    let [min, lower, median, upper, max] = columns.map(|name| report.floats(name));
    let (min, lower, median, upper, max) = (min?, lower?, median?, upper?, max?);
    let most = max.iter().copied().fold(0.0, f64::max);
    let (names, posts) = (report.texts("language")?, report.counts("posts")?);
    let medians = report.counts("characters_median")?;
    let mut columns = vec![text("language", names.to_vec()), count("posts", posts), count("median", medians)];
    if !leave_a_plot(&mut columns, style) {
        return write_rows(&mut columns, style, out);
    }
    let width = left_beside(&columns, style);
    let five = |row: usize| FiveNumbers {
        min: min[row],
        lower: lower[row],
        median: median[row],
        upper: upper[row],
        max: max[row],
    };
    let plots = (0..min.len()).map(|row| bars::box_plot(five(row), most, width)).collect();
    columns.push(text(&bars::log_axis(&LENGTH_TICKS, most, width), plots));
    write_rows(&mut columns, style, out)
}

/// One column for each word, in as many tables below each other as needed.
fn topics(report: &Report<'_>, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let (days, words, posts) = (report.days()?, report.texts("topic")?, report.counts("posts")?);
    let mut by_word: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for ((day, word), posts) in days.iter().zip(words).zip(&posts) {
        by_word.entry(word).or_default().insert(day, posts);
    }
    let mut shown_days = days.clone();
    shown_days.dedup();
    let mut columns = vec![text("day", shown_days.clone())];
    for (word, posts) in by_word {
        let cells = shown_days.iter().map(|day| (*posts.get(day.as_str()).unwrap_or(&"0")).to_owned()).collect();
        let column = count(word, cells);
        if columns.len() > 1 && style.width.is_some_and(|room| taken(&columns) + column.width() > room) {
            write_rows(&mut columns, style, out)?;
            writeln!(out)?;
            columns.truncate(1);
        }
        columns.push(column);
    }
    write_rows(&mut columns, style, out)
}

/// Names with their number of posts and a bar.
fn counted(report: &Report<'_>, name: &str, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let posts = report.floats("posts")?;
    let most = posts.iter().copied().fold(0.0, f64::max);
    let mut columns = vec![text(name, report.texts(name)?.to_vec()), count("posts", report.counts("posts")?)];
    if !leave_a_plot(&mut columns, style) {
        return write_rows(&mut columns, style, out);
    }
    // Half of the line is enough for bars.
    let width = left_beside(&columns, style).min(self::width(style) / 2);
    columns.push(text("", posts.iter().map(|posts| bars::bar(*posts, most, width)).collect()));
    write_rows(&mut columns, style, out)
}

fn text(title: &str, cells: Vec<String>) -> Column {
    Column { title: title.to_owned(), cells, right: false }
}

fn count(title: &str, cells: Vec<String>) -> Column {
    Column { title: title.to_owned(), cells, right: true }
}

/// The width of the columns, with a gap after the last one.
fn taken(columns: &[Column]) -> usize {
    columns.iter().map(|column| column.width() + GAP).sum()
}

/// The width left for a plot beside these columns.
fn left_beside(columns: &[Column], style: &Style) -> usize {
    width(style).saturating_sub(taken(columns)).max(PLOT_WIDTH_MIN)
}

/// Cuts the names in the first column if a terminal otherwise has no room for the narrowest plot. False if it has no room for a plot
/// at all.
fn leave_a_plot(columns: &mut [Column], style: &Style) -> bool {
    let Some(room) = style.width else { return true };
    let names = room.saturating_sub(taken(&columns[1..]) + GAP + PLOT_WIDTH_MIN);
    if names < NAMES_WIDTH_MIN {
        return false;
    }
    for name in &mut columns[0].cells {
        *name = cut(name, names);
    }
    true
}

/// Writes rows side by side, or their fields below each other where a terminal has no room.
fn write_rows(columns: &mut [Column], style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    match style.width {
        Some(width) if !may_fit(columns, width) => {
            write_records(columns, columns.first().map_or(0, |column| column.cells.len()), width, style, out)
        }
        _ => write_columns(columns, style, out),
    }
}

/// Writes a sentence on as many lines as it needs.
fn write_text(text: &str, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    for line in wrap(text, width(style)) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Adds thousands separators to the numbers in a sentence.
fn separated(sentence: &str) -> String {
    sentence.split(' ').map(cells::with_separators).collect::<Vec<_>>().join(" ")
}

/// The width of plots and sentences.
fn width(style: &Style) -> usize {
    style.width.unwrap_or(WIDTH).min(WIDTH_MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, StringArray};
    use unicode_width::UnicodeWidthStr;

    use super::*;

    const NAMES: [ReportName; 7] = [
        ReportName::Statistics,
        ReportName::Daily,
        ReportName::Apps,
        ReportName::Hours,
        ReportName::Languages,
        ReportName::Lengths,
        ReportName::Topics,
    ];

    fn texts(cells: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(cells.to_vec()))
    }

    fn numbers(cells: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(cells.to_vec()))
    }

    /// Days counted from 3 February 2023.
    fn days(ahead: &[i32]) -> ArrayRef {
        Arc::new(Date32Array::from(ahead.iter().map(|ahead| 19_391 + ahead).collect::<Vec<_>>()))
    }

    const LONG: &str = "an.account.whose.name.does.not.end@a.server.whose.name.does.not.end.example";

    /// Rows of a report as the lake gives them, with very long names and numbers.
    fn rows(name: ReportName) -> RecordBatch {
        const MANY: i64 = 1_622_149;
        let long = LONG;
        let columns: Vec<(&str, ArrayRef)> = match name {
            ReportName::Statistics => vec![
                ("posts", numbers(&[MANY])),
                ("users", numbers(&[142_877])),
                ("origins", numbers(&[8_309])),
                ("languages", numbers(&[131])),
                ("characters_min", numbers(&[0])),
                ("characters_mean", Arc::new(Float64Array::from(vec![151.18]))),
                ("characters_max", numbers(&[68_991])),
                ("characters_sum", numbers(&[245_245_677])),
                ("first_created_at", texts(&["2023-02-03 21:40:00.123456Z"])),
                ("last_created_at", texts(&["2023-02-12 23:59:59.999999Z"])),
            ],
            ReportName::Daily => vec![
                ("day", days(&[0])),
                ("posts", numbers(&[MANY])),
                ("users", numbers(&[142_877])),
                ("origins", numbers(&[8_309])),
                ("most_frequent_nonbot", texts(&[long])),
                ("most_frequent_bot", texts(&[long])),
                ("most_frequent_host", texts(&[&format!("https://{long}")])),
            ],
            ReportName::Apps => vec![("app", texts(&[long, "x"])), ("posts", numbers(&[MANY, 1]))],
            ReportName::Languages => {
                vec![("language", texts(&["日本語の長い名前とその続き", "x"])), ("posts", numbers(&[MANY, 1]))]
            }
            ReportName::Hours => vec![
                ("day", days(&[0; 24])),
                ("hour", numbers(&(0..24).collect::<Vec<_>>())),
                ("posts", numbers(&[67_589; 24])),
            ],
            ReportName::Lengths => vec![
                ("language", texts(&["Standard Moroccan Tamazight", "日本語の長い名前とその続き"])),
                ("posts", numbers(&[12_345_678, 1])),
                ("characters_min", numbers(&[0, 0])),
                ("characters_p25", numbers(&[20, 68_990])),
                ("characters_median", numbers(&[100, 68_990])),
                ("characters_p75", numbers(&[280, 68_990])),
                ("characters_max", numbers(&[68_991, 68_991])),
            ],
            ReportName::Topics => {
                let words: Vec<String> = (0..20).map(|n| format!("word number {n} {long}")).collect();
                vec![
                    ("day", days(&[0; 20])),
                    ("topic", texts(&words.iter().map(String::as_str).collect::<Vec<_>>())),
                    ("posts", numbers(&[MANY; 20])),
                ]
            }
        };
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn written(name: ReportName, rows: &RecordBatch, width: Option<usize>) -> String {
        let note = "the app is known for 1231221 of 1593122 posts by people: apps do not federate";
        let mut out = Vec::new();
        write(name, rows, Some(note), &Style { colour: false, width }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_report_fits_a_terminal() {
        for name in NAMES {
            for width in (0..130).chain([250]) {
                let text = written(name, &rows(name), Some(width));
                for line in text.lines() {
                    // A wide character has two columns.
                    assert!(line.width() <= width.max(2), "{name:?}: {} columns: {line}", line.width());
                }
            }
        }
        let topics = written(ReportName::Topics, &rows(ReportName::Topics), Some(80));
        assert!((0..20).all(|n| topics.contains(&format!("word number {n} "))), "{topics}");
        let note = written(ReportName::Apps, &rows(ReportName::Apps), Some(80));
        assert!(note.contains("1,231,221 of 1,593,122 posts"), "{note}");
    }

    #[test]
    fn no_name_is_cut_in_a_pipe_nor_in_a_terminal_that_has_room() {
        let names = [
            (ReportName::Daily, 3, LONG),
            (ReportName::Apps, 1, LONG),
            (ReportName::Languages, 1, "日本語の長い名前とその続き"),
            (ReportName::Lengths, 1, "Standard Moroccan Tamazight"),
            (ReportName::Topics, 20, LONG),
        ];
        for (name, times, long) in names {
            for width in [None, Some(300)] {
                let text = written(name, &rows(name), width);
                assert_eq!(text.matches(long).count(), times, "{name:?} at {width:?}: {text}");
                assert!(!text.contains('…'), "{name:?} at {width:?}: {text}");
            }
        }
        // Names of 75 columns, 9 of posts and the narrowest plot.
        for (width, cut) in [(96, false), (95, true)] {
            let text = written(ReportName::Apps, &rows(ReportName::Apps), Some(width));
            assert_eq!(text.contains('…'), cut, "{width}: {text}");
        }
    }

    #[test]
    fn what_strangers_wrote_cannot_act_on_the_terminal() {
        let evil = "\u{1b}[2Jevil\u{202e}\u{9b}1m\nname";
        for name in NAMES {
            let report = rows(name);
            let columns = report.schema_ref().fields().iter().zip(report.columns()).map(|(field, column)| {
                let is_text = field.data_type() == &arrow::datatypes::DataType::Utf8;
                let evil = || texts(&vec![evil; column.len()]);
                (field.name().clone(), if is_text { evil() } else { Arc::clone(column) })
            });
            let report = RecordBatch::try_from_iter(columns.collect::<Vec<_>>()).unwrap();
            for width in [None, Some(80)] {
                let text = written(name, &report, width);
                let is_obeyed = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
                assert!(!text.contains(is_obeyed), "{name:?} {text:?}");
            }
        }
    }

    #[test]
    fn nothing_is_said_of_no_posts_but_that_there_are_none() {
        let nothing = RecordBatch::try_from_iter(vec![("posts", numbers(&[0]))]).unwrap();
        let text = written(ReportName::Statistics, &nothing, None);
        assert!(text.ends_with("\nno posts: collect some, or widen the filter\n"), "{text}");
        for name in NAMES.into_iter().filter(|name| *name != ReportName::Statistics) {
            let text = written(name, &rows(name).slice(0, 0), None);
            assert!(text.ends_with("\nno posts: collect some, or widen the filter\n"), "{text}");
        }
    }

    #[test]
    fn a_word_that_nobody_wrote_is_a_column_of_zeros() {
        let columns: Vec<(&str, ArrayRef)> =
            vec![("day", days(&[0, 1])), ("topic", texts(&["nobody", "nobody"])), ("posts", numbers(&[0, 0]))];
        let text = written(ReportName::Topics, &RecordBatch::try_from_iter(columns).unwrap(), None);
        assert!(text.ends_with("day             nobody\n2023/02/03 Fri       0\n2023/02/04 Sat       0\n"), "{text}");
    }

    #[test]
    fn one_post_is_not_many() {
        let mut columns = Vec::new();
        let statistics = rows(ReportName::Statistics);
        for (field, column) in statistics.schema_ref().fields().iter().zip(statistics.columns()) {
            let one = matches!(field.name().as_str(), "posts" | "users" | "origins" | "languages" | "characters_sum");
            columns.push((field.name().clone(), if one { numbers(&[1]) } else { Arc::clone(column) }));
        }
        let text = written(ReportName::Statistics, &RecordBatch::try_from_iter(columns).unwrap(), None);
        assert!(text.contains("\n1 post\nby 1 user of 1 origin in 1 language\n1 character: "), "{text}");
    }
}
