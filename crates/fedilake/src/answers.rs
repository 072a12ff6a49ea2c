//! The answers to questions: from the lake in this process, or from the process that owns the folder. Callers need
//! not know which.

mod pieces;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use fedilake_query::{Cancel, Question, Rows, SqlLimits};
use reqwest::Response;
use serde::Serialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};
use tokio_util::sync::CancellationToken;

use self::pieces::Pieces;
use crate::checked::{CheckReport, Progress};
use crate::lake_process::LakeProcess;
use crate::owner::{self, Access, Contact};
use crate::process::check::{self, Checker};
use crate::process::{Loops, Process};
use crate::serve::api::{CheckMessage, CheckRequest, NOTE_HEADER, SECRET_HEADER, SqlRequest};
use crate::settings::Settings;
use crate::wire::{self, Stores, Use, outcome};

/// The source of answers for a data folder.
pub enum Answers {
    /// The lake of this process.
    Here {
        lake: Arc<LakeProcess>,
        sql_limits: SqlLimits,
        checker: Box<Checker>,
        /// The process that owns the folder for these answers alone, until [`Answers::close`].
        process: Option<Box<Process>>,
    },
    /// Another process owns the folder and answers.
    There { contact: Contact, client: reqwest::Client },
}

impl Answers {
    /// Finds who answers for `folder`. Without an owner, takes the folder and waits until the lake has caught up.
    pub async fn of(folder: &Path, settings: &Settings) -> anyhow::Result<Answers> {
        let mut answers = Answers::of_any(folder, settings).await?;
        match &mut answers {
            // The follower of this process logs the missing offsets itself.
            Answers::Here { process: Some(process), .. } => process.lake_catches_up().await?,
            Answers::Here { process: None, .. } => {}
            Answers::There { contact, client } => {
                let missing = whole(ask(client, contact, "missing", &()).await?, contact).await?;
                let missing: Vec<String> = serde_json::from_slice(&missing).context("read the owner's answer")?;
                missing.iter().for_each(|sentence| tracing::warn!("{sentence}"));
            }
        }
        Ok(answers)
    }

    /// Like [`Answers::of`], but does not wait for the lake to catch up.
    pub async fn of_any(folder: &Path, settings: &Settings) -> anyhow::Result<Answers> {
        match access(folder, settings).await? {
            Access::Owner(ownership) => {
                let loops = Loops { follow: true, ..Loops::default() };
                let started = Process::start(Some(ownership.into()), settings, loops).await?;
                let mut answers = Answers::within(&started, settings)?;
                if let Answers::Here { process, .. } = &mut answers {
                    *process = Some(Box::new(started));
                }
                Ok(answers)
            }
            Access::Guest(contact) => Ok(Answers::There { contact, client: client()? }),
        }
    }

    /// Asks the lake of a process that goes on; close the answers before it stops.
    pub fn within(process: &Process, settings: &Settings) -> anyhow::Result<Answers> {
        let (lake, checker) = (Arc::clone(process.lake()), Box::new(process.checker()));
        Ok(Answers::Here { lake, sql_limits: wire::sql_limits(settings)?, checker, process: None })
    }

    /// Makes a report.
    pub async fn report(&self, question: &Question) -> anyhow::Result<Rows> {
        match self {
            Answers::Here { lake, .. } => {
                let (lake, question) = (Arc::clone(lake), question.clone());
                Ok(tokio::task::spawn_blocking(move || lake.report(&question)).await??)
            }
            Answers::There { contact, client } => {
                let response = ask(client, contact, "report", question).await?;
                let note = response
                    .headers()
                    .get(NOTE_HEADER)
                    .and_then(|note| String::from_utf8(note.as_bytes().to_vec()).ok());
                let ipc = whole(response, contact).await?.to_vec();
                Ok(Rows { ipc, note })
            }
        }
    }

    /// Asks in SQL, and passes the answer, an Arrow IPC stream, to `read` on a blocking thread while it arrives.
    pub async fn sql<T: Send + 'static>(
        &self,
        query: String,
        read: impl FnOnce(&mut dyn Read) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        self.sql_until(query, CancellationToken::new(), read).await
    }

    /// The same until `stop` cancels the statement, which is then an error.
    pub async fn sql_until<T: Send + 'static>(
        &self,
        query: String,
        stop: CancellationToken,
        read: impl FnOnce(&mut dyn Read) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        match self {
            Answers::Here { lake, sql_limits, .. } => {
                let cancel = Cancel::default();
                let (lake, limits) = (Arc::clone(lake), SqlLimits { cancel: cancel.clone(), ..sql_limits.clone() });
                let stopping = tokio::spawn(async move {
                    stop.cancelled().await;
                    cancel.cancel();
                });
                let (mut answer, mut out) = std::io::pipe().context("make a pipe")?;
                let asked = tokio::task::spawn_blocking(move || lake.sql(&query, &limits, &mut out));
                let read = tokio::task::spawn_blocking(move || read(&mut answer));
                let (asked, read) = tokio::join!(asked, read);
                stopping.abort();
                outcome(asked?, read?)
            }
            Answers::There { contact, client } => {
                let request = SqlRequest { query };
                let response = tokio::select! {
                    response = ask(client, contact, "sql", &request) => response?,
                    () = stop.cancelled() => bail!("cancelled"),
                };
                // The owner cancels a statement whose guest goes away.
                let bytes = futures::StreamExt::take_until(response.bytes_stream(), Box::pin(stop.cancelled_owned()));
                let bytes = futures::TryStreamExt::map_err(bytes, std::io::Error::other);
                let bytes = tokio_util::io::SyncIoBridge::new(tokio_util::io::StreamReader::new(bytes));
                let mut answer = Pieces::new(bytes, broke_off(contact));
                tokio::task::spawn_blocking(move || {
                    let read = read(&mut answer);
                    match answer.result(read.is_ok()) {
                        Some(asked) => outcome(asked, read),
                        None => read,
                    }
                })
                .await?
            }
        }
    }

    /// Checks the table, and compares the lake with it.
    pub async fn check(&mut self, progress: Arc<Progress>) -> anyhow::Result<CheckReport> {
        match self {
            Answers::Here { checker, process, .. } => {
                match (checker.check(&Cancel::default(), &progress).await, process) {
                    // The follower's error explains why the lake could not catch up.
                    (Err(_), Some(process)) if process.follower_ended() => Err(process.failure().await),
                    (checked, _) => checked,
                }
            }
            Answers::There { contact, client } => {
                let answer = ask(client, contact, "check", &CheckRequest { progress: true, quick: false }).await?;
                read_check(answer, contact, &progress).await
            }
        }
    }

    /// Checks names and footers of the table of `folder`. Opens no lake.
    pub async fn check_quickly(
        folder: &Path,
        settings: &Settings,
        progress: Arc<Progress>,
    ) -> anyhow::Result<CheckReport> {
        match access(folder, settings).await? {
            Access::Owner(ownership) => {
                progress.say("reads the table's footers", 0.0);
                let ownership = Arc::new(ownership);
                let stores = Stores::open(Some(&ownership), settings, Use::Read).await?;
                check::quick(&stores.table, &stores.log).await
            }
            Access::Guest(contact) => {
                let request = CheckRequest { progress: true, quick: true };
                let answer = ask(&client()?, &contact, "check", &request).await?;
                read_check(answer, &contact, &progress).await
            }
        }
    }

    /// Closes the lake and releases the folder.
    pub async fn close(self) -> anyhow::Result<()> {
        match self {
            Answers::Here { process: Some(process), lake, checker, .. } => {
                // The process closes the lake when nobody else has it.
                drop((lake, checker));
                process.stop().await.map(drop)
            }
            Answers::Here { process: None, .. } | Answers::There { .. } => Ok(()),
        }
    }
}

/// Takes `folder`, or finds its owner.
async fn access(folder: &Path, settings: &Settings) -> anyhow::Result<Access> {
    wire::require_data_folder(folder, settings)?;
    if !owner::is_signed(folder) {
        wire::reach_stores(folder, settings).await?;
    }
    owner::access(folder).await
}

/// A client for an owner, which is on this machine, so that no proxy may be used.
pub fn client() -> anyhow::Result<reqwest::Client> {
    reqwest::Client::builder().no_proxy().build().context("make an HTTP client")
}

/// Reads an owner's messages about a check: its progress, a line each, then its report or its error.
async fn read_check(answer: Response, contact: &Contact, progress: &Progress) -> anyhow::Result<CheckReport> {
    let blocks = futures::TryStreamExt::map_err(answer.bytes_stream(), std::io::Error::other);
    read_messages(tokio_util::io::StreamReader::new(blocks), broke_off(contact), progress).await
}

/// `broke_off` is the error for messages that end before the report, also in the middle of a line.
async fn read_messages(
    mut messages: impl AsyncBufRead + Unpin,
    broke_off: String,
    progress: &Progress,
) -> anyhow::Result<CheckReport> {
    loop {
        let mut line = Vec::new();
        let is_cut = messages.read_until(b'\n', &mut line).await.is_err() || !line.ends_with(b"\n");
        match serde_json::from_slice(&line) {
            Ok(CheckMessage::Doing(doing)) => progress.note(doing),
            Ok(CheckMessage::Report(report)) => return Ok(report),
            Ok(CheckMessage::Failed(why)) => bail!(why),
            Err(error) if is_cut && error.is_eof() => bail!(broke_off),
            Err(error) => return Err(error).context(UNREADABLE),
        }
    }
}

/// The error for a line that arrived whole and says nothing known.
const UNREADABLE: &str =
    "read the owner's answer\nhint: the process that owns the data folder may be another version of fedilake";

pub async fn ask(
    client: &reqwest::Client,
    contact: &Contact,
    what: &str,
    request: &impl Serialize,
) -> anyhow::Result<Response> {
    let url = format!("http://{}/api/{what}", contact.address);
    let response = client
        .post(url)
        .header(SECRET_HEADER, &contact.secret)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(request).context("write the question")?)
        .send()
        .await
        .map_err(|error| match error.is_connect() && !is_reset(&error) {
            true => anyhow::Error::new(error).context(format!(
                "ask the process that owns the data folder (pid {}, {})",
                contact.pid, contact.address
            )),
            // A connection that was there and went says no more than that.
            false => anyhow::anyhow!(broke_off(contact)),
        })?;
    if response.status().is_success() {
        return Ok(response);
    }
    let why = whole(response, contact).await?;
    bail!("{}", String::from_utf8_lossy(&why).trim_end())
}

/// True if the owner took the connection and ended before it answered.
fn is_reset(error: &reqwest::Error) -> bool {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let mut kinds = causes.filter_map(|error| Some(error.downcast_ref::<std::io::Error>()?.kind()));
    kinds.any(|kind| kind == std::io::ErrorKind::ConnectionReset)
}

/// The body of an answer that is small enough to be held.
pub async fn whole(response: Response, contact: &Contact) -> anyhow::Result<Bytes> {
    response.bytes().await.map_err(|_| anyhow::anyhow!(broke_off(contact)))
}

/// The error for an answer that has no end.
fn broke_off(contact: &Contact) -> String {
    format!(
        "the process that owns the data folder (pid {}) ended in the middle of its answer\n\
         hint: ask again; its own last lines say why it ended",
        contact.pid
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checked::Doing;

    fn line(message: &CheckMessage) -> Vec<u8> {
        [serde_json::to_vec(message).unwrap(), b"\n".to_vec()].concat()
    }

    #[tokio::test]
    async fn only_messages_that_end_too_early_are_the_owners_end() {
        let doing = line(&CheckMessage::Doing(Doing { what: "reads".to_owned(), share: 0.5 }));
        let failed = line(&CheckMessage::Failed("the table is gone".to_owned()));
        let cases: &[(&[&[u8]], &str)] = &[
            (&[&doing, &failed], "the table is gone"),
            (&[&doing], "broke off"),
            (&[], "broke off"),
            // The owner was killed in the middle of a line.
            (&[&doing, &doing[..doing.len() / 2]], "broke off"),
            (&[&doing, &failed[..failed.len() - 2]], "broke off"),
            (&[&failed[..failed.len() - 1]], "the table is gone"),
            // Whole lines that say nothing known.
            (&[&doing, b"no message\n", &failed], UNREADABLE),
            (&[&doing, b"\xff\xfe\n", &failed], UNREADABLE),
            (&[b"{\"Later\":1}\n", &failed], UNREADABLE),
            (&[b"\n", &failed], UNREADABLE),
        ];
        for (lines, expected) in cases {
            let (bytes, progress) = (lines.concat(), Progress::default());
            let read = read_messages(bytes.as_slice(), "broke off".to_owned(), &progress).await;
            assert_eq!(read.unwrap_err().to_string(), *expected, "{}", String::from_utf8_lossy(&bytes));
        }
    }
}
