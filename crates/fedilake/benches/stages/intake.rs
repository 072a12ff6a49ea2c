//! JSON lines → log → table → lake, stage by stage, each beside the least work that it needs.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arrow::array::RecordBatch;
use duckdb::{AccessMode, Config, Connection};
use fedilake_collect::replay::{self, Input, Progress, ReplaySettings};
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Assignment, LogEvent, LogId, Offset, Partition, Record};
use fedilake_model::avro::{Decoder, Encoded};
use fedilake_query::{Chunk, Lake, LakeOptions};
use fedilake_sim::talk::Talk;
use fedilake_table::sink::{self, Limits, SinkProgress};
use fedilake_table::{Chain, DataFile, FileMeta, Table};
use object_store::local::LocalFileSystem;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::cost::{Cost, cost_of};
use crate::sheet::{Sheet, count, met, none, ratio};

/// Table files that the lake takes in one transaction, as the follower does.
const FILES_A_TAKE: usize = 8;
const SEED: u64 = 7;

/// Rows of a file that is sealed without a sink, about as many as the sink's have.
const ROWS_A_FILE: usize = 250_000;

/// The files made by the intake.
pub struct Files {
    /// The table's files.
    pub table: Vec<PathBuf>,
    /// Files like the table's, of only the last version of each visible post: without copies, earlier versions and
    /// deletes.
    pub posts: Vec<PathBuf>,
}

/// Moves the talk's `posts` into the data folder `data`, by way of the file `frames`, which is kept.
pub fn measure(runtime: &Runtime, frames: &Path, data: &Path, posts: u64, sheet: &mut Sheet) -> anyhow::Result<Files> {
    write_frames(frames, posts, 0)?;
    let log = Arc::new(EmbeddedLog::open(data.join("log")).context("open the log")?);

    let (lines, parsed) = cost_of(|| parse_bare(frames))?;
    let (appends, logged) = cost_of(|| runtime.block_on(append_all(frames, &log)))?;
    let records = log.bounds().end.0;
    let (record_bytes, scanned) = cost_of(|| runtime.block_on(scan(&log, records)))?;
    let kept = runtime.block_on(read_all(&log, records))?;
    let ((), written) = cost_of(|| write_bare(&data.join("bare"), &vec![record_bytes / appends; appends as usize]))?;
    row(sheet, "JSON lines → admitted → Avro → synced log", lines, logged, parsed + written, &[100_000.0, 150_000.0]);
    floor(sheet, "floor: JSON parsed bare (sonic-rs)", lines, parsed);
    floor(sheet, "floor: the log's bytes written bare, as many syncs", lines, written);

    let table = open_table(&data.join("table"))?;
    let (files, sunk) = cost_of(|| runtime.block_on(sink_all(&log, &table)))?;
    let sizes: Vec<u64> = files.iter().map(|file| file.bytes).collect();
    let ((), written) = cost_of(|| write_bare(&data.join("bare"), &sizes))?;
    row(sheet, "log → sorted zstd Parquet → table", records, sunk, scanned + written, &[300_000.0, 400_000.0]);
    floor(sheet, "floor: the log read bare", records, scanned);
    floor(sheet, "floor: the files' bytes written bare, as many syncs", records, written);

    let paths: Vec<PathBuf> = files.iter().map(|file| path_of(&data.join("table"), file)).collect();
    let (_, read) = cost_of(|| scan_files(&paths))?;
    let ((), taken) = cost_of(|| take_all(&data.join("lake.duckdb"), &files, &paths))?;
    row(sheet, "table → lake", records, taken, read, &[200_000.0]);
    floor(sheet, "floor: the files scanned bare (DuckDB)", records, read);
    let posts = seal_posts(&data.join("lake.duckdb"), kept, &data.join("posts"))?;
    Ok(Files { table: paths, posts })
}

/// Moves copies of the talk's `posts` into the data folder `data`, each of the ten days after the copy before.
pub fn fill(runtime: &Runtime, frames: &Path, data: &Path, posts: u64, copies: u32) -> anyhow::Result<()> {
    fill_table(runtime, frames, data, posts, copies)?;
    follow(runtime, data)
}

/// The same without the lake.
pub fn fill_table(runtime: &Runtime, frames: &Path, data: &Path, posts: u64, copies: u32) -> anyhow::Result<()> {
    let log = Arc::new(EmbeddedLog::open(data.join("log")).context("open the log")?);
    let table = open_table(&data.join("table"))?;
    for copy in 0..copies {
        write_frames(frames, posts, copy)?;
        runtime.block_on(append_all(frames, &log))?;
        std::fs::remove_file(frames)?;
        // The log forgets what the table has, so that no more than one copy is in both.
        runtime.block_on(sink_all(&log, &table))?;
    }
    Ok(())
}

/// Lets the lake of a data folder have all of the table: what it lacks, or everything if it is of another layout.
pub fn follow(runtime: &Runtime, data: &Path) -> anyhow::Result<()> {
    let folder = data.join("table");
    let table = open_table(&folder)?;
    let files = runtime.block_on(files(&table))?;
    let paths: Vec<PathBuf> = files.iter().map(|file| path_of(&folder, file)).collect();
    take_all(&data.join("lake.duckdb"), &files, &paths)
}

/// An empty table of rates.
pub fn rates() -> Sheet {
    Sheet::new(&["stage", "a core", "wall", "floor a core", "ratio", "budget", "met", "next budget", "met"])
}

/// Adds a stage with its budgets: today's, and the next one.
pub fn row(sheet: &mut Sheet, stage: &str, units: u64, cost: Cost, floor: Cost, budgets: &[f64]) {
    let (rate, floor_rate) = (cost.rate(units), floor.rate(units));
    let budget = |nth: usize| match budgets.get(nth) {
        Some(&budget) => [count(budget), met(rate >= budget)],
        None => [none(), none()],
    };
    let rates =
        [stage.to_owned(), count(rate), count(cost.wall_rate(units)), count(floor_rate), ratio(rate, floor_rate)];
    sheet.row(rates.into_iter().chain(budget(0)).chain(budget(1)));
}

pub fn floor(sheet: &mut Sheet, what: &str, units: u64, cost: Cost) {
    let rates = [what.to_owned(), count(cost.rate(units)), count(cost.wall_rate(units))];
    sheet.row(rates.into_iter().chain(std::iter::repeat_with(none).take(6)));
}

pub fn write_frames(path: &Path, posts: u64, copy: u32) -> anyhow::Result<()> {
    let mut out = BufWriter::new(File::create(path).context("create the frames")?);
    Talk::copy(SEED, posts, copy).write_jsonl(&mut out, &mut |_| {}).context("write the frames")?;
    let file = out.into_inner().context("write the frames")?;
    // Otherwise writing the file back would slow the first stage.
    file.sync_all().context("write the frames")
}

/// Parses every line into a JSON document in memory. Returns the number of lines.
fn parse_bare(path: &Path) -> anyhow::Result<u64> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut line, mut lines) = (Vec::new(), 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        let value: sonic_rs::Value = sonic_rs::from_slice(&line)?;
        std::hint::black_box(value);
        line.clear();
        lines += 1;
    }
    Ok(lines)
}

/// Writes blocks of these sizes, one after the other, each synced.
fn write_bare(path: &Path, sizes: &[u64]) -> anyhow::Result<()> {
    let block = vec![0x5a; usize::try_from(sizes.iter().copied().max().unwrap_or(0))?];
    let mut file = File::create(path)?;
    for &size in sizes {
        file.write_all(&block[..size as usize])?;
        file.sync_data()?;
    }
    std::fs::remove_file(path)?;
    Ok(())
}

/// Appends the whole file to the log. Returns the number of appends.
async fn append_all(path: &Path, log: &Arc<EmbeddedLog>) -> anyhow::Result<u64> {
    let settings = ReplaySettings::new(chrono::Utc::now());
    let records_an_append = settings.append_records_max as u64;
    let summary = replay::run(
        vec![Input::File(path.to_owned())],
        settings,
        log.clone(),
        log.clone(),
        Arc::<Progress>::default(),
        CancellationToken::new(),
    )
    .await?;
    anyhow::ensure!(summary.tally.accepted > 0 && summary.complete, "nothing was replayed");
    Ok(summary.tally.accepted.div_ceil(records_an_append))
}

/// Reads the log to its end. Returns the bytes of its records.
async fn scan(log: &EmbeddedLog, records: u64) -> anyhow::Result<u64> {
    let mut bytes = 0;
    let count = |record: Record| bytes += (record.key.0.len() + record.value.len()) as u64;
    read(log, records, count).await?;
    Ok(bytes)
}

async fn read_all(log: &EmbeddedLog, records: u64) -> anyhow::Result<Vec<Encoded>> {
    let mut all = Vec::new();
    let keep = |record: Record| {
        all.push(Encoded {
            partition: record.partition.0,
            offset: record.offset.0,
            appended_at_ms: record.appended_at_ms,
            value: record.value,
        });
    };
    read(log, records, keep).await?;
    Ok(all)
}

async fn read(log: &EmbeddedLog, mut records: u64, mut take: impl FnMut(Record)) -> anyhow::Result<()> {
    let mut reader = log.reader();
    reader.next().await?;
    reader.seek(Partition(0), Offset(0)).await?;
    while records > 0 {
        if let LogEvent::Records(read) = reader.next().await? {
            records -= read.len() as u64;
            read.into_iter().for_each(&mut take);
        }
    }
    Ok(())
}

/// Seals only those records from which a post in the lake comes.
fn seal_posts(lake: &Path, mut records: Vec<Encoded>, folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let engine = Connection::open_with_flags(lake, Config::default().access_mode(AccessMode::ReadOnly)?)?;
    let mut statement = engine.prepare("select log_offset::ubigint from internal.post")?;
    let visible: HashSet<u64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    records.retain(|record| visible.contains(&record.offset));
    let chain = Chain { log: LogId::new("posts").context("an id")?, partition: Partition(0) };
    let mut decoder = Decoder::new();
    let seal = |records: &[Encoded]| {
        let [first, .., last] = records else { anyhow::bail!("too few posts for a file") };
        let (first, next) = (Offset(first.offset), Offset(last.offset).next());
        let path = folder.join(format!("{first}.parquet"));
        std::fs::write(&path, DataFile::seal(chain.clone(), first, next, records, &mut decoder)?.bytes())?;
        Ok(path)
    };
    records.chunks(ROWS_A_FILE).map(seal).collect()
}

fn open_table(folder: &Path) -> anyhow::Result<Arc<Table>> {
    std::fs::create_dir_all(folder)?;
    let store = LocalFileSystem::new_with_prefix(folder).context("open the table")?.with_fsync(true);
    Ok(Arc::new(Table::new(Arc::new(store), object_store::path::Path::default())))
}

/// Sinks the whole log. Returns the files.
async fn sink_all(log: &Arc<EmbeddedLog>, table: &Arc<Table>) -> anyhow::Result<Vec<FileMeta>> {
    let (end, progress, stop) = (log.bounds().end, Arc::<SinkProgress>::default(), CancellationToken::new());
    let sink = tokio::spawn(sink::run(
        log.clone(),
        Assignment::All,
        Decoder::new(),
        table.clone(),
        Limits::default(),
        progress.clone(),
        stop.clone(),
    ));
    while !sink.is_finished() && progress.positions().get(&Partition(0)).is_none_or(|position| position.read < end) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    sink.await??;
    files(table).await
}

async fn files(table: &Table) -> anyhow::Result<Vec<FileMeta>> {
    let snapshot = table.snapshot().await?;
    Ok(snapshot.chains.into_iter().flat_map(|chain| chain.files).collect())
}

fn path_of(table: &Path, file: &FileMeta) -> PathBuf {
    table.join(file.location.as_ref())
}

/// Reads every value of every column with a DuckDB in memory. Returns the number of rows.
fn scan_files(paths: &[PathBuf]) -> anyhow::Result<u64> {
    let engine = Connection::open_in_memory()?;
    let names: Vec<String> = paths.iter().map(|path| format!("'{}'", path.display())).collect();
    let mut statement = engine.prepare(&format!("select * from read_parquet([{}])", names.join(", ")))?;
    drop(statement.stream_arrow([])?);
    let mut rows = 0;
    while let Some(batch) = statement.step()? {
        rows += RecordBatch::from(&batch).num_rows() as u64;
    }
    Ok(rows)
}

fn take_all(lake: &Path, files: &[FileMeta], paths: &[PathBuf]) -> anyhow::Result<()> {
    let lake = Lake::open(lake, LakeOptions::default())?;
    let chunks: Vec<Chunk> = files
        .iter()
        .zip(paths)
        .map(|(file, path)| {
            Ok(Chunk {
                log: file.chain.log.to_string(),
                partition: i32::try_from(file.chain.partition.0)?,
                first: i64::try_from(file.first.0)?,
                next: i64::try_from(file.next.0)?,
                parquet: path.clone(),
                lost_from: None,
            })
        })
        .collect::<anyhow::Result<_>>()?;
    for chunks in chunks.chunks(FILES_A_TAKE) {
        lake.take(chunks, &mut |_| {})?;
    }
    // As the follower does when no records come.
    while lake.seal()? {}
    Ok(())
}
