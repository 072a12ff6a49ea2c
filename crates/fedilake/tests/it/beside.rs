//! Several processes on one folder: which owns it, which wait, and that none disturbs the owner.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::faults::replay;
use crate::peaks::children;
use crate::program::{Data, Running, fedilake, run, wait_until};

/// A question that runs for ever in little memory.
pub const ENDLESS: &str = "select count(*) from range(100000) a, range(100000) b, range(100000) c \
    where a.range + b.range + c.range = -1";

fn serve_without_limit(data: &Data) -> Running {
    let mut command = fedilake(["serve", "--listen", "127.0.0.1:0", "--data", data.path().to_str().unwrap()]);
    command.env("FEDILAKE_SQL_SECONDS_MAX", "600");
    Running::start(&mut command)
}

/// The CPU time of a process and its children in ticks: the lake runs in a child.
fn cpu_ticks(pid: u32) -> u64 {
    own_ticks(pid) + children(pid).into_iter().map(own_ticks).sum::<u64>()
}

/// The CPU time of a process alone, in ticks: a hundred are a second.
pub fn own_ticks(pid: u32) -> u64 {
    // A child may end between the two calls.
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return 0 };
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// True if a process uses the CPU for most of a moment.
pub fn is_busy(pid: u32) -> bool {
    let before = cpu_ticks(pid);
    std::thread::sleep(Duration::from_millis(500));
    cpu_ticks(pid).saturating_sub(before) > 10
}

#[test]
fn readers_that_come_at_once_take_turns_and_find_nothing_in_use() {
    let data = Data::new();
    replay(&data, 0..2_000).done();
    let folder = data.path();
    for _ in 0..10 {
        let questions: [&[&str]; 4] =
            [&["check"], &["report", "statistics"], &["sql", "select count(*) from posts"], &["check"]];
        let children: Vec<_> = questions
            .iter()
            .map(|question| {
                let mut command = fedilake(question.iter().copied());
                command.arg("--data").arg(&folder).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for child in children {
            let output = child.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn a_check_beside_a_sink_that_commits_finds_nothing_and_leaves_nothing() {
    // One file about every second, or none before the end.
    for sink_buffer_bytes in ["1000000", "134217728"] {
        let data = Data::new();
        let file = data.beside("talk.jsonl");
        let file = file.to_str().unwrap();
        run(["simulate", "--preset", "talk", "--posts", "20000", "--seed", "7", "--out", file]).done();
        let folder = data.path();
        // The ten days in ten seconds.
        let mut command = fedilake(["replay", file, "--pace", "86400x", "--data", folder.to_str().unwrap()]);
        command.env("FEDILAKE_SINK_BUFFER_BYTES_MAX", sink_buffer_bytes);
        let replay = Running::start(&mut command);
        wait_until("the first posts", || folder.is_dir() && data.run(["sql", "select 1 from posts"]).code() == Some(0));
        let mut checks = 0;
        while replay.is_running() {
            let said = data.run(["check", "--format", "json"]);
            if said.code() == Some(2) {
                // It ended while it was asked.
                assert!(
                    ["stopping", "ask the process", "ended in the middle"].iter().any(|why| said.stderr.contains(why)),
                    "{said:#?}"
                );
                break;
            }
            assert_eq!(said.json()["findings"], serde_json::json!([]), "{said:#?}");
            checks += 1;
        }
        replay.end().done();
        assert!(checks > 1, "{checks} checks beside the replay");
        let left = fs::read_dir(folder.join("tmp")).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(left.filter(|name| name.to_str().unwrap().starts_with("check-")).count(), 0);
        data.run(["check"]).done();
    }
}

/// An owner of the folder, with a question that never ends.
fn owner_with_a_question(data: &Data) -> (Running, Running) {
    let mut owner = serve_without_limit(data);
    owner.wait_for_line("answering on");
    let question = data.start(["sql", ENDLESS]);
    wait_until("a question under way", || is_busy(owner.pid()));
    (owner, question)
}

#[test]
fn an_owner_that_is_asked_to_stop_ends_its_questions() {
    let data = Data::new();
    replay(&data, 0..100).done();
    let (owner, question) = owner_with_a_question(&data);
    let asked = Instant::now();
    owner.interrupt().done();
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(question.end().code(), Some(2));
}

#[test]
fn a_question_whose_guest_is_gone_ends() {
    let data = Data::new();
    replay(&data, 0..100).done();
    let (owner, question) = owner_with_a_question(&data);
    question.kill();
    wait_until("its end", || !is_busy(owner.pid()));
    assert_eq!(data.number("select count(*) from posts"), 100);
    owner.interrupt().done();
}

#[test]
fn a_question_to_an_owner_that_never_answers_names_the_owner() {
    let data = Data::new();
    let mut collecting = data.start(["collect", "--server", "http://127.0.0.1:9"]);
    collecting.wait_for_line("127.0.0.1:9");
    for question in ["report", "check"] {
        let said = data.run([question]);
        assert_eq!(said.code(), Some(2), "{said:#?}");
        let pid = collecting.pid().to_string();
        assert!(said.stderr.contains(&pid) && said.stderr.contains("hint: "), "{}", said.stderr);
    }
    collecting.interrupt().done();
}

#[test]
fn nothing_is_begun_when_the_port_is_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = Data::new();
    let said = data.run(["serve", "--listen", &address]);
    assert_eq!(said.code(), Some(2), "{said:#?}");
    assert!(said.stderr.contains(&address) && said.stderr.contains("hint: "), "{}", said.stderr);
    assert!(!data.path().join("lake.duckdb").exists(), "the lake was opened");
}

#[test]
fn a_lake_that_has_everything_does_not_lag() {
    let data = Data::new();
    replay(&data, 0..10).done();
    let mut owner = data.start(["serve", "--listen", "127.0.0.1:0"]);
    let address = owner.address();
    wait_until("no lag", || metrics(address).lines().any(|line| line == "fedilake_lake_lag_seconds 0"));
    owner.interrupt().done();
}

/// The text of a process's `/metrics`.
pub fn metrics(address: std::net::SocketAddr) -> String {
    get(address, "/metrics")
}

/// The answer of a process at `path`, with its headers.
pub fn get(address: std::net::SocketAddr, path: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut socket, &mut answer).unwrap();
    answer
}
