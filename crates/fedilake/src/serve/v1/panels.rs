//! The reports of a page in one request, each answered when it is ready.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use fedilake_query::Rows;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde::Serialize;
use utoipa::ToSchema;

use super::params::Params;
use super::problem::{Failure, Fault};
use super::shared::Asks;
use super::state::{Asked, StateParams};
use super::{Problem, Shared};
use crate::render::web::{self, Column};
use crate::serve::snapshot::SnapshotId;

/// The most panels of a request.
const PANELS_MAX: usize = 64;

/// A line of an answer: a report's rows, or why there are none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "rows are written as they are read")]
pub(super) enum PanelLine {
    Panel(Panel),
    Failed(FailedPanel),
}

/// A report's rows.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Panel {
    /// The report's name.
    name: String,
    /// The lake's state.
    snapshot: String,
    columns: Vec<Column>,
    /// Rows, each an array with a value for each column.
    rows: Vec<Vec<serde_json::Value>>,
    note: Option<String>,
    /// The time that the answer took when it was made.
    millis: u64,
}

/// A report that could not be made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FailedPanel {
    name: String,
    error: Fault,
}

/// Answers several reports.
#[utoipa::path(
    get, path = "/panels", tag = "reports",
    params(("name" = Vec<String>, Query, description = "Names of reports, one parameter each"), StateParams),
    responses(
        (status = 200, description = "JSON lines, one a report, in the order in which they are ready", content_type = "application/x-ndjson", body = PanelLine),
        (status = 304, description = "The lake and the state are those of If-None-Match"),
        (status = 400, description = "The state cannot be read", body = Failure),
    )
)]
pub(super) async fn panels(
    State(state): Shared,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, Problem> {
    let mut names = params.all("name");
    names.sort_unstable();
    names.dedup();
    let asked = Asked::take(&mut params)?;
    params.finish()?;
    if names.is_empty() || names.len() > PANELS_MAX {
        return Err(Problem::bad(format!("{} reports are named: expected 1 to {PANELS_MAX}", names.len()))
            .hint("/api/v1/reports lists their names"));
    }
    let snapshot = state.snapshot();
    let etag = state.etag(snapshot, uri.query().unwrap_or_default());
    let questions: Vec<_> = names.iter().map(|name| asked.of(name, &state.topics)).collect();
    // An answer with a failure in it is made again.
    let is_whole = || questions.iter().all(|question| state.keeps(snapshot, Asks::Report(Box::new(question.clone()))));
    if etag.is_known(&headers) && is_whole() {
        return Ok(etag.unchanged());
    }
    let lines: FuturesUnordered<_> = questions
        .into_iter()
        .map(|question| {
            let state = Arc::clone(&state);
            async move {
                let (name, began) = (question.report.clone(), Instant::now());
                let write = move |rows: Rows| line(&name, snapshot, &rows, began);
                let name = question.report.clone();
                let answered = state.shared(snapshot, Asks::Report(Box::new(question)), write).await;
                Ok::<Bytes, Infallible>(answered.unwrap_or_else(|problem| failed(name, &problem)))
            }
        })
        .collect();
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((etag.head(), kind, Body::from_stream(lines.boxed())).into_response())
}

fn line(name: &str, snapshot: SnapshotId, rows: &Rows, began: Instant) -> anyhow::Result<Vec<u8>> {
    let (columns, values) = web::read_all(&rows.ipc)?;
    let mut line = b"{\"name\":".to_vec();
    web::write_text(name, &mut line);
    line.extend_from_slice(format!(",\"snapshot\":\"{snapshot}\",\"columns\":").as_bytes());
    serde_json::to_writer(&mut line, &columns)?;
    line.extend_from_slice(b",\"rows\":");
    line.extend_from_slice(&values);
    line.extend_from_slice(b",\"note\":");
    serde_json::to_writer(&mut line, &rows.note)?;
    line.extend_from_slice(format!(",\"millis\":{}}}\n", began.elapsed().as_millis()).as_bytes());
    Ok(line)
}

fn failed(name: String, problem: &Problem) -> Bytes {
    let failed = FailedPanel { name, error: problem.fault().clone() };
    let mut line = serde_json::to_vec(&failed).expect("a line is written to memory");
    line.push(b'\n');
    line.into()
}
