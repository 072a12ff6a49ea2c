//! The line that shows, while servers are collected, what comes in; and the same figures as metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fedilake_collect::{Counts, ServerSnapshot, Tally};
use tokio::task::JoinHandle;

use crate::command::collecting::servers_line;
use crate::telemetry::{self, Unit};

/// How often the line is renewed.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Shows the line until it is dropped.
pub(super) struct Watching(JoinHandle<()>);

impl Watching {
    /// Begins to show what `counts` counts.
    pub fn start(counts: Arc<Counts>) -> Watching {
        Watching(tokio::spawn(async move {
            let bar = telemetry::progress_bar("collecting", 0, Unit::Posts);
            let mut looks = tokio::time::interval(LOOK_AGAIN);
            loop {
                looks.tick().await;
                let (tally, servers) = (counts.tally(), counts.snapshot());
                bar.set_position(tally.accepted);
                bar.set_message(servers_line(&servers));
                export(&tally, &servers);
            }
        }))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The counts as metrics: `fedilake_collect_{accepted,duplicates,unknown,skipped,rejected,failures}_total`, by reason where there
/// is one, and `fedilake_collect_servers` by state.
fn export(tally: &Tally, servers: &[ServerSnapshot]) {
    metrics::counter!("fedilake_collect_accepted_total").absolute(tally.accepted);
    metrics::counter!("fedilake_collect_duplicates_total").absolute(tally.duplicates);
    metrics::counter!("fedilake_collect_unknown_total").absolute(tally.unknown);
    for (reason, count) in &tally.skipped {
        metrics::counter!("fedilake_collect_skipped_total", "reason" => *reason).absolute(*count);
    }
    for (reason, count) in &tally.rejected {
        metrics::counter!("fedilake_collect_rejected_total", "reason" => *reason).absolute(*count);
    }
    let mut failures: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (kind, count) in servers.iter().flat_map(|server| &server.failures) {
        *failures.entry(kind).or_default() += count;
    }
    for (kind, count) in failures {
        metrics::counter!("fedilake_collect_failures_total", "kind" => kind).absolute(count);
    }
    for state in ["live", "polling", "connecting", "backing_off"] {
        let servers = servers.iter().filter(|server| server.state.as_str() == state).count();
        metrics::gauge!("fedilake_collect_servers", "state" => state).set(servers as f64);
    }
}
