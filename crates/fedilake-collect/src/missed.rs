//! Gaps and skips of each server, as the saved histories of its timelines tell them: for processes that read the log and collect nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use fedilake_log::{Bookmarks, LogError};

use crate::history::{Gap, History};
use crate::names;

/// Gaps and skips of one server, by all of its timelines together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    /// The server's host.
    pub server: String,
    /// The last moment at which one of its timelines was known to be complete, to some seconds; None if none ever was.
    pub read_at: Option<DateTime<Utc>>,
    /// The times in which the server was not read, the oldest first; no two have a moment in common.
    pub gaps: Vec<Gap>,
    /// Events that were skipped or rejected: the beginning of an hour, the reason, the number of events.
    pub left_out: Vec<(DateTime<Utc>, String, u64)>,
}

/// The gaps and skips of every server that any process ever read into the log, by server. Histories are saved every few seconds: a server
/// counts as not read at `now` if none of its timelines was for a minute.
pub async fn missed(bookmarks: &dyn Bookmarks, now: DateTime<Utc>) -> Result<Vec<Missed>, LogError> {
    let mut by_server = BTreeMap::<String, Vec<History>>::new();
    for (server, text) in names::histories(bookmarks).await? {
        by_server.entry(server).or_default().push(History::of_text(&text));
    }
    Ok(by_server.into_iter().map(|(server, histories)| missed_of(server, &histories, now)).collect())
}

fn missed_of(server: String, histories: &[History], now: DateTime<Utc>) -> Missed {
    // A timeline that was given up for another one of the server is no gap.
    let read_last = histories.iter().map(History::read_at).max().flatten();
    let told = histories.iter().flat_map(|history| {
        let is_last = history.read_at() == read_last;
        history.gaps(now).into_iter().filter(move |gap| gap.to.map_or(is_last, |to| to > gap.from))
    });
    let mut left_out = BTreeMap::new();
    for (hour, reason, events) in histories.iter().flat_map(History::left_out) {
        let sum: &mut u64 = left_out.entry((hour, reason)).or_default();
        *sum = sum.saturating_add(events);
    }
    let left_out = left_out.into_iter().map(|((hour, reason), events)| (hour, reason, events)).collect();
    Missed { server, read_at: read_last, gaps: joined(told.collect()), left_out }
}

/// The gaps with those that touch made one.
fn joined(mut gaps: Vec<Gap>) -> Vec<Gap> {
    gaps.sort_by_key(|gap| gap.from);
    let mut joined: Vec<Gap> = Vec::with_capacity(gaps.len());
    for gap in gaps {
        match joined.last_mut() {
            Some(last) if last.to.is_none_or(|to| to >= gap.from) => {
                last.to = last.to.zip(gap.to).map(|(a, b)| a.max(b));
            }
            _ => joined.push(gap),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + minutes * 60, 0).expect("a time of this century")
    }

    fn ms(minutes: i64) -> i64 {
        at(minutes).timestamp_millis()
    }

    fn of(texts: &[String], now: i64) -> Missed {
        let histories: Vec<_> = texts.iter().map(|text| History::of_text(text)).collect();
        missed_of("a.example".to_owned(), &histories, at(now))
    }

    fn gap(from: i64, to: Option<i64>) -> Gap {
        Gap { from: at(from), to: to.map(at) }
    }

    #[test]
    fn a_server_is_not_read_when_none_of_its_timelines_is() {
        let local = format!("read {}\ngap {} {}\nleft 9 boost 2\n", ms(50), ms(10), ms(20));
        let public = format!("read {}\ngap {} {}\nleft 9 boost 3\nleft 9 nobot 1\n", ms(100), ms(50), ms(60));
        let both = of(&[local.clone(), public], 200);
        assert_eq!(both.gaps, [gap(10, Some(20)), gap(50, Some(60)), gap(100, None)]);
        let counts: Vec<_> = both.left_out.into_iter().map(|(_, reason, events)| (reason, events)).collect();
        assert_eq!(counts, [("boost".to_owned(), 5), ("nobot".to_owned(), 1)]);
        assert_eq!(of(std::slice::from_ref(&local), 51).gaps.len(), 2);
        assert_eq!(of(&[local], 50).gaps, [gap(10, Some(20))], "it is read now");
        assert_eq!(of(&["left 9 boost 1\n".to_owned()], 200).gaps, []);
    }

    /// Beginnings and ends.
    type Minutes<'a> = &'a [(i64, i64)];

    #[test]
    fn no_moment_is_in_two_gaps() {
        let cases: [(Minutes<'_>, Minutes<'_>); 4] = [
            (&[(1, 3), (2, 4), (4, 5), (7, 9)], &[(1, 5), (7, 9)]),
            (&[(1, 9), (2, 3)], &[(1, 9)]),
            (&[(5, 6), (1, 2)], &[(1, 2), (5, 6)]),
            // No time at all, and one that ends before it begins.
            (&[(3, 3), (8, 7)], &[]),
        ];
        for (told, expected) in cases {
            let text: String = told.iter().map(|(from, to)| format!("gap {} {}\n", ms(*from), ms(*to))).collect();
            let expected: Vec<_> = expected.iter().map(|(from, to)| gap(*from, Some(*to))).collect();
            assert_eq!(of(&[text], 10).gaps, expected, "{told:?}");
        }
    }
}
