//! The uris that the lake may have: a filter in memory, so that small takes need not read every post to find their copies.
//!
//! The filter has the hash of each post's uri, hidden posts included, and never forgets one: a uri that it lacks is new to
//! the lake. The posts of those that it has are looked for on the days around them first, since copies of a post tell about
//! the same time. Only if one is not found there, all posts are read.

use std::collections::{BTreeSet, HashSet};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, UInt8Type, UInt64Type};
use duckdb::{Connection, params};
use fastbloom::BloomFilter;

/// The share of new uris that are taken for known ones, for each of which all posts are read. Fewer would take longer to make.
const FALSE_POSITIVES: f64 = 1e-4;
/// The least number of uris that a filter is made for.
const ROOM_MIN: i64 = 1 << 20;
/// The least number of posts that a take adds to a filter that is not whole yet, in some 0.2 s.
const POSTS_A_TAKE: i64 = 1_000_000;
/// A filter is whole after so many takes at most: until then each of them reads every uri, which takes as long as to add a part to the filter.
const TAKES_TO_WHOLE: i64 = 8;
/// The most ranges of days that are told one by one.
const RANGES_MAX: usize = 16;

/// What the lake's process knows of its uris.
#[derive(Default)]
pub(crate) struct Uris {
    filter: Option<Filter>,
    /// Hashes of the staged posts, which are not in the filter yet.
    staged: Vec<u64>,
    /// Those that the filter has, each with the day of its staged post.
    suspects: Vec<(u64, i32)>,
}

struct Filter {
    bloom: BloomFilter,
    /// How many more uris it has room for.
    room: i64,
    /// The posts with ids from here up to `end` are not in it yet; later ones were staged since.
    next: i64,
    end: i64,
    /// How many of these a take adds.
    a_take: i64,
}

/// The staged posts that the lake may have.
pub(crate) enum Matching {
    /// Any of them.
    Any,
    /// None of them.
    None,
    /// So many uris, whose posts are looked for under this condition first.
    Near { uris: usize, condition: String },
}

impl Uris {
    /// Makes the filter or adds to it, for a small take.
    pub(crate) fn read_on(&mut self, writer: &Connection) -> duckdb::Result<()> {
        let filter = match self.filter.take().filter(|filter| filter.room > 0) {
            Some(filter) => self.filter.insert(filter),
            None => {
                let sql = "select coalesce(min(id), 0), coalesce(max(id) + 1, 0) \
                           from (select id from post union all select id from withheld)";
                let (next, end): (i64, i64) = writer.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
                let posts = end - next;
                let room = posts.saturating_add(posts / 2).max(ROOM_MIN);
                let bloom = BloomFilter::with_false_pos(FALSE_POSITIVES).expected_items(room as usize);
                let a_take = (posts / TAKES_TO_WHOLE + 1).max(POSTS_A_TAKE);
                self.filter.insert(Filter { bloom, room, next, end, a_take })
            }
        };
        if filter.next < filter.end {
            let end = filter.end.min(filter.next + filter.a_take);
            let sql = "select uri_hash from post where id >= ?1 and id < ?2 \
                       union all select uri_hash from withheld where id >= ?1 and id < ?2";
            let mut statement = writer.prepare(sql)?;
            for batch in statement.query_arrow(params![filter.next, end])? {
                batch.column(0).as_primitive::<UInt64Type>().values().iter().for_each(|hash| filter.insert(*hash));
            }
            filter.next = end;
        }
        Ok(())
    }

    /// Forgets the filter: a large take adds more than it is worth to keep it.
    pub(crate) fn forget(&mut self) {
        *self = Uris::default();
    }

    /// Notes the uris of rows that are about to be staged.
    pub(crate) fn meet(&mut self, batch: &RecordBatch) {
        let Some(filter) = &self.filter else { return };
        let kinds = batch.column_by_name("kind").and_then(|column| column.as_primitive_opt::<UInt8Type>());
        let hashes = batch.column_by_name("uri_hash").and_then(|column| column.as_primitive_opt::<UInt64Type>());
        let days = batch.column_by_name("day").and_then(|column| column.as_primitive_opt::<Int32Type>());
        let (Some(kinds), Some(hashes), Some(days)) = (kinds, hashes, days) else {
            // A column has a type that is not read here.
            self.forget();
            return;
        };
        for ((kind, hash), day) in kinds.iter().zip(hashes).zip(days) {
            let (Some(0), Some(hash), Some(day)) = (kind, hash, day) else { continue };
            self.staged.push(hash);
            if filter.bloom.contains_hash(hash) {
                self.suspects.push((hash, day));
            }
        }
    }

    /// What to look for, for the posts that were staged since the last call.
    pub(crate) fn matching(&mut self) -> Matching {
        let (staged, suspects) = (std::mem::take(&mut self.staged), std::mem::take(&mut self.suspects));
        let Some(filter) = &mut self.filter else { return Matching::Any };
        staged.into_iter().for_each(|hash| filter.insert(hash));
        if filter.next < filter.end {
            return Matching::Any;
        }
        if suspects.is_empty() {
            return Matching::None;
        }
        let days: BTreeSet<i32> =
            suspects.iter().flat_map(|(_, day)| day.saturating_sub(1)..=day.saturating_add(1)).collect();
        let uris: HashSet<u64> = suspects.into_iter().map(|(hash, _)| hash).collect();
        Matching::Near { uris: uris.len(), condition: on_days(&days.into_iter().collect::<Vec<_>>()) }
    }
}

impl Filter {
    fn insert(&mut self, hash: u64) {
        self.bloom.insert_hash(hash);
        self.room -= 1;
    }
}

/// SQL: a post is of one of these days, which ascend, or of one between them if they are many.
fn on_days(days: &[i32]) -> String {
    let ranges: Vec<_> = days.chunk_by(|a, b| a + 1 == *b).map(|range| (range[0], range[range.len() - 1])).collect();
    let ranges = if ranges.len() > RANGES_MAX { vec![(days[0], days[days.len() - 1])] } else { ranges };
    let ranges: Vec<_> = ranges.iter().map(|(first, last)| format!("post.day between {first} and {last}")).collect();
    format!("({})", ranges.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_side_by_side_are_one_range_and_many_ranges_are_one() {
        assert_eq!(on_days(&[3]), "(post.day between 3 and 3)");
        assert_eq!(on_days(&[-1, 0, 1, 5, 6]), "(post.day between -1 and 1 or post.day between 5 and 6)");
        let many: Vec<i32> = (0..40).map(|n| n * 10).collect();
        assert_eq!(on_days(&many), "(post.day between 0 and 390)");
    }
}
