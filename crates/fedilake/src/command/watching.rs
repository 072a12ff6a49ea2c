//! The line that shows, while servers are collected, what comes in; and the same figures as metrics.

use std::sync::Arc;
use std::time::Duration;

use fedilake_collect::Counts;
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
                bar.set_position(counts.tally().accepted);
                let servers = counts.snapshot();
                bar.set_message(servers_line(&servers));
                for state in ["live", "polling", "connecting", "backing_off"] {
                    let servers = servers.iter().filter(|server| server.state.as_str() == state).count();
                    metrics::gauge!("fedilake_collect_servers", "state" => state).set(servers as f64);
                }
            }
        }))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}
