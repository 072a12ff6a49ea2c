//! The steps of a line over time, put together in the columns of a terminal.
//!
//! A column is a round length of time that ends where clocks and weeks do. Long empty times are left out, as report
//! `timeline` leaves them out itself: a recording of years ago and the present hour are both to be seen.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use chrono::DateTime;

use super::cells;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// Lengths of a column, beyond which they double.
const ROUND: [i64; 12] =
    [HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR, 6 * HOUR, 8 * HOUR, 12 * HOUR, DAY, 2 * DAY, 4 * DAY, WEEK, 2 * WEEK];
/// 1 January 1970 was a Thursday: counted from so long before it, weeks begin on Monday.
const MONDAY: i64 = 3 * DAY;
/// An empty time of more steps is left out.
const EMPTY_STEPS_MAX: i64 = 200;
/// The most stretches between empty times that are drawn; of more, those with most: old posts that somebody found or
/// dated wrongly take no room from the others.
const STRETCHES_MAX: usize = 4;

/// The times of the rows, in seconds since 1970.
pub(super) struct Times {
    of_rows: Vec<i64>,
    /// The least distance of two times, in seconds; none of a single time.
    pub step: Option<i64>,
    zone: &'static str,
}

impl Times {
    /// The times of a column. None if it has others than times, or a row without one.
    pub(super) fn of(column: &ArrayRef) -> Option<Times> {
        let zone = match column.data_type() {
            DataType::Date32 | DataType::Timestamp(_, None) => None,
            DataType::Timestamp(_, Some(zone)) => Some(zone.clone()),
            _ => return None,
        };
        let seconds = cast(column, &DataType::Timestamp(TimeUnit::Second, zone.clone())).ok()?;
        let seconds = cast(&seconds, &DataType::Int64).ok().filter(|seconds| seconds.null_count() == 0)?;
        let of_rows = seconds.as_primitive::<Int64Type>().values().to_vec();
        let mut sorted = of_rows.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let step = sorted.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).min();
        // Moments are shown in UTC in every format, times of a day in the zone that the report names.
        Some(Times { of_rows, step, zone: if zone.is_some() { " UTC" } else { "" } })
    }

    /// A time as people read it: the day, and the hour if steps are shorter than days.
    pub(super) fn label(&self, seconds: i64) -> String {
        let is_day = self.step.is_none_or(|step| step % DAY == 0) && seconds % DAY == 0;
        match DateTime::from_timestamp(seconds, 0) {
            Some(time) if is_day => time.format("%Y/%m/%d %a").to_string(),
            Some(time) => format!("{}{}", time.format("%Y/%m/%d %a %H:%M"), self.zone),
            None => "-".to_owned(),
        }
    }

    /// Every way to put the steps together, from the most columns to the fewest. `weights` says how much each row matters.
    pub(super) fn columns(&self, weights: &[f64]) -> impl Iterator<Item = Columns> {
        let step = self.step.unwrap_or(HOUR);
        let stretches = self.stretches(weights);
        let span = match (stretches.first(), stretches.last()) {
            (Some(first), Some(last)) => last.1.saturating_sub(first.0),
            _ => 0,
        };
        let longer = std::iter::successors(Some(4 * WEEK), |length| length.checked_mul(2));
        let round = ROUND.into_iter().chain(longer).filter(move |length| *length > step && length % step == 0);
        let lengths = std::iter::once(step).chain(round.take_while(move |length| length / 2 <= span));
        lengths.map(move |length| Columns::new(length, &stretches))
    }

    /// The first and the last time of each stretch that is drawn.
    fn stretches(&self, weights: &[f64]) -> Vec<(i64, i64)> {
        let mut rows: Vec<(i64, f64)> = self.with(weights).collect();
        rows.sort_by_key(|(time, _)| *time);
        let mut stretches: Vec<(i64, i64, f64)> = Vec::new();
        let longest = self.step.unwrap_or(HOUR).saturating_mul(EMPTY_STEPS_MAX);
        for (time, weight) in rows {
            let weight = if weight.is_nan() { 0.0 } else { weight };
            match stretches.last_mut() {
                Some((_, last, sum)) if time.saturating_sub(*last) <= longest => (*last, *sum) = (time, *sum + weight),
                _ => stretches.push((time, time, weight)),
            }
        }
        stretches.sort_by(|a, b| b.2.total_cmp(&a.2).then(b.0.cmp(&a.0)));
        stretches.truncate(STRETCHES_MAX);
        stretches.sort_by_key(|(first, _, _)| *first);
        stretches.into_iter().map(|(first, last, _)| (first, last)).collect()
    }

    /// Each row's time with its value.
    pub(super) fn with<'a>(&'a self, values: &'a [f64]) -> impl Iterator<Item = (i64, f64)> {
        self.of_rows.iter().copied().zip(values.iter().copied())
    }
}

/// Columns of one length, with one for each empty time that is left out.
pub(super) struct Columns {
    /// Seconds.
    pub length: i64,
    stretches: Vec<Stretch>,
}

struct Stretch {
    first: i64,
    last: i64,
    /// Its first column.
    begins: usize,
    count: usize,
}

impl Columns {
    fn new(length: i64, stretches: &[(i64, i64)]) -> Columns {
        let mut begins = 0;
        let stretch = |(first, last): &(i64, i64)| {
            let count = usize::try_from(number(*last, length) - number(*first, length) + 1).unwrap_or(usize::MAX);
            let stretch = Stretch { first: *first, last: *last, begins, count };
            begins = begins.saturating_add(count).saturating_add(1);
            stretch
        };
        Columns { length, stretches: stretches.iter().map(stretch).collect() }
    }

    /// The number of columns.
    pub(super) fn count(&self) -> usize {
        self.stretches.last().map_or(0, |last| last.begins.saturating_add(last.count))
    }

    /// The last time before and the first behind each empty time that is left out.
    pub(super) fn breaks(&self) -> Vec<(i64, i64)> {
        self.stretches.windows(2).map(|pair| (pair[0].last, pair[1].first)).collect()
    }

    /// The first and the last time.
    pub(super) fn ends(&self) -> Option<(i64, i64)> {
        Some((self.stretches.first()?.first, self.stretches.last()?.last))
    }

    /// The column of a time; none if the time is not drawn.
    pub(super) fn at(&self, time: i64) -> Option<usize> {
        let within = |stretch: &&Stretch| (stretch.first..=stretch.last).contains(&time);
        let stretch = self.stretches.iter().find(within)?;
        let ahead = number(time, self.length) - number(stretch.first, self.length);
        Some(stretch.begins + usize::try_from(ahead).ok()?)
    }

    /// The time at which a column begins; none for one that stands for an empty time.
    pub(super) fn begins_at(&self, column: usize) -> Option<i64> {
        let within = |stretch: &&Stretch| (stretch.begins..stretch.begins + stretch.count).contains(&column);
        let stretch = self.stretches.iter().find(within)?;
        let number = number(stretch.first, self.length) + i64::try_from(column - stretch.begins).ok()?;
        Some((number * self.length - MONDAY).max(stretch.first))
    }

    /// The value of each column: the sum of counts, the mean of other numbers, NaN without a value.
    pub(super) fn values(&self, rows: impl IntoIterator<Item = (i64, f64)>, are_counts: bool) -> Vec<f64> {
        let mut sums = vec![(0.0, 0_u32); self.count()];
        for (time, value) in rows {
            if let Some(column) = self.at(time).filter(|_| !value.is_nan()) {
                sums[column].0 += value;
                sums[column].1 += 1;
            }
        }
        let value = |(sum, number): (f64, u32)| match number {
            0 => f64::NAN,
            _ if are_counts => sum,
            number => sum / f64::from(number),
        };
        sums.into_iter().map(value).collect()
    }
}

/// The number of the length of time in which a time lies.
fn number(time: i64, length: i64) -> i64 {
    time.saturating_add(MONDAY).div_euclid(length)
}

/// A length of time in words: `an hour`, `4 hours`.
pub(super) fn length(seconds: i64) -> String {
    let units = [(WEEK, "a", "week"), (DAY, "a", "day"), (HOUR, "an", "hour"), (60, "a", "minute"), (1, "a", "second")];
    let (unit, article, word) = units.into_iter().find(|(unit, ..)| seconds % unit == 0).unwrap_or(units[4]);
    match seconds / unit {
        1 => format!("{article} {word}"),
        many => format!("{} {word}s", cells::with_separators(&many.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, Int64Array, TimestampMicrosecondArray};

    use super::*;

    /// Wednesday, 8 February 2023, 00:00.
    const START: i64 = 19_396 * DAY;

    fn times(seconds: impl IntoIterator<Item = i64>) -> Times {
        let micros: Vec<i64> = seconds.into_iter().map(|seconds| seconds * 1_000_000).collect();
        Times::of(&(Arc::new(TimestampMicrosecondArray::from(micros)) as ArrayRef)).unwrap()
    }

    fn fitting(times: &Times, width: usize) -> Columns {
        let weights = vec![1.0; times.of_rows.len()];
        times.columns(&weights).find(|columns| columns.count() <= width).unwrap()
    }

    #[test]
    fn a_column_is_as_short_as_the_width_allows_and_ends_with_a_clocks_hour() {
        let hours = times((0..100).map(|hour| START + (hour + 5) * HOUR));
        for (width, length, count) in [
            (100, HOUR, 100),
            (99, 2 * HOUR, 51),
            (50, 3 * HOUR, 34),
            (30, 4 * HOUR, 26),
            (10, 12 * HOUR, 9),
            (3, 2 * DAY, 3),
        ] {
            let columns = fitting(&hours, width);
            assert_eq!((columns.length, columns.count()), (length, count), "{width}");
            let begins: Vec<i64> = (0..columns.count()).filter_map(|column| columns.begins_at(column)).collect();
            assert_eq!(begins[0], START + 5 * HOUR, "{width}");
            assert!(length > DAY || begins[1..].iter().all(|begins| begins % length == 0), "{width}: {begins:?}");
        }
        let days = times((0..70).map(|day| START + day * DAY));
        let weeks = fitting(&days, 12);
        assert_eq!((weeks.length, weeks.count()), (WEEK, 11));
        assert_eq!(days.label(weeks.begins_at(1).unwrap()), "2023/02/13 Mon");
    }

    #[test]
    fn every_row_is_in_the_column_that_begins_at_or_before_it() {
        let hours = times((0..1_000).map(|hour| START + hour * HOUR));
        for width in 2..130 {
            let columns = fitting(&hours, width);
            for time in &hours.of_rows {
                let begins = columns.begins_at(columns.at(*time).unwrap()).unwrap();
                assert!((0..columns.length).contains(&(time - begins)), "{width}: {time}");
            }
        }
    }

    #[test]
    fn a_long_empty_time_is_one_column_and_a_short_one_a_hole() {
        let recorded = times([0, 1, 3, 204, 205].map(|hour| START + hour * HOUR));
        let columns = fitting(&recorded, 100);
        assert_eq!(columns.count(), 4 + 1 + 2);
        assert_eq!([0, 1, 3, 204, 205].map(|hour| columns.at(START + hour * HOUR)), [0, 1, 3, 5, 6].map(Some));
        assert_eq!(columns.begins_at(2), Some(START + 2 * HOUR));
        assert_eq!(columns.begins_at(4), None);
        assert_eq!(columns.at(START + 100 * HOUR), None);
        let values = columns.values(recorded.with(&[1.0; 5]), true);
        assert_eq!(format!("{values:?}"), "[1.0, 1.0, NaN, 1.0, NaN, 1.0, 1.0]");
    }

    #[test]
    fn stretches_with_few_posts_make_room_for_those_with_many() {
        let years = (0..9).map(|year| START + year * 365 * DAY);
        let old = times(years.chain((1..9).map(|hour| START + hour * HOUR)));
        let weights: Vec<f64> = (0..17).map(|row| if row == 0 || row > 8 { 1_000.0 } else { row as f64 }).collect();
        let columns = old.columns(&weights).next().unwrap();
        assert_eq!(columns.count(), 9 + 3 + 3);
        assert_eq!(columns.ends(), Some((START, START + 8 * 365 * DAY)));
        assert_eq!(columns.at(START + 5 * 365 * DAY), None);
    }

    #[test]
    fn counts_add_up_and_other_numbers_have_a_mean() {
        let hours = times((0..4).map(|hour| START + hour * HOUR));
        let columns = fitting(&hours, 2);
        let rows = || hours.with(&[1.0, 2.0, 4.0, f64::NAN]);
        assert_eq!((columns.values(rows(), true), columns.values(rows(), false)), (vec![3.0, 4.0], vec![1.5, 4.0]));
    }

    #[test]
    fn a_column_without_times_has_no_steps() {
        for column in [
            Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef,
            Arc::new(Date32Array::from(vec![Some(1), None])),
            Arc::new(TimestampMicrosecondArray::from(vec![None, Some(1)])),
        ] {
            assert!(Times::of(&column).is_none(), "{column:?}");
        }
    }

    #[test]
    fn times_beyond_all_are_drawn_too() {
        let ends = times([0]);
        assert_eq!((ends.step, fitting(&ends, 1).count()), (None, 1));
        let infinite = TimestampMicrosecondArray::from(vec![-i64::MAX, 0, i64::MAX]);
        let infinite = Times::of(&(Arc::new(infinite) as ArrayRef)).unwrap();
        let columns = fitting(&infinite, 10);
        assert_eq!((columns.count(), infinite.label(i64::MAX / 1_000_000)), (3, "-".to_owned()));
    }

    #[test]
    fn lengths_are_words() {
        for (seconds, text) in
            [(HOUR, "an hour"), (4 * HOUR, "4 hours"), (DAY, "a day"), (2 * WEEK, "2 weeks"), (90, "90 seconds")]
        {
            assert_eq!(length(seconds), text);
        }
    }
}
