//! The answer of `/readyz`, the same for every verb: 200 or 503, and a JSON object that says why.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::figures::{Distance, PartitionLag};

/// The readiness of a process, and the figures behind it.
#[derive(Debug, Clone, Serialize)]
pub struct Readiness {
    ready: bool,
    /// None for a process that is ready.
    why_not: Option<&'static str>,
    /// What a process that is ready cannot do at the moment; None for one that can do everything.
    degraded: Option<&'static str>,
    #[serde(flatten)]
    standing: Standing,
}

/// How the work of a process stands, by the kind of its work.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The lake's distance to the log.
    Behind(Distance),
    /// The sink's distance to the log, by partition.
    Partitions(Vec<PartitionLag>),
    /// The state of each server.
    Servers(BTreeMap<String, &'static str>),
}

impl Readiness {
    /// Ready, unless there is a reason against it.
    pub fn unless(why_not: Option<&'static str>, standing: Standing) -> Readiness {
        Readiness { ready: why_not.is_none(), why_not, degraded: None, standing }
    }

    /// The same readiness of a process that cannot do something at the moment.
    pub fn degraded(self, degraded: Option<&'static str>) -> Readiness {
        Readiness { degraded, ..self }
    }
}

impl IntoResponse for Readiness {
    fn into_response(self) -> Response {
        let status = if self.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, Json(self)).into_response()
    }
}
