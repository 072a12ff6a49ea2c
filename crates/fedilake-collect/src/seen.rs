//! The posts that were seen last, so that posts that come twice are dropped cheaply.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};

use chrono::{DateTime, Utc};

/// The last (id, edited_at) pairs of one server. Forgetting one only costs a second record in the log.
///
/// Bounded: a hash of 8 bytes twice for each of `count_max`, whatever the ids are.
#[derive(Debug)]
pub(crate) struct Seen {
    hashes: HashSet<u64>,
    order: VecDeque<u64>,
    hasher: RandomState,
    count_max: usize,
}

impl Seen {
    /// Remembers at most `count_max` pairs; grows with use.
    pub(crate) fn new(count_max: usize) -> Seen {
        Seen { hashes: HashSet::new(), order: VecDeque::new(), hasher: RandomState::new(), count_max }
    }

    /// True at the first call with this version of the post.
    pub(crate) fn is_first(&mut self, id: &str, edited_at: Option<DateTime<Utc>>) -> bool {
        let hash = self.hasher.hash_one((id, edited_at));
        if !self.hashes.insert(hash) {
            return false;
        }
        if self.order.len() >= self.count_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.hashes.remove(&oldest);
        }
        self.order.push_back(hash);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_new_and_a_repetition_is_not() {
        let mut seen = Seen::new(10);
        let edit = DateTime::from_timestamp(1_700_000_000, 0);
        assert!(seen.is_first("1", None));
        assert!(!seen.is_first("1", None));
        assert!(seen.is_first("1", edit));
        assert!(!seen.is_first("1", edit));
        assert!(seen.is_first("2", None));
    }

    #[test]
    fn only_the_last_ones_are_remembered() {
        let mut seen = Seen::new(3);
        for id in ["1", "2", "3", "4"] {
            assert!(seen.is_first(id, None));
        }
        assert!(!seen.is_first("2", None));
        assert!(seen.is_first("1", None));
        assert_eq!((seen.hashes.len(), seen.order.len()), (3, 3));
    }

    #[test]
    fn a_million_posts_take_no_more_memory_than_the_first_ones() {
        let mut seen = Seen::new(2_000);
        let mut take = |ids: std::ops::Range<u32>| {
            ids.for_each(|id| assert!(seen.is_first(&id.to_string(), None)));
            (seen.hashes.capacity(), seen.order.capacity())
        };
        let (hashes, order) = take(0..10_000);
        let (later_hashes, later_order) = take(10_000..1_000_000);
        assert!(later_hashes <= 2 * hashes && later_order <= order, "{later_hashes}, at first {hashes}");
    }
}
