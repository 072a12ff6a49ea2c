//! A private set of services, to be killed, paused and started again.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{os::unix::process::CommandExt as _, thread};

use crate::{S3, Services, missing};

/// The ways to a broker that asks who one is. Users of SASL, by PLAIN and SCRAM-SHA-512: `fedilake`, who may do everything, with
/// the password `fedilake-secret`; `reader`, by PLAIN alone, who may do what access rules say, with `reader-secret`.
#[derive(Debug, Clone)]
pub struct Secure {
    /// The listener with TLS, `host:port`.
    pub tls: String,
    /// The listener with SASL over TLS, `host:port`.
    pub sasl: String,
    /// The certificate (PEM) of the authority that signed the broker's.
    pub ca_file: PathBuf,
    /// The certificate (PEM) of an authority that did not.
    pub other_ca_file: PathBuf,
}

/// Services of the test's own, on free ports, with their data in a temporary folder. Several sets may run at once.
///
/// When the value is dropped, or the test's process ends in any way, the services are killed and the folder is
/// removed.
#[derive(Debug)]
pub struct Own {
    run: PathBuf,
    /// A process that kills the set when its standard input ends.
    guard: Child,
}

impl Own {
    /// Starts the named services (of `kafka pg registry s3 proxy`) and waits until each answers, about 3 s; `None` after saying
    /// that the calling test is skipped, where nothing is installed. With `pg` the registry keeps its schemas there and survives
    /// being killed; without, it forgets them. Panics if a service does not start, or if FEDILAKE_REQUIRE_SERVICES is set and
    /// nothing is installed.
    pub fn start(names: &[&str]) -> Option<Self> {
        Self::start_with(names, &[])
    }

    /// Starts the services as [`Own::start`] does, with a broker that has listeners with TLS and SASL, and access rules: see
    /// [`Secure`].
    pub fn start_secure(names: &[&str]) -> Option<Self> {
        Self::start_with(names, &[("FEDILAKE_SERVICES_SECURE", "yes")])
    }

    fn start_with(names: &[&str], variables: &[(&str, &str)]) -> Option<Self> {
        if !script("install").arg("--check").status().expect("bash runs").success() {
            // The harness names a test's thread after the test.
            return missing(thread::current().name().unwrap_or("a test"), "no services here (not installed)");
        }
        let run = tempfile::Builder::new().prefix("fedilake-services-").tempdir().expect("a temporary folder").keep();
        let guard = script("svc")
            .arg("guard")
            .env("FEDILAKE_SERVICES_RUN", &run)
            .stdin(Stdio::piped())
            // In its own process group, so that a Ctrl-C which ends the test does not stop the clean-up.
            .process_group(0)
            .spawn()
            .expect("bash runs");
        let own = Self { run, guard };
        own.svc_with("start", names, variables);
        Some(own)
    }

    /// The secure ways to the broker of a set that [`Own::start_secure`] started.
    pub fn secure(&self) -> Secure {
        let folder = self.run.join("secure");
        Secure {
            tls: self.value("FEDILAKE_TEST_KAFKA_TLS"),
            sasl: self.value("FEDILAKE_TEST_KAFKA_SASL"),
            ca_file: folder.join("ca.pem"),
            other_ca_file: folder.join("other.pem"),
        }
    }

    /// The services' addresses. A proxied broker is there if the set has both `kafka` and `proxy`.
    pub fn services(&self) -> Services {
        let value = |name: &str| self.value(name);
        Services {
            kafka: value("FEDILAKE_TEST_KAFKA"),
            kafka_proxied: value("FEDILAKE_TEST_KAFKA_PROXIED"),
            registry: value("FEDILAKE_TEST_REGISTRY"),
            s3: S3 { endpoint: value("FEDILAKE_TEST_S3"), ..S3::default() },
            proxy: value("FEDILAKE_TEST_PROXY"),
        }
    }

    /// A variable of the set's file `env`; empty if it is not there.
    fn value(&self, name: &str) -> String {
        let lines = fs::read_to_string(self.run.join("env")).expect("svc start wrote env");
        let value = lines.lines().find_map(|line| line.strip_prefix("export ")?.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_default().to_owned()
    }

    /// The output of `svc variables`: shell commands with which the program finds the set.
    pub fn variables(&self) -> String {
        let output = script("svc").arg("variables").env("FEDILAKE_SERVICES_RUN", &self.run).output();
        String::from_utf8(output.expect("bash runs").stdout).expect("variables are text")
    }

    /// The folder of the set's data, logs and settings: `data/NAME`, `NAME.log`.
    pub fn folder(&self) -> &Path {
        &self.run
    }

    /// Sends SIGKILL to a service; its data stays. Returns when its port is free.
    pub fn kill9(&self, name: &str) {
        self.svc("kill9", &[name]);
    }

    /// Starts a service again on its port and with its data, and waits until it answers.
    pub fn start_again(&self, name: &str) {
        self.svc("start", &[name]);
    }

    /// Asks a service to end, and waits until it has ended.
    pub fn stop(&self, name: &str) {
        self.svc("stop", &[name]);
    }

    /// Sends SIGSTOP to a service: connections are accepted, but nothing is answered.
    pub fn pause(&self, name: &str) {
        self.svc("pause", &[name]);
    }

    /// Sends SIGCONT to a service.
    pub fn resume(&self, name: &str) {
        self.svc("resume", &[name]);
    }

    /// Simulates a full disk: none of the service's files can grow until it is started again.
    pub fn fill_disk(&self, name: &str) {
        let record = fs::read_to_string(self.run.join(format!("{name}.pid"))).expect("it was started");
        let pid = record.split(' ').next().expect("a record begins with the process");
        // The limit on the size of a file needs no privilege, and fails the same writes.
        let limited = Command::new("prlimit").args(["--pid", pid, "--fsize=1:"]).status().expect("prlimit runs");
        assert!(limited.success(), "limit the files of {name}, process {pid}");
    }

    /// Waits until a service answers.
    pub fn wait(&self, name: &str) {
        self.svc("wait", &[name]);
    }

    fn svc(&self, verb: &str, names: &[&str]) {
        self.svc_with(verb, names, &[]);
    }

    fn svc_with(&self, verb: &str, names: &[&str], variables: &[(&str, &str)]) {
        let mut svc = script("svc");
        svc.arg(verb).args(names).env("FEDILAKE_SERVICES_RUN", &self.run).envs(variables.iter().copied());
        let output = svc.output();
        let output = output.expect("bash runs");
        assert!(output.status.success(), "svc {verb} {names:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // A panic here would hide the test's own panic.
        let _ = self.guard.wait();
    }
}

fn script(name: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new("bash");
    command.arg(root.join("scripts/services").join(name));
    // Without the environment's variable, which may name the shared set.
    command.env_remove("FEDILAKE_SERVICES_RUN").stdin(Stdio::null());
    if let Some(folder) = env::var_os("FEDILAKE_SERVICES_DIR") {
        command.env("FEDILAKE_SERVICES_DIR", folder);
    }
    command
}
