//! A server's timeline: its newest posts by id, and the pages that the API cuts from them.

use std::collections::BTreeMap;

use super::live_post::{Home, LivePost};

/// A post at one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) post: LivePost,
    /// When the server first showed it, or was told that it is gone.
    pub(crate) shown_at_ms: i64,
    pub(crate) deleted_at_ms: Option<i64>,
}

/// The scope of a feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    All,
    Local,
    Remote,
}

impl Scope {
    pub(crate) fn holds(self, local: bool) -> bool {
        match self {
            Scope::All => true,
            Scope::Local => local,
            Scope::Remote => !local,
        }
    }
}

/// The bounds of a page, as given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    pub(crate) min: Option<u64>,
    pub(crate) since: Option<u64>,
    pub(crate) max: Option<u64>,
}

/// The posts of server `server`, at most `recent_max` of them.
pub(crate) struct Timeline {
    server: usize,
    recent_max: usize,
    entries: BTreeMap<u64, Entry>,
    forgotten: u64,
}

impl Timeline {
    pub(crate) fn new(server: usize, recent_max: usize) -> Timeline {
        Timeline { server, recent_max, entries: BTreeMap::new(), forgotten: 0 }
    }

    /// An id for a post created at that time that no other post here has.
    pub(crate) fn free_id(&self, created_at_ms: i64, low_bits: u64) -> u64 {
        let mut id = ((created_at_ms as u64) << 16) | (low_bits & 0xffff);
        while self.entries.contains_key(&id) {
            id += 1;
        }
        id
    }

    pub(crate) fn put(&mut self, id: u64, entry: Entry) {
        self.entries.insert(id, entry);
        while self.entries.len() > self.recent_max {
            self.entries.pop_first();
            self.forgotten += 1;
        }
    }

    pub(crate) fn get_mut(&mut self, id: u64) -> Option<&mut Entry> {
        self.entries.get_mut(&id)
    }

    /// The post with that id, unless it was deleted.
    pub(crate) fn get(&self, id: u64) -> Option<&Entry> {
        self.entries.get(&id).filter(|entry| entry.deleted_at_ms.is_none())
    }

    /// Ids of a page of the posts that `holds` accepts, newest first: just above `min` when it is given, else the newest ones below `max` and above `since`.
    pub(crate) fn page(
        &self,
        scope: Scope,
        bounds: Bounds,
        limit: usize,
        holds: impl Fn(&LivePost) -> bool,
    ) -> Vec<u64> {
        let above = bounds.min.or(bounds.since).map_or(0, |id| id.saturating_add(1));
        let below = bounds.max.unwrap_or(u64::MAX);
        if above >= below {
            return Vec::new();
        }
        let shown = self
            .entries
            .range(above..below)
            .filter(|(_, entry)| {
                entry.deleted_at_ms.is_none() && scope.holds(self.is_local(&entry.post)) && holds(&entry.post)
            })
            .map(|(id, _)| *id);
        if bounds.min.is_some() {
            let mut ids: Vec<u64> = shown.take(limit).collect();
            ids.reverse();
            ids
        } else {
            shown.rev().take(limit).collect()
        }
    }

    /// Returns the remembered posts above `after`, deleted or not, by id.
    pub(crate) fn after(&self, after: u64, limit: usize) -> impl Iterator<Item = (u64, &Entry)> {
        self.entries.range(after..).filter(move |(id, _)| **id > after).take(limit).map(|(id, entry)| (*id, entry))
    }

    pub(crate) fn is_local(&self, post: &LivePost) -> bool {
        post.home == Home::Server(self.server)
    }

    /// Returns the number of posts dropped to stay within the bound.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(ids: impl IntoIterator<Item = u64>) -> Timeline {
        let mut timeline = Timeline::new(0, 100);
        for id in ids {
            let post = LivePost {
                number: id,
                person: 1,
                home: if id % 2 == 0 { Home::Server(0) } else { Home::Server(1) },
                origin_id: id,
                created_at_ms: 0,
                edited_at_ms: None,
                version: 0,
                characters: 10,
                says_language: true,
                answers: None,
            };
            timeline.put(id, Entry { post, shown_at_ms: 0, deleted_at_ms: None });
        }
        timeline
    }

    #[test]
    fn min_id_gives_the_page_just_above_and_since_id_the_newest_one() {
        let timeline = timeline(1..=10);
        let page = |bounds, limit| timeline.page(Scope::All, bounds, limit, |_| true);
        assert_eq!(page(Bounds::default(), 3), [10, 9, 8]);
        assert_eq!(page(Bounds { min: Some(4), ..Bounds::default() }, 3), [7, 6, 5]);
        assert_eq!(page(Bounds { since: Some(4), ..Bounds::default() }, 3), [10, 9, 8]);
        assert_eq!(page(Bounds { max: Some(4), ..Bounds::default() }, 5), [3, 2, 1]);
        assert_eq!(page(Bounds { min: Some(2), max: Some(5), ..Bounds::default() }, 5), [4, 3]);
        assert_eq!(page(Bounds { min: Some(10), ..Bounds::default() }, 5), [0; 0]);
        assert_eq!(page(Bounds { min: Some(u64::MAX), ..Bounds::default() }, 5), [0; 0]);
        assert_eq!(timeline.page(Scope::Local, Bounds::default(), 2, |_| true), [10, 8]);
        assert_eq!(timeline.page(Scope::Remote, Bounds::default(), 2, |_| true), [9, 7]);
    }

    #[test]
    fn a_deleted_post_is_on_no_page_but_stays_known() {
        let mut timeline = timeline(1..=3);
        timeline.get_mut(2).unwrap().deleted_at_ms = Some(5);
        assert_eq!(timeline.page(Scope::All, Bounds::default(), 9, |_| true), [3, 1]);
        assert!(timeline.get(2).is_none());
        assert_eq!(timeline.after(0, 9).count(), 3);
    }

    #[test]
    fn only_the_newest_are_remembered() {
        let timeline = timeline(1..=250);
        assert_eq!((timeline.after(0, 999).count(), timeline.forgotten()), (100, 150));
        assert_eq!(timeline.after(0, 1).next().unwrap().0, 151);
    }
}
