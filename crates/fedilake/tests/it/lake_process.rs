//! The lake's process under a collecting one: killed, orphaned, its file taken away. Nothing is lost, and whoever asks hears why.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use fedilake_sim::Config;

use crate::beside::{ENDLESS, is_busy};
use crate::faults::replay;
use crate::live::{Servers, uris};
use crate::peaks::children;
use crate::program::{Data, Running, fedilake, wait_until};

fn servers() -> Servers {
    Servers::start(Config { servers: 2, rate: 40.0, deletes: 0.0, backdated: 0.0, ..Config::default() })
}

fn collect(data: &Data, servers: &Servers) -> Running {
    Running::answering(servers.run(data).env("FEDILAKE_SQL_SECONDS_MAX", "600"))
}

/// The lake's process of a running one.
fn lake_of(running: &Running) -> u32 {
    let mut found = Vec::new();
    wait_until("the lake's process", || {
        found = children(running.pid());
        found.len() == 1
    });
    found[0]
}

fn posts(data: &Data) -> i64 {
    data.number("select count(*) from posts")
}

/// Everything that the servers have shown since `began_ms` is stored, each once, and the check finds nothing.
fn holds_all_since(data: &Data, servers: &Servers, began_ms: i64) {
    let truth = servers.simulation.truth();
    let expected: std::collections::BTreeSet<String> =
        truth.iter().filter(|post| post.shown_at_ms > began_ms).map(|post| post.uri.clone()).collect();
    wait_until("everything that was shown", || uris(data).is_superset(&expected));
    assert_eq!(data.number("select count(*) - count(distinct uri) from posts"), 0);
}

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// Sends a process the signal of a crash until it is gone: Rust's own handler lets the first SIGSEGV or SIGBUS from outside pass.
pub fn crash(pid: u32, name: &str) {
    wait_until("the end of a process", || {
        let sent = std::process::Command::new("kill").args([format!("-{name}"), pid.to_string()]).output();
        // It may be gone already.
        drop(sent.unwrap());
        !is_there(pid)
    });
}

fn is_there(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_question_in_whose_middle_the_lakes_process_ends_is_told_why_and_the_next_is_answered() {
    let (servers, data) = (servers(), Data::new());
    let running = collect(&data, &servers);
    wait_until("the first posts", || posts(&data) > 20);
    let began_ms = now_ms();
    // A statement that has no row yet, and one in the middle of its rows.
    for question in [ENDLESS, "select a.range, repeat('x', 100) from range(100000000000) a"] {
        for (name, said_why) in [("SEGV", "SIGSEGV"), ("KILL", "SIGKILL"), ("ABRT", "SIGABRT"), ("BUS", "SIGBUS")] {
            let lake = lake_of(&running);
            let asked = data.start(["sql", question]);
            wait_until("a question under way", || is_busy(running.pid()));
            crash(lake, name);
            let said = asked.end();
            assert_eq!(said.code(), Some(2), "{name}: {}", said.stderr);
            let is_told = said.stderr.starts_with("error: ") && said.stderr.contains(said_why);
            assert!(is_told, "{name}: {}", said.stderr);
            let before = posts(&data);
            wait_until("more posts", || posts(&data) > before);
        }
    }
    holds_all_since(&data, &servers, began_ms);
    running.interrupt().done();
    data.run(["check"]).done();
    servers.stop();
}

#[test]
fn posts_are_followed_again_however_often_the_lakes_process_is_killed() {
    let (servers, data) = (servers(), Data::new());
    let running = collect(&data, &servers);
    wait_until("the first posts", || posts(&data) > 20);
    let began_ms = now_ms();
    for name in ["KILL", "SEGV", "KILL", "BUS", "KILL", "ILL"] {
        let before = posts(&data);
        crash(lake_of(&running), name);
        wait_until("more posts", || posts(&data) > before);
    }
    holds_all_since(&data, &servers, began_ms);
    running.interrupt().done();
    data.run(["check"]).done();
    servers.stop();
}

#[test]
fn a_killed_owners_lake_ends_with_it_and_the_next_owner_has_the_folder_at_once() {
    let (servers, data) = (servers(), Data::new());
    let running = collect(&data, &servers);
    wait_until("the first posts", || posts(&data) > 20);
    running.interrupt().done();
    // With nothing to do, at a question, with a question that hears no interrupt.
    let deaf = "select levenshtein(repeat('a', 300000), repeat('b', 300000))";
    for question in [None, Some(ENDLESS), Some(deaf)] {
        let running = collect(&data, &servers);
        let lake = lake_of(&running);
        let asked = question.map(|question| {
            let asked = data.start(["sql", question]);
            wait_until("a question under way", || is_busy(running.pid()));
            asked
        });
        let killed = Instant::now();
        running.kill();
        let next = data.serve();
        assert!(!is_there(lake), "{question:?}: the orphan lives on");
        assert!(killed.elapsed() < Duration::from_secs(20), "{question:?}: {:?}", killed.elapsed());
        if let Some(asked) = asked {
            let said = asked.end();
            assert!(said.code() == Some(2) && said.stderr.starts_with("error: "), "{question:?}: {said:#?}");
        }
        assert!(posts(&data) > 20);
        next.interrupt().done();
        data.run(["check"]).done();
    }
    servers.stop();
}

#[test]
fn a_lake_whose_file_is_taken_away_under_its_process_is_rebuilt() {
    let (servers, data) = (servers(), Data::new());
    let running = collect(&data, &servers);
    let lake = data.path().join("lake.duckdb");
    let away = data.beside("away.duckdb");
    wait_until("the first posts", || posts(&data) > 20);
    let began_ms = now_ms();
    let deleted = || fs::remove_file(&lake).unwrap();
    let moved = || fs::rename(&lake, &away).unwrap();
    let replaced = || {
        fs::copy(&lake, &away).unwrap();
        fs::rename(&away, &lake).unwrap();
    };
    let with_its_log = || {
        fs::remove_file(&lake).unwrap();
        let _ = fs::remove_file(data.path().join("lake.duckdb.wal"));
    };
    let ways: [(&str, &dyn Fn()); 4] =
        [("deleted", &deleted), ("moved", &moved), ("replaced", &replaced), ("deleted with its log", &with_its_log)];
    for (way, take_away) in ways {
        let (before, process) = (posts(&data), lake_of(&running));
        take_away();
        wait_until(&format!("another process, {way}"), || !is_there(process));
        wait_until(&format!("more posts, {way}"), || {
            lake.exists() && data.run(["sql", "select 1"]).code() == Some(0) && posts(&data) > before
        });
        holds_all_since(&data, &servers, began_ms);
    }
    running.interrupt().done();
    data.run(["check"]).done();
    servers.stop();
}

#[test]
fn a_write_ahead_log_without_its_lake_is_no_ones() {
    let data = Data::new();
    replay(&data, 0..500).done();
    // Killed, so that commits stay in the write-ahead log.
    let (lake, log) = (data.path().join("lake.duckdb"), data.path().join("lake.duckdb.wal"));
    let owner = {
        fs::remove_file(&lake).unwrap();
        let owner = data.serve();
        wait_until("the lake", || posts(&data) == 500);
        owner
    };
    owner.kill();
    assert!(fs::metadata(&log).is_ok_and(|log| log.len() > 0), "nothing is left to be stale");
    fs::remove_file(&lake).unwrap();
    assert_eq!(posts(&data), 500);
    // Another lake's, and none at all.
    for stale in [vec![7_u8; 10_000], Vec::new()] {
        fs::remove_file(&lake).unwrap();
        fs::write(&log, stale).unwrap();
        assert_eq!(posts(&data), 500);
        data.run(["check"]).done();
    }
}

#[test]
fn what_the_lakes_process_writes_is_its_users_alone() {
    let (servers, data) = (servers(), Data::new());
    let mut command = std::process::Command::new("sh");
    // Whatever the user's habit is.
    let script = "umask 0; exec \"$0\" \"$@\"";
    let run = servers.run(&data);
    command.args(["-c", script]).arg(run.get_program()).args(run.get_args());
    command.env("XDG_CONFIG_HOME", "/nonexistent").env_remove("FEDILAKE_CONFIG");
    let running = Running::answering(&mut command);
    wait_until("the first posts", || posts(&data) > 20);
    let is_private =
        |path: &std::path::Path| fs::metadata(path).map_or(true, |found| found.permissions().mode() & 0o077 == 0);
    assert!(is_private(&data.path().join("lake.duckdb")) && is_private(&data.path().join("lake.duckdb.wal")));
    running.interrupt().done();
    servers.stop();
}

#[test]
fn what_a_question_to_plain_files_spills_is_its_users_alone_and_gone_afterwards() {
    let data = Data::new();
    let temporary = data.beside("tmp");
    fs::create_dir(&temporary).unwrap();
    // Sorted on disk.
    let spilling = "select max(r) from (select row_number() over (order by hash(range)) r from range(20000000))";
    let ask = fedilake(["sql", "--direct", spilling]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 0; exec \"$0\" \"$@\""]).arg(ask.get_program()).args(ask.get_args());
    command.arg("--data").arg(data.path()).env("TMPDIR", &temporary).env("XDG_CONFIG_HOME", "/nonexistent");
    command.env("FEDILAKE_LAKE_MEMORY_BYTES_MAX", "100000000");
    let asked = Running::start(&mut command);
    let mode = |path: &std::path::Path| fs::metadata(path).ok().map(|found| found.permissions().mode() & 0o777);
    let mut spilled = 0;
    while asked.is_running() {
        for folder in fs::read_dir(&temporary).unwrap().flatten() {
            assert!(mode(&folder.path()).is_none_or(|mode| mode == 0o700), "{folder:?}");
            for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
                assert!(mode(&file.path()).is_none_or(|mode| mode == 0o600), "{file:?}");
                spilled += 1;
            }
        }
    }
    asked.end().done();
    assert!(spilled > 0, "the question was meant to spill");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[test]
fn a_lake_that_is_cut_under_its_process_is_rebuilt_or_comes_with_a_hint() {
    let data = Data::new();
    replay(&data, 0..20_000).done();
    let owner = data.serve();
    let lake = fs::OpenOptions::new().write(true).open(data.path().join("lake.duckdb")).unwrap();
    lake.set_len(lake.metadata().unwrap().len() / 3).unwrap();
    let said = data.run(["sql", "select max(text), max(uri), count(distinct author) from posts"]);
    let is_told = said.code() == Some(2) && said.stderr.contains("hint: delete lake.duckdb");
    assert!(is_told || said.code() == Some(0), "{said:#?}");
    owner.kill();
    // The next owner finds it out by itself, or says the same.
    let said = data.run(["sql", "select count(*) from posts", "--format", "csv"]);
    let is_right = said.code() == Some(0) && said.stdout.ends_with("\n20000\n");
    assert!(is_right || said.stderr.contains("hint: delete lake.duckdb"), "{said:#?}");
    fs::remove_file(data.path().join("lake.duckdb")).unwrap();
    assert_eq!(posts(&data), 20_000);
}
