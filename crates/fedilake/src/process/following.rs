//! The lake of this process with the loops that keep it: the follower and what the lake is told.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use fedilake_collect::admission::Admission;
use fedilake_log::{Offset, Partition};
use tokio::sync::watch;

use crate::figures::Measured;
use crate::lake_process::LakeProcess;
use crate::owner::Ownership;
use crate::process::DRAIN_DEADLINE;
use crate::process::check::Checker;
use crate::process::drained;
use crate::process::follow::Follower;
use crate::process::sizes::Sizes;
use crate::process::telling::Telling;
use crate::process::withdrawing::Withdrawing;
use crate::settings::Settings;
use crate::task::Task;
use crate::temporary::Temporary;
use crate::wire::{self, Stores};

/// A lake that follows the table and the log.
pub struct Following {
    pub lake: Arc<LakeProcess>,
    /// The next offset that the lake needs of each partition; closed when the follower has ended.
    pub reached: watch::Receiver<HashMap<Partition, Offset>>,
    stores: Stores,
    temporary: Temporary,
    follower: Task,
    /// Tells the lake gaps and skips of servers.
    telling: Task,
    sizes: Sizes,
}

impl Following {
    /// Waits until the lake is open, and starts its loops.
    pub async fn start(
        lake: LakeProcess,
        stores: &Stores,
        ownership: &Ownership,
        settings: &Settings,
    ) -> anyhow::Result<Following> {
        let lake = Arc::new(lake);
        opened(&lake).await?;
        let mut telling = Telling::new(Arc::clone(&stores.log.bookmarks), Arc::clone(&lake));
        // The first answer has it too, of a lake that is rebuilt.
        telling.tell().await;
        let telling = Task::spawn("what the lake is told", |stop| telling.run(stop));
        let temporary = ownership.temporary().clone();
        let follower = Follower::new(stores, Arc::clone(&lake), temporary.clone())?;
        let reached = follower.reached();
        let follower = Task::spawn("the follower", |stop| follower.run(stop));
        let sizes = Sizes::watch(wire::parts(ownership.folder(), settings)?);
        Ok(Following { lake, reached, stores: stores.clone(), temporary, follower, telling, sizes })
    }

    /// Resolves when one of the loops fails. Cancel-safe.
    pub async fn failure(&mut self) -> anyhow::Error {
        tokio::select! {
            error = self.follower.early_end() => error,
            error = self.telling.early_end() => error,
        }
    }

    /// True until the follower's end was seen.
    pub fn runs(&self) -> bool {
        self.follower.runs()
    }

    /// The sizes of the folder's parts.
    pub fn sizes(&self) -> watch::Receiver<Measured> {
        self.sizes.measured()
    }

    /// The inputs of a check.
    pub fn checker(&self) -> Checker {
        let Stores { log, table, files } = self.stores.clone();
        let (lake, reached) = (Arc::clone(&self.lake), self.reached.clone());
        Checker { table, files, temporary: self.temporary.clone(), log, lake, reached }
    }

    /// Deletes what the lake has of those who said no to `admission`.
    pub fn withdrawing(&self, admission: &Admission) -> Withdrawing {
        Withdrawing::new(admission.clone(), Arc::clone(&self.lake), self.stores.log.clone(), self.reached.clone())
    }

    /// Ends the loops; the lake stays open.
    pub async fn stop(self) -> anyhow::Result<Arc<LakeProcess>> {
        drained(self.follower, Some(DRAIN_DEADLINE)).await?;
        drained(self.telling, Some(DRAIN_DEADLINE)).await?;
        Ok(self.lake)
    }
}

async fn opened(lake: &Arc<LakeProcess>) -> anyhow::Result<()> {
    let lake = Arc::clone(lake);
    tokio::task::spawn_blocking(move || lake.opened()).await?.context("open the lake")
}
