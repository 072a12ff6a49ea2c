//! The printed tables, in Markdown, so that they can be copied into a document.

use std::time::Duration;

/// A table of text.
pub struct Sheet {
    rows: Vec<Vec<String>>,
}

impl Sheet {
    /// An empty table with these columns.
    pub fn new(head: &[&str]) -> Sheet {
        Sheet { rows: vec![head.iter().map(|&name| name.to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Prints it under a title; the first column is text, the others are figures.
    pub fn print(&self, title: &str) {
        let columns = self.rows[0].len();
        let widths: Vec<usize> = (0..columns)
            .map(|at| {
                self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        println!("{title}\n");
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = (0..columns)
                .map(|at| {
                    let (cell, width) = (row.get(at).map_or("", String::as_str), widths[at]);
                    if at == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                })
                .collect();
            println!("| {} |", cells.join(" | "));
            if number == 0 {
                let rules = widths.iter().enumerate().map(|(at, width)| match at {
                    0 => "-".repeat(width + 2),
                    _ => format!("{}:", "-".repeat(width + 1)),
                });
                println!("|{}|", rules.collect::<Vec<_>>().join("|"));
            }
        }
        println!();
    }
}

/// A figure with thousands separators.
pub fn count(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in milliseconds.
pub fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}

/// A size in megabytes of a million bytes.
pub fn mb(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// A figure as a share or a multiple of another.
pub fn ratio(part: f64, whole: f64) -> String {
    format!("{:.2}", part / whole)
}

/// `yes` or `no`, for a budget.
pub fn met(is_met: bool) -> String {
    if is_met { "yes" } else { "no" }.to_owned()
}

/// An empty cell.
pub fn none() -> String {
    "–".to_owned()
}
