//! The printed tables, in Markdown, so that they can be copied into a document.

use std::time::Duration;

/// A table of text.
pub(crate) struct Sheet {
    rows: Vec<Vec<String>>,
}

impl Sheet {
    /// An empty table with these columns.
    pub(crate) fn new(head: &[&str]) -> Sheet {
        Sheet { rows: vec![head.iter().map(|&name| name.to_owned()).collect()] }
    }

    /// Adds a row; an empty cell is a dash.
    pub(crate) fn row<const N: usize>(&mut self, cells: [&str; N]) {
        let cell = |cell: &str| if cell.is_empty() { "–".to_owned() } else { cell.to_owned() };
        self.rows.push(cells.into_iter().map(cell).collect());
    }

    /// Prints it under a title; the first column is text, the others are figures.
    pub(crate) fn print(&self, title: &str) {
        let columns = self.rows[0].len();
        let width = |at: usize| self.rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        println!("{title}\n");
        for (number, row) in self.rows.iter().enumerate() {
            let cell = |(at, width): (usize, &usize)| match at {
                0 => format!("{:<width$}", row[at]),
                _ => format!("{:>width$}", row[at]),
            };
            println!("| {} |", widths.iter().enumerate().map(cell).collect::<Vec<_>>().join(" | "));
            if number == 0 {
                let rule = |(at, width): (usize, &usize)| match at {
                    0 => "-".repeat(width + 2),
                    _ => format!("{}:", "-".repeat(width + 1)),
                };
                println!("|{}|", widths.iter().enumerate().map(rule).collect::<Vec<_>>().join("|"));
            }
        }
        println!();
    }
}

/// A figure with thousands separators.
pub(crate) fn count(figure: f64) -> String {
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

/// A figure with two digits behind the point.
pub(crate) fn figure(figure: f64) -> String {
    format!("{figure:.2}")
}

/// A time in milliseconds.
pub(crate) fn ms(time: Duration) -> String {
    count(time.as_secs_f64() * 1e3)
}

/// A time in seconds.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64())
}

/// A size in megabytes of a million bytes.
pub(crate) fn mb(bytes: u64) -> String {
    count(bytes as f64 / 1e6)
}

/// `yes` or `no`, for a budget.
pub(crate) fn met(is_met: bool) -> String {
    if is_met { "yes" } else { "no" }.to_owned()
}
