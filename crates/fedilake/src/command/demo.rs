//! `fedilake demo`: the whole pipeline with invented posts. Replays the talk's ten days, then collects simulated
//! servers over real HTTP, and prints the reports.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use fedilake_collect::replay::{Input, Pace};
use fedilake_sim::Config;
use fedilake_sim::talk::{self, Talk};

use crate::answers::Answers;
use crate::cli::{self, Common};
use crate::command::collecting::{self, Collecting};
use crate::command::serving::{self, End};
use crate::command::watching::Watching;
use crate::command::{replay, report};
use crate::owner::Ownership;
use crate::pipeline::{Loops, Pipeline, Sinks};
use crate::render::{Style, counted};
use crate::settings::Settings;
use crate::shutdown;
use crate::telemetry;

/// One part of the ten days is replayed: an eighth takes seconds and is enough to look at.
const SHARE: u64 = 8;
const SEED: u64 = 1;
/// The number of simulated servers, and their posts a second.
const SERVERS: usize = 5;
const RATE: f64 = 50.0;

/// Runs until a signal or the given time.
pub(super) async fn run(typed: &cli::Demo, common: &Common, settings: &Settings) -> anyhow::Result<ExitCode> {
    let folder = common.data.clone().unwrap_or_else(|| PathBuf::from("demo-data"));
    let shutdown = shutdown::on_signal()?;
    let ownership = Ownership::take_or_refuse(&folder)?;
    let mut pipeline =
        Pipeline::start(ownership, settings, Loops { sink: Sinks::All, listen: Some(settings.listen()?) }).await?;

    let posts = if typed.full { talk::POSTS } else { talk::POSTS / SHARE };
    let words = settings.list("report.topics");
    telemetry::say(&format!(
        "replaying {} of the talk's ten days into {}",
        counted(posts, "invented post"),
        folder.display()
    ));
    replay::append(vec![recorded(posts)?], Pace::Max, &mut pipeline, &shutdown).await?;
    let answers = Answers::of(&folder, settings).await?;
    if !shutdown.is_cancelled() {
        report::print_all(&answers, &words, &Style::of_stdout()).await?;
    }

    let simulation = fedilake_sim::serve(
        Config { servers: SERVERS, rate: RATE, seed: SEED, ..Config::default() },
        shutdown.child_token(),
    )
    .await
    .context("serve simulated servers")?;
    let servers =
        simulation.addresses().iter().map(|address| format!("http://{address}")).collect::<Vec<_>>().join(",");
    let settings = settings.with("collect.servers", servers);
    let mut collecting = Collecting::start(collecting::servers(&settings)?, &pipeline.stores.log, &settings)?;
    telemetry::say(&format!("collecting live posts from {SERVERS} simulated servers over HTTP; Ctrl-C ends"));
    serving::announce(&pipeline);
    let watching = Watching::start(collecting.counts.clone());
    let end = tokio::select! {
        end = serving::until_end(&mut pipeline, &shutdown, typed.exit_after) => end,
        error = collecting.failure() => End::Failed(pipeline.cause(error).await),
    };
    drop(watching);
    if let End::Failed(error) = end {
        return Err(error);
    }
    let tally = collecting.stop().await?;
    simulation.stop().await;
    pipeline.lake_catches_up().await?;
    report::print_live(&answers, &Style::of_stdout()).await?;
    answers.close().await?;
    pipeline.stop().await?;
    collecting::say_tally(&tally);
    telemetry::say(&format!(
        "hint: the posts stay in {0}; `fedilake report --data {0}` prints the reports again, `rm -r {0}` removes them",
        folder.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// The preset as lines, written by a thread and read by the replay.
fn recorded(posts: u64) -> anyhow::Result<Input> {
    let (reader, mut writer) = std::io::pipe().context("make a pipe")?;
    std::thread::spawn(move || {
        // A stopped replay closes the pipe, and nothing more need be written.
        let _ = Talk::new(SEED, posts).write_jsonl(&mut writer, &mut |_| {});
    });
    Ok(Input::Stream { name: "the talk's ten days".to_owned(), reader: Box::new(reader) })
}
