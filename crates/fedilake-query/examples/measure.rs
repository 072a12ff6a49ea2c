//! Takes a folder of table files into a new lake, and prints the costs of the takes and the answers.
//!
//!     cargo run --release -p fedilake-query --example measure -- FOLDER LAKE [--keep]
//!
//! FOLDER holds Parquet files of one log partition whose offsets begin at 0 and join in the order of their names.
//! `--keep` measures the lake as it is.

#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use duckdb::Connection;
use fedilake_query::answer::catalogue::reports;
use fedilake_query::{Chunk, Lake, LakeOptions, Question};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The number of times that each question is asked; the first time is not counted.
const ROUNDS: usize = 11;

/// The number of small takes.
const TAKES: usize = 30;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, lake_path, rest @ ..] = arguments.as_slice() else {
        return Err("usage: measure FOLDER LAKE [--keep]".into());
    };
    let lake_path = Path::new(lake_path);
    if !rest.iter().any(|flag| flag == "--keep") {
        take(Path::new(folder), lake_path)?;
    }
    answer(lake_path)?;
    follow(Path::new(folder), lake_path)
}

fn take(folder: &Path, lake_path: &Path) -> Outcome<()> {
    let _ = std::fs::remove_file(lake_path);
    let _ = std::fs::remove_file(lake_path.with_extension("duckdb.wal"));
    let chunks = chunks(folder)?;
    let rows = chunks.last().map_or(0, |chunk| chunk.next);
    let lake = Lake::open(lake_path, LakeOptions::default())?;
    let (started, cpu) = (Instant::now(), cpu_ns()?);
    lake.take(&chunks, &mut |progress| println!("  {} rows after {:?}", progress.rows, started.elapsed()))?;
    let took = started.elapsed();
    println!(
        "take: {rows} rows in {took:?}, {:.0} rows/s, {:.1} µs of CPU a row; DuckDB {} MB",
        rows as f64 / took.as_secs_f64(),
        (cpu_ns()? - cpu) as f64 / 1000.0 / rows as f64,
        lake.memory_bytes()? >> 20,
    );
    drop(lake);
    println!("lake file: {} MB", std::fs::metadata(lake_path)?.len() / 1_000_000);
    Ok(())
}

/// The CPU time of the process's threads so far, in nanoseconds.
fn cpu_ns() -> Outcome<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split(' ').next().ok_or("no schedstat")?.parse::<u64>()?;
    }
    Ok(sum)
}

/// Runs small takes beside a reader, each with 260 new posts and 740 copies of recent posts from another server.
fn follow(folder: &Path, lake_path: &Path) -> Outcome<()> {
    let lake = Lake::open(lake_path, LakeOptions::default())?;
    let Some(newest) = chunks(folder)?.pop() else { return Ok(()) };
    let parquet = std::env::temp_dir().join(format!("fedilake-measure-{}.parquet", std::process::id()));
    let engine = Connection::open_in_memory()?;
    engine.execute_batch(&format!(
        "set timezone = 'UTC';
        create table recent as select * from read_parquet('{}') order by log_offset desc limit 60000",
        newest.parquet.display()
    ))?;
    let (mut times, mut cpu, log) = (Vec::new(), 0, format!("followed by {}", std::process::id()));
    for round in 0..TAKES {
        let first = (round * 1000) as i64;
        engine.execute_batch(&format!(
            "copy (
                select * exclude (n) replace (
                    case when n < 740 then 'mirror.example' else server end as server,
                    case when n < 740 then id else (id::bigint + {first} + 7)::varchar end as id,
                    case when n < 740 then uri else uri || '{first}' || '{log}' end as uri,
                    observed_at + interval 1 hour + interval {round} second as observed_at,
                    {first} + n as log_offset
                )
                from (select *, row_number() over () - 1 as n from (select * from recent limit 1000 offset {}))
            ) to '{}' (format parquet)",
            first % 59_000,
            parquet.display()
        ))?;
        let chunk = Chunk {
            log: log.clone(),
            partition: 0,
            first,
            next: first + 1000,
            parquet: parquet.clone(),
            lost_from: None,
        };
        let (started, started_cpu) = (Instant::now(), cpu_ns()?);
        lake.take(&[chunk], &mut |_| ())?;
        times.push(started.elapsed());
        cpu += cpu_ns()? - started_cpu;
        lake.report(&Question::of("statistics"))?;
    }
    let cpu = Duration::from_nanos(cpu / TAKES as u64);
    times.sort();
    println!(
        "take of 1,000: best {:?}, median {:?}, p99 {:?}, worst {:?}; {cpu:?} of CPU each",
        times[0],
        times[TAKES / 2],
        times[TAKES * 99 / 100],
        times[TAKES - 1]
    );
    std::fs::remove_file(parquet)?;
    Ok(())
}

fn chunks(folder: &Path) -> Outcome<Vec<Chunk>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    let engine = Connection::open_in_memory()?;
    files
        .into_iter()
        .map(|parquet| {
            let sql = format!("select min(log_offset), max(log_offset) + 1 from read_parquet('{}')", parquet.display());
            let (first, next) = engine.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Chunk { log: "measured".to_owned(), partition: 0, first, next, parquet, lost_from: None })
        })
        .collect()
}

fn answer(lake_path: &Path) -> Outcome<()> {
    let started = Instant::now();
    let lake = Lake::open(lake_path, LakeOptions::default())?;
    let opened = started.elapsed();
    lake.report(&Question::of("statistics"))?;
    println!("open: {opened:?}; open and first answer: {:?}", started.elapsed());
    let new_word = Question { words: vec!["zeppelin".to_owned()], ..Question::of("topics") };
    for question in reports().iter().map(|report| Question::of(&report.name)).chain([new_word]) {
        let cpu = cpu_ns()?;
        let mut times: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let started = Instant::now();
                lake.report(&question).map(|_| started.elapsed())
            })
            .skip(1)
            .collect::<Result<_, _>>()?;
        times.sort();
        let cpu = Duration::from_nanos((cpu_ns()? - cpu) / ROUNDS as u64);
        let [best, median, worst] = [0, times.len() / 2, times.len() - 1].map(|at| times[at]);
        println!("{:11} best {best:?}, median {median:?}, worst {worst:?}; {cpu:?} of CPU each", question.report);
    }
    println!("DuckDB memory after the answers: {} MB", lake.memory_bytes()? >> 20);
    Ok(())
}
