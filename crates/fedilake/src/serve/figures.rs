//! /healthz, /readyz and /metrics of a process that answers no questions: `collect` and `sink`.

use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{Router, get};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{METRICS_TEXT, Readiness, connections, warn_of_others};
use crate::telemetry;

/// Answers until it is dropped.
pub struct Figures {
    _stop: DropGuard,
}

impl Figures {
    /// Begins to answer on `listener`, and says where. `/readyz` answers what `ready` gives.
    pub fn start(
        listener: TcpListener,
        ready: impl Fn() -> Readiness + Clone + Send + Sync + 'static,
    ) -> anyhow::Result<Figures> {
        let metrics = || async { ([(header::CONTENT_TYPE, METRICS_TEXT)], telemetry::metrics()).into_response() };
        let ready = move || async move { ready() };
        let routes = Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics));
        warn_of_others(listener.local_addr()?);
        telemetry::say(&format!("metrics on http://{}/metrics", listener.local_addr()?));
        let stop = CancellationToken::new();
        tokio::spawn(connections::serve(listener, None, routes, stop.clone()));
        Ok(Figures { _stop: stop.drop_guard() })
    }
}
