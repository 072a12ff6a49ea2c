//! The real services that tests run against: a Kafka broker, a Schema Registry, an S3 store and a network proxy.
//!
//! For tests only. `make services` installs and starts one shared set, which `Services::shared` finds. Tests share
//! it, so each uses its own topics, subjects and prefixes, and kills nothing. A test that kills, pauses or cuts
//! services starts a private set with `Own::start`, which ends with the test. `Toxics` makes the network bad, also
//! for a shared service, by a proxy of the test's own in front of it.
//!
//! A failure here fails the test: every method panics with the attempt and the service's answer. Without services a
//! test prints `skipped: …` and passes, or fails if FEDILAKE_REQUIRE_SERVICES is set.

mod http;
mod https;
mod own;
mod toxics;

use std::env;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

pub use https::Https;
pub use own::{Own, Secure};
pub use toxics::{Proxy, Stream, Toxic, Toxics};

/// The addresses of a set's services. The address of a missing service is empty.
#[derive(Debug, Clone, Default)]
pub struct Services {
    /// The broker, `host:port`.
    pub kafka: String,
    /// The broker behind the proxy named `kafka`, `host:port`. Clients that connect here are told to stay on this
    /// address.
    pub kafka_proxied: String,
    /// The Schema Registry's URL.
    pub registry: String,
    /// The S3 store.
    pub s3: S3,
    /// The URL of toxiproxy's API.
    pub proxy: String,
}

/// An S3 store and its credentials. The bucket exists; addresses are path style.
#[derive(Debug, Clone)]
pub struct S3 {
    /// The store's URL.
    pub endpoint: String,
    /// The bucket that tests share.
    pub bucket: String,
    /// Access key id.
    pub key: String,
    /// Secret access key.
    pub secret: String,
    /// Region that requests are signed for.
    pub region: String,
}

impl Default for S3 {
    fn default() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            endpoint: String::new(),
            bucket: text("fedilake"),
            key: text("fedilake"),
            secret: text("fedilake-secret"),
            region: text("us-east-1"),
        }
    }
}

impl Services {
    /// The shared set, from the variables that `make test` (or `. .services/run/env`) sets. `None` after printing
    /// that `test` is skipped. Panics if there are none and FEDILAKE_REQUIRE_SERVICES is set.
    pub fn shared(test: &str) -> Option<Self> {
        let named = |service: &str, name: &str| {
            let value = env::var(name).ok().filter(|value| !value.is_empty());
            value.or_else(|| missing(test, &format!("no {service} here ({name} is not set)")))
        };
        Some(Self {
            kafka: named("Kafka", "FEDILAKE_TEST_KAFKA")?,
            kafka_proxied: named("Kafka behind a proxy", "FEDILAKE_TEST_KAFKA_PROXIED")?,
            registry: named("Schema Registry", "FEDILAKE_TEST_REGISTRY")?,
            s3: S3 { endpoint: named("S3 store", "FEDILAKE_TEST_S3")?, ..S3::default() },
            proxy: named("network proxy", "FEDILAKE_TEST_PROXY")?,
        })
    }

    /// The environment that lets a process find the S3 store: the usual AWS variables.
    pub fn aws_environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT_URL", self.s3.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", self.s3.key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.s3.secret.clone()),
            ("AWS_REGION", self.s3.region.clone()),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]
    }
}

/// A Python with other engines that can read a table, among them DuckDB and its extension httpfs. `None` after
/// printing that `test` is skipped.
pub fn python(test: &str) -> Option<PathBuf> {
    let named = env::var_os("FEDILAKE_TEST_PYTHON").filter(|value| !value.is_empty()).map(PathBuf::from);
    named.or_else(|| missing(test, "no Python here (FEDILAKE_TEST_PYTHON is not set)"))
}

/// The file of DuckDB's extension httpfs that this Python brings.
pub fn httpfs(python: &Path) -> PathBuf {
    const FIND: &str = "import duckdb_extension_httpfs as e, pathlib; \
        print(next(pathlib.Path(e.__file__).parent.rglob('httpfs.duckdb_extension')))";
    let found = Command::new(python).args(["-c", FIND]).output().expect("the named Python runs");
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    PathBuf::from(String::from_utf8_lossy(&found.stdout).trim())
}

/// Prints that a test is skipped, or fails it if services are required. For what a machine may lack: a service, or a program.
pub fn missing<T>(test: &str, what: &str) -> Option<T> {
    let required = env::var_os("FEDILAKE_REQUIRE_SERVICES").is_some_and(|value| !value.is_empty());
    assert!(
        !required,
        "{test}: {what}\nhint: run `make services`, then `. .services/run/env`; install a program that is named"
    );
    skipped(test, what);
    None
}

/// Prints that a test is skipped, because there is `no …`. `scripts/test` counts these lines.
pub fn skipped(test: &str, what: &str) {
    // eprintln! would not do: the test harness hides its output for a test that passes.
    let _ = writeln!(io::stderr(), "skipped: {test}: {what}");
}
