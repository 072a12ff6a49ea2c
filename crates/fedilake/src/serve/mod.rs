//! The server of a running process: the page and its API for readers ([`access`] says who they are), reports, SQL and the check for
//! those who know the folder's secret, /healthz, /readyz and /metrics for everyone on this machine.

mod access;
pub mod api;
mod asking;
mod connections;
mod figures;
mod guard;
mod heads;
mod page;
mod readiness;
mod routes;
mod sealed;
mod snapshot;
mod socket;
mod users;
mod v1;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use fedilake_collect::Counts;
use fedilake_log::{Offset, Partition};
use fedilake_query::{Cancel, SqlLimits};
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::sync::{OnceCell, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub use self::access::Access;
pub use self::figures::Figures;
pub use self::readiness::{Readiness, Standing};
use self::snapshot::SnapshotId;
pub use self::v1::{COLUMNS, FUNCTIONS};
use crate::checked::{CheckReport, Progress};
use crate::figures::{Distance, Estimates, Measured, PartitionLag};
use crate::lake_process::LakeProcess;

/// Content type of Prometheus's text format.
const METRICS_TEXT: &str = "text/plain; version=0.0.4";

/// The next offset that the lake needs of each partition, as the follower goes on.
type Reached = watch::Receiver<HashMap<Partition, Offset>>;

/// Statements in SQL that readers run at the same time; further ones wait.
const STATEMENTS_MAX: usize = 4;

/// Reports and look-ups that readers run at the same time: each uses all cores that it can, so more would only wait for each other.
fn reports_max() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8)
}

/// A server that is bound but does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    /// Where guests of the data folder are answered without TLS, if readers need it.
    inner: Option<(TcpListener, SocketAddr)>,
    state: Arc<State>,
}

/// A figure, as it is when it is asked for.
pub type Asked<T> = Arc<dyn Fn() -> T + Send + Sync>;

/// Checks the folder, quickly if the flag says so, and notes how far it is.
pub type Check =
    Arc<dyn Fn(bool, Cancel, Arc<Progress>) -> BoxFuture<'static, anyhow::Result<CheckReport>> + Send + Sync>;

/// What the server answers from.
pub struct Sources {
    pub lake: Arc<LakeProcess>,
    pub check: Check,
    pub distance: Asked<Distance>,
    /// The next offset that the lake needs of each partition.
    pub reached: Reached,
    /// How complete servers are.
    pub estimates: watch::Receiver<Arc<Estimates>>,
    /// This process's collectors, once it collects.
    pub collectors: Arc<OnceLock<Collectors>>,
    pub sizes: watch::Receiver<Measured>,
    /// The lag of this process's sink; None without one.
    pub sink_lag: Option<watch::Receiver<Option<Vec<PartitionLag>>>>,
}

/// Servers that are to be added or removed, and where the sentences about it go.
pub type ServerChange = (api::ServersRequest, oneshot::Sender<Result<Vec<String>, String>>);
pub type ServerChanges = mpsc::Sender<ServerChange>;

/// The collectors of this process.
pub struct Collectors {
    pub counts: Arc<Counts>,
    /// Takes servers that are added and removed; None where nobody may.
    pub changes: Option<ServerChanges>,
}

/// The rules by which the server answers.
pub struct Rules {
    pub access: Access,
    pub sql_limits: SqlLimits,
    /// `/readyz` says no while the lake is further behind.
    pub behind_max: Duration,
    /// Whatever makes two lakes answer differently at the same positions.
    pub edition: String,
    /// The words of reports that count words, where a reader names none.
    pub topics: Vec<String>,
}

/// State of the routes.
struct State {
    lake: Arc<LakeProcess>,
    check: Check,
    sql_limits: SqlLimits,
    /// Cancelled when questions are to end.
    questions: CancellationToken,
    secret: String,
    distance: Asked<Distance>,
    /// `/readyz` says no while the lake is further behind.
    behind_max: Duration,
    access: Arc<Access>,
    reached: Reached,
    edition: String,
    topics: Vec<String>,
    collectors: Arc<OnceLock<Collectors>>,
    estimates: watch::Receiver<Arc<Estimates>>,
    sizes: watch::Receiver<Measured>,
    sink_lag: Option<watch::Receiver<Option<Vec<PartitionLag>>>>,
    /// Places for statements of readers.
    statements: Arc<Semaphore>,
    /// Places for reports and look-ups of readers.
    reports: Arc<Semaphore>,
    answers: v1::Answers,
    schema: OnceCell<v1::Schema>,
}

impl State {
    /// The name of the lake's present state.
    fn snapshot(&self) -> SnapshotId {
        SnapshotId::at(&self.reached.borrow(), &self.edition)
    }
}

/// Binds `address`; port 0 picks a free one.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}\nhint: --listen 127.0.0.1:0 picks a free port"))
}

/// Warns of an address that other machines reach, for a process that answers figures alone.
fn warn_of_others(address: SocketAddr) {
    if !address.ip().is_loopback() {
        tracing::warn!(
            "other machines reach {address}: they may read /healthz, /readyz and /metrics, which name the collected servers"
        );
    }
}

impl Server {
    /// Answers on `listener` once it runs; cancelling `questions` ends those under way and refuses new ones.
    pub async fn new(
        listener: TcpListener,
        sources: Sources,
        rules: Rules,
        questions: CancellationToken,
    ) -> anyhow::Result<Server> {
        let address = listener.local_addr().context("listen")?;
        if !address.ip().is_loopback() {
            let plain = match rules.access.tls {
                Some(_) => "",
                None => {
                    ", without TLS: set serve.tls_cert and serve.tls_key, or put a proxy before it, where the network is not yours"
                }
            };
            tracing::warn!(
                "other machines reach {address}: they may read /healthz, /readyz and /metrics, which name the collected servers, and, \
                 with {}, all posts{plain}",
                rules.access.proof().unwrap_or("nothing")
            );
        }
        let inner = match rules.access.tls {
            None => None,
            Some(_) => {
                let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
                let address = listener.local_addr().context("listen")?;
                Some((listener, address))
            }
        };
        let Sources { lake, check, distance, reached, estimates, collectors, sizes, sink_lag } = sources;
        let Rules { access, sql_limits, behind_max, edition, topics } = rules;
        let state = State {
            lake,
            check,
            sql_limits,
            questions,
            secret: format!("{:032x}", rand::random::<u128>()),
            distance,
            behind_max,
            access: Arc::new(access),
            reached,
            edition,
            topics,
            collectors,
            estimates,
            sizes,
            sink_lag,
            statements: Arc::new(Semaphore::new(STATEMENTS_MAX)),
            reports: Arc::new(Semaphore::new(reports_max())),
            answers: v1::answers(),
            schema: OnceCell::new(),
        };
        Ok(Server { listener, address, inner, state: Arc::new(state) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where guests of the data folder are answered.
    pub fn address_for_guests(&self) -> SocketAddr {
        self.inner.as_ref().map_or(self.address, |(_, address)| *address)
    }

    /// The rules for readers.
    pub fn access(&self) -> &Arc<Access> {
        &self.state.access
    }

    /// The secret that a guest must send.
    pub fn secret(&self) -> &str {
        &self.state.secret
    }

    /// Answers until `stop`; questions under way are ended with it.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let tls = self.state.access.tls.clone();
        let inner = self.inner.map(|(listener, address)| {
            let routes = routes::routes_for_guests(Arc::clone(&self.state), address);
            connections::serve(listener, None, routes, stop.clone())
        });
        let routes = routes::routes(self.state, self.address);
        let answering = async {
            let inner = async {
                if let Some(inner) = inner {
                    inner.await;
                }
            };
            tokio::join!(connections::serve(self.listener, tls, routes, stop.clone()), inner)
        };
        tokio::select! {
            _ = answering => {}
            () = async { stop.cancelled().await; tokio::time::sleep(LAST_ANSWERS).await } => {}
        }
        Ok(())
    }
}

/// How long answers under way may take once the server is told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
