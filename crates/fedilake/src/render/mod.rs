//! Answers as a person or a program wants them: table, CSV, JSON, JSON lines, Parquet.
//!
//! Rows arrive as an Arrow IPC stream, from the lake in this process or from the owner of the folder, and are written
//! batch by batch: a large answer is never held in memory whole (except by the table, which shows the first
//! [`TABLE_ROWS_MAX`] rows). A stream without its end mark is an error in each format: a JSON array stays open, a
//! Parquet file has no footer.
//!
//! Only [`value`] knows how a value is written.

mod bars;
mod cells;
mod chart;
mod csv;
pub mod html;
mod json;
mod line;
mod marks;
mod parquet;
pub mod report;
mod rows;
mod special;
mod steps;
mod style;
mod svg;
mod table;
mod time;
mod value;
pub mod web;

use std::collections::HashSet;
use std::io::{Read, Write};

use anyhow::{Context, bail};
use arrow::array::RecordBatch;
use arrow::datatypes::{Fields, SchemaRef};
use arrow::ipc::reader::StreamReader;

use crate::cli::Format;
use crate::output;
pub use cells::{counted, with_separators};
pub use style::Style;
pub use table::Column;

/// The number of rows that a table shows; the others are only counted.
pub const TABLE_ROWS_MAX: usize = 1_000;

/// Refuses a format that stdout cannot take, before the question is asked.
pub fn check(format: Format) -> anyhow::Result<()> {
    if format == Format::Parquet && output::is_terminal() {
        bail!("a terminal cannot show a Parquet file\nhint: write it to a file: --format parquet > answer.parquet");
    }
    Ok(())
}

/// Writes the rows of an Arrow IPC stream to stdout.
pub fn print_rows(ipc: impl Read, format: Format) -> anyhow::Result<()> {
    check(format)?;
    match format {
        Format::Table => write_rows(ipc, format, &Style::of_stdout(), &mut output::page()),
        _ => write_rows(ipc, format, &Style::PLAIN, &mut output::stdout()),
    }
}

/// The text, or its beginning and an ellipsis; never wider than `width` columns.
pub fn cut(text: &str, width: usize) -> String {
    table::cut(text, width)
}

/// The text with spaces to `width` columns, on its left if it stands right.
pub fn pad(text: &str, width: usize, stands_right: bool) -> String {
    let space = " ".repeat(width.saturating_sub(unicode_width::UnicodeWidthStr::width(text)));
    if stands_right { space + text } else { text.to_owned() + &space }
}

/// Writes tables to stdout for people, with an empty line between two.
pub fn print_columns(tables: Vec<Vec<Column>>) -> anyhow::Result<()> {
    let (style, mut out) = (Style::of_stdout(), output::page());
    for (n, mut columns) in tables.into_iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        match style.width {
            Some(width) if !table::may_fit(&columns, width) => {
                let rows = columns.first().map_or(0, |column| column.cells.len());
                table::write_records(&columns, rows, width, &style, &mut out)?;
            }
            _ => table::write_columns(&mut columns, &style, &mut out)?,
        }
    }
    Ok(out.flush()?)
}

/// Writes names and texts for people, a line each; a text that is too long for it goes on below itself.
pub fn print_fields<'a>(
    fields: impl IntoIterator<Item = (&'a str, String)>,
    style: &Style,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let columns: Vec<Column> = fields
        .into_iter()
        .map(|(name, text)| Column { title: name.to_owned(), cells: vec![text], right: false })
        .collect();
    table::write_records(&columns, 1, style.width.unwrap_or(usize::MAX / 2), style, out)
}

/// Writes the rows of an Arrow IPC stream for a program.
pub fn write_plain(ipc: impl Read, format: Format, out: &mut dyn Write) -> anyhow::Result<()> {
    write_rows(ipc, format, &Style::PLAIN, out)
}

fn write_rows(ipc: impl Read, format: Format, style: &Style, out: &mut dyn Write) -> anyhow::Result<()> {
    let answer = Answer::new(ipc)?;
    match format {
        Format::Table => table::write(answer, style, out),
        Format::Csv => csv::write(answer, out),
        Format::Json => json::write_array(answer, out),
        Format::Ndjson => json::write_lines(answer, out),
        Format::Parquet => parquet::write(answer, out),
    }
}

/// Reads a small answer into one batch.
pub fn read_rows(ipc: &[u8]) -> anyhow::Result<RecordBatch> {
    let answer = Answer::new(ipc)?;
    let schema = answer.schema();
    let batches = answer.collect::<anyhow::Result<Vec<_>>>()?;
    arrow::compute::concat_batches(&schema, &batches).context("read the answer")
}

/// The batches of an answer.
struct Answer<R: Read> {
    reader: StreamReader<Ending<R>>,
    /// The columns' names, made unique with a number because a JSON object cannot have two members of one name.
    names: Vec<String>,
}

impl<R: Read> Answer<R> {
    fn new(ipc: R) -> anyhow::Result<Answer<R>> {
        let reader = StreamReader::try_new(Ending { stream: ipc, is_short: false }, None).context("read the answer")?;
        let names = unique_names(reader.schema().fields());
        Ok(Answer { reader, names })
    }

    fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }
}

impl<R: Read> Iterator for Answer<R> {
    type Item = anyhow::Result<RecordBatch>;

    fn next(&mut self) -> Option<anyhow::Result<RecordBatch>> {
        match self.reader.next() {
            Some(batch) => Some(batch.context("read the answer")),
            None if self.reader.get_ref().is_short => Some(Err(anyhow::anyhow!("the answer broke off"))),
            None => None,
        }
    }
}

/// A stream that remembers whether it was read beyond its end. Arrow's reader stops at the end mark, but also takes
/// the end of a cut stream for one.
struct Ending<R> {
    stream: R,
    is_short: bool,
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.is_short |= read == 0 && !buffer.is_empty();
        Ok(read)
    }
}

/// `a`, `a_1`, `a_2` for three columns or members `a`, as DuckDB names them in its own files.
fn unique_names(fields: &Fields) -> Vec<String> {
    let mut taken: HashSet<String> = fields.iter().map(|field| field.name().clone()).collect();
    let mut seen = HashSet::new();
    let name = |name: &String| match seen.insert(name.clone()) {
        true => name.clone(),
        false => {
            let free = (1..).map(|number| format!("{name}_{number}")).find(|name| !taken.contains(name));
            let free = free.expect("numbers do not end");
            taken.insert(free.clone());
            free
        }
    };
    fields.iter().map(|field| field.name()).map(name).collect()
}

#[cfg(test)]
mod tests;
