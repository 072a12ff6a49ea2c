//! Signals: the first SIGINT or SIGTERM asks the process to stop, the second ends it at once. SIGHUP asks it to read its
//! settings again, unless it says that the terminal was closed: then it asks to stop.

use std::fs::File;
use std::io::IsTerminal;
use std::sync::LazyLock;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The exit code after a second signal: safe because the log is durable.
pub const INTERRUPTED_TWICE: i32 = 130;

/// How often SIGHUP came.
static HANGUPS: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

/// Changes with each SIGHUP from now on. [`on_signal`] must have been called.
pub fn hangups() -> watch::Receiver<u64> {
    HANGUPS.subscribe()
}

/// A token that SIGINT or SIGTERM cancels; a second signal exits the process with [`INTERRUPTED_TWICE`].
/// Must be called inside a runtime.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let had_terminal = std::io::stderr().is_terminal();
    tokio::spawn({
        let token = token.clone();
        async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {
                        let is_closed = had_terminal && File::open("/dev/tty").is_err();
                        if !is_closed {
                            HANGUPS.send_modify(|hangups| *hangups += 1);
                            if HANGUPS.receiver_count() == 0 {
                                tracing::info!("SIGHUP: this verb reads its settings at its start only");
                            }
                            continue;
                        }
                    }
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
