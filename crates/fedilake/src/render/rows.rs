//! The rows of a report as texts and numbers, by the names of their columns.

use std::collections::BTreeMap;

use anyhow::Context;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field};

use super::cells;
use super::table::Column;

/// Rows as texts, by column.
pub(super) struct Rows<'a> {
    pub rows: &'a RecordBatch,
    texts: BTreeMap<&'a str, Vec<String>>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(rows: &'a RecordBatch) -> anyhow::Result<Rows<'a>> {
        let columns = rows.schema_ref().fields().iter().zip(rows.columns());
        let texts = columns.map(|(field, column)| {
            let cells = cells::as_line(field, column)?.into_iter();
            let cells = cells.map(|cell| match cell {
                Some(cell) if cells::is_number(field) => cells::with_separators(&rounded_in(field, cell)),
                Some(cell) if field.data_type() == &DataType::Date32 => day(cell),
                Some(cell) => cell.trim_start_matches("https://").to_owned(),
                None => cells::NULL.to_owned(),
            });
            Ok((field.name().as_str(), cells.collect()))
        });
        Ok(Rows { rows, texts: texts.collect::<anyhow::Result<_>>()? })
    }

    pub(super) fn texts(&self, name: &str) -> anyhow::Result<&[String]> {
        Ok(self.texts.get(name).with_context(|| format!("the report has no column {name}"))?)
    }

    pub(super) fn floats(&self, name: &str) -> anyhow::Result<Vec<f64>> {
        cells::as_floats(self.rows.column_by_name(name).with_context(|| format!("the report has no column {name}"))?)
    }

    fn column(&self, field: &Field) -> anyhow::Result<Column> {
        let cells = self.texts(field.name())?.to_vec();
        Ok(Column { title: words(field.name()), cells, right: cells::is_number(field) })
    }

    /// True if the column's numbers are whole, as counts are.
    pub(super) fn is_count(&self, name: &str) -> bool {
        self.rows.column_by_name(name).is_some_and(|column| column.data_type().is_integer())
    }

    /// Every column.
    pub(super) fn all(&self) -> anyhow::Result<Vec<Column>> {
        self.without(&[])
    }

    /// Every column with a value in any row.
    pub(super) fn filled(&self) -> anyhow::Result<Vec<Column>> {
        let columns = self.rows.schema_ref().fields().iter().zip(self.rows.columns());
        let filled = columns.filter(|(_, column)| column.null_count() < column.len());
        filled.map(|(field, _)| self.column(field)).collect()
    }

    /// Every column but these.
    pub(super) fn without(&self, names: &[&String]) -> anyhow::Result<Vec<Column>> {
        let fields = self.rows.schema_ref().fields().iter();
        let shown = fields.filter(|field| !names.contains(&field.name()));
        shown.map(|field| self.column(field)).collect()
    }
}

/// A column's name as people say it.
pub(super) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// A number of a column of fractions rounded, any other one unchanged.
fn rounded_in(field: &Field, number: String) -> String {
    match number.parse::<f64>() {
        Ok(value) if field.data_type().is_floating() && value.is_finite() => rounded(value),
        _ => number,
    }
}

/// A fraction with three significant digits, or with none behind the point where it is great.
pub(super) fn rounded(value: f64) -> String {
    match value.abs() {
        great if great >= 100.0 => format!("{value:.0}"),
        great if great >= 10.0 => format!("{value:.1}"),
        great if great >= 1.0 || great == 0.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A date as `2023/02/03 Fri`.
fn day(date: String) -> String {
    match date.parse::<chrono::NaiveDate>() {
        Ok(day) => day.format("%Y/%m/%d %a").to_string(),
        Err(_) => date,
    }
}

/// The texts, each once, in the order in which they come first.
pub(super) fn distinct(texts: &[String]) -> Vec<&str> {
    let mut seen = std::collections::HashSet::new();
    texts.iter().map(String::as_str).filter(|text| seen.insert(*text)).collect()
}
