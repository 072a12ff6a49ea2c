//! `fedilake simulate`: serves simulated servers, or writes their frames to a file.

use std::convert::Infallible;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_sim::talk::{self, Talk};
use fedilake_sim::{Config, Output, Script, Simulation};
use tokio_util::sync::CancellationToken;

use crate::cli::{self, Preset};
use crate::output;
use crate::render::counted;
use crate::shutdown;
use crate::telemetry::{self, Unit};

/// Length of a fault script without `--script-length` and `--for`.
const SCRIPT_LENGTH: Duration = Duration::from_secs(600);

/// Serves until a signal or the given time, or writes the file.
pub(super) async fn run(typed: &cli::Simulate) -> anyhow::Result<ExitCode> {
    match (&typed.out, typed.serve) {
        (Some(out), _) => {
            let talks = Talks { preset: typed.preset, seed: typed.seed, posts: typed.posts, copies: typed.copies };
            let (out, shutdown) = (out.clone(), shutdown::on_signal()?);
            tokio::task::spawn_blocking(move || write(&out, &talks, shutdown)).await??;
        }
        (None, Some(listen)) => {
            serve(
                typed,
                Config {
                    listen,
                    servers: usize::from(typed.servers),
                    rate: typed.rate,
                    seed: typed.seed,
                    software: typed.software.clone(),
                    stream_needs_token: typed.closed,
                    tail: if typed.late { 1.0 } else { 0.0 },
                    backdated: typed.backdated,
                    apart: typed.apart,
                    tokens: typed.tokens.clone(),
                    posts_max: typed.posts_max,
                    script: script(typed),
                    ..Config::default()
                },
            )
            .await?
        }
        (None, None) => unreachable!("the command line wants one of --serve and --out"),
    }
    Ok(ExitCode::SUCCESS)
}

/// The faults of `--script`.
fn script(typed: &cli::Simulate) -> Script {
    let length = typed.script_length.or(typed.duration).unwrap_or(SCRIPT_LENGTH);
    typed.script.map(|seed| Script::draw(seed, usize::from(typed.servers), length)).unwrap_or_default()
}

async fn serve(typed: &cli::Simulate, config: Config) -> anyhow::Result<()> {
    let shutdown = shutdown::on_signal()?;
    let faults = config.script.to_string();
    let simulation = fedilake_sim::serve(config, shutdown.child_token()).await.context("serve simulated servers")?;
    let addresses = simulation.addresses();
    let flags: Vec<String> = addresses.iter().map(|address| format!("--server http://{address}")).collect();
    telemetry::say(&format!(
        "serving {}\nhint: fedilake run {}",
        counted(addresses.len() as u64, "simulated server"),
        flags.join(" ")
    ));
    if !faults.is_empty() {
        telemetry::say(&format!("faults to come:\n{}", faults.trim_end()));
    }
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = shutdown::elapsed(typed.duration) => {}
        never = tell(typed, &simulation) => match never {},
    }
    simulation.stop().await;
    Ok(())
}

/// Says when the faults are over, and when nothing is still to come.
async fn tell(typed: &cli::Simulate, simulation: &Simulation) -> Infallible {
    if typed.script.is_some() {
        simulation.faults_over().await;
        telemetry::say("the faults are over");
    }
    if typed.posts_max.is_some() {
        simulation.quiet().await;
        telemetry::say(&format!(
            "quiet: {} and all their edits and deletes are out\nhint: compare a collection with them by POST http://{}/_sim/audit",
            counted(simulation.state().posts, "post"),
            simulation.name(0)
        ));
    }
    std::future::pending().await
}

/// Copies of a preset, one after the other.
struct Talks {
    preset: Preset,
    seed: u64,
    posts: Option<u64>,
    copies: u32,
}

impl Talks {
    fn copy(&self, copy: u32) -> Talk {
        match self.preset {
            Preset::Talk => Talk::copy(self.seed, self.posts.unwrap_or(talk::POSTS), copy),
        }
    }

    /// Writes all frames. Returns the numbers of posts and frames.
    fn write(&self, out: &mut dyn Write) -> std::io::Result<(u64, u64)> {
        let (mut posts, mut frames) = (0, 0);
        for copy in 0..self.copies {
            let talk = self.copy(copy);
            posts += talk.totals().posts;
            let bar = telemetry::progress_bar("simulate", talk.totals().frames.all(), Unit::Frames);
            let mut written = 0;
            talk.write_jsonl(out, &mut |frames| {
                written = frames;
                bar.set_position(frames);
            })?;
            frames += written;
            bar.finish_and_clear();
        }
        Ok((posts, frames))
    }
}

fn write(out: &Path, talks: &Talks, stop: CancellationToken) -> anyhow::Result<()> {
    let (posts, frames) = if out == Path::new("-") {
        talks.write(&mut Until { out: output::stdout(), stop })?
    } else {
        let file = NewFile::beside(out)?;
        Output::create(&file.beside)
            .and_then(|output| {
                let mut output = Until { out: output, stop };
                let written = talks.write(&mut output)?;
                output.out.finish().map(|()| written)
            })
            .and_then(|written| file.put().map(|()| written))
            .with_context(|| format!("write {}", out.display()))?
    };
    telemetry::say(&format!(
        "{}, all invented, as {} in {}",
        counted(posts, "post"),
        counted(frames, "frame"),
        if out == Path::new("-") { "standard output".into() } else { out.to_string_lossy() }
    ));
    Ok(())
}

/// A new file that exists only when it is complete: written under another name in the same folder, then renamed.
struct NewFile<'a> {
    name: &'a Path,
    beside: PathBuf,
}

impl<'a> NewFile<'a> {
    fn beside(name: &'a Path) -> anyhow::Result<NewFile<'a>> {
        // A pipe or a device cannot be replaced.
        if name.exists() && !name.is_file() {
            if name.is_dir() {
                bail!("write {}: it is a folder", name.display());
            }
            return Ok(NewFile { name, beside: name.to_owned() });
        }
        let file = name.file_name().with_context(|| format!("write {}: it names no file", name.display()))?;
        // The name keeps its end, which tells the compression.
        let partial = format!(".partial-{}-{}", std::process::id(), file.to_string_lossy());
        Ok(NewFile { name, beside: name.with_file_name(partial) })
    }

    fn put(&self) -> std::io::Result<()> {
        if self.name == self.beside { Ok(()) } else { std::fs::rename(&self.beside, self.name) }
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if self.name != self.beside {
            // Does nothing after the file was renamed.
            let _ = std::fs::remove_file(&self.beside);
        }
    }
}

/// A writer that fails once it is told to stop.
struct Until<W> {
    out: W,
    stop: CancellationToken,
}

impl<W: Write> Write for Until<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.stop.is_cancelled() {
            return Err(std::io::Error::other("interrupted; the partial file was removed"));
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
