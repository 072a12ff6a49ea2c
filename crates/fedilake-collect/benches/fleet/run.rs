//! A collector that runs in this process, on an embedded log in a temporary folder, as the program's does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fedilake_collect::collector::{self, CollectError};
use fedilake_collect::{CollectorSettings, Counts, ServerConfig, ServerState};
use fedilake_log::embedded::EmbeddedLog;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::lags::TimedLog;

/// Time between two looks at the states of the servers.
const LOOK: Duration = Duration::from_millis(500);

pub(crate) struct Run {
    pub(crate) log: Arc<TimedLog>,
    pub(crate) counts: Arc<Counts>,
    stop: CancellationToken,
    run: JoinHandle<Result<(), CollectError>>,
    runtime: Runtime,
    _folder: tempfile::TempDir,
}

impl Run {
    /// Starts the collector of `servers`.
    pub(crate) fn start(servers: Vec<ServerConfig>, settings: CollectorSettings) -> anyhow::Result<Run> {
        let folder = tempfile::Builder::new().prefix("fedilake-bench").tempdir().context("make a folder")?;
        let log = Arc::new(EmbeddedLog::open(folder.path().join("log"))?);
        let timed = Arc::new(TimedLog::new(log.clone()));
        let (counts, stop) = (Arc::new(Counts::default()), CancellationToken::new());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let run = collector::run(servers, settings, timed.clone(), log, counts.clone(), stop.clone());
        let run = runtime.spawn(run);
        Ok(Run { log: timed, counts, stop, run, runtime, _folder: folder })
    }

    /// Waits until all servers stream; returns the time that it took, or None after `patience`.
    pub(crate) fn until_all_stream(&mut self, servers: usize, patience: Duration) -> anyhow::Result<Option<Duration>> {
        let began = Instant::now();
        while began.elapsed() < patience {
            self.goes_on()?;
            let live = self.counts.snapshot().iter().filter(|server| server.state == ServerState::Live).count();
            if live == servers {
                return Ok(Some(began.elapsed()));
            }
            std::thread::sleep(LOOK);
        }
        Ok(None)
    }

    /// The error of a collector that ended.
    fn goes_on(&mut self) -> anyhow::Result<()> {
        if self.run.is_finished() {
            self.runtime.block_on(&mut self.run)??;
            bail!("the collector ended by itself");
        }
        Ok(())
    }

    /// Waits until nothing was accepted for `calm`, for `patience` at most.
    pub(crate) fn until_calm(&mut self, calm: Duration, patience: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        let (mut accepted, mut since) = (self.counts.tally().accepted, Instant::now());
        while since.elapsed() < calm && began.elapsed() < patience {
            self.goes_on()?;
            std::thread::sleep(LOOK);
            let now = self.counts.tally().accepted;
            if now != accepted {
                (accepted, since) = (now, Instant::now());
            }
        }
        Ok(())
    }

    /// Failures so far, of all servers, by kind.
    pub(crate) fn failures(&self) -> BTreeMap<&'static str, u64> {
        let mut failures = BTreeMap::new();
        for server in self.counts.snapshot() {
            for (kind, count) in server.failures {
                *failures.entry(kind).or_default() += count;
            }
        }
        failures
    }

    /// Stops the collector; everything accepted is durable.
    pub(crate) fn stop(self) -> anyhow::Result<Arc<TimedLog>> {
        self.stop.cancel();
        self.runtime.block_on(self.run)??;
        Ok(self.log)
    }
}
