//! How soon a replica's report shows what a server published: simulated servers, a collector, Kafka, a sink, S3 and a `serve`
//! replica, each a process of its own but the servers.
//!
//! The replica is asked again and again for the newest offset of each partition. Each post, which one server shows, counts with
//! the time from its showing to the end of the first answer that came from its offset or a later one.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use fedilake_sim::{Config, serve};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;
use crate::freshness::{Program, Seen, latencies_sheet, question, watch};
use crate::sheet::Sheet;

const POSTS_A_SECOND: f64 = 2_000.0;

/// Runs all processes for `live`, with the replica's lake in `data`.
pub fn measure(cluster: &Cluster, runtime: &Runtime, data: &Path, live: Duration) -> anyhow::Result<Sheet> {
    let stop = CancellationToken::new();
    let config = Config { rate: POSTS_A_SECOND, reach: 1, edits: 0.0, deletes: 0.0, ..Config::default() };
    let simulation = runtime.block_on(serve(config, stop.clone())).context("serve simulated servers")?;
    let servers: Vec<String> = simulation
        .addresses()
        .iter()
        .flat_map(|address| ["--server".to_owned(), format!("http://{address}")])
        .collect();
    let variables = cluster.variables();
    let start = |arguments: &[&str], more: &[String], word| Program::start(arguments, more, &variables, word);
    let mut collector = start(&["collect", "--listen", "127.0.0.1:0"], &servers, "metrics on")?;
    let mut sink = start(&["sink", "--listen", "127.0.0.1:0"], &[], "metrics on")?;
    let at = ["--data".to_owned(), data.display().to_string()];
    let mut replica = start(&["serve", "--listen", "127.0.0.1:0"], &at, "answering on")?;
    let seen = runtime.block_on(watch(data, live));
    let offsets = runtime.block_on(offsets(data))?;
    let shown: Vec<(String, i64)> = simulation.truth().into_iter().map(|post| (post.uri, post.shown_at_ms)).collect();
    for program in [&mut collector, &mut sink, &mut replica] {
        program.stop()?;
    }
    runtime.block_on(simulation.stop());
    report(&seen?, &offsets, &shown)
}

/// The position of each post: uri → partition, offset.
async fn offsets(data: &Path) -> anyhow::Result<HashMap<String, (i64, i64)>> {
    let batches = question(data, "select uri, log_partition::bigint, log_offset from posts").await?;
    let mut offsets = HashMap::new();
    for batch in batches {
        let uris = batch.column(0).as_string::<i32>();
        let (partitions, at) =
            (batch.column(1).as_primitive::<Int64Type>(), batch.column(2).as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            offsets.insert(uris.value(row).to_owned(), (partitions.value(row), at.value(row)));
        }
    }
    Ok(offsets)
}

fn report(seen: &[Seen], offsets: &HashMap<String, (i64, i64)>, shown: &[(String, i64)]) -> anyhow::Result<Sheet> {
    let (first, last) = (seen.first().context("nothing was seen")?.at_ms, seen.last().context("seen")?.at_ms);
    let mut latencies = Vec::new();
    for (uri, shown_at_ms) in shown.iter().filter(|(_, at)| (first..last - 2_000).contains(at)) {
        // Posts shown before the collector's first look may be missing.
        let Some((partition, offset)) = offsets.get(uri) else { continue };
        let at = seen.partition_point(|seen| seen.newest.get(partition).is_none_or(|newest| newest < offset));
        let Some(answer) = seen.get(at) else { continue };
        latencies.push(Duration::from_millis(u64::try_from(answer.at_ms - shown_at_ms).unwrap_or(0)));
    }
    anyhow::ensure!(!latencies.is_empty(), "no post was seen");
    Ok(latencies_sheet("posts", latencies, seen))
}
