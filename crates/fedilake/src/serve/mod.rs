//! The server of a running process: reports, SQL and the check for those who know the folder's secret, /healthz, /readyz and /metrics
//! for everyone on this machine.

pub mod api;
mod connections;
mod figures;
mod guard;
mod readiness;
mod routes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use fedilake_query::SqlLimits;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::figures::Figures;
pub use self::readiness::{Readiness, Standing};
use crate::behind::Behind;
use crate::check::Checker;
use crate::lake_process::LakeProcess;

/// Content type of Prometheus's text format.
const METRICS_TEXT: &str = "text/plain; version=0.0.4";

/// A server that is bound but does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<State>,
}

/// State of the routes.
struct State {
    lake: Arc<LakeProcess>,
    checker: Checker,
    sql_limits: SqlLimits,
    /// Cancelled when questions are to end.
    questions: CancellationToken,
    secret: String,
    behind: Behind,
    /// `/readyz` says no while the lake is further behind.
    behind_max: Duration,
}

/// Binds `address`; port 0 picks a free one.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("listen on {address}\nhint: --listen 127.0.0.1:0 picks a free port"))
}

/// Warns of an address that other machines reach: whoever reaches it may read the figures.
fn warn_of_others(address: SocketAddr) {
    if !address.ip().is_loopback() {
        tracing::warn!(
            "other machines reach {address}: they may read /healthz, /readyz and /metrics, which name the collected servers; posts \
             are answered to nobody without the secret in the data folder's lock file"
        );
    }
}

impl Server {
    /// Answers on `listener` once it runs; cancelling `questions` ends those under way and refuses new ones.
    pub fn new(
        listener: TcpListener,
        checker: Checker,
        lake: Arc<LakeProcess>,
        sql_limits: SqlLimits,
        questions: CancellationToken,
        behind: Behind,
        behind_max: Duration,
    ) -> anyhow::Result<Server> {
        let address = listener.local_addr().context("listen")?;
        warn_of_others(address);
        let secret = format!("{:032x}", rand::random::<u128>());
        let state = State { lake, checker, sql_limits, questions, secret, behind, behind_max };
        Ok(Server { listener, address, state: Arc::new(state) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The secret that a guest must send.
    pub fn secret(&self) -> &str {
        &self.state.secret
    }

    /// Answers until `stop`; questions under way are ended with it.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let routes = routes::routes(self.state, self.address);
        tokio::select! {
            () = connections::serve(self.listener, routes, stop.clone()) => {}
            () = async { stop.cancelled().await; tokio::time::sleep(LAST_ANSWERS).await } => {}
        }
        Ok(())
    }
}

/// How long answers under way may take once the server is told to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
