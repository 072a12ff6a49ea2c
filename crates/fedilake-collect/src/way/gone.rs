//! Posts that are gone without a word: deleted while a stream had a hole, while a timeline was polled, or with their account.
//!
//! The posts of the last half hour are remembered, also those of before the process began. Their server is asked for each of them again,
//! twenty in a request: when it is some minutes old, for most deletes come soon; before it is forgotten; and, the newest first, after a
//! hole and now and then while the timeline is polled. First come those that another server said are gone, and those of the server's own
//! members that another server said are edited ([`hearsay`](crate::way::hearsay)). A post that its server no longer has becomes a delete, and the
//! others of its author are asked for next: she may be suspended, which no stream tells. One that was edited becomes an edit.
//!
//! Bounded: the places of a few thousand posts.

mod looker;

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

pub(crate) use self::looker::Looker;
use crate::server::number::number;
use crate::way::cursor::Cursor;
use crate::way::hearsay::{News, Word};
use crate::way::page::Page;

const HELD_MAX: usize = 10_000;
/// The most posts that wait to be asked for.
const SUSPECTS_MAX: usize = 2 * HELD_MAX;
/// While posts may be gone, one request in so many is for posts whose turn it is.
const TURNS: u32 = 4;
/// How long a post is remembered.
pub(crate) const HELD_FOR: Duration = Duration::from_secs(1_800);
/// Looks that are later than this are left to newer posts.
const LATENESS_MAX: Duration = Duration::from_secs(300);
/// How long a post waits for others that are looked at in the same request: for a quarter of its age, and no longer than this.
const GATHERING_MAX: Duration = Duration::from_secs(150);
/// Posts that Mastodon gives in one request.
const ASKED_MAX: usize = 20;
/// Requests without any post after which a server is not asked on.
const FRUITLESS_MAX: u32 = 5;
/// Other posts that are asked for before a server without the request for several is believed that one is gone.
const WITNESSES_MAX: usize = 3;

/// A server's posts that may be gone.
#[derive(Debug)]
pub(crate) struct Gone {
    /// The last posts, the latest last.
    held: VecDeque<Held>,
    /// The number of the first of them, counted from the beginning.
    first: usize,
    /// The ages at which a post is looked at, and the numbers of the posts whose turns they are.
    looks: [(Duration, usize); 2],
    /// The posts to ask for, the next one first.
    suspects: VecDeque<Cursor>,
    /// Requests for suspects since the last one for posts whose turn it is: neither wait for all of the others.
    turns: u32,
    manner: Manner,
    /// True if the server gave a post in this manner.
    is_proven: bool,
    /// Requests since the manner began, while it is not proven.
    fruitless: u32,
}

/// A post that is remembered.
#[derive(Clone, Debug)]
struct Held {
    came: Instant,
    /// None once it is deleted.
    id: Option<Cursor>,
    author: u64,
    /// None for one of before the process began.
    uri: Option<u64>,
    /// The last edit that the server showed.
    edited_at: Option<DateTime<Utc>>,
    /// It is of a member of the server, whose word is the last one.
    from_origin: bool,
}

/// A version of a post that a server showed: what is remembered of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version<'p> {
    pub(crate) author: &'p str,
    pub(crate) uri: &'p str,
    pub(crate) edited_at: Option<DateTime<Utc>>,
    pub(crate) from_origin: bool,
}

/// A post that was collected before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Before {
    pub(crate) age: Duration,
    pub(crate) id: Cursor,
    pub(crate) author: u64,
}

fn gathering(age: Duration) -> Duration {
    (age / 4).min(GATHERING_MAX)
}

/// How a server is asked for posts by their ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Manner {
    #[default]
    Several,
    /// It does not know the request for several.
    Each,
    /// It does not give posts by their ids.
    Never,
}

impl Gone {
    /// Looks at posts of these two ages, the lower one first.
    pub(crate) fn new(looks: [Duration; 2]) -> Gone {
        Gone {
            held: VecDeque::new(),
            first: 0,
            looks: looks.map(|age| (age, 0)),
            suspects: VecDeque::new(),
            turns: 0,
            manner: Manner::default(),
            is_proven: false,
            fruitless: 0,
        }
    }

    /// Remembers a post that was shown; of a later version of one that is remembered only its edit.
    pub(crate) fn hold(&mut self, id: Cursor, version: Version<'_>, now: Instant) {
        let Version { author, uri, edited_at, from_origin } = version;
        if edited_at.is_some()
            && let Some(held) = self.held.iter_mut().find(|held| held.id.as_ref() == Some(&id))
        {
            held.edited_at = edited_at.max(held.edited_at);
            return;
        }
        while let Some(oldest) = self.held.front()
            && (self.held.len() >= HELD_MAX || oldest.came + HELD_FOR < now)
        {
            self.held.pop_front();
            self.first += 1;
        }
        let (author, uri) = (number(author), Some(number(uri)));
        self.held.push_back(Held { came: now, id: Some(id), author, uri, edited_at, from_origin });
    }

    /// Remembers posts that were collected before any that is remembered, the oldest first, and asks for all of them.
    pub(crate) fn remember(&mut self, before: Vec<Before>, now: Instant) {
        let known: HashSet<&Cursor> = self.held.iter().filter_map(|held| held.id.as_ref()).collect();
        let posts: Vec<Held> = before
            .into_iter()
            .filter(|post| !known.contains(&post.id))
            .filter_map(|post| {
                let (came, author) = (now.checked_sub(post.age)?, post.author);
                Some(Held { came, id: Some(post.id), author, uri: None, edited_at: None, from_origin: false })
            })
            .collect();
        let room = HELD_MAX.saturating_sub(self.held.len());
        for post in posts.into_iter().rev().take(room) {
            self.held.push_front(post);
        }
        // Every post has its looks to come.
        self.looks.iter_mut().for_each(|(_, turn)| *turn = self.first);
        self.suspect_all();
    }

    /// Forgets a post that was deleted. Returns its uri, if it was remembered.
    pub(crate) fn forget(&mut self, id: &str) -> Option<u64> {
        let mut uri = None;
        for held in &mut self.held {
            if held.id.take_if(|held| held.as_str() == id).is_some() {
                uri = held.uri;
            }
        }
        self.suspects.retain(|suspect| suspect.as_str() != id);
        uri
    }

    /// Has the server asked first for the posts of which others told what it did not.
    pub(crate) fn suspect_all_of(&mut self, news: &News<'_>) {
        if self.manner == Manner::Never || news.is_empty() {
            return;
        }
        let is_news = |held: &&Held| match held.uri.and_then(|uri| news.of(uri)) {
            Some(Word::Gone) => true,
            Some(Word::Edited(at)) => held.from_origin && held.edited_at.is_none_or(|known| known < at),
            None => false,
        };
        let posts: Vec<Cursor> = self.held.iter().filter(is_news).filter_map(|held| held.id.clone()).collect();
        if !posts.is_empty() {
            self.suspect_first(posts);
        }
    }

    /// Forgets all posts of an author, and returns their ids, the oldest first.
    pub(crate) fn let_go(&mut self, author: &str) -> Vec<Cursor> {
        let author = number(author);
        let of_author = self.held.iter_mut().filter(|held| held.author == author);
        let ids: Vec<Cursor> = of_author.filter_map(|held| held.id.take()).collect();
        self.suspects.retain(|suspect| !ids.contains(suspect));
        ids
    }

    /// The posts of a page are there.
    pub(crate) fn clear(&mut self, page: &Page) {
        if !self.suspects.is_empty() {
            let there: HashSet<&Cursor> = page.all_ids().collect();
            self.suspects.retain(|suspect| !there.contains(suspect));
        }
    }

    /// Has the server asked for every post that is remembered, before those that still wait since an earlier time.
    pub(crate) fn suspect_all(&mut self) {
        self.suspect_held(|_| true);
    }

    /// The same for the posts that came up to a moment: what became of later ones is known.
    pub(crate) fn suspect_all_until(&mut self, moment: Instant) {
        self.suspect_held(|held| held.came <= moment);
    }

    fn suspect_held(&mut self, is_suspect: impl Fn(&Held) -> bool) {
        if self.manner != Manner::Never {
            let suspects = self.held.iter().rev().filter(|held| is_suspect(held));
            let suspects: Vec<Cursor> = suspects.filter_map(|held| held.id.clone()).collect();
            self.suspect_first(suspects);
            self.suspects.truncate(SUSPECTS_MAX);
        }
    }

    /// Has the server asked first for the other posts of this one's author.
    fn suspect_author_of(&mut self, id: &Cursor) {
        let Some(author) = self.held.iter().find(|held| held.id.as_ref() == Some(id)).map(|held| held.author) else {
            return;
        };
        let of_author = |held: &&Held| held.author == author && held.id.as_ref() != Some(id);
        let others: Vec<Cursor> = self.held.iter().filter(of_author).filter_map(|held| held.id.clone()).collect();
        self.suspect_first(others);
    }

    fn suspect_first(&mut self, posts: Vec<Cursor>) {
        let are_first: HashSet<&Cursor> = posts.iter().collect();
        self.suspects.retain(|suspect| !are_first.contains(suspect));
        self.give_back(posts);
    }

    /// True if no post is remembered.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// True unless posts wait to be asked for.
    pub(crate) fn is_idle(&self) -> bool {
        self.suspects.is_empty()
    }

    /// When posts are to be asked for next; None while there are none.
    fn due(&self, now: Instant) -> Option<Instant> {
        if !self.suspects.is_empty() {
            return Some(now);
        }
        let due = |(age, turn): &(Duration, usize)| {
            let turn = (*turn).max(self.first);
            let longest = self.numbered(turn)?.came + *age + gathering(*age);
            let full = self.numbered(turn + self.count() - 1).map(|last| last.came + *age);
            Some(full.map_or(longest, |full| full.min(longest)))
        };
        self.looks.iter().filter_map(due).min().filter(|_| self.manner != Manner::Never)
    }

    /// The posts of a request.
    fn count(&self) -> usize {
        if self.manner == Manner::Several { ASKED_MAX } else { 1 }
    }

    fn numbered(&self, number: usize) -> Option<&Held> {
        self.held.get(number.saturating_sub(self.first))
    }

    /// The posts of the next request: suspects and those whose turn it is, by turns.
    fn take(&mut self, now: Instant) -> Vec<Cursor> {
        let count = self.count();
        let is_turn_of_aged = self.suspects.is_empty() || self.turns >= TURNS - 1;
        let mut asked = if is_turn_of_aged { self.take_aged(now, count) } else { Vec::new() };
        if asked.is_empty() {
            self.turns = self.turns.saturating_add(1);
            asked.extend(self.suspects.drain(..count.min(self.suspects.len())));
        } else {
            self.turns = 0;
        }
        self.with_witnesses(asked, count)
    }

    /// Up to `count` posts whose turn it is, the oldest ones first.
    fn take_aged(&mut self, now: Instant, count: usize) -> Vec<Cursor> {
        let mut asked = Vec::new();
        for look in (0..self.looks.len()).rev() {
            let (age, turn) = self.looks[look];
            let mut turn = turn.max(self.first);
            while asked.len() < count
                && let Some(held) = self.numbered(turn)
                && held.came + age <= now
            {
                if held.came + age + LATENESS_MAX > now {
                    asked.extend(held.id.clone());
                }
                turn += 1;
            }
            self.looks[look].1 = turn;
        }
        asked
    }

    /// Adds the newest posts while the server has not given any: a server that has none of a few is not one that gives none.
    fn with_witnesses(&self, mut asked: Vec<Cursor>, count: usize) -> Vec<Cursor> {
        if !self.is_proven && !asked.is_empty() {
            let newest = self.held.iter().rev().filter_map(|held| held.id.clone());
            let witnesses: Vec<Cursor> = newest.filter(|id| !asked.contains(id)).take(count - asked.len()).collect();
            asked.extend(witnesses);
        }
        asked
    }

    /// Some of the newest posts, by others than the author of this one.
    fn witnesses(&self, id: &Cursor) -> Vec<Cursor> {
        let author = self.held.iter().find(|held| held.id.as_ref() == Some(id)).map(|held| held.author);
        let by_others = self.held.iter().rev().filter(|held| Some(held.author) != author);
        by_others.filter_map(|held| held.id.clone()).take(WITNESSES_MAX).collect()
    }

    fn give_back(&mut self, ids: Vec<Cursor>) {
        ids.into_iter().rev().for_each(|id| self.suspects.push_front(id));
    }

    /// Posts of which nothing is known yet come once more, behind the others.
    fn ask_again(&mut self, ids: Vec<Cursor>) {
        if self.manner != Manner::Never {
            self.suspects.extend(ids);
        }
    }

    /// The server refused this manner of asking.
    fn refused(&mut self) {
        self.manner = if self.manner == Manner::Several { Manner::Each } else { Manner::Never };
        self.is_proven = false;
        self.fruitless = 0;
        if self.manner == Manner::Never {
            self.suspects.clear();
        }
    }

    /// The server gave a post, or none. True if those that it did not give may be believed to be gone.
    fn answered(&mut self, has_given: bool) -> bool {
        self.is_proven |= has_given;
        if !self.is_proven {
            self.fruitless += 1;
            if self.fruitless >= FRUITLESS_MAX {
                self.refused();
            }
        }
        self.is_proven
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::way::hearsay::{Heard, Hearsay};

    fn at(n: u64) -> Cursor {
        Cursor::new(&n.to_string()).unwrap()
    }

    const MINUTE: Duration = Duration::from_secs(60);

    impl Gone {
        fn clear_all_but(&mut self, id: &Cursor) {
            self.suspects.retain(|suspect| suspect == id);
        }
    }

    const ANN: Version<'static> = Version { author: "ann@a.example", uri: "", edited_at: None, from_origin: false };

    fn empty() -> Gone {
        Gone::new([3 * MINUTE, 25 * MINUTE])
    }

    fn holding(ids: std::ops::Range<u64>) -> Gone {
        let mut gone = empty();
        ids.for_each(|id| {
            gone.hold(at(id), Version { author: &format!("ann{}@a.example", id % 10), ..ANN }, Instant::now())
        });
        gone
    }

    #[test]
    fn the_newest_are_asked_for_first_and_twenty_at_once() {
        let (mut gone, now) = (holding(0..50), Instant::now());
        assert!(gone.is_idle());
        gone.suspect_all();
        let asked = gone.take(now);
        assert_eq!(asked, (30..50).rev().map(at).collect::<Vec<_>>());
        gone.give_back(asked.clone());
        assert_eq!(gone.take(now), asked);
    }

    #[test]
    fn those_whose_turn_it_is_do_not_wait_for_all_suspects() {
        let (mut gone, now) = (empty(), Instant::now());
        assert!(gone.answered(true));
        (0..100).for_each(|n| gone.hold(at(n), ANN, now));
        gone.suspect_all();
        let asked: Vec<Cursor> = (0..6).map(|_| gone.take(now + 3 * MINUTE)[0].clone()).collect();
        assert_eq!(asked, [at(99), at(79), at(59), at(0), at(39), at(19)]);
    }

    #[test]
    fn those_that_wait_since_an_earlier_hole_are_asked_for_after_the_others() {
        let (mut gone, now) = (empty(), Instant::now());
        assert!(gone.answered(true));
        (0..40).for_each(|n| gone.hold(at(n), ANN, now));
        gone.suspect_all();
        assert_eq!(gone.take(now).len(), ASKED_MAX);
        // So many came since that those are no longer remembered.
        let came = HELD_MAX as u64;
        (40..40 + came).for_each(|n| gone.hold(at(n), ANN, now));
        gone.suspect_all();
        let asked: Vec<Cursor> =
            std::iter::repeat_with(|| gone.take(now)).take_while(|asked| !asked.is_empty()).flatten().collect();
        assert_eq!(asked, (0..20).chain(40..40 + came).rev().map(at).collect::<Vec<_>>());
    }

    #[test]
    fn posts_that_came_after_a_hole_are_not_asked_for() {
        let (mut gone, now) = (empty(), Instant::now());
        assert!(gone.answered(true));
        (0..4).for_each(|n| gone.hold(at(n), ANN, now + MINUTE * n as u32));
        gone.suspect_all_until(now + MINUTE);
        assert_eq!(gone.take(now), [at(1), at(0)]);
    }

    #[test]
    fn what_was_deleted_or_is_long_ago_is_not_asked_for() {
        let (mut gone, now) = (empty(), Instant::now());
        gone.hold(at(1), ANN, now);
        gone.hold(at(2), ANN, now + HELD_FOR);
        gone.hold(at(3), ANN, now + HELD_FOR + Duration::from_secs(1));
        gone.hold(
            at(3),
            Version { edited_at: Some(DateTime::UNIX_EPOCH), ..ANN },
            now + HELD_FOR + Duration::from_secs(1),
        );
        gone.forget("2");
        gone.suspect_all();
        assert_eq!(gone.take(now), [at(3)]);
    }

    #[test]
    fn each_post_is_looked_at_when_it_is_fresh_and_before_it_is_forgotten() {
        let (mut gone, now) = (empty(), Instant::now());
        assert_eq!(gone.due(now), None);
        assert!(gone.answered(true));
        (0..60).for_each(|n| gone.hold(at(n), ANN, now + MINUTE / 60 * n as u32));
        gone.forget("5");
        assert_eq!(gone.due(now), Some(now + 3 * MINUTE + MINUTE / 60 * 19), "when they are twenty");
        let mut looked = |from: Duration, until: Duration| {
            let (mut asked, mut when) = (Vec::new(), now + from);
            while let Some(due) = gone.due(when).filter(|due| *due <= now + until) {
                when = due;
                asked.extend(gone.take(when));
            }
            asked
        };
        let fresh = looked(Duration::ZERO, 5 * MINUTE);
        assert_eq!(fresh, (0..60).filter(|n| *n != 5).map(at).collect::<Vec<_>>());
        assert_eq!(looked(5 * MINUTE, 24 * MINUTE), []);
        assert_eq!(looked(24 * MINUTE, 27 * MINUTE), fresh);
        assert_eq!(looked(27 * MINUTE, 90 * MINUTE), []);
    }

    #[test]
    fn posts_of_a_quiet_server_wait_for_others_but_not_for_long() {
        let (mut gone, now) = (empty(), Instant::now());
        assert!(gone.answered(true));
        (0..4).for_each(|n| gone.hold(at(n), ANN, now + MINUTE / 6 * n as u32));
        let due = gone.due(now).unwrap();
        assert_eq!(due, now + 3 * MINUTE + MINUTE * 3 / 4);
        assert_eq!(gone.take(due), [at(0), at(1), at(2), at(3)]);
        assert_eq!(gone.due(due), Some(now + 25 * MINUTE + GATHERING_MAX));
        gone.refused();
        assert_eq!(gone.due(due), Some(now + 25 * MINUTE), "where each is asked for alone none waits");
    }

    #[test]
    fn looks_that_are_much_too_late_are_left_to_newer_posts() {
        let (mut gone, now) = (empty(), Instant::now());
        (0..100).for_each(|n| gone.hold(at(n), ANN, now + MINUTE / 10 * n as u32));
        let late = now + 12 * MINUTE;
        assert_eq!(gone.take(late)[0], at(41), "the first one whose look is not five minutes late");
    }

    #[test]
    fn an_author_of_whom_a_post_is_gone_is_asked_for_next() {
        let mut gone = holding(0..50);
        gone.suspect_all();
        gone.suspect_author_of(&at(7));
        let asked = gone.take(Instant::now());
        assert_eq!(asked[..5], [at(17), at(27), at(37), at(47), at(49)][..], "{asked:?}");
        assert_eq!(asked.iter().filter(|id| **id == at(17)).count(), 1);
        gone.suspect_author_of(&at(1_000));
    }

    #[test]
    fn what_another_server_told_and_this_one_did_not_comes_first() {
        let (mut gone, now) = (empty(), Instant::now());
        let uri = |n: u64| format!("https://a.example/{n}");
        let minute = |n: u64| DateTime::UNIX_EPOCH + MINUTE * n as u32;
        // Those with an odd number are of the server's own members.
        (0..50).for_each(|n| gone.hold(at(n), Version { uri: &uri(n), from_origin: n % 2 == 1, ..ANN }, now));
        gone.hold(at(11), Version { uri: &uri(11), edited_at: Some(minute(5)), ..ANN }, now);
        gone.hold(at(13), Version { uri: &uri(13), edited_at: Some(minute(4)), ..ANN }, now);
        gone.suspect_all();
        let (hearsay, mut heard) = (Hearsay::default(), Heard::default());
        let told = [
            ("https://b.example/8", Word::Gone),
            (&*uri(7), Word::Gone),
            (&uri(9), Word::Edited(minute(5))),
            (&uri(10), Word::Edited(minute(5))),
            (&uri(11), Word::Edited(minute(5))),
            (&uri(13), Word::Edited(minute(5))),
        ];
        told.into_iter().for_each(|(uri, word)| hearsay.tell(number(uri), word, now));
        gone.suspect_all_of(&hearsay.hear(&mut heard, now));
        let asked = gone.take(now);
        assert_eq!(asked[..4], [at(7), at(9), at(13), at(49)]);
        assert_eq!(asked.iter().filter(|id| **id == at(7)).count(), 1);
        assert_eq!((gone.forget("9"), gone.forget("9")), (Some(number(&uri(9))), None));
    }

    #[test]
    fn posts_of_before_the_process_began_are_asked_for() {
        let (mut gone, now) = (holding(100..110), Instant::now() + HELD_FOR);
        let before = |n: u64| Before { age: Duration::from_secs(2_000_u64.saturating_sub(n)), id: at(n), author: n };
        gone.remember((95..103).map(before).collect(), now);
        let asked = gone.take(now);
        assert_eq!(asked, (95..110).rev().map(at).collect::<Vec<_>>());
        assert_eq!(
            gone.held.iter().filter_map(|held| held.id.clone()).collect::<Vec<_>>(),
            (95..110).map(at).collect::<Vec<_>>()
        );
        gone.remember((0..2 * HELD_MAX as u64).map(|n| Before { age: MINUTE, ..before(n) }).collect(), now);
        assert_eq!(gone.held.len(), HELD_MAX);
    }

    #[test]
    fn the_posts_of_one_author_are_let_go_once() {
        let mut gone = holding(0..30);
        gone.suspect_all();
        assert_eq!(gone.let_go("ann7@a.example"), [at(7), at(17), at(27)]);
        assert_eq!(gone.let_go("ann7@a.example"), []);
        assert_eq!(gone.let_go("bob@a.example"), []);
        let mut asked = Vec::new();
        while asked.len() < 27 {
            asked.extend(gone.take(Instant::now()));
        }
        assert!(!asked.contains(&at(17)) && asked.contains(&at(18)), "{asked:?}");
    }

    #[test]
    fn posts_are_remembered_up_to_a_number() {
        let gone = holding(0..2 * HELD_MAX as u64);
        assert_eq!(gone.held.len(), HELD_MAX);
        assert_eq!(gone.held[0].id, Some(at(HELD_MAX as u64)));
    }

    #[test]
    fn a_server_that_gives_nothing_is_believed_nothing() {
        let mut gone = holding(0..50);
        gone.suspect_all();
        for _ in 0..FRUITLESS_MAX {
            assert!(!gone.answered(false));
        }
        assert_eq!(gone.manner, Manner::Each);
        assert_eq!(gone.take(Instant::now()).len(), 1);
        for _ in 0..FRUITLESS_MAX {
            assert!(!gone.answered(false));
        }
        assert_eq!(gone.manner, Manner::Never);
        gone.suspect_all();
        assert!(gone.is_idle());
        gone.ask_again(vec![at(7)]);
        assert!(gone.is_idle());
    }

    #[test]
    fn a_few_that_may_be_gone_are_asked_for_with_the_newest_until_the_server_gave_one() {
        let (mut gone, now) = (holding(0..50), Instant::now());
        gone.suspect_all();
        gone.clear_all_but(&at(3));
        let asked = gone.take(now);
        assert_eq!((asked.len(), &asked[0], &asked[1]), (ASKED_MAX, &at(3), &at(49)));
        gone.answered(true);
        gone.suspect_all();
        gone.clear_all_but(&at(3));
        assert_eq!(gone.take(now), [at(3)]);
    }

    #[test]
    fn a_server_that_gave_one_is_believed() {
        let mut gone = holding(0..50);
        assert!(gone.answered(true) && gone.answered(false));
    }
}
