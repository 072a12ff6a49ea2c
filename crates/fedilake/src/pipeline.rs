//! The loops of one process: the sink (log → table), the follower (table and log → lake), the server that answers.
//!
//! They stop in the order of the data's way: whoever appends is done before [`Pipeline::stop`] is called; the sink flushes;
//! the follower reaches the log's end; the server goes last.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_log::{Offset, Partition};
use fedilake_query::Lake;
use fedilake_table::sink::{self, SinkProgress};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::follow::Follower;
use crate::serve::Server;
use crate::settings::Settings;
use crate::wire::{self, Stores};

/// How long the loops may take to finish what was accepted.
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// Loops that run, and what they work on.
pub struct Pipeline {
    pub stores: Stores,
    pub lake: Arc<Lake>,
    /// Where the server answers, if there is one.
    pub address: Option<SocketAddr>,
    sink: Option<Loop>,
    follower: Loop,
    server: Option<Loop>,
    reached: watch::Receiver<HashMap<Partition, Offset>>,
}

/// Which loops run beside the follower.
#[derive(Debug, Clone, Copy)]
pub struct Loops {
    /// Whether the sink runs.
    pub sink: bool,
    /// Where the server listens, if it runs.
    pub listen: Option<SocketAddr>,
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
    /// Opens the lake and starts the loops.
    pub async fn start(mut stores: Stores, settings: &Settings, loops: Loops) -> anyhow::Result<Pipeline> {
        let lake = open_lake(&stores, settings).await?;
        let sink = match loops.sink {
            false => None,
            true => {
                let limits = wire::sink_limits(settings)?;
                let (reader, table, progress) =
                    (stores.reader(), Arc::clone(&stores.table), Arc::new(SinkProgress::default()));
                Some(Loop::spawn("the sink", |stop| async move {
                    sink::run(reader, table, limits, progress, stop).await.map(|_| ()).map_err(with_hint)
                }))
            }
        };
        let follower = Follower::new(&stores, Arc::clone(&lake))?;
        let reached = follower.reached();
        let follower = Loop::spawn("the follower", |stop| follower.run(stop));
        let (server, address) = match loops.listen {
            None => (None, None),
            Some(listen) => {
                let server =
                    Server::bind(listen, &stores, Arc::clone(&lake), settings.seconds("sql.seconds_max")?).await?;
                let address = server.address();
                stores.ownership().publish(address, server.secret())?;
                (Some(Loop::spawn("the server", |stop| server.run(stop))), Some(address))
            }
        };
        Ok(Pipeline { stores, lake, address, sink, follower, server, reached })
    }

    /// Resolves when a loop fails, once; pending for ever while all run. Cancel-safe.
    pub async fn failure(&mut self) -> anyhow::Error {
        tokio::select! {
            error = early_end(&mut self.sink) => error,
            error = self.follower.early_end() => error,
            error = early_end(&mut self.server) => error,
        }
    }

    /// Returns when the lake has everything that the log held at the call, or a loop fails.
    pub async fn lake_catches_up(&mut self) -> anyhow::Result<()> {
        let mut reader = self.stores.reader();
        let mut reached = self.reached.clone();
        let caught_up = async {
            // The follower publishes a position as soon as it has a partition.
            let partitions: Vec<Partition> = match reached.wait_for(|reached| !reached.is_empty()).await {
                Ok(reached) => reached.keys().copied().collect(),
                Err(_) => return Ok(CaughtUp::FollowerGone),
            };
            for partition in partitions {
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

    /// Flushes the sink, lets the lake catch up, ends the server. All that was appended is in the table afterwards, also when
    /// the lake could not follow.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(sink) = self.sink.take() {
            sink.stop().await?;
        }
        if self.follower.task.is_some() {
            tokio::time::timeout(DRAIN_DEADLINE, self.lake_catches_up())
                .await
                .context("the lake did not catch up in time; the next start goes on")??;
        }
        self.follower.stop().await?;
        match self.server {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }
}

/// Whether the lake caught up, or its follower ended, which its own error explains.
enum CaughtUp {
    Yes,
    FollowerGone,
}

async fn open_lake(stores: &Stores, settings: &Settings) -> anyhow::Result<Arc<Lake>> {
    let (folder, settings) = (stores.folder().to_owned(), settings.clone());
    Ok(Arc::new(tokio::task::spawn_blocking(move || wire::open_lake(&folder, &settings)).await??))
}

/// The sink's error with what a person can do about it.
pub fn with_hint(error: sink::SinkError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => anyhow::anyhow!("store posts: {error}\nhint: {hint}"),
        None => anyhow::Error::new(error).context("store posts"),
    }
}
