//! A page of a timeline.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use fedilake_model::{Frame, FrameKind, json};

use crate::cursor::Cursor;

/// A page of a timeline, lowest id first.
#[derive(Debug)]
pub struct Page {
    statuses: Vec<(Option<Cursor>, Frame)>,
    observed_at: DateTime<Utc>,
    is_newest: bool,
}

/// A longer status is not looked into, as a longer frame of a stream is not: reading takes about ten times its bytes.
pub(crate) const STATUS_BYTES_MAX: usize = 4 << 20;

/// Forty are asked for. A page of as many as its bytes can hold would take dozens of times its bytes.
const STATUSES_MAX: usize = 1_000;

/// Fewer say nothing of how fast posts come.
const SPAN_POSTS_MIN: usize = 20;

impl Page {
    /// Reads the answer to a request for the newest page, or for one above a place.
    pub(crate) fn parse(body: &Bytes, observed_at: DateTime<Utc>, is_newest: bool) -> Result<Page, &'static str> {
        let mut statuses = Vec::new();
        for status in json::elements(body).map_err(|_| "no JSON array")? {
            let data = status.map_err(|_| "broken JSON")?;
            if statuses.len() == STATUSES_MAX {
                return Err("far more statuses than were asked for");
            }
            let frame = Frame { kind: FrameKind::Update, data };
            let id = if frame.data.len() > STATUS_BYTES_MAX { None } else { frame.status_id() };
            statuses.push((id.map(|id| Cursor::new(&id)), frame));
        }
        statuses.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(Page { statuses, observed_at, is_newest })
    }

    /// The statuses and when they were seen, lowest id first.
    pub fn into_frames(self) -> (impl Iterator<Item = Frame>, DateTime<Utc>) {
        (self.statuses.into_iter().map(|(_, frame)| frame), self.observed_at)
    }

    /// The time that a good part of a page's posts took to come; none where that cannot be told.
    pub fn span(&self) -> Option<Duration> {
        let is_enough = self.statuses.len() >= SPAN_POSTS_MIN;
        self.highest().filter(|_| is_enough)?.since(self.lowest()?)
    }

    /// How far apart its posts came; none where that cannot be told.
    pub fn usual_interval(&self) -> Option<Duration> {
        Some(self.span()? / u32::try_from(self.statuses.len()).ok()?)
    }

    /// Whether it was asked for as the timeline's top.
    pub fn is_newest(&self) -> bool {
        self.is_newest
    }

    /// The ids, lowest first.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = &Cursor> {
        self.statuses.iter().filter_map(|(id, _)| id.as_ref())
    }

    /// The least id.
    pub fn lowest(&self) -> Option<&Cursor> {
        self.ids().next()
    }

    /// The greatest id.
    pub fn highest(&self) -> Option<&Cursor> {
        self.ids().next_back()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
            let page = Page::parse(&body, DateTime::UNIX_EPOCH, true).unwrap();
            assert_eq!(page.highest().map(Cursor::as_str), read, "{id}");
            assert_eq!(page.lowest(), page.highest(), "{id}");
        }
    }
}
