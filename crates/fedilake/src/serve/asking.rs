//! Questions that somebody waits for.

use fedilake_query::Cancel;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

/// The error of a question that the end of the owner interrupts.
pub(super) const STOPPING: &str = "the process that owns the data folder is stopping";

/// A question that somebody waits for. Dropping it, as its handler is dropped when the guest goes away, cancels the question; so does
/// the end of all questions.
pub(super) struct Asking {
    pub cancel: Cancel,
    watch: AbortHandle,
}

impl Asking {
    pub(super) fn begin(questions: &CancellationToken) -> Asking {
        let cancel = Cancel::default();
        let watch = tokio::spawn({
            let (cancel, questions) = (cancel.clone(), questions.clone());
            async move {
                questions.cancelled().await;
                cancel.cancel();
            }
        });
        Asking { cancel, watch: watch.abort_handle() }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.watch.abort();
    }
}
