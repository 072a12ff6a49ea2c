//! The view of `fedilake run` on a terminal.

use std::process::Stdio;

use fedilake_sim::Config;

use crate::live::Servers;
use crate::program::{Data, Said, fedilake};
use crate::terminal::{missing_script, script};

/// The text without codes, a line each time the cursor went to another one.
fn lines(screen: &str) -> Vec<String> {
    let mut text = String::new();
    let mut rest = screen.chars();
    while let Some(c) = rest.next() {
        match c {
            // A code ends with its first letter.
            '\u{1b}' => drop(rest.by_ref().skip(1).find(char::is_ascii_alphabetic).map(|_| text.push('\n'))),
            '\r' => text.push('\n'),
            c => text.push(c),
        }
    }
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_terminal_shows_a_view_in_place_and_all_else_lines() {
    let servers = Servers::start(Config { servers: 2, rate: 20.0, ..Config::default() });
    for (columns, term, more, is_view) in [
        (80, "xterm", &[][..], true),
        (120, "xterm", &[], true),
        (40, "xterm", &[], true),
        (80, "xterm", &["--plain"], false),
        (80, "dumb", &[], false),
        (80, "xterm", &["--log-format", "json"], false),
    ] {
        let data = Data::new();
        let folder = data.path().display().to_string();
        let flags = servers.flags();
        let arguments: Vec<&str> = ["run", "--listen", "127.0.0.1:0", "--for", "4s", "--data", &folder]
            .into_iter()
            .chain(flags.iter().map(String::as_str))
            .chain(more.iter().copied())
            .collect();
        let mut script = script(&format!("cols {columns} rows 24 -opost -echo"), &arguments);
        let said: Said = match script.env("TERM", term).env("NO_COLOR", "1").stdin(Stdio::null()).output() {
            Ok(output) => output.into(),
            Err(error) => return missing_script(&error).unwrap_or_default(),
        };
        let what = format!("{columns} {term} {more:?}");
        let shown = said.done().stdout;
        assert_eq!(shown.contains("posts/min"), is_view, "{what}: {shown:?}");
        assert_eq!(shown.contains('\u{1b}'), is_view, "{what}: {shown:?}");
        if is_view {
            assert!(lines(&shown).iter().any(|line| line.contains("2 live")), "{what}: {shown:?}");
        }
        let last = lines(&shown).into_iter().rfind(|line| !line.trim().is_empty()).unwrap();
        assert!(last.contains("appended"), "{what}: it ends with {last:?}");
    }
    servers.stop();
}

#[test]
fn a_pipe_gets_no_codes() {
    let (servers, data) = (Servers::start(Config { servers: 1, rate: 20.0, ..Config::default() }), Data::new());
    let mut command = fedilake(["run", "--listen", "127.0.0.1:0", "--for", "2s"]);
    let said = Said::from(command.args(servers.flags()).arg("--data").arg(data.path()).output().unwrap()).done();
    assert!(!said.stderr.contains('\u{1b}') && !said.stderr.contains("posts/min"), "{said:#?}");
    servers.stop();
}
