//! A line, for people. In a pipe it is a table with a row for each step. In a terminal a table that is longer than a
//! screen is drawn instead if the line is over time, and has fewer rows if it is over something else.

use std::collections::BTreeMap;
use std::io::Write;

use super::marks::{counted, taken, write_grey, write_rows};
use super::rows::{Rows, distinct, words};
use super::steps::Times;
use super::table::{Column, may_fit};
use super::{Style, cells, chart};

/// The most lines of a table that a terminal shows as it is.
const SCREEN_LINES: usize = 32;
/// The most rows of a longer one that is not over time.
const ROWS_MAX: usize = 21;

/// Writes the line of `y` over `x`.
pub(super) fn write(rows: &Rows<'_>, x: &str, y: &str, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut columns = rows.filled()?;
    if is_long(std::slice::from_ref(&columns), style)
        && let Some(times) = times(rows, x)
        && chart::write(rows, &times, y, style, out)?
    {
        return Ok(());
    }
    match columns.len() {
        // Beside other numbers than its own, a bar would be of an unknown one.
        2 if style.width.is_some() => counted(columns, &rows.floats(y)?, style, out),
        _ => write_rows(&mut columns, style, out),
    }
}

/// Writes the lines of `y` over `x`, one for each name in `series`.
pub(super) fn write_series(
    rows: &Rows<'_>,
    [x, y, series]: [&String; 3],
    style: &Style,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let xs = distinct(rows.texts(x)?);
    let tables = tables(rows, [x, y, series], &xs, style)?;
    if !is_long(&tables, style) {
        return write_tables(tables, style, out);
    }
    if let Some(times) = times(rows, x) {
        return match chart::write_series(rows, &times, [y, series], style, out)? {
            true => Ok(()),
            false => write_tables(tables, style, out),
        };
    }
    let nth = round_step(xs.len());
    let shown: Vec<&str> = xs.into_iter().step_by(nth).collect();
    write_tables(self::tables(rows, [x, y, series], &shown, style)?, style, out)?;
    match nth {
        1 => Ok(()),
        nth => write_grey(&format!("one row in {nth}; --format csv has all"), style, out),
    }
}

/// Tables with a row for each x and a column for each line, as many as a terminal needs below each other.
fn tables(
    rows: &Rows<'_>,
    [x, y, series]: [&String; 3],
    shown: &[&str],
    style: &Style,
) -> anyhow::Result<Vec<Vec<Column>>> {
    let (xs, names, values) = (rows.texts(x)?, rows.texts(series)?, rows.texts(y)?);
    let mut by_name: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for ((x, name), value) in xs.iter().zip(names).zip(values) {
        by_name.entry(name).or_default().insert(x, value);
    }
    let first = || Column { title: words(x), cells: shown.iter().map(|x| (*x).to_owned()).collect(), right: false };
    let mut tables = Vec::new();
    let mut table = vec![first()];
    for (name, values) in by_name {
        let cells = shown.iter().map(|x| (*values.get(x).unwrap_or(&cells::NULL)).to_owned()).collect();
        let column = Column { title: name.to_owned(), cells, right: true };
        if table.len() > 1 && style.width.is_some_and(|room| taken(&table) + column.width() > room) {
            tables.push(std::mem::replace(&mut table, vec![first()]));
        }
        table.push(column);
    }
    tables.push(table);
    Ok(tables)
}

fn write_tables(mut tables: Vec<Vec<Column>>, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    for (index, table) in tables.iter_mut().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        write_rows(table, style, out)?;
    }
    Ok(())
}

/// True if a terminal needs more than a screen for the tables.
fn is_long(tables: &[Vec<Column>], style: &Style) -> bool {
    let Some(room) = style.width else { return false };
    let lines = |table: &Vec<Column>| {
        let rows = table.first().map_or(0, |column| column.cells.len());
        if may_fit(table, room) { 1 + rows } else { rows * (1 + table.len()) }
    };
    tables.iter().map(lines).sum::<usize>() + tables.len().saturating_sub(1) > SCREEN_LINES
}

fn times(rows: &Rows<'_>, x: &str) -> Option<Times> {
    Times::of(rows.rows.column_by_name(x)?)
}

/// The least of 1, 2, 5, 10, 20 … that leaves no more than [`ROWS_MAX`] of `rows`.
fn round_step(rows: usize) -> usize {
    let round = (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_usize.pow(power)));
    round.take_while(|nth| *nth <= rows).find(|nth| rows.div_ceil(*nth) <= ROWS_MAX).unwrap_or(1)
}
