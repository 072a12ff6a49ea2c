//! Stops a statement that takes too long or too much memory, or that was cancelled.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use duckdb::Connection;

use super::{SqlErrorKind, SqlLimits};
use crate::LakeError;
use crate::lake::gauge::Gauge;

/// The interval at which the watch looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Stops a running statement from another thread. Clones stop the same one; once cancelled it stays cancelled.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the statement to stop, which it does within some tens of milliseconds.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// True if [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A thread that watches one statement until the statement has ended.
pub(crate) struct Watch {
    ended: Sender<()>,
    thread: JoinHandle<Option<(SqlErrorKind, String)>>,
}

impl Watch {
    /// Watches the statement that `connection` runs; `gauge` makes a gauge of the same DuckDB, if memory is limited.
    pub(crate) fn start(
        gauge: impl FnOnce() -> Result<Gauge, LakeError>,
        connection: &Connection,
        limits: &SqlLimits,
    ) -> Result<Watch, LakeError> {
        let statement = connection.interrupt_handle();
        let gauge = match limits.memory_bytes_max {
            Some(_) => Some(gauge()?),
            None => None,
        };
        let before = gauge.as_ref().map_or(Ok(None), Gauge::bytes)?.unwrap_or(0);
        let limits = limits.clone();
        let started = Instant::now();
        let (ended, end) = channel();
        let exceeded = move || {
            if limits.cancel.is_cancelled() {
                return Some((SqlErrorKind::Cancelled, "cancelled".to_owned()));
            }
            if started.elapsed() >= limits.time {
                return Some((SqlErrorKind::Time, format!("stopped after {:?}, the time limit", limits.time)));
            }
            let (max, now) = (limits.memory_bytes_max?, gauge.as_ref()?.bytes().ok()??);
            let grown = now.saturating_sub(before);
            (grown > max).then(|| {
                (
                    SqlErrorKind::Memory,
                    format!("stopped at {} MB, over the memory limit of {} MB", grown >> 20, max >> 20),
                )
            })
        };
        let thread = std::thread::spawn(move || {
            let mut reason = None;
            loop {
                match end.recv_timeout(LOOK_EVERY) {
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return reason,
                    Err(RecvTimeoutError::Timeout) => {}
                }
                reason = reason.or_else(&exceeded);
                if reason.is_some() {
                    // Repeated at each look, because an interrupt between two steps of the statement is lost.
                    statement.interrupt();
                }
            }
        });
        Ok(Watch { ended, thread })
    }

    /// Ends the watch. Returns the reason if it stopped the statement.
    pub(crate) fn stop(self) -> Option<(SqlErrorKind, String)> {
        // The watch may have ended by itself.
        let _ = self.ended.send(());
        self.thread.join().expect("the watch does not panic")
    }
}
