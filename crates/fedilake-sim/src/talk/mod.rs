//! The talk's ten days, 3 to 12 February 2023, as recorded frames: the figures are the talk's, the posts invented.
//!
//! All posts are planned first (some 50 MB at full size), then written in the order of `observed_at`. [`Talk::totals`]
//! has the figures that the frames must give; at full size ([`POSTS`]) these are exactly the talk's quick statistics
//! and its days. At any other size the days keep their proportion, authors and origins grow
//! more slowly than posts, as in a sample, and the mean length stays.
//!
//! `observed_at` lies on the UTC day of `created_at`, after it. The collector ran for parts of the 3rd, 6th and 7th
//! only, as the talk's seems to have: there are no posts outside of those hours.

mod frames;
mod hours;
mod lengths;
mod people;
mod plan;
mod targets;
#[cfg(test)]
mod tests;
mod totals;

use std::io::{self, Write};

use chrono::{DateTime, Utc};

use crate::content::json::Push;
use frames::{DayFrames, Planned, View};
use plan::{Plan, SERVERS};
pub use targets::POSTS;
pub use totals::{DayTotals, FrameCounts, Refused, Totals};

/// A recorded frame: an event of a server's stream, and when it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedFrame {
    /// The server that was read.
    pub server: String,
    /// When the frame was seen.
    pub observed_at: DateTime<Utc>,
    /// `update`, `status.update` or `delete`.
    pub event: &'static str,
    /// A status as JSON, or for a delete a bare id.
    pub payload: String,
}

/// The frames of the ten days.
pub struct Talk {
    plan: Plan,
    views: Vec<View>,
    day: usize,
    frames: std::vec::IntoIter<Planned>,
}

impl Talk {
    /// Plans `posts` posts; the same seed gives the same frames, byte for byte.
    pub fn new(seed: u64, posts: u64) -> Talk {
        Talk::copy(seed, posts, 0)
    }

    /// Plans a copy: the same days and figures, `copy` times ten days later, by other people of the same servers. Copies
    /// one after the other are months of posts.
    pub fn copy(seed: u64, posts: u64, copy: u32) -> Talk {
        let mut plan = Plan::new(seed, posts, copy);
        let mut counts = FrameCounts::default();
        (0..plan.days.len()).for_each(|day| DayFrames::of(&plan, day).count(&mut counts));
        plan.totals.frames = counts;
        let views = plan.hosts[..SERVERS].iter().map(|host| View::of(host)).collect();
        Talk { plan, views, day: 0, frames: Vec::new().into_iter() }
    }

    /// Returns the figures that all the frames must give.
    pub fn totals(&self) -> &Totals {
        &self.plan.totals
    }

    /// Writes the frames that are left as JSON lines:
    /// `{"server":…,"observed_at":…,"event":…,"payload":{…} or "id"}`. `progress` is called now and then, and at the end,
    /// with the frames written so far, of `totals().frames.all()`.
    pub fn write_jsonl(mut self, out: &mut dyn Write, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
        let mut lines = Vec::with_capacity(LINES_BYTES + 256 * 1024);
        let mut written = 0;
        while let Some((day, frame)) = self.next_planned() {
            let frames = DayFrames::of(&self.plan, day);
            lines.texts(&["{\"server\":\"", &self.views[usize::from(frame.server)].server, "\",\"observed_at\":\""]);
            lines.time(frames.observed_at_ms(&frame));
            lines.texts(&["\",\"event\":\"", frame.event(), "\",\"payload\":"]);
            if frame.is_status() {
                frames.write_payload(&frame, &self.views, &mut lines);
                lines.text("}\n");
            } else {
                lines.push(b'"');
                frames.write_payload(&frame, &self.views, &mut lines);
                lines.text("\"}\n");
            }
            written += 1;
            if lines.len() >= LINES_BYTES {
                out.write_all(&lines)?;
                lines.clear();
                progress(written);
            }
        }
        out.write_all(&lines)?;
        progress(written);
        Ok(())
    }

    fn next_planned(&mut self) -> Option<(usize, Planned)> {
        loop {
            if let Some(frame) = self.frames.next() {
                return Some((self.day - 1, frame));
            }
            if self.day == self.plan.days.len() {
                return None;
            }
            self.frames = DayFrames::of(&self.plan, self.day).plan().into_iter();
            self.day += 1;
        }
    }
}

/// Bytes that are gathered before they are written.
const LINES_BYTES: usize = 1 << 20;

impl Iterator for Talk {
    type Item = RecordedFrame;

    fn next(&mut self) -> Option<RecordedFrame> {
        let (day, frame) = self.next_planned()?;
        let frames = DayFrames::of(&self.plan, day);
        let mut payload = Vec::with_capacity(if frame.is_status() { 4_096 } else { 24 });
        frames.write_payload(&frame, &self.views, &mut payload);
        Some(RecordedFrame {
            server: self.views[usize::from(frame.server)].server.clone(),
            observed_at: DateTime::from_timestamp_millis(frames.observed_at_ms(&frame))
                .expect("a time of this century"),
            event: frame.event(),
            payload: String::from_utf8(payload).expect("what is written is text"),
        })
    }
}
