//! Running processes whose servers change, and servers that go away and come back.

use std::path::Path;

use fedilake_sim::{Config, Fault};

use crate::live::Servers;
use crate::program::{Data, Running, signal, wait_until};

fn quiet(servers: usize) -> Servers {
    let tokens = vec!["good".to_owned()];
    Servers::start(Config { servers, tokens, rate: 0.0, deletes: 0.0, edits: 0.0, ..Config::default() })
}

fn write(file: &Path, lines: &[String]) {
    std::fs::write(file, format!("listen = '127.0.0.1:0'\n[collect]\n{}\n", lines.join("\n"))).unwrap();
}

fn posts_of(data: &Data, servers: &Servers, server: usize) -> i64 {
    let host = servers.simulation.addresses()[server];
    data.number(&format!("select count(*) from sightings where server = '{host}'"))
}

/// Publishes posts, which all servers show, until one that this server showed is stored.
fn wait_for_a_post(data: &Data, servers: &Servers, server: usize) {
    let before = posts_of(data, servers, server);
    wait_until(&format!("a post of server {server}"), || {
        servers.simulation.publish(server);
        posts_of(data, servers, server) > before
    });
}

#[test]
fn servers_tokens_and_contact_change_at_a_sighup_and_nothing_dies() {
    let (servers, data) = (quiet(3), Data::new());
    let urls: Vec<String> = servers.simulation.addresses().iter().map(|address| format!("http://{address}")).collect();
    let (file, token) = (data.beside("fedilake.toml"), data.beside("token"));
    write(&file, &[format!("servers = ['{}', '{}']", urls[0], urls[1])]);
    let mut running = data.start(["run", "--config", file.to_str().unwrap()]);
    running.wait_for_line("answering on");
    wait_for_a_post(&data, &servers, 0);
    wait_for_a_post(&data, &servers, 1);

    // One server is added and one removed; a token, the contact and a setting for the next start change.
    std::fs::write(&token, "revoked").unwrap();
    let host = servers.simulation.addresses()[0];
    let listed = [
        format!("servers = ['{}', '{}']", urls[0], urls[2]),
        format!("token_files = ['{host}={}']", token.display()),
        "contact = 'https://example.org/we'".to_owned(),
        "batch_posts_max = 7".to_owned(),
    ];
    write(&file, &listed);
    signal(running.pid(), "HUP");
    let said = running.wait_for_line("settings read again");
    assert!(said.contains("2 servers") && said.contains("at the next start: collect.batch_posts_max"), "{said}");
    let refused = running.wait_for_line("does not accept the token");
    assert!(refused.contains("WARN") && refused.contains(&host.to_string()), "{refused}");
    wait_for_a_post(&data, &servers, 2);
    // The same file with another token.
    std::fs::write(&token, "good").unwrap();
    signal(running.pid(), "HUP");
    running.wait_for_line("settings read again");
    wait_for_a_post(&data, &servers, 0);
    let removed = posts_of(&data, &servers, 1);
    (0..20).for_each(|_| drop(servers.simulation.publish(1)));
    wait_for_a_post(&data, &servers, 0);
    assert_eq!(posts_of(&data, &servers, 1), removed);

    // Invalid settings change nothing: an unreadable file, an invalid token, no server at all.
    for wrong in [vec!["servers = [".to_owned()], vec!["token_files = ['a.example=/nowhere']".to_owned()], Vec::new()] {
        write(&file, &wrong);
        signal(running.pid(), "HUP");
        running.wait_for_line("settings stay as they are");
        wait_for_a_post(&data, &servers, 0);
    }

    // A server that comes back is continued from its bookmark.
    write(&file, &[format!("servers = ['{}']", urls[1])]);
    signal(running.pid(), "HUP");
    running.wait_for_line("settings read again");
    wait_until("the posts that it showed meanwhile", || posts_of(&data, &servers, 1) >= removed + 20);
    running.interrupt().done();
    data.run(["check"]).done();
    servers.stop();
}

#[test]
fn a_server_in_several_spellings_is_read_once() {
    let (servers, data) = (quiet(1), Data::new());
    let port = servers.simulation.addresses()[0].port();
    let spellings = [
        format!("http://127.0.0.1:{port}"),
        format!("HTTP://127.0.0.1:{port}/public/local"),
        format!("http://127.1:{port}/"),
    ];
    let mut arguments = vec!["run".to_owned(), "--listen".to_owned(), "127.0.0.1:0".to_owned()];
    arguments.extend(spellings.into_iter().flat_map(|server| ["--server".to_owned(), server]));
    let mut running = data.start(arguments);
    running.wait_for_line("answering on");
    wait_for_a_post(&data, &servers, 0);
    assert_eq!(data.number("select count(distinct server) from sightings"), 1);
    running.interrupt().done();
    servers.stop();
}

fn lines(said: &str, level: &str, part: &str) -> usize {
    said.lines().filter(|line| line.contains(level) && line.contains(part)).count()
}

#[test]
fn an_outage_and_its_end_are_logged_once_each_and_a_healthy_run_warns_of_nothing() {
    let (servers, data) = (quiet(2), Data::new());
    let mut running = Running::start(&mut servers.run(&data));
    let address = running.address();
    wait_for_a_post(&data, &servers, 0);
    wait_for_a_post(&data, &servers, 1);
    servers.simulation.set_fault(0, Some(Fault::Reset), None);
    let began = running.wait_for_line("WARN");
    assert!(began.contains(&servers.simulation.addresses()[0].to_string()), "{began}");
    wait_for_a_post(&data, &servers, 1);
    servers.simulation.set_fault(0, None, None);
    let ended = running.wait_for_line("again after");
    assert!(ended.contains("INFO") && ended.contains(&servers.simulation.addresses()[0].to_string()), "{ended}");
    wait_for_a_post(&data, &servers, 0);
    let metrics = metrics_of(address);
    for metric in [
        "fedilake_collect_server_state{",
        "fedilake_collect_server_accepted_total{",
        "fedilake_collect_server_last_post_timestamp_seconds{",
        "fedilake_collect_server_lag_seconds{",
        "fedilake_collect_server_failures_total{",
        "fedilake_collect_server_gaps_planned_total{",
        "fedilake_collect_server_gaps_filled_total{",
    ] {
        assert!(metrics.contains(metric), "{metric} in {metrics}");
    }
    let said = running.interrupt().done();
    assert_eq!(lines(&said.stderr, "WARN", "server"), 1, "{}", said.stderr);
    assert_eq!(lines(&said.stderr, "INFO", "again after"), 1, "{}", said.stderr);
    servers.stop();
}

/// The metrics of a process.
fn metrics_of(address: std::net::SocketAddr) -> String {
    use std::io::{Read, Write};
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    socket
        .write_all(format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes())
        .unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}
