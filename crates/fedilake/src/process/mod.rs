//! The loops of one process: the sink (log → table), the follower (table and log → lake), and the server that answers
//! questions.
//!
//! They stop in the order of the posts' way. Collectors and other writers have ended before [`Process::stop`] is
//! called; then questions end, the sink flushes, the follower reaches the log's end, and the server ends. At last the
//! lake and the log are closed and the folder is released.

pub mod behind;
pub mod changing;
pub mod check;
pub mod checking;
pub mod chunks;
pub mod collecting;
pub mod completeness;
pub mod follow;
pub mod lag;
mod live_view;
pub mod progress;
pub mod reloading;
mod seams;
pub mod serving;
pub mod sharing;
pub mod sizes;
mod telling;
pub mod watching;
pub mod withdrawing;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_collect::Counts;
use fedilake_collect::admission::Admission;
use fedilake_log::{Assignment, Offset, Partition};
use fedilake_table::sink::{self, SinkProgress};
use futures::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::figures::{Distance, Estimates, Measured};
use crate::lake_process::LakeProcess;
use crate::owner::{self, Ownership};
use crate::process::behind::Behind;
use crate::process::check::Checker;
use crate::process::completeness::Estimating;
use crate::process::follow::Follower;
use crate::process::lag::Lag;
use crate::process::sizes::Sizes;
use crate::process::telling::Telling;
use crate::process::withdrawing::Withdrawing;
use crate::serve::{self, Access, Collectors, Rules, Server, ServerChanges, Sources};
use crate::settings::{Settings, key};
use crate::task::{Task, early_end};
use crate::wire::{self, Stores, Use};

/// How long each loop may take to finish accepted work.
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// The running loops and their stores.
pub struct Process {
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
    sink: Option<Task>,
    /// The sink's progress, if it stores all of the log.
    sink_of_all: Option<Arc<SinkProgress>>,
    follower: Task,
    /// Tells the lake gaps and skips of servers.
    telling: Task,
    server: Option<Task>,
    /// A loop's failure, while [`Process::failure`] looks for its cause.
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
    /// A sink that has stored all of the log when the process has stopped, even if others sink it too.
    All,
}

/// Tells a loop to stop and waits until it has finished what it has accepted, but no longer than that may take.
async fn drained<T: Send + 'static>(task: Task<T>) -> anyhow::Result<()> {
    let name = task.name();
    match tokio::time::timeout(DRAIN_DEADLINE, task.stop()).await {
        Ok(end) => end.map(drop),
        Err(_) => bail!(
            "{name} did not finish within {} s; nothing is lost, and the next start continues",
            DRAIN_DEADLINE.as_secs()
        ),
    }
}

impl Process {
    /// Opens log, table and lake, and starts the loops. Binds the port first, so nothing is started if it is taken.
    pub async fn start(
        ownership: impl Into<Arc<Ownership>>,
        settings: &Settings,
        loops: Loops,
    ) -> anyhow::Result<Process> {
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
        let telling = Task::spawn("what the lake is told", |stop| telling.run(stop));
        let is_sinking = matches!(loops.sink, Sinks::Shared | Sinks::All);
        let progress = Arc::new(SinkProgress::default());
        let sink_of_all = (loops.sink == Sinks::All).then(|| Arc::clone(&progress));
        // Nobody reads the figures of a process that does not answer.
        let is_watched = is_sinking && loops.listen.is_some();
        let lag = is_watched.then(|| Lag::watch(Arc::clone(&stores.log.source), Arc::clone(&progress)));
        let sink = is_sinking.then(|| {
            let Stores { log, table, .. } = stores.clone();
            Task::spawn("the sink", |stop| async move {
                let assignment = if loops.sink == Sinks::All { Assignment::All } else { log.shared_by_sinks() };
                let (source, decoder) = (Arc::clone(&log.source), log.schemas.decoder());
                let sunk = sink::run(source, assignment, decoder, table, limits, progress, stop).await;
                sunk.map(|_| ()).map_err(with_hint)
            })
        });
        let follower = Follower::new(&stores, Arc::clone(&lake), ownership.temporary().clone())?;
        let reached = follower.reached();
        let follower = Task::spawn("the follower", |stop| follower.run(stop));
        let questions = CancellationToken::new();
        let sizes = Sizes::watch(wire::parts(ownership.folder(), settings)?);
        let collectors = Arc::<OnceLock<Collectors>>::default();
        let (mut server, mut address, mut access, mut behind, mut estimating) = (None, None, None, None, None);
        if let Some(listener) = listener {
            let watched = Arc::new(Behind::watch(Arc::clone(&stores.log.source), reached.clone()));
            behind = Some(Arc::clone(&watched));
            let every = settings.get(key::LAKE_COMPLETENESS_SECONDS);
            let collected = Arc::clone(&collectors);
            let servers = move || collected.get().map(|collectors: &Collectors| collectors.counts.snapshot());
            let started = Estimating::start(Arc::clone(&lake), servers, every);
            let sources = Sources {
                lake: Arc::clone(&lake),
                estimates: started.latest(),
                check: check_of(checker(&stores, &lake, reached.clone(), &ownership)),
                distance: Arc::new(move || watched.distance()),
                reached: reached.clone(),
                collectors: Arc::clone(&collectors),
                sizes: sizes.measured(),
                sink_lag: lag.as_ref().map(Lag::watched),
            };
            let listens = listener.local_addr().context("listen")?;
            let rules = Rules {
                access: Access::of(settings, listens, ownership.folder())?,
                sql_limits,
                behind_max: settings.get(key::LAKE_READY_SECONDS_MAX),
                edition: format!("{} {}", env!("CARGO_PKG_VERSION"), wire::deletes(settings)?),
                topics: settings.get(key::REPORT_TOPICS),
            };
            let answering = Server::new(listener, sources, rules, questions.clone()).await?;
            ownership.publish(answering.address_for_guests(), answering.secret())?;
            address = Some(answering.address());
            access = Some(Arc::clone(answering.access()));
            server = Some(Task::spawn("the server", |stop| answering.run(stop)));
            estimating = Some(started);
        }
        Ok(Process {
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

    /// Deletes what this process's lake has of those who said no to `admission`.
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

    /// True if the follower has ended, which is a failure: [`Process::failure`] has the reason.
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

    /// The cause of a failure of the caller's own, which worked on the process's stores.
    pub async fn cause(&self, error: anyhow::Error) -> anyhow::Error {
        owner::cause(Some(&self.ownership), error).await
    }

    /// Waits until the lake has everything that the log held at the call, or a loop fails.
    pub async fn lake_catches_up(&mut self) -> anyhow::Result<()> {
        let (log, mut reached) = (Arc::clone(&self.stores.log.source), self.reached.clone());
        let is_followed = tokio::select! {
            followed = progress::all_followed(log.as_ref(), &mut reached) => followed?,
            failure = self.failure() => return Err(failure),
        };
        // The follower's own error explains why it has ended.
        if is_followed { Ok(()) } else { Err(self.failure().await) }
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
        if let Some(progress) = self.sink_of_all.take().filter(|_| self.sink.as_ref().is_some_and(Task::runs)) {
            // When told to stop, a sink commits what it has read, but reads no more.
            let log = Arc::clone(&self.stores.log.source);
            let all_read = progress::all_read(log.as_ref(), &progress);
            tokio::select! {
                read = tokio::time::timeout(DRAIN_DEADLINE, all_read) => {
                    read.context("the sink did not read the log in time; the next start continues")??;
                }
                error = self.failure() => return Err(error),
            }
        }
        if let Some(sink) = self.sink.take() {
            drained(sink).await?;
        }
        if self.follower.runs() {
            tokio::time::timeout(DRAIN_DEADLINE, self.lake_catches_up())
                .await
                .context("the lake did not catch up in time; the next start continues")??;
        }
        drained(self.follower).await?;
        drained(self.telling).await?;
        if let Some(server) = self.server {
            drained(server).await?;
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
        log: stores.log.clone(),
        lake: Arc::clone(lake),
        reached,
    }
}

/// The check of `checker`, for the server.
fn check_of(checker: Checker) -> serve::Check {
    Arc::new(move |quick, cancel, progress| {
        let checker = checker.clone();
        async move {
            if quick {
                return check::quick(&checker.table, &checker.log).await;
            }
            checker.check(&cancel, &progress).await
        }
        .boxed()
    })
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
