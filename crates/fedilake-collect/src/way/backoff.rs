//! The wait after a failure of a server.

use std::time::Duration;

use rand::Rng;

use crate::server::error::SourceError;
use crate::settings::CollectorSettings;

/// Failures in a row, and the growing, jittered waits between them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failed request: doubled with each failure up to a limit, which is higher for errors
    /// that a new try hardly changes; and at least the wait that the server asked for.
    pub(crate) fn next(&mut self, error: &SourceError, settings: &CollectorSettings) -> Duration {
        let is_lasting = matches!(error, SourceError::Refused { .. } | SourceError::Malformed { .. });
        self.within(error, settings, if is_lasting { settings.backoff_refused } else { settings.backoff_max })
    }

    /// The wait before the stream is tried again while the timeline is polled; its limits are higher.
    pub(crate) fn next_of_stream(&mut self, error: &SourceError, settings: &CollectorSettings) -> Duration {
        let max = match error {
            SourceError::Refused { .. }
            | SourceError::TokenRefused { .. }
            | SourceError::NoStreaming
            | SourceError::Malformed { .. }
            | SourceError::Forbidden { .. } => settings.live_retry_after,
            _ => settings.backoff_max,
        };
        self.within(error, settings, max)
    }

    fn within(&mut self, error: &SourceError, settings: &CollectorSettings, max: Duration) -> Duration {
        if let SourceError::Disallowed { .. } = error {
            // Until then the rules that were read count.
            return settings.robots_for + jittered(settings.robots_for / 20);
        }
        let doubled = jittered(settings.backoff_min.saturating_mul(1 << self.failures.min(20)).min(max));
        self.failures = self.failures.saturating_add(1);
        match error.wait() {
            Some(told) => doubled.max(told.kept + jittered(settings.backoff_min)),
            None => doubled,
        }
    }

    /// Forgets the failures.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random wait between half of `wait` and `wait`, so that collectors do not ask in step.
pub(crate) fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::limits::Wait;

    fn limited(seconds: u64) -> SourceError {
        let wait = Duration::from_secs(seconds);
        SourceError::RateLimited { wait: Wait { kept: wait, said: Some(wait) } }
    }

    #[test]
    fn waits_double_within_their_bounds_and_vary() {
        let settings = CollectorSettings::new("https://example.org");
        let refusal = SourceError::NoStreaming;
        for (error, max) in [(SourceError::Ended, settings.backoff_max), (refusal, settings.live_retry_after)] {
            let mut backoff = Backoff::default();
            let mut waits = Vec::new();
            for failure in 0..40 {
                let wait = backoff.next_of_stream(&error, &settings);
                let whole = settings.backoff_min.saturating_mul(1 << failure.min(20)).min(max);
                assert!(wait >= whole / 2 && wait <= whole, "failure {failure}: {wait:?}");
                waits.push(wait);
            }
            waits.dedup();
            assert!(waits.len() > 30, "waits do not vary");
        }
    }

    #[test]
    fn a_server_is_left_alone_for_as_long_as_it_says() {
        let settings = CollectorSettings::new("https://example.org");
        let told = Duration::from_secs(250);
        let wait = Backoff::default().next(&limited(250), &settings);
        assert!(wait >= told && wait <= told + settings.backoff_min);
    }

    #[test]
    fn a_server_that_says_soon_again_and_again_is_asked_less_and_less_often() {
        let settings = CollectorSettings::new("https://example.org");
        let mut backoff = Backoff::default();
        assert!(backoff.next(&limited(0), &settings) <= settings.backoff_min);
        for _ in 0..20 {
            backoff.next(&limited(0), &settings);
        }
        assert!(backoff.next(&limited(0), &settings) >= settings.backoff_max / 2);
    }
}
