//! Sets of offsets, held as ranges.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Offsets of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct OffsetSet(
    /// The start of each range and its end, which is not in it. Ranges neither overlap nor touch.
    BTreeMap<u64, u64>,
);

impl OffsetSet {
    /// Adds `offsets`.
    pub(super) fn add(&mut self, offsets: Range<u64>) {
        let Range { mut start, mut end } = offsets;
        if start >= end {
            return;
        }
        // Ranges that touch become one.
        while let Some((first, next)) = self.last_before(end).filter(|(_, next)| *next >= start) {
            self.0.remove(&first);
            (start, end) = (start.min(first), end.max(next));
        }
        self.0.insert(start, end);
    }

    /// Adds the offsets of `other`.
    pub(super) fn add_all(&mut self, other: &OffsetSet) {
        other.0.iter().for_each(|(start, end)| self.add(*start..*end));
    }

    /// True if the set has `offset`.
    pub(super) fn has(&self, offset: u64) -> bool {
        self.last_before(offset).is_some_and(|(_, end)| offset < end)
    }

    /// The parts of `offsets` that the set has.
    pub(super) fn within(&self, offsets: &Range<u64>) -> Vec<Range<u64>> {
        let Range { start, end } = *offsets;
        if start >= end {
            return Vec::new();
        }
        let from = self.last_before(start).map_or(start, |(first, _)| first);
        let clipped = self.0.range(from..end).map(|(first, next)| start.max(*first)..end.min(*next));
        clipped.filter(|range| range.start < range.end).collect()
    }

    /// The parts of `offsets` that the set lacks.
    pub(super) fn without(&self, offsets: &Range<u64>) -> Vec<Range<u64>> {
        let mut lacking = Vec::new();
        let mut from = offsets.start;
        for Range { start, end } in self.within(offsets) {
            lacking.push(from..start);
            from = end;
        }
        lacking.push(from..offsets.end);
        lacking.retain(|range| range.start < range.end);
        lacking
    }

    fn last_before(&self, offset: u64) -> Option<(u64, u64)> {
        self.0.range(..=offset).next_back().map(|(start, end)| (*start, *end))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn a_set_has_what_was_added_and_nothing_else() {
        let mut dice = rand::rngs::StdRng::seed_from_u64(5);
        for _ in 0..200 {
            let (mut set, mut model) = (OffsetSet::default(), BTreeSet::new());
            for _ in 0..dice.random_range(0..12) {
                let start = dice.random_range(0..60);
                let range = start..start + dice.random_range(0..9);
                set.add(range.clone());
                model.extend(range);
            }
            for offset in 0..70 {
                assert_eq!(set.has(offset), model.contains(&offset), "{offset} {set:?}");
            }
            let start = dice.random_range(0..60);
            let asked = start..start + dice.random_range(0..20);
            let within: Vec<u64> = set.within(&asked).into_iter().flatten().collect();
            let without: Vec<u64> = set.without(&asked).into_iter().flatten().collect();
            assert!(within.iter().copied().eq(asked.clone().filter(|offset| model.contains(offset))), "{set:?}");
            assert!(without.iter().copied().eq(asked.filter(|offset| !model.contains(offset))), "{set:?}");
            assert!(set.0.iter().zip(set.0.keys().skip(1)).all(|((_, end), start)| end < start), "{set:?}");
        }
    }
}
