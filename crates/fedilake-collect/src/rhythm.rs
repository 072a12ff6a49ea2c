//! The rhythm of a stream's posts, and how long a silence is normal. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// A silence this many times longer than usual means something: with posts at random times it happens once in e^20
/// intervals.
const TIMES_USUAL: f64 = 20.0;
/// The weight of the latest interval in the usual one.
const WEIGHT: f64 = 1.0 / 16.0;
/// The usual interval before anything is known.
const FIRST_SECONDS: f64 = 3.0;

/// The usual interval between posts. Of a fixed size.
#[derive(Debug)]
pub(crate) struct Rhythm {
    last: Instant,
    usual_seconds: f64,
    is_guess: bool,
    /// How many usual intervals a silence may last; doubled with each silence in which the timeline was silent too.
    times: f64,
    patience_min: Duration,
    patience_max: Duration,
}

impl Rhythm {
    /// The rhythm of a stream opened at `now`.
    pub(crate) fn new(now: Instant, patience_min: Duration, patience_max: Duration) -> Rhythm {
        let (usual_seconds, is_guess, times) = (FIRST_SECONDS, true, TIMES_USUAL);
        Rhythm { last: now, usual_seconds, is_guess, times, patience_min, patience_max }
    }

    /// Uses the interval of the timeline's posts until the stream brings some.
    pub(crate) fn guess(&mut self, usual: Duration) {
        if self.is_guess {
            self.usual_seconds = usual.as_secs_f64();
        }
    }

    /// Records a post at `now`. True if the silence before it was longer than normal: other posts may have been lost.
    pub(crate) fn beat(&mut self, now: Instant) -> bool {
        let was_too_long = now > self.patience();
        let seconds = now.duration_since(self.last).min(self.normal()).as_secs_f64();
        self.usual_seconds += (seconds - self.usual_seconds) * WEIGHT;
        self.is_guess = false;
        self.times = TIMES_USUAL;
        self.last = now;
        was_too_long
    }

    /// Records that at `now` the timeline proved to be as silent as the stream.
    pub(crate) fn wait_longer(&mut self, now: Instant) {
        self.times *= 2.0;
        self.last = now;
    }

    /// The time at which a continuing silence becomes longer than normal.
    pub(crate) fn patience(&self) -> Instant {
        self.last + self.normal()
    }

    fn normal(&self) -> Duration {
        let seconds = (self.usual_seconds * self.times).min(self.patience_max.as_secs_f64());
        Duration::from_secs_f64(seconds).max(self.patience_min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn steady(interval: Duration) -> (Rhythm, Instant) {
        let mut now = Instant::now();
        let mut rhythm = Rhythm::new(now, 2 * SECOND, 600 * SECOND);
        for _ in 0..200 {
            now += interval;
            rhythm.beat(now);
        }
        (rhythm, now)
    }

    #[test]
    fn a_silence_is_measured_by_what_is_usual_within_bounds() {
        for (interval, patience) in [(SECOND / 100, 2 * SECOND), (SECOND, 20 * SECOND), (600 * SECOND, 600 * SECOND)] {
            let (rhythm, now) = steady(interval);
            let seconds = rhythm.patience().duration_since(now).as_secs_f64();
            assert!((seconds / patience.as_secs_f64() - 1.0).abs() < 0.01, "{interval:?}: {seconds} s");
        }
    }

    #[test]
    fn a_post_after_a_silence_tells_that_others_may_be_lost() {
        let (mut rhythm, now) = steady(SECOND);
        assert!(!rhythm.beat(now + 19 * SECOND));
        let (mut rhythm, now) = steady(SECOND);
        assert!(rhythm.beat(now + 60 * SECOND));
        assert!(!rhythm.beat(now + 61 * SECOND));
    }

    #[test]
    fn patience_grows_while_the_timeline_is_silent_too_and_ends_with_a_post() {
        let (mut rhythm, now) = steady(SECOND);
        rhythm.wait_longer(now);
        assert!(rhythm.patience() > now + 39 * SECOND);
        rhythm.beat(now + SECOND);
        assert!(rhythm.patience() < now + 23 * SECOND);
    }

    #[test]
    fn the_timeline_says_what_is_usual_until_the_stream_does() {
        let now = Instant::now();
        let mut rhythm = Rhythm::new(now, SECOND, 600 * SECOND);
        rhythm.guess(SECOND / 4);
        assert_eq!(rhythm.patience(), now + 5 * SECOND);
        let (mut rhythm, now) = steady(SECOND);
        rhythm.guess(600 * SECOND);
        assert!(rhythm.patience() < now + 21 * SECOND);
    }
}
