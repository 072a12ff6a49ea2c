//! The process's messages on stderr, and its metrics.

use anyhow::Context;
use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use metrics_exporter_prometheus::PrometheusHandle;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use crate::cli::{Common, LogFormat};
use crate::door::{Codes, Door, shown, shown_in_line};
use crate::mask::{masked, masked_json};
use crate::metric;
use crate::output;

/// All progress bars of the process; messages are printed above them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
static QUIET: OnceLock<bool> = OnceLock::new();
/// The common flags that the user typed, to be repeated in hints.
static TYPED: OnceLock<Vec<(&'static str, String)>> = OnceLock::new();
static FORMAT: OnceLock<LogFormat> = OnceLock::new();
static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Takes the format of stderr from the typed arguments, else from the environment, before they are parsed: an error of theirs has
/// that format already.
pub fn take_format(arguments: impl IntoIterator<Item = OsString>) {
    if asks_for_json(arguments, std::env::var_os("FEDILAKE_LOG_FORMAT")) {
        FORMAT.get_or_init(|| LogFormat::Json);
    }
}

fn asks_for_json(arguments: impl IntoIterator<Item = OsString>, environment: Option<OsString>) -> bool {
    let mut arguments = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next().filter(|argument| argument != "--") {
        let typed = match argument.as_str() {
            "--log-format" => arguments.next(),
            _ => argument.strip_prefix("--log-format=").map(str::to_owned),
        };
        if let Some(typed) = typed {
            return typed == "json";
        }
    }
    environment.is_some_and(|format| format.to_string_lossy().eq_ignore_ascii_case("json"))
}

/// Sets up stderr and the metrics of the process. Call it once, at the start.
pub fn init(common: &Common) -> anyhow::Result<()> {
    let format = log_format(common.log_format)?;
    QUIET.get_or_init(|| common.quiet);
    TYPED.get_or_init(|| {
        let flags = [("--data", &common.data), ("--config", &common.config)];
        flags.into_iter().filter_map(|(flag, path)| Some((flag, flag_in_shell(flag, path.as_ref()?)))).collect()
    });
    let level = match (common.quiet, common.verbose) {
        (true, _) => "warn",
        (false, 0) => "info",
        (false, 1) => "debug",
        (false, _) => "trace",
    };
    // Messages of other crates are shown with -vv only; fjall, for example, reports each compaction.
    let others = if common.verbose > 1 { "debug" } else { "warn" };
    let ours = ["fedilake", "fedilake_collect", "fedilake_log", "fedilake_table", "fedilake_query", "fedilake_sim"];
    let filter = ours.iter().fold(others.to_owned(), |filter, name| format!("{filter},{name}={level}"));
    FORMAT.get_or_init(|| format);
    let filter = match filter_of_environment()? {
        Some(filter) => filter,
        None => EnvFilter::new(filter),
    };
    let terminal = std::io::stderr().is_terminal();
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(LogLines)
        .with_ansi(terminal && !no_colour)
        .with_target(false);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).with_ansi(false).init(),
        LogFormat::Text if terminal => builder.without_time().init(),
        LogFormat::Text => builder.init(),
    }
    let recorder = metric::install()?;
    METRICS.get_or_init(|| recorder);
    Ok(())
}

/// The format from the flag, else from FEDILAKE_LOG_FORMAT, else text.
fn log_format(typed: Option<LogFormat>) -> anyhow::Result<LogFormat> {
    match (typed, std::env::var_os("FEDILAKE_LOG_FORMAT").filter(|value| !value.is_empty())) {
        (Some(typed), _) => Ok(typed),
        (None, None) => Ok(LogFormat::Text),
        (None, Some(value)) => {
            let value = value.to_string_lossy();
            let format = <LogFormat as clap::ValueEnum>::from_str(&value, true).ok();
            format.with_context(|| {
                format!("invalid environment variable FEDILAKE_LOG_FORMAT = {value:?}: expected text or json\nhint: leave it out for text")
            })
        }
    }
}

/// The filter from FEDILAKE_LOG, else from RUST_LOG.
fn filter_of_environment() -> anyhow::Result<Option<EnvFilter>> {
    let set = |name| Some((name, std::env::var_os(name).filter(|value| !value.is_empty())?));
    let Some((name, value)) = set("FEDILAKE_LOG").or_else(|| set("RUST_LOG")) else { return Ok(None) };
    let value = value.to_string_lossy();
    let filter = EnvFilter::try_new(with_warnings(&value)).with_context(|| {
        format!("invalid environment variable {name} = {value:?}: expected a log filter\nhint: write it like warn,fedilake_collect=debug")
    })?;
    Ok(Some(filter))
}

/// The filter, with warnings of all crates unless it names a level for them: a filter of names alone, as another program's may be, would
/// hide them.
fn with_warnings(filter: &str) -> String {
    let names_level = filter.split(',').any(|directive| directive.trim().parse::<LevelFilter>().is_ok());
    if names_level { filter.to_owned() } else { format!("warn,{filter}") }
}

/// All metrics in Prometheus' text format. Call [`init`] first.
pub fn metrics() -> String {
    metric::render(METRICS.get().expect("telemetry is set up first"))
}

/// Prints an error: what failed, on what and why, then the hints.
pub fn say_error(error: &anyhow::Error) {
    write_error(&with_typed_flags(&told(error), typed()));
}

fn write_error(told: &str) {
    match FORMAT.get() {
        Some(LogFormat::Json) => write_shown(&json_line("ERROR", told)),
        _ => write_shown(&masked(&format!("error: {told}"))),
    }
}

/// A line of `--log-format json` in the form of the log's lines.
fn json_line(level: &str, message: &str) -> String {
    let timestamp = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    serde_json::json!({ "timestamp": timestamp, "level": level, "message": masked(message) }).to_string()
}

/// Prints a usage error, or the requested help or version. Returns the process's exit code; fails if stdout does.
pub fn say_usage(usage: &clap::Error) -> anyhow::Result<ExitCode> {
    if !usage.use_stderr() {
        // Help and version contain no text from outside.
        usage.print().map_err(output::named)?;
        output::stdout().flush()?;
        return Ok(ExitCode::SUCCESS);
    }
    let told = usage.render().to_string();
    match told.trim_end().strip_prefix("error: ") {
        Some(told) => write_error(told),
        // The help of a command that needs more words.
        None if FORMAT.get() == Some(&LogFormat::Json) => write_error(told.trim_end()),
        None => write_shown(told.trim_end()),
    }
    Ok(ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2)))
}

thread_local! {
    /// True while a panic of this thread is an outcome that the caller reports.
    static IS_CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` on input that may make it panic. Such a panic is an `Err`, and is not printed.
pub fn catching<T>(work: impl FnOnce() -> T) -> std::thread::Result<T> {
    IS_CATCHING.set(true);
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    IS_CATCHING.set(false);
    done
}

/// Prints where and why a thread panicked.
pub fn say_panic(panic: &PanicHookInfo<'_>) {
    if IS_CATCHING.get() {
        return;
    }
    let name = std::thread::current().name().unwrap_or("unnamed").to_owned();
    let trace = Backtrace::capture();
    let trace = if trace.status() == BacktraceStatus::Captured { format!("\n{trace}") } else { String::new() };
    let told = format!("thread '{name}' {panic}{trace}");
    let told = match FORMAT.get() {
        Some(LogFormat::Json) => json_line("ERROR", &told),
        _ => masked(&told),
    };
    // Not printed above the bars, because the panicking thread may hold their lock.
    let _ = writeln!(std::io::stderr(), "{}", shown(&told));
}

/// Writes a line to stderr through the door.
fn write_shown(text: &str) {
    // If stderr itself fails, there is nowhere to report it.
    let _ = AboveBars.write_all(format!("{}\n", shown(text)).as_bytes());
}

fn typed() -> &'static [(&'static str, String)] {
    TYPED.get().map_or(&[], Vec::as_slice)
}

/// Adds `flags` to each command in a hint that lacks them, so that the command can be copied. A command stands
/// between backticks and begins with `fedilake`.
fn with_typed_flags(text: &str, flags: &[(&str, String)]) -> String {
    let with_flags = |command: &str| {
        let is_it = |word: &str, flag: &str| {
            word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        let missing = flags.iter().filter(|(flag, _)| !command.split_whitespace().any(|word| is_it(word, flag)));
        missing.fold(command.to_owned(), |command, (_, typed)| format!("{command} {typed}"))
    };
    let hint = |line: &str| {
        let parts =
            line.split('`').enumerate().map(|(n, part)| match part.split_whitespace().collect::<Vec<_>>()[..] {
                // Every second part is between backticks.
                ["fedilake", verb, ..] if n % 2 == 1 && !verb.starts_with('-') => with_flags(part),
                _ => part.to_owned(),
            });
        parts.collect::<Vec<_>>().join("`")
    };
    let lines = text.split('\n').map(|line| if line.starts_with("hint: ") { hint(line) } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n")
}

/// A flag with a path, to be copied into a shell.
pub fn flag_in_shell(flag: &str, path: &Path) -> String {
    let path = path.display().to_string();
    // A value with a dash at its start would be taken for a flag.
    let between = if path.starts_with('-') { '=' } else { ' ' };
    format!("{flag}{between}{}", shell_word(&path))
}

/// Quotes `text` as one word of a shell.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The message of an error: its causes from the outermost in, without those that an outer one repeats; then the hints
/// of all of them, one a line.
pub fn told(error: &anyhow::Error) -> String {
    let (mut words, mut hints) = (String::new(), Vec::new());
    for cause in error.chain() {
        let text = cause.to_string();
        let (text, hint) = without_engine_advice(&text);
        let (own_hints, lines): (Vec<&str>, Vec<&str>) = text.split('\n').partition(|line| line.starts_with("hint: "));
        hints.extend(own_hints.into_iter().chain(hint).map(str::to_owned));
        let text = lines.join("\n");
        if words.is_empty() {
            words = text;
        } else if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
    }
    if hints.is_empty() && error.chain().any(is_full_disk) {
        hints.push(
            "hint: the disk is full: free some space, and run it again; nothing that was accepted is lost".to_owned(),
        );
    }
    let mut lines = vec![words];
    for hint in hints {
        if !lines.contains(&hint) {
            lines.push(hint);
        }
    }
    lines.join("\n")
}

fn is_full_disk(cause: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    cause.downcast_ref::<std::io::Error>().is_some_and(|error| matches!(error.kind(), StorageFull | QuotaExceeded))
}

/// Removes DuckDB's advice from an out-of-memory error: it recommends statements that are refused here.
pub fn without_engine_advice(text: &str) -> (&str, Option<&'static str>) {
    if !text.contains("Out of Memory Error") {
        return (text, None);
    }
    let complaint = text.split("\n\nPossible solutions:").next().unwrap_or(text);
    (complaint, Some("hint: ask for less at once, or give it more memory with the setting lake.memory_bytes_max"))
}

/// Prints a line for the user, unless `--quiet`.
pub fn say(text: &str) {
    if !quiet() {
        let text = with_typed_flags(text, typed());
        match FORMAT.get() {
            Some(LogFormat::Json) => write_shown(&json_line("INFO", &text)),
            _ => write_shown(&masked(&text)),
        }
    }
}

/// Prints a line for the user that says why the exit code is not 0, also with `--quiet`.
pub fn say_why(text: &str) {
    let text = with_typed_flags(text, typed());
    match FORMAT.get() {
        Some(LogFormat::Json) => write_shown(&json_line("WARN", &text)),
        _ => write_shown(&text),
    }
}

/// True with `--quiet`.
pub fn quiet() -> bool {
    *QUIET.get().unwrap_or(&false)
}

/// A progress bar over `total` units (0 if unknown: a spinner), drawn only if stderr is a terminal.
pub fn progress_bar(what: &'static str, total: u64, unit: Unit) -> Bar {
    if quiet() || !std::io::stderr().is_terminal() {
        return Bar(ProgressBar::hidden());
    }
    let bar = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
    let bar = BARS.add(bar).with_style(style(total, unit)).with_prefix(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    Bar(bar)
}

/// A view of some lines on stderr, redrawn in place below all messages until it is dropped.
pub struct LiveView(ProgressBar);

/// A view, if stderr is a terminal that can be drawn on and is not to be quiet.
pub fn live_view() -> Option<LiveView> {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if quiet() || is_dumb || FORMAT.get() == Some(&LogFormat::Json) || !std::io::stderr().is_terminal() {
        return None;
    }
    let style = ProgressStyle::with_template("{msg}").expect("the template is well-formed");
    Some(LiveView(BARS.add(ProgressBar::new_spinner()).with_style(style)))
}

impl LiveView {
    /// Draws the lines for the terminal's present width and height; the first one that is not empty is bold.
    pub fn show(&self, lines: impl FnOnce(usize, usize) -> Vec<String>) {
        let size = terminal_size::terminal_size_of(std::io::stderr());
        let (columns, rows) = size.map_or((80, 24), |(columns, rows)| (usize::from(columns.0), usize::from(rows.0)));
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let mut is_bold = !no_colour;
        // A line as wide as the terminal makes some of them add another one.
        let lines = lines(columns.saturating_sub(1).max(1), rows).into_iter().map(|line| {
            let line = shown_in_line(&masked(&line)).into_owned();
            match line.is_empty() {
                false if std::mem::take(&mut is_bold) => format!("\u{1b}[1m{line}\u{1b}[0m"),
                _ => line,
            }
        });
        self.0.set_message(lines.collect::<Vec<_>>().join("\n"));
        self.0.tick();
    }
}

impl Drop for LiveView {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The unit of a progress bar.
#[derive(Debug, Clone, Copy)]
pub enum Unit {
    Bytes,
    Posts,
    Frames,
    /// Parts of a whole.
    Share,
    /// Nothing that can be counted: only the message is shown.
    Nothing,
}

/// A line of less than 80 columns, because a line that wraps cannot be erased. The message gets the rest of the line.
/// Without a total no rate is shown either: others decide how fast live posts come.
fn style(total: u64, unit: Unit) -> ProgressStyle {
    let template = match (unit, total) {
        (Unit::Share, _) => "{prefix:<10} {bar:12} {percent:>3} %  {elapsed}  {wide_msg}",
        (Unit::Nothing, _) => "{prefix:<10} {spinner} {wide_msg}",
        (Unit::Bytes, 0) => "{prefix:<10} {spinner} {bytes}  {wide_msg}",
        (Unit::Bytes, _) => "{prefix:<10} {bar:12} {percent:>3} %  {bytes_per_sec}  {eta} left  {wide_msg}",
        (Unit::Posts | Unit::Frames, 0) => "{prefix:<10} {spinner} {human_pos}  {wide_msg}",
        (Unit::Posts | Unit::Frames, _) => {
            "{prefix:<10} {bar:12} {percent:>3} %  {human_pos}  {rate}  {eta} left  {wide_msg}"
        }
    };
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // A bar that cannot be drawn is no reason to stop.
        let _ = write!(out, "{}/s", HumanCount(state.per_sec().round() as u64));
    };
    let style = ProgressStyle::with_template(template).expect("the templates above are well-formed");
    style.with_key("rate", rate).progress_chars("█▉▊▋▌▍▎▏ ")
}

/// Writes to stderr above the progress bars.
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

/// Writes log lines to stderr through the door. The formatter passes one event at a time, with its own colours.
#[derive(Clone, Copy)]
struct LogLines;

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let line = log_line(bytes);
        let line = if FORMAT.get() == Some(&LogFormat::Json) { masked_json(&line) } else { masked(&line) };
        AboveBars.write_all(line.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        AboveBars.flush()
    }
}

impl MakeWriter<'_> for LogLines {
    type Writer = LogLines;

    fn make_writer(&self) -> LogLines {
        LogLines
    }
}

/// A log event, made safe. Its further lines are indented, so that text from outside cannot imitate an event.
fn log_line(event: &[u8]) -> String {
    let shown = Door::new(Codes::Own).pass(event);
    let event = shown.strip_suffix('\n').unwrap_or(&shown);
    event.replace('\n', "\n    ") + "\n"
}

/// A progress bar whose messages pass the door.
#[derive(Clone, Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// Shows `message` at the bar's end.
    pub fn set_message(&self, message: impl AsRef<str>) {
        self.0.set_message(shown_in_line(&masked(message.as_ref())).into_owned());
    }
}

impl std::ops::Deref for Bar {
    type Target = ProgressBar;

    fn deref(&self) -> &ProgressBar {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use anyhow::anyhow;
    use indicatif::{ProgressDrawTarget, TermLike};
    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn causes_come_before_hints_wherever_the_hint_was_given() {
        let error = anyhow!("Address already in use\nhint: inner").context("listen on 1\nhint: outer").context("start");
        assert_eq!(told(&error), "start: listen on 1: Address already in use\nhint: outer\nhint: inner");
        let repeated = anyhow!("b.jsonl is missing\nhint: same").context("read: b.jsonl is missing\nhint: same");
        assert_eq!(told(&repeated), "read: b.jsonl is missing\nhint: same");
        let excerpt = anyhow!("no such column\nline 1, column 8:\nselect x\n       ^");
        assert_eq!(told(&excerpt), excerpt.to_string());
    }

    #[test]
    fn commands_in_hints_repeat_the_flags_that_were_typed() {
        let flags = [("--data", "my data"), ("--config", "it's.toml")];
        let flags = flags.map(|(flag, path)| (flag, flag_in_shell(flag, Path::new(path))));
        let with = |text| with_typed_flags(text, &flags);
        assert_eq!(
            with("no `fedilake check` here\nhint: `fedilake check` names it, or `fedilake sql --direct \"select 1\"`"),
            "no `fedilake check` here\nhint: `fedilake check --data 'my data' --config 'it'\\''s.toml'` names it, or \
             `fedilake sql --direct \"select 1\" --data 'my data' --config 'it'\\''s.toml'`"
        );
        assert_eq!(
            with("hint: `fedilake report --data other` asks"),
            "hint: `fedilake report --data other --config 'it'\\''s.toml'` asks"
        );
        let dash = [("--data", flag_in_shell("--data", Path::new("-x")))];
        assert_eq!(with_typed_flags("hint: `fedilake check`", &dash), "hint: `fedilake check --data=-x`");
        let typed = "hint: `fedilake check --data=-y`";
        assert_eq!(with_typed_flags(typed, &dash), typed);
        for unchanged in ["hint: `fedilake` alone, `make demo`", "hint: ask `posts`", "hint: `fedilake --help`"] {
            assert_eq!(with(unchanged), unchanged);
        }
        assert_eq!(with_typed_flags("hint: `fedilake check`", &[]), "hint: `fedilake check`");
    }

    #[test]
    fn a_full_disk_has_a_hint_whichever_file_it_met() {
        for kind in [std::io::ErrorKind::StorageFull, std::io::ErrorKind::QuotaExceeded] {
            let full = anyhow::Error::new(std::io::Error::from(kind)).context("write d/lock");
            let told = told(&full);
            assert!(told.starts_with("write d/lock: ") && told.contains("\nhint: the disk is full"), "{told}");
        }
        let refused = anyhow::Error::new(std::io::Error::from(std::io::ErrorKind::PermissionDenied));
        assert!(!told(&refused).contains("hint: "));
    }

    #[test]
    fn a_filter_of_names_keeps_the_warnings_of_others() {
        for (filter, kept) in [
            ("loud", "warn,loud"),
            ("fedilake_collect=debug", "warn,fedilake_collect=debug"),
            ("info,fedilake=debug", "info,fedilake=debug"),
            ("fedilake=debug, off", "fedilake=debug, off"),
            ("error", "error"),
        ] {
            assert_eq!(with_warnings(filter), kept);
        }
    }

    #[test]
    fn the_format_is_known_before_the_arguments_are_parsed() {
        for (arguments, environment, is_json) in [
            (&["run", "--bogus", "--log-format", "json"][..], None, true),
            (&["--log-format=json", "run"], None, true),
            (&["run"], Some("json"), true),
            (&["run"], Some("JSON"), true),
            (&["run", "--log-format", "text"], Some("json"), false),
            (&["run", "--log-format"], Some("text"), false),
            (&["run", "--", "--log-format", "json"], None, false),
            (&[], None, false),
        ] {
            let typed = arguments.iter().map(OsString::from);
            assert_eq!(asks_for_json(typed, environment.map(OsString::from)), is_json, "{arguments:?} {environment:?}");
        }
    }

    #[test]
    fn what_duckdb_advises_is_replaced_by_what_is_possible_here() {
        let error = anyhow!(
            "Out of Memory Error: failed to allocate 16 MiB\n\nPossible solutions:\n* Reducing the number of threads (SET threads=X)"
        );
        let told = told(&error.context("make the report"));
        assert!(told.starts_with("make the report: Out of Memory Error: failed to allocate 16 MiB\nhint: "), "{told}");
        assert!(told.contains("lake.memory_bytes_max") && !told.contains("SET"), "{told}");
    }

    #[test]
    fn an_event_of_a_stranger_cannot_act_on_the_terminal_nor_pass_for_two() {
        let event = "\u{1b}[33m WARN\u{1b}[0m server failed error=x\u{1b}[2J\u{9b}1m\u{202e}\n2026-01-01T00:00:00Z ERROR all is lost\n";
        assert_eq!(
            log_line(event.as_bytes()),
            "\u{1b}[33m WARN\u{1b}[0m server failed error=x\\u001b[2J\\u009b1m\\u202e\n    2026-01-01T00:00:00Z ERROR all is lost\n"
        );
        let bar = Bar(ProgressBar::hidden());
        bar.set_message("a\u{1b}]0;title\u{7}\nb");
        assert_eq!(bar.message(), "a\\u001b]0;title\\u0007 b");
    }

    /// A terminal that records what is written to it.
    #[derive(Debug, Clone, Default)]
    struct Terminal(Arc<Mutex<Vec<String>>>);

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> std::io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> std::io::Result<()> {
            self.write_str(text)
        }
        fn write_str(&self, text: &str) -> std::io::Result<()> {
            self.0.lock().unwrap().push(text.to_owned());
            Ok(())
        }
        fn clear_line(&self) -> std::io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_progress_line_fits_80_columns_and_its_rate_is_a_whole_number() {
        for (total, unit) in [
            (0, Unit::Nothing),
            (0, Unit::Bytes),
            (10_300_000_000, Unit::Bytes),
            (0, Unit::Posts),
            (1_622_149, Unit::Posts),
            (1_800_000, Unit::Frames),
        ] {
            let terminal = Terminal::default();
            let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
            let bar = ProgressBar::with_draw_target((total > 0).then_some(total), target);
            bar.set_style(style(total, unit));
            bar.set_prefix("collecting");
            bar.set_message(
                "3 live, 1 backing off (a.very.long.host.example: connect: refused by whoever was asked there)",
            );
            for step in 1..=20 {
                bar.set_position(total * step / 20);
                bar.tick();
            }
            let written = terminal.0.lock().unwrap().clone();
            assert!(written.iter().any(|line| line.contains("collecting")), "{written:?}");
            for line in written {
                assert!(line.width() <= 80, "{} columns: {line:?}", line.width());
                let rate = line.split("/s").next().filter(|_| line.contains("/s")).unwrap_or_default();
                let is_of_posts = !matches!(unit, Unit::Bytes);
                assert!(!is_of_posts || !rate.rsplit(' ').next().unwrap_or_default().contains('.'), "{line:?}");
                assert!(total > 0 || !line.contains("/s"), "{line:?}");
            }
        }
    }
}
