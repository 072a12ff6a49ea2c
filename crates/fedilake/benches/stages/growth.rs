//! What grows with the posts, and what must not: lakes of copies of the talk's days, made once and kept. `make bench-growth`.
//!
//! Each copy is ten days later than the one before, by other people of the same servers. A *state* is what a reader of the page has
//! chosen; its time is that of the talk's seven reports, asked over HTTP one after the other, none of them asked before. A process that
//! was just opened reads what it needs from the file; then every state is asked again for other hours.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use arrow::array::AsArray;
use chrono::DateTime;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::answers::TALKS;
use crate::cost::Times;
use crate::freshness::{Program, latencies, question, watch};
use crate::intake;
use crate::panels::{FIRST_HOUR, Page};
use crate::sheet::{Sheet, count, met, ms, none, ratio};

/// A file of this name says that the table in a folder is whole.
const WHOLE: &str = "whole";
const HOURS_OF_COPY: i64 = 240;
const BYTES_A_POST_MAX: f64 = 160.0;
/// Readers who ask without pause while posts come.
const READERS: usize = 5;

/// How the states are asked.
const PASSES: [&str; 2] = ["just opened", "then"];

/// A filter of a state, as the page asks for it.
struct Choice {
    name: &'static str,
    query: String,
}

/// The figures of one lake.
struct Grown {
    copies: u32,
    posts: u64,
    bytes: u64,
    /// Each state's name and its time, just opened and then.
    states: Vec<(String, [Duration; 2])>,
    live: Option<Live>,
}

/// Figures while posts come in.
struct Live {
    takes: u64,
    /// Of a take.
    mean: Duration,
    fresh: Times,
}

/// Makes the lakes that `folder` lacks, of so many copies of `posts` each, and prints the tables. `live` is how long posts come in.
pub fn measure(runtime: &Runtime, folder: &Path, posts: u64, copies: &[u32], live: Duration) -> anyhow::Result<()> {
    let mut grown = Vec::new();
    for &copies in copies {
        let data = folder.join(format!("{copies}-of-{posts}"));
        if !data.join(WHOLE).exists() {
            make(runtime, folder, &data, posts, copies)?;
        }
        let began = Instant::now();
        intake::follow(runtime, &data)?;
        println!("the lake of {copies} copies has the whole table, after {} s\n", began.elapsed().as_secs());
        let mut figures = ask(runtime, &data, copies)?;
        figures.live = (!live.is_zero()).then(|| while_posts_come(runtime, folder, &data, live)).transpose()?;
        grown.push(figures);
    }
    panels(&grown).print("The talk's seven reports one after the other, over HTTP, under 21 filters, in milliseconds");
    for figures in &grown {
        states(figures).print(&format!("Each filter, of {} posts, in milliseconds", count(figures.posts as f64)));
    }
    takes(&grown)
        .print("Takes of new records, and how fresh answers are, while 2,000 posts/s come in and five readers ask");
    Ok(())
}

fn make(runtime: &Runtime, folder: &Path, data: &Path, posts: u64, copies: u32) -> anyhow::Result<()> {
    println!("makes a table of {copies} copies in {}", data.display());
    let began = Instant::now();
    if data.exists() {
        std::fs::remove_dir_all(data).with_context(|| format!("remove {}", data.display()))?;
    }
    std::fs::create_dir_all(data).with_context(|| format!("make {}", data.display()))?;
    intake::fill_table(runtime, &folder.join("talk.jsonl"), data, posts, copies)?;
    std::fs::write(data.join(WHOLE), "")?;
    println!("took {} s\n", began.elapsed().as_secs());
    Ok(())
}

/// Asks every state twice, for other hours, of a process that does nothing else.
fn ask(runtime: &Runtime, data: &Path, copies: u32) -> anyhow::Result<Grown> {
    let mut program = Program::serve(data)?;
    let page = Page::of(data)?;
    let (posts, choices) = runtime.block_on(async {
        let number = question(data, "select count(*)::bigint from posts").await?;
        let posts = number[0].column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0);
        anyhow::Ok((u64::try_from(posts)?, choices(data).await?))
    })?;
    let ask = |earlier: i64| -> anyhow::Result<Vec<(String, Duration)>> {
        let mut states = Vec::new();
        for (range, time) in ranges(copies, earlier) {
            for Choice { name, query } in &choices {
                let took = runtime.block_on(page.ask_each(&TALKS, &format!("{time}{query}")))?;
                states.push((format!("{name}, {range}"), took));
            }
        }
        Ok(states)
    };
    let (opened, then) = (ask(0)?, ask(1)?);
    let states = opened.into_iter().zip(then).map(|((name, opened), (_, then))| (name, [opened, then])).collect();
    program.stop()?;
    let bytes = std::fs::metadata(data.join("lake.duckdb")).context("look at the lake")?.len();
    Ok(Grown { copies, posts, bytes, states, live: None })
}

/// All time, one hour and 37 hours in the middle, or so many hours earlier.
fn ranges(copies: u32, earlier: i64) -> [(&'static str, String); 3] {
    let hours_of_all = i64::from(copies) * HOURS_OF_COPY;
    let middle = FIRST_HOUR + hours_of_all / 2 + 9 - earlier;
    let time = |hour: i64| {
        DateTime::from_timestamp(hour * 3_600, 0).expect("an hour of this century").format("%Y-%m-%dT%H:%M:%SZ")
    };
    let hours = |hours| format!("&from={}&to={}", time(middle), time(middle + hours));
    // A time before the first post.
    let all = format!("&from={}", time(FIRST_HOUR - hours_of_all + earlier));
    [("all time", all), ("one hour", hours(1)), ("37 hours", hours(37))]
}

async fn choices(data: &Path) -> anyhow::Result<Vec<Choice>> {
    let name = async |sql: &str| {
        let rows = question(data, sql).await?;
        let batch = rows.iter().find(|batch| batch.num_rows() > 0).context("no name")?;
        let column = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8)?;
        anyhow::Ok(column.as_string::<i32>().value(0).to_owned())
    };
    let large = name("select author_domain from posts group by 1 order by count(*) desc, 1 limit 1").await?;
    let small = "select author_domain from posts group by 1 having count(*) >= 20 order by count(*), 1 limit 1";
    let small = name(small).await?;
    let server = name("select server from posts group by 1 order by count(*) desc, 1 limit 1").await?;
    let choice = |name, query: String| Choice { name, query };
    Ok(vec![
        choice("no filter", String::new()),
        choice("a language", "&language=de".to_owned()),
        choice("a large origin", format!("&origin={large}")),
        choice("a small origin", format!("&origin={small}")),
        choice("a server", format!("&server={server}")),
        choice("people", "&bot=people".to_owned()),
        choice("a language's people", "&language=de&bot=people".to_owned()),
    ])
}

/// Runs the program on a copy of the lake beside simulated servers and readers who ask without pause.
fn while_posts_come(runtime: &Runtime, folder: &Path, data: &Path, live: Duration) -> anyhow::Result<Live> {
    let copy = folder.join("live");
    if copy.exists() {
        std::fs::remove_dir_all(&copy)?;
    }
    copy_folder(data, &copy)?;
    let (mut program, simulation) = Program::collect(runtime, &copy)?;
    let page = std::sync::Arc::new(Page::of(&copy)?);
    let (seen, metrics) = runtime.block_on(async {
        let readers: Vec<_> = (0..READERS)
            .map(|_| {
                let page = page.clone();
                tokio::spawn(async move { while page.ask(&TALKS, "").await.is_ok() {} })
            })
            .collect();
        let seen = watch(&copy, live).await;
        let metrics = page.metrics().await;
        readers.iter().for_each(tokio::task::JoinHandle::abort);
        anyhow::Ok((seen?, metrics?))
    })?;
    program.stop()?;
    runtime.block_on(simulation.stop());
    let figure = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|figure| figure.trim().parse::<f64>().ok()).with_context(|| format!("no metric {name}"))
    };
    let takes = figure("fedilake_lake_take_seconds_count")?;
    let mean = Duration::from_secs_f64(figure("fedilake_lake_take_seconds_sum")? / takes.max(1.0));
    let fresh = Times::from(latencies(&copy, &seen)?);
    std::fs::remove_dir_all(&copy)?;
    Ok(Live { takes: takes as u64, mean, fresh })
}

/// Copies a data folder; the table's files, which never change, are linked.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if target.extension().is_some_and(|extension| extension == "parquet") {
            std::fs::hard_link(entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

fn panels(grown: &[Grown]) -> Sheet {
    let mut sheet = Sheet::new(&[
        "posts",
        "asked",
        "states",
        "median",
        "p95",
        "max",
        "budget of p95",
        "met",
        "budget of max",
        "met",
        "bytes a post",
        "budget",
        "met",
    ]);
    for figures in grown {
        let (p95, max) = match figures.copies {
            1 => (Some(30), Some(60)),
            10 => (Some(100), Some(250)),
            40 => (Some(350), None),
            _ => (None, None),
        };
        let bytes = figures.bytes as f64 / figures.posts as f64;
        let budget = |budget: Option<u64>| budget.map_or_else(none, |budget| count(budget as f64));
        let is_met = |took: Duration, budget: Option<u64>| {
            budget.map_or_else(none, |budget| met(took <= Duration::from_millis(budget)))
        };
        for (pass, asked) in PASSES.into_iter().enumerate() {
            let times = Times::from(figures.states.iter().map(|(_, took)| took[pass]).collect::<Vec<_>>());
            sheet.row([
                count(figures.posts as f64),
                asked.to_owned(),
                count(figures.states.len() as f64),
                ms(times.median()),
                ms(times.quantile(0.95)),
                ms(times.max()),
                budget(p95),
                is_met(times.quantile(0.95), p95),
                budget(max),
                is_met(times.max(), max),
                format!("{bytes:.0}"),
                count(BYTES_A_POST_MAX),
                met(bytes <= BYTES_A_POST_MAX),
            ]);
        }
    }
    sheet
}

fn states(figures: &Grown) -> Sheet {
    let mut sheet = Sheet::new(&["state", PASSES[0], PASSES[1]]);
    for (state, took) in &figures.states {
        sheet.row([state.clone(), ms(took[0]), ms(took[1])]);
    }
    sheet
}

fn takes(grown: &[Grown]) -> Sheet {
    let mut sheet = Sheet::new(&[
        "posts",
        "takes",
        "mean",
        "of the smallest lake's",
        "budget",
        "met",
        "freshness p50",
        "p99",
        "budget",
        "met",
    ]);
    let first = grown.first().and_then(|figures| figures.live.as_ref()).map(|live| live.mean);
    for figures in grown {
        let Some(Live { takes, mean, fresh }) = &figures.live else { continue };
        let times = mean.as_secs_f64() / first.unwrap_or(*mean).as_secs_f64();
        let p99 = fresh.quantile(0.99);
        sheet.row([
            count(figures.posts as f64),
            count(*takes as f64),
            ms(*mean),
            ratio(times, 1.0),
            "1.2".to_owned(),
            met(times <= 1.2),
            ms(fresh.median()),
            ms(p99),
            "1,000".to_owned(),
            met(p99 <= Duration::from_secs(1)),
        ]);
    }
    sheet
}

/// The sizes of `--growth 1,10,40`.
pub fn sizes(typed: &str) -> anyhow::Result<Vec<u32>> {
    let sizes: Vec<u32> = typed
        .split(',')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .context("--growth wants numbers of copies, as 1,10,40")?;
    ensure!(
        sizes.first().is_some_and(|size| *size > 0) && sizes.is_sorted(),
        "--growth wants ascending numbers from 1 on"
    );
    Ok(sizes)
}
