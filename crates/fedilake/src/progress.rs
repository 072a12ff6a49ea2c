//! Waits for a sink.

use std::time::Duration;

use anyhow::Context;
use fedilake_table::sink::SinkProgress;

use crate::wire::Log;

/// Waits until a sink of every partition has read up to the log's current end.
pub async fn all_read(log: &Log, sink: &SinkProgress) -> anyhow::Result<()> {
    let mut reader = log.reader()?;
    for partition in reader.partitions().await.context("read the log")? {
        let end = reader.bounds(partition).await.context("read the log's end")?.end;
        while sink.positions().get(&partition).is_none_or(|position| position.read < end) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}
