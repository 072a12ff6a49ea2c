//! How long to leave a server alone after a failure.

use std::time::Duration;

use rand::Rng;

use crate::error::SourceError;
use crate::settings::CollectorSettings;

/// Failures in a row, and the growing, jittered waits between them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure: what the server said; long where it refused; else doubled from failure to failure.
    /// Between half and the whole of it, so that collectors and servers do not meet in step.
    pub(crate) fn next(&mut self, error: &SourceError, settings: &CollectorSettings) -> Duration {
        let doubled = settings.backoff_min.saturating_mul(1 << self.failures.min(20)).min(settings.backoff_max);
        self.failures = self.failures.saturating_add(1);
        match error {
            SourceError::RateLimited { wait } => *wait + jittered(settings.backoff_min),
            SourceError::Refused { .. } => jittered(settings.backoff_refused.max(doubled)),
            _ => jittered(doubled),
        }
    }

    /// Failures since the last reset.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Forgets them.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Between half and the whole of `wait`.
pub(crate) fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_their_bounds_and_vary() {
        let settings = CollectorSettings::new("https://example.org");
        let mut backoff = Backoff::default();
        let mut waits = Vec::new();
        for failure in 0..40 {
            let wait = backoff.next(&SourceError::Ended, &settings);
            let whole = settings.backoff_min.saturating_mul(1 << failure.min(20)).min(settings.backoff_max);
            assert!(wait >= whole / 2 && wait <= whole, "failure {failure}: {wait:?}");
            waits.push(wait);
        }
        waits.dedup();
        assert!(waits.len() > 30, "waits do not vary");
    }

    #[test]
    fn a_server_is_left_alone_for_as_long_as_it_says() {
        let settings = CollectorSettings::new("https://example.org");
        let told = Duration::from_secs(250);
        let wait = Backoff::default().next(&SourceError::RateLimited { wait: told }, &settings);
        assert!(wait >= told && wait <= told + settings.backoff_min);
    }
}
