//! The progress of a check, for people.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::checked::{Doing, Progress};
use crate::telemetry::{self, Unit};

/// A check that takes no longer needs no progress shown.
const SHOWN_AFTER: Duration = Duration::from_secs(1);
/// Parts of the bar.
const PARTS: u64 = 1_000;

/// Waits for the check that `check` makes, and shows on a terminal how far it is.
pub async fn shown<F: Future>(check: impl FnOnce(Arc<Progress>) -> F) -> F::Output {
    let progress = Arc::<Progress>::default();
    let mut check = pin!(check(Arc::clone(&progress)));
    if let Ok(checked) = timeout(SHOWN_AFTER, &mut check).await {
        return checked;
    }
    let bar = telemetry::progress_bar("check", PARTS, Unit::Share);
    let mut looks = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            checked = &mut check => {
                bar.finish_and_clear();
                return checked;
            }
            _ = looks.tick() => {
                let Doing { what, share } = progress.doing();
                bar.set_position((share * PARTS as f64) as u64);
                bar.set_message(what);
            }
        }
    }
}
