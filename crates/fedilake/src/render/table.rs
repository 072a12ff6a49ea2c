//! A table for people: no lines, two spaces between columns, numbers to the right.

use std::io::{Read, Write};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Answer, Style, TABLE_ROWS_MAX, cells};

/// Columns give way down to this, then a wide table goes beyond the terminal's right edge.
const TEXT_WIDTH_MIN: usize = 8;
/// Numbers, and what a row is about, give way later.
const NUMBER_WIDTH_MIN: usize = 24;

/// A column laid out: its title, its cells, and on which side they stand.
pub(super) struct Column {
    pub title: String,
    pub cells: Vec<String>,
    pub right: bool,
}

/// Writes the first [`TABLE_ROWS_MAX`] rows and says on stderr how many there are.
pub(super) fn write<R: Read>(answer: Answer<R>, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut shown = columns_of(&answer.schema);
    let (mut rows, mut kept) = (0, 0);
    for batch in answer {
        let batch = batch?;
        rows += batch.num_rows();
        let part = batch.slice(0, batch.num_rows().min(TABLE_ROWS_MAX - kept));
        kept += part.num_rows();
        append(&mut shown, &part)?;
    }
    write_columns(&mut shown, style, out)?;
    out.flush()?;
    let total = cells::with_separators(&rows.to_string());
    match rows {
        1 => crate::telemetry::say("1 row"),
        _ if rows > kept => {
            crate::telemetry::say(&format!(
                "{total} rows, the first {kept} shown\nhint: --format csv, json or parquet gives all"
            ));
        }
        _ => crate::telemetry::say(&format!("{total} rows")),
    }
    Ok(())
}

/// Writes the columns side by side within the style's width: the widest ones give way.
pub(super) fn write_columns(columns: &mut [Column], style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let widths = fit(columns, style.width);
    let titles: Vec<&str> = columns.iter().map(|column| column.title.as_str()).collect();
    writeln!(out, "{}", style.grey(&line(columns, &titles, &widths)))?;
    for row in 0..columns.first().map_or(0, |column| column.cells.len()) {
        let cells: Vec<&str> = columns.iter().map(|column| column.cells[row].as_str()).collect();
        writeln!(out, "{}", line(columns, &cells, &widths))?;
    }
    Ok(())
}

fn columns_of(schema: &SchemaRef) -> Vec<Column> {
    let column = |field: &arrow::datatypes::FieldRef| Column {
        title: field.name().clone(),
        cells: Vec::new(),
        right: cells::is_number(field.data_type()),
    };
    schema.fields().iter().map(column).collect()
}

fn append(columns: &mut [Column], batch: &RecordBatch) -> anyhow::Result<()> {
    for (column, array) in columns.iter_mut().zip(batch.columns()) {
        let text = cells::as_line(array)?;
        let cell = |row| if text.is_valid(row) { text.value(row).to_owned() } else { cells::NULL.to_owned() };
        column.cells.extend((0..text.len()).map(cell));
    }
    Ok(())
}

fn fit(columns: &[Column], width: Option<usize>) -> Vec<usize> {
    let natural =
        |column: &Column| column.cells.iter().map(|cell| cell.width()).chain([column.title.width()]).max().unwrap_or(0);
    let mut widths: Vec<usize> = columns.iter().map(natural).collect();
    let Some(width) = width else { return widths };
    let gaps = 2 * columns.len().saturating_sub(1);
    let least =
        |(index, column): (usize, &Column)| if column.right || index == 0 { NUMBER_WIDTH_MIN } else { TEXT_WIDTH_MIN };
    let least: Vec<usize> = columns.iter().enumerate().map(least).collect();
    while widths.iter().sum::<usize>() + gaps > width {
        let above = widths.iter_mut().zip(&least).filter(|(width, least)| **width > **least);
        let Some((widest, _)) = above.max_by_key(|(width, _)| **width) else { break };
        *widest -= 1;
    }
    widths
}

fn line(columns: &[Column], cells: &[&str], widths: &[usize]) -> String {
    let mut line = String::new();
    for ((column, cell), width) in columns.iter().zip(cells).zip(widths) {
        if !line.is_empty() {
            line.push_str("  ");
        }
        let cell = cut(cell, *width);
        let pad = " ".repeat(width - cell.width().min(*width));
        line.push_str(&if column.right { pad + &cell } else { cell + &pad });
    }
    line.truncate(line.trim_end().len());
    line
}

fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        let next = c.width().unwrap_or(0);
        if used + next + 1 > width {
            break;
        }
        used += next;
        cut.push(c);
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: Option<usize>) -> anyhow::Result<String> {
        let column = |title: &str, cells: &[&str], right| Column {
            title: title.to_owned(),
            cells: cells.iter().map(|c| (*c).to_owned()).collect(),
            right,
        };
        let mut columns = [
            column("author", &["a@a.example", "日本語の長い名前"], false),
            column("posts", &["7", "1,200"], true),
            column("text", &["short", "a text that is longer than its column may be"], false),
        ];
        let mut out = Vec::new();
        write_columns(&mut columns, &Style { colour: false, width }, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn numbers_stand_right_and_lines_end_without_spaces() -> anyhow::Result<()> {
        let text = table(None)?;
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
        assert!(text.contains("a@a.example           7  short\n"), "{text}");
        Ok(())
    }

    #[test]
    fn a_table_fits_the_terminal_and_marks_what_was_cut() -> anyhow::Result<()> {
        let text = table(Some(40))?;
        assert!(text.lines().all(|line| line.width() <= 40), "{text}");
        assert!(text.contains('…'), "{text}");
        Ok(())
    }
}
