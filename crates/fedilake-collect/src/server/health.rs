//! Detects when a server's outages begin and end, so that each is logged once. Pure: time is an argument.
//!
//! A server is *down* if nothing of it can be read. Its *stream* is lost if only its timeline can be read; a stream
//! that is open again before its timeline was polled is not reported. A *fill* fails if the stream brings posts and
//! the timeline does not answer.

use std::time::Duration;

use tokio::time::Instant;

use crate::server::error::SourceError;

/// The beginning or the end of an outage, to be logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    /// The server is down: neither its stream nor its timeline can be read.
    Down(SourceError),
    /// The server is read again after an outage of this length.
    Up(Duration),
    /// The timeline is polled, because there is no stream.
    NoStream(SourceError),
    /// The stream brings posts again after this time.
    Stream(Duration),
    /// The timeline does not answer, while the stream goes on.
    NoFill(SourceError),
    /// The timeline answers again after this time.
    Fill(Duration),
}

/// The outages of one server.
#[derive(Debug, Default)]
pub(crate) struct Health {
    down: Option<Instant>,
    stream: Option<Lost>,
    fill: Option<Instant>,
    /// True if the last poll succeeded.
    is_polled: bool,
}

#[derive(Debug)]
struct Lost {
    since: Instant,
    cause: SourceError,
    is_told: bool,
}

impl Health {
    /// The stream could not be opened, or ended.
    pub(crate) fn stream_failed(&mut self, error: &SourceError, now: Instant) -> Option<Note> {
        let cause = error.clone();
        let lost = self.stream.get_or_insert(Lost { since: now, cause: cause.clone(), is_told: false });
        lost.cause = cause;
        if self.is_polled { self.tell_lost_stream() } else { None }
    }

    /// The stream is open; it has yet to bring posts.
    pub(crate) fn stream_opened(&mut self) {
        self.is_polled = false;
    }

    /// The stream brings posts, and nothing before them is missing.
    pub(crate) fn stream_works(&mut self, now: Instant) -> Option<Note> {
        let lost = self.stream.take()?;
        lost.is_told.then(|| Note::Stream(now - lost.since))
    }

    /// A poll failed.
    pub(crate) fn poll_failed(&mut self, error: &SourceError, now: Instant) -> Option<Note> {
        self.is_polled = false;
        if self.down.is_some() {
            return None;
        }
        self.down = Some(now);
        Some(Note::Down(error.clone()))
    }

    /// A poll read all new posts.
    pub(crate) fn polled(&mut self, now: Instant) -> Option<Note> {
        self.is_polled = true;
        // A server that is up again is asked for its stream at once, so a lost stream is reported only if it does not
        // come back.
        self.up(now).or_else(|| self.tell_lost_stream())
    }

    /// The timeline was read while the stream is open.
    pub(crate) fn filled(&mut self, now: Instant) -> Option<Note> {
        let fill = self.fill.take().map(|since| Note::Fill(now - since));
        self.up(now).or(fill)
    }

    /// The timeline could not be read while the stream is open.
    pub(crate) fn fill_failed(&mut self, error: &SourceError, now: Instant) -> Option<Note> {
        let is_known = self.fill.is_some() || self.down.is_some();
        self.fill.get_or_insert(now);
        (!is_known).then(|| Note::NoFill(error.clone()))
    }

    fn up(&mut self, now: Instant) -> Option<Note> {
        self.down.take().map(|since| Note::Up(now - since))
    }

    fn tell_lost_stream(&mut self) -> Option<Note> {
        let lost = self.stream.as_mut().filter(|lost| !lost.is_told)?;
        lost.is_told = true;
        Some(Note::NoStream(lost.cause.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn refused() -> SourceError {
        SourceError::Unreachable { doing: "connect", why: "connection refused".to_owned() }
    }

    #[test]
    fn an_outage_and_its_end_are_told_once() {
        let (mut health, now) = (Health::default(), Instant::now());
        for _ in 0..3 {
            assert_eq!(health.stream_failed(&SourceError::Ended, now), None);
            assert_eq!(health.poll_failed(&refused(), now), Some(Note::Down(refused())));
            for n in 1..100 {
                assert_eq!(health.stream_failed(&refused(), now + SECOND * n), None);
                assert_eq!(health.poll_failed(&refused(), now + SECOND * n), None);
            }
            assert_eq!(health.polled(now + 100 * SECOND), Some(Note::Up(100 * SECOND)));
            health.stream_opened();
            assert_eq!(health.filled(now + 101 * SECOND), None);
            assert_eq!(health.stream_works(now + 102 * SECOND), None);
        }
    }

    #[test]
    fn a_stream_that_cannot_be_had_is_told_once_while_the_timeline_is_polled() {
        let (mut health, now) = (Health::default(), Instant::now());
        // The timeline is polled before the stream fails, or after it.
        for is_polled_first in [true, false] {
            let no_stream = Some(Note::NoStream(SourceError::Stalled));
            if is_polled_first {
                assert_eq!(health.polled(now), None);
                assert_eq!(health.stream_failed(&SourceError::Stalled, now), no_stream);
            } else {
                assert_eq!(health.stream_failed(&SourceError::Stalled, now), None);
                assert_eq!(health.polled(now), no_stream);
            }
            for _ in 0..100 {
                assert_eq!(health.stream_failed(&refused(), now), None);
                assert_eq!(health.polled(now), None);
            }
            health.stream_opened();
            assert_eq!(health.stream_works(now + SECOND), Some(Note::Stream(SECOND)));
        }
    }

    #[test]
    fn a_stream_that_is_open_again_before_a_poll_is_not_worth_a_word() {
        let (mut health, now) = (Health::default(), Instant::now());
        health.stream_opened();
        assert_eq!(health.stream_failed(&SourceError::Ended, now), None);
        health.stream_opened();
        assert_eq!(health.filled(now), None);
        assert_eq!(health.stream_works(now), None);
    }

    #[test]
    fn a_timeline_that_does_not_answer_beside_a_stream_is_told_once() {
        let (mut health, now) = (Health::default(), Instant::now());
        health.stream_opened();
        assert_eq!(health.fill_failed(&refused(), now), Some(Note::NoFill(refused())));
        assert_eq!(health.fill_failed(&refused(), now + SECOND), None);
        assert_eq!(health.filled(now + 2 * SECOND), Some(Note::Fill(2 * SECOND)));
    }
}
