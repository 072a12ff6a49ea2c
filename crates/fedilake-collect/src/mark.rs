//! Up to where a timeline was given out: a place that no odd id carries off.
//!
//! A server may give one status an id far above all others: its clock was wrong, its software has changed, it means harm. As
//! the place, that id would hide every later gap. Ids are opaque, so none looks odd by itself, but it stands alone: the place
//! is the middle one of the last few ids. It trails a few posts behind, which costs reading those twice.
//!
//! Posts of the stream and pages on the way up only raise the place. The newest page is the timeline's own word: it also takes
//! the place back, wherever that came from.

use std::collections::VecDeque;

use crate::arrival::Arrival;
use crate::cursor::Cursor;
use crate::page::Page;

/// As many odd ids as are less than half of these do no harm.
const LAST_IDS: usize = 7;

#[derive(Debug)]
pub(crate) struct Mark {
    place: Option<Cursor>,
    last: VecDeque<Cursor>,
    has_moved: bool,
}

impl Mark {
    /// A mark at a bookmark.
    pub(crate) fn new(place: Option<Cursor>) -> Mark {
        Mark { place, last: VecDeque::new(), has_moved: false }
    }

    /// Where it stands; none before the first page.
    pub(crate) fn place(&self) -> Option<&Cursor> {
        self.place.as_ref()
    }

    /// This page is given out, and nothing below it is missing.
    pub(crate) fn take_page(&mut self, page: &Page) {
        page.ids().for_each(|id| self.push(id.clone()));
        match (self.middle(), &self.place) {
            (Some(middle), _) => self.stand_at(middle, page.is_newest()),
            // A timeline seen empty is known whole: what comes next is new.
            (None, None) => self.stand_at(Cursor::start(), false),
            (None, Some(_)) => {}
        }
    }

    /// The stream brought a post of this id, and nothing before it is missing.
    pub(crate) fn take_post(&mut self, id: Cursor) {
        self.push(id);
        if let Some(middle) = self.middle() {
            self.stand_at(middle, false);
        }
    }

    /// Where it stands, if that was not given out yet.
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

    fn middle(&self) -> Option<Cursor> {
        let mut ids: Vec<&Cursor> = self.last.iter().collect();
        ids.sort_unstable();
        ids.get(ids.len().saturating_sub(1) / 2).copied().cloned()
    }

    fn stand_at(&mut self, place: Cursor, may_go_back: bool) {
        let moves = match &self.place {
            None => true,
            Some(now) if may_go_back => *now != place,
            Some(now) => *now < place,
        };
        if moves {
            self.place = Some(place);
            self.has_moved = true;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use bytes::Bytes;
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    fn page(ids: impl IntoIterator<Item = u64>, is_newest: bool) -> Page {
        let statuses: Vec<String> = ids.into_iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
        let body = Bytes::from(format!("[{}]", statuses.join(",")));
        Page::parse(&body, DateTime::UNIX_EPOCH, is_newest).unwrap()
    }

    fn stands(mark: &Mark) -> u64 {
        mark.place().unwrap().as_str().parse().unwrap()
    }

    fn post(mark: &mut Mark, id: u64) {
        mark.take_post(Cursor::new(&id.to_string()));
    }

    #[test]
    fn it_follows_a_few_posts_behind() {
        let mut mark = Mark::new(None);
        mark.take_page(&page([], true));
        assert_eq!(stands(&mark), 0);
        for (id, expected) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (7, 4), (8, 5), (9, 6)] {
            post(&mut mark, id);
            assert_eq!(stands(&mark), expected, "after {id}");
        }
        mark.take_page(&page(100..140, false));
        assert_eq!(stands(&mark), 136);
    }

    #[test]
    fn it_is_given_out_once_each_time_it_moves() {
        let mut mark = Mark::new(None);
        mark.take_page(&page(100..140, true));
        assert!(matches!(mark.moved(), Some(Arrival::Mark(place)) if place.as_str() == "136"));
        assert!(mark.moved().is_none());
        mark.take_page(&page(100..140, true));
        assert!(mark.moved().is_none());
    }

    #[test]
    fn pages_on_the_way_up_and_old_posts_do_not_take_it_back() {
        let mut mark = Mark::new(Some(Cursor::new("500")));
        mark.take_page(&page(100..140, false));
        (1..20).for_each(|id| post(&mut mark, id));
        assert_eq!(stands(&mark), 500);
    }

    #[test]
    fn the_newest_page_takes_it_back() {
        let mut mark = Mark::new(Some(Cursor::new("99999999999999999999999")));
        mark.take_page(&page(100..140, true));
        assert_eq!(stands(&mark), 136);
    }

    proptest! {
        #[test]
        fn three_odd_ids_of_seven_never_carry_it_beyond_the_others(
            are_odd in proptest::collection::vec(any::<bool>(), 1..200), as_pages in any::<bool>(),
        ) {
            let mut mark = Mark::new(None);
            mark.take_page(&page(100..140, true));
            let mut recent = VecDeque::from([false; LAST_IDS]);
            for (id, is_odd) in (140..).zip(are_odd) {
                let odd_before = recent.iter().skip(1).filter(|is_odd| **is_odd).count();
                let is_odd = is_odd && odd_before < LAST_IDS / 2;
                recent.pop_front();
                recent.push_back(is_odd);
                let id = if is_odd { 1_000_000 + id } else { id };
                if as_pages { mark.take_page(&page([id], false)) } else { post(&mut mark, id) }
                prop_assert!(stands(&mark) < 1_000_000);
            }
            // Nor do they hold it back.
            (1_000..1_007).for_each(|id| post(&mut mark, id));
            prop_assert_eq!(stands(&mark), 1_003);
        }
    }
}
