//! Who answers a question: the lake opened here, or the process that owns the folder. Nobody who asks has to know.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use fedilake_query::sql::SqlErrorKind;
use fedilake_query::{Cancel, Rows, SqlError, SqlLimits, SqlSummary};
use reqwest::Response;
use serde::Serialize;

use crate::check::CheckReport;
use crate::owner::{self, Access, Contact};
use crate::pipeline::{Loops, Pipeline, Sinks};
use crate::serve::api::{NOTE_HEADER, ReportRequest, SECRET_HEADER, SqlRequest};
use crate::settings::Settings;
use crate::wire;

/// Whoever answers for a data folder.
pub enum Answers {
    /// The folder was free: its lake, and ours until this is closed.
    Here { pipeline: Box<Pipeline>, sql_limits: SqlLimits },
    /// The process that owns it.
    There { contact: Contact, client: reqwest::Client },
}

impl Answers {
    /// Finds who answers for `folder`; without an owner takes it and catches the lake up.
    pub async fn of(folder: &Path, settings: &Settings) -> anyhow::Result<Answers> {
        let mut answers = Answers::of_any(folder, settings).await?;
        match &mut answers {
            // Its follower tells what the figures lack.
            Answers::Here { pipeline, .. } => pipeline.lake_catches_up().await?,
            Answers::There { contact, client } => {
                let missing =
                    ask(client, contact, "missing", &()).await?.bytes().await.context("read the owner's answer")?;
                let missing: Vec<String> = serde_json::from_slice(&missing).context("read the owner's answer")?;
                missing.iter().for_each(|sentence| tracing::warn!("{sentence}"));
            }
        }
        Ok(answers)
    }

    /// The same, but for those who also want to hear from a lake that cannot catch up.
    pub async fn of_any(folder: &Path, settings: &Settings) -> anyhow::Result<Answers> {
        wire::require_data_folder(folder, settings)?;
        match owner::access(folder).await? {
            Access::Owner(ownership) => {
                let pipeline = Pipeline::start(ownership, settings, Loops { sink: Sinks::No, listen: None }).await?;
                Ok(Answers::Here { pipeline: Box::new(pipeline), sql_limits: wire::sql_limits(settings)? })
            }
            Access::Guest(contact) => {
                // The owner is on this machine: no proxy is asked.
                let client = reqwest::Client::builder().no_proxy().build().context("make an HTTP client")?;
                Ok(Answers::There { contact, client })
            }
        }
    }

    /// Makes a report.
    pub async fn report(&self, request: &ReportRequest) -> anyhow::Result<Rows> {
        match self {
            Answers::Here { pipeline, .. } => {
                let (lake, request) = (pipeline.lake.clone(), request.clone());
                tokio::task::spawn_blocking(move || lake.report(&request.report, &request.filter))
                    .await?
                    .context("make the report")
            }
            Answers::There { contact, client } => {
                let response = ask(client, contact, "report", request).await?;
                let note = response
                    .headers()
                    .get(NOTE_HEADER)
                    .and_then(|note| String::from_utf8(note.as_bytes().to_vec()).ok());
                let ipc = response.bytes().await.context("read the owner's answer")?.to_vec();
                Ok(Rows { ipc, note })
            }
        }
    }

    /// Asks in SQL and hands the answer, an Arrow IPC stream, to `read` on a blocking thread as it comes.
    pub async fn sql<T: Send + 'static>(
        &self,
        query: String,
        read: impl FnOnce(&mut dyn Read) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        match self {
            Answers::Here { pipeline, sql_limits } => {
                let (lake, limits) = (pipeline.lake.clone(), sql_limits.clone());
                let (mut answer, mut out) = std::io::pipe().context("make a pipe")?;
                let asked = tokio::task::spawn_blocking(move || lake.sql(&query, &limits, &mut out));
                let read = tokio::task::spawn_blocking(move || read(&mut answer));
                let (asked, read) = tokio::join!(asked, read);
                outcome(asked?, read?)
            }
            Answers::There { contact, client } => {
                let response = ask(client, contact, "sql", &SqlRequest { query }).await?;
                let blocks = futures::TryStreamExt::map_err(response.bytes_stream(), std::io::Error::other);
                let mut answer = tokio_util::io::SyncIoBridge::new(tokio_util::io::StreamReader::new(blocks));
                tokio::task::spawn_blocking(move || read(&mut answer)).await?
            }
        }
    }

    /// Checks the table, and the lake against it.
    pub async fn check(&mut self) -> anyhow::Result<CheckReport> {
        match self {
            Answers::Here { pipeline, .. } => match pipeline.checker().check(&Cancel::default()).await {
                // Why the lake could not follow explains more than that it did not.
                Err(_) if pipeline.follower_ended() => Err(pipeline.failure().await),
                checked => checked,
            },
            Answers::There { contact, client } => {
                let answer =
                    ask(client, contact, "check", &()).await?.bytes().await.context("read the owner's answer")?;
                serde_json::from_slice(&answer).context("read the owner's answer")
            }
        }
    }

    /// Lets go of the folder.
    pub async fn close(self) -> anyhow::Result<()> {
        match self {
            Answers::Here { pipeline, .. } => pipeline.stop().await,
            Answers::There { .. } => Ok(()),
        }
    }
}

/// What came of a question whose answer was read while it came: of two errors the cause. A question that failed explains more
/// than an answer that broke off, and a reader that failed more than an answer that nobody read any more.
pub fn outcome<T>(asked: Result<SqlSummary, SqlError>, read: anyhow::Result<T>) -> anyhow::Result<T> {
    match (asked, read) {
        (Err(unread), Err(read)) if unread.kind == SqlErrorKind::Output => Err(read),
        (Err(failed), _) => Err(wire::with_sql_hint(failed)),
        (Ok(_), read) => read,
    }
}

async fn ask(
    client: &reqwest::Client,
    contact: &Contact,
    what: &str,
    request: &impl Serialize,
) -> anyhow::Result<Response> {
    let url = format!("http://{}/api/{what}", contact.address);
    let who = || format!("ask the process that owns the data folder (pid {}, {})", contact.pid, contact.address);
    let response = client
        .post(url)
        .header(SECRET_HEADER, &contact.secret)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(request).context("write the question")?)
        .send()
        .await
        .with_context(who)?;
    if response.status().is_success() {
        return Ok(response);
    }
    let why = response.text().await.with_context(who)?;
    bail!("{}", why.trim_end())
}
