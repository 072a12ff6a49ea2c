//! Offsets whose rows the table lacks: said by each import, whichever run met them first.

use std::ops::Range;

use anyhow::Context;
use fedilake_log::{Offset, Partition};
use fedilake_table::{Chain, Table, TableError};

use super::offsets::OffsetSet;
use super::source::Topic;
use super::unusable::Memory;

/// Ranges of offsets of a topic's partitions.
pub type Ranges = Vec<(Partition, Range<Offset>)>;

/// Offsets without a row in the table, but for those whose rows may not be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// No file had these.
    pub absent: Ranges,
    /// A file has these, and came when the table was past them: a chain only goes forward.
    pub late: Ranges,
}

/// The offsets of `topic` that are missing from `table`; `memory` has those that were read, and those of them that may not be kept.
pub async fn missing(topic: &Topic, table: &Table, memory: &Memory) -> anyhow::Result<Missing> {
    let holes = table.holes().await.context("read the table")?;
    let mut remembered = memory.load();
    for partition in topic.files.keys() {
        remembered.entry(partition.0).or_default();
    }
    let mut missing = Missing::default();
    for (partition, counted) in remembered {
        let chain = Chain { log: topic.log_id(), partition: Partition(partition) };
        let start = match table.start(&chain).await {
            Ok(start) => start.map_or(0, |start| start.0),
            // The check reports it.
            Err(TableError::Damaged { .. }) => 0,
            Err(error) => return Err(error).context("read the table"),
        };
        let mut open = counted.rows.within(&(0..start));
        open.extend(holes.get(&chain).into_iter().flatten().map(|hole| hole.start.0..hole.end.0));
        let (absent, late) = lacking(&open, &counted.rows, &counted.refused);
        let here = |range: Range<u64>| (Partition(partition), Offset(range.start)..Offset(range.end));
        missing.absent.extend(absent.into_iter().map(here));
        missing.late.extend(late.into_iter().map(here));
    }
    Ok(missing)
}

/// The offsets of `open` that are not in `refused`, apart by whether they were `read`.
fn lacking(open: &[Range<u64>], read: &OffsetSet, refused: &OffsetSet) -> (Vec<Range<u64>>, Vec<Range<u64>>) {
    let wanted: Vec<Range<u64>> = open.iter().flat_map(|range| refused.without(range)).collect();
    let absent = wanted.iter().flat_map(|range| read.without(range)).collect();
    let late = wanted.iter().flat_map(|range| read.within(range)).collect();
    (absent, late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::single_range_in_vec_init, reason = "lists of ranges")]
    #[test]
    fn a_hole_is_missing_unless_its_row_may_not_be_kept() {
        let set = |ranges: &[Range<u64>]| {
            let mut set = OffsetSet::default();
            ranges.iter().for_each(|range| set.add(range.clone()));
            set
        };
        type Case<'a> = (&'a [Range<u64>], &'a [Range<u64>], &'a [Range<u64>], &'a [Range<u64>]);
        // Read, not kept; absent, late.
        let cases: [Case<'_>; 5] = [
            (&[], &[], &[10..20], &[]),
            (&[0..10, 20..30], &[], &[10..20], &[]),
            (&[0..30], &[10..20], &[], &[]),
            (&[0..15], &[11..12], &[15..20], &[10..11, 12..15]),
            (&[5..25], &[], &[], &[10..20]),
        ];
        for (read, refused, absent, late) in cases {
            let found = lacking(&[10..20], &set(read), &set(refused));
            assert_eq!(found, (absent.to_vec(), late.to_vec()), "{read:?} {refused:?}");
        }
    }
}
