//! /healthz and /metrics of a process that answers no questions: `collect` and `sink`.

use std::net::SocketAddr;

use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{Router, get};
use tokio::task::JoinHandle;

use super::{METRICS_TEXT, listen};
use crate::telemetry;

/// Answers until it is dropped.
pub struct Figures(JoinHandle<()>);

impl Figures {
    /// Begins to answer on `address`, if one was given, and says where.
    pub async fn start(address: Option<SocketAddr>) -> anyhow::Result<Option<Figures>> {
        let Some(address) = address else { return Ok(None) };
        let listener = listen(address).await?;
        let handle = telemetry::metrics();
        let metrics = move || async move { ([(header::CONTENT_TYPE, METRICS_TEXT)], handle.render()).into_response() };
        let routes = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/metrics", get(metrics));
        telemetry::say(&format!("metrics on http://{}/metrics", listener.local_addr()?));
        Ok(Some(Figures(tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                tracing::error!(%error, "metrics are no longer answered");
            }
        }))))
    }
}

impl Drop for Figures {
    fn drop(&mut self) {
        self.0.abort();
    }
}
