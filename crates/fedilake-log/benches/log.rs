//! Rates of the embedded log beside those of the machine: the same bytes written to a plain file, with as many syncs.
//!
//! `cargo bench -p fedilake-log` prints one line a measurement, on the disk of the folder that `BENCH_FOLDER` names
//! (otherwise this crate's). CPU is that of the whole process: callers, the log's thread, and fjall's.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fedilake_log::embedded::EmbeddedLog;
use fedilake_log::{Key, LogEvent, LogWriter, Offset, Partition};
use futures::future::join_all;
use tokio::runtime::Runtime;

const RECORD_BYTES: usize = 420;
const RECORDS: usize = 1_000_000;
const BATCH: usize = 1_000;

fn main() {
    let runtime = Runtime::new().unwrap();
    let folder = tempfile::tempdir_in(std::env::var("BENCH_FOLDER").unwrap_or_else(|_| ".".to_owned())).unwrap();

    let floor = measure(|| bare_writes(&folder.path().join("bare"), RECORDS / BATCH, BATCH * RECORD_BYTES));
    print("bare write and fdatasync, 1,000 records each", RECORDS, floor, None);

    let log_folder = folder.path().join("log");
    let log = EmbeddedLog::open(&log_folder).unwrap();
    let appended = measure(|| runtime.block_on(append(&log, 1, RECORDS / BATCH, BATCH)));
    print("append, 1 caller, 1,000 records each", RECORDS, appended, Some(floor));

    let scanned = measure(|| runtime.block_on(scan(&log, RECORDS)));
    print("scan", RECORDS, scanned, None);
    println!("{:<56} {:>7} MB", "disk, all of it kept", megabytes(&log_folder));

    drop(log);
    let opened = measure(|| drop(EmbeddedLog::open(&log_folder).unwrap()));
    println!("{:<56} {:>7.0} ms {:>7.0} ms CPU", "open and close", ms(opened.wall), ms(opened.cpu));

    let log = EmbeddedLog::open(&log_folder).unwrap();
    let released = measure(|| runtime.block_on(release(&log)));
    println!("{:<56} {:>7.0} ms {:>7.0} ms CPU", "release all", ms(released.wall), ms(released.cpu));
    drop(log);
    println!("{:<56} {:>7} MB", "disk, all of it released", megabytes(&log_folder));
    let opened = measure(|| drop(EmbeddedLog::open(&log_folder).unwrap()));
    println!("{:<56} {:>7.0} ms {:>7.0} ms CPU", "open and close, all of it released", ms(opened.wall), ms(opened.cpu));

    let log = EmbeddedLog::open(folder.path().join("callers")).unwrap();
    let each = RECORDS / 4 / 16 / 50;
    let floor = measure(|| bare_writes(&folder.path().join("bare"), each, 16 * 50 * RECORD_BYTES));
    print("bare write and fdatasync, 800 records each", each * 16 * 50, floor, None);
    let appended = measure(|| runtime.block_on(append(&log, 16, each, 50)));
    print("append, 16 callers, 50 records each", each * 16 * 50, appended, Some(floor));
}

#[derive(Clone, Copy)]
struct Measured {
    wall: Duration,
    cpu: Duration,
}

fn measure(work: impl FnOnce()) -> Measured {
    let (wall, cpu) = (Instant::now(), process_cpu());
    work();
    Measured { wall: wall.elapsed(), cpu: process_cpu().saturating_sub(cpu) }
}

fn print(what: &str, records: usize, measured: Measured, floor: Option<Measured>) {
    let a_second = records as f64 / measured.wall.as_secs_f64();
    let cpu_us = measured.cpu.as_secs_f64() * 1e6 / records as f64;
    let ratio = floor.map_or(String::new(), |floor| {
        format!("{:>6.1} times the bare time", measured.wall.as_secs_f64() / floor.wall.as_secs_f64())
    });
    println!("{what:<56} {a_second:>9.0} records/s {cpu_us:>6.2} µs CPU a record {ratio}");
}

fn bare_writes(path: &Path, writes: usize, bytes: usize) {
    let mut file = File::create(path).unwrap();
    let block = noise(bytes);
    for _ in 0..writes {
        file.write_all(&block).unwrap();
        file.sync_data().unwrap();
    }
}

async fn append(log: &EmbeddedLog, callers: usize, appends: usize, records: usize) {
    let value = Bytes::from(noise(RECORD_BYTES));
    join_all((0..callers).map(|caller| {
        let key = Key(Bytes::from(format!("caller-{caller}.example/1141")));
        let value = value.clone();
        async move {
            for _ in 0..appends {
                log.append(vec![(key.clone(), value.clone()); records]).await.unwrap();
            }
        }
    }))
    .await;
}

async fn scan(log: &EmbeddedLog, mut records: usize) {
    let mut reader = log.reader();
    reader.next().await.unwrap();
    reader.seek(Partition(0), Offset(0)).await.unwrap();
    while records > 0 {
        if let LogEvent::Records(read) = reader.next().await.unwrap() {
            records -= read.len();
        }
    }
}

async fn release(log: &EmbeddedLog) {
    let mut reader = log.reader();
    reader.next().await.unwrap();
    let end = log.bounds().end;
    reader.release(Partition(0), end).await.unwrap();
}

/// Incompressible bytes.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(length)
    .collect()
}

/// User and system time of the process; zero where there is no /proc.
fn process_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Counts allocated blocks, because the journal is a sparse file.
fn megabytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    fn blocks(path: &Path) -> u64 {
        let metadata = fs::symlink_metadata(path).unwrap();
        let below: u64 = if metadata.is_dir() {
            fs::read_dir(path).unwrap().map(|entry| blocks(&entry.unwrap().path())).sum()
        } else {
            0
        };
        metadata.blocks() + below
    }
    blocks(folder) * 512 / 1_000_000
}
