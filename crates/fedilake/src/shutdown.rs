//! Signals: the first SIGINT or SIGTERM stops the process cleanly, the second ends it at once. SIGHUP makes it read
//! its settings again. If SIGHUP comes because the terminal was closed, it stops the process instead.

use std::fs::File;
use std::future::pending;
use std::io::IsTerminal;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The exit code after a second signal. Ending at once is safe because the log is durable.
pub const INTERRUPTED_TWICE: i32 = 130;

/// The number of SIGHUPs so far.
static HANGUPS: LazyLock<watch::Sender<u64>> = LazyLock::new(|| watch::Sender::new(0));

/// Changes with each SIGHUP from now on. Call [`on_signal`] first.
pub fn hangups() -> watch::Receiver<u64> {
    HANGUPS.subscribe()
}

/// A token that SIGINT or SIGTERM cancels. A second signal exits the process with [`INTERRUPTED_TWICE`]. Call it
/// inside a runtime.
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
                                tracing::info!("SIGHUP ignored: this verb reads its settings only when it starts");
                            }
                            continue;
                        }
                    }
                }
                if token.is_cancelled() {
                    std::process::exit(INTERRUPTED_TWICE);
                }
                tracing::info!("stopping; a second signal ends the process at once");
                token.cancel();
            }
        }
    });
    Ok(token)
}

/// Resolves after `duration`; never without one.
pub async fn elapsed(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => pending().await,
    }
}
