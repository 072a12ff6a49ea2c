//! How the process is asked to stop: the first signal cancels, the second ends it at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code after a second signal: safe because the log is durable.
pub const INTERRUPTED_TWICE: i32 = 130;

/// A token that SIGINT or SIGTERM cancels; a second signal exits the process with [`INTERRUPTED_TWICE`].
/// Must be called inside a runtime.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn({
        let token = token.clone();
        async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if token.is_cancelled() {
                    std::process::exit(INTERRUPTED_TWICE);
                }
                tracing::info!("stopping; once more ends at once");
                token.cancel();
            }
        }
    });
    Ok(token)
}
