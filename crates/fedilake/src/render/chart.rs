//! Lines over time in a terminal: one as a chart of a few lines, several as a sparkline each, with their numbers beside
//! them. Below stands in grey how long a bar is, and what its signs mean.

use std::io::Write;

use super::marks::{NAMES_WIDTH_MIN, taken, width, write_grey, write_rows};
use super::rows::{Rows, distinct, rounded, words};
use super::steps::{self, Columns, Times};
use super::table::{Column, GAP, cut};
use super::{Style, bars, cells};

/// The lines of a chart.
const LINES: usize = 5;
/// The least width of a chart.
const WIDTH_MIN: usize = 16;
/// The most characters of a bar, where a terminal has room for more of them than there are steps.
const BAR_WIDTH_MAX: usize = 4;
/// An empty time that is left out.
const BREAK: char = '┊';
const WHOLE: &str = "--format csv has each step";

/// Writes the line of `y` as a chart. False if a terminal has no room for one.
pub(super) fn write(
    rows: &Rows<'_>,
    times: &Times,
    y: &str,
    style: &Style,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let (values, is_count) = (rows.floats(y)?, rows.is_count(y));
    let fitting = times.columns(&values).find_map(|columns| {
        let most =
            label(highest(&columns.values(times.with(&values), is_count)).map_or(0.0, |(_, most)| most), is_count);
        let room = width(style).checked_sub(most.len() + GAP).filter(|room| *room >= WIDTH_MIN)?;
        (columns.count() <= room).then_some((columns, most, room))
    });
    let Some((columns, most, room)) = fitting else { return Ok(false) };
    let in_columns = columns.values(times.with(&values), is_count);
    let lines = if most == "0" { 1 } else { LINES };
    let bars = drawn(&columns, &in_columns, bar_width(&columns, room), lines);
    for (line, bars) in bars.iter().enumerate() {
        let label = match line {
            _ if line + 1 == lines => "0",
            0 => most.as_str(),
            _ => "",
        };
        let label = style.grey(&format!("{label:>0$}", most.len()));
        writeln!(out, "{}", format!("{label}{:GAP$}{bars}", "").trim_end())?;
    }
    let (axis, mut said) = axis(&columns, times, &bars[0]);
    if !axis.is_empty() {
        writeln!(out, "{}", style.grey(&format!("{:1$}{axis}", "", most.len() + GAP)))?;
    }
    let y = words(y);
    if is_count {
        let total = in_columns.iter().filter(|value| !value.is_nan()).sum();
        said.push(format!("{} {y}", label(total, true)));
    }
    said.extend(explained(&columns, times, std::slice::from_ref(&in_columns), is_count));
    if let Some((column, value)) = highest(&in_columns)
        && let Some(begins) = columns.begins_at(column)
        && value > 0.0
    {
        said.push(format!("the highest, {}, has {most}", times.label(begins)));
    }
    said.extend(left_out(&columns, times, &values, &y, is_count));
    said.push(WHOLE.to_owned());
    write_grey(&said.join("; "), style, out)?;
    Ok(true)
}

/// Writes the lines of `y`, one for each name in `series`, as sparklines. False if a terminal has no room for any.
pub(super) fn write_series(
    rows: &Rows<'_>,
    times: &Times,
    [y, series]: [&String; 2],
    style: &Style,
    out: &mut dyn Write,
) -> anyhow::Result<bool> {
    let (names, values, is_count) = (rows.texts(series)?, rows.floats(y)?, rows.is_count(y));
    // A wide terminal has more room for names, and no wider drawings.
    let (room, drawing) = (style.width.unwrap_or(width(style)), width(style));
    let shown = distinct(names);
    let cells = shown.iter().map(|name| (*name).to_owned()).collect();
    let mut first = Column { title: words(series), cells, right: false };
    let fitting = times.columns(&values).filter(|columns| columns.count() <= drawing).find_map(|columns| {
        let of_name = |name: &&str| {
            let rows = times.with(&values).zip(names).filter(|(_, of)| of == name);
            columns.values(rows.map(|(row, _)| row), is_count)
        };
        let lines: Vec<Vec<f64>> = shown.iter().map(of_name).collect();
        let numbers = numbers(&lines, &words(y), is_count);
        let left = room.checked_sub(columns.count() + GAP + taken(&numbers))?;
        let has_room = left >= first.width() || left >= NAMES_WIDTH_MIN.max(room / 3);
        has_room.then_some((columns, lines, numbers, left))
    });
    let Some((columns, lines, numbers, left)) = fitting else { return Ok(false) };
    for text in first.cells.iter_mut().chain([&mut first.title]) {
        *text = cut(text, left);
    }
    let bar_width = bar_width(&columns, drawing.min(columns.count() + left - first.width()));
    let bars: Vec<String> = lines.iter().flat_map(|values| drawn(&columns, values, bar_width, 1)).collect();
    let (title, mut said) = axis(&columns, times, bars.first().map_or("", String::as_str));
    let bars = Column { title, cells: bars, right: false };
    write_rows(&mut [first, bars].into_iter().chain(numbers).collect::<Vec<_>>(), style, out)?;
    said.extend(explained(&columns, times, &lines, is_count));
    said.push("each line has a scale of its own, most and last are of one bar".to_owned());
    said.extend(left_out(&columns, times, &values, &words(y), is_count));
    said.push(WHOLE.to_owned());
    write_grey(&said.join("; "), style, out)?;
    Ok(true)
}

/// The sum of each line's counts, or the least of its other numbers; the most; the last.
fn numbers(lines: &[Vec<f64>], y: &str, is_count: bool) -> Vec<Column> {
    let column = |title: &str, of: &dyn Fn(&[f64]) -> f64| Column {
        title: title.to_owned(),
        cells: lines.iter().map(|values| label(of(values), is_count)).collect(),
        right: true,
    };
    let first = match is_count {
        true => column(y, &|values| values.iter().filter(|value| !value.is_nan()).sum()),
        false => column("least", &|values| values.iter().copied().fold(f64::NAN, f64::min)),
    };
    let most = column("most", &|values| values.iter().copied().fold(f64::NAN, f64::max));
    vec![first, most, column("last", &|values| values.last().copied().unwrap_or(f64::NAN))]
}

/// A number as people read it.
fn label(value: f64, is_count: bool) -> String {
    match value {
        v if v.is_nan() => cells::NULL.to_owned(),
        v if is_count || v == 0.0 => cells::with_separators(&format!("{v:.0}")),
        v => cells::with_separators(&rounded(v)),
    }
}

/// The column with the greatest value, and the value; the newest of several.
fn highest(values: &[f64]) -> Option<(usize, f64)> {
    values.iter().copied().enumerate().filter(|(_, value)| !value.is_nan()).max_by(|a, b| a.1.total_cmp(&b.1))
}

/// The characters of a bar where a drawing may take `room`.
fn bar_width(columns: &Columns, room: usize) -> usize {
    let breaks = columns.breaks().len();
    (room.saturating_sub(breaks) / (columns.count() - breaks).max(1)).clamp(1, BAR_WIDTH_MAX)
}

/// The lines of a drawing, the highest first.
fn drawn(columns: &Columns, values: &[f64], bar_width: usize, lines: usize) -> Vec<String> {
    let most = highest(values).map_or(0.0, |(_, most)| most);
    let line = |line| {
        let bars = bars::chart_line(values, most, lines, line);
        let bar = |(column, bar)| match columns.begins_at(column) {
            Some(_) => std::iter::repeat_n(bar, bar_width),
            None => std::iter::repeat_n(BREAK, 1),
        };
        bars.chars().enumerate().flat_map(bar).collect()
    };
    (0..lines).rev().map(line).collect()
}

/// The first and the last time, below a drawing if they have room there, else as words.
fn axis(columns: &Columns, times: &Times, drawing: &str) -> (String, Vec<String>) {
    let Some((first, last)) = columns.ends() else { return Default::default() };
    let (first, last, width) = (times.label(first), times.label(last), drawing.chars().count());
    match width.checked_sub(first.len() + last.len()).filter(|between| *between >= GAP) {
        Some(between) => (format!("{first}{:between$}{last}", ""), Vec::new()),
        None if first == last => (String::new(), vec![first]),
        None => (String::new(), vec![format!("{first} to {last}")]),
    }
}

/// The length of a bar, and the signs that a drawing has.
fn explained(columns: &Columns, times: &Times, lines: &[Vec<f64>], is_count: bool) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(step) = times.step {
        let mean = if is_count || columns.length == step { "" } else { "the mean of " };
        said.push(format!("one bar is {mean}{}", steps::length(columns.length)));
    }
    if lines.iter().any(|values| values.contains(&0.0)) {
        said.push(format!("{} is 0", bars::ZERO));
    }
    match columns.breaks().as_slice() {
        [] => {}
        [(from, to)] => said.push(format!("{BREAK} is empty from {} to {}", times.label(*from), times.label(*to))),
        _ => said.push(format!("{BREAK} is a long empty time")),
    }
    said
}

/// The sum of what has no column.
fn left_out(columns: &Columns, times: &Times, values: &[f64], y: &str, is_count: bool) -> Option<String> {
    let outside = times.with(values).filter(|(time, value)| columns.at(*time).is_none() && !value.is_nan());
    let sum: f64 = outside.map(|(_, value)| value).sum();
    (is_count && sum > 0.0).then(|| format!("{} {y} of other times are left out", label(sum, true)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    };
    use unicode_width::UnicodeWidthStr;

    use super::*;

    /// Hours from Friday, 3 February 2023.
    fn hours(ahead: impl IntoIterator<Item = i64>) -> ArrayRef {
        let micros = ahead.into_iter().map(|ahead| Some((19_391 * 24 + ahead) * 3_600_000_000));
        Arc::new(micros.collect::<TimestampMicrosecondArray>())
    }

    fn counts(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
        Arc::new(values.into_iter().collect::<Int64Array>())
    }

    /// The chart of values, one for each time; in a terminal with so many columns.
    fn chart(times: ArrayRef, values: ArrayRef, room: usize) -> Option<String> {
        let batch = RecordBatch::try_from_iter([("at", times), ("posts", values)]).unwrap();
        let times = Times::of(batch.column(0)).unwrap();
        let (style, mut out) = (Style { colour: false, width: Some(room) }, Vec::new());
        let is_drawn = write(&Rows::new(&batch).unwrap(), &times, "posts", &style, &mut out).unwrap();
        is_drawn.then(|| String::from_utf8(out).unwrap())
    }

    /// The sparklines of values, one for each name and hour.
    fn sparklines(names: &[&str], values: ArrayRef, room: usize) -> Option<String> {
        let times = hours((0..values.len()).map(|row| (row / names.len()) as i64));
        let servers: Vec<&str> = names.iter().copied().cycle().take(values.len()).collect();
        let servers: ArrayRef = Arc::new(StringArray::from(servers));
        let batch = RecordBatch::try_from_iter([("at", times), ("server", servers), ("posts", values)]).unwrap();
        let times = Times::of(batch.column(0)).unwrap();
        let (style, mut out) = (Style { colour: false, width: Some(room) }, Vec::new());
        let columns = [&"posts".to_owned(), &"server".to_owned()];
        let is_drawn = write_series(&Rows::new(&batch).unwrap(), &times, columns, &style, &mut out).unwrap();
        is_drawn.then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_zero_is_a_dot_and_a_missing_value_a_gap() {
        let values = [Some(0), Some(1), None, Some(20), Some(40), None, None, Some(0)];
        let drawn = chart(hours(0..8), counts(values), 24).unwrap();
        let expected = [
            "40          ██",
            "            ██",
            "          ▄▄██",
            "          ████",
            " 0  ··▁▁  ████    ··",
            "2023/02/03 Fri 00:00 to\n",
        ];
        assert!(drawn.starts_with(&expected.join("\n")), "{drawn}");
    }

    #[test]
    fn nothing_but_zeros_is_one_line() {
        let drawn = chart(hours(0..40), counts(vec![Some(0); 40]), 60).unwrap();
        assert!(drawn.starts_with(&format!("0  {}\n", "·".repeat(40))), "{drawn}");
        assert!(drawn.replace('\n', " ").contains("0 posts; one bar is an hour; · is 0; --format"), "{drawn}");
        assert!(!drawn.contains("the highest"), "{drawn}");
    }

    #[test]
    fn one_step_is_a_bar_without_a_length() {
        let drawn = chart(hours([5]), counts([Some(7)]), 80).unwrap();
        assert!(drawn.starts_with("7  ████\n   ████\n") && !drawn.contains("one bar"), "{drawn}");
        let drawn = drawn.replace('\n', " ");
        assert!(drawn.contains(" 2023/02/03 Fri 05:00; 7 posts; the highest, 2023/02/03 Fri 05:00, has 7"), "{drawn}");
    }

    #[test]
    fn a_long_empty_time_is_a_mark_and_told() {
        let drawn = chart(hours((0..30).chain(5_000..5_030)), counts(vec![Some(3); 60]), 80).unwrap();
        assert!(drawn.starts_with(&format!("3  {0}┊{0}\n", "█".repeat(30))), "{drawn}");
        let drawn = drawn.replace('\n', " ");
        assert!(drawn.contains("┊ is empty from 2023/02/04 Sat 05:00 to 2023/08/30 Wed 08:00"), "{drawn}");
    }

    #[test]
    fn the_sum_of_what_is_not_drawn_is_told() {
        let strays = (0..9).map(|stray| stray * 1_000);
        let values = vec![Some(1); 9].into_iter().chain(vec![Some(100); 40]);
        let drawn = chart(hours(strays.chain(9_000..9_040)), counts(values), 80).unwrap().replace('\n', " ");
        assert!(drawn.contains("4,003 posts;") && drawn.contains("; 6 posts of other times are left out;"), "{drawn}");
    }

    #[test]
    fn numbers_that_are_no_counts_have_means_and_no_sum() {
        let values: ArrayRef = Arc::new(Float64Array::from((0..100).map(f64::from).collect::<Vec<_>>()));
        let drawn = chart(hours(0..100), values, 60).unwrap();
        assert!(drawn.starts_with("98.5  ") && drawn.contains("one bar is the mean of 2 hours;"), "{drawn}");
        let values: ArrayRef = Arc::new(Float64Array::from(vec![2.5, 5.0, 1.25, f64::NAN]));
        let drawn = sparklines(&["a", "b"], values, 80).unwrap();
        assert!(drawn.contains("least  most  last\n") && drawn.contains("a  "), "{drawn}");
        assert!(drawn.contains("1.25  2.50  1.25\n") && drawn.contains("5.00  5.00     -\n"), "{drawn}");
    }

    #[test]
    fn each_sparkline_has_its_own_scale_and_its_numbers() {
        let values = (0..48).flat_map(|hour| [Some(hour * 1_000), Some(hour % 2), Some(0)]);
        let drawn = sparklines(&["a.example", "b.example", "日本語"], counts(values), 100).unwrap();
        let expected = "\
server     2023/02/03 Fri 00:00        2023/02/04 Sat 23:00      posts    most    last
a.example  ·▁▁▁▁▁▂▂▂▂▂▂▃▃▃▃▃▃▄▄▄▄▄▄▅▅▅▅▅▅▆▆▆▆▆▆▇▇▇▇▇▇██████  1,128,000  47,000  47,000
b.example  ·█·█·█·█·█·█·█·█·█·█·█·█·█·█·█·█·█·█·█·█·█·█·█·█         24       1       1
日本語     ················································          0       0       0
one bar is an hour; · is 0; each line has a scale of its own, most and last are of one bar; --format
csv has each step
";
        assert_eq!(drawn, expected);
    }

    #[test]
    fn drawings_fit_a_terminal_of_any_width_or_are_not_drawn() {
        let long = "a.server.whose.name.does.not.end.and.not.end.and.not.end.and.not.end.example";
        for steps in [1, 2, 24, 168, 1_000] {
            for room in (0..130).chain([250]) {
                let values = || counts((0..steps).map(|step| Some(step * step)));
                let named = |names: &[&str]| sparklines(names, values(), room);
                for drawn in
                    [chart(hours(0..steps), values(), room), named(&[long]), named(&["日本語", "x"])].iter().flatten()
                {
                    assert!(drawn.lines().all(|line| line.width() <= room), "{room}: {drawn}");
                }
                if room >= 80 {
                    assert!(chart(hours(0..steps), values(), room).is_some() && named(&[long]).is_some(), "{room}");
                }
            }
        }
    }
}
