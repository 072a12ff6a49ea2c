//! How far into a timeline: a status id, opaque but for its order.

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// A status id as a place in a timeline.
///
/// Ids of one server are ordered by length, then by their bytes. That is the order of Mastodon's numbers, and of the
/// flake ids, ULIDs and time-ordered UUIDs of other software, which have one length each. Random UUIDs have no order;
/// only the pages of a timeline tell which comes first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(Box<str>);

/// The longest id that is used as a place: places are kept for each server and sent with each request.
const BYTES_MAX: usize = 128;
/// Mastodon's ids are milliseconds since 1970 in all but the lowest 16 bits.
const SNOWFLAKE_BITS: u32 = 16;
/// Times of Mastodon's ids, 2016 to 2100: a number with another time is not such an id.
const SNOWFLAKE_MS: std::ops::Range<u64> = 1_451_606_400_000..4_102_444_800_000;

impl Cursor {
    /// The place of the status `id`; `None` for an id longer than 128 bytes or with invalid characters.
    pub fn new(id: &str) -> Option<Cursor> {
        let is_place = !id.is_empty() && id.len() <= BYTES_MAX && id.bytes().all(|byte| byte.is_ascii_graphic());
        is_place.then(|| Cursor(id.into()))
    }

    /// The place below every status, for a timeline that was empty.
    pub fn start() -> Cursor {
        Cursor("0".into())
    }

    /// The place of the first post of `time`, for servers whose ids hold their times; `None` for a time that no id holds.
    pub fn at(time: DateTime<Utc>) -> Option<Cursor> {
        let ms = u64::try_from(time.timestamp_millis()).ok().filter(|ms| SNOWFLAKE_MS.contains(ms))?;
        Some(Cursor((ms << SNOWFLAKE_BITS).to_string().into()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The place `overlap` earlier if the id holds its time, else the same place. Posts do not become visible in the
    /// order of their ids, so reading continues from somewhat before a place.
    pub fn back(&self, overlap: Duration) -> Cursor {
        let Some(ms) = self.ms() else {
            return self.clone();
        };
        let overlap_ms = u64::try_from(overlap.as_millis()).unwrap_or(u64::MAX);
        Cursor((ms.saturating_sub(overlap_ms) << SNOWFLAKE_BITS).to_string().into())
    }

    /// The time from `earlier` to this place, if both ids hold their times.
    pub fn since(&self, earlier: &Cursor) -> Option<Duration> {
        Some(Duration::from_millis(self.ms()?.saturating_sub(earlier.ms()?)))
    }

    /// The time that the id holds.
    pub fn time(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(i64::try_from(self.ms()?).ok()?)
    }

    /// True if this place is known to be at or above `other`: both ids hold their times. The order of other ids is
    /// never certain.
    pub fn is_surely_at_least(&self, other: &Cursor) -> bool {
        self.ms().is_some() && other.ms().is_some() && self >= other
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
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cursor(id: &str) -> Cursor {
        Cursor::new(id).unwrap()
    }

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
            assert!(cursor(lower) < cursor(higher), "{lower} {higher}");
        }
    }

    #[test]
    fn only_ids_that_hold_their_time_are_moved_back() {
        let minute = Duration::from_secs(60);
        let ms = 1_700_000_000_000_u64;
        let id = |ms: u64, low: u64| cursor(&((ms << 16) | low).to_string());
        assert_eq!(id(ms, 77).back(minute), id(ms - 60_000, 0));
        assert_eq!(id(ms, 77).time().unwrap().timestamp_millis(), 1_700_000_000_000);
        for opaque in ["0", "12345", "01HE7XJ1CG84TBKH5V9XKBVGF5", "AbFlakeIdOf18Chars", "99999999999999999999999"] {
            assert_eq!(cursor(opaque).back(minute), cursor(opaque));
            assert_eq!(cursor(opaque).time(), None);
        }
    }

    #[test]
    fn what_is_no_id_is_no_place() {
        for id in ["", " ", "1 2", "1\n2", "\u{1b}[31m", "é", "\u{202e}1", &"9".repeat(129), &"9".repeat(1 << 20)] {
            assert_eq!(Cursor::new(id), None, "{:.20}", id.escape_debug().to_string());
        }
        assert!(Cursor::new(&"9".repeat(128)).is_some());
    }
}
