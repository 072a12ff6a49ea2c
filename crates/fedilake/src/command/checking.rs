//! The progress of a check, for people.

use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::telemetry::{self, Unit};

/// A check that ends sooner shows no progress.
const SHOWN_AFTER: Duration = Duration::from_secs(2);

/// Waits for `check`, and shows on a terminal how long it has been running.
pub(super) async fn shown<T>(check: impl Future<Output = T>) -> T {
    let (mut check, begun) = (pin!(check), Instant::now());
    if let Ok(checked) = timeout(SHOWN_AFTER, &mut check).await {
        return checked;
    }
    let bar = telemetry::progress_bar("check", 0, Unit::Nothing);
    let mut looks = tokio::time::interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            checked = &mut check => {
                bar.finish_and_clear();
                return checked;
            }
            _ = looks.tick() => {
                bar.set_message(format!("comparing the table with the lake, {} s", begun.elapsed().as_secs()));
            }
        }
    }
}
