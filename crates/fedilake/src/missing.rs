//! Offsets whose records are missing from figures, because the table lost the files that held them, or they are damaged.
//!
//! A lake that is rebuilt from such a table remembers the offsets ([`fedilake_query::LakePosition`]), and every
//! answer mentions them, because the figures are smaller than what was collected.

use fedilake_query::LakePosition;

/// One sentence for each missing range of a lake at `positions`.
pub fn sentences(positions: &[LakePosition]) -> Vec<String> {
    let of_position = |position: &LakePosition| {
        let LakePosition { log, partition, lacks, .. } = position;
        let sentence =
            |(first, next): &(i64, i64)| sentence(&format!("log={log}/partition={partition}"), *first, *next);
        lacks.iter().map(sentence).collect::<Vec<_>>()
    };
    positions.iter().flat_map(of_position).collect()
}

/// The number of missing offsets.
pub fn count(positions: &[LakePosition]) -> u64 {
    positions.iter().flat_map(|position| &position.lacks).map(|(first, next)| next.abs_diff(*first)).sum()
}

fn sentence(chain: &str, first: i64, next: i64) -> String {
    // A damaged file at the end of a chain tells its first offset alone, by its name.
    let perhaps = if next - first == 1 { ", and perhaps some after it" } else { "" };
    format!(
        "the figures lack offsets {first}..{next} of {chain}{perhaps}: the table lost the file that held them, or it is damaged; \
         put it back and delete lake.duckdb, which is rebuilt"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_has_its_sentence() {
        let position = |log: &str, lacks| LakePosition { log: log.to_owned(), partition: 1, next: 90, lacks };
        let positions = [position("a", vec![]), position("b", vec![(0, 10), (20, 25)]), position("c", vec![(7, 8)])];
        let said = sentences(&positions);
        assert_eq!(said.len(), 3);
        for (sentence, range) in said.iter().zip(["0..10 of log=b/", "20..25 of log=b/partition=1", "7..8 of log=c"]) {
            assert!(sentence.contains(range), "{sentence}");
        }
        assert_eq!(count(&positions), 16);
    }
}
