//! The program on real services: Kafka with Schema Registry for the log, an S3 store for the table.
//!
//! Each test has a topic, a prefix and a data folder of its own. The simulated servers are the source of truth: at the end
//! everything that they showed since the collectors' first look is in the table, each offset once, and `check` says so.

mod kills;
mod zombies;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fedilake_services::Services;
use rand::Rng;

use crate::live::Servers;
use crate::program::{Data, Running, Said, fedilake, signal, wait_until};

/// How many rounds a chaos test takes: few in `make test`, more in `make chaos`.
fn rounds(short: u32) -> u32 {
    match std::env::var("FEDILAKE_CHAOS_ROUNDS").ok().and_then(|rounds| rounds.parse::<u32>().ok()) {
        Some(rounds) => (rounds / 20).max(short),
        None => short,
    }
}

/// One system of collectors, sinks and readers.
pub struct Cluster {
    settings: Vec<(String, String)>,
    pub topic: String,
    data: Data,
}

impl Cluster {
    /// A new one, with a topic of this many partitions.
    pub fn new(services: &Services, partitions: u32) -> Cluster {
        let name = format!("it-{:08x}", rand::rng().random::<u32>());
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let settings = vec![
            set("FEDILAKE_LOG_URL", &format!("kafka://{}/{name}", services.kafka)),
            set("FEDILAKE_LOG_REGISTRY_URL", &services.registry),
            set("FEDILAKE_LOG_PARTITIONS", &partitions.to_string()),
            set("FEDILAKE_LOG_SESSION_TIMEOUT_MILLISECONDS", "3000"),
            set("FEDILAKE_COLLECT_SERVERS_TOPIC", &format!("{name}-servers")),
            set("FEDILAKE_COLLECT_GROUP", &format!("{name}-collect")),
            set("FEDILAKE_SINK_GROUP", &format!("{name}-sink")),
            set("FEDILAKE_TABLE_URL", &format!("s3://{}/{name}", services.s3.bucket)),
            // Small files, so that commits are under way most of the time.
            set("FEDILAKE_SINK_BUFFER_AGE_SECONDS_MAX", "1"),
            set("AWS_ENDPOINT_URL", &services.s3.endpoint),
            set("AWS_REGION", &services.s3.region),
            set("AWS_ACCESS_KEY_ID", &services.s3.key),
            set("AWS_SECRET_ACCESS_KEY", &services.s3.secret),
        ];
        Cluster { settings, topic: name, data: Data::new() }
    }

    /// The same with another value of a setting, by its variable.
    pub fn with(mut self, name: &str, value: &str) -> Cluster {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A command of the program on this system.
    pub fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = fedilake(arguments);
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    #[track_caller]
    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Said {
        let output = self.command(arguments).arg("--data").arg(self.data.path()).output();
        output.expect("the program starts").into()
    }

    /// Starts a command that keeps running.
    pub fn start<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Running {
        Running::start(&mut self.command(arguments))
    }

    /// Keeps a command running: whenever it ends with a failure, or is killed, it is started again.
    pub fn keep<S: AsRef<std::ffi::OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Kept {
        let arguments: Vec<std::ffi::OsString> = arguments.into_iter().map(|part| part.as_ref().to_owned()).collect();
        let settings = self.settings.clone();
        Kept::start(move || {
            let mut command = fedilake(&arguments);
            command.envs(settings.iter().map(|(name, value)| (name, value)));
            command
        })
    }

    /// A collector of these servers.
    pub fn collector(&self, servers: &Servers) -> Kept {
        let mut arguments = vec!["collect".to_owned()];
        arguments.extend(servers.flags());
        self.keep(arguments)
    }

    /// A sink that shares the partitions with all others.
    pub fn sink(&self) -> Kept {
        self.keep(["sink"])
    }

    /// The uris that a lake shows which has all that log and table have.
    #[track_caller]
    pub fn uris(&self) -> BTreeSet<String> {
        self.make_folder();
        let rows = self.run(["sql", "select uri from posts", "--format", "json"]).done().json();
        rows.as_array().unwrap().iter().map(|row| row["uri"].as_str().unwrap().to_owned()).collect()
    }

    /// A number that SQL gives.
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        self.make_folder();
        let rows = self.run(["sql", sql, "--format", "json"]).done().json();
        rows[0].as_object().unwrap().values().next().unwrap().as_i64().unwrap_or_else(|| panic!("{sql}: {rows}"))
    }

    /// How many data files the table has.
    #[track_caller]
    pub fn files(&self) -> u64 {
        self.make_folder();
        let said = self.run(["check", "--format", "json"]).json();
        said["files"].as_u64().unwrap()
    }

    /// What `check` says, which must find nothing.
    #[track_caller]
    pub fn check(&self) -> Said {
        self.make_folder();
        self.run(["check"]).done()
    }

    fn make_folder(&self) {
        std::fs::create_dir_all(self.data.path()).unwrap();
    }

    /// Waits until the collectors are at work, and returns from when on nothing may be missing.
    #[track_caller]
    pub fn first_look_ms(&self) -> i64 {
        wait_until("the first posts", || self.number("select count(*) from posts") > 20);
        chrono::Utc::now().timestamp_millis()
    }

    /// Waits for the end of the flow and of what it brings, ends everything, stores the rest, and holds table and lake against
    /// what the servers showed after `began_ms`. Returns how many posts there are.
    #[track_caller]
    pub fn settle(&self, servers: &[&Servers], began_ms: i64, collectors: Vec<Kept>, sinks: Vec<Kept>) -> usize {
        wait_until("the end of the flow", || {
            std::thread::sleep(Duration::from_millis(20));
            servers.iter().all(|servers| servers.simulation.is_quiet())
        });
        let shown: Vec<_> = servers.iter().flat_map(|servers| servers.simulation.truth()).collect();
        let expected: BTreeSet<String> = shown
            .iter()
            .filter(|post| post.shown_at_ms > began_ms && post.deleted_at_ms.is_none())
            .map(|post| post.uri.clone())
            .collect();
        wait_until("everything since the first look", || self.uris().is_superset(&expected));
        let restarts: u32 = collectors.into_iter().chain(sinks).map(Kept::stop).sum();
        self.run(["sink", "--once"]).done();
        let known: BTreeSet<&str> = shown.iter().map(|post| post.uri.as_str()).collect();
        let uris = self.uris();
        assert!(uris.iter().all(|uri| known.contains(uri.as_str())), "a post that nobody published");
        assert_eq!(expected.difference(&uris).count(), 0, "posts are lost");
        assert_eq!(self.number("select count(*) - count(distinct uri) from posts"), 0, "a post stands twice");
        let checked = self.check();
        println!("{} posts expected, {} there, {restarts} restarts\n{}", expected.len(), uris.len(), checked.stdout);
        expected.len()
    }
}

/// A process that a supervisor keeps running.
pub struct Kept {
    pid: Arc<AtomicU32>,
    ends: Arc<AtomicBool>,
    /// What the runs that failed said last.
    said: Arc<Mutex<Vec<String>>>,
    supervisor: Option<JoinHandle<u32>>,
}

impl Kept {
    fn start(command: impl Fn() -> Command + Send + 'static) -> Kept {
        let (pid, ends, said) = (Arc::new(AtomicU32::new(0)), Arc::<AtomicBool>::default(), Arc::default());
        let supervisor = std::thread::spawn({
            let (pid, ends, said): (_, _, Arc<Mutex<Vec<String>>>) = (pid.clone(), ends.clone(), Arc::clone(&said));
            move || {
                let mut restarts = 0;
                loop {
                    let running = Running::start(&mut command());
                    pid.store(running.pid(), SeqCst);
                    if ends.load(SeqCst) {
                        signal(running.pid(), "INT");
                    }
                    let ended = running.end();
                    if ends.load(SeqCst) && ended.code() == Some(0) {
                        return restarts;
                    }
                    restarts += 1;
                    said.lock().unwrap().push(format!("{:?}: {}", ended.status, ended.stderr));
                    // As a supervisor does, so that what fails at once does not spin.
                    std::thread::sleep(Duration::from_millis(200));
                }
            }
        });
        Kept { pid, ends, said, supervisor: Some(supervisor) }
    }

    /// The process that runs now.
    pub fn pid(&self) -> u32 {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            match self.pid.load(SeqCst) {
                0 => assert!(Instant::now() < deadline, "no process was started"),
                pid => return pid,
            }
            std::thread::yield_now();
        }
    }

    /// SIGKILL; the supervisor starts another.
    pub fn kill(&self) {
        // It may have ended by itself just now.
        let _ = Command::new("kill").args(["-KILL", &self.pid().to_string()]).status();
    }

    /// What the runs that failed said.
    pub fn failures(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// Ctrl-C, and the end with 0; how often it was started again.
    pub fn stop(mut self) -> u32 {
        self.ends.store(true, SeqCst);
        signal(self.pid(), "INT");
        let supervisor = self.supervisor.take().expect("stopped once");
        supervisor.join().expect("the supervisor ends")
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.supervisor.is_some() {
            // A test that failed: nothing is left behind, and what the process said explains it.
            self.ends.store(true, SeqCst);
            self.kill();
            eprintln!("failed runs: {:#?}", self.failures());
        }
    }
}
