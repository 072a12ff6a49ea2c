//! Holes: offsets of a data file's range that carry no record.
//!
//! A log leaves holes where it stores its own markers (Kafka's transaction markers) or removed records (aborted or
//! compacted ones). An accepted gap is a file that is one hole. Written as inclusive ranges: `0..=9,12..=12`.

use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use fedilake_log::Offset;

/// Ranges of offsets without a record: ascending, never touching each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holes(Vec<RangeInclusive<u64>>);

impl Holes {
    /// Returns the holes between `first` and `next` when only the offsets `present`, ascending and within, carry a record.
    pub(crate) fn between(first: Offset, next: Offset, present: impl IntoIterator<Item = Offset>) -> Holes {
        let mut holes = Vec::new();
        let mut expected = first.0;
        for offset in present {
            if offset.0 > expected {
                holes.push(expected..=offset.0 - 1);
            }
            expected = offset.0 + 1;
        }
        if next.0 > expected {
            holes.push(expected..=next.0 - 1);
        }
        Holes(holes)
    }

    /// Returns the number of offsets that carry no record.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|hole| hole.end() - hole.start() + 1).sum()
    }

    /// The runs of offsets that carry no record, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = Range<Offset>> + '_ {
        self.0.iter().map(|hole| Offset(*hole.start())..Offset(hole.end() + 1))
    }

    /// True if `offset` carries no record.
    pub fn contains(&self, offset: Offset) -> bool {
        self.0.iter().any(|hole| hole.contains(&offset.0))
    }

    /// True if every hole lies in `first..next`.
    pub(crate) fn within(&self, first: Offset, next: Offset) -> bool {
        self.0.first().is_none_or(|hole| *hole.start() >= first.0)
            && self.0.last().is_none_or(|hole| *hole.end() < next.0)
    }
}

impl fmt::Display for Holes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, hole) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{}..={}", hole.start(), hole.end())?;
        }
        Ok(())
    }
}

impl FromStr for Holes {
    type Err = String;

    fn from_str(text: &str) -> Result<Holes, String> {
        let mut holes: Vec<RangeInclusive<u64>> = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let hole = part
                .split_once("..=")
                .and_then(|(from, to)| Some(from.parse().ok()?..=to.parse().ok()?))
                .filter(|hole| !hole.is_empty() && *hole.end() < u64::MAX)
                .ok_or_else(|| format!("{part:?} is not a range of offsets"))?;
            if holes.last().is_some_and(|before| *hole.start() <= before.end() + 1) {
                return Err(format!("the range {part} overlaps or touches the one before it"));
            }
            holes.push(hole);
        }
        Ok(Holes(holes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(first: u64, next: u64, present: &[u64]) -> Holes {
        Holes::between(Offset(first), Offset(next), present.iter().copied().map(Offset))
    }

    #[test]
    fn holes_are_what_is_not_present() {
        let cases: [(u64, u64, &[u64], &str, u64); 6] = [
            (0, 3, &[0, 1, 2], "", 0),
            (0, 3, &[], "0..=2", 3),
            (5, 10, &[6, 8], "5..=5,7..=7,9..=9", 3),
            (5, 10, &[5, 9], "6..=8", 3),
            (0, 20, &[10], "0..=9,11..=19", 19),
            (7, 8, &[7], "", 0),
        ];
        for (first, next, present, text, count) in cases {
            let holes = between(first, next, present);
            assert_eq!((holes.to_string().as_str(), holes.count()), (text, count));
            assert_eq!(text.parse::<Holes>().unwrap(), holes);
            assert!(holes.within(Offset(first), Offset(next)));
            for offset in first..next {
                assert_ne!(holes.contains(Offset(offset)), present.contains(&offset));
            }
        }
    }

    #[test]
    fn what_no_writer_writes_is_refused() {
        for text in ["1", "3..=2", "a..=b", "1..3", "5..=6,7..=8", "5..=6,1..=2", "0..=18446744073709551615"] {
            assert!(text.parse::<Holes>().is_err(), "{text}");
        }
    }
}
