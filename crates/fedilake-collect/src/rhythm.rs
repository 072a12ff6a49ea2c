//! How often a stream brings posts, and how long a silence is normal. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Posts that come at random are this many times further apart than usual once in e^20: such a silence means something.
const TIMES_USUAL: f64 = 20.0;
/// How much the latest interval weighs in what is usual.
const WEIGHT: f64 = 1.0 / 16.0;
/// What is usual before anything is known.
const FIRST_SECONDS: f64 = 3.0;

/// The usual interval between posts.
#[derive(Debug)]
pub(crate) struct Rhythm {
    last: Instant,
    usual_seconds: f64,
    /// Doubled with each silence that proved to be one of the timeline too.
    times: f64,
    patience_min: Duration,
    patience_max: Duration,
}

impl Rhythm {
    pub(crate) fn new(patience_min: Duration, patience_max: Duration) -> Rhythm {
        Rhythm { last: Instant::now(), usual_seconds: FIRST_SECONDS, times: TIMES_USUAL, patience_min, patience_max }
    }

    /// A post came at `now`.
    pub(crate) fn beat(&mut self, now: Instant) {
        let seconds = now.duration_since(self.last).as_secs_f64();
        self.usual_seconds += (seconds - self.usual_seconds) * WEIGHT;
        self.times = TIMES_USUAL;
        self.last = now;
    }

    /// At `now`, the timeline proved to be as silent as the stream.
    pub(crate) fn wait_longer(&mut self, now: Instant) {
        self.times *= 2.0;
        self.last = now;
    }

    /// When a silence that goes on is to be looked into.
    pub(crate) fn patience(&self) -> Instant {
        let seconds = (self.usual_seconds * self.times).min(self.patience_max.as_secs_f64());
        self.last + Duration::from_secs_f64(seconds).max(self.patience_min)
    }
}
