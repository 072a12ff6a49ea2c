//! Offsets that neither the table nor any file of the source has: said by each import, whichever run met them first.

use std::ops::Range;

use anyhow::Context;
use fedilake_log::{Offset, Partition};
use fedilake_table::{Chain, Table};

use super::fetch::RowCounts;
use super::reader;
use super::source::Topic;

/// The offsets of `topic` that are missing from `table`, which has all that the source has: its holes, but for those where a file of the
/// source has a row, which was not kept.
pub async fn missing(topic: &Topic, table: &Table) -> anyhow::Result<Vec<(Partition, Range<Offset>)>> {
    let holes = table.holes().await.context("read the table")?;
    let mut missing = Vec::new();
    for (partition, files) in &topic.files {
        let chain = Chain { log: topic.log_id(), partition: *partition };
        let mut counts = RowCounts::default();
        let mut open = holes.get(&chain).cloned().unwrap_or_default();
        for file in files {
            let may_have = file.first..reader::reach(file);
            if !open.iter().any(|hole| overlap(hole, &may_have)) {
                continue;
            }
            let rows = counts.of(topic.store.as_ref(), file).await?.unwrap_or(0);
            let has = file.first..reader::after(file, rows);
            open = open.into_iter().flat_map(|hole| without(hole, &has)).collect();
        }
        missing.extend(open.into_iter().map(|hole| (*partition, hole)));
    }
    Ok(missing)
}

fn overlap(one: &Range<Offset>, other: &Range<Offset>) -> bool {
    one.start < other.end && other.start < one.end
}

/// The parts of `hole` that `has` does not cover.
fn without(hole: Range<Offset>, has: &Range<Offset>) -> impl Iterator<Item = Range<Offset>> {
    let before = hole.start..hole.end.min(has.start);
    let after = hole.start.max(has.end)..hole.end;
    [before, after].into_iter().filter(|range| range.start < range.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_has_is_taken_out_of_a_hole_and_nothing_else() {
        let range = |(start, end): (u64, u64)| Offset(start)..Offset(end);
        type Case = ((u64, u64), (u64, u64), &'static [(u64, u64)]);
        let cases: [Case; 8] = [
            ((10, 20), (0, 10), &[(10, 20)]),
            ((10, 20), (0, 11), &[(11, 20)]),
            ((10, 20), (12, 15), &[(10, 12), (15, 20)]),
            ((10, 20), (10, 20), &[]),
            ((10, 20), (0, u64::MAX), &[]),
            ((10, 20), (19, 30), &[(10, 19)]),
            ((10, 20), (20, 30), &[(10, 20)]),
            // A file without rows.
            ((10, 20), (15, 15), &[(10, 15), (15, 20)]),
        ];
        for (hole, has, left) in cases {
            let found: Vec<_> = without(range(hole), &range(has)).collect();
            assert_eq!(found, left.iter().copied().map(range).collect::<Vec<_>>(), "{hole:?} {has:?}");
        }
    }
}
