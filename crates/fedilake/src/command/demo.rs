//! `fedilake demo`: the whole pipeline with invented posts. Replays the talk's ten days, then collects simulated
//! servers over real HTTP, and prints the reports.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use fedilake_collect::replay::{Input, Pace};
use fedilake_sim::Config;
use fedilake_sim::talk::{self, Talk};

use crate::answers::Answers;
use crate::cli::{self, Common};
use crate::command::{browser, report};
use crate::consent;
use crate::owner::{self, Ownership};
use crate::process::collecting::{self, Collect, Servers};
use crate::process::watching::Shown;
use crate::process::{Answer, Append, Loops, Process, Sinks, Until};
use crate::render::{Style, counted};
use crate::servers::configured;
use crate::settings::{Settings, key};
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
    require_demo_folder(&folder)?;
    // Invented posts are for this folder alone, whatever log and table the settings name.
    let settings = &settings.with(key::LOG_URL, "file:log".to_owned()).with(key::TABLE_URL, "file:table".to_owned());
    let shutdown = shutdown::on_signal()?;
    let admission = consent::admission(settings)?;
    let ownership = Ownership::take_or_refuse(&folder)?;
    owner::mark_as_demo(&folder)?;
    let loops = Loops {
        append: Append::Caller,
        sink: Sinks::All,
        follow: true,
        answer: Answer::Questions { at: settings.listen(), is_said: false },
        ..Loops::default()
    };
    let mut process = Process::start(Some(ownership.into()), settings, loops).await?;

    let posts = if typed.full { talk::POSTS } else { talk::POSTS / SHARE };
    let words = settings.get(key::REPORT_TOPICS);
    telemetry::say(&format!(
        "replaying {} of the talk's ten days into {}",
        counted(posts, "invented post"),
        folder.display()
    ));
    process.replay(vec![recorded(posts)?], Pace::Max, &admission, &shutdown).await?;
    let answers = Answers::within(&process, settings)?;
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
    let settings = settings.with(key::COLLECT_SERVERS, servers);
    let servers = Servers::Own { servers: configured::servers(&settings, None)?, roster: None, again: None };
    telemetry::say(&format!("collecting live posts from {SERVERS} simulated servers over HTTP; Ctrl-C ends"));
    process.say_address();
    process.collect(Collect { servers, settings, admission, shown: Shown::Line }).await?;
    if let Some(page) = process.open_page().filter(|_| !typed.no_open) {
        browser::open(page);
    }
    process.until(Until::after(typed.exit_after), &shutdown).await?;
    process.stop_collecting().await?;
    simulation.stop().await;
    process.lake_catches_up().await?;
    report::print_live(&answers, &Style::of_stdout()).await?;
    answers.close().await?;
    collecting::say_tally(&process.stop().await?.collected);
    let (shown, again) = (folder.display(), telemetry::flag_in_shell("--data", &folder));
    let remove = match holds_a_demo_alone(&folder)? {
        true => format!(", `rm -r -- {}` removes them", telemetry::shell_word(&shown.to_string())),
        false => String::new(),
    };
    telemetry::say(&format!(
        "hint: the posts stay in {shown}; `fedilake report {again}` prints the reports again{remove}"
    ));
    Ok(ExitCode::SUCCESS)
}

/// Refuses a folder with anything in it that no demo made, before anything is written there.
fn require_demo_folder(folder: &Path) -> anyhow::Result<()> {
    let is_new = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(error).with_context(|| format!("read folder {}", folder.display())),
    };
    if is_new || owner::is_of_a_demo(folder) {
        return Ok(());
    }
    bail!(
        "{} is in use for something else than a demo, whose invented posts would mix with it\n\
         hint: give a folder of its own with --data DIR, or leave --data out for ./demo-data",
        folder.display()
    )
}

/// True if nothing but a demo's parts lies in the folder.
fn holds_a_demo_alone(folder: &Path) -> anyhow::Result<bool> {
    const PARTS: [&str; 6] = ["log", "table", "tmp", "lake.duckdb", "lake.duckdb.wal", owner::LOCK_FILE];
    let entries = std::fs::read_dir(folder).with_context(|| format!("read folder {}", folder.display()))?;
    for entry in entries {
        let name = entry.with_context(|| format!("read folder {}", folder.display()))?.file_name();
        if name != owner::DEMO_FILE && PARTS.iter().all(|part| name != *part) {
            return Ok(false);
        }
    }
    Ok(true)
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
