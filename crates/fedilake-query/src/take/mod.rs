//! Takes rows of data files into the lake.
//!
//! The rows of a transaction, the names that they bring, the posts that they hide and the position become visible
//! together or not at all, so after a crash at any moment the next take continues at the lake's position. A long take is
//! several transactions, because DuckDB holds what is not committed in memory, or writes it twice. Offsets that the lake
//! already has are skipped: taking a file again changes nothing.
//!
//! Rows may come in any order. A post depends only on the set of rows taken (views.rs has the rule), and not on how
//! they were split into files and calls.
//!
//! Rows pass through a temporary table, [`STAGE_ROWS`] at a time, and are merged by the statements in merge/: names
//! get numbers, deletes hide posts, and each row becomes a new post, a new version, or another sighting of the same.
//! The next rows are read during a merge. Afterwards full days are sealed (see [`seal`](crate::take::seal)).

pub mod missed;
pub(crate) mod seal;
pub(crate) mod source;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use arrow::array::RecordBatch;
use duckdb::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::lake::layout;
use crate::lake::lock;
use crate::lake::names::Names;
use crate::lake::uris::{Matching, Uris};
use crate::views::{self, Deletes};
use crate::{Lake, LakeError};

/// The number of rows merged at a time: a row group, so that a long take writes full ones and holds no more in
/// memory.
pub(crate) const STAGE_ROWS: usize = 122_880;

/// A transaction ends with the chunk that brings it to so many offsets.
const TRANSACTION_OFFSETS: u64 = STAGE_ROWS as u64;

/// The size of the rows merged at a time, in bytes of memory, for large rows.
const STAGE_BYTES: usize = 256 << 20;

/// The number of batches (of 2,048 rows) that are read ahead of the merge.
const BATCHES_AHEAD: usize = 8;

/// Up to so many uris are looked for one by one in every post.
const LISTED_MAX: usize = 50;

/// A range of a log partition's records in a Parquet file. Rows outside the range are not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The log's id.
    pub log: String,
    /// The partition.
    pub partition: i32,
    /// The first offset of the range.
    pub first: i64,
    /// The offset after the last one of the range.
    pub next: i64,
    /// The file. It has the table's columns in any order; missing ones are null.
    pub parquet: PathBuf,
    /// Set if no file has the offsets from here up to `first`: they are lost. `None` if `first` joins the chunk
    /// before it. A chunk without offsets (`next` is `first`) only says so.
    pub lost_from: Option<i64>,
}

/// The progress of a take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakeProgress {
    /// The number of rows merged so far, of which the last are not yet committed.
    pub rows: u64,
}

/// Files of one log partition that join, and the offsets to take from them.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) log_partition: i32,
    pub(crate) from: i64,
    pub(crate) next: i64,
    pub(crate) files: Vec<PathBuf>,
    /// Set if all offsets from here up to `from` are lost.
    pub(crate) lost_from: Option<i64>,
}

impl Reading {
    fn at(log_partition: i32, position: i64) -> Reading {
        Reading { log_partition, from: position, next: position, files: Vec::new(), lost_from: None }
    }

    /// True if taking the reading changes the lake: rows, or offsets that are lost.
    fn is_needed(&self) -> bool {
        self.next > self.from || self.lost_from.is_some()
    }
}

impl Lake {
    /// Takes the rows that the lake does not have yet, and moves its positions to the chunks' ends.
    ///
    /// A log partition that is new to the lake begins at its lowest chunk. Chunks may come in any order and overlap,
    /// but may not leave out offsets, unless they mark them as lost: [`LakeError::Gap`]. From then on
    /// [`LakePosition::lacks`] has the lost offsets. [`LakeError::DamagedFile`] names a file that cannot be read.
    /// Chunks of less than some 120,000 offsets together are one transaction: after an error the lake is unchanged. More
    /// are several, of which the first ones stay. One take runs at a time; readers do not wait. `progress` is called
    /// after each merge, about every 120,000 rows. A call without chunks only prepares for later ones: a large lake then
    /// begins to read which posts it has.
    pub fn take(&self, chunks: &[Chunk], progress: &mut dyn FnMut(TakeProgress)) -> Result<(), LakeError> {
        let mut chunks: Vec<&Chunk> = chunks.iter().collect();
        chunks.sort_by(|a, b| (&a.log, a.partition, a.first, a.next).cmp(&(&b.log, b.partition, b.first, b.next)));
        let mut names = lock(&self.names);
        let mut uris = lock(&self.uris);
        // Sealing takes memory too, which is not that of people's statements.
        let _taking = Taking::begin(&self.taking);
        let mut rows = 0;
        uris.prepare(|| self.inside())?;
        for chunks in transactions(&chunks) {
            let mut progress = |more| progress(TakeProgress { rows: rows + more });
            rows += self.take_at_once(&mut names, &mut uris, chunks, &mut progress)?;
        }
        seal::after_take(self, rows)
    }

    /// Takes sorted chunks in one transaction, and returns the number of rows. `progress` is called with the rows so far.
    fn take_at_once(
        &self,
        names: &mut Names,
        uris: &mut Uris,
        chunks: &[&Chunk],
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64, LakeError> {
        let mut outside = self.outside()?;
        let deletes = self.options().deletes;
        let taken = self.change(|writer| take(writer, names, uris, deletes, chunks, progress, &mut outside));
        match taken {
            Ok(_) => names.commit(),
            Err(_) => names.rollback(),
        }
        taken
    }
}

/// Divides sorted chunks into those of one transaction each.
fn transactions<'a, 'b>(chunks: &'a [&'b Chunk]) -> impl Iterator<Item = &'a [&'b Chunk]> {
    let mut offsets = 0;
    chunks.chunk_by(move |chunk, _| {
        offsets += (chunk.next - chunk.first).unsigned_abs();
        let joins = offsets < TRANSACTION_OFFSETS;
        if !joins {
            offsets = 0;
        }
        joins
    })
}

/// Says that a take runs, until dropped.
struct Taking<'a>(&'a AtomicBool);

impl Taking<'_> {
    fn begin(taking: &AtomicBool) -> Taking<'_> {
        taking.store(true, Ordering::Relaxed);
        Taking(taking)
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn take(
    writer: &Connection,
    names: &mut Names,
    uris: &mut Uris,
    deletes: Deletes,
    chunks: &[&Chunk],
    progress: &mut dyn FnMut(u64),
    outside: &mut Connection,
) -> Result<u64, LakeError> {
    let readings = plan(writer, chunks)?;
    if readings.is_empty() {
        return Ok(0);
    }
    writer.execute_batch(include_str!("merge/begin.sql"))?;
    names.begin(writer)?;
    let (send, batches) = sync_channel(BATCHES_AHEAD);
    let rows = std::thread::scope(|scope| {
        let readings = &readings;
        let reader = scope.spawn(move || readings.iter().try_for_each(|reading| source::read(outside, reading, &send)));
        let merged = merge_all(writer, names, uris, deletes, batches, progress);
        let read = reader.join().expect("reading does not panic");
        read.and(merged)
    })?;
    for reading in &readings {
        if let Some(first) = reading.lost_from {
            writer.execute("insert into hole values (?, ?, ?)", params![reading.log_partition, first, reading.from])?;
        }
        writer
            .execute("update log_partition set next = ? where id = ?", params![reading.next, reading.log_partition])?;
    }
    seal::reopen(writer)?;
    Ok(rows)
}

/// Decides which offsets of which files to read, and numbers new log partitions. The chunks are sorted.
fn plan(writer: &Connection, chunks: &[&Chunk]) -> Result<Vec<Reading>, LakeError> {
    let mut readings = Vec::new();
    for chunks in chunks.chunk_by(|a, b| (&a.log, a.partition) == (&b.log, b.partition)) {
        let (log_partition, from) = log_partition(writer, chunks[0])?;
        let mut reading = Reading::at(log_partition, from);
        for chunk in chunks {
            if chunk.next <= reading.next {
                continue;
            }
            if chunk.first > reading.next {
                if chunk.lost_from.is_none_or(|lost_from| lost_from > reading.next) {
                    return Err(LakeError::Gap {
                        log: chunk.log.clone(),
                        partition: chunk.partition,
                        position: reading.next,
                        first: chunk.first,
                    });
                }
                let next = Reading { lost_from: Some(reading.next), ..Reading::at(log_partition, chunk.first) };
                readings.extend(Some(std::mem::replace(&mut reading, next)).filter(Reading::is_needed));
            }
            // Overlapping files are read separately, each for the offsets that it adds.
            if chunk.first < reading.next && !reading.files.is_empty() {
                let next = Reading::at(log_partition, reading.next);
                readings.push(std::mem::replace(&mut reading, next));
            }
            reading.next = reading.next.max(chunk.next);
            reading.files.push(chunk.parquet.clone());
        }
        if reading.is_needed() {
            readings.push(reading);
        }
    }
    Ok(readings)
}

/// The number and position of a chunk's log partition.
fn log_partition(writer: &Connection, chunk: &Chunk) -> Result<(i32, i64), LakeError> {
    let known = writer
        .prepare("select id, next from log_partition where log = ? and partition = ?")?
        .query_map(params![chunk.log, chunk.partition], |row| Ok((row.get(0)?, row.get(1)?)))?
        .next()
        .transpose()?;
    if let Some(known) = known {
        return Ok(known);
    }
    let id = writer.query_row("select count(*)::integer from log_partition", [], |row| row.get(0))?;
    let first = chunk.lost_from.unwrap_or(chunk.first);
    writer.execute("insert into log_partition values (?, ?, ?, ?)", params![id, chunk.log, chunk.partition, first])?;
    Ok((id, first))
}

fn merge_all(
    writer: &Connection,
    names: &mut Names,
    uris: &mut Uris,
    deletes: Deletes,
    batches: Receiver<RecordBatch>,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, LakeError> {
    let mut rows = 0;
    let mut batches = batches.into_iter().peekable();
    while batches.peek().is_some() {
        rows += stage(writer, names, uris, &mut batches)? as u64;
        merge(writer, names, uris, deletes)?;
        progress(rows);
    }
    Ok(rows)
}

fn stage(
    writer: &Connection,
    names: &mut Names,
    uris: &mut Uris,
    batches: &mut impl Iterator<Item = RecordBatch>,
) -> Result<usize, LakeError> {
    writer.execute_batch(include_str!("merge/stage.sql"))?;
    let mut appender = writer.appender_to_catalog_and_db("stage", "temp", "main")?;
    let mut rows = 0;
    let mut bytes = 0;
    while rows < STAGE_ROWS
        && bytes < STAGE_BYTES
        && let Some(batch) = batches.next()
    {
        rows += batch.num_rows();
        bytes += batch.get_array_memory_size();
        names.meet(&batch);
        uris.meet(&batch);
        appender.append_record_batch(batch)?;
    }
    appender.flush()?;
    Ok(rows)
}

/// Finds the staged posts that the lake has.
fn find_known(writer: &Connection, matching: Matching) -> Result<(), LakeError> {
    let find = |near: &str| writer.execute_batch(&include_str!("merge/match.sql").replace("{near}", near));
    let (mut uris, near) = match matching {
        Matching::Any => return Ok(find("true")?),
        Matching::None => return Ok(find("false")?),
        Matching::Near { uris, condition } => (uris, condition),
    };
    find(&near)?;
    // A hidden post is no post that the lake has, but the reason why the filter has its uri.
    let hidden = "withheld semi join (from stage where kind = 0) using (uri_hash)";
    let found = format!("select (select count(*) from matched) + (select count(distinct uri_hash) from {hidden})");
    if writer.query_row(&found, [], |row| row.get::<_, i64>(0))? >= uris.len() as i64 {
        return Ok(());
    }
    let found = format!("select uri_hash from matched union all select uri_hash from {hidden}");
    for uri in writer.prepare(&found)?.query_map([], |row| row.get::<_, u64>(0))? {
        uris.remove(&uri?);
    }
    match uris.len() {
        0 => Ok(()),
        1..=LISTED_MAX => {
            let uris: Vec<_> = uris.iter().map(u64::to_string).collect();
            let sql = format!(
                "insert into matched select id, uri_hash, day from post where uri_hash in ({})",
                uris.join(", ")
            );
            Ok(writer.execute_batch(&sql)?)
        }
        _ => Ok(find("true")?),
    }
}

fn merge(writer: &Connection, names: &mut Names, uris: &mut Uris, deletes: Deletes) -> Result<(), LakeError> {
    let run = |wanted: bool, sql: &str| if wanted { writer.execute_batch(sql) } else { Ok(()) };
    // Most small batches lack most kinds of rows.
    let any = |condition: &str| format!("coalesce(bool_or({condition}), false)");
    let [gone, rejects, topics, withheld, deleted] = tell(
        writer,
        [
            &any("kind = 1"),
            &any("kind = 2"),
            &any("topics <> 0"),
            "(select exists (from withheld))",
            "(select exists (from deleted))",
        ],
        "stage",
    )?;
    names.number(writer)?;
    run(rejects, include_str!("merge/reject.sql"))?;
    writer.execute_batch(include_str!("merge/who.sql"))?;
    if makes_rows(writer, include_str!("merge/authors.sql"))? {
        let [new, old] = tell(writer, [&any("new"), &any("not new")], "met")?;
        run(old, include_str!("merge/amend.sql"))?;
        run(new, include_str!("merge/enrol.sql"))?;
    }
    run(gone, include_str!("merge/hide.sql"))?;
    let returned = withheld && makes_rows(writer, RETURNED)?;
    run(returned, include_str!("merge/return.sql"))?;
    find_known(writer, uris.matching())?;
    writer.execute_batch(include_str!("merge/choose.sql"))?;
    let [known, repeated] = exist(writer, ["known", "repeated"])?;
    let several = known || repeated;
    run(several, include_str!("merge/see.sql"))?;
    writer.execute_batch(include_str!("merge/change.sql"))?;
    if known {
        let [recounts, names, forerunners, rewrites] = tell(
            writer,
            [
                &any("what = 'recount'"),
                &any("what = 'name'"),
                &any("earlier and what in ('recount', 'name', 'see')"),
                &any("what = 'rewrite'"),
            ],
            "change",
        )?;
        run(recounts, include_str!("merge/recount.sql"))?;
        run(names, include_str!("merge/name.sql"))?;
        run(forerunners, include_str!("merge/forerun.sql"))?;
        run(rewrites, include_str!("merge/rewrite.sql"))?;
    }
    writer.execute_batch(
        &include_str!("merge/insert.sql").replace("{snowflake}", &views::snowflake("stage.created_at")),
    )?;
    run(topics, include_str!("merge/topics.sql"))?;
    if several {
        let moved = makes_rows(writer, include_str!("merge/moved.sql"))?;
        run(moved, "delete from sighting using moved where sighting.post = moved.post")?;
        writer.execute_batch(include_str!("merge/sight.sql"))?;
    }
    if gone || deleted {
        judge(writer, deletes, returned)?;
    }
    Ok(())
}

/// Hides the posts that deletes of this and earlier batches hide, and shows the posts that a server of higher rank
/// brought back.
fn judge(writer: &Connection, deletes: Deletes, returned: bool) -> Result<(), LakeError> {
    if !makes_rows(writer, include_str!("merge/accused.sql"))? {
        return Ok(());
    }
    let (deleted, own) = ("deleted.server is not null", "s.own");
    let visible = deletes.visible_sql(deleted, own);
    let buried = match deletes {
        Deletes::Any => format!("bool_or({deleted})"),
        Deletes::Origin | Deletes::All => format!("bool_or({own} and {deleted})"),
    };
    writer
        .execute_batch(&include_str!("merge/judge.sql").replace("{visible}", &visible).replace("{buried}", &buried))?;
    let [dead, passed] = exist(writer, ["dead", "passed"])?;
    if dead {
        let withhold = |columns: &str, which: &str| {
            let sql = include_str!("merge/withhold.sql").replace("{as}", columns).replace("{which}", which);
            writer.execute_batch(&sql)
        };
        match deletes {
            Deletes::Any | Deletes::Origin => withhold(EMPTIED, "true")?,
            // Another sighting may bring the post back unchanged.
            Deletes::All => {
                withhold(EMPTIED, "dead.is_buried")?;
                withhold("", "not dead.is_buried")?;
            }
        }
        writer.execute_batch(include_str!("merge/bury.sql"))?;
    }
    if passed {
        writer.execute_batch(include_str!("merge/pass.sql"))?;
    }
    if returned {
        writer.execute_batch(&include_str!("merge/restore.sql").replace("{topics}", &layout::topics_sql()))?;
    }
    Ok(())
}

/// The withheld posts that came again in the batch.
const RETURNED: &str = "create or replace temp table returned as \
    select id from withheld semi join (from stage where kind = 0) using (uri_hash)";

/// The columns emptied in a withheld post, which comes back only with the words of its own server, or never.
const EMPTIED: &str = "replace (
    null as author, null as uri, null as uri_number, null as url, null as text, null as spoiler_text, null as tags, null as mentions, null as links,
    null as quote_uri, null as in_reply_to_author, null as reply_native, null as reply_native_text, null as media_types,
    null as content_hash
)";

/// Runs a statement that makes a table; true if it has any row.
fn makes_rows(writer: &Connection, sql: &str) -> duckdb::Result<bool> {
    writer.query_row(sql, [], |row| Ok(row.get::<_, i64>(0)? > 0))
}

/// Whether tables have any row.
fn exist<const N: usize>(writer: &Connection, tables: [&str; N]) -> duckdb::Result<[bool; N]> {
    let exist = tables.map(|table| format!("exists (from {table})"));
    tell(writer, exist.each_ref().map(String::as_str), "(select 1)")
}

/// The values of conditions on a table, in one statement: even one that finds nothing takes milliseconds.
fn tell<const N: usize>(writer: &Connection, conditions: [&str; N], table: &str) -> duckdb::Result<[bool; N]> {
    writer.query_row(&format!("select {} from {table}", conditions.join(", ")), [], |row| {
        let mut told = [false; N];
        for (index, told) in told.iter_mut().enumerate() {
            *told = row.get(index)?;
        }
        Ok(told)
    })
}
