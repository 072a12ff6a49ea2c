//! A sink's distance to the log's end, for `/metrics` and `/readyz`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fedilake_log::{Log, Offset, Partition};
use fedilake_table::sink::SinkProgress;
use tokio::sync::watch;

use crate::figures::PartitionLag;
use crate::task::Task;

/// The interval between two readings of the log's ends.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Exports the lag until dropped.
pub struct Lag {
    _task: Task,
    looked: watch::Receiver<Option<Vec<PartitionLag>>>,
}

impl Lag {
    /// Exports lag for the partitions in `progress`. Asks `log` for its ends only; reads no records.
    pub fn watch(log: Arc<dyn Log>, progress: Arc<SinkProgress>) -> Lag {
        let (sender, looked) = watch::channel(None);
        let task = Task::until_dropped("the lag", async move {
            let mut looks = tokio::time::interval(LOOK_AGAIN);
            let mut shown = BTreeSet::new();
            loop {
                looks.tick().await;
                let positions = progress.positions();
                // A partition that moved to another sink is exported there.
                for gone in shown.iter().filter(|partition: &&Partition| !positions.contains_key(*partition)) {
                    export(&PartitionLag { partition: gone.0, lag_records: 0, uncommitted_records: 0 });
                }
                let mut lags = Vec::new();
                // The sink itself reports a log that does not answer.
                let all = if positions.is_empty() { BTreeMap::new() } else { log.bounds().await.unwrap_or_default() };
                for (partition, position) in &positions {
                    let Some(bounds) = all.get(partition) else { continue };
                    let behind = |offset: Offset| bounds.end.0.saturating_sub(offset.0);
                    let (lag_records, uncommitted_records) = (behind(position.read), behind(position.committed));
                    lags.push(PartitionLag { partition: partition.0, lag_records, uncommitted_records });
                }
                lags.iter().for_each(export);
                let has_answered = positions.is_empty() || !lags.is_empty();
                sender.send_replace(has_answered.then_some(lags));
                shown = positions.into_keys().collect();
            }
        });
        Lag { _task: task, looked }
    }

    /// The lag of the partitions, as it is read again and again; `None` while the log does not answer.
    pub fn watched(&self) -> watch::Receiver<Option<Vec<PartitionLag>>> {
        self.looked.clone()
    }
}

fn export(lag: &PartitionLag) {
    let partition = lag.partition.to_string();
    metrics::gauge!("fedilake_sink_lag_records", "partition" => partition.clone()).set(lag.lag_records as f64);
    metrics::gauge!("fedilake_sink_uncommitted_records", "partition" => partition).set(lag.uncommitted_records as f64);
}
