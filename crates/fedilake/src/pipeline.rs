//! The loops of one process: the sink (log → table), the follower (table and log → lake), the server that answers.
//!
//! They stop in the order of the data's way: whoever appends is done before [`Pipeline::stop`] is called; the sink flushes;
//! the follower reaches the log's end; the server goes last, after its questions, which end first. Then the lake is closed, the
//! log, and at last the folder is let go.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_log::{Offset, Partition};
use fedilake_table::sink::{self, SinkProgress};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::behind::Behind;
use crate::check::Checker;
use crate::follow::Follower;
use crate::lake_process::LakeProcess;
use crate::owner::Ownership;
use crate::progress;
use crate::serve::{self, Server};
use crate::settings::Settings;
use crate::sizes::Sizes;
use crate::wire::{self, Stores, Use};

/// How long the loops may take to finish what was accepted.
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// Loops that run, and what they work on.
pub struct Pipeline {
    pub lake: Arc<LakeProcess>,
    pub stores: Stores,
    /// Of the data folder, which the lake is in.
    ownership: Arc<Ownership>,
    /// Where the server answers, if there is one.
    pub address: Option<SocketAddr>,
    sink: Option<Loop>,
    /// How far the sink is, if it stores all of the log.
    sink_of_all: Option<Arc<SinkProgress>>,
    follower: Loop,
    server: Option<Loop>,
    /// Ends the server's questions.
    questions: CancellationToken,
    reached: watch::Receiver<HashMap<Partition, Offset>>,
    _sizes: Sizes,
}

/// Which loops run beside the follower.
#[derive(Debug, Clone, Copy)]
pub struct Loops {
    pub sink: Sinks,
    /// Where the server listens, if it runs.
    pub listen: Option<SocketAddr>,
}

/// Whether a sink runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sinks {
    No,
    /// One that shares the log's partitions with others.
    Shared,
    /// One that has all of the log in the table when the pipeline has stopped, whoever else sinks.
    All,
}

struct Loop {
    name: &'static str,
    stop: CancellationToken,
    /// None once its end was seen.
    task: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Loop {
    fn spawn<F>(name: &'static str, run: impl FnOnce(CancellationToken) -> F) -> Loop
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        Loop { name, task: Some(tokio::spawn(run(stop.clone()))), stop }
    }

    /// Whether its end was not seen yet.
    fn runs(&self) -> bool {
        self.task.is_some()
    }

    /// Its end, seen once: later calls wait for ever. Cancel-safe.
    async fn end(&mut self) -> anyhow::Result<()> {
        let Some(task) = &mut self.task else { return std::future::pending().await };
        let end = task.await;
        self.task = None;
        end.with_context(|| format!("{} broke off", self.name))?
    }

    /// Its end before it was told to stop: a failure.
    async fn early_end(&mut self) -> anyhow::Error {
        match self.end().await {
            Ok(()) => anyhow::anyhow!("{} ended early", self.name),
            Err(error) => error,
        }
    }

    /// Tells it to stop and waits for its end; one whose end was seen already has nothing to add.
    async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        if self.task.is_none() {
            return Ok(());
        }
        match tokio::time::timeout(DRAIN_DEADLINE, self.end()).await {
            Ok(end) => end,
            Err(_) => bail!(
                "{} did not finish within {} s; nothing is lost, the next start goes on",
                self.name,
                DRAIN_DEADLINE.as_secs()
            ),
        }
    }
}

/// The early end of a loop that may not be there.
async fn early_end(maybe: &mut Option<Loop>) -> anyhow::Error {
    match maybe {
        Some(running) => running.early_end().await,
        None => std::future::pending().await,
    }
}

impl Pipeline {
    /// Opens log, table and lake and starts the loops. Nothing was begun when the port is not free.
    pub async fn start(
        ownership: impl Into<Arc<Ownership>>,
        settings: &Settings,
        loops: Loops,
    ) -> anyhow::Result<Pipeline> {
        let ownership = ownership.into();
        let listener = match loops.listen {
            None => None,
            Some(listen) => Some(serve::listen(listen).await?),
        };
        // Its process starts while the log is opened.
        let lake = Arc::new(wire::open_lake(Arc::clone(&ownership), settings)?);
        let used = if loops.sink == Sinks::No { Use::Read } else { Use::Write };
        let stores = Stores::open(Some(&ownership), settings, used).await?;
        let limits = wire::sink_limits(settings)?;
        let sql_limits = wire::sql_limits(settings)?;
        opened(&lake).await?;
        let sink_reader = match loops.sink {
            Sinks::No => None,
            Sinks::Shared => Some(stores.log.sink_reader()?),
            Sinks::All => Some(stores.log.reader()?),
        };
        let progress = Arc::new(SinkProgress::default());
        let sink_of_all = (loops.sink == Sinks::All).then(|| Arc::clone(&progress));
        let sink = sink_reader.map(|reader| {
            let table = Arc::clone(&stores.table);
            Loop::spawn("the sink", |stop| async move {
                sink::run(reader, table, limits, progress, stop).await.map(|_| ()).map_err(with_hint)
            })
        });
        let follower = Follower::new(&stores, Arc::clone(&lake), chunks_folder(&ownership))?;
        let reached = follower.reached();
        let follower = Loop::spawn("the follower", |stop| follower.run(stop));
        let questions = CancellationToken::new();
        let (mut server, mut address) = (None, None);
        if let Some(listener) = listener {
            let checker = checker(&stores, &lake, reached.clone(), &ownership);
            let behind = Behind::watch(stores.log.reader()?, reached.clone());
            let behind_max = settings.seconds("lake.ready_seconds_max")?;
            let answering =
                Server::new(listener, checker, Arc::clone(&lake), sql_limits, questions.clone(), behind, behind_max)?;
            ownership.publish(answering.address(), answering.secret())?;
            address = Some(answering.address());
            server = Some(Loop::spawn("the server", |stop| answering.run(stop)));
        }
        let sizes = Sizes::watch(wire::parts(ownership.folder(), settings)?);
        Ok(Pipeline {
            lake,
            stores,
            ownership,
            address,
            sink,
            sink_of_all,
            follower,
            server,
            questions,
            reached,
            _sizes: sizes,
        })
    }

    /// What a check works on.
    pub fn checker(&self) -> Checker {
        checker(&self.stores, &self.lake, self.reached.clone(), &self.ownership)
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.ownership.folder()
    }

    /// Whether the follower has ended, which is a failure that [`Pipeline::failure`] tells.
    pub fn follower_ended(&self) -> bool {
        self.reached.has_changed().is_err()
    }

    /// Resolves when a loop fails, once; pending for ever while all run. Cancel-safe.
    pub async fn failure(&mut self) -> anyhow::Error {
        let error = tokio::select! {
            error = early_end(&mut self.sink) => error,
            error = self.follower.early_end() => error,
            error = early_end(&mut self.server) => error,
            error = self.ownership.lost() => return error,
        };
        // A loop that stumbles over the missing folder ends first, with a file's name.
        if self.ownership.is_in_place() { error } else { self.ownership.moved() }
    }

    /// Returns when the lake has everything that the log held at the call, or a loop fails.
    pub async fn lake_catches_up(&mut self) -> anyhow::Result<()> {
        let mut reader = self.stores.log.reader()?;
        let mut reached = self.reached.clone();
        let caught_up = async {
            for partition in reader.partitions().await.context("read the log")? {
                let end = reader.bounds(partition).await.context("read the log's end")?.end;
                let is_there = |reached: &HashMap<Partition, Offset>| {
                    reached.get(&partition).is_some_and(|position| *position >= end)
                };
                if reached.wait_for(is_there).await.is_err() {
                    return Ok(CaughtUp::FollowerGone);
                }
            }
            anyhow::Ok(CaughtUp::Yes)
        };
        let caught_up = tokio::select! {
            caught_up = caught_up => caught_up?,
            failure = self.failure() => return Err(failure),
        };
        match caught_up {
            CaughtUp::Yes => Ok(()),
            CaughtUp::FollowerGone => Err(self.failure().await),
        }
    }

    /// Ends the questions, flushes the sink, lets the lake catch up, ends the server, closes the lake. All that was appended is in
    /// the table afterwards, also when the lake could not follow.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.questions.cancel();
        if let Some(progress) = self.sink_of_all.take().filter(|_| self.sink.as_ref().is_some_and(Loop::runs)) {
            // It stores what it holds when it is told to stop, not what it has not read yet.
            let log = self.stores.log.clone();
            let all_read = progress::all_read(&log, &progress);
            tokio::select! {
                read = tokio::time::timeout(DRAIN_DEADLINE, all_read) => {
                    read.context("the sink did not read the log in time; the next start goes on")??;
                }
                error = self.failure() => return Err(error),
            }
        }
        if let Some(sink) = self.sink.take() {
            sink.stop().await?;
        }
        if self.follower.runs() {
            tokio::time::timeout(DRAIN_DEADLINE, self.lake_catches_up())
                .await
                .context("the lake did not catch up in time; the next start goes on")??;
        }
        self.follower.stop().await?;
        if let Some(server) = self.server {
            server.stop().await?;
        }
        let lake = self.lake;
        tokio::task::spawn_blocking(move || drop(lake)).await.context("close the lake")
    }
}

/// Where what the lake takes lies for a while.
fn chunks_folder(ownership: &Ownership) -> PathBuf {
    ownership.folder().join("tmp")
}

fn checker(
    stores: &Stores,
    lake: &Arc<LakeProcess>,
    reached: watch::Receiver<HashMap<Partition, Offset>>,
    ownership: &Ownership,
) -> Checker {
    Checker {
        table: Arc::clone(&stores.table),
        files: stores.files.clone(),
        chunks_folder: chunks_folder(ownership),
        readers: Arc::clone(&stores.log.readers),
        lake: Arc::clone(lake),
        reached,
    }
}

/// Whether the lake caught up, or its follower ended, which its own error explains.
enum CaughtUp {
    Yes,
    FollowerGone,
}

async fn opened(lake: &Arc<LakeProcess>) -> anyhow::Result<()> {
    let lake = Arc::clone(lake);
    tokio::task::spawn_blocking(move || lake.opened()).await?.context("open the lake")
}

/// The sink's error with what a person can do about it.
pub fn with_hint(error: sink::SinkError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => anyhow::anyhow!("store posts: {error}\nhint: {hint}"),
        None => anyhow::Error::new(error).context("store posts"),
    }
}
