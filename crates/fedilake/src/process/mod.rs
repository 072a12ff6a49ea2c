//! The loops of one process, and the order in which they start and stop.
//!
//! [`Loops`] says which of them run; verbs differ by that value. They start against the way of a post: the follower (table and log → lake),
//! the sink (log → table), the server that answers, the collectors (servers → log). They stop along it, each after it has finished what it
//! has accepted: collectors first; then questions end, the sink flushes, the follower reaches the log's end, and the server ends. At last
//! the lake and the log are closed and the folder is released.

mod answering;
mod behind;
pub mod changing;
pub mod check;
pub mod checking;
mod chunks;
pub mod collecting;
pub mod completeness;
mod follow;
mod following;
pub mod importing;
mod lag;
mod live_view;
mod loops;
mod progress;
mod reloading;
pub mod replaying;
mod seams;
mod sharing;
pub mod sinking;
mod sizes;
mod telling;
pub mod watching;
mod withdrawing;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use fedilake_collect::Tally;
use fedilake_collect::admission::Admission;
use fedilake_table::sink::SinkSummary;
use tokio_util::sync::CancellationToken;

use crate::lake_process::LakeProcess;
use crate::owner::{self, Ownership};
use crate::process::answering::Answering;
use crate::process::check::Checker;
use crate::process::collecting::{Collect, Collecting};
use crate::process::following::Following;
pub use crate::process::loops::{Answer, Append, Loops, Sinks, Until};
use crate::process::sinking::Sinking;
use crate::process::watching::Standing;
use crate::serve::{self, Figures};
use crate::settings::Settings;
use crate::task::{Task, failure_of};
use crate::wire::{self, OpenLog, Stores};

/// How long each loop of a process with a lake may take to finish accepted work. Without one nobody waits for it.
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// The running loops and their stores. Dropped, the loops end without finishing what they have accepted.
pub struct Process {
    collecting: Option<Collecting>,
    sink: Option<Sinking>,
    answering: Option<Answering>,
    following: Option<Following>,
    _figures: Option<Figures>,
    log: OpenLog,
    /// Ownership of the data folder, if a store or the lake is there.
    ownership: Option<Arc<Ownership>>,
    /// A loop's failure, while [`Process::failure`] looks for its cause.
    failed: Option<anyhow::Error>,
    done: Done,
}

/// The work of a process, once it is over.
#[derive(Debug, Default)]
pub struct Done {
    pub collected: Tally,
    pub sunk: SinkSummary,
}

impl Process {
    /// Opens what the loops need, and starts them. Binds the port first, so nothing is started if it is taken. A store in the data folder
    /// and a lake need its ownership.
    pub async fn start(
        ownership: Option<Arc<Ownership>>,
        settings: &Settings,
        loops: Loops,
    ) -> anyhow::Result<Process> {
        let mut listener = match loops.answer.address() {
            None => None,
            Some(address) => Some(serve::listen(address).await?),
        };
        let owner = ownership.as_ref();
        // The lake's process starts while the log is opened.
        let lake = match loops.follow {
            true => {
                let owner = Arc::clone(owner.context("a lake has one owner")?);
                Some(wire::open_lake(owner, settings, loops.append.busy_cores())?)
            }
            false => None,
        };
        let (log, stores) = open(owner, settings, &loops).await?;
        let following = match (lake, owner, &stores) {
            (Some(lake), Some(owner), Some(stores)) => Some(Following::start(lake, stores, owner, settings).await?),
            _ => None,
        };
        let sink = match stores {
            // Nobody reads the figures of a process that does not answer.
            Some(stores) if loops.sink.runs() => {
                Some(Sinking::start(loops.sink, &stores, wire::sink_limits(settings)?, listener.is_some()))
            }
            _ => None,
        };
        let mut process = Process {
            collecting: None,
            sink,
            answering: None,
            following,
            _figures: None,
            log,
            ownership,
            failed: None,
            done: Done::default(),
        };
        if let Answer::Questions { is_said, .. } = loops.answer
            && let Some(listener) = listener.take()
        {
            let Process { log, sink, following, ownership, .. } = &process;
            let (following, owner) =
                following.as_ref().zip(ownership.as_deref()).context("a lake answers questions")?;
            let answering = Answering::start(listener, log, sink.as_ref(), following, owner, settings).await?;
            if is_said {
                answering.say(owner);
            }
            process.answering = Some(answering);
        }
        if let Append::Collectors(collect) = loops.append {
            process.collect(*collect).await?;
        }
        if let Some(listener) = listener {
            let counts = process.collecting.as_ref().map(|collecting| &collecting.counts);
            let ready = answering::readiness(process.sink.as_ref(), counts);
            process._figures = Some(Figures::start(listener, ready)?);
        }
        Ok(process)
    }

    /// Starts the collectors, and what goes on beside them.
    pub async fn collect(&mut self, collect: Collect) -> anyhow::Result<()> {
        let (following, answering) = (self.following.as_ref(), self.answering.as_ref());
        let collecting = Collecting::start(collect, &self.log, following, answering, self.standing());
        self.collecting = Some(collecting.await?);
        Ok(())
    }

    /// Tells how the stores stand, at each call.
    fn standing(&self) -> impl Fn() -> Standing + Send + 'static + use<> {
        let distance = self.answering.as_ref().map(Answering::distance);
        let estimates = self.answering.as_ref().map(Answering::estimates);
        let sizes = self.following.as_ref().map(Following::sizes);
        let lag = self.sink.as_ref().and_then(Sinking::lag);
        move || Standing {
            distance: distance.as_ref().map(|distance| distance()).unwrap_or_default(),
            estimates: estimates.as_ref().map(|estimates| estimates()).unwrap_or_default(),
            sizes: sizes.as_ref().map(|sizes| *sizes.borrow()).unwrap_or_default(),
            waiting: lag
                .as_ref()
                .and_then(|lag| lag.borrow().as_ref().map(|lags| lags.iter().map(|lag| lag.uncommitted_records).sum())),
        }
    }

    /// The loops of the lake; panics for a process without one.
    fn following(&self) -> &Following {
        self.following.as_ref().expect("only a process that follows is asked for its lake")
    }

    /// The lake of a process that follows.
    pub fn lake(&self) -> &Arc<LakeProcess> {
        &self.following().lake
    }

    /// The inputs of a check, in a process that follows.
    pub fn checker(&self) -> Checker {
        self.following().checker()
    }

    /// Deletes what the lake has of those who said no to `admission`, in a process that follows. Returns the number of deletes.
    pub async fn withdraw(&mut self, admission: &Admission) -> anyhow::Result<u64> {
        let withdrawing = self.following().withdrawing(admission);
        tokio::select! {
            withdrawn = withdrawing.finish() => withdrawn,
            error = self.failure() => Err(error),
        }
    }

    /// True if no other process appends to the log meanwhile.
    pub fn is_alone(&self) -> bool {
        self.log.is_alone
    }

    /// True if a store of this process, or its lake, lies in the data folder.
    pub fn has_a_folder(&self) -> bool {
        self.ownership.is_some()
    }

    /// Prints the address at which the process answers.
    pub fn say_address(&self) {
        if let (Some(answering), Some(ownership)) = (&self.answering, &self.ownership) {
            answering.say(ownership);
        }
    }

    /// The page's URL, if readers need nothing to be let in.
    pub fn open_page(&self) -> Option<String> {
        self.answering.as_ref()?.open_page()
    }

    /// True if the follower has ended, which is a failure: [`Process::failure`] has the reason.
    pub fn follower_ended(&self) -> bool {
        self.following().reached.has_changed().is_err()
    }

    /// Waits for the end that `until` names, or for `shutdown`. A loop that fails first is the error.
    pub async fn until(&mut self, until: Until, shutdown: &CancellationToken) -> anyhow::Result<()> {
        let read = self.sink.as_ref().map(Sinking::has_read_all);
        let ended = async {
            match until {
                Until::Told => pending().await,
                Until::After(duration) => tokio::time::sleep(duration).await,
                Until::Read => read.context("a sink reads the log")?.await?,
            }
            anyhow::Ok(())
        };
        tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            ended = ended => ended,
            error = self.failure() => Err(error),
        }
    }

    /// Resolves once, with the cause of the first failure of a loop; pending for ever while all run. Cancel-safe.
    pub async fn failure(&mut self) -> anyhow::Error {
        if self.failed.is_none() {
            self.failed = Some(tokio::select! {
                error = failure_of(&mut self.collecting, Collecting::failure) => error,
                error = failure_of(&mut self.sink, Sinking::failure) => error,
                error = failure_of(&mut self.following, Following::failure) => error,
                error = failure_of(&mut self.answering, Answering::failure) => error,
                error = owner::lost(self.ownership.as_deref()) => error,
            });
        }
        // A loop's end is seen once. The failure is kept until its cause is known, since a caller may drop this future.
        let going = match &self.ownership {
            Some(ownership) => ownership.going().await,
            None => None,
        };
        let failed = self.failed.take();
        match going.or(failed) {
            Some(error) => error,
            None => pending().await,
        }
    }

    /// Waits until the lake has everything that the log held at the call, or a loop fails.
    pub async fn lake_catches_up(&mut self) -> anyhow::Result<()> {
        let (log, mut reached) = (Arc::clone(&self.log.source), self.following().reached.clone());
        let is_followed = tokio::select! {
            followed = progress::all_followed(log.as_ref(), &mut reached) => followed?,
            failure = self.failure() => return Err(failure),
        };
        // The follower's own error explains why it has ended.
        if is_followed { Ok(()) } else { Err(self.failure().await) }
    }

    /// Ends the collectors, if there are any: everything that they accepted is then durable.
    pub async fn stop_collecting(&mut self) -> anyhow::Result<()> {
        if let Some(collecting) = self.collecting.take() {
            self.done.collected = collecting.stop().await?;
        }
        Ok(())
    }

    /// Ends the collectors and the questions, flushes the sink, lets the lake catch up, ends the server and closes the lake. All
    /// appended records are then in the table, even if the lake could not follow.
    pub async fn stop(mut self) -> anyhow::Result<Done> {
        self.stop_collecting().await?;
        if let Some(answering) = &mut self.answering {
            answering.end_questions();
        }
        // Seen by a call of `failure` that its caller dropped.
        if self.failed.is_some() {
            return Err(self.failure().await);
        }
        if let Some(all_read) = self.sink.as_ref().filter(|sink| sink.is_to_read_on()).map(Sinking::has_read_all) {
            tokio::select! {
                read = tokio::time::timeout(DRAIN_DEADLINE, all_read) => {
                    read.context("the sink did not read the log in time; the next start continues")??;
                }
                error = self.failure() => return Err(error),
            }
        }
        if let Some(sink) = self.sink.take() {
            self.done.sunk = match sink.stop(self.following.as_ref().map(|_| DRAIN_DEADLINE)).await {
                Ok(sunk) => sunk,
                Err(error) => return Err(owner::cause(self.ownership.as_deref(), error).await),
            };
        }
        if self.following.as_ref().is_some_and(Following::runs) {
            tokio::time::timeout(DRAIN_DEADLINE, self.lake_catches_up())
                .await
                .context("the lake did not catch up in time; the next start continues")??;
        }
        let lake = match self.following.take() {
            Some(following) => Some(following.stop().await?),
            None => None,
        };
        if let Some(answering) = self.answering.take() {
            answering.stop().await?;
        }
        tokio::task::spawn_blocking(move || drop(lake)).await.context("close the lake")?;
        Ok(self.done)
    }
}

/// Opens the log, and the table if a loop needs it.
async fn open(
    ownership: Option<&Arc<Ownership>>,
    settings: &Settings,
    loops: &Loops,
) -> anyhow::Result<(OpenLog, Option<Stores>)> {
    if !loops.need_the_table() {
        return Ok((OpenLog::open(ownership, settings, loops.used()).await?, None));
    }
    let stores = Stores::open(ownership, settings, loops.used()).await?;
    if let Some(gap) = loops.gap {
        sinking::accept(gap, &stores).await?;
    }
    Ok((stores.log.clone(), Some(stores)))
}

/// Tells a loop to stop and waits until it has finished what it has accepted, for no longer than `within`.
async fn drained<T: Send + 'static>(task: Task<T>, within: Option<Duration>) -> anyhow::Result<()> {
    let name = task.name();
    let Some(within) = within else { return task.stop().await.map(drop) };
    match tokio::time::timeout(within, task.stop()).await {
        Ok(end) => end.map(drop),
        Err(_) => {
            bail!("{name} did not finish within {} s; nothing is lost, and the next start continues", within.as_secs())
        }
    }
}
