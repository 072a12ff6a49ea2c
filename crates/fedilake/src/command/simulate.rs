//! `fedilake simulate`: simulated servers, or a file of what they would have sent.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use fedilake_sim::talk::{self, Talk};
use fedilake_sim::{Config, Output};

use crate::cli::{self, Preset};
use crate::command::serving;
use crate::shutdown;
use crate::telemetry::{self, Unit};

/// Serves until a signal or the given time, or writes the file.
pub(super) async fn run(typed: &cli::Simulate) -> anyhow::Result<ExitCode> {
    match (&typed.out, typed.serve) {
        (Some(out), _) => {
            let (out, preset, posts, seed) = (out.clone(), typed.preset, typed.posts, typed.seed);
            tokio::task::spawn_blocking(move || write(&out, preset, posts, seed)).await??;
        }
        (None, Some(listen)) => {
            serve(
                typed,
                Config { listen, servers: typed.servers, rate: typed.rate, seed: typed.seed, ..Config::default() },
            )
            .await?
        }
        (None, None) => unreachable!("the command line wants one of --serve and --out"),
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve(typed: &cli::Simulate, config: Config) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signal()?;
    let simulation = fedilake_sim::serve(config, shutdown.child_token()).await.context("serve simulated servers")?;
    let addresses = simulation.addresses();
    let flags: Vec<String> = addresses.iter().map(|address| format!("--server http://{address}")).collect();
    telemetry::say(&format!("serving {} simulated servers\nhint: fedilake run {}", addresses.len(), flags.join(" ")));
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = serving::elapsed(typed.duration) => {}
    }
    simulation.stop().await;
    Ok(())
}

fn write(out: &Path, preset: Preset, posts: Option<u64>, seed: u64) -> anyhow::Result<()> {
    let talk = match preset {
        Preset::Talk => Talk::new(seed, posts.unwrap_or(talk::POSTS)),
    };
    let totals = talk.totals();
    let posts = totals.posts;
    let bar = telemetry::progress_bar("simulate", totals.frames.all(), Unit::Frames);
    let mut output = Output::create(out).with_context(|| format!("create {}", out.display()))?;
    let mut written = 0;
    talk.write_jsonl(&mut output, &mut |frames| {
        written = frames;
        bar.set_position(frames);
    })
    .and_then(|()| output.finish())
    .with_context(|| format!("write {}", out.display()))?;
    bar.finish_and_clear();
    telemetry::say(&format!("{posts} posts, all invented, as {written} frames in {}", out.display()));
    Ok(())
}
