//! A report for people: the question that it answers as its title, in grey what is counted, then its drawing. The other
//! formats have everything shown here, under the same column names.

use std::io::Write;

use arrow::array::RecordBatch;
use fedilake_query::Report;
use fedilake_query::answer::catalogue::{Mark, Tab};

use super::table::wrap;
use super::{Style, cells, marks};

/// Writes one report, whose days and hours are those of `zone`.
pub fn write(
    report: &Report,
    zone: &str,
    rows: &RecordBatch,
    note: Option<&str>,
    style: &Style,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let header = &report.header;
    for line in wrap(&header.title, marks::width(style)) {
        writeln!(out, "{}", style.bold(&line))?;
    }
    let unit = format!("{} · {} · {zone}", header.unit, header.of);
    for text in std::iter::once(unit.as_str()).chain(note) {
        marks::write_grey(&separated(text), style, out)?;
    }
    if rows.num_rows() == 0 || is_of_nothing(report, rows)? {
        return marks::write_text(&of_nothing(report), style, out);
    }
    marks::draw(&header.marks[0], rows, style, out)
}

/// The sentence in the place of a report without rows.
pub(super) fn of_nothing(report: &Report) -> String {
    match (report.header.tab, report.header.unit.as_str()) {
        (Tab::Collector, unit) if unit != "posts" => {
            format!("no {unit} are known: nothing was missed, or the filter leaves it out")
        }
        _ => "no posts: collect some, or widen the filter".to_owned(),
    }
}

/// True if the report's only row begins with the figure 0.
fn is_of_nothing(report: &Report, rows: &RecordBatch) -> anyhow::Result<bool> {
    match &report.header.marks[0] {
        Mark::Figures { columns } if rows.num_rows() == 1 => match rows.column_by_name(&columns[0]) {
            Some(column) => Ok(cells::as_floats(column)? == [0.0]),
            None => Ok(false),
        },
        _ => Ok(false),
    }
}

/// Adds thousands separators to the numbers in a sentence.
pub(super) fn separated(sentence: &str) -> String {
    sentence.split(' ').map(cells::with_separators).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
    use unicode_width::UnicodeWidthStr;

    use fedilake_query::answer::report::named;

    use super::*;

    const NAMES: [&str; 10] = [
        "statistics",
        "daily",
        "apps",
        "hours",
        "languages",
        "lengths",
        "topics",
        "timeline",
        "collection",
        "concentration",
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

    /// Moments counted in hours from 3 February 2023.
    fn hours(ahead: impl IntoIterator<Item = i64>) -> TimestampMicrosecondArray {
        ahead.into_iter().map(|ahead| Some((19_391 * 24 + ahead) * 3_600_000_000)).collect()
    }

    const LONG: &str = "an.account.whose.name.does.not.end@a.server.whose.name.does.not.end.example";

    /// Rows of a report as the lake gives them, with very long names and numbers.
    fn rows(name: &str) -> RecordBatch {
        const MANY: i64 = 1_622_149;
        let long = LONG;
        let columns: Vec<(&str, ArrayRef)> = match name {
            "statistics" => vec![
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
            "daily" => vec![
                ("day", days(&[0])),
                ("posts", numbers(&[MANY])),
                ("users", numbers(&[142_877])),
                ("origins", numbers(&[8_309])),
                ("most_frequent_nonbot", texts(&[long])),
                ("most_frequent_bot", texts(&[long])),
                ("most_frequent_host", texts(&[&format!("https://{long}")])),
            ],
            "apps" => vec![("app", texts(&[long, "x"])), ("posts", numbers(&[MANY, 1]))],
            "languages" => {
                vec![("language", texts(&["日本語の長い名前とその続き", "x"])), ("posts", numbers(&[MANY, 1]))]
            }
            "hours" => vec![
                ("day", days(&[0; 24])),
                ("hour", numbers(&(0..24).collect::<Vec<_>>())),
                ("posts", numbers(&[67_589; 24])),
            ],
            "lengths" => vec![
                ("language", texts(&["Standard Moroccan Tamazight", "日本語の長い名前とその続き"])),
                ("posts", numbers(&[12_345_678, 1])),
                ("characters_min", numbers(&[0, 0])),
                ("characters_p25", numbers(&[20, 68_990])),
                ("characters_median", numbers(&[100, 68_990])),
                ("characters_p75", numbers(&[280, 68_990])),
                ("characters_max", numbers(&[68_991, 68_991])),
            ],
            "topics" => {
                let words: Vec<String> = (0..20).map(|n| format!("word number {n} {long}")).collect();
                vec![
                    ("day", days(&[0; 20])),
                    ("topic", texts(&words.iter().map(String::as_str).collect::<Vec<_>>())),
                    ("posts", numbers(&[MANY; 20])),
                ]
            }
            "timeline" => vec![
                ("starts_at", Arc::new(hours(0..218))),
                ("posts", numbers(&(0..218).map(|hour| hour % 24 * 1_000).collect::<Vec<_>>())),
                ("users", Arc::new(Int64Array::new_null(218))),
                ("characters_mean", Arc::new(Float64Array::new_null(218))),
            ],
            "collection" => {
                let servers = [long, "日本語の長い名前とその続き", "x"];
                vec![
                    ("seen", Arc::new(hours((0..168 * 3).map(|row| row / 3)).with_timezone("UTC"))),
                    ("server", texts(&servers.repeat(168))),
                    ("posts", numbers(&(0..168 * 3).map(|row| [MANY, 1, 0][row % 3]).collect::<Vec<_>>())),
                ]
            }
            "concentration" => vec![
                ("among", texts(&[["accounts"; 101], ["origins"; 101]].concat())),
                ("percent_of_members", numbers(&(0..=100).chain(0..=100).collect::<Vec<_>>())),
                (
                    "percent_of_posts",
                    Arc::new((0..202).map(|row| Some(f64::from(row % 101) / 3.0)).collect::<Float64Array>()),
                ),
            ],
            other => panic!("{other} has no rows here"),
        };
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn written(name: &str, rows: &RecordBatch, width: Option<usize>) -> String {
        let note = "the app is known for 1231221 of 1593122 posts by people: apps do not federate";
        let mut out = Vec::new();
        write(named(name).unwrap(), "UTC", rows, Some(note), &Style { colour: false, width }, &mut out).unwrap();
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
        let topics = written("topics", &rows("topics"), Some(80));
        assert!((0..20).all(|n| topics.contains(&format!("word number {n} "))), "{topics}");
        let note = written("apps", &rows("apps"), Some(80));
        assert!(note.contains("1,231,221 of 1,593,122 posts"), "{note}");
    }

    #[test]
    fn no_name_is_cut_in_a_pipe_nor_in_a_terminal_that_has_room() {
        let names = [
            ("daily", 3, LONG),
            ("apps", 1, LONG),
            ("languages", 1, "日本語の長い名前とその続き"),
            ("lengths", 1, "Standard Moroccan Tamazight"),
            ("topics", 20, LONG),
            ("collection", 1, LONG),
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
            let text = written("apps", &rows("apps"), Some(width));
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
        let text = written("statistics", &nothing, None);
        assert!(text.ends_with("\nno posts: collect some, or widen the filter\n"), "{text}");
        for name in NAMES.into_iter().filter(|name| *name != "statistics") {
            let text = written(name, &rows(name).slice(0, 0), None);
            assert!(text.ends_with("\nno posts: collect some, or widen the filter\n"), "{text}");
        }
    }

    #[test]
    fn a_word_that_nobody_wrote_is_a_column_of_zeros() {
        let columns: Vec<(&str, ArrayRef)> =
            vec![("day", days(&[0, 1])), ("topic", texts(&["nobody", "nobody"])), ("posts", numbers(&[0, 0]))];
        let text = written("topics", &RecordBatch::try_from_iter(columns).unwrap(), None);
        assert!(text.ends_with("day             nobody\n2023/02/03 Fri       0\n2023/02/04 Sat       0\n"), "{text}");
    }

    #[test]
    fn a_long_time_is_a_chart_in_a_terminal_and_a_row_a_step_in_a_pipe() {
        let rows = rows("timeline");
        let drawn = written("timeline", &rows, Some(80));
        let expected = "\n         ▃████ ▃████ ▃████ ▃████ ▃████ ▃████ ▃████ ▃████ ▃████\n     0  ▃█████";
        assert!(drawn.contains(expected) && drawn.contains("\n86,000  "), "{drawn}");
        assert!(
            drawn.contains("\n2,485,000 posts; one bar is 4 hours; the highest, 2023/02/11 Sat 20:00, has\n"),
            "{drawn}"
        );
        assert!(drawn.lines().count() <= 12, "{drawn}");
        assert!(drawn.contains(expected), "{drawn}");
        let piped = written("timeline", &rows, None);
        assert_eq!(piped.lines().filter(|line| line.starts_with("2023-02-")).count(), 218, "{piped}");
        assert!(piped.contains("\nstarts at             posts\n2023-02-03 00:00:00       0\n"), "{piped}");
    }
}
