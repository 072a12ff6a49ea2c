//! The server of this process, with what is measured for it.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use anyhow::Context;
use fedilake_collect::Counts;
use futures::FutureExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::figures::{Distance, Estimates};
use crate::owner::Ownership;
use crate::process::behind::Behind;
use crate::process::check::{self, Checker};
use crate::process::completeness::Estimating;
use crate::process::following::Following;
use crate::process::sinking::Sinking;
use crate::process::{DRAIN_DEADLINE, drained};
use crate::serve::{self, Access, Collectors, Readiness, Rules, Server, ServerChanges, Sources, Standing};
use crate::settings::{Settings, key};
use crate::task::Task;
use crate::telemetry;
use crate::wire::{self, OpenLog};

/// A server that answers questions.
pub struct Answering {
    address: SocketAddr,
    /// The rules for readers.
    access: Arc<Access>,
    task: Task,
    /// Cancels the questions.
    questions: CancellationToken,
    /// The collectors, which the server shows once they are set.
    collectors: Arc<OnceLock<Collectors>>,
    /// The lake's distance to the log.
    behind: Arc<Behind>,
    /// Estimates how complete servers are; ends with the questions.
    estimating: Option<Estimating>,
}

impl Answering {
    /// Starts to answer on `listener`, and says in the folder's lock where.
    pub async fn start(
        listener: TcpListener,
        log: &OpenLog,
        sink: Option<&Sinking>,
        following: &Following,
        ownership: &Ownership,
        settings: &Settings,
    ) -> anyhow::Result<Answering> {
        let behind = Arc::new(Behind::watch(Arc::clone(&log.source), following.reached.clone()));
        let collectors = Arc::<OnceLock<Collectors>>::default();
        let collected = Arc::clone(&collectors);
        let servers = move || collected.get().map(|collectors: &Collectors| collectors.counts.snapshot());
        let every = settings.get(key::LAKE_COMPLETENESS_SECONDS);
        let estimating = Estimating::start(Arc::clone(&following.lake), servers, every);
        let watched = Arc::clone(&behind);
        let sources = Sources {
            lake: Arc::clone(&following.lake),
            estimates: estimating.latest(),
            check: check_of(following.checker()),
            distance: Arc::new(move || watched.distance()),
            reached: following.reached.clone(),
            collectors: Arc::clone(&collectors),
            sizes: following.sizes(),
            sink_lag: sink.and_then(Sinking::lag),
        };
        let listens = listener.local_addr().context("listen")?;
        let rules = Rules {
            access: Access::of(settings, listens, ownership.folder())?,
            sql_limits: wire::sql_limits(settings)?,
            behind_max: settings.get(key::LAKE_READY_SECONDS_MAX),
            edition: format!("{} {}", env!("CARGO_PKG_VERSION"), wire::deletes(settings)?),
            topics: settings.get(key::REPORT_TOPICS),
        };
        let questions = CancellationToken::new();
        let server = Server::new(listener, sources, rules, questions.clone()).await?;
        ownership.publish(server.address_for_guests(), server.secret())?;
        let (address, access) = (server.address(), Arc::clone(server.access()));
        let task = Task::spawn("the server", |stop| server.run(stop));
        Ok(Answering { address, access, task, questions, collectors, behind, estimating: Some(estimating) })
    }

    /// Shows this process's collectors, and adds and removes servers through `changes`.
    pub fn shows(&self, counts: &Arc<Counts>, changes: Option<ServerChanges>) {
        // A process starts its collectors once.
        let _ = self.collectors.set(Collectors { counts: Arc::clone(counts), changes });
    }

    /// Prints the address, and how to ask for `ownership`'s folder there.
    pub fn say(&self, ownership: &Ownership) {
        let (address, folder) = (self.address, ownership.folder());
        telemetry::say(&format!(
            "answering on {}://{address} for {}\nhint: open it in a browser, or `fedilake report {}` in another terminal",
            self.access.scheme(),
            folder.display(),
            telemetry::flag_in_shell("--data", folder)
        ));
        if let Some(invitation) = self.access.invitation(address) {
            telemetry::say(&invitation);
        }
    }

    /// The page's URL, if readers need nothing to be let in.
    pub fn open_page(&self) -> Option<String> {
        self.access.is_open().then(|| format!("{}://{}/", self.access.scheme(), self.address))
    }

    /// The lake's distance to the log, at each call.
    pub fn distance(&self) -> impl Fn() -> Distance + Send + use<> {
        let behind = Arc::clone(&self.behind);
        move || behind.distance()
    }

    /// The latest estimates, at each call.
    pub fn estimates(&self) -> impl Fn() -> Arc<Estimates> + Send + use<> {
        let latest = self.estimating.as_ref().map(Estimating::latest);
        move || latest.as_ref().map(|latest| Arc::clone(&latest.borrow())).unwrap_or_default()
    }

    /// Resolves when the server fails. Cancel-safe.
    pub async fn failure(&mut self) -> anyhow::Error {
        self.task.early_end().await
    }

    /// Ends the questions under way, and refuses new ones. Figures are answered until the server stops.
    pub fn end_questions(&mut self) {
        self.questions.cancel();
        self.estimating = None;
    }

    /// Ends the server.
    pub async fn stop(self) -> anyhow::Result<()> {
        drained(self.task, Some(DRAIN_DEADLINE)).await
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

/// The answer of `/readyz` of a process without a lake. A sink tells its lag in each partition, and is ready once the log has answered;
/// collectors tell the servers by state, and are not ready if there are servers but none of them can be read.
pub fn readiness(
    sink: Option<&Sinking>,
    counts: Option<&Arc<Counts>>,
) -> impl Fn() -> Readiness + Clone + Send + Sync + use<> {
    let (lag, counts) = (sink.and_then(Sinking::lag), counts.cloned());
    move || match &lag {
        Some(lag) => {
            let looked = lag.borrow().clone();
            let why_not = looked.is_none().then_some("the log does not answer");
            Readiness::unless(why_not, Standing::Partitions(looked.unwrap_or_default()))
        }
        None => {
            let servers = counts.as_ref().map(|counts| counts.snapshot()).unwrap_or_default();
            let is_read = servers.iter().any(|server| matches!(server.state.as_str(), "live" | "polling"));
            let why_not = if servers.is_empty() || is_read { None } else { Some("no server can be read") };
            let states = servers.iter().map(|server| (server.server.to_string(), server.state.as_str()));
            Readiness::unless(why_not, Standing::Servers(states.collect()))
        }
    }
}
