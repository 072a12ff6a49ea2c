//! The speed of each stage beside this machine's own limits, and beside the talk's way: `make bench`.
//!
//! One run on one machine: the talk's ten days are written as recorded frames, moved into a log, a table and a lake,
//! and queried; then the same posts are laid out, loaded and queried as in the talk. Each floor does the least work
//! that the stage needs, on the same bytes and in the same run. docs/benchmarks.md explains each row.
//!
//! If the environment names real services (`make services`), the same stages also run on Kafka and S3.
//!
//! `--quick` takes a sixteenth of the posts; budgets are for all posts. `--copies 10` asks only the dashboard's questions, of ten
//! times the posts, of a hundred days. `--only intake` measures only the stages from recorded frames to the lake, `--only cluster` those
//! on Kafka and S3, `--only many` the table of many small files. `--growth 1,10,40` measures what grows with the posts, on lakes that are made once and kept in the folder
//! of `--keep`.

#![allow(unreachable_pub, reason = "a program has no outside: pub says what a module offers to the others")]

mod answers;
mod cluster;
mod cost;
mod freshness;
mod growth;
mod intake;
mod many;
mod panels;
mod peer;
mod remote;
mod replica;
mod sheet;
mod sizes;
mod talk;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use fedilake_sim::talk::POSTS;

use cluster::Cluster;
use cost::Machine;

/// The program's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RATES: &str = "Rates, in events a second";
const PANELS: &str = "The dashboard's panels after a brush, over HTTP, in milliseconds";

/// Files of somebody who collects on a laptop for a year, and more.
const SMALL_FILES: u64 = 50_000;

/// The amount of work to measure.
struct Extent {
    posts: u64,
    live: Duration,
    /// Files of the table of many small ones.
    small_files: u64,
}

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().collect();
    let is_quick = arguments.iter().any(|argument| argument == "--quick");
    let extent = if is_quick {
        Extent { posts: POSTS / 16, live: Duration::from_secs(10), small_files: SMALL_FILES / 16 }
    } else {
        Extent { posts: POSTS, live: Duration::from_secs(30), small_files: SMALL_FILES }
    };
    let value_of = |flag: &str| arguments.iter().skip_while(|argument| *argument != flag).nth(1);
    if let Some(sizes) = value_of("--growth") {
        println!("{}\n", Machine::here());
        let folder = Path::new(value_of("--keep").context("--growth wants --keep FOLDER")?);
        std::fs::create_dir_all(folder).context("make the folder of --keep")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        return growth::measure(&runtime, folder, extent.posts, &growth::sizes(sizes)?, extent.live);
    }
    let folder = tempfile::Builder::new().prefix("fedilake-bench").tempdir().context("make a folder")?;
    println!("{}\n{} posts of the talk's preset\n", Machine::here(), extent.posts);
    if let Some(theirs) = value_of("--peer") {
        return cluster_alone(folder.path(), &extent, Some(Path::new(theirs)));
    }
    match value_of("--only").map(String::as_str) {
        Some("intake") => return intake_alone(folder.path(), &extent),
        Some("cluster") => return cluster_alone(folder.path(), &extent, None),
        Some("many") => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            return many_files(&runtime, folder.path(), &extent);
        }
        _ => {}
    }
    match value_of("--copies") {
        Some(copies) => of_copies(folder.path(), &extent, copies.parse().context("--copies wants a number")?),
        None => run(folder.path(), &extent),
    }
}

/// Measures only the way in.
fn intake_alone(folder: &Path, extent: &Extent) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    let mut rates = intake::rates();
    intake::measure(&runtime, &folder.join("talk.jsonl"), &data, extent.posts, &mut rates)?;
    rates.print(RATES);
    Ok(())
}

/// Measures only the panels, of copies of the posts.
fn of_copies(folder: &Path, extent: &Extent, copies: u32) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    intake::fill(&runtime, &folder.join("talk.jsonl"), &data, extent.posts, copies)?;
    panels::measure(&runtime, &data, copies)?.print(&format!("{PANELS}, of {copies} copies of the posts"));
    Ok(())
}

/// Measures only the stages on Kafka and S3, and compares them with the ways that were just measured, if any were.
fn cluster_alone(folder: &Path, extent: &Extent, theirs: Option<&Path>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let cluster = Cluster::find()?.context("there are no real services\nhint: make services")?;
    let frames = folder.join("talk.jsonl");
    intake::write_frames(&frames, extent.posts, 0)?;
    let mut rates = intake::rates();
    let ours = cluster.measure(&runtime, &frames, &mut rates)?;
    rates.print(RATES);
    if let Some(theirs) = theirs {
        peer::compare(theirs, &ours)?.print("Beside other ways, in posts or rows a second of one core");
    }
    runtime.block_on(cluster.clean_up())
}

fn many_files(runtime: &tokio::runtime::Runtime, folder: &Path, extent: &Extent) -> anyhow::Result<()> {
    let title = format!("A table of {} files on this machine's disk", sheet::count(extent.small_files as f64));
    many::measure(runtime, folder, extent.small_files)?.print(&title);
    Ok(())
}

fn run(folder: &Path, extent: &Extent) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;

    let mut rates = intake::rates();
    let frames = folder.join("talk.jsonl");
    let files = intake::measure(&runtime, &frames, &data, extent.posts, &mut rates)?;
    let cluster = Cluster::find()?;
    if let Some(cluster) = &cluster {
        cluster.measure(&runtime, &frames, &mut rates)?;
    }
    std::fs::remove_file(frames)?;
    rates.print(RATES);

    let talk = talk::Talk::lay_out(&files.table, &folder.join("talk"))?;
    let talk = talk.measure()?;
    let lake = data.join("lake.duckdb");
    answers::measure(&lake, &talk)?.print("Answers, in milliseconds, warm");
    answers::filtered(&lake)?
        .print("Answers of a part of the posts: the talk's reports, one after the other, in milliseconds");
    sizes::measure(&lake, &files, &talk)?.print("Memory and bytes, in MB");
    if let Some(cluster) = &cluster {
        remote::measure(cluster, &runtime, &files.posts, &folder.join("talk"))?
            .print("Quick statistics straight from S3");
    }
    drop(talk);
    many_files(&runtime, folder, extent)?;

    panels::measure(&runtime, &data, 1)?.print(PANELS);
    match panels::painted(&data) {
        Ok(Some(sheet)) => sheet.print("The page in Chromium, from the event to painted marks, in milliseconds"),
        Ok(None) => println!("skipped: the page in Chromium: no Chromium\n"),
        // The other measurements do not need the browser.
        Err(error) => println!("not measured: the page in Chromium: {error:#}\n"),
    }
    freshness::measure(&runtime, &data, extent.live)?.print("Freshness while 2,000 posts/s come in, in milliseconds");
    panels::readers(&runtime, &data, extent.live)?.print(
        "Open dashboards while 2,000 posts/s come in: their requests, and how fresh an answer is, in milliseconds",
    );
    if let Some(cluster) = &cluster {
        replica::measure(cluster, &runtime, &folder.join("replica"), extent.live)?
            .print("From a server's showing to a replica's answer, through Kafka, while 2,000 posts/s come in, in milliseconds");
        runtime.block_on(cluster.clean_up())?;
    }
    Ok(())
}
