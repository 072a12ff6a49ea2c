//! What is learned of a timeline and outlives its connections, and the process: how many requests its server still allows, the domain of
//! its members, how late its posts come, which ranges are to be walked again, where it stood, and the posts of the last half hour.
//!
//! Those posts have names of their own among the bookmarks ([`recent`](crate::way::recent)). The rest is kept in the text of the timeline's
//! [`History`](crate::history), a line for each entry; a line that cannot be read is passed over.

use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::server::delay::Delay;
use crate::server::limits::Limits;
use crate::way::cursor::Cursor;
use crate::way::gone::Gone;
use crate::way::late::Late;
use crate::way::places::Places;
use crate::way::recent::Recent;

/// The paged requests after which they are saved at once: a process that is killed forgets no more, and that many are left to the
/// server's own limit.
const UNSAVED_MAX: u32 = 10;

/// What is learned of one timeline.
#[derive(Debug)]
pub(crate) struct Learned {
    late: Mutex<Late>,
    delay: Mutex<Delay>,
    places: Arc<Mutex<Places>>,
    recent: Mutex<Recent>,
    domain: Mutex<Option<Arc<str>>>,
    gone: Mutex<Gone>,
    limits: Arc<Mutex<Limits>>,
    unsaved: AtomicU32,
    save: Arc<Notify>,
}

impl Learned {
    /// Nothing yet, of a server that still allows what `limits` say, and whose posts are looked at again at these ages. `save` is notified
    /// when it should be saved at once.
    pub(crate) fn new(limits: Arc<Mutex<Limits>>, looks: [Duration; 2], save: Arc<Notify>) -> Learned {
        Learned {
            late: Mutex::default(),
            delay: Mutex::default(),
            places: Arc::default(),
            recent: Mutex::default(),
            domain: Mutex::default(),
            gone: Mutex::new(Gone::new(looks)),
            limits,
            unsaved: AtomicU32::new(0),
            save,
        }
    }

    pub(crate) fn late(&self) -> MutexGuard<'_, Late> {
        lock(&self.late)
    }

    pub(crate) fn delay(&self) -> MutexGuard<'_, Delay> {
        lock(&self.delay)
    }

    pub(crate) fn places(&self) -> Arc<Mutex<Places>> {
        self.places.clone()
    }

    pub(crate) fn recent(&self) -> MutexGuard<'_, Recent> {
        lock(&self.recent)
    }

    /// The domain in the handles of the server's members, if the server told one that it may claim.
    pub(crate) fn domain(&self) -> Option<Arc<str>> {
        lock(&self.domain).clone()
    }

    pub(crate) fn set_domain(&self, domain: &str) {
        *lock(&self.domain) = Some(domain.into());
    }

    /// The posts that may be gone.
    pub(crate) fn gone(&self) -> MutexGuard<'_, Gone> {
        lock(&self.gone)
    }

    /// Takes over the last posts as they were saved, unless some are known already.
    pub(crate) fn restore_recent(&self, chapters: &[String], now: DateTime<Utc>) {
        if self.gone().is_empty() {
            let before = self.recent().restore(chapters.iter().map(String::as_str), now);
            self.gone().remember(before, Instant::now());
        }
    }

    /// Shared by all timelines of the server.
    pub(crate) fn limits(&self) -> MutexGuard<'_, Limits> {
        lock(&self.limits)
    }

    /// Counts a paged request made at `now`.
    pub(crate) fn count_paged(&self, now: DateTime<Utc>) {
        self.limits().count_paged(now);
        if self.unsaved.fetch_add(1, Ordering::Relaxed) + 1 >= UNSAVED_MAX {
            self.save.notify_one();
        }
    }

    /// True if it should be saved at once.
    pub(crate) fn is_urgent(&self) -> bool {
        self.unsaved.load(Ordering::Relaxed) >= UNSAVED_MAX
    }

    /// Its lines, to be saved.
    pub(crate) fn to_text(&self, clocks: (Instant, DateTime<Utc>)) -> String {
        self.unsaved.store(0, Ordering::Relaxed);
        let mut text = String::new();
        for line in self.limits().to_lines(clocks.1) {
            writeln!(text, "{line}").expect("a String takes it");
        }
        for line in self.late().to_lines(clocks) {
            writeln!(text, "{line}").expect("a String takes it");
        }
        for (since, place) in lock(&self.places).to_keep(clocks) {
            writeln!(text, "stood {} {place}", since.timestamp_millis()).expect("a String takes it");
        }
        if let Some(domain) = self.domain() {
            writeln!(text, "domain {domain}").expect("a String takes it");
        }
        writeln!(text, "delay {}", self.delay().to_text()).expect("a String takes it");
        text
    }

    /// Takes over what was saved, by this or by another process.
    pub(crate) fn restore(&self, text: &str, clocks: (Instant, DateTime<Utc>)) {
        for line in text.lines() {
            let Some((what, told)) = line.split_once(' ') else { continue };
            match what {
                "pages" | "closed" | "closed-to-pages" => self.limits().restore(line, clocks.1),
                "walk" => self.late().restore(told, clocks),
                "delay" => self.delay().restore(told),
                "domain" => self.set_domain(told),
                "stood" => {
                    let parsed = told.split_once(' ').and_then(|(since, place)| {
                        Some((DateTime::from_timestamp_millis(since.parse().ok()?)?, Cursor::new(place)?))
                    });
                    if let Some((since, place)) = parsed {
                        lock(&self.places).restore(since, &place, clocks);
                    }
                }
                _ => {}
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn learned() -> Learned {
        Learned::new(Limits::shared(280), [Duration::from_secs(60); 2], Arc::default())
    }

    #[test]
    fn it_outlives_the_process() {
        let (before, now) = (learned(), Utc::now());
        (0..280).for_each(|_| before.count_paged(now));
        let place = |n: u64| Cursor::new(&n.to_string()).unwrap();
        before.late().owe(place(10), place(20), Duration::from_secs(60), Instant::now());
        (0..600).for_each(|_| before.delay().take(Duration::from_secs(100)));
        lock(&before.places).stand_at(&place(7), Instant::now());
        before.set_domain("a.example");
        assert!(before.is_urgent());
        let clocks = (Instant::now(), now);
        let text = before.to_text(clocks);
        assert!(!before.is_urgent());
        let after = learned();
        after.restore(&format!("walk\nstood\nstood x 1\npages 1\nwho knows\n{text}"), clocks);
        assert!(after.limits().wait(true, now).is_some());
        assert_eq!(after.domain().as_deref(), Some("a.example"));
        assert_eq!(after.to_text(clocks), text);
    }
}
