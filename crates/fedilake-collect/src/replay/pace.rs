//! The pace of a replay.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tokio::time::{Instant, sleep_until};

use super::input::Fault;
use super::part::Part;

/// The fastest pace there is, or a multiple of the one at which the events were observed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// The fastest there is.
    Max,
    /// `1.0` is the pace of the recording, `10.0` ten times as fast. Above 0.
    Times(f64),
}

/// The error for a pace that is none of `max`, `real` and a factor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid pace `{0}`: expected `max`, `real` or a factor such as `10x`")]
pub struct PaceError(String);

impl FromStr for Pace {
    type Err = PaceError;

    fn from_str(typed: &str) -> Result<Pace, PaceError> {
        match typed {
            "max" => Ok(Pace::Max),
            "real" => Ok(Pace::Times(1.0)),
            _ => {
                let times = typed.strip_suffix('x').and_then(|times| times.parse::<f64>().ok());
                let times = times.filter(|times| times.is_finite() && *times > 0.0);
                times.map(Pace::Times).ok_or_else(|| PaceError(typed.to_owned()))
            }
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pace::Max => f.write_str("max"),
            Pace::Times(times) if *times == 1.0 => f.write_str("real"),
            Pace::Times(times) => write!(f, "{times}x"),
        }
    }
}

/// Events that were observed within this span pass together.
const STEP_MS: i64 = 20;

/// Holds parts back until they are due. The first event of the first input is due at once.
pub(super) struct Pacer {
    pace: Pace,
    start: OnceLock<(Instant, i64)>,
}

impl Pacer {
    pub(super) fn new(pace: Pace) -> Pacer {
        Pacer { pace, start: OnceLock::new() }
    }

    /// The same parts in the same order, cut smaller, each no earlier than its first event is due.
    pub(super) fn paced<'a>(
        &'a self,
        parts: BoxStream<'static, Result<Part, Fault>>,
    ) -> BoxStream<'a, Result<Part, Fault>> {
        let Pace::Times(times) = self.pace else {
            return parts;
        };
        parts
            .flat_map(|part| match part {
                Ok(part) => stream::iter(part.split(STEP_MS)).map(Ok).boxed(),
                Err(error) => stream::iter([Err(error)]).boxed(),
            })
            .then(move |part| async move {
                if let Ok(Some(first)) = part.as_ref().map(|part| part.observed_ms.first().copied()) {
                    sleep_until(self.due(first, times)).await;
                }
                part
            })
            .boxed()
    }

    fn due(&self, observed_ms: i64, times: f64) -> Instant {
        let (start, start_ms) = *self.start.get_or_init(|| (Instant::now(), observed_ms));
        let since_ms = u64::try_from(observed_ms.saturating_sub(start_ms)).unwrap_or(0);
        let wait = Duration::try_from_secs_f64(since_ms as f64 / 1000.0 / times).unwrap_or(FAR);
        start.checked_add(wait.min(FAR)).unwrap_or(start)
    }
}

/// Ten years: longer than any replay.
const FAR: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paces_read_as_they_print() {
        for typed in ["max", "real", "10x", "0.5x"] {
            assert_eq!(typed.parse::<Pace>().unwrap().to_string(), typed);
        }
        for typed in ["", "x", "0x", "-1x", "NaNx", "infx", "10", "fast"] {
            assert!(typed.parse::<Pace>().is_err(), "{typed}");
        }
    }
}
