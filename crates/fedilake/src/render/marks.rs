//! The marks of a report, drawn with characters. They fit a terminal of any width; names are cut only if a terminal has
//! no room for them. A narrow one has no plots, and shows the fields of a row below each other.

use std::collections::BTreeMap;
use std::io::Write;

use arrow::array::RecordBatch;
use fedilake_query::answer::catalogue::Mark;

use super::bars::{self, FiveNumbers};
use super::rows::{Rows, distinct, words};
use super::table::{Column, GAP, cut, may_fit, wrap, write_columns, write_records};
use super::{Style, cells, line};

/// The width of plots and sentences if stdout is not a terminal.
const WIDTH: usize = 80;
/// The greatest width of plots and sentences, even in a wider terminal.
const WIDTH_MAX: usize = 120;
/// The least width of a plot; a narrower one shows nothing.
const PLOT_WIDTH_MIN: usize = 8;
/// The least width of the names beside a plot; a terminal without room for both shows no plot.
pub(super) const NAMES_WIDTH_MIN: usize = 8;
/// The most characters of a row of a heat map; of a wider one the rows are shown.
const CELLS_MAX: usize = 60;
/// Lengths that people know: the limits of an SMS-like text, of an old and a new microblog, of Mastodon, and round
/// numbers.
const LENGTH_TICKS: [f64; 8] = [0.0, 10.0, 50.0, 140.0, 280.0, 500.0, 5_000.0, 50_000.0];

/// Draws the rows by a mark.
pub(super) fn draw(mark: &Mark, rows: &RecordBatch, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let rows = Rows::new(rows)?;
    match mark {
        // A line for each value, with its column's name before it.
        Mark::Figures { .. } => write_records(&rows.all()?, rows.rows.num_rows(), width(style), style, out),
        Mark::Line { x, y, series: None } => line::write(&rows, x, y, style, out),
        Mark::Line { x, y, series: Some(series) } => line::write_series(&rows, [x, y, series], style, out),
        Mark::Bars { y, .. } => counted(rows.all()?, &rows.floats(y)?, style, out),
        Mark::Heat { x, y, value } => heat(&rows, [x, y, value], style, out),
        Mark::Boxes { y, min, lower, median, upper, max } => {
            boxes(&rows, y, [min, lower, median, upper, max], style, out)
        }
        Mark::Table {} => write_rows(&mut rows.all()?, style, out),
    }
}

/// The columns, and a bar for the value of each row.
pub(super) fn counted(
    mut columns: Vec<Column>,
    values: &[f64],
    style: &Style,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let most = values.iter().copied().fold(0.0, f64::max);
    if !leave_a_plot(&mut columns, style) {
        return write_rows(&mut columns, style, out);
    }
    // Half of the line is enough for bars.
    let width = left_beside(&columns, style).min(self::width(style) / 2);
    let bars = values.iter().map(|value| bars::bar(*value, most, width)).collect();
    columns.push(Column { title: String::new(), cells: bars, right: false });
    write_rows(&mut columns, style, out)
}

/// A line for each y with a bar for each x, and the sum.
fn heat(rows: &Rows<'_>, [x, y, value]: [&String; 3], style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let (xs, ys, values, texts) = (rows.texts(x)?, rows.texts(y)?, rows.floats(value)?, rows.texts(value)?);
    let shown = distinct(xs);
    let mut lines: Vec<(&str, Vec<f64>)> = distinct(ys).into_iter().map(|y| (y, vec![f64::NAN; shown.len()])).collect();
    let at: BTreeMap<&str, usize> = shown.iter().enumerate().map(|(index, x)| (*x, index)).collect();
    let line: BTreeMap<&str, usize> = lines.iter().enumerate().map(|(index, (y, _))| (*y, index)).collect();
    for ((x, y), value) in xs.iter().zip(ys).zip(&values) {
        lines[line[y.as_str()]].1[at[x.as_str()]] = *value;
    }
    let most = values.iter().copied().fold(0.0, f64::max);
    let names = lines.iter().map(|(y, _)| (*y).to_owned()).collect();
    let mut columns = vec![Column { title: words(y), cells: names, right: false }];
    // Counts add up; percentages and means do not.
    if rows.is_count(value) {
        let sum = |values: &[f64]| values.iter().filter(|value| !value.is_nan()).sum::<f64>();
        let sums = lines.iter().map(|(_, values)| cells::with_separators(&format!("{}", sum(values))));
        columns.push(Column { title: words(value), cells: sums.collect(), right: true });
    }
    let room = style.width.unwrap_or(WIDTH).saturating_sub(taken(&columns));
    let Some(repeated) = [2, 1].into_iter().find(|repeated| shown.len() * repeated <= room.min(CELLS_MAX)) else {
        return match shown.len() > CELLS_MAX {
            true => write_rows(&mut rows.all()?, style, out),
            false => write_rows(&mut columns, style, out),
        };
    };
    let bars = lines.iter().map(|(_, values)| {
        let values: Vec<f64> = values.iter().flat_map(|value| std::iter::repeat_n(*value, repeated)).collect();
        // A table leaves out spaces at the end of its last column only.
        format!("{:width$}", bars::sparkline(&values, most), width = shown.len() * repeated)
    });
    columns.insert(1, Column { title: axis(&shown, repeated), cells: bars.collect(), right: false });
    write_rows(&mut columns, style, out)?;
    let highest = values.iter().position(|value| *value == most).map_or(cells::NULL, |row| &texts[row]);
    write_text(&format!("the highest bar is {highest} {}", words(value)), style, out)
}

/// Labels over the columns of a heat map, as many as have room.
fn axis(labels: &[&str], repeated: usize) -> String {
    let mut axis = String::new();
    for (index, label) in labels.iter().enumerate().filter(|(index, _)| index % 3 == 0 || labels.len() < 8) {
        let start = index * repeated;
        let used = axis.chars().count();
        if used == 0 || used < start {
            axis.extend(std::iter::repeat_n(' ', start - used));
            axis.extend(label.chars().take(labels.len() * repeated - start));
        }
    }
    axis
}

/// Names and numbers with a box plot, on a logarithmic axis.
fn boxes(rows: &Rows<'_>, y: &str, five: [&String; 5], style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let [_, _, median, _, _] = five;
    let [min, lower, medians, upper, max] = five.map(|name| rows.floats(name));
    let (min, lower, medians, upper, max) = (min?, lower?, medians?, upper?, max?);
    let most = max.iter().copied().fold(0.0, f64::max);
    let plotted: Vec<&String> = five.into_iter().filter(|name| *name != median).collect();
    let mut columns = rows.without(&plotted)?;
    for column in columns.iter_mut().filter(|column| column.title == words(median)) {
        column.title = "median".to_owned();
    }
    // The name comes first, whatever the order of the report's columns is.
    columns.sort_by_key(|column| column.title != words(y));
    if !leave_a_plot(&mut columns, style) {
        return write_rows(&mut columns, style, out);
    }
    let width = left_beside(&columns, style);
    let five = |row: usize| FiveNumbers {
        min: min[row],
        lower: lower[row],
        median: medians[row],
        upper: upper[row],
        max: max[row],
    };
    let plots = (0..min.len()).map(|row| bars::box_plot(five(row), most, width)).collect();
    columns.push(Column { title: bars::log_axis(&LENGTH_TICKS, most, width), cells: plots, right: false });
    write_rows(&mut columns, style, out)
}

/// The width of the columns, with a gap after the last one.
pub(super) fn taken(columns: &[Column]) -> usize {
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
pub(super) fn write_rows(columns: &mut [Column], style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    match style.width {
        Some(width) if !may_fit(columns, width) => {
            write_records(columns, columns.first().map_or(0, |column| column.cells.len()), width, style, out)
        }
        _ => write_columns(columns, style, out),
    }
}

/// Writes a sentence on as many lines as it needs.
pub(super) fn write_text(text: &str, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    for line in wrap(text, width(style)) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// The same in grey, for explanations.
pub(super) fn write_grey(text: &str, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    for line in wrap(text, width(style)) {
        writeln!(out, "{}", style.grey(&line))?;
    }
    Ok(())
}

/// The width of plots and sentences.
pub(super) fn width(style: &Style) -> usize {
    style.width.unwrap_or(WIDTH).min(WIDTH_MAX)
}
