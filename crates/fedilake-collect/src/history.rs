//! The history of a timeline: the times in which its server was not read, and what was left out of it, hour by hour.
//!
//! It is kept as a bookmark beside the timeline's own, so that it outlives the process and goes with the timeline to the next collector. As
//! text it is a line for each entry: `read TIME`, `gap FROM TO`, `left HOUR REASON COUNT`; times are milliseconds since 1970, hours count
//! from there. A line that cannot be read is passed over.
//!
//! Bounded: [`GAPS_MAX`] gaps and [`HOURS_MAX`] hours, the newest ones.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};

/// The most gaps that are kept.
const GAPS_MAX: usize = 200;
/// The most hours of which counts are kept: ten days.
const HOURS_MAX: usize = 240;
/// The shortest time without reading that counts as a gap. Shorter ones are those of a connection that is made again.
const GAP_MIN: TimeDelta = TimeDelta::seconds(60);
/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

/// A time in which a server was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last moment up to which the timeline was read.
    pub from: DateTime<Utc>,
    /// The moment from which the timeline is read again, with the posts of the gap; None while it is not.
    pub to: Option<DateTime<Utc>>,
}

/// The history of one timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// The last moment at which no post of the timeline was missing, while the source does not work.
    read_at: Option<DateTime<Utc>>,
    /// True while the source works.
    is_current: bool,
    /// The gaps that have ended, the oldest first.
    gaps: VecDeque<(DateTime<Utc>, DateTime<Utc>)>,
    /// Counts by hour since 1970, and by reason.
    left_out: BTreeMap<i64, BTreeMap<String, u64>>,
}

impl History {
    /// The source works at `now`: no post of the timeline is missing.
    pub(crate) fn caught_up(&mut self, now: DateTime<Utc>) {
        if let Some(from) = self.read_at.take().filter(|_| !self.is_current)
            && now - from >= GAP_MIN
        {
            self.gaps.push_back((from, now));
            while self.gaps.len() > GAPS_MAX {
                self.gaps.pop_front();
            }
        }
        self.is_current = true;
    }

    /// The source has failed or ended at `now`; it had brought everything up to then.
    pub(crate) fn broke(&mut self, now: DateTime<Utc>) {
        if std::mem::take(&mut self.is_current) {
            self.read_at = Some(now);
        }
    }

    /// Counts an event that was left out at `now`.
    pub(crate) fn leave_out(&mut self, reason: &str, now: DateTime<Utc>) {
        let hour = now.timestamp_millis().div_euclid(HOUR_MS);
        let counts = self.left_out.entry(hour).or_default();
        match counts.get_mut(reason) {
            Some(count) => *count += 1,
            None => drop(counts.insert(reason.to_owned(), 1)),
        }
        while self.left_out.len() > HOURS_MAX {
            self.left_out.pop_first();
        }
    }

    /// The gaps, the oldest first. At `now` the last one is open if the source has not worked for long enough.
    pub(crate) fn gaps(&self, now: DateTime<Utc>) -> Vec<Gap> {
        let open = self.read_at.filter(|from| !self.is_current && now - *from >= GAP_MIN);
        let ended = self.gaps.iter().map(|(from, to)| Gap { from: *from, to: Some(*to) });
        ended.chain(open.map(|from| Gap { from, to: None })).collect()
    }

    /// What was left out: the beginning of an hour, the reason, the number of events.
    pub(crate) fn left_out(&self) -> Vec<(DateTime<Utc>, String, u64)> {
        let of_hour = |(hour, counts): (&i64, &BTreeMap<String, u64>)| {
            let at = DateTime::from_timestamp_millis(hour.saturating_mul(HOUR_MS)).unwrap_or_default();
            counts.iter().map(move |(reason, count)| (at, reason.clone(), *count)).collect::<Vec<_>>()
        };
        self.left_out.iter().flat_map(of_hour).collect()
    }

    /// The last moment at which no post of the timeline was missing, of a history that was saved; None if there was none.
    pub(crate) fn read_at(&self) -> Option<DateTime<Utc>> {
        self.read_at
    }

    /// Takes over the history that was saved before, by this or by another process.
    pub(crate) fn restore(&mut self, text: &str) {
        let saved = History::of_text(text);
        if self.read_at.max(self.gaps.back().map(|(_, to)| *to)) < saved.read_at {
            *self = saved;
        }
    }

    /// The history as a text, of a process that may end right after `now`.
    pub(crate) fn to_text(&self, now: DateTime<Utc>) -> String {
        let mut text = String::new();
        let read_at = if self.is_current { Some(now) } else { self.read_at };
        let mut line = |line: std::fmt::Arguments<'_>| writeln!(text, "{line}").expect("a String takes it");
        if let Some(at) = read_at {
            line(format_args!("read {}", at.timestamp_millis()));
        }
        for (from, to) in &self.gaps {
            line(format_args!("gap {} {}", from.timestamp_millis(), to.timestamp_millis()));
        }
        for (hour, counts) in &self.left_out {
            for (reason, count) in counts {
                line(format_args!("left {hour} {reason} {count}"));
            }
        }
        text
    }

    pub(crate) fn of_text(text: &str) -> History {
        let mut history = History::default();
        let time = |text: &str| text.parse().ok().and_then(DateTime::from_timestamp_millis);
        for line in text.lines() {
            match *line.split(' ').collect::<Vec<_>>() {
                ["read", at] => history.read_at = time(at),
                ["gap", from, to] => history.gaps.extend(time(from).zip(time(to))),
                ["left", hour, reason, count] => {
                    if let (Ok(hour), Ok(count)) = (hour.parse(), count.parse()) {
                        history.left_out.entry(hour).or_default().insert(reason.to_owned(), count);
                    }
                }
                _ => {}
            }
        }
        history
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).expect("a time of this century")
    }

    #[test]
    fn a_time_without_reading_is_a_gap_that_ends_when_nothing_is_missing() {
        let mut history = History::default();
        // Before the first contact nothing was missed.
        assert_eq!(history.gaps(at(0)), []);
        history.caught_up(at(10));
        assert_eq!(history.gaps(at(5_000)), []);
        history.broke(at(5_000));
        history.broke(at(5_030));
        assert_eq!(history.gaps(at(5_059)), [], "a connection that is made again");
        assert_eq!(history.gaps(at(6_000)), [Gap { from: at(5_000), to: None }]);
        history.caught_up(at(6_000));
        assert_eq!(history.gaps(at(9_000)), [Gap { from: at(5_000), to: Some(at(6_000)) }]);
        history.broke(at(9_000));
        history.caught_up(at(9_020));
        assert_eq!(history.gaps(at(9_999)).len(), 1);
    }

    #[test]
    fn a_history_goes_on_after_the_process_has_ended() {
        let mut before = History::default();
        before.caught_up(at(0));
        before.leave_out("boost", at(1));
        before.leave_out("boost", at(2));
        before.leave_out("nobot", at(3_700));
        let mut after = History::default();
        after.restore(&before.to_text(at(4_000)));
        assert_eq!(after.gaps(at(9_000)), [Gap { from: at(4_000), to: None }]);
        after.leave_out("nobot", at(3_701));
        after.caught_up(at(9_000));
        assert_eq!(after.gaps(at(9_001)), [Gap { from: at(4_000), to: Some(at(9_000)) }]);
        let counts: Vec<_> = after.left_out().into_iter().map(|(_, reason, count)| (reason, count)).collect();
        assert_eq!(counts, [("boost".to_owned(), 2), ("nobot".to_owned(), 2)]);
        // What was saved before is no news to a process that went on.
        let now = after.clone();
        after.restore(&before.to_text(at(4_000)));
        assert_eq!(after, now);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_passed_over() {
        let read =
            History::of_text("read soon\ngap 1\nleft 4 boost many\nleft 4 boost 3\nlater a b c\n\ngap 1000 2000");
        assert_eq!((read.read_at, read.gaps.len()), (None, 1));
        assert_eq!(read.left_out().len(), 1);
    }

    #[test]
    fn a_history_has_a_bound() {
        let mut history = History::default();
        for n in 0..1_000 {
            let hour = at(n * 3_600);
            history.leave_out("boost", hour);
            history.caught_up(hour);
            history.broke(hour + TimeDelta::seconds(60));
        }
        assert_eq!((history.gaps(at(0)).len(), history.left_out().len()), (GAPS_MAX, HOURS_MAX));
        assert_eq!(
            history.left_out().last().expect("hours are kept").0.timestamp() / 3_600,
            at(999 * 3_600).timestamp() / 3_600
        );
        assert!(history.to_text(at(0)).len() < 20_000);
    }
}
