//! A page of a timeline.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_model::{Frame, FrameKind, json};

use crate::way::cursor::Cursor;

/// A page of a timeline, lowest place first.
///
/// The timeline's own order counts, not that of the ids: random ids have none.
#[derive(Debug)]
pub struct Page {
    statuses: Vec<(Option<Shown>, Frame)>,
    observed_at: DateTime<Utc>,
    is_newest: bool,
}

/// The longest status that is parsed, as with a stream's frames: parsing takes about ten times its bytes.
pub(crate) const STATUS_BYTES_MAX: usize = 4 << 20;

/// The most statuses of a page; forty are asked for. A page with as many as its bytes allow would take dozens of
/// times its bytes.
const STATUSES_MAX: usize = 1_000;

/// The circumstances in which a page was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// The time by our clock.
    pub(crate) observed_at: DateTime<Utc>,
    /// The time by the server's clock, if it sends it.
    pub(crate) server_now: DateTime<Utc>,
    /// True if the page was asked for as the timeline's top.
    pub(crate) is_newest: bool,
}

/// A status' place in its timeline.
#[derive(Debug)]
struct Shown {
    id: Cursor,
    /// The time of writing: by the id, else by the author.
    dated: Option<DateTime<Utc>>,
    /// True if the author dated it in the future.
    is_claimed_ahead: bool,
    /// True if its id or its author dates it in the future: it stays on top of the timeline, above posts yet to come.
    is_ahead: bool,
}

impl Shown {
    fn of(frame: &Frame, latest: DateTime<Utc>) -> Option<Shown> {
        let (id, created_at) = frame.id_and_date()?;
        let id = Cursor::new(&id)?;
        let is_claimed_ahead = created_at.is_some_and(|date| date > latest);
        let is_ahead = is_claimed_ahead || id.time().is_some_and(|time| time > latest);
        Some(Shown { dated: id.time().or(created_at), id, is_claimed_ahead, is_ahead })
    }
}

/// The fewest posts from which a rate can be told.
const SPAN_POSTS_MIN: usize = 20;
/// The greatest difference between clocks: a post dated further ahead is in the future.
const AHEAD_MIN: Duration = Duration::from_secs(30);

impl Page {
    /// Reads the answer to a request for a page.
    pub(crate) fn parse(body: &Bytes, seen: Seen) -> Result<Page, &'static str> {
        let latest = latest_date(seen.observed_at.max(seen.server_now));
        let mut statuses = Vec::new();
        for status in json::elements(body).map_err(|_| "no JSON array")? {
            let data = status.map_err(|_| "broken JSON")?;
            if statuses.len() == STATUSES_MAX {
                return Err("far more statuses than were asked for");
            }
            let frame = Frame { kind: FrameKind::Update, data };
            let shown = if frame.data.len() > STATUS_BYTES_MAX { None } else { Shown::of(&frame, latest) };
            statuses.push((shown, frame));
        }
        let Seen { observed_at, is_newest, .. } = seen;
        let mut page = Page { statuses, observed_at, is_newest };
        if !page.is_ascending() {
            page.statuses.reverse();
        }
        page.take_no_foreign_ids_for_times();
        Ok(page)
    }

    /// A page without statuses.
    pub(crate) fn none() -> Page {
        Page { statuses: Vec::new(), observed_at: Utc::now(), is_newest: false }
    }

    /// The statuses and when they were seen, lowest first.
    pub fn into_frames(self) -> (impl Iterator<Item = Frame>, DateTime<Utc>) {
        (self.statuses.into_iter().map(|(_, frame)| frame), self.observed_at)
    }

    /// The time in which most of a page's posts came; `None` if it cannot be told.
    pub fn span(&self) -> Option<Duration> {
        let mut times = self.current().filter_map(|shown| shown.id.time());
        let is_enough = self.current().count() >= SPAN_POSTS_MIN;
        let (lowest, highest) = (times.next()?, times.next_back()?);
        (highest - lowest).to_std().ok().filter(|_| is_enough)
    }

    /// The usual interval between its posts; `None` if it cannot be told.
    pub fn usual_interval(&self) -> Option<Duration> {
        Some(self.span()? / u32::try_from(self.statuses.len()).ok()?)
    }

    /// True if the page was asked for as the timeline's top.
    pub fn is_newest(&self) -> bool {
        self.is_newest
    }

    /// True if the page has no status.
    pub fn is_empty(&self) -> bool {
        self.statuses.is_empty()
    }

    /// The size of its statuses in bytes.
    pub fn bytes(&self) -> usize {
        self.statuses.iter().map(|(_, frame)| frame.data.len()).sum()
    }

    /// True if the page has posts dated in the future.
    pub fn is_led(&self) -> bool {
        self.shown().any(|shown| shown.is_ahead)
    }

    /// True if the ids rise with the places, as far as can be told; `None` with fewer than three.
    pub fn is_ordered(&self) -> Option<bool> {
        let is_enough = self.shown().count() > 2;
        is_enough.then(|| self.shown().is_sorted_by(|one, other| one.id < other.id))
    }

    /// The ids of posts that are not dated in the future, lowest first: new posts come above these.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = &Cursor> {
        self.current().map(|shown| &shown.id)
    }

    /// The number of posts written before `time`, by their ids or their authors.
    pub fn count_before(&self, time: DateTime<Utc>) -> usize {
        self.shown().filter(|shown| shown.dated.is_some_and(|dated| dated < time)).count()
    }

    /// Every id, lowest place first.
    pub fn all_ids(&self) -> impl DoubleEndedIterator<Item = &Cursor> {
        self.shown().map(|shown| &shown.id)
    }

    /// True if the page has the status `id`.
    pub fn contains(&self, id: &Cursor) -> bool {
        self.shown().any(|shown| shown.id == *id)
    }

    /// The lowest place.
    pub fn lowest(&self) -> Option<&Cursor> {
        self.shown().next().map(|shown| &shown.id)
    }

    /// The highest place, whatever its date.
    pub fn highest(&self) -> Option<&Cursor> {
        self.shown().next_back().map(|shown| &shown.id)
    }

    fn shown(&self) -> impl DoubleEndedIterator<Item = &Shown> {
        self.statuses.iter().filter_map(|(shown, _)| shown.as_ref())
    }

    fn current(&self) -> impl DoubleEndedIterator<Item = &Shown> {
        self.shown().filter(|shown| !shown.is_ahead)
    }

    /// True if the server sends pages in the opposite order, the oldest post first.
    fn is_ascending(&self) -> bool {
        self.shown().count() > 1 && self.shown().is_sorted_by(|one, other| one.id < other.id)
    }

    /// Ids that are all in the future, of posts that are not, are not Mastodon's: treats them as ids without times.
    fn take_no_foreign_ids_for_times(&mut self) {
        if self.shown().all(|shown| shown.is_ahead && !shown.is_claimed_ahead) {
            for shown in self.statuses.iter_mut().filter_map(|(shown, _)| shown.as_mut()) {
                shown.is_ahead = false;
            }
        }
    }
}

/// The latest date that a post of `now` can have: a later one is in the future.
pub(crate) fn latest_date(now: DateTime<Utc>) -> DateTime<Utc> {
    now + AHEAD_MIN
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(crate) const NOW: &str = "2026-01-01T00:00:00Z";

    /// A page of posts with these ids and dates, highest first.
    pub(crate) fn page<'a>(posts: impl IntoIterator<Item = (&'a str, &'a str)>, is_newest: bool) -> Page {
        let statuses: Vec<String> =
            posts.into_iter().map(|(id, date)| format!(r#"{{"id":"{id}","created_at":"{date}"}}"#)).collect();
        let now = NOW.parse().unwrap();
        let seen = Seen { observed_at: now, server_now: now, is_newest };
        Page::parse(&Bytes::from(format!("[{}]", statuses.join(","))), seen).unwrap()
    }

    fn ids(page: &Page) -> Vec<&str> {
        page.ids().map(Cursor::as_str).collect()
    }

    /// An id with a time so many seconds after [`NOW`].
    fn id_at(seconds: i64) -> String {
        let now: DateTime<Utc> = NOW.parse().unwrap();
        (u64::try_from(now.timestamp_millis() + seconds * 1000).unwrap() << 16).to_string()
    }

    #[test]
    fn ids_are_read_as_the_model_reads_them() {
        for (id, read) in [
            (r#""115500000000000001""#, Some("115500000000000001")),
            ("115500000000000001", Some("115500000000000001")),
            (r#""01HE7XJ1CG84TBKH5V9XKBVGF5""#, Some("01HE7XJ1CG84TBKH5V9XKBVGF5")),
            (r#""1", "id": "2""#, Some("2")),
            (r#""""#, None),
            ("null", None),
        ] {
            let body = Bytes::from(format!(r#"[{{"id":{id},"uri":"u","account":{{"acct":"ann"}}}}]"#));
            let seen = Seen { observed_at: DateTime::UNIX_EPOCH, server_now: DateTime::UNIX_EPOCH, is_newest: true };
            let page = Page::parse(&body, seen).unwrap();
            assert_eq!(page.highest().map(Cursor::as_str), read, "{id}");
            assert_eq!(page.lowest(), page.highest(), "{id}");
        }
    }

    #[test]
    fn the_timelines_order_counts_and_not_that_of_the_ids() {
        let date = "2025-12-31T00:00:00Z";
        for (shown, expected, is_ordered) in [
            (["3", "2", "1"], ["1", "2", "3"], true),
            (["1", "2", "3"], ["1", "2", "3"], true),
            (["b7", "f1", "0c"], ["0c", "f1", "b7"], false),
        ] {
            let page = page(shown.map(|id| (id, date)), true);
            assert_eq!(ids(&page), expected);
            assert_eq!(page.is_ordered(), Some(is_ordered));
        }
    }

    #[test]
    fn posts_of_the_future_are_told_by_their_ids_or_dates() {
        let (past, soon, next_year) = ("2025-12-31T23:59:00Z", "2026-01-01T00:00:10Z", "2027-01-01T00:00:00Z");
        let (snowflake, ahead) = (id_at(-60), id_at(3600));
        for (id, date, is_ahead) in [
            ("01HE7XJ1CG84TBKH5V9XKBVGF5", past, false),
            ("01HE7XJ1CG84TBKH5V9XKBVGF5", soon, false),
            ("01HE7XJ1CG84TBKH5V9XKBVGF5", next_year, true),
            ("AbFlakeIdOf18Chars", next_year, true),
            ("0f1e2d3c-0000-4000-8000-000000000000", next_year, true),
            (&snowflake, past, false),
            (&snowflake, next_year, true),
            (&ahead, past, true),
            (&ahead, "never", true),
            ("99999999999999999999999", past, false),
        ] {
            let page = page([(id, date), ("1", past)], true);
            assert_eq!(page.is_led(), is_ahead, "{id} {date}");
            assert_eq!(page.ids().count(), if is_ahead { 1 } else { 2 }, "{id} {date}");
        }
    }

    #[test]
    fn ids_that_only_look_like_mastodons_hold_no_times() {
        let (one, other) = (id_at(3600), id_at(7200));
        let page = page([(other.as_str(), "2025-12-31T23:59:00Z"), (one.as_str(), "2025-12-31T23:58:00Z")], true);
        assert!(!page.is_led());
        assert_eq!(ids(&page), [one, other]);
    }
}
