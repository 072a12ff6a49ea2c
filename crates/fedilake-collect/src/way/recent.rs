//! The posts of the last half hour, kept beside the bookmarks: after a restart their server is asked which of them are gone. They are saved
//! with the records of the posts, so a kill forgets none that the log has.
//!
//! They are kept in chapters of [`POSTS_MAX`] posts, each under a name of its own, of which only the last one changes; the names are used
//! again in turn. A chapter is text: its number, then a line for each post with the time at which it came (milliseconds since 1970), the
//! number of its author, and its id. A line that cannot be read is passed over.
//!
//! Bounded: one chapter in memory, [`CHAPTERS`] beside the log.

use std::fmt::Write;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::way::cursor::Cursor;
use crate::way::gone::{Before, HELD_FOR};

/// The most posts of a chapter: it is saved whole with each post that is added.
const POSTS_MAX: usize = 32;
/// The number of chapters: as many posts as are asked for.
const CHAPTERS: u64 = 320;

/// The chapter that is being written.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    number: u64,
    posts: usize,
    text: String,
    is_saved: bool,
    /// Full chapters that were not saved yet.
    full: Vec<(u64, String)>,
}

impl Recent {
    /// Adds a post that came at `now`.
    pub(crate) fn push(&mut self, id: &Cursor, author: u64, now: DateTime<Utc>) {
        if self.posts == POSTS_MAX {
            self.full.push((self.number, std::mem::take(&mut self.text)));
            // What is not saved for long is not kept without end.
            if self.full.len() as u64 == CHAPTERS {
                self.full.remove(0);
            }
            self.number += 1;
            self.posts = 0;
        }
        writeln!(self.text, "{} {author:x} {id}", now.timestamp_millis()).expect("a String takes it");
        self.posts += 1;
        self.is_saved = false;
    }

    /// The names and texts of the chapters that changed since the last call.
    pub(crate) fn changed(&mut self) -> Vec<(String, String)> {
        let mut changed: Vec<_> = self.full.drain(..).map(|(number, text)| chapter(number, &text)).collect();
        if !std::mem::replace(&mut self.is_saved, true) && self.posts > 0 {
            changed.push(chapter(self.number, &self.text));
        }
        changed
    }

    /// Goes on after the chapters that were saved, and returns their posts of the last half hour, the oldest first.
    pub(crate) fn restore<'t>(&mut self, chapters: impl Iterator<Item = &'t str>, now: DateTime<Utc>) -> Vec<Before> {
        let mut posts = Vec::new();
        for text in chapters {
            let mut lines = text.lines();
            let number = lines.next().and_then(|number| number.parse::<u64>().ok()).filter(|number| *number < u64::MAX);
            let Some(number) = number else { continue };
            if self.posts == 0 {
                self.number = self.number.max(number + 1);
            }
            posts.extend(lines.filter_map(|line| before(line, now)));
        }
        posts.sort_by_key(|post| std::cmp::Reverse(post.age));
        posts
    }
}

fn chapter(number: u64, text: &str) -> (String, String) {
    ((number % CHAPTERS).to_string(), format!("{number}\n{text}"))
}

fn before(line: &str, now: DateTime<Utc>) -> Option<Before> {
    let mut words = line.splitn(3, ' ');
    let came = DateTime::from_timestamp_millis(words.next()?.parse().ok()?)?;
    let author = u64::from_str_radix(words.next()?, 16).ok()?;
    let age = (now - came).to_std().unwrap_or(Duration::ZERO);
    (age <= HELD_FOR).then_some(Before { age, id: Cursor::new(words.next()?)?, author })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use chrono::TimeDelta;

    use super::*;

    fn place(n: u64) -> Cursor {
        Cursor::new(&n.to_string()).unwrap()
    }

    fn restored(saved: &BTreeMap<String, String>, now: DateTime<Utc>) -> (Recent, Vec<u64>) {
        let mut recent = Recent::default();
        let posts = recent.restore(saved.values().map(String::as_str), now);
        (recent, posts.iter().map(|post| post.id.as_str().parse().unwrap()).collect())
    }

    #[test]
    fn the_last_posts_outlive_the_process_again_and_again() {
        let now = Utc::now();
        let mut saved = BTreeMap::new();
        let (mut recent, mut next) = (Recent::default(), 0);
        for posts in [10, 300, 1, 1_000, 14_000, 3] {
            for n in next..next + posts {
                recent.push(&place(n), n, now - TimeDelta::minutes(5) + TimeDelta::milliseconds(n as i64));
                if n % 7 == 0 {
                    saved.extend(recent.changed());
                }
            }
            saved.extend(recent.changed());
            assert!(recent.changed().is_empty(), "what did not change is not saved again");
            next += posts;
            let (again, held) = restored(&saved, now);
            let kept = (next as usize).min((CHAPTERS as usize - 8) * POSTS_MAX) as u64;
            assert_eq!(held[held.len() - kept as usize..], (next - kept..next).collect::<Vec<_>>());
            assert!(saved.len() as u64 <= CHAPTERS);
            recent = again;
        }
        assert_eq!(restored(&saved, now + TimeDelta::minutes(40)).1, [] as [u64; 0]);
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let now = Utc::now();
        let ms = now.timestamp_millis();
        for (text, kept) in [
            ("", 0),
            ("x\n1 2 3", 0),
            (&*format!("1\n{ms} f 17\n{ms} xyz 18\nsoon f 18\n{ms} f\n{ms} f 1 9\n9999999999999999999 f 1\n"), 1),
            (&*format!("{}\n{ms} f 17", u64::MAX), 0),
        ] {
            let mut recent = Recent::default();
            assert_eq!(recent.restore([text].into_iter(), now).len(), kept, "{text:?}");
            recent.push(&place(1), 1, now);
            recent.changed();
        }
    }

    #[test]
    fn what_cannot_be_saved_is_not_kept_without_end() {
        let mut recent = Recent::default();
        (0..1_000_000).for_each(|n| recent.push(&place(n), n, DateTime::default()));
        assert!(recent.full.len() as u64 <= CHAPTERS);
    }
}
