//! A table for people: no lines, two spaces between columns, numbers right-aligned.

use std::io::{Read, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Answer, Style, TABLE_ROWS_MAX, cells};
use crate::door::shown_in_line;

/// The least width to which a text column shrinks; below it the table is wider than the terminal.
const TEXT_WIDTH_MIN: usize = 8;
/// The least width to which numbers and the first column shrink.
const NUMBER_WIDTH_MIN: usize = 24;

/// The least width of a terminal that has room for the names of fields beside their values.
const NAMED_WIDTH_MIN: usize = 6;

/// The width of the gap between two columns.
pub(super) const GAP: usize = 2;

/// A column: its title, its cells and their alignment.
pub struct Column {
    pub title: String,
    pub cells: Vec<String>,
    pub right: bool,
}

impl Column {
    /// The column's width in the terminal if nothing is cut.
    pub(super) fn width(&self) -> usize {
        self.cells.iter().map(|cell| cell.width()).chain([self.title.width()]).max().unwrap_or(0)
    }
}

/// Writes the first [`TABLE_ROWS_MAX`] rows, and on stderr how many rows there are.
pub(super) fn write<R: Read>(answer: Answer<R>, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    if is_explanation(&answer.schema()) {
        return write_explanation(answer, out);
    }
    let mut shown = columns_of(&answer.schema());
    let (mut rows, mut kept) = (0, 0);
    for batch in answer {
        let batch = batch?;
        rows += batch.num_rows();
        let part = batch.slice(0, batch.num_rows().min(TABLE_ROWS_MAX - kept));
        kept += part.num_rows();
        append(&mut shown, &part)?;
    }
    match style.width {
        Some(width) if !may_fit(&shown, width) => write_records(&shown, kept, width, style, out)?,
        _ => write_columns(&mut shown, style, out)?,
    }
    out.flush()?;
    let total = cells::counted(rows as u64, "row");
    if rows > kept {
        let kept = cells::with_separators(&kept.to_string());
        crate::telemetry::say(&format!(
            "{total}, the first {kept} shown\nhint: --format csv, json, ndjson or parquet gives all"
        ));
    } else {
        crate::telemetry::say(&total);
    }
    Ok(())
}

/// True if the rows are a plan drawn by EXPLAIN.
fn is_explanation(schema: &Schema) -> bool {
    schema.fields().iter().map(|field| field.name().as_str()).eq(["explain_key", "explain_value"])
}

/// Writes a drawing unchanged: its lines belong together.
fn write_explanation<R: Read>(answer: Answer<R>, out: &mut dyn Write) -> anyhow::Result<()> {
    for batch in answer {
        let batch = batch?;
        for drawing in cells::as_lines(batch.schema_ref().field(1), batch.column(1))?.iter().flatten() {
            writeln!(out, "{}", drawing.trim_end())?;
        }
    }
    Ok(())
}

/// True if the columns fit side by side at their minimum widths.
pub(super) fn may_fit(columns: &[Column], width: usize) -> bool {
    let least = columns.iter().zip(least(columns)).map(|(column, least)| column.width().min(least));
    least.sum::<usize>() + GAP * columns.len().saturating_sub(1) <= width
}

/// Writes each row as lines of `field  value`, row below row.
pub(super) fn write_records(
    columns: &[Column],
    rows: usize,
    width: usize,
    style: &Style,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let names = columns.iter().map(|column| column.title.width()).max().unwrap_or(0).min(width / 3);
    let names = if width < NAMED_WIDTH_MIN { 0 } else { names };
    let gap = if names == 0 { 0 } else { GAP };
    let beside = width.saturating_sub(names + gap).max(1);
    for row in 0..rows {
        if row > 0 {
            writeln!(out)?;
        }
        for column in columns {
            let name = cut(&column.title, names);
            let name = style.grey(&name) + &" ".repeat(names.saturating_sub(name.width()));
            for (number, line) in wrap(&column.cells[row], beside).iter().enumerate() {
                let name = if number == 0 { name.clone() } else { " ".repeat(names) };
                writeln!(out, "{}", format!("{name}{:gap$}{line}", "").trim_end())?;
            }
        }
    }
    Ok(())
}

/// Breaks the text into lines of at most `width` columns, between words if possible.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is a first one");
        if line.width() + word.width() + usize::from(!line.is_empty()) <= width {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            continue;
        }
        let mut rest = String::new();
        for c in word.chars() {
            if !rest.is_empty() && rest.width() + c.width().unwrap_or(0) > width {
                lines.push(std::mem::take(&mut rest));
            }
            rest.push(c);
        }
        lines.push(rest);
    }
    if lines.len() > 1 && lines[0].is_empty() {
        lines.remove(0);
    }
    lines
}

/// Writes the columns side by side within the style's width: the widest columns shrink.
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

fn columns_of(schema: &Schema) -> Vec<Column> {
    let column = |field: &arrow::datatypes::FieldRef| Column {
        // PIVOT makes column names of texts from outside.
        title: shown_in_line(field.name()).into_owned(),
        cells: Vec::new(),
        right: cells::is_number(field),
    };
    schema.fields().iter().map(column).collect()
}

fn append(columns: &mut [Column], batch: &RecordBatch) -> anyhow::Result<()> {
    let fields = batch.schema_ref().fields();
    for ((column, field), array) in columns.iter_mut().zip(fields).zip(batch.columns()) {
        let cells = cells::as_line(field, array)?.into_iter();
        column.cells.extend(cells.map(|cell| cell.unwrap_or_else(|| cells::NULL.to_owned())));
    }
    Ok(())
}

fn fit(columns: &[Column], width: Option<usize>) -> Vec<usize> {
    let mut widths: Vec<usize> = columns.iter().map(Column::width).collect();
    let Some(width) = width else { return widths };
    let gaps = GAP * columns.len().saturating_sub(1);
    let least: Vec<usize> = least(columns).collect();
    while widths.iter().sum::<usize>() + gaps > width {
        let above = widths.iter_mut().zip(&least).filter(|(width, least)| **width > **least);
        let Some((widest, _)) = above.max_by_key(|(width, _)| **width) else { break };
        *widest -= 1;
    }
    widths
}

/// The minimum width of each column.
fn least(columns: &[Column]) -> impl Iterator<Item = usize> {
    columns.iter().enumerate().map(
        |(index, column)| {
            if column.right || index == 0 { NUMBER_WIDTH_MIN } else { TEXT_WIDTH_MIN }
        },
    )
}

fn line(columns: &[Column], cells: &[&str], widths: &[usize]) -> String {
    let mut line = String::new();
    for ((column, cell), width) in columns.iter().zip(cells).zip(widths) {
        if !line.is_empty() {
            line.push_str(&" ".repeat(GAP));
        }
        let cell = cut(cell, *width);
        let pad = " ".repeat(width.saturating_sub(cell.width()));
        line.push_str(&if column.right { pad + &cell } else { cell + &pad });
    }
    line.truncate(line.trim_end().len());
    line
}

/// The text, or its beginning and an ellipsis; never wider than `width`.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
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
    fn what_does_not_fit_side_by_side_stands_below_each_other() -> anyhow::Result<()> {
        let column =
            |name: &str, cell: &str| Column { title: name.to_owned(), cells: vec![cell.to_owned()], right: false };
        let mut columns = vec![column("uri", "https://a.example/users/ada/statuses/1234567890")];
        columns.extend((0..5).map(|n| column(&format!("field{n}"), "words and more words")));
        assert!(!may_fit(&columns, 40) && may_fit(&columns, 80));
        let mut out = Vec::new();
        write_records(&columns, 1, 30, &Style { colour: false, width: Some(30) }, &mut out)?;
        let text = String::from_utf8(out)?;
        assert!(text.lines().all(|line| line.width() <= 30), "{text}");
        assert!(
            text.starts_with("uri     https://a.example/user\n        s/ada/statuses/1234567\n        890\n"),
            "{text}"
        );
        assert!(text.contains("field0  words and more words\n"), "{text}");
        Ok(())
    }

    #[test]
    fn rows_fit_a_terminal_of_any_width_that_has_room_for_a_character() -> anyhow::Result<()> {
        let column =
            |name: &str, cell: &str, right| Column { title: name.to_owned(), cells: vec![cell.to_owned()], right };
        let tables = [
            vec![column("name", "posts", false)],
            vec![column("日本語", "日本語の長い名前", false), column("", "", false)],
            (0..40).map(|n| column(&format!("field{n}"), "1,234,567", n % 2 == 0)).collect(),
        ];
        for mut columns in tables {
            for width in 0..60 {
                let style = Style { colour: false, width: Some(width) };
                let mut out = Vec::new();
                if may_fit(&columns, width) {
                    write_columns(&mut columns, &style, &mut out)?;
                } else {
                    write_records(&columns, 1, width, &style, &mut out)?;
                }
                let text = String::from_utf8(out)?;
                // A wide character has two columns.
                assert!(text.lines().all(|line| line.width() <= width.max(2)), "{width}: {text}");
            }
        }
        Ok(())
    }

    #[test]
    fn text_breaks_between_words_and_loses_none() {
        for (text, width, lines) in [
            ("", 5, &[""][..]),
            ("one two three", 7, &["one two", "three"]),
            ("abcdefgh ij", 4, &["abcd", "efgh", "ij"]),
            ("a abcdefgh", 4, &["a", "abcd", "efgh"]),
            ("日本語", 4, &["日本", "語"]),
        ] {
            assert_eq!(wrap(text, width), lines, "{text}");
        }
    }

    #[test]
    fn a_table_fits_the_terminal_and_marks_what_was_cut() -> anyhow::Result<()> {
        let text = table(Some(40))?;
        assert!(text.lines().all(|line| line.width() <= 40), "{text}");
        assert!(text.contains('…'), "{text}");
        Ok(())
    }
}
