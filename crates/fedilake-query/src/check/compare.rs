//! The comparison of the lake's views with the same views over the files, by sums of hashes.

use std::ops::Range;

use arrow::array::RecordBatch;
use duckdb::Connection;

use super::files::{Files, content_hash};
use super::steps::Steps;
use super::{AtOnce, Finding};
use crate::lake::Snapshot;
use crate::{Chunk, LakeError};

/// Groups of uris, by their hash.
pub(super) const BUCKETS: u64 = 1024;

/// Uris that a finding names, of each side.
const EXAMPLES: usize = 3;

/// Parts of the lake that are read one after the other, so that there is something to tell meanwhile.
const SLICES: i128 = 3;
/// Fewer rows are one part.
const SLICED_ROWS_MIN: i64 = 500_000;

/// The cost of a step, relative to staging as many rows.
const COST_OF_LAKE: f64 = 0.8;
/// The part of it that is for sightings after the first.
const COST_OF_LATER: f64 = 0.1;
const COST_OF_CHOICE: f64 = 0.4;

/// The compared views, in the order of their findings.
const VIEWS: [&str; 2] = ["posts", "sightings"];
const POSTS: usize = 0;
const SIGHTINGS: usize = 1;

/// Compares both views of the whole lake.
pub(super) fn compare(
    snapshot: &Snapshot,
    files: &mut Files<'_>,
    at_once: AtOnce,
    steps: &mut Steps<'_>,
) -> Result<Vec<Finding>, LakeError> {
    let (outside, chunks) = (files.outside(), files.chunks());
    let rows = files.rows();
    let passes = parts(0..BUCKETS, rows as f64 / at_once.staged_rows as f64);
    let reads = passes.len() as f64 + f64::from(u8::from(passes.len() > 1)) * COST_OF_CHOICE;
    steps.expect(rows as f64 * (reads + COST_OF_LAKE + COST_OF_CHOICE));

    let mut lake = Sums::default();
    let slices = slices(chunks, rows);
    for slice in &slices {
        lake.add(&snapshot.connection, &both_of_lake(slice))?;
        steps.pass(rows as f64 * (COST_OF_LAKE - COST_OF_LATER) / slices.len() as f64);
    }
    lake.add(&snapshot.connection, &only(SIGHTINGS, LATER_OF_LAKE))?;
    steps.pass(rows as f64 * COST_OF_LATER);
    if passes.len() > 1 {
        files.spell(false)?;
        steps.pass(rows as f64 * COST_OF_CHOICE);
    }
    let mut differences = [Difference::default(), Difference::default()];
    for pass in &passes {
        files.stage(pass, &mut |staged| steps.pass(staged as f64))?;
        if passes.len() == 1 {
            files.spell(true)?;
        }
        let shares = parts(pass.clone(), rows as f64 / passes.len() as f64 / at_once.chosen_rows as f64);
        for share in &shares {
            files.choose(share)?;
            let mut sums = Sums::default();
            sums.add(outside, "select uri, post, sighting from internal.single_hash")?;
            sums.add(outside, &only(POSTS, "select uri, post as hash from internal.best_hash"))?;
            sums.add(outside, &only(SIGHTINGS, "select uri, sighting as hash from internal.several_hash"))?;
            for (view, difference) in differences.iter_mut().enumerate() {
                let differs = |bucket: &u64| sums.of(view, *bucket) != lake.of(view, *bucket);
                let differing: Vec<u64> = share.clone().filter(differs).collect();
                if !differing.is_empty() {
                    difference.look_at(snapshot, outside, view, &differing)?;
                }
            }
            steps.pass(rows as f64 * COST_OF_CHOICE / (shares.len() * passes.len()) as f64);
        }
    }
    let differing =
        VIEWS.into_iter().zip(differences).filter(|(_, difference)| difference.missing + difference.surplus > 0);
    differing.map(|(view, difference)| difference.finding(snapshot, files, view)).collect()
}

/// The number and the sum of the hashes of each view's rows, by bucket.
#[derive(Default)]
struct Sums([Vec<(u64, i128)>; VIEWS.len()]);

impl Sums {
    /// Adds the rows of a query with columns uri, post and sighting: hashes, or null where a row is in one of the views alone.
    fn add(&mut self, connection: &Connection, hashes: &str) -> Result<(), LakeError> {
        self.0.iter_mut().for_each(|buckets| buckets.resize(BUCKETS as usize, (0, 0)));
        let sql = format!(
            "select uri % {BUCKETS} as bucket, count(post)::ubigint, coalesce(sum(post), 0)::varchar, \
            count(sighting)::ubigint, coalesce(sum(sighting), 0)::varchar from ({hashes}) group by bucket"
        );
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let bucket: u64 = row.get(0)?;
            for (view, buckets) in self.0.iter_mut().enumerate() {
                let (count, sum): (u64, String) = (row.get(1 + 2 * view)?, row.get(2 + 2 * view)?);
                let sum: i128 = sum.parse().map_err(|_| LakeError::Engine(format!("{sum:?} is no sum of hashes")))?;
                let (rows, hashes) = &mut buckets[bucket as usize];
                *rows += count;
                *hashes = hashes.wrapping_add(sum);
            }
        }
        Ok(())
    }

    fn of(&self, view: usize, bucket: u64) -> (u64, i128) {
        self.0[view].get(bucket as usize).copied().unwrap_or_default()
    }
}

/// The rows of a query with columns uri and hash, as rows of one view for [`Sums::add`].
fn only(view: usize, hashes: &str) -> String {
    let hash = |of: usize| if of == view { "hash" } else { "null::ubigint" };
    format!("select uri, {} as post, {} as sighting from ({hashes})", hash(POSTS), hash(SIGHTINGS))
}

/// Rows that only one side has.
#[derive(Default)]
struct Difference {
    missing: u64,
    surplus: u64,
    /// Hashes of the uris of some.
    uris: Vec<u64>,
}

impl Difference {
    /// Compares the rows of these buckets, of which the files' side shows no others than its share has.
    fn look_at(
        &mut self,
        snapshot: &Snapshot,
        outside: &Connection,
        view: usize,
        buckets: &[u64],
    ) -> Result<(), LakeError> {
        let buckets: Vec<_> = buckets.iter().map(ToString::to_string).collect();
        let of_buckets = |hashes: String| {
            format!("select uri, hash from ({hashes}) where uri % {BUCKETS} in ({})", buckets.join(", "))
        };
        outside.execute_batch("create or replace temp table lake_row (uri ubigint, hash ubigint)")?;
        let mut appender = outside.appender_to_catalog_and_db("lake_row", "temp", "main")?;
        let mut statement = snapshot.connection.prepare(&of_buckets(hashes_of_lake(view)))?;
        // Started as a stream and read by `step`, which returns errors where the iterator would panic.
        drop(statement.stream_arrow([])?);
        while let Some(batch) = statement.step()? {
            appender.append_record_batch(RecordBatch::from(&batch))?;
        }
        appender.flush()?;
        drop(appender);
        outside.execute_batch(&format!(
            "create or replace temp table file_row as {}",
            of_buckets(hashes_of_files(view))
        ))?;
        let only = |here: &str, there: &str| -> Result<(u64, Vec<u64>), LakeError> {
            let rows = format!("from {here} anti join {there} using (uri, hash)");
            let count = outside.query_row(&format!("select count(*)::ubigint {rows}"), [], |row| row.get(0))?;
            let mut statement = outside.prepare(&format!("select uri {rows} order by uri limit {EXAMPLES}"))?;
            let uris = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok((count, uris))
        };
        let (missing, of_files) = only("file_row", "lake_row")?;
        let (surplus, of_lake) = only("lake_row", "file_row")?;
        outside.execute_batch("drop table file_row; drop table lake_row")?;
        let room = (2 * EXAMPLES).saturating_sub(self.uris.len());
        self.uris.extend(of_files.into_iter().chain(of_lake).take(room));
        self.missing += missing;
        self.surplus += surplus;
        Ok(())
    }

    /// The finding, which names the uris.
    fn finding(self, snapshot: &Snapshot, files: &mut Files<'_>, view: &'static str) -> Result<Finding, LakeError> {
        let hashes: Vec<_> = self.uris.iter().map(ToString::to_string).collect();
        let hashes = hashes.join(", ");
        let mut uris = files.uris(&hashes)?;
        let mut statement = snapshot
            .connection
            .prepare(&format!("select distinct uri from sightings where hash(uri) in ({hashes})"))?;
        for uri in statement.query_map([], |row| row.get(0))? {
            uris.push(uri?);
        }
        uris.sort();
        uris.dedup();
        Ok(Finding::Differs { view, missing: self.missing, surplus: self.surplus, uris })
    }
}

fn hashes_of_files(view: usize) -> String {
    format!("select uri, hash from internal.{}_hash", VIEWS[view])
}

/// The hashes of a view's rows in the lake.
fn hashes_of_lake(view: usize) -> String {
    let both = both_of_lake("true");
    match view {
        POSTS => format!("select uri, post as hash from ({both})"),
        _ => format!("select uri, sighting as hash from ({both}) union all {LATER_OF_LAKE}"),
    }
}

/// The hashes of the posts that a condition on columns of the view selects, and of the first sighting of each. The hash of the uri by
/// which the lake finds a post is held against the uri itself.
fn both_of_lake(condition: &str) -> String {
    format!(
        "select uri, hash(place, uri_hash, content, app, author) as post, \
            hash(place, first_own, null::timestamptz) as sighting \
        from (select *, hash(uri, server, id, observed_at) as place from (\
            select hash(uri) as uri, uri_hash, server, id, observed_at, first_own, app, author, {} as content \
            from internal.version where {condition}\
        ))",
        content_hash(|name| name.to_owned())
    )
}

/// The hashes of the lake's other sightings.
const LATER_OF_LAKE: &str = "select uri_hash as uri, \
    hash(hash(uri_hash, server, id, observed_at), from_origin, deleted_at) as hash from internal.later_sighting";

/// Conditions that cut the lake's posts into parts, about as they lie on disk.
fn slices(chunks: &[Chunk], rows: i64) -> Vec<String> {
    let first = chunks.iter().map(|chunk| chunk.first).min().unwrap_or_default();
    let next = chunks.iter().map(|chunk| chunk.next).max().unwrap_or_default();
    if rows < SLICED_ROWS_MIN {
        return vec!["true".to_owned()];
    }
    let cut = |at: i128| i128::from(first) + i128::from(next.abs_diff(first)) * at / SLICES;
    let slice = |at: i128| match at {
        0 => format!("log_offset < {}", cut(1)),
        at if at == SLICES - 1 => format!("log_offset >= {}", cut(at)),
        at => format!("log_offset >= {} and log_offset < {}", cut(at), cut(at + 1)),
    };
    (0..SLICES).map(slice).collect()
}

/// `buckets` cut into as many parts of about one length, rounded up; at least one, and none is empty.
fn parts(buckets: Range<u64>, count: f64) -> Vec<Range<u64>> {
    let length = buckets.end - buckets.start;
    let count = (count.ceil().max(1.0) as u64).min(length);
    let cut = |at: u64| buckets.start + length * at / count;
    (0..count).map(|at| cut(at)..cut(at + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_join_and_none_is_empty() {
        for (buckets, count) in [(0..BUCKETS, 0.0), (0..BUCKETS, 2.3), (0..BUCKETS, 1e12), (5..9, 3.0), (5..6, 7.0)] {
            let parts = parts(buckets.clone(), count);
            assert_eq!((parts[0].start, parts[parts.len() - 1].end), (buckets.start, buckets.end));
            assert!(parts.iter().all(|part| part.start < part.end));
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert_eq!(parts.len() as f64, count.ceil().clamp(1.0, (buckets.end - buckets.start) as f64));
        }
    }
}
