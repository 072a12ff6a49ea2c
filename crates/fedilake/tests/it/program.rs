//! Helpers that run the built program as its users do.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest wait of a test.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A command of the program, without the settings of the person who runs the tests.
pub fn fedilake<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fedilake"));
    clean(&mut command).args(arguments);
    command
}

fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FEDILAKE_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null())
}

/// The output of a command that has ended.
#[derive(Debug)]
pub struct Said {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// The exit code; `None` if a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Returns the output if the command ended with 0; panics otherwise.
    #[track_caller]
    pub fn done(self) -> Said {
        assert_eq!(self.code(), Some(0), "{self:#?}");
        self
    }

    /// The output on stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        Said {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command to its end.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Said {
    fedilake(arguments).output().expect("the program starts").into()
}

/// Runs a command to its end with `input` on its stdin.
#[track_caller]
pub fn run_with_input<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>, input: &[u8]) -> Said {
    output_with_input(&mut fedilake(arguments), input)
}

#[track_caller]
fn output_with_input(command: &mut Command, input: &[u8]) -> Said {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_owned();
    // A program that does not read to the end closes the pipe.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("the program ends");
    writer.join().expect("the writer ends");
    output.into()
}

/// A data folder that is deleted with the test, and commands on it.
pub struct Data {
    folder: tempfile::TempDir,
}

impl Data {
    pub fn new() -> Data {
        Data { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A path beside the data folder.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command on this data folder.
    #[track_caller]
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Said {
        fedilake(arguments).arg("--data").arg(self.path()).output().expect("the program starts").into()
    }

    /// A command on this data folder with `input` on its stdin.
    #[track_caller]
    pub fn run_with_input<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>, input: &[u8]) -> Said {
        output_with_input(fedilake(arguments).arg("--data").arg(self.path()), input)
    }

    /// Starts an owner of the folder that answers on a free port.
    #[track_caller]
    pub fn serve(&self) -> Running {
        Running::answering(fedilake(["serve", "--listen", "127.0.0.1:0"]).arg("--data").arg(self.path()))
    }

    /// A command on this data folder that keeps running.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Running {
        Running::start(fedilake(arguments).arg("--data").arg(self.path()))
    }

    /// The only number in the answer to a question in SQL.
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        let rows = self.run(["sql", sql, "--format", "json"]).done().json();
        rows[0]
            .as_object()
            .and_then(|row| row.values().next())
            .and_then(Value::as_i64)
            .unwrap_or_else(|| panic!("{sql}: {rows}"))
    }
}

/// A command that keeps running until it is stopped or dropped.
pub struct Running {
    child: Child,
    stderr: std::sync::mpsc::Receiver<String>,
    said: Vec<String>,
}

impl Running {
    pub fn start(command: &mut Command) -> Running {
        Running::start_into(command, Stdio::piped())
    }

    /// Starts one and waits until it answers questions.
    #[track_caller]
    pub fn answering(command: &mut Command) -> Running {
        let mut running = Running::start(command);
        running.wait_for_line("answering on");
        running
    }

    /// Starts one whose standard output nobody wants.
    pub fn start_silent(command: &mut Command) -> Running {
        Running::start_into(command, Stdio::null())
    }

    fn start_into(command: &mut Command, stdout: Stdio) -> Running {
        let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().expect("the program starts");
        let (sender, stderr) = std::sync::mpsc::channel();
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Running { child, stderr, said: Vec::new() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// True until the process has ended.
    pub fn is_running(&self) -> bool {
        // A process that ended but was not waited for has no memory.
        std::fs::read_to_string(format!("/proc/{}/statm", self.pid())).is_ok_and(|pages| !pages.starts_with("0 "))
    }

    /// Waits for a line on stderr that contains `part` and returns it.
    #[track_caller]
    pub fn wait_for_line(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.stderr.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(error) => panic!("{error}: no line with {part:?} in {:#?}", self.said),
            }
        }
    }

    /// Waits for the address that the process announces.
    #[track_caller]
    pub fn address(&mut self) -> SocketAddr {
        let line = self.wait_for_line("http://");
        let rest = &line[line.find("http://").expect("just found") + "http://".len()..];
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(rest.len());
        rest[..end].parse().unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Sends SIGKILL: nothing is flushed.
    pub fn kill(mut self) {
        self.child.kill().expect("the process is ours");
        self.child.wait().expect("the process ends");
    }

    /// Sends SIGINT, as Ctrl-C does, and waits for the end.
    #[track_caller]
    pub fn interrupt(self) -> Said {
        signal(self.pid(), "INT");
        self.end()
    }

    /// Waits for the end of the process.
    #[track_caller]
    pub fn end(mut self) -> Said {
        let mut stdout = String::new();
        if let Some(mut piped) = self.child.stdout.take() {
            piped.read_to_string(&mut stdout).expect("stdout is text");
        }
        let status = self.child.wait().expect("the process ends");
        self.said.extend(self.stderr.iter());
        Said { status, stdout, stderr: self.said.join("\n") }
    }
}

impl Drop for Running {
    #[allow(clippy::print_stderr)]
    fn drop(&mut self) {
        // The process has already ended if the test went well.
        let ended = self.child.try_wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            self.said.extend(self.stderr.iter());
            eprintln!("process {} ({ended:?}) had said: {:#?}", self.child.id(), self.said);
        }
    }
}

/// Sends a signal to a process of the test.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().expect("kill is there");
    assert!(sent.success(), "kill -{name} {pid}");
}

/// Waits until `done` holds, calling it again and again; each call takes its time, so this does not spin.
#[track_caller]
pub fn wait_until(what: &str, done: impl FnMut() -> bool) {
    wait_within(PATIENCE, what, done);
}

/// The same for what takes longer on a slow machine.
#[track_caller]
pub fn wait_within(patience: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not come within {patience:?}");
        std::thread::yield_now();
    }
}

/// The corpus in the project's fixtures.
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/corpus/statuses.jsonl")
}

/// True if the author of a status refuses machines: #nobot or #noindex as a word of the note, or the flag.
pub fn says_no(status: &Value) -> bool {
    let note = status["account"]["note"].as_str().unwrap_or_default().to_lowercase();
    // Mastodon writes a hashtag as #<span>nobot</span>.
    let plain: String = note.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    let tags = plain.split('#').skip(1);
    let words = tags.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default());
    words.into_iter().any(|word| word == "nobot" || word == "noindex") || status["account"]["noindex"] == true
}
