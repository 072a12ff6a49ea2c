//! The rhythm of a stream's posts, and how long a silence is normal. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::settings::CollectorSettings;

/// A silence this many times longer than usual means something: with posts at random times it happens once in e^20
/// intervals.
const TIMES_USUAL: f64 = 20.0;
/// The usual interval is the mean of the first intervals, up to so many; later ones have the weight of one in so many.
const BEATS_MAX: u32 = 16;
/// Fewer intervals than these tell nothing against the guess.
const BEATS_MIN: u32 = 8;
/// The guess before anything is known.
const FIRST_SECONDS: f64 = 3.0;

/// The usual interval between posts. Of a fixed size.
#[derive(Debug)]
pub(crate) struct Rhythm {
    last: Instant,
    usual_seconds: f64,
    guess_seconds: f64,
    /// Number of intervals, up to [`BEATS_MAX`].
    beats: u32,
    /// How many usual intervals a silence may last; doubled with each silence in which the timeline was silent too.
    times: f64,
    short: Duration,
    patience_min: Duration,
    patience_max: Duration,
}

/// The silence before a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    /// As usual.
    Normal,
    /// Longer than chance explains, and shorter than a stream's silences that mean something on their own: the way may have stalled.
    Short,
    /// Longer than normal: other posts may have been lost.
    Long,
}

impl Rhythm {
    /// The rhythm of a stream opened at `now`.
    pub(crate) fn new(now: Instant, settings: &CollectorSettings) -> Rhythm {
        Rhythm {
            last: now,
            usual_seconds: 0.0,
            guess_seconds: FIRST_SECONDS,
            beats: 0,
            times: TIMES_USUAL,
            short: settings.silence_short,
            patience_min: settings.silence_min,
            patience_max: settings.silence_max,
        }
    }

    /// Uses the interval of the timeline's posts until the stream brings some.
    pub(crate) fn guess(&mut self, usual: Duration) {
        if self.beats == 0 {
            self.guess_seconds = usual.as_secs_f64();
        }
    }

    /// Records a post at `now`. Returns the silence before it.
    pub(crate) fn beat(&mut self, now: Instant) -> Silence {
        let silence = match now.duration_since(self.last) {
            silence if silence > self.normal() => Silence::Long,
            silence if self.beats > 0 && silence > self.expected().max(self.short) => Silence::Short,
            _ => Silence::Normal,
        };
        let seconds = now.duration_since(self.last).min(self.normal()).as_secs_f64();
        self.beats = (self.beats + 1).min(BEATS_MAX);
        self.usual_seconds += (seconds - self.usual_seconds) / f64::from(self.beats);
        self.times = TIMES_USUAL;
        self.last = now;
        silence
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
        self.expected().max(self.patience_min)
    }

    /// The silence that chance explains.
    fn expected(&self) -> Duration {
        let usual =
            if self.beats < BEATS_MIN { self.usual_seconds.max(self.guess_seconds) } else { self.usual_seconds };
        Duration::from_secs_f64((usual * self.times).min(self.patience_max.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn settings() -> CollectorSettings {
        CollectorSettings { silence_min: 2 * SECOND, silence_max: 600 * SECOND, ..CollectorSettings::new("") }
    }

    fn steady(interval: Duration) -> (Rhythm, Instant) {
        let mut now = Instant::now();
        let mut rhythm = Rhythm::new(now, &settings());
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
    fn a_new_rhythm_is_learned_by_a_few_posts_not_by_one_or_two() {
        let start = Instant::now();
        let mut rhythm = Rhythm::new(start, &settings());
        rhythm.guess(SECOND);
        for n in 1..=16 {
            rhythm.beat(start + SECOND / 20 * n);
            let patience = rhythm.patience() - (start + SECOND / 20 * n);
            assert_eq!(patience, if n < 8 { 20 * SECOND } else { 2 * SECOND }, "after {n}");
        }
    }

    #[test]
    fn a_post_after_a_silence_tells_that_others_may_be_lost() {
        let (mut rhythm, now) = steady(SECOND);
        assert_eq!(rhythm.beat(now + 19 * SECOND), Silence::Normal);
        let (mut rhythm, now) = steady(SECOND);
        assert_eq!(rhythm.beat(now + 60 * SECOND), Silence::Long);
        assert_eq!(rhythm.beat(now + 61 * SECOND), Silence::Normal);
    }

    #[test]
    fn a_busy_stream_that_pauses_for_a_second_may_have_lost_posts() {
        for (interval, pause_ms, expected) in [
            (SECOND / 60, 400, Silence::Normal),
            (SECOND / 60, 600, Silence::Short),
            (SECOND / 60, 1_900, Silence::Short),
            (SECOND / 60, 2_100, Silence::Long),
            (SECOND / 10, 1_900, Silence::Normal),
            (SECOND / 10, 2_100, Silence::Long),
        ] {
            let (mut rhythm, now) = steady(interval);
            assert_eq!(rhythm.beat(now + Duration::from_millis(pause_ms)), expected, "{interval:?} {pause_ms} ms");
        }
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
        let mut rhythm = Rhythm::new(now, &CollectorSettings { silence_min: SECOND, ..settings() });
        rhythm.guess(SECOND / 4);
        assert_eq!(rhythm.patience(), now + 5 * SECOND);
        let (mut rhythm, now) = steady(SECOND);
        rhythm.guess(600 * SECOND);
        assert!(rhythm.patience() < now + 21 * SECOND);
    }
}
