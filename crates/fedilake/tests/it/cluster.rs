//! The program on real services: Kafka with Schema Registry for the log, an S3 store for the table.
//!
//! Each test has its own topic, prefix and data folder. The simulated servers are the source of truth: at the end the
//! table has everything that they showed since the collectors' first look, each offset once, and `check` finds
//! nothing.

mod away;
mod broker;
mod full_disk;
mod healthy;
mod hostile;
mod kills;
mod network;
mod reading;
mod retention;
mod schemas;
mod secure;
mod topics;
mod zombies;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fedilake_services::Services;
use fedilake_sim::Config;
use fedilake_sim::serve::RateLimits;
use futures::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ObjectStore, path::Path};
use rand::Rng;

use crate::live::Servers;
use crate::program::{Data, Running, Said, fedilake};

/// Posts a second of servers that publish continuously.
const RATE: f64 = 100.0;
/// The interval between two questions to a replica or a store.
const LOOK: Duration = Duration::from_millis(100);

/// The number of rounds of a chaos test: few in `make test`, more in `make chaos`.
fn rounds(short: u32) -> u32 {
    match std::env::var("FEDILAKE_CHAOS_ROUNDS").ok().and_then(|rounds| rounds.parse::<u32>().ok()) {
        Some(rounds) => (rounds / 20).max(short),
        None => short,
    }
}

/// Servers that publish continuously until [`Cluster::settle`].
fn flow(count: usize) -> Servers {
    flow_of(RATE, count)
}

/// Servers that publish at the rate of a busy server, for tests in which a part is away for minutes: a collector asks
/// a server for at most 280 pages in five minutes, and then waits.
fn slow_flow(count: usize) -> Servers {
    flow_of(RATE / 4.0, count)
}

fn flow_of(rate: f64, count: usize) -> Servers {
    Servers::start(Config {
        servers: count,
        rate,
        deletes: 0.02,
        backdated: 0.0,
        delay: Duration::from_millis(200),
        // A high limit, so that the tests need not wait for pages.
        limits: RateLimits { requests: 100_000, paged: 100_000, ..RateLimits::default() },
        ..Config::default()
    })
}

/// Servers that publish what [`publish`] asks for.
fn still(count: usize) -> Servers {
    Servers::start(Config { servers: count, rate: 0.0, ..Config::default() })
}

/// Publishes posts on all of the servers. Returns their uris.
fn publish(servers: &Servers, posts: usize) -> BTreeSet<String> {
    (0..posts).map(|_| servers.simulation.publish(0).uri).collect()
}

/// Waits between two faults; the test varies how long.
fn pause(dice: &mut impl Rng, longest: Duration) {
    std::thread::sleep(longest.mul_f64(dice.random_range(0.2..1.0)));
}

/// Waits until `done` holds, without using the CPU that the processes need. A broker that comes back on a busy
/// machine takes longer than any of our processes.
#[track_caller]
fn wait_for(what: impl What, mut done: impl FnMut() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(300);
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{} did not come within {PATIENCE:?}", what.text());
        std::thread::sleep(LOOK);
    }
}

/// A condition to wait for, named in the error if it does not come.
trait What {
    fn text(&self) -> String;
}

impl What for &str {
    fn text(&self) -> String {
        (*self).to_owned()
    }
}

impl<F: Fn() -> String> What for F {
    fn text(&self) -> String {
        self()
    }
}

/// Waits for a process that ends by itself.
#[track_caller]
fn end_of(running: Running) -> Said {
    wait_for("the end of a process", || !running.is_running());
    running.end()
}

/// One system of collectors, sinks and a replica.
pub struct Cluster {
    settings: Vec<(String, String)>,
    pub topic: String,
    services: Services,
    data: Arc<Data>,
    /// A `serve` on the data folder, started by the first question to the lake.
    replica: RefCell<Option<Kept>>,
}

/// The result of a test.
pub struct Settled {
    /// The number of posts that had to be there.
    pub posts: usize,
    /// The number of restarts of processes.
    pub restarts: u32,
}

impl Cluster {
    /// A new system, with a topic of this many partitions.
    pub fn new(services: &Services, partitions: u32) -> Cluster {
        let name = format!("it-{:08x}", rand::rng().random::<u32>());
        let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let settings = vec![
            set("FEDILAKE_LOG_URL", &format!("kafka://{}/{name}", services.kafka)),
            set("FEDILAKE_LOG_REGISTRY_URL", &services.registry),
            set("FEDILAKE_LOG_PARTITIONS", &partitions.to_string()),
            set("FEDILAKE_LOG_SESSION_TIMEOUT_MILLISECONDS", "2000"),
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
        let data = Arc::new(Data::new());
        Cluster { settings, topic: name, services: services.clone(), data, replica: RefCell::default() }
    }

    /// The same system with another value of a setting, named by its variable.
    pub fn with(mut self, name: &str, value: &str) -> Cluster {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same system with the same data folder, for other settings beside these.
    pub fn beside(&self) -> Cluster {
        let Cluster { settings, topic, services, data, .. } = self;
        let (settings, services) = (settings.clone(), services.clone());
        Cluster { settings, topic: topic.clone(), services, data: Arc::clone(data), replica: RefCell::default() }
    }

    /// The data folder of replicas and questions.
    pub fn folder(&self) -> std::path::PathBuf {
        self.data.path()
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

    /// Keeps a command running: starts it again whenever it fails or is killed.
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
        self.keep(self.collect(servers))
    }

    /// The arguments that collect these servers.
    pub fn collect(&self, servers: &Servers) -> Vec<String> {
        let mut arguments = vec!["collect".to_owned()];
        arguments.extend(servers.flags());
        arguments
    }

    /// A sink that shares the partitions with all others.
    pub fn sink(&self) -> Kept {
        self.keep(["sink"])
    }

    /// The arguments of a replica on the data folder.
    pub fn serve(&self) -> Vec<String> {
        let data = self.data.path().display().to_string();
        ["serve", "--listen", "127.0.0.1:0", "--data", &data].map(str::to_owned).into()
    }

    /// Starts the replica if it does not run, and waits until it answers.
    fn with_replica(&self) {
        if self.replica.borrow().is_some() {
            return;
        }
        *self.replica.borrow_mut() = Some(self.keep(self.serve()));
        // A question before the replica answers would take its folder.
        wait_for("the replica", || {
            std::fs::read_to_string(self.data.path().join("lock")).is_ok_and(|lock| lock.contains("secret"))
        });
    }

    /// The replica's rows for a question; `None` while it cannot answer.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> Option<serde_json::Value> {
        self.with_replica();
        let said = self.run(["sql", sql, "--format", "json"]);
        (said.code() == Some(0)).then(|| said.json())
    }

    /// The uris of the posts that the replica shows.
    #[track_caller]
    pub fn uris(&self) -> BTreeSet<String> {
        let rows = self.rows("select uri from posts").unwrap_or_default();
        let rows = rows.as_array().into_iter().flatten();
        rows.map(|row| row["uri"].as_str().unwrap().to_owned()).collect()
    }

    /// A number from SQL on the replica; 0 while it cannot answer.
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        let Some(rows) = self.rows(sql) else { return 0 };
        rows[0].as_object().unwrap().values().next().unwrap().as_i64().unwrap_or_else(|| panic!("{sql}: {rows}"))
    }

    /// The number of the table's data files, and of their partitions.
    #[track_caller]
    pub fn files(&self) -> (usize, usize) {
        let files = self.objects();
        let folders: BTreeSet<_> = files.iter().filter_map(|name| name.rsplit_once('/')).map(|(to, _)| to).collect();
        (files.len(), folders.len())
    }

    /// The bucket of the table.
    pub fn bucket(&self) -> AmazonS3 {
        let s3 = &self.services.s3;
        AmazonS3Builder::new()
            .with_endpoint(&s3.endpoint)
            .with_allow_http(true)
            .with_bucket_name(&s3.bucket)
            .with_region(&s3.region)
            .with_access_key_id(&s3.key)
            .with_secret_access_key(&s3.secret)
            .build()
            .unwrap()
    }

    /// The names of the table's Parquet files, in order.
    #[track_caller]
    pub fn objects(&self) -> Vec<String> {
        let store = self.bucket();
        let place = Path::from(format!("{}/posts", self.topic));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listed: Vec<_> = runtime.block_on(store.list(Some(&place)).try_collect()).unwrap();
        let names = listed.iter().map(|object| object.location.to_string());
        let mut files: Vec<String> = names.filter(|name| name.ends_with(".parquet")).collect();
        files.sort();
        files
    }

    /// Stores everything that the log holds, beside any running sinks.
    #[track_caller]
    pub fn store(&self) {
        self.run(["sink", "--once"]).done();
    }

    /// Ends the replica, if there is one, and returns the output of `check`, which must find nothing.
    #[track_caller]
    pub fn check(&self) -> Said {
        self.stopped_check().done()
    }

    /// The same, whatever it finds.
    #[track_caller]
    pub fn stopped_check(&self) -> Said {
        if let Some(replica) = self.replica.take() {
            replica.stop();
        }
        self.run(["check"])
    }

    /// Collects from servers that publish nothing by themselves until `posts` posts are shown and in a file. Collector and
    /// sink then end well, and the check finds nothing.
    #[track_caller]
    pub fn stores_what_is_published(&self, servers: &Servers, posts: usize) {
        let (collector, sink) = (self.collector(servers), self.sink());
        // What is published before the collector reads a stream may be missed by it.
        wait_for("the first post", || {
            publish(servers, 1);
            !self.uris().is_empty()
        });
        let later = publish(servers, posts);
        wait_for("all posts", || self.uris().is_superset(&later));
        wait_for("a file", || self.files().0 > 0);
        assert_eq!((collector.stop(), sink.stop()), (0, 0));
        self.store();
        self.check();
    }

    /// Waits until the collectors are at work. Returns the time from which no post may be missing.
    #[track_caller]
    pub fn first_look_ms(&self) -> i64 {
        wait_for("the first posts", || self.number("select count(*) from posts") > 20);
        chrono::Utc::now().timestamp_millis()
    }

    /// Ends the publishing, waits for its posts, ends all processes, stores the rest, and compares table and lake
    /// with what the servers showed after `began_ms`.
    #[track_caller]
    pub fn settle(&self, servers: &[&Servers], began_ms: i64, collectors: Vec<Kept>, sinks: Vec<Kept>) -> Settled {
        servers.iter().for_each(|servers| servers.simulation.end_flow());
        let shown: Vec<_> = servers.iter().flat_map(|servers| servers.simulation.truth()).collect();
        // Posts deleted at only one server, because publishing ended before the others heard of it.
        let deleted: BTreeSet<&str> =
            shown.iter().filter(|post| post.deleted_at_ms.is_some()).map(|post| post.uri.as_str()).collect();
        let expected: BTreeSet<String> = shown
            .iter()
            .filter(|post| post.shown_at_ms > began_ms && !deleted.contains(post.uri.as_str()))
            .map(|post| post.uri.clone())
            .collect();
        let lacks = RefCell::new(expected.len());
        let all = || {
            *lacks.borrow_mut() = expected.difference(&self.uris()).count();
            *lacks.borrow() == 0
        };
        wait_for(|| format!("{} of {} posts since the first look", lacks.borrow(), expected.len()), all);
        let restarts: u32 = collectors.into_iter().chain(sinks).map(Kept::stop).sum();
        self.store();
        let known: BTreeSet<&str> = shown.iter().map(|post| post.uri.as_str()).collect();
        let uris = self.uris();
        assert!(uris.iter().all(|uri| known.contains(uri.as_str())), "a post that nobody published");
        assert_eq!(expected.difference(&uris).count(), 0, "posts are lost");
        assert_eq!(self.number("select count(*) - count(distinct uri) from posts"), 0, "a post stands twice");
        let checked = self.check();
        println!("{} posts expected, {} there, {restarts} restarts\n{}", expected.len(), uris.len(), checked.stdout);
        Settled { posts: expected.len(), restarts }
    }
}

/// A process that a supervisor keeps running.
pub struct Kept {
    pid: Arc<AtomicU32>,
    ends: Arc<AtomicBool>,
    /// The last output of the failed runs.
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
                while !ends.load(SeqCst) {
                    let running = Running::start(&mut command());
                    pid.store(running.pid(), SeqCst);
                    let ended = running.end();
                    // A signal may come before the program handles it.
                    let as_told = ended.code() == Some(0) || ended.status.signal() == Some(2);
                    if ends.load(SeqCst) && as_told {
                        return restarts;
                    }
                    restarts += 1;
                    said.lock().unwrap().push(format!("{:?}: {}", ended.status, ended.stderr));
                    // A pause as of a real supervisor, so that a command that fails at once does not spin.
                    std::thread::sleep(Duration::from_millis(200));
                }
                restarts
            }
        });
        Kept { pid, ends, said, supervisor: Some(supervisor) }
    }

    /// The id of the present process.
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

    /// Sends SIGKILL; the supervisor starts another process.
    pub fn kill(&self) {
        // The process may have just ended by itself.
        let _ = Command::new("kill").args(["-KILL", &self.pid().to_string()]).stderr(Stdio::null()).status();
    }

    /// The output of the failed runs.
    pub fn failures(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    /// Stops the process as Ctrl-C does, and waits for its end. Returns how often it was started again or failed.
    pub fn stop(mut self) -> u32 {
        self.ends.store(true, SeqCst);
        let supervisor = self.supervisor.as_ref().expect("stopped once");
        while !supervisor.is_finished() {
            // Sent again, because the process may have just been started; not soon, because a second signal ends it
            // at once.
            let _ = Command::new("kill").args(["-INT", &self.pid().to_string()]).stderr(Stdio::null()).status();
            let again = Instant::now() + Duration::from_secs(20);
            while !supervisor.is_finished() && Instant::now() < again {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let supervisor = self.supervisor.take().expect("stopped once");
        let restarts = supervisor.join().expect("the supervisor ends");
        self.failures().iter().for_each(|said| println!("a run that was not asked to ended: {said}"));
        restarts
    }
}

impl Drop for Kept {
    #[allow(clippy::print_stderr)]
    fn drop(&mut self) {
        if self.supervisor.is_some() {
            // If a test failed, no process is left behind, and its output explains the failure.
            self.ends.store(true, SeqCst);
            self.kill();
            eprintln!("failed runs: {:#?}", self.failures());
        }
    }
}
