//! Waits for a sink or for the lake, and shows how far something is.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context;
use fedilake_log::{Bounds, Log, Offset, Partition};
use fedilake_table::sink::SinkProgress;
use indicatif::ProgressBar;
use tokio::sync::watch;

/// Waits until a sink of every partition has read up to the log's current end.
pub async fn all_read(log: &dyn Log, sink: &SinkProgress) -> anyhow::Result<()> {
    for (partition, Bounds { end, .. }) in log.bounds().await.context("read the log's ends")? {
        while sink.positions().get(&partition).is_none_or(|position| position.read < end) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

/// Waits until the lake, whose positions `reached` has, has everything that the log held at the call. False if its follower ended first.
pub async fn all_followed(
    log: &dyn Log,
    reached: &mut watch::Receiver<HashMap<Partition, Offset>>,
) -> anyhow::Result<bool> {
    for (partition, Bounds { end, .. }) in log.bounds().await.context("read the log's ends")? {
        let has_it = |reached: &HashMap<Partition, Offset>| reached.get(&partition).is_some_and(|at| *at >= end);
        if reached.wait_for(has_it).await.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Shows a position and a message on `bar` as they are, ten times a second, until dropped.
pub async fn show(bar: &ProgressBar, look: impl Fn() -> (u64, String)) -> Infallible {
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    loop {
        looks.tick().await;
        let (position, message) = look();
        bar.set_position(position);
        bar.set_message(message);
    }
}
