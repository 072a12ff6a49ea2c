//! Where a timeline stood at earlier times: for ids that do not hold their times, which cannot be moved back by arithmetic.
//!
//! Bounded: a dozen places two seconds apart, and thirty that are half a minute apart.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::way::cursor::Cursor;

const NEAR_MAX: usize = 12;
const NEAR_APART: Duration = Duration::from_secs(2);
const FAR_MAX: usize = 30;
const FAR_APART: Duration = Duration::from_secs(30);

/// Earlier places and the times since which they were valid.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    near: VecDeque<(Instant, Cursor)>,
    far: VecDeque<(Instant, Cursor)>,
}

impl Places {
    /// The timeline stands at `place` from `now` on.
    pub(crate) fn stand_at(&mut self, place: &Cursor, now: Instant) {
        push(&mut self.near, place, now, NEAR_APART, NEAR_MAX);
        push(&mut self.far, place, now, FAR_APART, FAR_MAX);
    }

    /// The place at which the timeline stood at that time, or the first one that is known; None without any.
    pub(crate) fn at(&self, then: Instant) -> Option<&Cursor> {
        let was_then = |places: &VecDeque<(Instant, Cursor)>| places.iter().rposition(|(since, _)| *since <= then);
        let near = was_then(&self.near).map(|at| &self.near[at]);
        let found = near.or_else(|| was_then(&self.far).map(|at| &self.far[at]));
        found.or(self.far.front()).map(|(_, place)| place)
    }

    /// True if no place is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.far.is_empty()
    }

    /// The places by the clock of the world, the oldest first, if their ids do not hold their times.
    pub(crate) fn to_keep(&self, now: (Instant, DateTime<Utc>)) -> Vec<(DateTime<Utc>, Cursor)> {
        let opaque = self.far.iter().filter(|(_, place)| place.time().is_none());
        let by_clock = |(since, place): &(Instant, Cursor)| {
            let ago = TimeDelta::from_std(now.0.saturating_duration_since(*since)).unwrap_or_default();
            (now.1 - ago, place.clone())
        };
        opaque.map(by_clock).collect()
    }

    /// Takes over a place of an earlier time; to be called for the oldest first.
    pub(crate) fn restore(&mut self, since: DateTime<Utc>, place: &Cursor, now: (Instant, DateTime<Utc>)) {
        let ago = (now.1 - since).to_std().unwrap_or_default();
        // A machine that has just begun has no earlier moments.
        if let Some(then) = now.0.checked_sub(ago) {
            push(&mut self.far, place, then, Duration::ZERO, FAR_MAX);
        }
    }
}

fn push(places: &mut VecDeque<(Instant, Cursor)>, place: &Cursor, now: Instant, apart: Duration, max: usize) {
    if places.back().is_none_or(|(since, _)| *since + apart <= now) {
        if places.len() == max {
            places.pop_front();
        }
        places.push_back((now, place.clone()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn place(n: u64) -> Cursor {
        Cursor::new(&n.to_string()).unwrap()
    }

    /// The places of a timeline that moved on by one each second, and the moment of the last one.
    fn moved(seconds: u32) -> (Places, Instant) {
        let (mut places, began) = (Places::default(), Instant::now());
        (0..=seconds).for_each(|n| places.stand_at(&place(n.into()), began + SECOND * n));
        (places, began + SECOND * seconds)
    }

    #[test]
    fn it_is_known_where_a_timeline_stood() {
        let (places, now) = moved(600);
        let stood = |ago: u32| places.at(now - SECOND * ago).unwrap().as_str().parse::<u32>().unwrap();
        for ago in 0..22 {
            assert!((600 - ago - 2..=600 - ago).contains(&stood(ago)), "{ago} s ago: {}", stood(ago));
        }
        for ago in 22..570 {
            assert!((600 - ago - 30..=600 - ago).contains(&stood(ago)), "{ago} s ago: {}", stood(ago));
        }
        assert_eq!(Places::default().at(now), None);
    }

    #[test]
    fn before_the_first_place_it_stood_there() {
        let (places, now) = moved(10);
        assert_eq!(places.at(now - 3_600 * SECOND).unwrap(), &place(0));
    }

    #[test]
    fn a_day_takes_no_more_memory_than_an_hour() {
        let (places, _) = moved(86_400);
        assert_eq!((places.near.len(), places.far.len()), (NEAR_MAX, FAR_MAX));
    }

    #[test]
    fn they_outlive_the_process_unless_ids_hold_their_times() {
        let (places, then) = moved(300);
        let clock = Utc::now();
        let kept = places.to_keep((then, clock));
        let mut after = Places::default();
        let later = (then + 100 * SECOND, clock + TimeDelta::seconds(100));
        kept.iter().for_each(|(since, place)| after.restore(*since, place, later));
        assert_eq!(after.at(later.0 - 200 * SECOND), places.at(then - 100 * SECOND));
        let mut timed = Places::default();
        timed.stand_at(&place(1_760_000_000_000 << 16), then);
        assert_eq!(timed.to_keep((then, clock)), []);
    }
}
