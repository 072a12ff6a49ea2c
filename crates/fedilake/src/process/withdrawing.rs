//! Posts of authors who said no later, deleted.
//!
//! Collectors and replays note who said no ([`Admission::refusals`]); the operator's list names who opted out. This process's
//! lake knows what is held of them: each sighting of it is deleted in the log, as if its server had told so. The deletes are
//! records like any other, so the table, every lake and every reader of plain files hide the posts by the rules that they
//! have, and a lake that is rebuilt does too. A delete twice is a delete once: after a crash the list is gone through again,
//! and an author is met again with her next post.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use fedilake_collect::OptOut;
use fedilake_collect::admission::{Admission, Refusal};
use fedilake_log::{Offset, Partition};
use fedilake_model::{Deletion, Server};
use fedilake_query::{Held, Holder, HolderName};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::lake_process::LakeProcess;
use crate::process::progress;
use crate::render::counted;
use crate::task::Task;
use crate::wire::OpenLog;

/// The interval at which authors are looked for. What was admitted just before an author said no is in the log by the next
/// look.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Holders in one question to the lake.
const HOLDERS_MAX: usize = 2_000;
/// Deletes between two questions to the lake.
const DELETES_MAX: u32 = 20_000;

/// Deletes what is held of those who said no.
pub struct Withdrawing {
    admission: Admission,
    lake: Arc<LakeProcess>,
    log: OpenLog,
    reached: watch::Receiver<HashMap<Partition, Offset>>,
    /// The list whose entries were gone through.
    opt_out: Arc<OptOut>,
    /// Deletes so far.
    deleted: u64,
    /// True while it fails.
    fails: bool,
}

impl Withdrawing {
    /// Works on an open lake and a log that is written; `reached` has the lake's positions.
    pub fn new(
        admission: Admission,
        lake: Arc<LakeProcess>,
        log: OpenLog,
        reached: watch::Receiver<HashMap<Partition, Offset>>,
    ) -> Withdrawing {
        Withdrawing { admission, lake, log, reached, opt_out: Arc::default(), deleted: 0, fails: false }
    }

    /// Begins to look, again and again. Stopped, it leaves who said no meanwhile for [`Withdrawing::finish`].
    pub fn start(self) -> Task<Withdrawing> {
        Task::spawn("the withdrawing of posts", |stop| async move { Ok(self.run(stop).await) })
    }

    async fn run(mut self, stop: CancellationToken) -> Withdrawing {
        let mut waiting = Vec::new();
        let working = async {
            loop {
                tokio::time::sleep(LOOK_AGAIN).await;
                waiting.append(&mut self.admission.refusals());
                match self.withdraw(&waiting).await {
                    Ok(()) => {
                        waiting.clear();
                        self.fails = false;
                    }
                    Err(error) if !self.fails => {
                        tracing::warn!("posts of people who said no are not deleted yet; trying again: {error:#}");
                        self.fails = true;
                    }
                    Err(_) => {}
                }
            }
        };
        let _: Option<std::convert::Infallible> = stop.run_until_cancelled(working).await;
        self.admission.hear_again(waiting);
        self
    }

    /// Like [`Withdrawing::finish`], but gives up after `within`.
    pub async fn finish_within(self, within: Duration) -> anyhow::Result<u64> {
        tokio::time::timeout(within, self.finish()).await.context("the lake does not catch up")?
    }

    /// Goes through all who said no until now, when nothing is collected any more. Returns the number of deletes of this process.
    pub async fn finish(mut self) -> anyhow::Result<u64> {
        let refusals = self.admission.refusals();
        self.withdraw(&refusals).await?;
        Ok(self.deleted)
    }

    async fn withdraw(&mut self, refusals: &[Refusal]) -> anyhow::Result<()> {
        let listed = self.admission.opt_out();
        let mut holders: Vec<Holder> = refusals.iter().flat_map(|refusal| self.of_refusal(refusal)).collect();
        if !Arc::ptr_eq(&listed, &self.opt_out) && *listed != *self.opt_out {
            holders.extend(self.of_list(&listed, Utc::now()));
        }
        if !holders.is_empty() {
            self.lake_catches_up().await?;
        }
        for holders in holders.chunks(HOLDERS_MAX) {
            self.delete(holders).await?;
        }
        self.opt_out = listed;
        Ok(())
    }

    fn of_refusal<'a>(&self, refusal: &'a Refusal) -> impl Iterator<Item = Holder> + use<'a> {
        let Refusal { author, at, is_of_indexing } = refusal;
        // What was counted under a hash is not shown with a name, which is all that `indexable` asks for.
        let names = self.admission.names(author).filter({
            let is_of_indexing = *is_of_indexing;
            move |name| !is_of_indexing || name == author
        });
        let (until_micros, only_indexable) = (at.timestamp_micros(), *is_of_indexing);
        names.map(move |name| Holder { name: HolderName::Author(name), until_micros, only_indexable })
    }

    fn of_list(&self, listed: &OptOut, now: DateTime<Utc>) -> Vec<Holder> {
        let names = listed.accounts().flat_map(|account| self.admission.names(account)).map(HolderName::Author);
        let names = names.chain(listed.domains().map(|domain| HolderName::Domain(domain.to_owned())));
        names.map(|name| Holder { name, until_micros: now.timestamp_micros(), only_indexable: false }).collect()
    }

    async fn delete(&mut self, holders: &[Holder]) -> anyhow::Result<()> {
        loop {
            let (lake, asked) = (Arc::clone(&self.lake), holders.to_vec());
            let held = tokio::task::spawn_blocking(move || lake.held(&asked, DELETES_MAX)).await?;
            let held = held.context("ask the lake what is held")?;
            if held.is_empty() {
                return Ok(());
            }
            let deletions: Vec<Deletion> = held.into_iter().map(deletion).collect();
            let count = deletions.len() as u64;
            self.log.appending().append_deletions(&deletions).await.context("append deletes")?;
            self.deleted += count;
            tracing::info!("{} of posts of people who said no are deleted", counted(count, "sighting"));
            // The next question must not find the same again.
            self.lake_catches_up().await?;
        }
    }

    /// Waits until the lake has everything that the log holds now.
    async fn lake_catches_up(&mut self) -> anyhow::Result<()> {
        let is_followed = progress::all_followed(self.log.source.as_ref(), &mut self.reached).await?;
        if is_followed { Ok(()) } else { bail!("the lake stopped") }
    }
}

fn deletion(held: Held) -> Deletion {
    let observed_at = DateTime::from_timestamp_micros(held.until_micros).unwrap_or(DateTime::UNIX_EPOCH);
    Deletion { server: Server::new(&held.server), id: held.id, observed_at }
}
