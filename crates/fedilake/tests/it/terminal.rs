//! Output in a terminal: `script` of util-linux gives a program a terminal of its own.

use std::fs;
use std::io;
use std::process::{Command, Stdio};

use serde_json::json;
use unicode_width::UnicodeWidthStr;

use crate::program::{Data, Said, fedilake, wait_until};
use crate::replay::status;

/// Text that acts on a terminal: codes that clear it, rename its window and hide text; controls that turn a line
/// around.
const EVIL: &str = "e\u{1b}[2J\u{1b}[8mv\u{1b}]0;title\u{7}i\u{9b}31ml\u{202e}\u{2066}\u{200f}\u{2028}\u{7f}\u{8}";
const NAME: &str = "an.author.whose.name.is.longer.than.that.of.any.other.one.on.this.server.of.ours";

/// A command's output in a terminal with so many columns; `None` if there is no `script`.
fn in_terminal(columns: u16, arguments: &[&str]) -> Option<Said> {
    in_terminal_with(&[], columns, arguments)
}

/// The same with these variables in the environment.
fn in_terminal_with(variables: &[(&str, &str)], columns: u16, arguments: &[&str]) -> Option<Said> {
    let mut script = script(&format!("cols {columns} rows 50 -opost -echo"), arguments);
    script.stdin(Stdio::null()).envs(variables.iter().copied());
    match script.output() {
        Ok(output) => Some(output.into()),
        Err(error) => missing_script(&error),
    }
}

/// The program in a terminal that `stty` sets up.
pub fn script(stty: &str, arguments: &[&str]) -> Command {
    let quoted = |argument: &&str| format!("'{}'", argument.replace('\'', "'\\''"));
    let command: Vec<String> = [env!("CARGO_BIN_EXE_fedilake")].iter().chain(arguments).map(quoted).collect();
    let line = format!("stty {stty}; exec {}", command.join(" "));
    let mut script = Command::new("script");
    script.args(["-q", "-e", "-c", &line, "/dev/null"]).env("XDG_CONFIG_HOME", "/nonexistent").env("SHELL", "/bin/sh");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("FEDILAKE_")) {
        script.env_remove(name);
    }
    for name in ["CI", "SSH_CONNECTION", "DISPLAY", "WAYLAND_DISPLAY", "NO_COLOR"] {
        script.env_remove(name);
    }
    script
}

/// Prints that the test is skipped.
pub fn missing_script<T>(error: &io::Error) -> Option<T> {
    let test = std::thread::current();
    fedilake_services::missing(test.name().unwrap_or("a test"), &format!("no script of util-linux here ({error})"))
}

/// A folder whose posts, authors, apps and tags are [`EVIL`].
fn poisoned() -> Data {
    let data = Data::new();
    let mut lines = String::new();
    for n in 1..=3 {
        let mut post = status(n, EVIL);
        post["content"] = json!(format!("<p>{EVIL}</p>"));
        post["spoiler_text"] = json!(EVIL);
        post["application"] = json!({"name": EVIL});
        post["account"]["acct"] = json!(NAME);
        post["account"]["display_name"] = json!(EVIL);
        lines += &(post.to_string() + "\n");
    }
    let file = data.beside("posts.jsonl");
    fs::write(&file, lines).unwrap();
    data.run(["replay", file.to_str().unwrap()]).done();
    data
}

/// True if `text` has no codes except weights, colours and those of progress bars.
fn is_harmless(text: &str) -> bool {
    let mut text = text.to_owned();
    for own in ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m", "\u{1b}[2K"] {
        text = text.replace(own, "");
    }
    let obeyed = |c: char| {
        (c.is_control() && !"\n\r\t".contains(c))
            || ('\u{200e}'..='\u{200f}').contains(&c)
            || ('\u{2028}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    !text.contains(obeyed)
}

#[test]
fn nothing_that_strangers_wrote_acts_on_a_terminal() {
    let data = poisoned();
    let folder = data.path().to_str().unwrap().to_owned();
    let missing = format!("{}/{EVIL}.jsonl", data.path().display());
    let evil_query = format!("select '{}' as \"{EVIL}\"", EVIL);
    let commands: &[(&[&str], i32, bool)] = &[
        (&["sql", "select * from posts"], 0, true),
        (&["sql", "select text, app from posts", "--format", "csv"], 0, true),
        (&["sql", "select text, [text] as l, {'t': text} as s from posts", "--format", "json"], 0, true),
        (&["sql", "select text from posts", "--format", "ndjson"], 0, true),
        (&["sql", "pivot posts on text using count(*) group by server", "--format", "csv"], 0, true),
        (&["sql", "pivot posts on app using count(*) group by server"], 0, true),
        (&["sql", "select text::integer from posts"], 2, true),
        (&["sql", "select error(text) from posts"], 2, true),
        (&["sql", &evil_query], 0, true),
        (&["sql", "--direct", "select text::integer from posts"], 2, true),
        (&["sql", "--direct", "select text from posts", "--format", "csv"], 0, true),
        (&["report"], 0, true),
        (&["report", "apps", "--format", "csv"], 0, true),
        (&["report", "topics", "--topic", EVIL], 0, true),
        (&["report", "statistics", "--origin", EVIL], 2, true),
        (&["replay", &missing], 2, true),
        (&["settings", "--config", &missing], 2, true),
        (&["report", EVIL], 2, true),
        (&["check"], 0, false),
    ];
    for (arguments, code, has_evil) in commands {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--data", &folder]).collect();
        let Some(said) = in_terminal(120, &arguments) else { return };
        assert_eq!(said.code(), Some(*code), "{arguments:?}: {said:#?}");
        assert!(is_harmless(&said.stdout), "{arguments:?}: {:?}", said.stdout);
        assert!(!has_evil || said.stdout.contains("\\u202e"), "{arguments:?}: {:?}", said.stdout);
    }
}

#[test]
fn a_pipe_gets_data_to_the_byte_and_what_is_for_people_harmless() {
    let data = poisoned();
    let texts = data.run(["sql", "select text from posts limit 1", "--format", "json"]).done().json();
    let text = texts[0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains('\u{202e}'), "{text:?}");
    let csv = data.run(["sql", "select text from posts limit 1", "--format", "csv"]).done().stdout;
    assert_eq!(csv, format!("text\n{text}\n"));
    for arguments in
        [&["sql", "select text, app from posts"][..], &["report"], &["sql", "select text::integer from posts"]]
    {
        let said = data.run(arguments);
        assert!(is_harmless(&said.stdout) && is_harmless(&said.stderr), "{said:#?}");
        assert!(said.stdout.contains("\\u202e") || said.stderr.contains("\\u202e"), "{said:#?}");
    }
}

#[test]
fn names_are_whole_in_a_pipe_and_in_a_terminal_that_has_room() {
    let data = poisoned();
    let folder = data.path().to_str().unwrap().to_owned();
    let author = format!("{NAME}@a.example");
    assert!(data.run(["report", "daily"]).done().stdout.contains(&author));
    assert!(data.run(["sql", "select * from posts"]).done().stdout.contains(&author));
    let Some(wide) = in_terminal(400, &["report", "daily", "--data", &folder]) else { return };
    assert!(wide.done().stdout.contains(&author));
    let narrow = in_terminal(80, &["report", "daily", "--data", &folder]).unwrap().done().stdout;
    assert!(!narrow.contains(&author) && narrow.contains('…'), "{narrow}");
    let plain = narrow.replace("\u{1b}[0m", "").replace("\u{1b}[1m", "").replace("\u{1b}[2m", "");
    assert!(plain.lines().all(|line| line.width() <= 80), "{plain}");
}

#[test]
fn a_terminal_gets_no_parquet() {
    let data = poisoned();
    let folder = data.path().to_str().unwrap().to_owned();
    for arguments in [&["sql", "select 1"][..], &["sql", "--direct", "select 1"], &["report", "daily"]] {
        let arguments: Vec<&str> =
            arguments.iter().copied().chain(["--format", "parquet", "--data", &folder]).collect();
        let Some(said) = in_terminal(80, &arguments) else { return };
        assert_eq!(said.code(), Some(2), "{said:#?}");
        assert!(said.stdout.contains("\nhint: ") && !said.stdout.contains("PAR1"), "{said:#?}");
        let mut piped = fedilake(&arguments);
        assert!(piped.output().unwrap().stdout.ends_with(b"PAR1"));
    }
}

#[test]
fn answers_and_reports_fit_a_terminal_of_any_width() {
    let data = poisoned();
    let folder = data.path().to_str().unwrap().to_owned();
    for columns in [1, 2, 3, 5, 10, 20, 40, 50, 59, 79] {
        for arguments in [&["sql", "show tables"][..], &["sql", "select * from posts"], &["report"]] {
            let arguments: Vec<&str> = arguments.iter().copied().chain(["--quiet", "--data", &folder]).collect();
            let Some(said) = in_terminal(columns, &arguments) else { return };
            let plain = ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[2m"]
                .iter()
                .fold(said.done().stdout, |text, code| text.replace(code, ""));
            let widest = plain.lines().map(|line| line.trim_end_matches('\r').width()).max().unwrap();
            // A wide character has two columns.
            assert!(widest <= usize::from(columns).max(2), "{arguments:?} at {columns}: {plain}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_demo_opens_the_page_on_a_desktop_unless_told_not_to() {
    use std::os::unix::fs::PermissionsExt;

    let data = Data::new();
    let (launcher, opened) = (data.beside("xdg-open"), data.beside("opened"));
    fs::write(&launcher, format!("#!/bin/sh\necho \"$1\" > '{}.new'\nmv '{0}.new' '{0}'\n", opened.display())).unwrap();
    fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", data.beside("").display(), std::env::var("PATH").unwrap());
    let folder = data.path().to_str().unwrap().to_owned();
    let demo = ["demo", "--listen", "127.0.0.1:0", "--exit-after", "1s", "--data", &folder];
    let desktop = [("DISPLAY", ":99"), ("PATH", path.as_str())];
    let Some(said) = in_terminal_with(&desktop, 120, &demo) else { return };
    let said = said.done().stdout;
    wait_until("the launcher's word", || opened.exists());
    let page = fs::read_to_string(&opened).unwrap();
    assert!(said.contains(&format!("answering on {} for", page.trim().trim_end_matches('/'))), "{page}: {said}");
    fs::remove_file(&opened).unwrap();
    let quiet: Vec<&str> = demo.into_iter().chain(["--no-open"]).collect();
    in_terminal_with(&desktop, 120, &quiet).unwrap().done();
    assert!(!opened.exists());
}
