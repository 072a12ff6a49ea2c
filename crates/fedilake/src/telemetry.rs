//! What the process says on stderr, and what it counts for /metrics.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use std::io::{IsTerminal, Write};
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use crate::cli::Common;

/// All progress bars of the process; talk is printed above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
static QUIET: OnceLock<bool> = OnceLock::new();
static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Sets up stderr and the metrics of the process, once, at its start.
pub fn init(common: &Common) -> anyhow::Result<()> {
    QUIET.get_or_init(|| common.quiet);
    let level = match (common.quiet, common.verbose) {
        (true, _) => "warn",
        (false, 0) => "info",
        (false, 1) => "debug",
        (false, _) => "trace",
    };
    // Other crates' talk is for those who ask for it; fjall reports each of its compactions.
    let others = if common.verbose > 1 { "debug" } else { "warn" };
    let ours = ["fedilake", "fedilake_collect", "fedilake_log", "fedilake_table", "fedilake_query", "fedilake_sim"];
    let filter = ours.iter().fold(others.to_owned(), |filter, name| format!("{filter},{name}={level}"));
    let filter = EnvFilter::try_from_env("FEDILAKE_LOG").unwrap_or_else(|_| EnvFilter::new(filter));
    let terminal = std::io::stderr().is_terminal();
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(AboveBars)
        .with_ansi(terminal && !no_colour)
        .with_target(false);
    if terminal {
        builder.without_time().init()
    } else {
        builder.init()
    }
    let recorder = PrometheusBuilder::new().install_recorder()?;
    METRICS.get_or_init(|| recorder);
    Ok(())
}

/// What was counted, for /metrics. [`init`] must have been called.
pub fn metrics() -> PrometheusHandle {
    METRICS.get().expect("telemetry is set up first").clone()
}

/// Says what could not be done: what failed, on what, why, then hints.
pub fn say_error(error: &anyhow::Error) {
    let mut stderr = AboveBars;
    // Causes from the outermost in, but a cause that its parent already told.
    let mut told = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if told.is_empty() {
            told = text;
        } else if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
    }
    let (hints, words): (Vec<&str>, Vec<&str>) = told.split('\n').partition(|line| line.starts_with("hint: "));
    let _ = writeln!(stderr, "error: {}", words.join("\n"));
    for hint in hints {
        let _ = writeln!(stderr, "{hint}");
    }
}

/// Says a line to the person at the terminal, unless `--quiet`.
pub fn say(text: &str) {
    if !quiet() {
        let mut stderr = AboveBars;
        // Nobody is left to tell when stderr itself is gone.
        let _ = writeln!(stderr, "{text}");
    }
}

/// Whether `--quiet` was given.
pub fn quiet() -> bool {
    *QUIET.get().unwrap_or(&false)
}

/// A progress bar over `total` units (0: not known, a spinner), drawn only when stderr is a terminal and what it
/// shows takes longer than two seconds.
pub fn progress_bar(what: &'static str, total: u64, unit: Unit) -> ProgressBar {
    if quiet() || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = match (unit, total) {
        (Unit::Bytes, 0) => "{prefix:<10} {spinner} {bytes} {bytes_per_sec} {msg}",
        (Unit::Bytes, _) => {
            "{prefix:<10} {bar:24} {percent:>3} %  {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {msg}"
        }
        (Unit::Posts | Unit::Frames, 0) => "{prefix:<10} {spinner} {human_pos} {per_sec} {msg}",
        (Unit::Posts | Unit::Frames, _) => {
            "{prefix:<10} {bar:24} {percent:>3} %  {human_pos}/{human_len}  {per_sec}  {eta} left  {msg}"
        }
    };
    let style = ProgressStyle::with_template(template).expect("the templates above are well-formed");
    let bar = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
    let bar = BARS.add(bar).with_style(style.progress_chars("█▉▊▋▌▍▎▏ ")).with_prefix(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// What a progress bar counts.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    Bytes,
    Posts,
    Frames,
}

/// Writes to stderr without tearing the progress bars.
#[derive(Clone, Copy)]
struct AboveBars;

impl Write for AboveBars {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        BARS.suspend(|| std::io::stderr().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

impl MakeWriter<'_> for AboveBars {
    type Writer = AboveBars;

    fn make_writer(&self) -> AboveBars {
        AboveBars
    }
}
