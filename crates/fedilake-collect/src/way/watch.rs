//! Decides whether a stream brings the posts that its timeline shows, and when to compare them. Pure: time is an
//! argument.
//!
//! A look is a fill of pages. It begins at its time, finds posts that the stream had not brought, or none, and ends.
//! Its findings decide when the next look begins and whether the stream is given up.

use std::mem;
use std::time::Duration;

use tokio::time::Instant;

use crate::server::error::SourceError;
use crate::settings::CollectorSettings;
use crate::way::rhythm::{Rhythm, Silence};

/// The purpose of the look under way, or of the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// Posts from before the stream was opened may be missing.
    Open,
    /// Posts from before the opening were read. Others may be missing: those that became visible late, or before the
    /// stream began to bring posts.
    Settling,
    /// No post is missing while the stream works. The next look begins after a silence that is too long.
    Closed,
    /// The stream is, or was, silent: the look finds out whether the timeline was silent too.
    AfterSilence,
    /// The timeline was not silent: the look finds out whether the stream brings posts again.
    AfterLoss,
}

/// The watch over one open stream. Of a fixed size.
#[derive(Debug)]
pub(crate) struct Watch {
    gap: Gap,
    /// When the next look begins.
    due: Instant,
    /// True if the look under way found a post.
    has_found: bool,
    /// True if the stream brought a post after a silence longer than normal, and no look has begun since.
    may_be_lost: bool,
    /// True if the stream has brought a post since it was opened, or since a look into a silence found some.
    is_alive: bool,
    /// `is_alive` at the start of the current look.
    was_alive: bool,
    /// The wait between looks at a stream that has brought nothing.
    wait: Duration,
    rhythm: Rhythm,
    /// True if the look under way, or the next one, was asked for by a short silence.
    is_short: bool,
    /// Before this time no look into a short silence begins.
    short_from: Instant,
    /// The time between two of these looks.
    short_apart: Duration,
    short_apart_min: Duration,
    second_look_after: Duration,
    silence_max: Duration,
}

impl Watch {
    /// A watch over a stream opened at `now`: the first look is due at once.
    pub(crate) fn new(now: Instant, settings: &CollectorSettings) -> Watch {
        Watch {
            gap: Gap::Open,
            due: now,
            has_found: false,
            may_be_lost: false,
            is_alive: false,
            was_alive: false,
            wait: Duration::ZERO,
            rhythm: Rhythm::new(now, settings),
            is_short: false,
            short_from: now,
            short_apart: settings.short_looks_apart,
            short_apart_min: settings.short_looks_apart,
            second_look_after: settings.second_look_after,
            silence_max: settings.silence_max,
        }
    }

    /// When the next look begins, unless one is under way.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// The purpose of that look.
    pub(crate) fn gap(&self) -> Gap {
        self.gap
    }

    /// True if the stream has brought posts, since it was opened or since a look into a silence found some.
    pub(crate) fn is_alive(&self) -> bool {
        self.is_alive
    }

    /// Uses the interval of the timeline's posts.
    pub(crate) fn guess(&mut self, usual: Duration) {
        self.rhythm.guess(usual);
    }

    /// Records a post of the stream. True if posts may have been lost right before it, and no look finds out: the last look into a short
    /// silence is too near.
    pub(crate) fn beat(&mut self, now: Instant) -> bool {
        let silence = self.rhythm.beat(now);
        let is_short = silence == Silence::Short && self.gap == Gap::Closed;
        let is_looked_into = is_short && now >= self.short_from;
        self.is_short |= is_looked_into;
        self.may_be_lost |= silence == Silence::Long || is_looked_into;
        let was_alive = mem::replace(&mut self.is_alive, true);
        self.wait = Duration::ZERO;
        match self.gap {
            Gap::Closed if self.may_be_lost => {
                self.gap = Gap::AfterSilence;
                self.due = now;
            }
            Gap::Closed => self.due = self.rhythm.patience(),
            Gap::Settling if !was_alive => self.due = now + self.second_look_after,
            _ => {}
        }
        is_short && !is_looked_into
    }

    /// Records the start of a look.
    pub(crate) fn begin(&mut self) {
        if self.gap == Gap::Closed {
            self.gap = Gap::AfterSilence;
        }
        self.has_found = false;
        self.was_alive = self.is_alive;
        self.may_be_lost = false;
    }

    /// Records that the look found a post that the stream had not brought.
    pub(crate) fn find(&mut self) {
        self.has_found = true;
    }

    /// Records the end of the look. Fails if the stream is to be given up.
    pub(crate) fn end(&mut self, now: Instant) -> Result<(), SourceError> {
        if std::mem::take(&mut self.is_short) {
            let apart = if self.has_found { self.short_apart_min } else { self.short_apart * 2 };
            self.short_apart = apart.min(self.silence_max.max(self.short_apart_min));
            self.short_from = now + self.short_apart;
        }
        match self.gap {
            Gap::Open => self.look_later(Gap::Settling, now),
            Gap::AfterLoss if !self.is_alive => return Err(SourceError::Stalled),
            Gap::Settling if self.has_found && !self.is_alive => self.look_later(Gap::AfterLoss, now),
            Gap::AfterSilence if self.has_found => {
                self.is_alive = false;
                self.look_later(Gap::AfterLoss, now);
            }
            _ if !self.was_alive || self.may_be_lost => self.look_later(Gap::Settling, now),
            Gap::AfterSilence => {
                self.rhythm.wait_longer(now);
                self.close();
            }
            Gap::Settling | Gap::AfterLoss | Gap::Closed => self.close(),
        }
        Ok(())
    }

    /// Records that the look failed: it begins again at `due`.
    pub(crate) fn fail(&mut self, due: Instant) {
        self.due = due;
    }

    /// Sets the time of the next look: soon, but later each time while the stream has brought nothing.
    fn look_later(&mut self, gap: Gap, now: Instant) {
        self.due = now + self.second_look_after.max(self.wait);
        if gap == Gap::Settling && self.gap == gap && !self.is_alive {
            self.wait = ((self.second_look_after + self.wait) * 2).min(self.silence_max);
        }
        self.gap = gap;
    }

    fn close(&mut self) {
        self.gap = Gap::Closed;
        self.due = self.rhythm.patience();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A watch with a clock of its own.
    struct Told {
        watch: Watch,
        now: Instant,
    }

    fn settings() -> CollectorSettings {
        CollectorSettings { second_look_after: 5 * SECOND, silence_max: 600 * SECOND, ..CollectorSettings::new("") }
    }

    impl Told {
        fn opened() -> Told {
            let now = Instant::now();
            Told { watch: Watch::new(now, &settings()), now }
        }

        /// The watch over a stream that brings a post a second and misses nothing.
        fn closed() -> Told {
            let mut told = Told::opened();
            told.look(0).unwrap();
            for _ in 0..100 {
                told.posts(SECOND);
            }
            told.look(0).unwrap();
            assert_eq!(told.watch.gap(), Gap::Closed);
            told
        }

        /// The stream brings a post after `silence`.
        fn posts(&mut self, silence: Duration) {
            self.now += silence;
            self.watch.beat(self.now);
        }

        /// Waits until a look is due, which finds `found` posts. Returns the wait.
        fn look(&mut self, found: usize) -> Result<Duration, SourceError> {
            let waited = self.begin();
            (0..found).for_each(|_| self.watch.find());
            self.watch.end(self.now).map(|()| waited)
        }

        fn begin(&mut self) -> Duration {
            let waited = self.watch.due().saturating_duration_since(self.now);
            self.now += waited;
            self.watch.begin();
            waited
        }
    }

    #[test]
    fn a_gap_is_closed_by_a_look_after_the_stream_brought_a_post() {
        for found in [0, 40] {
            let mut told = Told::opened();
            assert_eq!(told.look(found).unwrap(), Duration::ZERO);
            assert_eq!(told.watch.gap(), Gap::Settling);
            told.posts(SECOND);
            assert_eq!(told.look(1).unwrap(), 5 * SECOND, "the look comes after the post");
            assert_eq!(told.watch.gap(), Gap::Closed);
        }
    }

    #[test]
    fn a_post_during_a_look_does_not_close_the_gap_before_it() {
        let mut told = Told::opened();
        told.look(0).unwrap();
        told.begin();
        told.posts(SECOND);
        told.watch.end(told.now).unwrap();
        assert_eq!(told.watch.gap(), Gap::Settling);
        told.look(0).unwrap();
        assert_eq!(told.watch.gap(), Gap::Closed);
    }

    #[test]
    fn a_quiet_stream_is_looked_at_less_and_less_often_within_bounds_and_never_given_up() {
        let mut told = Told::opened();
        let waits: Vec<u64> = (0..200).map(|_| told.look(0).unwrap().as_secs()).collect();
        assert_eq!(waits[..6], [0, 5, 5, 10, 30, 70]);
        assert_eq!(waits[199], 600);
        assert_eq!(told.watch.gap(), Gap::Settling);
        told.posts(SECOND);
        assert_eq!(told.look(0).unwrap(), 5 * SECOND);
        assert_eq!(told.watch.gap(), Gap::Closed);
    }

    #[test]
    fn a_stream_that_brings_nothing_of_what_the_timeline_shows_is_given_up() {
        let mut told = Told::opened();
        told.look(0).unwrap();
        told.look(1).unwrap();
        assert_eq!(told.watch.gap(), Gap::AfterLoss);
        assert_eq!(told.look(0), Err(SourceError::Stalled));
    }

    #[test]
    fn a_silence_much_longer_than_usual_is_looked_into() {
        let mut told = Told::closed();
        let waited = told.begin();
        assert!(waited > 15 * SECOND && waited < 25 * SECOND, "{waited:?}");
        assert_eq!(told.watch.gap(), Gap::AfterSilence);
    }

    #[test]
    fn a_silence_of_the_timeline_too_is_normal_from_then_on() {
        let mut told = Told::closed();
        let first = told.look(0).unwrap();
        assert_eq!(told.watch.gap(), Gap::Closed);
        assert!(told.look(0).unwrap() > first * 3 / 2);
    }

    #[test]
    fn a_silence_of_the_stream_alone_ends_it_unless_it_brings_posts_again() {
        for is_back in [false, true] {
            let mut told = Told::closed();
            told.look(3).unwrap();
            assert_eq!(told.watch.gap(), Gap::AfterLoss);
            if is_back {
                told.posts(SECOND);
                told.look(0).unwrap();
                assert_eq!(told.watch.gap(), Gap::Closed);
            } else {
                assert_eq!(told.look(0), Err(SourceError::Stalled));
            }
        }
    }

    #[test]
    fn a_post_that_ends_a_long_silence_is_looked_behind_at_once() {
        let mut told = Told::closed();
        told.posts(60 * SECOND);
        assert_eq!(told.watch.gap(), Gap::AfterSilence);
        assert_eq!(told.look(0).unwrap(), Duration::ZERO);
        assert_eq!(told.watch.gap(), Gap::Closed);
    }

    #[test]
    fn short_silences_of_a_busy_stream_are_looked_into_and_less_often_while_nothing_was_lost() {
        let mut told = Told::opened();
        told.look(0).unwrap();
        (0..1_000).for_each(|_| told.posts(SECOND / 60));
        told.look(0).unwrap();
        assert_eq!(told.watch.gap(), Gap::Closed);
        let is_looked_into = |told: &mut Told, found: usize, apart: u32| {
            told.now += SECOND;
            let is_left = told.watch.beat(told.now);
            let is_looked_into = told.watch.gap() == Gap::AfterSilence;
            assert_ne!(is_left, is_looked_into);
            if is_looked_into {
                assert_eq!(told.look(found).unwrap(), Duration::ZERO);
                if found > 0 {
                    let due = told.watch.due();
                    while told.now < due {
                        told.posts(SECOND / 60);
                    }
                    told.look(0).unwrap();
                }
            }
            assert_eq!(told.watch.gap(), Gap::Closed);
            (0..60 * apart).for_each(|_| told.posts(SECOND / 60));
            is_looked_into
        };
        // Something was lost: looks go on every ten seconds.
        assert!(is_looked_into(&mut told, 3, 1));
        assert!(!is_looked_into(&mut told, 3, 10));
        assert!(is_looked_into(&mut told, 0, 12));
        assert!(!is_looked_into(&mut told, 0, 12), "nothing had been lost");
        assert!(is_looked_into(&mut told, 0, 30));
        assert!(!is_looked_into(&mut told, 0, 30));
    }

    #[test]
    fn a_look_that_failed_begins_again_with_the_same_purpose() {
        let mut told = Told::opened();
        told.begin();
        told.posts(SECOND);
        told.watch.fail(told.now + 7 * SECOND);
        assert_eq!((told.watch.gap(), told.look(0).unwrap()), (Gap::Open, 7 * SECOND));
        assert_eq!(told.watch.gap(), Gap::Settling);
    }
}
