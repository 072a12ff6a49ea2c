//! Bars, sparklines and box plots of block characters.

const EIGHTHS: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A zero in a chart, where a gap is a missing value.
pub(super) const ZERO: char = '·';

/// A bar of eighths of a column for `value`; `most` fills `width` columns. A value above zero is always visible.
pub(super) fn bar(value: f64, most: f64, width: usize) -> String {
    if !(value > 0.0 && most > 0.0) {
        return String::new();
    }
    let eighths = ((value / most).min(1.0) * width as f64 * 8.0).round().max(1.0) as usize;
    let mut bar: String = std::iter::repeat_n(EIGHTHS[7], eighths / 8).collect();
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8 - 1]);
    }
    bar
}

/// One character for each value, as high as the value relative to `most`; a gap for a missing value.
pub(super) fn sparkline(values: &[f64], most: f64) -> String {
    let height = |value: f64| match value {
        v if v.is_nan() => ' ',
        v if v <= 0.0 || most <= 0.0 => ' ',
        v => HEIGHTS[((v / most).min(1.0) * 8.0).ceil() as usize - 1],
    };
    values.iter().map(|value| height(*value)).collect()
}

/// One of `lines` lines of a chart, counted from the lowest: a character for each value, which is as high as the value
/// relative to `most`. A zero is a dot in the lowest line, a missing value a gap.
pub(super) fn chart_line(values: &[f64], most: f64, lines: usize, line: usize) -> String {
    let height = |value: f64| match value {
        v if v.is_nan() => ' ',
        v if v <= 0.0 || most <= 0.0 => [ZERO, ' '][line.min(1)],
        v => {
            let eighths = ((v / most).min(1.0) * (lines * 8) as f64).ceil() as usize;
            match eighths.saturating_sub(line * 8) {
                0 => ' ',
                above => HEIGHTS[above.min(8) - 1],
            }
        }
    };
    values.iter().map(|value| height(*value)).collect()
}

/// The five numbers of a box plot, ascending.
#[derive(Debug, Clone, Copy)]
pub(super) struct FiveNumbers {
    pub min: f64,
    pub lower: f64,
    pub median: f64,
    pub upper: f64,
    pub max: f64,
}

/// A box plot with `width` columns, on a logarithmic axis from 0 to `most`: `├──▒▒┃▒▒▒────┤`.
pub(super) fn box_plot(five: FiveNumbers, most: f64, width: usize) -> String {
    let at = |value: f64| log_position(value, most, width);
    let (min, lower, median, upper, max) =
        (at(five.min), at(five.lower), at(five.median), at(five.upper), at(five.max));
    (0..=max)
        .map(|column| match column {
            c if c == median => '┃',
            c if c >= lower && c <= upper => '▒',
            c if c == min => '├',
            c if c == max => '┤',
            c if c > min => '─',
            _ => ' ',
        })
        .collect()
}

/// The axis of [`box_plot`], labelled at those of the given values that fit side by side. A label begins at its
/// value; the last one may end there instead.
pub(super) fn log_axis(ticks: &[f64], most: f64, width: usize) -> String {
    let mut axis = String::new();
    for tick in ticks.iter().filter(|tick| **tick <= most) {
        let (column, label) = (log_position(*tick, most, width), super::cells::with_separators(&format!("{tick}")));
        let start = column.min(width.saturating_sub(label.len()));
        if axis.is_empty() || axis.len() < start {
            axis.extend(std::iter::repeat_n(' ', start.saturating_sub(axis.len())));
            axis.push_str(&label);
        }
    }
    axis
}

fn log_position(value: f64, most: f64, width: usize) -> usize {
    let scaled = (value.max(0.0) + 1.0).ln() / (most.max(1.0) + 1.0).ln();
    (scaled * (width.saturating_sub(1)) as f64).round() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_never_invisible() {
        assert_eq!(bar(10.0, 10.0, 3), "███");
        assert_eq!(bar(5.0, 10.0, 3), "█▌");
        assert_eq!(bar(0.001, 10.0, 3), "▏");
        assert_eq!(bar(0.0, 10.0, 3), "");
        assert_eq!(bar(20.0, 10.0, 3), "███");
    }

    #[test]
    fn a_sparkline_leaves_a_gap_where_there_is_no_value() {
        assert_eq!(sparkline(&[0.1, f64::NAN, 8.0, 4.0], 8.0), "▁ █▄");
    }

    #[test]
    fn a_line_of_a_chart_has_the_part_of_each_value_that_reaches_into_it() {
        let values = [0.0, 0.01, f64::NAN, 1.0, 1.5, 2.0];
        assert_eq!(chart_line(&values, 2.0, 2, 1), "    ▄█");
        assert_eq!(chart_line(&values, 2.0, 2, 0), "·▁ ███");
        assert_eq!(chart_line(&values, 2.0, 1, 0), "·▁ ▄▆█");
        assert_eq!(chart_line(&[0.0, 0.0, f64::NAN], 0.0, 1, 0), "·· ");
    }

    #[test]
    fn an_axis_ends_with_its_plot() {
        let ticks = [0.0, 10.0, 50.0, 140.0, 280.0, 500.0, 5_000.0, 50_000.0];
        for width in 1..100 {
            for most in [0.0, 9.0, 500.0, 5_000.0, 68_991.0] {
                let axis = log_axis(&ticks, most, width);
                assert!(axis.len() <= width, "{width} {most}: {axis:?}");
                assert!(axis.starts_with('0'), "{width} {most}: {axis:?}");
            }
        }
        assert_eq!(log_axis(&ticks, 500.0, 40), "0              10        50    140 280");
        assert_eq!(log_axis(&ticks, 50_000.0, 40), "0        10   50  140 500      5,000");
    }

    #[test]
    fn a_box_plot_has_its_parts_in_order() {
        let plot = box_plot(FiveNumbers { min: 0.0, lower: 20.0, median: 80.0, upper: 200.0, max: 5000.0 }, 5000.0, 30);
        assert_eq!(plot, "├─────────▒▒▒▒▒┃▒▒▒──────────┤");
    }
}
