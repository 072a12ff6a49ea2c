//! How soon an answer shows what was appended: the program itself on the filled data folder, beside simulated servers.
//!
//! The owner is asked over HTTP, as any guest asks it, for the newest log offset that a post shows, again and again. Each
//! record counts with the time from its append to the end of the first answer that came from it or a later one, so the
//! pause between two questions and the answer's own time are part of it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use arrow::array::{AsArray, PrimitiveArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::ipc::reader::StreamReader;
use duckdb::Connection;
use fedilake_sim::{Config, Simulation, serve};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::cost::Times;
use crate::sheet::{Sheet, count, met, ms};

const POSTS_A_SECOND: f64 = 2_000.0;
/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(20);
/// The time before the first question, in which streams open and caches fill.
const WARM_UP: Duration = Duration::from_secs(5);

/// The time of an answer, and the newest offset of each log partition in it.
pub struct Seen {
    pub at_ms: i64,
    pub newest: HashMap<i64, i64>,
}

impl Seen {
    /// The newest offset of the embedded log's partition.
    fn offset(&self) -> i64 {
        self.newest.get(&0).copied().unwrap_or(0)
    }
}

/// Runs the program on `data` for `live`.
pub fn measure(runtime: &Runtime, data: &Path, live: Duration) -> anyhow::Result<Sheet> {
    let (mut program, simulation) = Program::collect(runtime, data)?;
    let seen = runtime.block_on(watch(data, live));
    program.stop()?;
    runtime.block_on(simulation.stop());
    report(data, &seen?)
}

fn report(data: &Path, seen: &[Seen]) -> anyhow::Result<Sheet> {
    Ok(latencies_sheet("events", latencies(data, seen)?, seen))
}

/// The time of each event from its append to the first answer that came from it or a later one.
pub fn latencies(data: &Path, seen: &[Seen]) -> anyhow::Result<Vec<Duration>> {
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { bail!("nothing was seen") };
    let appended = appended(data, first.offset(), last.offset())?;
    let mut latencies = Vec::with_capacity(appended.len());
    for (offset, appended_at_ms) in &appended {
        let at = seen.partition_point(|seen| seen.offset() < *offset);
        latencies.push(Duration::from_millis(u64::try_from(seen[at].at_ms - appended_at_ms).unwrap_or(0)));
    }
    Ok(latencies)
}

/// The row of all latencies, of `things` that came between the first answer and the last.
pub fn latencies_sheet(things: &str, latencies: Vec<Duration>, seen: &[Seen]) -> Sheet {
    let (first, last) = (&seen[0], &seen[seen.len() - 1]);
    let amount = latencies.len() as f64;
    let rate = amount * 1e3 / (last.at_ms - first.at_ms) as f64;
    let times = Times::from(latencies);
    let p99 = times.quantile(0.99);
    let rates = format!("{things}/s");
    let mut sheet = Sheet::new(&[things, &rates, "answers", "p50", "p99", "max", "budget", "met"]);
    sheet.row([
        count(amount),
        count(rate),
        count(seen.len() as f64),
        ms(times.median()),
        ms(p99),
        ms(times.max()),
        "1,000".to_owned(),
        met(p99 <= Duration::from_secs(1)),
    ]);
    sheet
}

/// Offset and time of each event appended after `after` and up to `to`, from the table that the program left.
fn appended(data: &Path, after: i64, to: i64) -> anyhow::Result<Vec<(i64, i64)>> {
    let engine = Connection::open_in_memory()?;
    let mut statement = engine.prepare(&format!(
        "select log_offset, epoch_ms(appended_at) from read_parquet('{}/table/posts/**/*.parquet')
         where log_offset > {after} and log_offset <= {to}",
        data.display()
    ))?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Asks for the newest offsets again and again, for `live` after the start.
pub async fn watch(data: &Path, live: Duration) -> anyhow::Result<Vec<Seen>> {
    sleep(WARM_UP).await;
    // Backdated posts are half an hour old at most.
    let since = chrono::Utc::now() - chrono::Duration::hours(1);
    let newest = format!(
        "select log_partition::bigint, max(log_offset)::bigint from posts where created_at >= '{}' group by 1",
        since.format("%Y-%m-%d %H:%M:%S")
    );
    let end = Instant::now() + live;
    let mut seen = Vec::new();
    while Instant::now() < end {
        let next = Instant::now() + PAUSE;
        let answer = question(data, &newest).await?;
        let at_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let mut newest = HashMap::new();
        for batch in answer {
            let (partitions, offsets) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive());
            let offsets: &PrimitiveArray<Int64Type> = offsets;
            newest.extend(partitions.iter().flatten().zip(offsets.iter().flatten()));
        }
        if !newest.is_empty() {
            seen.push(Seen { at_ms, newest });
        }
        sleep_until(next).await;
    }
    Ok(seen)
}

/// Asks the owner of `data`, as any guest does.
pub async fn question(data: &Path, query: &str) -> anyhow::Result<Vec<RecordBatch>> {
    let contact: Value = serde_json::from_slice(&std::fs::read(data.join("lock")).context("read the lock")?)?;
    let at = &contact["answers"]["at"];
    let (Some(address), Some(secret)) = (at["address"].as_str(), at["secret"].as_str()) else {
        bail!("the lock does not say where the program answers");
    };
    let client = reqwest::Client::builder().no_proxy().build()?;
    let answer = client
        .post(format!("http://{address}/api/sql"))
        .header("x-fedilake-secret", secret)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&serde_json::json!({ "query": query }))?)
        .send()
        .await?
        .error_for_status()?
        .bytes()
        .await?;
    Ok(StreamReader::try_new(blocks(&answer)?.as_slice(), None)?.collect::<Result<_, _>>()?)
}

/// The Arrow stream in an owner's answer, whose pieces are a kind, a length and that many bytes; the last one is the result.
fn blocks(mut answer: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut stream = Vec::new();
    while let Some(([kind, length @ ..], rest)) = answer.split_first_chunk::<5>() {
        let length = usize::try_from(u32::from_be_bytes(*length))?;
        let (bytes, rest) = rest.split_at_checked(length).context("the owner's answer is cut")?;
        match kind {
            b'b' => stream.extend(bytes),
            b'e' if !bytes.starts_with(b"{\"Ok\"") => bail!("the owner answers {}", String::from_utf8_lossy(bytes)),
            _ => {}
        }
        answer = rest;
    }
    Ok(stream)
}

/// The running program.
pub struct Program(Child);

impl Program {
    /// Answers from `data`, and does nothing else.
    pub fn serve(data: &Path) -> anyhow::Result<Program> {
        let at = ["--data".to_owned(), data.display().to_string()];
        Program::start(&["serve", "--listen", "127.0.0.1:0"], &at, &[], "answering on")
    }

    /// Collects into `data` from simulated servers that publish 2,000 posts a second together.
    pub fn collect(runtime: &Runtime, data: &Path) -> anyhow::Result<(Program, Simulation)> {
        let config = Config { rate: POSTS_A_SECOND, ..Config::default() };
        let simulation =
            runtime.block_on(serve(config, CancellationToken::new())).context("serve simulated servers")?;
        let mut more = vec!["--data".to_owned(), data.display().to_string()];
        more.extend(simulation.addresses().iter().flat_map(|at| ["--server".to_owned(), format!("http://{at}")]));
        let program = Program::start(&["run", "--listen", "127.0.0.1:0"], &more, &[], "answering on")?;
        Ok((program, simulation))
    }

    /// Starts the program and waits until its stderr contains `word`.
    pub fn start(
        arguments: &[&str],
        more: &[String],
        variables: &[(&'static str, String)],
        word: &str,
    ) -> anyhow::Result<Program> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fedilake"));
        command.args(arguments).args(more).envs(variables.iter().map(|(name, value)| (name, value)));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut program = Program(child);
        let mut said = BufReader::new(program.0.stderr.take().context("stderr is piped")?).lines();
        if !said.by_ref().map_while(Result::ok).any(|line| line.contains(word)) {
            bail!("{arguments:?} did not start");
        }
        // Reads the rest of stderr, so that the pipe does not fill.
        std::thread::spawn(move || said.map_while(Result::ok).for_each(drop));
        Ok(program)
    }

    /// Stops the program as Ctrl-C does: everything collected is in the table afterwards.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-INT", &self.0.id().to_string()]).status()?;
        anyhow::ensure!(self.0.wait()?.success(), "the program failed");
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The program has already ended if all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
