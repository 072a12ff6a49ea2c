//! The supervisor: starts the lake's process, and another one when that has ended.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::protocol::{self, Asker, Notice, Opening, Order};
use super::{AskError, Ended};
use crate::owner::Ownership;

/// Arguments that make this program the lake's process. A test program has no verbs: there a test plays the process.
#[cfg(not(test))]
const ARGUMENTS: &[&str] = &[super::VERB];
#[cfg(test)]
const ARGUMENTS: &[&str] = &["lake_process::tests::the_lakes_process", "--exact", "--ignored"];

/// So many processes may end one after the other while nobody asks anything, before something was taken.
const FUTILE_MAX: u32 = 3;
/// How long after such an end the next process starts.
const PAUSE: Duration = Duration::from_secs(1);
/// How long an answer that broke off may come before the end of its process is seen.
const END_SHOWS_WITHIN: Duration = Duration::from_secs(5);
/// How long the database may take to close.
const CLOSES_WITHIN: Duration = Duration::from_secs(30);
/// Lines of the child's stderr that may explain its end.
const LAST_LINES: usize = 5;

/// State that the supervisor and the askers share.
#[derive(Default)]
pub struct Supervised {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stage: Stage,
    /// How many processes have ended, and why the last of them did.
    ended: u64,
    why: Option<Ended>,
    /// Questions of people under way.
    asking: u32,
    /// True if the present process has completed a take.
    progressed: bool,
    is_to_close: bool,
}

/// Where the present process is.
#[derive(Clone, Default)]
enum Stage {
    #[default]
    Opening,
    Open(Arc<Channel>),
    /// No further process starts, for this reason.
    Over(String),
}

/// The control socket of one process.
pub struct Channel {
    control: Mutex<UnixStream>,
    /// How many processes had ended before this one began.
    number: u64,
}

impl Channel {
    /// Hands the process the other end of a question's socket.
    pub fn pass(&self, socket: &UnixStream, asker: Asker) -> io::Result<()> {
        let control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        protocol::send_order(&control, Order::Answer(asker), Some(socket.as_fd()))
    }
}

/// A person's question under way: an end of the process is laid to it, and not to the lake.
pub struct Asking(Arc<Supervised>);

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.state().asking -= 1;
    }
}

impl Supervised {
    /// The process's control socket; waits until a process is ready.
    pub fn channel(&self) -> Result<Arc<Channel>, AskError> {
        let mut state = self.state();
        loop {
            match &state.stage {
                Stage::Opening => state = self.wait(state, None),
                Stage::Open(channel) => return Ok(Arc::clone(channel)),
                Stage::Over(why) => return Err(AskError::Gone(why.clone())),
            }
        }
    }

    /// True if a process is ready.
    pub fn is_open(&self) -> bool {
        matches!(self.state().stage, Stage::Open(_))
    }

    /// Notes a person's question.
    pub fn asking(self: &Arc<Self>) -> Asking {
        self.state().asking += 1;
        Asking(Arc::clone(self))
    }

    /// Notes that the process has taken something.
    pub fn note_progress(&self) {
        self.state().progressed = true;
    }

    /// Why the process behind `channel` is gone; waits until that is known.
    pub fn why_ended(&self, channel: &Channel) -> AskError {
        let deadline = Instant::now() + END_SHOWS_WITHIN;
        let mut state = self.state();
        loop {
            if state.ended > channel.number
                && let Some(why) = &state.why
            {
                return AskError::Ended(why.clone());
            }
            if let Stage::Over(why) = &state.stage {
                return AskError::Gone(why.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return AskError::Gone("the lake's process broke off its answer".to_owned());
            }
            state = self.wait(state, Some(left));
        }
    }

    /// Orders the close.
    pub fn close(&self) {
        let mut state = self.state();
        state.is_to_close = true;
        if let Stage::Open(channel) = &state.stage {
            let control = channel.control.lock().unwrap_or_else(PoisonError::into_inner);
            // A process that is gone needs no order.
            let _ = protocol::send_order(&control, Order::Close, None);
        }
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, longest: Option<Duration>) -> MutexGuard<'a, State> {
        match longest {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(longest) => self.changed.wait_timeout(state, longest).unwrap_or_else(PoisonError::into_inner).0,
        }
    }

    fn enter(&self, stage: Stage) {
        self.state().stage = stage;
        self.changed.notify_all();
    }
}

/// Starts process after process until the close is ordered, the database cannot be opened, or processes end again and again.
pub fn run(supervised: &Supervised, opening: &Opening, ownership: Option<Arc<Ownership>>) {
    let mut futile = 0;
    for number in 0.. {
        let end = match Process::start(opening, ownership.as_deref()) {
            Ok(process) => process.live(supervised, number),
            Err(error) => End::Over(format!("start the lake's process: {error}")),
        };
        let why = match end {
            End::Over(why) => return supervised.enter(Stage::Over(why)),
            End::Died(why) => why,
        };
        let mut state = supervised.state();
        (state.stage, state.ended, state.why) = (Stage::Opening, number + 1, Some(why.clone()));
        let is_futile = state.asking == 0 && !std::mem::take(&mut state.progressed);
        futile = if is_futile { futile + 1 } else { 0 };
        if futile == FUTILE_MAX {
            state.stage = Stage::Over(format!("{why}; {futile} times in a row"));
        }
        if state.is_to_close {
            state.stage = Stage::Over("the lake is closed".to_owned());
        }
        supervised.changed.notify_all();
        if let Stage::Over(_) = state.stage {
            return;
        }
        tracing::warn!("{why}; the lake is opened again");
        if is_futile {
            drop(supervised.wait(state, Some(PAUSE)));
        }
    }
}

/// How a process ended.
enum End {
    /// As it was told, or because it could not begin: no other is started.
    Over(String),
    Died(Ended),
}

/// A running child process.
struct Process {
    child: Child,
    control: UnixStream,
    last_lines: JoinHandle<VecDeque<String>>,
}

impl Process {
    fn start(opening: &Opening, ownership: Option<&Ownership>) -> io::Result<Process> {
        let (control, theirs) = UnixStream::pair()?;
        let mut command = Command::new(this_program()?);
        command
            .arg0("fedilake")
            .args(ARGUMENTS)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        // Ctrl-C in a terminal goes to every process of a group.
        let mut child = command.process_group(0).spawn()?;
        // The command has our copy of their end.
        drop(command);
        let last_lines = listen(child.stderr.take().expect("it is piped"));
        let process = Process { child, control, last_lines };
        protocol::send(&process.control, opening)?;
        protocol::send_order(&process.control, Order::Keep, ownership.map(Ownership::lock))?;
        Ok(process)
    }

    /// Hands the process to the askers, until its end.
    fn live(mut self, supervised: &Supervised, number: u64) -> End {
        let (mut refused, mut ending) = (None, None);
        while let Ok(Some(notice)) = protocol::receive::<Notice>(&self.control) {
            match notice {
                Notice::Opened { rebuilt } => {
                    if let Some(why) = rebuilt {
                        tracing::warn!("the lake is made anew from the table and the log: {why}");
                    }
                    let Ok(control) = self.control.try_clone() else { break };
                    let channel = Arc::new(Channel { control: Mutex::new(control), number });
                    supervised.enter(Stage::Open(channel));
                    if supervised.state().is_to_close {
                        supervised.close();
                    }
                }
                Notice::Refused(why) => refused = Some(why),
                Notice::Ending(why) => ending = Some(why),
            }
        }
        let status = self.end();
        let last_lines = self.last_lines.join().unwrap_or_default();
        match (refused, ending, status) {
            (Some(why), ..) => End::Over(why),
            (None, _, Ok(status)) if status.success() => End::Over("the lake is closed".to_owned()),
            (None, Some(why), _) => End::Died(why.into()),
            (None, None, Ok(status)) => End::Died(Ended::Crashed(in_words(status, &last_lines))),
            (None, None, Err(error)) => End::Died(Ended::Crashed(error.to_string())),
        }
    }

    /// Waits for the end of a child that says nothing more, and kills one that does not end in time.
    fn end(&mut self) -> io::Result<ExitStatus> {
        let deadline = Instant::now() + CLOSES_WITHIN;
        while Instant::now() < deadline {
            match self.child.try_wait()? {
                Some(status) => return Ok(status),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        self.child.kill()?;
        self.child.wait()
    }
}

/// The file of this program, also when another one lies in its place by now.
fn this_program() -> io::Result<PathBuf> {
    let file = std::env::current_exe()?;
    let running = PathBuf::from("/proc/self/exe");
    Ok(if !file.exists() && running.exists() { running } else { file })
}

/// Passes on what the child says on stderr, and keeps the last lines.
fn listen(stderr: ChildStderr) -> JoinHandle<VecDeque<String>> {
    std::thread::spawn(move || {
        let mut last = VecDeque::new();
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            tracing::debug!("the lake's process says: {line}");
            if last.len() == LAST_LINES {
                last.pop_front();
            }
            last.push_back(line);
        }
        last
    })
}

fn in_words(status: ExitStatus, last_lines: &VecDeque<String>) -> String {
    let status = match status.signal() {
        Some(signal) => signal_in_words(signal),
        None => format!("exit code {}", status.code().unwrap_or_default()),
    };
    match last_lines.back() {
        Some(line) => format!("{status}: {line}"),
        None => status,
    }
}

/// The signal's name on this platform: their numbers differ between systems.
fn signal_in_words(signal: i32) -> String {
    const NAMES: [(Signal, &str); 21] = [
        (Signal::HUP, "SIGHUP"),
        (Signal::INT, "SIGINT"),
        (Signal::QUIT, "SIGQUIT"),
        (Signal::ILL, "SIGILL"),
        (Signal::TRAP, "SIGTRAP"),
        (Signal::ABORT, "SIGABRT"),
        (Signal::BUS, "SIGBUS"),
        (Signal::FPE, "SIGFPE"),
        (Signal::KILL, "SIGKILL, as by a system that runs out of memory"),
        (Signal::USR1, "SIGUSR1"),
        (Signal::SEGV, "SIGSEGV"),
        (Signal::USR2, "SIGUSR2"),
        (Signal::PIPE, "SIGPIPE"),
        (Signal::ALARM, "SIGALRM"),
        (Signal::TERM, "SIGTERM"),
        (Signal::XCPU, "SIGXCPU"),
        (Signal::XFSZ, "SIGXFSZ"),
        (Signal::VTALARM, "SIGVTALRM"),
        (Signal::PROF, "SIGPROF"),
        (Signal::IO, "SIGIO"),
        (Signal::SYS, "SIGSYS"),
    ];
    let named = NAMES.into_iter().find(|(named, _)| named.as_raw() == signal);
    named.map_or_else(|| format!("signal {signal}"), |(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_the_name_that_the_shell_gives_it() -> anyhow::Result<()> {
        for signal in 1..=31 {
            let listed = Command::new("sh").args(["-c", &format!("kill -l {signal}")]).output()?;
            let listed = String::from_utf8(listed.stdout)?;
            let told = signal_in_words(signal);
            // Those that do not end a process have no name here; some shells write POLL for IO.
            let is_known = told.starts_with(&format!("SIG{}", listed.trim())) || told == "SIGIO";
            assert!(is_known || told == format!("signal {signal}"), "{signal}: {told}, {listed}");
        }
        assert!(signal_in_words(Signal::USR1.as_raw()).ends_with("USR1"));
        assert!(signal_in_words(Signal::BUS.as_raw()).ends_with("BUS"));
        Ok(())
    }
}
