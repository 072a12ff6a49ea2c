//! /healthz, /readyz and /metrics of a process that answers no questions: `collect` and `sink`.

use std::net::SocketAddr;

use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{Router, get};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{METRICS_TEXT, Readiness, connections, listen, warn_of_others};
use crate::telemetry;

/// Answers until it is dropped.
pub struct Figures {
    _stop: DropGuard,
}

impl Figures {
    /// Begins to answer on `address`, if one was given, and says where.
    /// `/readyz` answers what `ready` gives.
    pub async fn start(
        address: Option<SocketAddr>,
        ready: impl Fn() -> Readiness + Clone + Send + Sync + 'static,
    ) -> anyhow::Result<Option<Figures>> {
        let Some(address) = address else { return Ok(None) };
        let listener = listen(address).await?;
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
        Ok(Some(Figures { _stop: stop.drop_guard() }))
    }
}
