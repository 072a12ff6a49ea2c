//! Up to where a timeline was handed over: a place that no odd id carries off.
//!
//! A server may show a post above all others for good: its author dated it next year, its server's clock was wrong, it means
//! harm. As the place, that post would hide every later gap, since new posts come below it. So posts that are dated in the
//! future are never the place. Others may be odd without a sign, so the place is the middle one of the last few ids: seven where
//! ids hold their times, forty where they do not and reading on cannot reach back by time. The place trails behind the newest
//! post, which costs reading a few again.
//!
//! A timeline whose stream brings posts before its first page begins at the first of them.
//!
//! Posts of the stream and pages on the way up only raise the place. The newest page is the timeline's own word: it also takes
//! the place back, wherever that came from. Where pages show that ids have no order, the order of arrival counts.
//!
//! Bounded: forty ids of at most 128 bytes, and the earlier [`Places`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::way::arrival::Arrival;
use crate::way::cursor::Cursor;
use crate::way::page::Page;
use crate::way::places::Places;

/// The number of last ids whose middle is the place. Odd ids do no harm while they are fewer than half of these.
const LAST_IDS: usize = 40;
/// The same number for ids that hold their times.
const LAST_TIMES: usize = 7;
/// The number of posts whose middle is the first place, where a stream brings them before any page could be read.
const FIRST_IDS: usize = 3;

/// The place from which to read on.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// The place.
    pub(crate) place: Cursor,
    /// Posts that were handed over: a page that contains one of them leaves no gap.
    pub(crate) known: Vec<Cursor>,
}

impl Start {
    /// The same start, but with every page read again.
    pub(crate) fn anew(self) -> Start {
        Start { known: Vec::new(), ..self }
    }
}

#[derive(Debug)]
pub(crate) struct Mark {
    place: Option<Cursor>,
    /// The last ids that were handed over, the latest last.
    last: VecDeque<Cursor>,
    /// Earlier places, which outlive the mark.
    earlier: Arc<Mutex<Places>>,
    is_ordered: bool,
    has_moved: bool,
}

impl Mark {
    /// A mark that begins at a bookmark, of a timeline that stood at `earlier` places before.
    pub(crate) fn new(place: Option<Cursor>, earlier: Arc<Mutex<Places>>) -> Mark {
        Mark { place, last: VecDeque::new(), earlier, is_ordered: true, has_moved: false }
    }

    /// The place; `None` before the first page.
    #[cfg(test)]
    pub(crate) fn place(&self) -> Option<&Cursor> {
        self.place.as_ref()
    }

    /// The start for reading on so that posts which became visible up to `overlap` late are read too. The reader
    /// moves an id that holds its time back; for other ids this returns the place of that time.
    pub(crate) fn start(&self, overlap: Duration, now: Instant) -> Option<Start> {
        let place = self.place.clone()?;
        if place.time().is_some() {
            return Some(Start { place, known: Vec::new() });
        }
        let then = now.checked_sub(overlap).unwrap_or(now);
        let place = self.earlier.lock().unwrap_or_else(PoisonError::into_inner).at(then).cloned().unwrap_or(place);
        Some(Start { place, known: self.last.iter().cloned().collect() })
    }

    /// Records that this page was handed over, and that nothing below it is missing.
    pub(crate) fn take_page(&mut self, page: &Page, now: Instant) {
        self.is_ordered = page.is_ordered().unwrap_or(self.is_ordered);
        page.ids().for_each(|id| self.push(id.clone()));
        match self.middle() {
            Some(middle) if page.ids().next().is_some() => self.stand_at(middle, page.is_newest(), now),
            // A timeline that was empty has been read completely: every later post is new.
            None if self.place.is_none() && page.is_empty() => self.stand_at(Cursor::start(), false, now),
            _ => {}
        }
    }

    /// Records a post of the stream with this id, which is not dated in the future, and before which nothing is
    /// missing.
    pub(crate) fn take_post(&mut self, id: Cursor, now: Instant) {
        self.push(id);
        if let Some(middle) = self.middle() {
            self.stand_at(middle, false, now);
        }
    }

    /// Records such a post of a stream whose timeline could not be read yet. The first of them are the first place: what comes after
    /// them is owed. Later ones do not move it.
    pub(crate) fn take_first(&mut self, id: Cursor, now: Instant) {
        if self.place.is_some() {
            return;
        }
        self.push(id);
        if self.last.len() == FIRST_IDS
            && let Some(middle) = self.middle()
        {
            self.stand_at(middle, false, now);
        }
    }

    /// The place as an arrival, if it has moved.
    pub(crate) fn moved(&mut self) -> Option<Arrival> {
        let has_moved = std::mem::take(&mut self.has_moved);
        self.place.clone().filter(|_| has_moved).map(Arrival::Mark)
    }

    fn push(&mut self, id: Cursor) {
        if self.last.len() == LAST_IDS {
            self.last.pop_front();
        }
        self.last.push_back(id);
    }

    /// The middle one of the last ids.
    fn middle(&self) -> Option<Cursor> {
        let latest = || self.last.iter().rev().take(LAST_TIMES);
        let hold_times = 2 * latest().filter(|id| id.time().is_some()).count() > latest().count();
        let last = if hold_times { LAST_TIMES } else { LAST_IDS };
        let mut ids: Vec<&Cursor> = self.last.iter().skip(self.last.len().saturating_sub(last)).collect();
        if self.is_ordered {
            ids.sort_unstable();
        }
        ids.get(ids.len().saturating_sub(1) / 2).copied().cloned()
    }

    fn stand_at(&mut self, place: Cursor, may_go_back: bool, now: Instant) {
        let moves = match &self.place {
            None => true,
            Some(now) if may_go_back || !self.is_ordered => *now != place,
            Some(now) => *now < place,
        };
        if moves {
            let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
            let stood = self.place.as_ref().filter(|_| earlier.is_empty());
            earlier.stand_at(stood.unwrap_or(&place), now);
            drop(earlier);
            self.place = Some(place);
            self.has_moved = true;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::way::page::tests::page as shown;

    const PAST: &str = "2025-12-31T00:00:00Z";
    const NEXT_YEAR: &str = "2027-01-01T00:00:00Z";

    fn page(ids: impl IntoIterator<Item = u64>, is_newest: bool) -> Page {
        let mut ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
        ids.reverse();
        shown(ids.iter().map(|id| (id.as_str(), PAST)), is_newest)
    }

    fn cursor(id: &str) -> Cursor {
        Cursor::new(id).unwrap()
    }

    fn stands(mark: &Mark) -> u64 {
        mark.place().unwrap().as_str().parse().unwrap()
    }

    fn post(mark: &mut Mark, id: u64) {
        mark.take_post(cursor(&id.to_string()), Instant::now());
    }

    fn take(mark: &mut Mark, page: &Page) {
        mark.take_page(page, Instant::now());
    }

    #[test]
    fn it_follows_twenty_posts_behind() {
        let mut mark = Mark::new(None, Arc::default());
        take(&mut mark, &page([], true));
        assert_eq!(stands(&mark), 0);
        for (id, expected) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (7, 4), (8, 4), (9, 5)] {
            post(&mut mark, id);
            assert_eq!(stands(&mark), expected, "after {id}");
        }
        take(&mut mark, &page(100..140, false));
        assert_eq!(stands(&mark), 119);
        (140..180).for_each(|id| post(&mut mark, id));
        assert_eq!(stands(&mark), 159);
    }

    #[test]
    fn it_follows_three_posts_behind_where_ids_hold_their_times() {
        let id = |n: u64| (1_760_000_000_000 + n) << 16;
        let mut mark = Mark::new(None, Arc::default());
        take(&mut mark, &page((100..140).map(id), true));
        assert_eq!(stands(&mark), id(136));
        for n in 140..180 {
            post(&mut mark, id(n));
            assert_eq!(stands(&mark), id(n - 3));
        }
        // One odd id among them has no effect.
        post(&mut mark, 99_999_999_999_999_999);
        assert_eq!(stands(&mark), id(176));
    }

    #[test]
    fn it_begins_at_the_first_posts_of_a_stream_whatever_comes_later() {
        for (first, place) in [([5, 6, 7], 6), ([5, 999_999, 6], 6), ([1, 6, 5], 5)] {
            let mut mark = Mark::new(None, Arc::default());
            for id in first.into_iter().chain(100..140) {
                mark.take_first(cursor(&id.to_string()), Instant::now());
            }
            assert_eq!(stands(&mark), place, "{first:?}");
        }
        let mut mark = Mark::new(Some(cursor("500")), Arc::default());
        (600..640).for_each(|id| mark.take_first(cursor(&id.to_string()), Instant::now()));
        assert_eq!(stands(&mark), 500);
    }

    #[test]
    fn it_is_given_out_once_each_time_it_moves() {
        let mut mark = Mark::new(None, Arc::default());
        take(&mut mark, &page(100..140, true));
        assert!(matches!(mark.moved(), Some(Arrival::Mark(place)) if place.as_str() == "119"));
        assert!(mark.moved().is_none());
        take(&mut mark, &page(100..140, true));
        assert!(mark.moved().is_none());
    }

    #[test]
    fn pages_on_the_way_up_and_old_posts_do_not_take_it_back() {
        let mut mark = Mark::new(Some(cursor("500")), Arc::default());
        take(&mut mark, &page(100..140, false));
        (1..20).for_each(|id| post(&mut mark, id));
        assert_eq!(stands(&mark), 500);
    }

    #[test]
    fn the_newest_page_takes_it_back() {
        let mut mark = Mark::new(Some(cursor("99999999999999999999999")), Arc::default());
        take(&mut mark, &page(100..140, true));
        assert_eq!(stands(&mark), 119);
    }

    #[test]
    fn posts_dated_in_the_future_do_not_move_it_however_many_they_are() {
        let ahead: Vec<String> = (0..40).map(|n| format!("01HWSG00000000000000000{n:03}")).rev().collect();
        let only_ahead = shown(ahead.iter().map(|id| (id.as_str(), NEXT_YEAR)), true);
        for before in [None, Some(cursor("01HE7XJ1CG84TBKH5V9XKBVGF5"))] {
            let mut mark = Mark::new(before.clone(), Arc::default());
            take(&mut mark, &only_ahead);
            assert_eq!(mark.place(), before.as_ref());
        }
    }

    #[test]
    fn ids_without_an_order_are_followed_as_they_come() {
        let ids: Vec<String> = (0..200_u64).map(|n| format!("{:08x}", n.wrapping_mul(0x9e37_79b9) as u32)).collect();
        let mut mark = Mark::new(None, Arc::default());
        let first: Vec<&String> = ids[..40].iter().rev().collect();
        take(&mut mark, &shown(first.iter().map(|id| (id.as_str(), PAST)), true));
        assert_eq!(mark.place().unwrap().as_str(), ids[19]);
        for (n, id) in ids.iter().enumerate().skip(40) {
            mark.take_post(cursor(id), Instant::now());
            assert_eq!(mark.place().unwrap().as_str(), ids[n - 20]);
        }
    }

    #[test]
    fn an_id_that_holds_no_time_is_moved_back_to_where_it_was_then() {
        let (second, began) = (Duration::from_secs(1), Instant::now());
        let mut mark = Mark::new(Some(cursor("1000")), Arc::default());
        for n in 0..100_u32 {
            mark.take_page(&page((0..4).map(|k| 1001 + 4 * u64::from(n) + k), false), began + second * n);
        }
        let now = began + second * 99;
        let start = |overlap: u32| mark.start(second * overlap, now).unwrap().place.as_str().parse::<u64>().unwrap();
        let place = stands(&mark);
        assert!(start(5) < place - 15 && start(5) > place - 35, "{} of {place}", start(5));
        assert!(start(20) < place - 75 && start(20) > place - 95, "{} of {place}", start(20));
        let mut young = Mark::new(Some(cursor("1000")), Arc::default());
        assert_eq!(young.start(second, began).unwrap().place.as_str(), "1000");
        young.take_page(&page(1001..1041, false), began);
        assert_eq!(young.start(second, began).unwrap().place.as_str(), "1000");
    }

    #[test]
    fn a_million_posts_take_no_more_memory_than_the_first_ones() {
        let mut mark = Mark::new(None, Arc::default());
        let now = Instant::now();
        for n in 0..1_000_000_u32 {
            let id = format!("{:0>128}", n.wrapping_mul(0x9e37_79b9));
            mark.take_post(cursor(&id), now + Duration::from_millis(100) * n);
        }
        assert!(mark.last.len() <= LAST_IDS);
        assert!(mark.last.capacity() <= 2 * LAST_IDS);
    }

    proptest! {
        #[test]
        fn nineteen_odd_ids_of_forty_never_carry_it_beyond_the_others(
            are_odd in proptest::collection::vec(any::<bool>(), 1..400), as_pages in any::<bool>(),
        ) {
            let mut mark = Mark::new(None, Arc::default());
            take(&mut mark, &page(100..140, true));
            let mut recent = VecDeque::from([false; LAST_IDS]);
            for (id, is_odd) in (140..).zip(are_odd) {
                let odd_before = recent.iter().skip(1).filter(|is_odd| **is_odd).count();
                let is_odd = is_odd && odd_before < LAST_IDS / 2 - 1;
                recent.pop_front();
                recent.push_back(is_odd);
                let id = if is_odd { 1_000_000 + id } else { id };
                if as_pages { take(&mut mark, &page([id], false)) } else { post(&mut mark, id) }
                prop_assert!(stands(&mark) < 1_000_000);
            }
            // Nor do odd ids hold the place back.
            (1_000..1_040).for_each(|id| post(&mut mark, id));
            prop_assert_eq!(stands(&mark), 1_019);
        }
    }
}
