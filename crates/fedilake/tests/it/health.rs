//! The probes, figures and log lines of a running process.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use fedilake_sim::Config;
use serde_json::Value;

use crate::beside::metrics;
use crate::faults::replay;
use crate::lake_process::crash;
use crate::live::Servers;
use crate::peaks::children;
use crate::program::{Data, Running, Said, fedilake, signal, wait_until};

/// An answer of a process: its status and its body.
fn get(address: SocketAddr, path: &str, host: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn probe(address: SocketAddr, path: &str) -> (u16, String) {
    get(address, path, &address.to_string())
}

/// The answer of `/readyz`: its status and its body.
pub fn ready(address: SocketAddr) -> (u16, Value) {
    let (status, body) = probe(address, "/readyz");
    (status, serde_json::from_str(&body).unwrap())
}

fn servers() -> Servers {
    Servers::start(Config { servers: 1, rate: 40.0, ..Config::default() })
}

#[test]
fn a_process_is_ready_while_its_lake_follows_and_lives_all_the_time() {
    let (servers, data) = (servers(), Data::new());
    let mut running = Running::start(servers.run(&data).env("FEDILAKE_LAKE_READY_SECONDS_MAX", "2"));
    let address = running.address();
    wait_until("readiness", || ready(address).0 == 200);
    let (_, said) = ready(address);
    assert!(said["ready"] == true && said["why_not"].is_null() && said["behind"]["is_known"] == true, "{said}");
    assert!(said["behind"]["partitions"][0]["end"].is_u64(), "{said}");
    let lake = children(running.pid())[0];
    signal(lake, "STOP");
    wait_until("a lake that is behind", || ready(address).0 == 503);
    let (_, said) = ready(address);
    assert!(said["ready"] == false && said["why_not"] == "the lake is behind the log", "{said}");
    assert!(said["behind"]["records"].as_u64() > Some(0) && said["behind"]["seconds"].as_f64() > Some(2.0), "{said}");
    assert_eq!(probe(address, "/healthz"), (200, "ok\n".to_owned()));
    signal(lake, "CONT");
    wait_until("readiness again", || ready(address).0 == 200);
    // Opened again by another process.
    signal(lake, "KILL");
    assert_eq!(probe(address, "/healthz").0, 200);
    wait_until("readiness with another process", || ready(address).0 == 200 && children(running.pid()) != [lake]);
    running.interrupt().done();
    servers.stop();
}

#[test]
fn a_collector_is_ready_while_it_can_read_a_server_and_a_sink_once_the_log_has_answered() {
    let (servers, data) = (servers(), Data::new());
    let mut away = data.start(["collect", "--server", "http://127.0.0.1:9", "--listen", "127.0.0.1:0"]);
    let address = away.address();
    wait_until("the server's state", || ready(address).0 == 503);
    let (status, said) = ready(address);
    assert!(status == 503 && said["ready"] == false && said["why_not"] == "no server can be read", "{said}");
    assert!(said["servers"]["127.0.0.1:9"].is_string(), "{said}");
    assert_eq!(probe(address, "/healthz").0, 200);
    away.interrupt().done();

    let arguments = ["collect", "--listen", "127.0.0.1:0"].map(str::to_owned).into_iter().chain(servers.flags());
    let mut collecting = data.start(arguments);
    let address = collecting.address();
    wait_until("readiness", || ready(address).0 == 200);
    collecting.interrupt().done();

    let mut sinking = data.start(["sink", "--for", "60s", "--listen", "127.0.0.1:0"]);
    let address = sinking.address();
    wait_until("readiness", || {
        ready(address).0 == 200 && !ready(address).1["partitions"].as_array().unwrap().is_empty()
    });
    sinking.interrupt().done();
    servers.stop();
}

/// The kind of each metric, by its name; every sample belongs to one that has help.
fn described(figures: &str) -> BTreeMap<String, String> {
    let body = figures.split_once("\r\n\r\n").map_or(figures, |(_, body)| body);
    let (mut kinds, mut helped) = (BTreeMap::new(), Vec::new());
    for line in body.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words[..] {
            ["#", "HELP", name, help] if !help.is_empty() => helped.push(name.to_owned()),
            ["#", "TYPE", name, kind] => {
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(helped.iter().any(|helped| helped == name), "no help: {line}");
                kinds.insert(name.to_owned(), kind.to_owned());
            }
            _ => {
                let name = line.split(['{', ' ']).next().unwrap();
                let stem = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
                assert!(kinds.contains_key(name) || kinds.get(stem).is_some_and(|kind| kind == "histogram"), "{line}");
                assert!(!line.contains("quantile="), "{line}");
                assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
            }
        }
    }
    kinds
}

#[test]
fn every_figure_has_its_help_and_kind_and_tells_process_build_and_sizes() {
    let (servers, data) = (servers(), Data::new());
    let mut running = Running::start(&mut servers.run(&data));
    let address = running.address();
    wait_until("a take", || metrics(address).contains("fedilake_lake_take_seconds_count"));
    wait_until("sizes and states", || {
        let figures = metrics(address);
        [
            "\nfedilake_lake_bytes ",
            "\nfedilake_collect_server_state{",
            "\nfedilake_sink_uncommitted_records{partition=\"0\"} ",
        ]
        .iter()
        .all(|sample| figures.contains(sample))
    });
    let figures = metrics(address);
    let kinds = described(&figures);
    let expected = [
        ("fedilake_build_info", "gauge"),
        ("fedilake_lake_take_seconds", "histogram"),
        ("fedilake_collect_accepted_total", "counter"),
        ("fedilake_collect_server_state", "gauge"),
        ("fedilake_sink_lag_records", "gauge"),
        ("fedilake_sink_uncommitted_records", "gauge"),
        ("fedilake_log_bytes", "gauge"),
        ("fedilake_table_bytes", "gauge"),
        ("fedilake_lake_bytes", "gauge"),
        ("fedilake_disk_free_bytes", "gauge"),
        ("fedilake_disk_bytes", "gauge"),
        ("process_resident_memory_bytes", "gauge"),
        ("process_start_time_seconds", "gauge"),
        ("process_open_fds", "gauge"),
        ("process_cpu_seconds_total", "counter"),
    ];
    for (name, kind) in expected {
        assert_eq!(kinds.get(name).map(String::as_str), Some(kind), "{name}: {figures}");
    }
    let page = include_str!("../../../../docs/metrics.md");
    for name in kinds.keys() {
        assert!(page.contains(&format!("`{name}`")), "docs/metrics.md lacks {name}");
    }
    for name in page.split('`').filter(|name| name.starts_with("process_")) {
        assert!(kinds.contains_key(name), "no {name}: {figures}");
    }
    assert!(
        figures.contains(&format!("fedilake_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))),
        "{figures}"
    );
    running.interrupt().done();

    for arguments in [
        &["collect", "--server", "http://127.0.0.1:9", "--listen", "127.0.0.1:0"][..],
        &["sink", "--for", "60s", "--listen", "127.0.0.1:0"],
    ] {
        let mut running = data.start(arguments);
        let address = running.address();
        let kinds = described(&metrics(address));
        assert!(kinds.contains_key("fedilake_build_info") && kinds.contains_key("process_threads"), "{kinds:?}");
        running.interrupt().done();
    }
    servers.stop();
}

/// Each line of a log as JSON.
fn json_lines(said: &Said) -> Vec<Value> {
    let read = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?} in {said:#?}"));
        for field in ["timestamp", "level", "message"] {
            assert!(value[field].is_string(), "{field}: {line}");
        }
        value
    };
    said.stderr.lines().map(read).collect()
}

#[test]
fn each_line_of_a_json_log_is_an_object_whatever_is_said() {
    let (servers, data) = (servers(), Data::new());
    let mut command = servers.run(&data);
    command.args(["--log-format", "json", "--verbose", "--server", "http://127.0.0.1:9"]);
    let mut running = Running::start(&mut command);
    running.wait_for_line("127.0.0.1:9");
    wait_until("the first posts", || data.run(["sql", "select 1 from posts limit 1"]).stdout.contains('1'));
    let lake = children(running.pid())[0];
    crash(lake, "SEGV");
    running.wait_for_line("SIGSEGV");
    let lines = json_lines(&running.interrupt().done());
    for level in ["INFO", "WARN", "DEBUG"] {
        assert!(lines.iter().any(|line| line["level"] == level), "{level}: {lines:#?}");
    }
    // Errors, their hints, and what the verbs say by themselves.
    let asked: [&[&str]; 5] = [
        &["sql", "select auhtor\nfrom posts"],
        &["sql", "select 1"],
        &["report", "statistics"],
        &["collect", "--server", "no host"],
        &["replay", "/nonexistent"],
    ];
    for arguments in asked {
        let by_flag = data.run(arguments.iter().chain(&["--log-format", "json"]));
        let mut command = fedilake(arguments);
        let by_variable: Said =
            command.env("FEDILAKE_LOG_FORMAT", "json").arg("--data").arg(data.path()).output().unwrap().into();
        for said in [by_flag, by_variable] {
            let lines = json_lines(&said);
            let is_error = lines.last().is_some_and(|line| line["level"] == "ERROR");
            assert_eq!(is_error, said.code() == Some(2), "{said:#?}");
        }
    }
    servers.stop();
}

#[test]
fn a_filter_or_format_of_the_log_that_is_none_is_said_and_not_ignored() {
    let data = Data::new();
    replay(&data, 0..10).done();
    let ask = |name: &str, value: &str| -> Said {
        let mut command = fedilake(["sql", "select 1"]);
        command.env_remove("RUST_LOG").env(name, value).arg("--data").arg(data.path()).output().unwrap().into()
    };
    for (name, value) in [
        ("RUST_LOG", "fedilake=loud"),
        ("RUST_LOG", "info,a=b=c"),
        ("RUST_LOG", "[{]"),
        ("FEDILAKE_LOG", "fedilake=everything"),
        ("FEDILAKE_LOG_FORMAT", "xml"),
    ] {
        let said = ask(name, value);
        assert_eq!((said.code(), said.stdout.as_str()), (Some(2), ""), "{name}={value}: {said:#?}");
        let is_told = said.stderr.starts_with("error: ") && said.stderr.contains(name);
        assert!(is_told && said.stderr.contains(value), "{name}={value}: {}", said.stderr);
    }
    for (name, value) in [("RUST_LOG", ""), ("RUST_LOG", "warn"), ("FEDILAKE_LOG", "debug,fedilake=info")] {
        ask(name, value).done();
    }
}

#[test]
fn an_address_that_other_machines_reach_is_warned_of_and_shows_them_no_post() {
    let data = Data::new();
    replay(&data, 0..10).done();
    let mut open = data.start(["serve", "--listen", "0.0.0.0:0"]);
    let warned = open.wait_for_line("other machines reach 0.0.0.0:");
    assert!(warned.contains("WARN") && warned.contains("/metrics"), "{warned}");
    let port = open.address().port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    for path in ["/healthz", "/readyz", "/metrics"] {
        let (status, _) = get(address, path, "fedilake.internal.example");
        assert!([200, 503].contains(&status), "{path}: {status}");
    }
    assert_eq!(get(address, "/", "fedilake.internal.example").0, 403);
    for path in ["/api/sql", "/api/report", "/api/check", "/api/missing"] {
        for host in ["fedilake.internal.example".to_owned(), format!("127.0.0.1:{port}")] {
            let mut socket = TcpStream::connect(address).unwrap();
            let body = "{\"query\": \"select 1\"}";
            let length = body.len();
            write!(socket, "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 40"), "{path} as {host}: {answer}");
        }
    }
    // Guests on this machine ask as ever.
    assert_eq!(data.number("select count(*) from posts"), 10);
    open.interrupt().done();
    let local = data.serve();
    let said = local.interrupt().done();
    assert!(!said.stderr.contains("WARN"), "{}", said.stderr);
}

#[test]
fn connections_of_strangers_leave_room_for_those_who_ask() {
    let data = Data::new();
    replay(&data, 0..10).done();
    let mut command = fedilake(["serve", "--listen", "127.0.0.1:0"]);
    command.arg("--data").arg(data.path());
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -n 512; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    limited.env("XDG_CONFIG_HOME", "/nonexistent");
    let mut owner = Running::start(&mut limited);
    let address = owner.address();
    let mut strangers = Vec::new();
    for number in 0..700 {
        let Ok(mut stranger) = TcpStream::connect(address) else { break };
        let metrics = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n").repeat(800);
        let first: &[u8] = match number % 5 {
            0 => b"",
            1 => b"GET /metrics HTTP/1.1\r\nHost: ",
            2 => metrics.as_bytes(),
            3 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            _ => b"POST /api/sql HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n{",
        };
        // It may have been closed by then, for one who came later.
        let _ = stranger.write_all(first);
        strangers.push(stranger);
    }
    let asked = std::time::Instant::now();
    assert_eq!(probe(address, "/healthz").0, 200);
    // None of the strangers' times is over by then.
    assert!(asked.elapsed() < std::time::Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!(data.number("select count(*) from posts"), 10);
    assert_eq!(probe(address, "/healthz").0, 200);
    let said = owner.interrupt().done();
    assert!(!said.stderr.contains("ERROR") && !said.stderr.contains("Too many open files"), "{}", said.stderr);
}
