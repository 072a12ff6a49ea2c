//! For verbs that keep running: announces the address, and waits for the end.

use std::future::pending;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::pipeline::Pipeline;
use crate::telemetry;

/// Why a running verb ends.
pub(super) enum End {
    /// A signal, or the given time is over.
    Asked,
    /// A loop failed.
    Failed(anyhow::Error),
}

/// Prints the address at which the process answers.
pub(super) fn announce(pipeline: &Pipeline) {
    let (Some(address), Some(access)) = (pipeline.address, &pipeline.access) else { return };
    telemetry::say(&format!(
        "answering on {}://{address} for {}\nhint: open it in a browser, or `fedilake report {}` in another terminal",
        access.scheme(),
        pipeline.folder().display(),
        telemetry::flag_in_shell("--data", pipeline.folder())
    ));
    if let Some(invitation) = access.invitation(address) {
        telemetry::say(&invitation);
    }
}

/// The page's URL, if readers need nothing to be let in.
pub(super) fn open_page(pipeline: &Pipeline) -> Option<String> {
    let (address, access) = (pipeline.address?, pipeline.access.as_ref()?);
    access.is_open().then(|| format!("{}://{address}/", access.scheme()))
}

/// Returns when `shutdown` is cancelled, `duration` is over or a loop fails.
pub(super) async fn until_end(
    pipeline: &mut Pipeline,
    shutdown: &CancellationToken,
    duration: Option<Duration>,
) -> End {
    tokio::select! {
        () = shutdown.cancelled() => End::Asked,
        () = elapsed(duration) => End::Asked,
        error = pipeline.failure() => End::Failed(error),
    }
}

/// Resolves after `duration`; never without one.
pub(super) async fn elapsed(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => pending().await,
    }
}
