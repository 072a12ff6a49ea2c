//! How late a server's posts become visible: the time from the id of a post, which is that of its writing, to its arrival.
//!
//! Learned from what the stream brings, and from polls, where it is at least the time from the id to the poll before. The clocks of
//! other servers count in it, as they do in the ids. Of a fixed size. Pure.

use std::time::Duration;

/// The upper bounds of the classes, in seconds; what is later is in one more class.
const BOUNDS: [u64; 13] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600];
const CLASSES: usize = BOUNDS.len() + 1;
/// The fewest posts from which a share is told: so many that one in a hundred is more than chance.
const POSTS_MIN: u32 = 500;
/// At this number of posts each class is halved, so that a server that became faster is known to be.
const POSTS_MAX: u32 = 20_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Delay {
    counts: [u32; CLASSES],
}

impl Delay {
    /// Counts a post that became visible so long after the time of its id.
    pub(crate) fn take(&mut self, delay: Duration) {
        let class = BOUNDS.partition_point(|bound| *bound < delay.as_secs_f64().ceil() as u64);
        self.counts[class] += 1;
        if self.posts() >= POSTS_MAX {
            self.counts.iter_mut().for_each(|count| *count /= 2);
        }
    }

    /// The time within which all posts but a `share` became visible, within `min` and `max`; `min` while too few posts were counted.
    pub(crate) fn reach(&self, share: f64, min: Duration, max: Duration) -> Duration {
        let posts = self.posts();
        if posts < POSTS_MIN {
            return min;
        }
        let mut later = posts;
        for (bound, count) in BOUNDS.into_iter().zip(self.counts) {
            later -= count;
            if f64::from(later) <= share * f64::from(posts) {
                return Duration::from_secs(bound).clamp(min, max.max(min));
            }
        }
        max.max(min)
    }

    /// As text: the count of each class.
    pub(crate) fn to_text(&self) -> String {
        self.counts.map(|count| count.to_string()).join(" ")
    }

    /// Takes over what was learned before; a text that cannot be read is passed over.
    pub(crate) fn restore(&mut self, text: &str) {
        let counts: Vec<u32> = text.split(' ').map_while(|count| count.parse().ok()).collect();
        if let Ok(counts) = <[u32; CLASSES]>::try_from(counts)
            && counts.iter().all(|count| *count <= POSTS_MAX)
        {
            self.counts = counts;
        }
    }

    fn posts(&self) -> u32 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn of(delays: &[(u32, u64)]) -> Delay {
        let mut delay = Delay::default();
        for (posts, seconds) in delays {
            (0..*posts).for_each(|_| delay.take(SECOND * u32::try_from(*seconds).expect("seconds of a test")));
        }
        delay
    }

    fn seconds(delay: &Delay, share: f64) -> u64 {
        delay.reach(share, SECOND, 3_600 * SECOND).as_secs()
    }

    #[test]
    fn all_but_a_share_of_the_posts_are_within_reach() {
        let delay = of(&[(9_500, 1), (400, 12), (80, 60), (20, 300)]);
        let reached = [0.05, 0.01, 0.002, 0.001, 0.0].map(|share| seconds(&delay, share));
        assert_eq!(reached, [1, 20, 60, 300, 300]);
        assert_eq!(delay.reach(0.01, 30 * SECOND, 60 * SECOND), 30 * SECOND);
        assert_eq!(delay.reach(0.001, SECOND, 60 * SECOND), 60 * SECOND);
    }

    #[test]
    fn what_is_later_than_every_class_is_not_forgotten() {
        assert_eq!(seconds(&of(&[(900, 0), (100, 7_200)]), 0.01), 3_600);
    }

    #[test]
    fn little_is_told_by_few_posts() {
        assert_eq!(seconds(&of(&[(POSTS_MIN - 1, 300)]), 0.01), 1);
        assert_eq!(seconds(&of(&[(POSTS_MIN, 300)]), 0.01), 300);
    }

    #[test]
    fn a_server_that_became_faster_is_known_to_be() {
        let delay = of(&[(POSTS_MAX, 300), (8 * POSTS_MAX, 1)]);
        assert_eq!(seconds(&delay, 0.05), 1);
    }

    #[test]
    fn it_outlives_the_process() {
        let before = of(&[(1_000, 1), (30, 60)]);
        let mut after = Delay::default();
        for odd in ["", "1 2", "a b", &"9 ".repeat(99), &"4000000000 ".repeat(CLASSES)] {
            after.restore(odd);
            assert_eq!(after, Delay::default(), "{odd}");
        }
        after.restore(&before.to_text());
        assert_eq!(after, before);
    }
}
