//! Scales: from values to places, with round ticks.

/// A linear scale from `least` to `most`, on places from `start` to `end`.
#[derive(Clone, Copy)]
pub(super) struct Linear {
    pub least: f64,
    pub most: f64,
    pub start: f64,
    pub end: f64,
}

impl Linear {
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = if self.most > self.least { (value - self.least) / (self.most - self.least) } else { 0.0 };
        self.start + share * (self.end - self.start)
    }
}

/// About `count` round values within a range: 1, 2 or 5 times a power of ten apart.
pub(super) fn ticks(least: f64, most: f64, count: usize) -> Vec<f64> {
    let span = most - least;
    if !(span.is_finite() && span > 0.0) {
        return vec![least];
    }
    let rough = span / count.max(1) as f64;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (least / step).ceil() as i64;
    let last = (most / step + 1e-9).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

/// A number as axes show it: `1.62M`, `12k`, `0.5`.
pub(super) fn label(value: f64) -> String {
    let (value, unit) = match value.abs() {
        great if great >= 1e9 => (value / 1e9, "G"),
        great if great >= 1e6 => (value / 1e6, "M"),
        great if great >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{value:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        for (least, most, count, expected) in [
            (0.0, 100.0, 5, vec![0.0, 20.0, 40.0, 60.0, 80.0, 100.0]),
            (0.0, 13_218.0, 3, vec![0.0, 5_000.0, 10_000.0]),
            (3.0, 3.0, 5, vec![3.0]),
            (-1.0, 1.0, 4, vec![-1.0, -0.5, 0.0, 0.5, 1.0]),
        ] {
            assert_eq!(ticks(least, most, count), expected, "{least} to {most}");
        }
        assert_eq!(ticks(0.0, f64::NAN, 5), [0.0]);
    }

    #[test]
    fn numbers_on_axes_are_short() {
        for (value, text) in [(0.0, "0"), (0.5, "0.5"), (9_999.0, "9999"), (12_000.0, "12k"), (1_622_149.0, "1.62M")] {
            assert_eq!(label(value), text);
        }
    }
}
