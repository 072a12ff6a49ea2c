//! The talk's figures, and the figures for another size.

/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Midnight of 3 February 2023, UTC.
pub(crate) const FIRST_DAY_MS: i64 = 19_391 * DAY_MS;

/// The figures of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DayTarget {
    pub(crate) posts: u64,
    pub(crate) authors: u64,
    pub(crate) origins: u64,
    /// When the collector ran, in minutes of the day: the talk's first day, and 6 and 7 February, are parts of days.
    pub(crate) window_minutes: (u32, u32),
}

/// The figures of all days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Targets {
    pub(crate) days: Vec<DayTarget>,
    pub(crate) posts: u64,
    pub(crate) authors: u64,
    pub(crate) origins: u64,
    pub(crate) characters_max: u32,
    pub(crate) characters_sum: u64,
}

/// The talk's posts.
pub const POSTS: u64 = 1_622_149;
const AUTHORS: u64 = 142_877;
const ORIGINS: u64 = 8_309;
const CHARACTERS_MAX: u32 = 68_991;
const CHARACTERS_SUM: u64 = 245_245_677;

const fn day(posts: u64, authors: u64, origins: u64, window_minutes: (u32, u32)) -> DayTarget {
    DayTarget { posts, authors, origins, window_minutes }
}

/// The talk's table. It does not list the last two days: they hold the rest of the posts, shaped like the others.
const DAYS: [DayTarget; 10] = [
    day(17_880, 8_537, 1_524, (1_300, 1_440)),
    day(210_646, 54_006, 4_562, (0, 1_440)),
    day(191_391, 49_241, 4_310, (0, 1_440)),
    day(41_632, 17_846, 2_255, (0, 280)),
    day(99_097, 30_701, 3_350, (740, 1_440)),
    day(188_503, 49_649, 4_372, (0, 1_440)),
    day(166_096, 48_532, 4_227, (0, 1_440)),
    day(207_877, 54_230, 4_608, (0, 1_440)),
    day(258_014, 58_600, 4_780, (0, 1_440)),
    day(241_013, 57_100, 4_700, (0, 1_440)),
];

impl Targets {
    /// The talk's figures for `posts` posts. Posts a day keep their proportion. Authors and origins grow more slowly
    /// than posts, as they do in a sample: with the powers 0.85 and 0.6 of the size.
    pub(crate) fn of(posts: u64) -> Targets {
        let size = posts as f64 / POSTS as f64;
        let scaled = |count: u64, power: f64| (count as f64 * size.powf(power)).round() as u64;
        let shares: Vec<f64> = DAYS.iter().map(|day| day.posts as f64).collect();
        let days: Vec<DayTarget> = largest_remainder(&shares, posts)
            .into_iter()
            .zip(DAYS)
            .map(|(posts, day)| {
                let authors = scaled(day.authors, 0.85).clamp(posts.min(1), posts);
                DayTarget { posts, authors, origins: scaled(day.origins, 0.6).clamp(posts.min(1), authors), ..day }
            })
            .collect();
        let busiest = |count: fn(&DayTarget) -> u64| days.iter().map(count).max().unwrap_or(0);
        let all = |count: fn(&DayTarget) -> u64| days.iter().map(count).sum::<u64>();
        let authors = scaled(AUTHORS, 0.85).clamp(busiest(|day| day.authors), all(|day| day.authors));
        let origins = scaled(ORIGINS, 0.6).clamp(busiest(|day| day.origins), all(|day| day.origins)).min(authors);
        Targets {
            posts,
            authors,
            origins,
            characters_max: CHARACTERS_MAX.min(posts.max(600) as u32),
            characters_sum: (u128::from(posts) * u128::from(CHARACTERS_SUM) / u128::from(POSTS)) as u64,
            days,
        }
    }
}

/// Shares `total` out in whole numbers, in proportion to `shares`: those that lose most by rounding down get the rest.
pub(crate) fn largest_remainder(shares: &[f64], total: u64) -> Vec<u64> {
    let sum: f64 = shares.iter().sum();
    let exact: Vec<f64> = shares.iter().map(|share| share / sum * total as f64).collect();
    let mut whole: Vec<u64> = exact.iter().map(|exact| *exact as u64).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()).then(a.cmp(b)));
    let rest = total.saturating_sub(whole.iter().sum()) as usize;
    for at in order.into_iter().cycle().take(rest) {
        whole[at] += 1;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_full_size_the_targets_are_the_talks_figures() {
        let targets = Targets::of(POSTS);
        assert_eq!(targets.days, DAYS);
        assert_eq!(DAYS.iter().map(|day| day.posts).sum::<u64>(), POSTS);
        assert_eq!((targets.authors, targets.origins), (AUTHORS, ORIGINS));
        assert_eq!((targets.characters_max, targets.characters_sum), (CHARACTERS_MAX, CHARACTERS_SUM));
    }

    #[test]
    fn at_any_size_the_targets_can_be_met() {
        for posts in [1, 2, 10, 100, 1_000, 60_000, 202_769, 3_000_000] {
            let targets = Targets::of(posts);
            assert_eq!(targets.days.iter().map(|day| day.posts).sum::<u64>(), posts);
            for day in &targets.days {
                assert!(day.origins <= day.authors && day.authors <= day.posts, "{posts}: {day:?}");
                assert!(day.authors <= targets.authors && day.origins <= targets.origins, "{posts}: {day:?}");
            }
            assert!(targets.origins <= targets.authors && targets.authors <= posts);
        }
    }
}
