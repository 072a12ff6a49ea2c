//! How many posts a minute come, by the minute that is over and the one that runs.

use chrono::{DateTime, Utc};

/// Counts of two minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// The number of the running minute since 1970.
    minute: i64,
    /// Posts of the minute before, and of the running one.
    before: u64,
    running: u64,
}

impl Pace {
    /// Counts a post that came at `now`.
    pub(crate) fn count(&mut self, now: DateTime<Utc>) {
        self.turn(now);
        self.running += 1;
    }

    /// The posts of the 60 s before `now`, where those of the minute before count as spread evenly.
    pub(crate) fn a_minute(mut self, now: DateTime<Utc>) -> f64 {
        self.turn(now);
        let share = now.timestamp_millis().rem_euclid(MINUTE_MS) as f64 / MINUTE_MS as f64;
        self.before as f64 * (1.0 - share) + self.running as f64
    }

    fn turn(&mut self, now: DateTime<Utc>) {
        let minute = now.timestamp_millis().div_euclid(MINUTE_MS);
        if minute == self.minute {
            return;
        }
        self.before = if minute == self.minute + 1 { self.running } else { 0 };
        self.running = 0;
        self.minute = minute;
    }
}

const MINUTE_MS: i64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_700_000_040_000 + ms).expect("a time of this century")
    }

    #[test]
    fn the_last_minute_counts_and_none_before_it() {
        let mut pace = Pace::default();
        assert!(pace.a_minute(at(0)).abs() < 1e-9);
        (0..60).for_each(|second| pace.count(at(second * 1_000)));
        assert!((pace.a_minute(at(59_999)) - 60.0).abs() < 0.1);
        assert!((pace.a_minute(at(90_000)) - 30.0).abs() < 0.1);
        (60..90).for_each(|second| pace.count(at(second * 1_000)));
        assert!((pace.a_minute(at(90_000)) - 60.0).abs() < 0.1);
        assert!(pace.a_minute(at(180_000)).abs() < 1e-9, "two minutes later");
    }
}
