//! Questions in SQL: rows as they come, or a file under a link that stays.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use fedilake_query::answer::sql::SqlErrorKind;
use fedilake_query::{SqlError, SqlLimits, SqlSummary};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

use super::download::{self, Format};
use super::params::Params;
use super::problem::{Failure, Fault};
use super::{Problem, Shared};
use crate::lake_process::LakeProcess;
use crate::render::web::{self, Column, Part};
use crate::serve::asking::{Asking, STOPPING};
use crate::wire::{self, outcome};

/// The longest request in bytes.
const REQUEST_BYTES_MAX: usize = 1 << 20;
/// How long a request's body may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(10);
/// Rows of an answer, unless the question names another number, and the greatest such number.
const ROWS: u64 = 10_000;
const ROWS_MAX: u64 = 1_000_000;
/// Lines of an answer on their way to the socket.
const LINES_MAX: usize = 4;

/// A question in SQL.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlQuestion {
    /// One statement that reads, as for `fedilake sql`.
    query: String,
    /// The most rows that are wanted: 1 to 1,000,000; 10,000 if it is missing.
    #[serde(default)]
    rows_max: Option<u64>,
}

/// A line of an answer: the columns, any number of rows, then the end or an error.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SqlLine {
    Columns(Vec<Column>),
    /// Rows, each an array with a value for each column.
    #[allow(dead_code, reason = "rows are written as they are read")]
    Rows(Vec<Vec<serde_json::Value>>),
    End(SqlEnd),
    Error(SqlFault),
}

/// The end of an answer that is whole.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SqlEnd {
    /// The number of rows that were sent.
    rows: u64,
    /// True if there were more rows than were wanted.
    truncated: bool,
    /// The time from the question to the end.
    millis: u64,
}

/// Why a statement failed, and where.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SqlFault {
    message: String,
    /// syntax, refused, time, memory, cancelled, statement, engine or output.
    kind: String,
    /// The line of the place, from 1.
    line: Option<usize>,
    /// The column of the place in characters, from 1.
    column: Option<usize>,
    /// The line with a caret below the place: two lines of text.
    excerpt: Option<String>,
    hint: Option<String>,
}

impl SqlFault {
    fn of(error: SqlError) -> SqlFault {
        let kind = format!("{:?}", error.kind).to_lowercase();
        let (line, column, excerpt) = (error.line, error.column, error.excerpt.clone());
        let told = wire::with_sql_hint(SqlError { line: None, column: None, excerpt: None, ..error }).to_string();
        let Fault { message, hint } = Fault::of(&told);
        SqlFault { message, kind, line, column, excerpt, hint }
    }
}

/// Asks in SQL.
///
/// The rows arrive while the statement runs. The statement ends when the reader goes away.
#[utoipa::path(
    post, path = "/sql", tag = "sql", request_body = SqlQuestion,
    responses(
        (status = 200, description = "JSON lines", content_type = "application/x-ndjson", body = SqlLine),
        (status = 400, description = "The request is not a question", body = Failure),
        (status = 403, description = "SQL is off on this address", body = Failure),
        (status = 408, description = "The request came too slowly", body = Failure),
        (status = 413, description = "The request has more than 1 MiB", body = Failure),
    )
)]
pub(super) async fn ask(State(state): Shared, request: Request) -> Result<Response, Problem> {
    allowed(&state.access)?;
    let question: SqlQuestion = read_json(request).await?;
    let rows_max = question.rows_max.unwrap_or(ROWS);
    if !(1..=ROWS_MAX).contains(&rows_max) {
        return Err(Problem::bad(format!("rows_max {rows_max}: expected 1 to {ROWS_MAX}")));
    }
    let asking = Asking::begin(&state.questions);
    let permit = permit(&state.statements).await?;
    let limits = SqlLimits { cancel: asking.cancel.clone(), rows_max: Some(rows_max), ..state.sql_limits.clone() };
    let (sender, receiver) = mpsc::channel(LINES_MAX);
    let (lake, questions) = (Arc::clone(&state.lake), state.questions.clone());
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let asked = answer_lines(&lake, &question.query, &limits, &sender);
        let last = match asked {
            Ok(end) => SqlLine::End(end),
            Err(error) if error.kind == SqlErrorKind::Cancelled && questions.is_cancelled() => {
                SqlLine::Error(SqlFault::of(SqlError { message: STOPPING.to_owned(), ..error }))
            }
            Err(error) => SqlLine::Error(SqlFault::of(error)),
        };
        // The reader may have gone away.
        let _ = sender.blocking_send(line(&last));
    });
    let lines = ReceiverStream::new(receiver).map(move |line| {
        // The statement is wanted as long as somebody reads its answer.
        let _ = &asking;
        Ok::<_, std::convert::Infallible>(line)
    });
    Ok((super::LINES, Body::from_stream(lines)).into_response())
}

/// Asks in SQL, and answers with a file.
///
/// The same URL gives the present answer at any time.
#[utoipa::path(
    get, path = "/sql", tag = "sql",
    params(
        ("query" = String, Query, description = "One statement that reads, as for `fedilake sql`"),
        ("format" = Option<String>, Query, description = "csv (default), json, ndjson or parquet"),
    ),
    responses(
        (status = 200, description = "A file", content_type = "text/csv", body = String),
        (status = 400, description = "The statement failed before its first row", body = Failure),
        (status = 403, description = "SQL is off on this address", body = Failure),
    )
)]
pub(super) async fn file(State(state): Shared, mut params: Params) -> Result<Response, Problem> {
    allowed(&state.access)?;
    let (query, format) = (params.needed("query")?, params.parsed("format")?.unwrap_or(Format::Csv));
    params.finish()?;
    let asking = Asking::begin(&state.questions);
    let permit = permit(&state.statements).await?;
    let limits = SqlLimits { cancel: asking.cancel.clone(), ..state.sql_limits.clone() };
    let lake = Arc::clone(&state.lake);
    download::stream("fedilake-answer", format, asking, move |out| {
        let _permit = permit;
        let (asked, read) = asked(&lake, &query, &limits, |answer| format.write(answer, out));
        outcome(asked, read).map_err(|error| Problem::bad(format!("{error}")))
    })
    .await
}

fn allowed(access: &crate::serve::Access) -> Result<(), Problem> {
    if access.sql {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "SQL is off, since other machines reach this address")
        .hint("the setting serve.sql = \"true\" lets every reader ask in SQL"))
}

/// Waits for a place among the statements that run.
async fn permit(statements: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(statements).acquire_owned().await.map_err(Problem::internal)
}

/// Runs a statement, and passes its rows to `read` while they come.
pub(super) fn asked<T>(
    lake: &LakeProcess,
    query: &str,
    limits: &SqlLimits,
    read: impl FnOnce(std::io::PipeReader) -> anyhow::Result<T>,
) -> (Result<SqlSummary, SqlError>, anyhow::Result<T>) {
    let (answer, mut out) = match std::io::pipe() {
        Ok(pipe) => pipe,
        Err(error) => return (Err(failure(format!("make a pipe: {error}"))), Err(error.into())),
    };
    std::thread::scope(|scope| {
        let asked = scope.spawn(move || lake.sql(query, limits, &mut out));
        let read = read(answer);
        (asked.join().expect("a question does not panic"), read)
    })
}

fn failure(message: String) -> SqlError {
    SqlError { kind: SqlErrorKind::Engine, message, line: None, column: None, excerpt: None }
}

fn answer_lines(
    lake: &LakeProcess,
    query: &str,
    limits: &SqlLimits,
    sender: &mpsc::Sender<Bytes>,
) -> Result<SqlEnd, SqlError> {
    let began = Instant::now();
    let (asked, read) = asked(lake, query, limits, |answer| {
        web::read(answer, |part| {
            let line = match part {
                Part::Columns(columns) => line(&SqlLine::Columns(columns)),
                Part::Rows(rows) => [b"{\"rows\":".as_slice(), &rows, b"}\n"].concat().into(),
            };
            Ok(sender.blocking_send(line)?)
        })
    });
    let SqlSummary { rows, truncated, .. } = match (asked, read) {
        // A type that cannot be shown stops the reader, and thereby the statement.
        (Err(error), Err(read)) if error.kind == SqlErrorKind::Output => return Err(failure(format!("{read:#}"))),
        (Ok(_), Err(read)) => return Err(failure(format!("{read:#}"))),
        (asked, _) => asked?,
    };
    Ok(SqlEnd { rows, truncated, millis: began.elapsed().as_millis() as u64 })
}

fn line(line: &impl Serialize) -> Bytes {
    let mut bytes = serde_json::to_vec(line).expect("a line is written to memory");
    bytes.push(b'\n');
    bytes.into()
}

/// Reads a request's body as JSON, within bounds of size and time.
async fn read_json<T: serde::de::DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let is_json = request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.to_str().is_ok_and(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "application/json"))
    });
    if !is_json {
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected Content-Type: application/json"));
    }
    let too_large = || {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the request has more than {} MiB", REQUEST_BYTES_MAX >> 20),
        )
        .hint("`fedilake sql` takes statements up to 16 MiB")
    };
    let body = to_bytes(request.into_body(), REQUEST_BYTES_MAX);
    let body = match tokio::time::timeout(ARRIVES_WITHIN, body).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return Err(too_large()),
        Err(_) => {
            let seconds = ARRIVES_WITHIN.as_secs();
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the request did not arrive within {seconds} s"),
            ));
        }
    };
    serde_json::from_slice(&body).map_err(|error| Problem::bad(format!("the request is not a question: {error}")))
}

/// Writes a question's rows as JSON objects into memory: for small questions of ours.
pub(super) fn objects<T: serde::de::DeserializeOwned>(
    lake: &LakeProcess,
    query: &str,
    limits: &SqlLimits,
) -> Result<Vec<T>, Problem> {
    let mut json = Vec::new();
    let (asked, read) = asked(lake, query, limits, |answer| Format::Json.write(answer, &mut json as &mut dyn Write));
    outcome(asked, read).map_err(Problem::internal)?;
    serde_json::from_slice(&json).map_err(Problem::internal)
}
