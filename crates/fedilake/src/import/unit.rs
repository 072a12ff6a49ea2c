//! The unit of a time column that does not say it.

use chrono::{DateTime, TimeDelta, Utc};

/// The unit of a column of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

pub(super) const UNITS: [Unit; 4] = [Unit::Seconds, Unit::Milliseconds, Unit::Microseconds, Unit::Nanoseconds];

impl Unit {
    /// Whole seconds since 1970.
    fn seconds(self, number: i64) -> i64 {
        number.div_euclid(self.of_a_second())
    }

    /// The moment that is so long after 1970.
    pub(super) fn moment(self, number: i64) -> Option<DateTime<Utc>> {
        let rest = number.rem_euclid(self.of_a_second()) * (1_000_000_000 / self.of_a_second());
        DateTime::from_timestamp(self.seconds(number), u32::try_from(rest).ok()?)
    }

    /// The same for a number with a fraction, to the microsecond.
    pub(super) fn moment_of_fraction(self, number: f64) -> Option<DateTime<Utc>> {
        // Beyond the range of an integer this is its end, which no moment is.
        DateTime::from_timestamp_micros((number / self.of_a_second() as f64 * 1e6).round() as i64)
    }

    fn of_a_second(self) -> i64 {
        match self {
            Unit::Seconds => 1,
            Unit::Milliseconds => 1_000,
            Unit::Microseconds => 1_000_000,
            Unit::Nanoseconds => 1_000_000_000,
        }
    }
}

/// Evidence of a whole column: for each unit how many numbers are a moment of the fediverse's years, and how many are the time
/// that the same row has written out. No number is such a moment in two units.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    numbers: u64,
    plausible: [u64; UNITS.len()],
    compared: u64,
    written_out: [u64; UNITS.len()],
}

/// Seconds from 2008, when the first server of the kind began, to 2100.
pub(super) const YEARS: std::ops::Range<i64> = 1_199_145_600..4_102_444_800;
/// The text may be of any time zone.
pub(super) const ZONE_MAX: TimeDelta = TimeDelta::hours(15);

impl Evidence {
    /// Adds a row: its number, and its time as written out.
    pub(super) fn add(&mut self, number: i64, written: Option<DateTime<Utc>>) {
        self.numbers += 1;
        self.compared += u64::from(written.is_some());
        for (at, unit) in UNITS.into_iter().enumerate() {
            let seconds = unit.seconds(number);
            self.plausible[at] += u64::from(YEARS.contains(&seconds));
            let moment = DateTime::from_timestamp(seconds, 0);
            let is_written = moment.zip(written).is_some_and(|(moment, written)| (moment - written).abs() <= ZONE_MAX);
            self.written_out[at] += u64::from(is_written);
        }
    }

    /// The unit that half of the rows or more speak for, and more than for any other; None if there is none.
    pub(super) fn unit(&self) -> Option<Unit> {
        if self.numbers == 0 {
            return Some(Unit::Seconds);
        }
        winner(&self.written_out, self.compared).or_else(|| winner(&self.plausible, self.numbers))
    }
}

fn winner(votes: &[u64; UNITS.len()], voters: u64) -> Option<Unit> {
    let most = *votes.iter().max()?;
    let mut units = UNITS.into_iter().zip(votes).filter(|(_, votes)| **votes == most).map(|(unit, _)| unit);
    let (first, other) = (units.next(), units.next());
    first.filter(|_| other.is_none() && most > 0 && most * 2 >= voters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_what_most_rows_speak_for() {
        let second = 1_675_422_000_i64;
        let written = DateTime::from_timestamp(second + 3_600, 0);
        let early = DateTime::from_timestamp(86_400, 0);
        type Row = (i64, Option<DateTime<Utc>>);
        let cases: &[(&[Row], Option<Unit>)] = &[
            (&[], Some(Unit::Seconds)),
            (&[(second, None)], Some(Unit::Seconds)),
            (&[(second * 1_000, written)], Some(Unit::Milliseconds)),
            (&[(second * 1_000_000, None), (0, None), (second * 1_000_000, None)], Some(Unit::Microseconds)),
            (&[(second * 1_000_000_000, None), (7, written)], Some(Unit::Nanoseconds)),
            (&[(second, None), (second * 1_000, None)], None),
            (&[(second * 1_000_000_000, written), (7, None)], Some(Unit::Nanoseconds)),
            // The text decides where the number alone would be in no year.
            (&[(86_400_000, early)], Some(Unit::Milliseconds)),
            (&[(5, None), (-1, None), (i64::MAX, None), (i64::MIN, None)], None),
        ];
        for (rows, expected) in cases {
            let mut evidence = Evidence::default();
            rows.iter().for_each(|(number, written)| evidence.add(*number, *written));
            assert_eq!(evidence.unit(), *expected, "{rows:?}");
        }
    }
}
