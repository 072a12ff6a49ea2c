//! How far into a timeline: a status id, opaque but for its order.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

/// A status id as a place in a timeline. Ids of one server are ordered by length, then by their bytes: that is the order of
/// Mastodon's numbers, and of the flake ids, ULIDs and UUIDs of others, which are of one length each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Box<str>);

/// Mastodon's ids are milliseconds since 1970 in all but the lowest 16 bits.
const SNOWFLAKE_BITS: u32 = 16;
/// A number whose time lies before 2016 or after 2100 is no such id.
const SNOWFLAKE_MS: std::ops::Range<u64> = 1_451_606_400_000..4_102_444_800_000;

impl Cursor {
    /// The place of the status `id`.
    pub fn new(id: &str) -> Cursor {
        Cursor(id.into())
    }

    /// Below every status: the place in a timeline that was seen empty.
    pub fn start() -> Cursor {
        Cursor::new("0")
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The place `overlap` earlier where the id tells its time, else the same place: ids are not in the order in which posts
    /// become visible, so whoever reads on from a place begins somewhat before it.
    pub fn back(&self, overlap: Duration) -> Cursor {
        let Some(ms) = self.ms() else {
            return self.clone();
        };
        let overlap_ms = u64::try_from(overlap.as_millis()).unwrap_or(u64::MAX);
        Cursor((ms.saturating_sub(overlap_ms) << SNOWFLAKE_BITS).to_string().into())
    }

    /// From `earlier` to here, where both ids tell their time.
    pub fn since(&self, earlier: &Cursor) -> Option<Duration> {
        Some(Duration::from_millis(self.ms()?.saturating_sub(earlier.ms()?)))
    }

    fn ms(&self) -> Option<u64> {
        let ms = self.0.parse::<u64>().ok()? >> SNOWFLAKE_BITS;
        SNOWFLAKE_MS.contains(&ms).then_some(ms)
    }
}

impl Ord for Cursor {
    fn cmp(&self, other: &Cursor) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Cursor {
    fn partial_cmp(&self, other: &Cursor) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_the_order_of_their_numbers_or_letters() {
        for (lower, higher) in [
            ("0", "9"),
            ("9", "10"),
            ("99999999999999999", "115500000000000000"),
            ("115500000000000000", "115500000000000001"),
            ("01HE7XJ1CG84TBKH5V9XKBVGF5", "01HE7XJ1CG84TBKH5V9XKBVGF6"),
            ("AbFlakeIdOf18Chars", "AcFlakeIdOf18Chars"),
            ("018bda32-0000-7000-8000-000000000000", "018bda33-0000-7000-8000-000000000000"),
        ] {
            assert!(Cursor::new(lower) < Cursor::new(higher), "{lower} {higher}");
        }
    }

    #[test]
    fn only_ids_that_tell_their_time_are_moved_back() {
        let minute = Duration::from_secs(60);
        let ms = 1_700_000_000_000_u64;
        let id = |ms: u64, low: u64| Cursor::new(&((ms << 16) | low).to_string());
        assert_eq!(id(ms, 77).back(minute), id(ms - 60_000, 0));
        for opaque in ["0", "12345", "01HE7XJ1CG84TBKH5V9XKBVGF5", "AbFlakeIdOf18Chars", "99999999999999999999999"] {
            assert_eq!(Cursor::new(opaque).back(minute), Cursor::new(opaque));
        }
    }
}
