//! Collecting live from simulated servers over real HTTP.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};

use fedilake_sim::{Config, Simulation, serve};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::program::{Data, PATIENCE, Running, fedilake, run, signal, wait_until};

/// Simulated servers and their runtime.
pub struct Servers {
    pub simulation: Simulation,
    runtime: Runtime,
}

impl Servers {
    pub fn start(config: Config) -> Servers {
        let runtime = Runtime::new().unwrap();
        let simulation = runtime.block_on(serve(config, CancellationToken::new())).unwrap();
        Servers { simulation, runtime }
    }

    pub fn flags(&self) -> Vec<String> {
        self.simulation
            .addresses()
            .iter()
            .flat_map(|address| ["--server".to_owned(), format!("http://{address}")])
            .collect()
    }

    /// `fedilake run` that collects these servers into the data folder and answers on a free port.
    pub fn run(&self, data: &Data) -> Command {
        let mut command = fedilake(["run", "--listen", "127.0.0.1:0"]);
        command.args(self.flags()).arg("--data").arg(data.path());
        command
    }

    /// Uris of posts that the servers show and did not delete.
    pub fn uris(&self) -> BTreeSet<String> {
        let truth = self.simulation.truth();
        let deleted: BTreeSet<&str> =
            truth.iter().filter(|post| post.deleted_at_ms.is_some()).map(|post| post.uri.as_str()).collect();
        truth.iter().filter(|post| !deleted.contains(post.uri.as_str())).map(|post| post.uri.clone()).collect()
    }

    /// Waits for the end of the flow: the posts of [`Config::posts_max`] are out, and their edits, which take up to a minute.
    #[track_caller]
    fn wait_until_quiet(&self) {
        let quiet = async { tokio::time::timeout(2 * PATIENCE, self.simulation.quiet()).await };
        assert!(self.runtime.block_on(quiet).is_ok(), "the end of the flow did not come within {:?}", 2 * PATIENCE);
    }

    pub fn stop(self) {
        self.runtime.block_on(self.simulation.stop());
    }
}

fn collect(data: &Data, servers: &Servers) -> Running {
    Running::answering(&mut servers.run(data))
}

/// Uris that the data folder's posts have.
pub fn uris(data: &Data) -> BTreeSet<String> {
    let rows = data.run(["sql", "select uri from posts", "--format", "json"]).done().json();
    rows.as_array().unwrap().iter().map(|row| row["uri"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_servers_publish_is_what_a_report_beside_the_collector_counts() {
    let servers = Servers::start(Config { servers: 3, rate: 0.0, ..Config::default() });
    let data = Data::new();
    let running = collect(&data, &servers);
    // Published until the first one is collected: posts from before the first look at a server may be missing.
    wait_until("the first post", || {
        servers.simulation.publish(0);
        data.number("select count(*) from posts") > 0
    });
    let posts: Vec<String> = (0..60).map(|n| servers.simulation.publish(n % 3).uri).collect();
    assert!(servers.simulation.edit(&posts[0]));
    assert!(servers.simulation.delete(&posts[1]));
    let expected: BTreeSet<String> = posts.iter().filter(|uri| **uri != posts[1]).cloned().collect();
    wait_until("all that was published", || uris(&data).is_superset(&expected));
    wait_until("the edit", || {
        data.number(&format!("select count(*) from posts where uri = '{}' and edited_at is not null", posts[0])) == 1
    });
    wait_until("the delete", || data.number(&format!("select count(*) from posts where uri = '{}'", posts[1])) == 0);
    assert_eq!(data.number("select count(*) - count(distinct uri) from posts"), 0);
    running.interrupt().done();
    data.run(["check"]).done();
    servers.stop();
}

#[test]
fn a_killed_collector_goes_on_where_it_was_and_misses_nothing() {
    let servers = Servers::start(Config {
        servers: 2,
        rate: 100.0,
        posts_max: Some(1_500),
        deletes: 0.0,
        backdated: 0.0,
        ..Config::default()
    });
    let data = Data::new();
    let running = collect(&data, &servers);
    wait_until("the first posts", || data.number("select count(*) from posts") > 50);
    let began_ms = now_ms();
    running.kill();
    // The collector is away while posts flow.
    let published = servers.uris().len();
    wait_until("posts that were published meanwhile", || servers.uris().len() > published + 200);
    let running = collect(&data, &servers);
    servers.wait_until_quiet();
    let expected: BTreeSet<String> = servers
        .simulation
        .truth()
        .iter()
        .filter(|post| post.shown_at_ms > began_ms)
        .map(|post| post.uri.clone())
        .collect();
    assert!(expected.len() > 1_000, "{}", expected.len());
    wait_until("everything since the first look", || uris(&data).is_superset(&expected));
    assert_eq!(data.number("select count(*) - count(distinct uri) from posts"), 0);
    running.interrupt().done();
    data.run(["check"]).done();
    servers.stop();
}

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

#[test]
fn a_server_that_is_away_disturbs_no_other() {
    let servers = Servers::start(Config { servers: 1, rate: 50.0, ..Config::default() });
    let data = Data::new();
    let mut running = Running::start(servers.run(&data).args(["--server", "http://127.0.0.1:9"]));
    running.wait_for_line("127.0.0.1:9");
    wait_until("posts of the other", || data.number("select count(*) from posts") > 20);
    running.interrupt().done();
    servers.stop();
}

#[test]
fn a_run_ends_after_the_given_time_and_at_once_at_a_second_signal() {
    let servers = Servers::start(Config { servers: 1, rate: 50.0, ..Config::default() });
    let data = Data::new();
    let said = Running::start(servers.run(&data).args(["--for", "2s"])).end().done();
    assert!(said.stderr.contains("events appended"), "{}", said.stderr);
    assert!(data.number("select count(*) from posts") > 0);

    let running = collect(&data, &servers);
    // A guest that asked for very much and does not read delays the end, because answers under way are given time.
    let mut guest = fedilake(["sql", "select repeat('x', 1000) from range(1000000000)", "--format", "csv"])
        .arg("--data")
        .arg(data.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    guest.stdout.as_mut().unwrap().read_exact(&mut [0; 1_000]).unwrap();
    signal(running.pid(), "STOP");
    signal(running.pid(), "INT");
    signal(running.pid(), "TERM");
    signal(running.pid(), "CONT");
    let said = running.end();
    assert_eq!(said.code(), Some(130), "{said:#?}");
    guest.kill().unwrap();
    guest.wait().unwrap();
    // Appended posts are durable, however the process ended.
    data.run(["check"]).done();
    servers.stop();
}

#[test]
fn collect_and_sink_do_in_two_steps_what_run_does_in_one() {
    let servers = Servers::start(Config { servers: 1, rate: 100.0, ..Config::default() });
    let data = Data::new();
    let mut arguments = vec!["collect".to_owned(), "--for".to_owned(), "2s".to_owned()];
    arguments.extend(servers.flags());
    data.start(arguments).end().done();
    let said = data.run(["sink"]).done();
    assert!(said.stderr.ends_with(" rows in 1 file\n"), "{}", said.stderr);
    assert!(data.number("select count(*) from posts") > 0);
    data.run(["check"]).done();
    servers.stop();
}

#[test]
fn a_run_without_servers_and_a_wrong_address_say_what_to_do() {
    for arguments in
        [&["run"][..], &["collect"], &["run", "--server", "not a host"], &["run", "--server", "ftp://a.example"]]
    {
        let data = Data::new();
        let folder = data.path();
        let said = run(arguments.iter().copied().chain(["--data", folder.to_str().unwrap()]));
        assert_eq!(said.code(), Some(2), "{arguments:?}");
        assert!(said.stderr.contains("hint:"), "{arguments:?}: {}", said.stderr);
        assert!(!folder.exists(), "{arguments:?} made a folder");
    }
}
