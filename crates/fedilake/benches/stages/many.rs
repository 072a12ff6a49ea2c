//! A table of many small files on this machine's disk: listed, opened and followed.
//!
//! Together they have the offsets of a log that a lake has followed, as of somebody who collects for years.

use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use fedilake_log::{Bounds, Offset};
use fedilake_model::avro::{Decoder, Encoded};
use fedilake_table::local::InPlace;
use fedilake_table::{Chain, DataFile, Table};
use object_store::path::Path as ObjectPath;
use tokio::runtime::Runtime;

use crate::cost::cost_of;
use crate::intake;
use crate::sheet::{Sheet, met, ms, none};

const BUDGET: Duration = Duration::from_secs(2);

/// Makes the files in `folder`, as many as asked for, and measures.
pub fn measure(runtime: &Runtime, folder: &Path, files: u64) -> anyhow::Result<Sheet> {
    let data = folder.join("many");
    std::fs::create_dir_all(&data)?;
    intake::fill(runtime, &folder.join("many.jsonl"), &data, files, 1)?;
    let (chain, end) = split(runtime, &data.join("table"), files)?;

    let mut sheet = Sheet::new(&["many small files", "wall, ms", "CPU, ms", "budget of wall", "met"]);
    let mut row = |what: &str, wall: Duration, cpu: Option<Duration>| {
        sheet.row([what.to_owned(), ms(wall), cpu.map_or_else(none, ms), ms(BUDGET), met(wall <= BUDGET)]);
    };
    let table = open(&data.join("table"))?;
    let (snapshot, cost) = cost_of(|| Ok(runtime.block_on(table.snapshot())?))?;
    ensure!(snapshot.chains[0].files.len() as u64 == files, "the table has other files");
    row("listed", cost.wall, Some(cost.cpu));
    let log = Bounds { start: end, end };
    let table = open(&data.join("table"))?;
    let (next, cost) = cost_of(|| Ok(runtime.block_on(table.next_offset(&chain, log))?))?;
    ensure!(next == end, "the table ends elsewhere");
    row("a sink begins", cost.wall, Some(cost.cpu));
    let opened = ask(&data, &["sql", "select count(*) from posts"])?;
    row("opened, followed, asked and closed", opened, None);
    std::fs::remove_dir_all(&data)?;
    Ok(sheet)
}

fn open(folder: &Path) -> anyhow::Result<Table> {
    Ok(Table::new(Arc::new(InPlace::open(folder)?), ObjectPath::default()))
}

/// Puts as many files in place of those of the only chain. All but the last have one content, under names of their own: nobody reads them
/// who has followed the log.
fn split(runtime: &Runtime, folder: &Path, files: u64) -> anyhow::Result<(Chain, Offset)> {
    let mut snapshot = runtime.block_on(open(folder)?.snapshot())?;
    let whole = snapshot.chains.pop().context("the table is empty")?;
    let (first, end) = (whole.files[0].first, whole.next());
    ensure!(end.0 - first.0 >= files, "the log is too short");
    for file in &whole.files {
        std::fs::remove_file(folder.join(file.location.as_ref()))?;
    }
    let seal = |offsets: Range<u64>| {
        let record = |offset| Encoded {
            partition: whole.chain.partition.0,
            offset,
            appended_at_ms: 0,
            value: b"row".as_slice().into(),
        };
        let (from, next, records) =
            (Offset(offsets.start), Offset(offsets.end), offsets.map(record).collect::<Vec<_>>());
        DataFile::seal(whole.chain.clone(), from, next, &records, &mut Decoder::new())
    };
    let newest = first.0 + files - 1;
    let (other, last) = (seal(first.0..first.0 + 1)?, seal(newest..end.0)?);
    for from in first.0..=newest {
        let file = if from == newest { &last } else { &other };
        std::fs::write(folder.join(format!("posts/{}/{from:020}.parquet", whole.chain)), file.bytes())?;
    }
    Ok((whole.chain.clone(), end))
}

/// How long the program takes for a question, with its start and its end.
fn ask(data: &Path, question: &[&str]) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let answered = Command::new(env!("CARGO_BIN_EXE_fedilake")).args(question).arg("--data").arg(data).output()?;
    ensure!(answered.status.success(), "{}", String::from_utf8_lossy(&answered.stderr));
    Ok(began.elapsed())
}
