//! For verbs that keep running: announces the address, and waits for the end.

use std::future::pending;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::process::Process;
use crate::telemetry;

/// Why a running verb ends.
pub enum End {
    /// A signal, or the given time is over.
    Asked,
    /// A loop failed.
    Failed(anyhow::Error),
}

/// Prints the address at which the process answers.
pub fn announce(process: &Process) {
    let (Some(address), Some(access)) = (process.address, &process.access) else { return };
    telemetry::say(&format!(
        "answering on {}://{address} for {}\nhint: open it in a browser, or `fedilake report {}` in another terminal",
        access.scheme(),
        process.folder().display(),
        telemetry::flag_in_shell("--data", process.folder())
    ));
    if let Some(invitation) = access.invitation(address) {
        telemetry::say(&invitation);
    }
}

/// The page's URL, if readers need nothing to be let in.
pub fn open_page(process: &Process) -> Option<String> {
    let (address, access) = (process.address?, process.access.as_ref()?);
    access.is_open().then(|| format!("{}://{address}/", access.scheme()))
}

/// Returns when `shutdown` is cancelled, `duration` is over or a loop fails.
pub async fn until_end(process: &mut Process, shutdown: &CancellationToken, duration: Option<Duration>) -> End {
    tokio::select! {
        () = shutdown.cancelled() => End::Asked,
        () = elapsed(duration) => End::Asked,
        error = process.failure() => End::Failed(error),
    }
}

/// Resolves after `duration`; never without one.
pub async fn elapsed(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => pending().await,
    }
}
