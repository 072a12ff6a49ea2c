//! The uris that the lake may have: a filter in memory, so that a take need not read every post to find its copies.
//!
//! The filter has the hash of each post's uri, hidden posts included, and never forgets one: a uri that it lacks is new to
//! the lake. The posts of those that it has are looked for on the days around them first, since copies of a post tell about
//! the same time. Only for uris that are not found there, all posts are read. The filter of a large lake is made beside the
//! first takes, which read every uri until it is there.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, UInt8Type, UInt64Type};
use duckdb::Connection;
use parquet::bloom_filter::Sbbf;

use crate::LakeError;

/// A filter of no more uris is made within a take, in some 0.2 s.
const MADE_AT_ONCE: u64 = 1 << 20;
/// The least and the most uris of the layers by which a filter grows.
const LAYER_MIN: usize = 1 << 20;
const LAYER_MAX: usize = 1 << 24;
/// The size of each of a layer's two filters, in bytes for a uri. One new uri in a million is taken for a known one.
const URI_BYTES: usize = 2;
/// The largest filter that the library makes, in bytes.
const FILTER_BYTES_MAX: usize = 128 << 20;
/// The most ranges of days that are told one by one.
const RANGES_MAX: usize = 16;

/// What the lake's process knows of its uris.
#[derive(Default)]
pub(crate) struct Uris {
    filter: State,
    /// Hashes of the staged posts, which are not in the filter yet.
    staged: Vec<u64>,
    /// Those that the filter has, each with the day of its staged post.
    suspects: Vec<(u64, i32)>,
}

#[derive(Default)]
enum State {
    #[default]
    None,
    Making(Making),
    Made(Filter),
}

/// The staged posts that the lake may have.
pub(crate) enum Matching {
    /// Any of them.
    Any,
    /// None of them.
    None,
    /// Those with these hashes of uris, which are looked for under this condition first.
    Near { uris: HashSet<u64>, condition: String },
}

impl Uris {
    /// Sees to the filter before a call stages its first post: it is there, or it is being made beside the takes.
    pub(crate) fn prepare(&mut self, connect: impl FnOnce() -> Result<Connection, LakeError>) -> Result<(), LakeError> {
        self.filter = match std::mem::take(&mut self.filter) {
            State::Making(making) if making.is_over() => making.end().map_or(State::None, State::Made),
            state => state,
        };
        if let State::None = self.filter {
            let sql = "select ((select count(*) from post) + (select count(*) from withheld))::ubigint";
            let connection = connect()?;
            let posts: u64 = connection.query_row(sql, [], |row| row.get(0))?;
            self.filter = if posts <= MADE_AT_ONCE {
                State::Made(Filter::of_all(&connection, posts as usize, || false)?)
            } else {
                State::Making(Making::begin(connection, posts as usize))
            };
        }
        Ok(())
    }

    /// Notes the uris of rows that are about to be staged.
    pub(crate) fn meet(&mut self, batch: &RecordBatch) {
        let kinds = batch.column_by_name("kind").and_then(|column| column.as_primitive_opt::<UInt8Type>());
        let hashes = batch.column_by_name("uri_hash").and_then(|column| column.as_primitive_opt::<UInt64Type>());
        let days = batch.column_by_name("day").and_then(|column| column.as_primitive_opt::<Int32Type>());
        let (Some(kinds), Some(hashes), Some(days)) = (kinds, hashes, days) else {
            // A column has a type that is not read here.
            *self = Uris::default();
            return;
        };
        for ((kind, hash), day) in kinds.iter().zip(hashes).zip(days) {
            let (Some(0), Some(hash), Some(day)) = (kind, hash, day) else { continue };
            self.staged.push(hash);
            if let State::Made(filter) = &self.filter
                && filter.has(hash)
            {
                self.suspects.push((hash, day));
            }
        }
    }

    /// What to look for, for the posts that were staged since the last call.
    pub(crate) fn matching(&mut self) -> Matching {
        let (mut staged, suspects) = (std::mem::take(&mut self.staged), std::mem::take(&mut self.suspects));
        match &mut self.filter {
            State::None => return Matching::Any,
            State::Making(making) => {
                making.since.append(&mut staged);
                return Matching::Any;
            }
            State::Made(filter) => staged.into_iter().for_each(|hash| filter.insert(hash)),
        }
        if suspects.is_empty() {
            return Matching::None;
        }
        let days: BTreeSet<i32> =
            suspects.iter().flat_map(|(_, day)| day.saturating_sub(1)..=day.saturating_add(1)).collect();
        let condition = on_days(&days.into_iter().collect::<Vec<_>>());
        Matching::Near { uris: suspects.into_iter().map(|(hash, _)| hash).collect(), condition }
    }
}

/// A filter that a thread makes. Dropping it stops the thread and waits for its end, so that its connection is closed.
struct Making {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Option<Filter>>>,
    /// Hashes of posts that were staged since it began.
    since: Vec<u64>,
}

impl Making {
    fn begin(connection: Connection, posts: usize) -> Making {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        // If it fails, for want of memory for instance, the next take begins it again.
        let make = move || Filter::of_all(&connection, posts, || stopped.load(Ordering::Relaxed)).ok();
        Making { stop, thread: Some(std::thread::spawn(make)), since: Vec::new() }
    }

    fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// The filter with all that was staged meanwhile; `None` if it could not be made.
    fn end(mut self) -> Option<Filter> {
        let mut filter = self.thread.take()?.join().expect("making a filter does not panic")?;
        std::mem::take(&mut self.since).into_iter().for_each(|hash| filter.insert(hash));
        Some(filter)
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Grows by layers, of which the last one has room.
#[derive(Default)]
struct Filter {
    layers: Vec<Layer>,
    uris: usize,
}

impl Filter {
    /// A filter of the posts that a connection sees, about so many; without some of them if `is_stopped`.
    fn of_all(connection: &Connection, posts: usize, is_stopped: impl Fn() -> bool) -> duckdb::Result<Filter> {
        let mut filter = Filter { layers: vec![Layer::of(posts)], uris: 0 };
        let mut statement = connection.prepare("select uri_hash from post union all select uri_hash from withheld")?;
        drop(statement.stream_arrow([])?);
        while let Some(batch) = statement.step()?
            && !is_stopped()
        {
            let hashes = RecordBatch::from(&batch);
            hashes.column(0).as_primitive::<UInt64Type>().values().iter().for_each(|hash| filter.insert(*hash));
        }
        Ok(filter)
    }

    fn has(&self, hash: u64) -> bool {
        self.layers.iter().any(|layer| layer.has(hash))
    }

    fn insert(&mut self, hash: u64) {
        self.uris += 1;
        match self.layers.last_mut() {
            Some(layer) if layer.room > 0 => layer.insert(hash),
            _ => {
                let mut layer = Layer::of(self.uris.clamp(LAYER_MIN, LAYER_MAX));
                layer.insert(hash);
                self.layers.push(layer);
            }
        }
    }
}

/// Two filters that err independently: both together have fewer false positives than one of twice the size, and each
/// needs one line of the processor's cache for a uri.
struct Layer {
    filters: [Sbbf; 2],
    room: usize,
}

impl Layer {
    /// Room for so many uris, if the library makes such a filter.
    fn of(uris: usize) -> Layer {
        let bytes = (uris.max(1) * URI_BYTES).next_power_of_two().min(FILTER_BYTES_MAX);
        let filter = || Sbbf::new_with_num_of_bytes(bytes);
        Layer { filters: [filter(), filter()], room: bytes / URI_BYTES }
    }

    fn has(&self, hash: u64) -> bool {
        self.filters[0].check(&hash) && self.filters[1].check(&!hash)
    }

    fn insert(&mut self, hash: u64) {
        self.filters[0].insert(&hash);
        self.filters[1].insert(&!hash);
        self.room = self.room.saturating_sub(1);
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

    /// A stand-in for a hash that has no pattern.
    fn hash(n: u64) -> u64 {
        let n = (n ^ (n >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        (n ^ (n >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53)
    }

    /// A database with the uris of so many posts, one of them hidden.
    fn lake(posts: u64) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        let sql = format!(
            "create table post as select hash(range) as uri_hash from range(1, {posts});
            create table withheld as select hash(0) as uri_hash"
        );
        connection.execute_batch(&sql).unwrap();
        connection
    }

    fn hashes(connection: &Connection, sql: &str) -> Vec<u64> {
        connection.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn a_filter_that_grew_has_every_uri_and_takes_few_others_for_known() {
        let posts = 5 * LAYER_MIN as u64;
        let mut filter = Filter { layers: vec![Layer::of(1_000)], uris: 0 };
        (0..posts).for_each(|n| filter.insert(hash(n)));
        assert!(filter.layers.len() > 2);
        assert!((0..posts).all(|n| filter.has(hash(n))));
        let wrong = (posts..posts + 1_000_000).filter(|n| filter.has(hash(*n))).count();
        assert!(wrong < 30, "{wrong} of a million");
    }

    #[test]
    fn a_filter_has_the_posts_that_were_there_and_those_that_came_while_it_was_made() {
        let connection = lake(10_000);
        let mut making = Making::begin(connection.try_clone().unwrap(), 10_000);
        let since = hashes(&connection, "select hash(range) from range(10000, 10100)");
        making.since.extend(&since);
        let filter = making.end().unwrap();
        assert!(hashes(&connection, "select hash(range) from range(10000)").into_iter().all(|hash| filter.has(hash)));
        assert!(since.into_iter().all(|hash| filter.has(hash)));
        assert!(!hashes(&connection, "select hash(range) from range(20000, 20010)").into_iter().any(|h| filter.has(h)));
    }

    #[test]
    fn a_filter_that_is_not_finished_ends_with_its_lake() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lake.duckdb");
        let connection = Connection::open(&path).unwrap();
        let sql = "create table post as select hash(range) as uri_hash from range(2000000);
            create table withheld as select 0::ubigint as uri_hash";
        connection.execute_batch(sql).unwrap();
        let mut uris = Uris::default();
        uris.prepare(|| Ok(connection.try_clone()?)).unwrap();
        let State::Making(making) = &uris.filter else { panic!("not made beside the takes") };
        let stop = Arc::clone(&making.stop);
        drop(uris);
        assert!(stop.load(Ordering::Relaxed));
        assert_eq!(Arc::strong_count(&stop), 1, "the thread runs on");
        drop(connection);
        std::fs::remove_file(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch("create table post (id integer)").unwrap();
    }

    #[test]
    fn days_side_by_side_are_one_range_and_many_ranges_are_one() {
        assert_eq!(on_days(&[3]), "(post.day between 3 and 3)");
        assert_eq!(on_days(&[-1, 0, 1, 5, 6]), "(post.day between -1 and 1 or post.day between 5 and 6)");
        let many: Vec<i32> = (0..40).map(|n| n * 10).collect();
        assert_eq!(on_days(&many), "(post.day between 0 and 390)");
    }
}
