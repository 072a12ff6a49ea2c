//! What one server told of a post, for those that did not tell it: that the post is gone, or edited. A server whose timeline is polled, or
//! whose stream had a hole, is asked for its copies at once, and any other that has told nothing of it a minute later.
//!
//! Bounded: the last [`WORDS_MAX`] words, in few bytes each.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// The most words that are remembered for servers that have not listened yet.
const WORDS_MAX: usize = 10_000;

/// What any server told of posts.
#[derive(Debug, Default)]
pub(crate) struct Hearsay(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// The last words, by their post.
    posts: HashMap<u64, Last>,
    /// When each word was told, and of which post, the latest last.
    words: VecDeque<(Instant, u64)>,
    /// The number of the first of them, counted from the beginning.
    first: u64,
}

/// A post's last word.
#[derive(Clone, Copy, Debug)]
struct Last {
    number: u64,
    word: Word,
}

/// What a server told of a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It is gone.
    Gone,
    /// Its last edit is of this time.
    Edited(DateTime<Utc>),
}

/// How far a listener has heard.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard(u64);

/// The words that a listener has not heard before.
pub(crate) struct News<'h> {
    told: MutexGuard<'h, Told>,
    from: u64,
    until: u64,
}

impl Hearsay {
    /// A server told this of the post at `now`.
    pub(crate) fn tell(&self, post: u64, word: Word, now: Instant) {
        let mut told = self.told();
        if told.words.len() == WORDS_MAX {
            told.forget_first();
        }
        let number = told.first + told.words.len() as u64;
        told.words.push_back((now, post));
        told.posts
            .entry(post)
            .and_modify(|last| *last = Last { number, word: last.word.and(word) })
            .or_insert(Last { number, word });
    }

    /// The words of up to `until` that were told since the last time.
    pub(crate) fn hear(&self, heard: &mut Heard, until: Instant) -> News<'_> {
        let told = self.told();
        let from = heard.0;
        heard.0 = from.max(told.first + told.words.partition_point(|(at, _)| *at <= until) as u64);
        News { told, from, until: heard.0 }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    fn forget_first(&mut self) {
        if let Some((_, post)) = self.words.pop_front()
            && self.posts.get(&post).is_some_and(|last| last.number == self.first)
        {
            self.posts.remove(&post);
        }
        self.first += 1;
    }
}

impl Word {
    /// This word and a later one: what is gone has no edits.
    fn and(self, later: Word) -> Word {
        match (self, later) {
            (Word::Edited(one), Word::Edited(other)) => Word::Edited(one.max(other)),
            _ => Word::Gone,
        }
    }
}

impl News<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.from == self.until
    }

    /// What was told of a post.
    pub(crate) fn of(&self, post: u64) -> Option<Word> {
        let last = self.told.posts.get(&post)?;
        (self.from..self.until).contains(&last.number).then_some(last.word)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::way::hearsay::Word::{Edited, Gone};

    fn heard(hearsay: &Hearsay, heard: &mut Heard, until: Instant) -> Vec<u64> {
        let news = hearsay.hear(heard, until);
        (0..100).filter(|post| news.of(*post).is_some()).collect()
    }

    #[test]
    fn each_listener_hears_each_word_once_and_the_oldest_are_forgotten() {
        let (hearsay, mut ann, mut ben, now) = (Hearsay::default(), Heard::default(), Heard::default(), Instant::now());
        assert!(hearsay.hear(&mut ann, now).is_empty());
        hearsay.tell(7, Gone, now);
        hearsay.tell(8, Gone, now);
        assert_eq!(heard(&hearsay, &mut ann, now), [7, 8]);
        hearsay.tell(9, Gone, now);
        hearsay.tell(7, Gone, now);
        assert_eq!(heard(&hearsay, &mut ann, now), [7, 9]);
        assert!(hearsay.hear(&mut ann, now).is_empty());
        assert_eq!(heard(&hearsay, &mut ben, now), [7, 8, 9]);
        (50..2 * WORDS_MAX as u64).for_each(|post| hearsay.tell(post, Gone, now));
        assert_eq!(heard(&hearsay, &mut ben, now), [] as [u64; 0]);
        assert_eq!(hearsay.told().posts.len(), WORDS_MAX);
        assert!(hearsay.hear(&mut ben, now).is_empty());
    }

    #[test]
    fn a_word_is_heard_when_it_is_as_old_as_the_listener_wants() {
        let (hearsay, mut ann, now) = (Hearsay::default(), Heard::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        hearsay.tell(7, Gone, now);
        hearsay.tell(8, Gone, later);
        assert_eq!(heard(&hearsay, &mut ann, now), [7]);
        assert_eq!(heard(&hearsay, &mut ann, now), [] as [u64; 0]);
        // Who wants older ones only hears none again.
        assert_eq!(heard(&hearsay, &mut ann, later), [8]);
        assert!(hearsay.hear(&mut ann, now).is_empty());
    }

    #[test]
    fn a_post_has_its_last_edit_and_what_is_gone_none() {
        let now = Instant::now();
        let (early, late) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH + Duration::from_secs(1));
        for (words, last) in [
            (vec![Edited(early), Edited(late)], Edited(late)),
            (vec![Edited(late), Edited(early)], Edited(late)),
            (vec![Edited(early), Gone], Gone),
            (vec![Gone, Edited(early)], Gone),
        ] {
            let mut heard = Heard::default();
            let hearsay = Hearsay::default();
            words.into_iter().for_each(|word| hearsay.tell(7, word, now));
            assert_eq!(hearsay.hear(&mut heard, now).of(7), Some(last));
        }
    }
}
