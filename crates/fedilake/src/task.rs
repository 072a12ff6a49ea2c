//! A loop that runs beside the others of this process.

use std::future::Future;

use anyhow::Context;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A loop in a task of its own. Dropped, it ends at its next pause, whatever it was about to do.
pub struct Task<T = ()> {
    name: &'static str,
    stop: CancellationToken,
    /// `None` once the loop's end was seen.
    handle: Option<JoinHandle<anyhow::Result<T>>>,
}

impl<T: Send + 'static> Task<T> {
    /// Starts the loop that `run` makes of a token: once that is cancelled, the loop finishes what it has accepted, and ends.
    pub fn spawn<F>(name: &'static str, run: impl FnOnce(CancellationToken) -> F) -> Task<T>
    where
        F: Future<Output = anyhow::Result<T>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        Task { name, handle: Some(tokio::spawn(run(stop.clone()))), stop }
    }

    /// True until the loop's end was seen.
    pub fn runs(&self) -> bool {
        self.handle.is_some()
    }

    /// The loop's name, for sentences about it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Resolves once, when the loop ends; later calls wait for ever. Cancel-safe.
    async fn end(&mut self) -> anyhow::Result<T> {
        let Some(handle) = &mut self.handle else { return std::future::pending().await };
        let end = handle.await;
        self.handle = None;
        end.with_context(|| format!("{} failed", self.name))?
    }

    /// Resolves once, when the loop ends without being told to, which is a failure. Cancel-safe.
    pub async fn early_end(&mut self) -> anyhow::Error {
        match self.end().await {
            Ok(_) => anyhow::anyhow!("{} ended early", self.name),
            Err(error) => error,
        }
    }

    /// Tells the loop to stop, and waits for its end. `None` at once if the end was seen already.
    pub async fn stop(mut self) -> anyhow::Result<Option<T>> {
        self.stop.cancel();
        if self.handle.is_none() { Ok(None) } else { self.end().await.map(Some) }
    }
}

impl Task {
    /// Starts a loop that has nothing to finish, and runs until it is dropped.
    pub fn until_dropped(name: &'static str, run: impl Future<Output = ()> + Send + 'static) -> Task {
        Task::spawn(name, |_| async {
            run.await;
            Ok(())
        })
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.handle.iter().for_each(JoinHandle::abort);
    }
}

/// Resolves with the failure of loops that may not be there.
pub async fn failure_of<T>(loops: &mut Option<T>, failure: impl AsyncFnOnce(&mut T) -> anyhow::Error) -> anyhow::Error {
    match loops {
        Some(loops) => failure(loops).await,
        None => std::future::pending().await,
    }
}
