//! Quick statistics straight from S3 by httpfs: our layout and the talk's, of the same posts, cold (a DuckDB that knows nothing)
//! and warm (the same DuckDB again).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use duckdb::Connection;
use fedilake_services::Services;

use crate::cluster::Cluster;
use crate::cost::Times;
use crate::sheet::{Sheet, count, mb, met, ms, ratio};

const ROUNDS: usize = 5;

/// The talk's question, and the same question about our columns.
const TALKS: &str = "select count(*), count(distinct username), count(distinct regexp_replace(regexp_replace(url, \
    '^http[s]://', ''), '/.*$', '')), count(distinct language), min(characters), avg(characters), max(characters), \
    sum(characters) from read_parquet('s3://{bucket}/{name}/talk/*.parquet')";
const OURS: &str = "select count(*), count(distinct author), count(distinct author_domain), \
    count(distinct coalesce(language, 'unknown')), min(characters), avg(characters), max(characters), sum(characters) \
    from read_parquet('s3://{bucket}/{name}/posts/*.parquet', union_by_name = true)";

/// The figures of one way.
struct Way {
    cold: Duration,
    warm: Duration,
    requests: u64,
    bytes: u64,
}

/// Puts both layouts into the bucket and asks each.
pub fn measure(
    cluster: &Cluster,
    runtime: &tokio::runtime::Runtime,
    posts: &[PathBuf],
    talk: &Path,
) -> anyhow::Result<Sheet> {
    for file in posts {
        runtime.block_on(cluster.put_file(file, "posts"))?;
    }
    for entry in std::fs::read_dir(talk)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".snappy.parquet") {
            runtime.block_on(cluster.put_file(&path, "talk"))?;
        }
    }
    let ours = way(cluster, OURS)?;
    let theirs = way(cluster, TALKS)?;
    let mut sheet = Sheet::new(&["straight from S3", "cold, ms", "warm, ms", "requests, cold", "MB read, cold"]);
    for (name, way) in [("our layout", &ours), ("the talk's: files of 1,000 rows", &theirs)] {
        sheet.row([name.to_owned(), ms(way.cold), ms(way.warm), count(way.requests as f64), mb(way.bytes)]);
    }
    let seconds = |time: Duration| time.as_secs_f64();
    let (cold, warm) = (seconds(theirs.cold) / seconds(ours.cold), seconds(theirs.warm) / seconds(ours.warm));
    let (requests, bytes) = (ours.requests as f64 / theirs.requests as f64, ours.bytes as f64 / theirs.bytes as f64);
    sheet.row([
        "ratio".to_owned(),
        format!("{cold:.1} times"),
        format!("{warm:.1} times"),
        format!("{requests:.4}"),
        ratio(bytes, 1.0),
    ]);
    sheet.row(["budget".to_owned(), "5 times".to_owned(), "5 times".to_owned(), "0.01".to_owned(), "0.60".to_owned()]);
    sheet.row(["met".to_owned(), met(cold >= 5.0), met(warm >= 5.0), met(requests <= 0.01), met(bytes <= 0.6)]);
    Ok(sheet)
}

fn way(cluster: &Cluster, question: &str) -> anyhow::Result<Way> {
    let Services { s3, .. } = &cluster.services;
    let question = question.replace("{bucket}", &s3.bucket).replace("{name}", &cluster.name);
    let began = Instant::now();
    let engine = connect(cluster)?;
    let asked = Instant::now();
    ask(&engine, &question)?;
    let cold = asked.elapsed();
    tracing::debug!(?cold, opened = ?(asked - began), "asked");
    let warm = Times::of(ROUNDS, || ask(&engine, &question))?.median();
    let counted = connect(cluster)?;
    counted.execute_batch("call enable_logging('HTTP', level = 'debug', storage = 'memory')")?;
    ask(&counted, &question)?;
    let (requests, bytes) = counted.query_row(
        "select count(*), coalesce(sum(try_cast(response.headers['Content-Length'] as ubigint)) \
         filter (request.type = 'GET'), 0)::ubigint from duckdb_logs_parsed('HTTP')",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(Way { cold, warm, requests, bytes })
}

fn connect(cluster: &Cluster) -> anyhow::Result<Connection> {
    let s3 = &cluster.services.s3;
    let engine = Connection::open_in_memory()?;
    let python =
        fedilake_services::python("quick statistics straight from S3").context("httpfs comes with a Python")?;
    let httpfs = fedilake_services::httpfs(&python);
    engine.execute_batch(&format!("load '{}'", httpfs.display())).context("load DuckDB's extension httpfs")?;
    let host = s3.endpoint.trim_start_matches("http://");
    engine.execute_batch(&format!(
        "create secret (type s3, key_id '{}', secret '{}', region '{}', endpoint '{host}', use_ssl false, url_style 'path')",
        s3.key, s3.secret, s3.region
    ))?;
    Ok(engine)
}

fn ask(engine: &Connection, question: &str) -> anyhow::Result<usize> {
    Ok(engine.prepare(question)?.query_arrow([])?.map(|batch| batch.num_rows()).sum())
}
