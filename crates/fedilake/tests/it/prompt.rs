//! The prompt of `fedilake sql`, typed at in a terminal.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use fedilake_sim::Config;

use crate::faults::replay;
use crate::live::Servers;
use crate::program::{Data, PATIENCE, Running, wait_until};
use crate::terminal::{missing_script, script};

const PROMPT: &str = "fedilake> ";
/// The editor's last word of a line, after which Ctrl-C is a signal and no longer a character.
const LEFT_TO_THE_TERMINAL: &str = "\u{1b}[?2004l";
const ENTER: &str = "\r";
const TAB: &str = "\t";
const UP: &str = "\u{1b}[A";
const CTRL_C: &str = "\u{3}";
const CTRL_D: &str = "\u{4}";

/// A prompt at which a person sits.
struct Prompt {
    child: Child,
    keys: Option<ChildStdin>,
    shown: Receiver<Vec<u8>>,
    /// Shown, and not yet looked at.
    ahead: String,
}

impl Prompt {
    /// Opens a prompt that remembers its statements in `state`. `None` without a terminal.
    fn open(data: &Data, state: &str, flags: &[&str]) -> Option<Prompt> {
        let folder = data.path().display().to_string();
        let arguments = [&["sql", "--data", &folder][..], flags].concat();
        let mut script = script("cols 120 rows 50", &arguments);
        script.env("TERM", "xterm").env("NO_COLOR", "1").env("XDG_STATE_HOME", data.beside(state));
        let piped = script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = match piped.spawn() {
            Ok(child) => child,
            Err(error) => return missing_script(&error),
        };
        let mut screen = child.stdout.take().unwrap();
        let (sender, shown) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read) = screen.read(&mut piece)
                && read > 0
                && sender.send(piece[..read].to_vec()).is_ok()
            {}
        });
        let keys = child.stdin.take();
        Some(Prompt { child, keys, shown, ahead: String::new() })
    }

    /// Waits for a text on the screen, and returns what stood before it.
    #[track_caller]
    fn sees(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut bytes = std::mem::take(&mut self.ahead).into_bytes();
        loop {
            let screen = String::from_utf8_lossy(&bytes);
            if let Some((before, behind)) = screen.split_once(text) {
                let before = before.to_owned();
                self.ahead = behind.to_owned();
                return before;
            }
            match self.shown.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(piece) => bytes.extend(piece),
                Err(error) => panic!("{error}: no {text:?} in {screen}"),
            }
        }
    }

    /// Waits for the prompt, and types.
    #[track_caller]
    fn types(&mut self, keys: &[&str]) {
        self.sees(PROMPT);
        self.presses(&keys.concat());
    }

    #[track_caller]
    fn presses(&mut self, keys: &str) {
        let terminal = self.keys.as_mut().expect("the prompt is open");
        terminal.write_all(keys.as_bytes()).and_then(|()| terminal.flush()).expect("the prompt is open");
    }

    /// Types a statement, and waits until it was taken from the editor.
    #[track_caller]
    fn asks(&mut self, keys: &[&str]) {
        self.types(keys);
        self.presses(ENTER);
        self.sees(LEFT_TO_THE_TERMINAL);
    }

    /// Leaves, and returns the exit code.
    #[track_caller]
    fn leaves(mut self) -> Option<i32> {
        self.types(&[CTRL_D]);
        let code = self.child.wait().unwrap().code();
        self.keys = None;
        code
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        // It has already ended if the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_prompt_answers_what_is_typed_until_its_user_leaves() {
    let data = Data::new();
    replay(&data, 0..20).done();
    let Some(mut prompt) = Prompt::open(&data, "state", &[]) else { return };
    prompt.sees(".help tells what can be typed");
    prompt.asks(&[".tables"]);
    let tables = prompt.sees("rows");
    assert!(["posts", "sightings", "deletes"].iter().all(|view| tables.contains(view)), "{tables}");
    // Over two lines.
    prompt.asks(&["select count(*) + 4000 as posts", ENTER, "from posts;"]);
    prompt.sees("4020");
    prompt.asks(&["select 1 +", ENTER, "  wrong + 2;"]);
    let error = prompt.sees("^");
    assert!(error.contains("error: ") && error.contains("line 2, column 3:"), "{error}");
    prompt.asks(&["select count(*) + 5000 as seen from sight", TAB, ";"]);
    let answer = prompt.sees("5020");
    assert!(!answer.contains("error"), "{answer}");
    prompt.asks(&[".help"]);
    prompt.sees("Ctrl-D");
    prompt.asks(&[".wrong"]);
    prompt.sees("no command `.wrong`");
    // Typed and not asked.
    prompt.types(&["select 'for", CTRL_C]);
    prompt.asks(&["select 6000 + 7 as n;"]);
    prompt.sees("6007");
    prompt.asks(&[UP]);
    prompt.sees("6007");
    prompt.asks(&[" select 7000 + 7 as unseen;"]);
    prompt.sees("7007");
    assert_eq!(prompt.leaves(), Some(0));

    let history = data.beside("state/fedilake/sql_history");
    assert_eq!(fs::metadata(&history).unwrap().permissions().mode() & 0o777, 0o600);
    let remembered = fs::read_to_string(&history).unwrap();
    assert!(remembered.contains("6000 + 7") && !remembered.contains("unseen"), "{remembered}");
    let mut again = Prompt::open(&data, "state", &[]).unwrap();
    again.asks(&[UP]);
    again.sees("6007");
    assert_eq!(again.leaves(), Some(0));
}

#[test]
fn ctrl_c_at_the_prompt_stops_a_statement_alone_also_in_another_process() {
    let servers = Servers::start(Config { servers: 1, rate: 50.0, ..Config::default() });
    let data = Data::new();
    let running = Running::answering(&mut servers.run(&data));
    wait_until("the first posts", || data.number("select count(*) from posts") > 0);
    stops(&data);
    running.interrupt().done();
    servers.stop();
    // The folder is free now: the prompt has the lake itself.
    stops(&data);
    data.run(["check"]).done();
}

/// Stops a statement while its rows run over the screen.
fn stops(data: &Data) {
    let Some(mut prompt) = Prompt::open(data, "state", &["--format", "csv"]) else { return };
    for _ in 0..2 {
        prompt.asks(&["select range from range(1000000000000);"]);
        prompt.sees("\n100000\r\n");
        prompt.presses(CTRL_C);
        let rows = prompt.sees("cancelled");
        assert!(!rows.contains("error"), "{}", &rows[rows.len().saturating_sub(1_000)..]);
        prompt.asks(&["select count(*) > 0 as any, 40 + 2 as n from posts;"]);
        prompt.sees("true,42");
    }
    assert_eq!(prompt.leaves(), Some(0));
}
