//! The time of receipt of a row, of its two columns.
//!
//! Nothing was received before the fediverse began, or later than the import: a time there is none, as where a clock was not set (1970) or
//! a column has numbers of two units. A number that is no time of receipt in the file's unit is read in the only other one in which it is
//! one, unless the time beside it, written out, says otherwise.

use chrono::{DateTime, TimeDelta, Utc};
use fedilake_model::Moment;

use super::time::Time;
use super::unit::{UNITS, Unit, YEARS, ZONE_MAX};

/// A clock may be ahead of this one by so much, as of a replayed frame.
const CLOCKS_APART_MAX: TimeDelta = TimeDelta::seconds(30);

/// Reads times of receipt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipts {
    /// The unit of most numbers of the file.
    pub(super) unit: Unit,
    /// The moment of the import.
    pub(super) now: DateTime<Utc>,
}

impl Receipts {
    /// The times in a row's `created_at` and `created_at_str`. The second is written in some time zone, and counts as UTC.
    pub(super) fn moments(&self, created_at: Time, created_at_str: Time) -> (Moment, Moment) {
        let written = self.moment(created_at_str, Unit::Seconds, ZONE_MAX, None);
        (self.moment(created_at, self.unit, CLOCKS_APART_MAX, written.at()), written)
    }

    fn moment(&self, time: Time, unit: Unit, ahead_max: TimeDelta, beside: Option<DateTime<Utc>>) -> Moment {
        let said = self.possible(time.moment(unit), ahead_max);
        if said != Moment::Unreadable || time.number().is_none() {
            return said;
        }
        let by_itself = UNITS.into_iter().find_map(|unit| self.possible(time.moment(unit), ahead_max).at());
        let agrees = |moment: &DateTime<Utc>| beside.is_none_or(|beside| (*moment - beside).abs() <= ZONE_MAX);
        by_itself.filter(agrees).map_or(Moment::Unreadable, Moment::At)
    }

    /// The moment, if something may have been received then; one that is ahead by no more than `ahead_max` is now.
    fn possible(&self, moment: Moment, ahead_max: TimeDelta) -> Moment {
        match moment {
            Moment::At(at) if at.timestamp() < YEARS.start || at - self.now > ahead_max => Moment::Unreadable,
            Moment::At(at) => Moment::At(at.min(self.now)),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_675_420_800;

    #[test]
    fn a_time_of_receipt_is_between_the_first_server_and_the_import() {
        let now = DateTime::from_timestamp(SECOND + 1_000_000, 0).unwrap();
        let of = |second: i64| DateTime::from_timestamp(second, 0).map_or(Moment::Missing, Moment::At);
        let said = |second: i64| Time::Said(of(second));
        let (at, none, unreadable) = (of(SECOND), Time::Said(Moment::Missing), Moment::Unreadable);
        let in_a_while = |seconds: i64| now.timestamp() + seconds;
        let cases: Vec<(Unit, Time, Time, Moment)> = vec![
            (Unit::Seconds, Time::Whole(SECOND), none, at),
            (Unit::Seconds, said(SECOND), none, at),
            // In another unit than the file's.
            (Unit::Seconds, Time::Whole(SECOND * 1_000), none, at),
            (Unit::Milliseconds, Time::Whole(SECOND), none, at),
            (Unit::Milliseconds, Time::Whole(SECOND), said(SECOND + 7 * 3_600), at),
            (Unit::Nanoseconds, Time::Whole(SECOND * 1_000_000), said(SECOND), at),
            (Unit::Milliseconds, Time::Fraction(SECOND as f64), none, at),
            (Unit::Milliseconds, Time::Whole(SECOND), said(SECOND - 86_400), unreadable),
            // No time in any unit.
            (Unit::Seconds, Time::Whole(0), said(SECOND), unreadable),
            (Unit::Seconds, Time::Whole(-1), none, unreadable),
            (Unit::Milliseconds, Time::Whole(7), none, unreadable),
            (Unit::Seconds, Time::Whole(i64::MAX), none, unreadable),
            (Unit::Seconds, Time::Whole(i64::MIN), none, unreadable),
            (Unit::Seconds, Time::Fraction(0.5), none, unreadable),
            (Unit::Seconds, said(0), said(0), unreadable),
            // Later than the import.
            (Unit::Seconds, Time::Whole(4_070_908_800), said(SECOND), unreadable),
            (Unit::Seconds, said(4_070_908_800), none, unreadable),
            (Unit::Seconds, said(in_a_while(31)), none, unreadable),
            (Unit::Seconds, said(in_a_while(30)), none, of(now.timestamp())),
            (Unit::Seconds, none, none, Moment::Missing),
        ];
        for (unit, created_at, created_at_str, expected) in cases {
            let (found, _) = Receipts { unit, now }.moments(created_at, created_at_str);
            assert_eq!(found, expected, "{unit:?} {created_at:?} {created_at_str:?}");
        }
        // The text may be of a time zone that is ahead.
        let receipts = Receipts { unit: Unit::Seconds, now };
        for (text, expected) in [
            (said(in_a_while(14 * 3_600)), of(now.timestamp())),
            (said(in_a_while(16 * 3_600)), unreadable),
            (said(0), unreadable),
            (Time::Whole(SECOND * 1_000), at),
        ] {
            assert_eq!(receipts.moments(none, text).1, expected, "{text:?}");
        }
    }
}
