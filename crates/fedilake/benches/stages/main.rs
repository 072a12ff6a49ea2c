//! The speed of each stage beside this machine's own limits, and the talk's way beside ours: `make bench`.
//!
//! One run on one machine: the talk's ten days are written as recorded frames, brought into a log, a table and a lake, and
//! asked; then the same posts are laid out, loaded and asked as in the talk. Each floor does the least that the stage
//! cannot do without, on the same bytes and in the same run. docs/benchmarks.md says what each row means.
//!
//! With real services in the environment (`make services`) the same stages run on Kafka and S3 beside them.
//!
//! `--quick` takes a sixteenth of the posts; budgets are for the whole.

#![allow(unreachable_pub, reason = "a program has no outside: pub says what a module offers to the others")]

mod answers;
mod cluster;
mod cost;
mod freshness;
mod intake;
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
use sheet::Sheet;

/// How much is measured.
struct Extent {
    posts: u64,
    live: Duration,
}

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let extent = if is_quick {
        Extent { posts: POSTS / 16, live: Duration::from_secs(10) }
    } else {
        Extent { posts: POSTS, live: Duration::from_secs(30) }
    };
    let folder = tempfile::Builder::new().prefix("fedilake-bench").tempdir().context("make a folder")?;
    println!("{}\n{} posts of the talk's preset\n", Machine::here(), extent.posts);
    run(folder.path(), &extent)
}

fn run(folder: &Path, extent: &Extent) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;

    let mut rates = Sheet::new(&["stage", "a core", "wall", "floor a core", "ratio", "budget", "met"]);
    let frames = folder.join("talk.jsonl");
    let files = intake::measure(&runtime, &frames, &data, extent.posts, &mut rates)?;
    let cluster = Cluster::find()?;
    if let Some(cluster) = &cluster {
        cluster.measure(&runtime, &frames, &mut rates)?;
    }
    std::fs::remove_file(frames)?;
    rates.print("Rates, in events a second");

    let talk = talk::Talk::lay_out(&files.table, &folder.join("talk"))?;
    let talk = talk.measure()?;
    let lake = data.join("lake.duckdb");
    answers::measure(&lake, &talk)?.print("Answers, in milliseconds, warm");
    answers::filtered(&lake)?
        .print("Answers of a part of the posts: all seven reports, one after the other, in milliseconds");
    sizes::measure(&lake, &files, &talk)?.print("Memory and bytes, in MB");
    if let Some(cluster) = &cluster {
        remote::measure(cluster, &runtime, &files.posts, &folder.join("talk"))?
            .print("Quick statistics straight from S3");
    }
    drop(talk);

    freshness::measure(&runtime, &data, extent.live)?.print("Freshness while 2,000 posts/s come in, in milliseconds");
    if let Some(cluster) = &cluster {
        replica::measure(cluster, &runtime, &folder.join("replica"), extent.live)?
            .print("From a server's showing to a replica's answer, through Kafka, while 2,000 posts/s come in, in milliseconds");
        runtime.block_on(cluster.clean_up())?;
    }
    Ok(())
}
