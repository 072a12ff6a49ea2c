//! Marks: how the columns of a report's rows become a drawing.

use serde::{Deserialize, Serialize};

/// A way to draw rows. Each field but `kind` names a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Mark {
    /// The values of one row, each with its column's name.
    Figures {
        /// The values, in the order in which they are shown.
        columns: Vec<String>,
    },
    /// A line over a time or a number.
    Line {
        /// A date, a time or a number, ascending.
        x: String,
        /// A number.
        y: String,
        /// The name of a line, where there are several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        series: Option<String>,
    },
    /// Horizontal bars from zero.
    Bars {
        /// A name.
        x: String,
        /// A number.
        y: String,
        /// The name of a part of the bar, where bars are stacked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        series: Option<String>,
    },
    /// Cells of a grid, darker for greater values.
    Heat {
        /// A column of the grid.
        x: String,
        /// A row of the grid.
        y: String,
        /// A number.
        value: String,
    },
    /// Box plots: least, middle half with its median, most.
    Boxes {
        /// A name.
        y: String,
        /// The least value.
        min: String,
        /// The value that a quarter does not exceed.
        lower: String,
        /// The value that half does not exceed.
        median: String,
        /// The value that three quarters do not exceed.
        upper: String,
        /// The greatest value.
        max: String,
    },
    /// The rows as they are.
    Table {},
}

impl Mark {
    /// The columns that the mark names.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Mark::Figures { columns } => columns.iter().map(String::as_str).collect(),
            Mark::Line { x, y, series } | Mark::Bars { x, y, series } => {
                [Some(x), Some(y), series.as_ref()].into_iter().flatten().map(String::as_str).collect()
            }
            Mark::Heat { x, y, value } => vec![x, y, value],
            Mark::Boxes { y, min, lower, median, upper, max } => vec![y, min, lower, median, upper, max],
            Mark::Table {} => Vec::new(),
        }
    }
}
