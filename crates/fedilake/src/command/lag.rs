//! How far a sink is behind its log, as metrics: `fedilake_sink_lag_records` and `fedilake_sink_uncommitted_records` by partition.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fedilake_log::{LogReader, Partition};
use fedilake_table::sink::SinkProgress;
use tokio::task::JoinHandle;

/// How often the log is asked for its ends.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Exports the figures until it is dropped.
pub(super) struct Lag(JoinHandle<()>);

impl Lag {
    /// Begins to watch the partitions that `progress` has; `log` is read no record of.
    pub fn watch(mut log: Box<dyn LogReader>, progress: Arc<SinkProgress>) -> Lag {
        Lag(tokio::spawn(async move {
            let mut looks = tokio::time::interval(LOOK_AGAIN);
            let mut shown = BTreeSet::new();
            loop {
                looks.tick().await;
                let positions = progress.positions();
                // Another sink tells of a partition that went over to it.
                for gone in shown.iter().filter(|partition| !positions.contains_key(partition)) {
                    export(*gone, 0, 0);
                }
                for (partition, position) in &positions {
                    // A log that is away is the sink's to report.
                    let Ok(bounds) = log.bounds(*partition).await else { continue };
                    let behind = |offset: fedilake_log::Offset| bounds.end.0.saturating_sub(offset.0);
                    export(*partition, behind(position.read), behind(position.committed));
                }
                shown = positions.into_keys().collect();
            }
        }))
    }
}

impl Drop for Lag {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn export(partition: Partition, lag: u64, uncommitted: u64) {
    let partition = partition.to_string();
    metrics::gauge!("fedilake_sink_lag_records", "partition" => partition.clone()).set(lag as f64);
    metrics::gauge!("fedilake_sink_uncommitted_records", "partition" => partition).set(uncommitted as f64);
}
