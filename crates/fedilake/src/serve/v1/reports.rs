//! The catalogue of reports, each report as a file, and its SQL.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use fedilake_query::answer::catalogue::{self, FilterKey, Mark, Report, Tab};
use serde::Serialize;
use utoipa::ToSchema;

use super::download::{self, Format};
use super::params::Params;
use super::problem::Failure;
use super::shared::Asks;
use super::state::{Asked, StateParams};
use super::{Problem, Shared};

/// The catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Reports {
    reports: Vec<Description>,
}

/// A report: what it asks, counts and cannot tell, and how it is drawn.
#[derive(Debug, Serialize, ToSchema)]
struct Description {
    name: &'static str,
    title: &'static str,
    help: &'static str,
    /// overview, people, conversation or collector.
    #[schema(value_type = String)]
    tab: Tab,
    order: u32,
    unit: &'static str,
    of: &'static str,
    caption: &'static str,
    /// Marks by which the rows are drawn: a kind, and columns.
    #[schema(value_type = Vec<Object>)]
    marks: &'static [Mark],
    /// Columns whose values a click makes a filter: column to key.
    #[schema(value_type = BTreeMap<String, String>)]
    click: &'static BTreeMap<String, FilterKey>,
    /// True if `word` means something to it.
    words: bool,
}

impl Description {
    fn of(report: &'static Report) -> Description {
        let header = &report.header;
        Description {
            name: &report.name,
            title: &header.title,
            help: &header.help,
            tab: header.tab,
            order: header.order,
            unit: &header.unit,
            of: &header.of,
            caption: &header.caption,
            marks: &header.marks,
            click: &header.click,
            words: report.words,
        }
    }
}

/// Lists the reports.
#[utoipa::path(
    get, path = "/reports", tag = "reports",
    responses((status = 200, description = "Every report, in the order of the page", body = Reports))
)]
pub(super) async fn reports() -> Json<Reports> {
    Json(Reports { reports: catalogue::reports().iter().map(Description::of).collect() })
}

/// Answers a report with a file.
#[utoipa::path(
    get, path = "/reports/{name}", tag = "reports",
    params(
        ("name" = String, Path, description = "The report's name"),
        ("format" = Option<String>, Query, description = "json (default), ndjson, csv or parquet"),
        StateParams,
    ),
    responses(
        (status = 200, description = "A file", content_type = "application/json", body = Vec<Object>),
        (status = 400, description = "The state cannot be read", body = Failure),
        (status = 404, description = "There is no such report", body = Failure),
    )
)]
pub(super) async fn file(
    State(state): Shared,
    Path(name): Path<String>,
    mut params: Params,
) -> Result<Response, Problem> {
    let report = named(&name)?;
    let format = params.parsed("format")?.unwrap_or(Format::Json);
    let asked = Asked::take(&mut params)?;
    params.finish()?;
    let question = asked.of(&report.name, &state.topics);
    let rows = state.rows(Asks::Report(Box::new(question)), Ok).await?;
    let write = move |out: &mut dyn std::io::Write| format.write(rows.ipc.as_slice(), out).map_err(Problem::internal);
    download::stream(&format!("fedilake-{name}"), format, (), write).await
}

/// Answers with a report's SQL.
///
/// The statement reads the documented views: it runs in `fedilake sql`, and in any DuckDB with what `fedilake views` prints.
#[utoipa::path(
    get, path = "/reports/{name}/sql", tag = "reports",
    params(("name" = String, Path, description = "The report's name"), StateParams),
    responses(
        (status = 200, description = "SQL", content_type = "text/plain", body = String),
        (status = 400, description = "The state cannot be read", body = Failure),
        (status = 404, description = "There is no such report", body = Failure),
    )
)]
pub(super) async fn sql(
    State(state): Shared,
    Path(name): Path<String>,
    mut params: Params,
) -> Result<Response, Problem> {
    let report = named(&name)?;
    let asked = Asked::take(&mut params)?;
    params.finish()?;
    let text = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((text, report.sql(&asked.of(&report.name, &state.topics))).into_response())
}

fn named(name: &str) -> Result<&'static Report, Problem> {
    catalogue::find(name).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, format!("there is no report {name:?}"))
            .hint("/api/v1/reports lists their names")
    })
}
