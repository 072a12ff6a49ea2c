//! Deletes that one server told, for those that tell none: a server whose timeline is polled, or whose stream had a hole, is asked for its copies
//! of those posts.
//!
//! Bounded: the last [`TOLD_MAX`] posts, in few bytes each.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most posts that are remembered for servers that have not listened yet.
const TOLD_MAX: usize = 10_000;

/// The posts of which any server said that they are gone.
#[derive(Debug, Default)]
pub(crate) struct Hearsay(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// The last posts, the latest last.
    posts: VecDeque<u64>,
    /// The number of the first of them, counted from the beginning.
    first: u64,
}

/// How far a listener has heard.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard(u64);

impl Hearsay {
    /// A server said that this post is gone.
    pub(crate) fn tell(&self, post: u64) {
        let mut told = self.told();
        if told.posts.len() == TOLD_MAX {
            told.posts.pop_front();
            told.first += 1;
        }
        told.posts.push_back(post);
    }

    /// The posts that were told since the last time.
    pub(crate) fn hear(&self, heard: &mut Heard) -> HashSet<u64> {
        let told = self.told();
        let known = heard.0.saturating_sub(told.first) as usize;
        heard.0 = told.first + told.posts.len() as u64;
        told.posts.iter().skip(known).copied().collect()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_listener_hears_each_post_once_and_the_oldest_are_forgotten() {
        let (hearsay, mut ann, mut ben) = (Hearsay::default(), Heard::default(), Heard::default());
        assert!(hearsay.hear(&mut ann).is_empty());
        hearsay.tell(7);
        hearsay.tell(8);
        assert_eq!(hearsay.hear(&mut ann), [7, 8].into());
        hearsay.tell(9);
        assert_eq!((hearsay.hear(&mut ann), hearsay.hear(&mut ann)), ([9].into(), [].into()));
        assert_eq!(hearsay.hear(&mut ben), [7, 8, 9].into());
        (0..2 * TOLD_MAX as u64).for_each(|post| hearsay.tell(post));
        assert_eq!(hearsay.hear(&mut ben).len(), TOLD_MAX);
        assert!(hearsay.hear(&mut ben).is_empty());
    }
}
