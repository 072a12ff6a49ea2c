//! The posts that were seen last, so that posts that come twice are dropped cheaply.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// The last (id, edited_at) pairs of one server. Forgetting one only costs a second record in the log.
///
/// Bounded by number and by time, so that thousands of quiet servers take no memory: 24 bytes for each of at most `count_max`,
/// whatever the ids are, beside the set's own.
#[derive(Debug)]
pub(crate) struct Seen {
    hashes: HashSet<u64>,
    /// The pairs and when they came, the latest last.
    order: VecDeque<(Instant, u64)>,
    hasher: RandomState,
    count_max: usize,
    kept_for: Duration,
}

impl Seen {
    /// Remembers at most `count_max` pairs, each for `kept_for`; grows with use.
    pub(crate) fn new(count_max: usize, kept_for: Duration) -> Seen {
        Seen { hashes: HashSet::new(), order: VecDeque::new(), hasher: RandomState::new(), count_max, kept_for }
    }

    /// True at the first call with this version of the post.
    pub(crate) fn is_first(&mut self, id: &str, edited_at: Option<DateTime<Utc>>, now: Instant) -> bool {
        while let Some((came, oldest)) = self.order.front()
            && (self.order.len() >= self.count_max || *came + self.kept_for < now)
        {
            self.hashes.remove(oldest);
            self.order.pop_front();
        }
        let hash = self.hasher.hash_one((id, edited_at));
        if !self.hashes.insert(hash) {
            return false;
        }
        self.order.push_back((now, hash));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_edit_is_new_and_a_repetition_is_not() {
        let (mut seen, now) = (Seen::new(10, MINUTE), Instant::now());
        let edit = DateTime::from_timestamp(1_700_000_000, 0);
        assert!(seen.is_first("1", None, now));
        assert!(!seen.is_first("1", None, now));
        assert!(seen.is_first("1", edit, now));
        assert!(!seen.is_first("1", edit, now));
        assert!(seen.is_first("2", None, now));
    }

    #[test]
    fn only_the_last_ones_are_remembered() {
        let (mut seen, now) = (Seen::new(3, MINUTE), Instant::now());
        for id in ["1", "2", "3", "4"] {
            assert!(seen.is_first(id, None, now));
        }
        assert!(!seen.is_first("3", None, now));
        assert!(seen.is_first("1", None, now));
        assert_eq!((seen.hashes.len(), seen.order.len()), (3, 3));
    }

    #[test]
    fn they_are_remembered_for_a_time() {
        let (mut seen, now) = (Seen::new(100, MINUTE), Instant::now());
        assert!(seen.is_first("1", None, now));
        assert!(seen.is_first("2", None, now + MINUTE / 2));
        assert!(!seen.is_first("1", None, now + MINUTE));
        assert!(seen.is_first("1", None, now + MINUTE + MINUTE / 3));
        assert!(!seen.is_first("2", None, now + MINUTE + MINUTE / 3));
    }

    #[test]
    fn a_million_posts_take_no_more_memory_than_the_first_ones() {
        const IDS: usize = 2_000;
        let (mut seen, now) = (Seen::new(IDS, MINUTE), Instant::now());
        let mut take = |ids: std::ops::Range<u32>| {
            ids.for_each(|id| assert!(seen.is_first(&id.to_string(), None, now)));
            (seen.hashes.capacity(), seen.order.capacity())
        };
        let (_, order) = take(0..10_000);
        let (later_hashes, later_order) = take(10_000..1_000_000);
        // A set from which others were taken away grows until it is less than half full, which with 2,000 is at room for 7,168.
        assert!(later_hashes < 4 * IDS && later_order <= order, "{later_hashes}, {later_order} instead of {order}");
    }
}
