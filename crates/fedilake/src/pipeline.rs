//! The loops of one process: the sink (log → table), the follower (table and log → lake), and the server that answers
//! questions.
//!
//! They stop in the order of the posts' way. Collectors and other writers have ended before [`Pipeline::stop`] is
//! called; then questions end, the sink flushes, the follower reaches the log's end, and the server ends. At last the
//! lake and the log are closed and the folder is released.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_collect::Counts;
use fedilake_collect::admission::Admission;
use fedilake_log::{Offset, Partition};
use fedilake_table::sink::{self, SinkProgress};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::behind::{Behind, Distance};
use crate::check::Checker;
use crate::completeness::{Estimates, Estimating};
use crate::follow::Follower;
use crate::lag::Lag;
use crate::lake_process::LakeProcess;
use crate::owner::{self, Ownership};
use crate::progress;
use crate::serve::{self, Access, Collectors, Rules, Server, ServerChanges, Sources};
use crate::settings::Settings;
use crate::sizes::{Measured, Sizes};
use crate::telling::Telling;
use crate::wire::{self, Stores, Use};
use crate::withdrawing::Withdrawing;

/// How long each loop may take to finish accepted work.
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// The running loops and their stores.
pub struct Pipeline {
    pub lake: Arc<LakeProcess>,
    pub stores: Stores,
    /// Ownership of the data folder that contains the lake.
    ownership: Arc<Ownership>,
    /// The server's address, if there is a server.
    pub address: Option<SocketAddr>,
    /// The server's rules for readers.
    pub access: Option<Arc<Access>>,
    /// The collectors, which the server shows once they are set.
    collectors: Arc<OnceLock<Collectors>>,
    sink: Option<Loop>,
    /// The sink's progress, if it stores all of the log.
    sink_of_all: Option<Arc<SinkProgress>>,
    follower: Loop,
    /// Tells the lake gaps and skips of servers.
    telling: Loop,
    server: Option<Loop>,
    /// A loop's failure, while [`Pipeline::failure`] looks for its cause.
    failed: Option<anyhow::Error>,
    /// Cancels the server's questions.
    questions: CancellationToken,
    reached: watch::Receiver<HashMap<Partition, Offset>>,
    /// The lake's distance to the log, if there is a server that tells it.
    behind: Option<Arc<Behind>>,
    /// Estimates how complete servers are, for the server.
    estimating: Option<Estimating>,
    _sizes: Sizes,
    _lag: Option<Lag>,
}

/// The loops to run beside the follower.
#[derive(Debug, Clone, Copy)]
pub struct Loops {
    pub sink: Sinks,
    /// The server's address; `None` for no server.
    pub listen: Option<SocketAddr>,
}

/// How log, table and lake stand at one moment.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The lake's distance to the log.
    pub distance: Distance,
    pub sizes: Measured,
    /// Records of the log that are not in the table; `None` if another process stores them.
    pub waiting: Option<u64>,
    /// How complete each server's posts are.
    pub estimates: Arc<Estimates>,
}

/// The sink to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sinks {
    No,
    /// No sink, since the caller has filled the table itself.
    Before,
    /// A sink that shares the log's partitions with others.
    Shared,
    /// A sink that has stored all of the log when the pipeline has stopped, even if others sink it too.
    All,
}

struct Loop {
    name: &'static str,
    stop: CancellationToken,
    /// `None` once the loop's end was seen.
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

    /// True until the loop's end was seen.
    fn runs(&self) -> bool {
        self.task.is_some()
    }

    /// Resolves once, when the loop ends; later calls wait for ever. Cancel-safe.
    async fn end(&mut self) -> anyhow::Result<()> {
        let Some(task) = &mut self.task else { return std::future::pending().await };
        let end = task.await;
        self.task = None;
        end.with_context(|| format!("{} failed", self.name))?
    }

    /// Resolves when the loop ends without being told to: a failure.
    async fn early_end(&mut self) -> anyhow::Error {
        match self.end().await {
            Ok(()) => anyhow::anyhow!("{} ended early", self.name),
            Err(error) => error,
        }
    }

    /// Tells the loop to stop and waits for its end. Returns at once if the end was seen already.
    async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        if self.task.is_none() {
            return Ok(());
        }
        match tokio::time::timeout(DRAIN_DEADLINE, self.end()).await {
            Ok(end) => end,
            Err(_) => bail!(
                "{} did not finish within {} s; nothing is lost, and the next start continues",
                self.name,
                DRAIN_DEADLINE.as_secs()
            ),
        }
    }
}

/// Resolves when a loop that may not exist ends without being told to.
async fn early_end(maybe: &mut Option<Loop>) -> anyhow::Error {
    match maybe {
        Some(running) => running.early_end().await,
        None => std::future::pending().await,
    }
}

impl Pipeline {
    /// Opens log, table and lake, and starts the loops. Binds the port first, so nothing is started if it is taken.
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
        // The lake's process starts while the log is opened.
        let lake = Arc::new(wire::open_lake(Arc::clone(&ownership), settings)?);
        let used = match loops.sink {
            Sinks::No => Use::Read,
            Sinks::Before => Use::Store,
            Sinks::Shared | Sinks::All => Use::Write,
        };
        let stores = Stores::open(Some(&ownership), settings, used).await?;
        let limits = wire::sink_limits(settings)?;
        let sql_limits = wire::sql_limits(settings)?;
        opened(&lake).await?;
        let mut telling = Telling::new(Arc::clone(&stores.log.bookmarks), Arc::clone(&lake));
        // The first answer has it too, of a lake that is rebuilt.
        telling.tell().await;
        let telling = Loop::spawn("what the lake is told", |stop| telling.run(stop));
        let sink_reader = match loops.sink {
            Sinks::No | Sinks::Before => None,
            Sinks::Shared => Some(stores.log.sink_reader()?),
            Sinks::All => Some(stores.log.reader()?),
        };
        let progress = Arc::new(SinkProgress::default());
        let sink_of_all = (loops.sink == Sinks::All).then(|| Arc::clone(&progress));
        // Nobody reads the figures of a process that does not answer.
        let lag = match (&sink_reader, loops.listen) {
            (Some(_), Some(_)) => Some(Lag::watch(stores.log.reader()?, Arc::clone(&progress))),
            _ => None,
        };
        let sink = sink_reader.map(|reader| {
            let table = Arc::clone(&stores.table);
            Loop::spawn("the sink", |stop| async move {
                sink::run(reader, table, limits, progress, stop).await.map(|_| ()).map_err(with_hint)
            })
        });
        let follower = Follower::new(&stores, Arc::clone(&lake), ownership.temporary().clone())?;
        let reached = follower.reached();
        let follower = Loop::spawn("the follower", |stop| follower.run(stop));
        let questions = CancellationToken::new();
        let sizes = Sizes::watch(wire::parts(ownership.folder(), settings)?);
        let collectors = Arc::<OnceLock<Collectors>>::default();
        let (mut server, mut address, mut access, mut behind, mut estimating) = (None, None, None, None, None);
        if let Some(listener) = listener {
            let watched = Arc::new(Behind::watch(stores.log.reader()?, reached.clone()));
            behind = Some(Arc::clone(&watched));
            let every = settings.seconds("lake.completeness_seconds")?;
            let started = Estimating::start(Arc::clone(&lake), Arc::clone(&collectors), every);
            let sources = Sources {
                lake: Arc::clone(&lake),
                estimates: started.latest(),
                checker: checker(&stores, &lake, reached.clone(), &ownership),
                behind: watched,
                reached: reached.clone(),
                collectors: Arc::clone(&collectors),
                sizes: sizes.measured(),
                sink_lag: lag.as_ref().map(Lag::watched),
            };
            let listens = listener.local_addr().context("listen")?;
            let rules = Rules {
                access: Access::of(settings, listens, ownership.folder())?,
                sql_limits,
                behind_max: settings.seconds("lake.ready_seconds_max")?,
                edition: format!("{} {}", env!("CARGO_PKG_VERSION"), wire::deletes(settings)?),
                topics: settings.list("report.topics"),
            };
            let answering = Server::new(listener, sources, rules, questions.clone()).await?;
            ownership.publish(answering.address_for_guests(), answering.secret())?;
            address = Some(answering.address());
            access = Some(Arc::clone(answering.access()));
            server = Some(Loop::spawn("the server", |stop| answering.run(stop)));
            estimating = Some(started);
        }
        Ok(Pipeline {
            lake,
            stores,
            ownership,
            address,
            access,
            collectors,
            sink,
            sink_of_all,
            follower,
            telling,
            server,
            failed: None,
            questions,
            reached,
            behind,
            estimating,
            _sizes: sizes,
            _lag: lag,
        })
    }

    /// Lets the server show this process's collectors, and add and remove servers through `changes`.
    pub fn shows(&self, counts: &Arc<Counts>, changes: Option<ServerChanges>) {
        // A process starts its collectors once.
        let _ = self.collectors.set(Collectors { counts: Arc::clone(counts), changes });
    }

    /// Tells how the stores stand, at each call.
    pub fn standing(&self) -> impl Fn() -> Standing + Send + 'static {
        let (behind, sizes) = (self.behind.clone(), self._sizes.measured());
        let lag = self._lag.as_ref().map(Lag::watched);
        let estimates = self.estimating.as_ref().map(Estimating::latest);
        move || Standing {
            estimates: estimates.as_ref().map(|latest| Arc::clone(&latest.borrow())).unwrap_or_default(),
            distance: behind.as_ref().map(|behind| behind.distance()).unwrap_or_default(),
            sizes: *sizes.borrow(),
            waiting: lag
                .as_ref()
                .and_then(|lag| lag.borrow().as_ref().map(|lags| lags.iter().map(|lag| lag.uncommitted_records).sum())),
        }
    }

    /// Deletes what this pipeline's lake has of those who said no to `admission`.
    pub fn withdrawing(&self, admission: &Admission) -> Withdrawing {
        Withdrawing::new(admission.clone(), Arc::clone(&self.lake), self.stores.log.clone(), self.reached.clone())
    }

    /// The inputs of a check.
    pub fn checker(&self) -> Checker {
        checker(&self.stores, &self.lake, self.reached.clone(), &self.ownership)
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        self.ownership.folder()
    }

    /// True if the follower has ended, which is a failure: [`Pipeline::failure`] has the reason.
    pub fn follower_ended(&self) -> bool {
        self.reached.has_changed().is_err()
    }

    /// Resolves once, with the cause of the first failure of a loop; pending for ever while all run. Cancel-safe.
    pub async fn failure(&mut self) -> anyhow::Error {
        if self.failed.is_none() {
            self.failed = Some(tokio::select! {
                error = early_end(&mut self.sink) => error,
                error = self.follower.early_end() => error,
                error = self.telling.early_end() => error,
                error = early_end(&mut self.server) => error,
                error = self.ownership.lost() => error,
            });
        }
        // A loop's end is seen once. The failure is kept until its cause is known, since a caller may drop this future.
        let going = self.ownership.going().await;
        let failed = self.failed.take();
        match going.or(failed) {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// The cause of a failure of the caller's own, which worked on the pipeline's stores.
    pub async fn cause(&self, error: anyhow::Error) -> anyhow::Error {
        owner::cause(Some(&self.ownership), error).await
    }

    /// Waits until the lake has everything that the log held at the call, or a loop fails.
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

    /// Ends the questions, flushes the sink, lets the lake catch up, ends the server and closes the lake. All
    /// appended records are then in the table, even if the lake could not follow.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.questions.cancel();
        self.estimating = None;
        // Seen by a call of `failure` that its caller dropped.
        if self.failed.is_some() {
            return Err(self.failure().await);
        }
        if let Some(progress) = self.sink_of_all.take().filter(|_| self.sink.as_ref().is_some_and(Loop::runs)) {
            // When told to stop, a sink commits what it has read, but reads no more.
            let log = self.stores.log.clone();
            let all_read = progress::all_read(&log, &progress);
            tokio::select! {
                read = tokio::time::timeout(DRAIN_DEADLINE, all_read) => {
                    read.context("the sink did not read the log in time; the next start continues")??;
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
                .context("the lake did not catch up in time; the next start continues")??;
        }
        self.follower.stop().await?;
        self.telling.stop().await?;
        if let Some(server) = self.server {
            server.stop().await?;
        }
        let lake = self.lake;
        tokio::task::spawn_blocking(move || drop(lake)).await.context("close the lake")
    }
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
        temporary: ownership.temporary().clone(),
        readers: Arc::clone(&stores.log.readers),
        lake: Arc::clone(lake),
        reached,
    }
}

/// Resolves if the lake has caught up, or its follower has ended, whose own error explains why.
enum CaughtUp {
    Yes,
    FollowerGone,
}

async fn opened(lake: &Arc<LakeProcess>) -> anyhow::Result<()> {
    let lake = Arc::clone(lake);
    tokio::task::spawn_blocking(move || lake.opened()).await?.context("open the lake")
}

/// The sink's error with its hint.
pub fn with_hint(error: sink::SinkError) -> anyhow::Error {
    match error.hint() {
        Some(hint) => anyhow::anyhow!("store posts: {error}\nhint: {hint}"),
        None => anyhow::Error::new(error).context("store posts"),
    }
}
