//! Times of day at which people post.

use super::targets::{DAY_MS, DayTarget};
use crate::dice::Dice;

/// Posts by local hour: least before dawn, most in the evening.
const BY_LOCAL_HOUR: [f64; 24] = [
    0.38, 0.24, 0.16, 0.12, 0.12, 0.18, 0.34, 0.56, 0.76, 0.88, 0.95, 0.98, 1.0, 0.98, 0.96, 0.97, 1.0, 1.04, 1.08,
    1.12, 1.16, 1.12, 0.92, 0.62,
];
const QUARTERS: usize = 96;
const QUARTER_MS: f64 = DAY_MS as f64 / QUARTERS as f64;
const HOURS_AHEAD_MIN: i8 = -13;
const ZONES: usize = 28;

/// Draws times of one day.
pub(crate) struct Hours {
    window_ms: (f64, f64),
    /// Cumulative weights of the window's quarters, for each time zone.
    up_to: Vec<[f64; QUARTERS]>,
}

impl Hours {
    pub(crate) fn of(day: &DayTarget) -> Hours {
        let window_ms = (f64::from(day.window_minutes.0) * 60_000.0, f64::from(day.window_minutes.1) * 60_000.0);
        let zone = |zone: usize| {
            let mut sum = 0.0;
            std::array::from_fn(|quarter| {
                let (from, to) = clipped(quarter, window_ms);
                let local = (quarter / 4 + 48 + zone).wrapping_add_signed(isize::from(HOURS_AHEAD_MIN)) % 24;
                sum += BY_LOCAL_HOUR[local] * (to - from).max(0.0);
                sum
            })
        };
        Hours { window_ms, up_to: (0..ZONES).map(zone).collect() }
    }

    /// Milliseconds since midnight UTC.
    pub(crate) fn draw(&self, hours_ahead: i8, dice: &mut Dice) -> u32 {
        let zone = (hours_ahead - HOURS_AHEAD_MIN) as usize;
        let up_to = &self.up_to[zone.min(ZONES - 1)];
        let at = dice.unit() * up_to[QUARTERS - 1];
        let quarter = up_to.partition_point(|up_to| *up_to <= at).min(QUARTERS - 1);
        let (from, to) = clipped(quarter, self.window_ms);
        (from + dice.unit() * (to - from)) as u32
    }

    /// The last millisecond in which anything is seen.
    pub(crate) fn last_ms(&self) -> u32 {
        self.window_ms.1 as u32 - 1
    }
}

fn clipped(quarter: usize, window_ms: (f64, f64)) -> (f64, f64) {
    let from = quarter as f64 * QUARTER_MS;
    (from.max(window_ms.0), (from + QUARTER_MS).min(window_ms.1))
}
