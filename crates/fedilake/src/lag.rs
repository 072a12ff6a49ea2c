//! A sink's distance to the log's end, for `/metrics` and `/readyz`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fedilake_log::{LogReader, Offset, Partition};
use fedilake_table::sink::SinkProgress;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The interval between two readings of the log's ends.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// A sink's distance to the end of a log partition, in records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionLag {
    pub partition: u32,
    /// Records that the sink has not read.
    pub lag_records: u64,
    /// Records that are not in the table.
    pub uncommitted_records: u64,
}

/// Exports the lag until dropped.
pub struct Lag {
    task: JoinHandle<()>,
    looked: watch::Receiver<Option<Vec<PartitionLag>>>,
}

impl Lag {
    /// Exports lag for the partitions in `progress`. Asks `log` for its ends only; reads no records.
    pub fn watch(mut log: Box<dyn LogReader>, progress: Arc<SinkProgress>) -> Lag {
        let (sender, looked) = watch::channel(None);
        let task = tokio::spawn(async move {
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
                for (partition, position) in &positions {
                    // The sink itself reports a log that does not answer.
                    let Ok(bounds) = log.bounds(*partition).await else { continue };
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
        Lag { task, looked }
    }

    /// The lag of the partitions, as it is read again and again.
    pub fn watched(&self) -> watch::Receiver<Option<Vec<PartitionLag>>> {
        self.looked.clone()
    }

    /// The lag of the partitions at the last reading; `None` while the log does not answer.
    pub fn looked(&self) -> Option<Vec<PartitionLag>> {
        self.looked.borrow().clone()
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn export(lag: &PartitionLag) {
    let partition = lag.partition.to_string();
    metrics::gauge!("fedilake_sink_lag_records", "partition" => partition.clone()).set(lag.lag_records as f64);
    metrics::gauge!("fedilake_sink_uncommitted_records", "partition" => partition).set(lag.uncommitted_records as f64);
}
