//! The world: who posts when, and when each server hears of it.
//!
//! A post is shown at its author's server at once and at others after a delay, under other ids. Ids are made of
//! `created_at`, so a post that arrives late stands below newer ones, and an id's order is not that of arrival.
//! An edit never arrives before its post; a delete often does.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use super::live_post::{Answered, Home, LivePost, Map};
use super::routes::Fleet;
use super::simulation::{ByHand, Config};
use crate::content::people;
use crate::dice::{Dice, Purpose};

/// Members of each server.
const MEMBERS: u64 = 1_500;
/// First number, and count, of people of other hosts.
const OTHERS: std::ops::Range<u64> = 750_000..1_000_000;
/// Hosts that are not served.
const HOSTS: usize = 4_000;

/// The first member of a server.
pub(crate) fn first_member(server: usize) -> u64 {
    server as u64 * MEMBERS
}

/// Posts that are published in one step.
const STEP_MAX: u64 = 1_000;
/// Posts that are answered: the last ones.
const ANSWERED_MAX: usize = 500;
/// Replies among posts.
const REPLIES: f64 = 0.2;

/// A post's place at a server.
#[derive(Clone, Copy, Debug)]
struct Sighting {
    server: usize,
    id: u64,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Show,
    Edit,
    Delete,
}

/// An event on its way to a server.
struct Due {
    at_ms: i64,
    /// Breaks ties: the event decided first happens first.
    order: u64,
    act: Act,
    post: LivePost,
    sighting: Sighting,
}

impl Ord for Due {
    fn cmp(&self, other: &Due) -> Ordering {
        (self.at_ms, self.order).cmp(&(other.at_ms, other.order))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

/// The world's state; time is an argument.
pub(crate) struct World {
    config: Config,
    map: Arc<Map>,
    fleet: Fleet,
    dice: Dice,
    started_at_ms: i64,
    posts: u64,
    /// Posts of `config.rate` among them.
    by_rate: u64,
    decided: u64,
    schedule: BinaryHeap<Reverse<Due>>,
    /// The last posts, which may be answered, oldest first.
    recent: VecDeque<(LivePost, Vec<Sighting>)>,
    /// Posts that were published by hand, by uri: they can be edited and deleted by hand.
    by_hand: HashMap<String, (LivePost, Vec<Sighting>)>,
}

impl World {
    /// Begins at `now_ms`, with the posts of `config.history` already there.
    pub(crate) fn new(config: Config, map: Arc<Map>, fleet: Fleet, now_ms: i64) -> World {
        let dice = Dice::new(config.seed, Purpose::World, 0);
        let mut world = World {
            dice,
            map,
            fleet,
            started_at_ms: now_ms,
            posts: 0,
            by_rate: 0,
            decided: 0,
            schedule: BinaryHeap::new(),
            recent: VecDeque::new(),
            by_hand: HashMap::new(),
            config,
        };
        let apart_ms = 1_000.0 / if world.config.rate > 0.0 { world.config.rate } else { 1.0 };
        for back in (1..=world.config.history).rev() {
            let at_ms = now_ms - (back as f64 * apart_ms) as i64;
            let home = world.draw_home();
            let post = world.draw_post(home, at_ms);
            let sightings = world.draw_sightings(&post);
            let answered = world.draw_answered(&post);
            for sighting in &sightings {
                world.fleet[sighting.server].show(&reply(&post, answered.as_ref(), *sighting), sighting.id, at_ms);
            }
            world.remember(post, sightings);
        }
        world
    }

    /// Carries out every event that is due.
    pub(crate) fn advance(&mut self, now_ms: i64) {
        let elapsed_s = (now_ms - self.started_at_ms).max(0) as f64 / 1_000.0;
        // After a pause of the process its posts are caught up in steps, between which the streams carry them off.
        let due = ((elapsed_s * self.config.rate) as u64)
            .min(self.config.posts_max.unwrap_or(u64::MAX))
            .min(self.by_rate + STEP_MAX.min(self.config.rate as u64 + 1));
        while self.by_rate < due {
            self.by_rate += 1;
            self.publish_one(now_ms);
        }
        while self.schedule.peek().is_some_and(|Reverse(due)| due.at_ms <= now_ms) {
            let Some(Reverse(due)) = self.schedule.pop() else { break };
            self.perform(&due, now_ms);
        }
    }

    /// Posts by rate so far.
    pub(crate) fn published(&self) -> u64 {
        self.by_rate
    }

    /// True once all posts by rate are out.
    pub(crate) fn is_over(&self) -> bool {
        self.config.rate <= 0.0 || self.config.posts_max.is_some_and(|max| self.by_rate >= max)
    }

    /// Events that are still to come.
    pub(crate) fn waiting(&self) -> usize {
        self.schedule.len()
    }

    /// Ends the posts by rate, and forgets events that are not yet due.
    pub(crate) fn end_flow(&mut self) {
        self.config.posts_max = Some(self.by_rate);
        self.schedule.clear();
    }

    /// Publishes a post by a member of `server`, everywhere at once; returns its uri and its id there.
    pub(crate) fn publish_by_hand(&mut self, server: usize, how: &ByHand, now_ms: i64) -> (String, u64) {
        let post = self.draw_post(Home::Server(server), how.created_at_ms.unwrap_or(now_ms));
        let sightings: Vec<Sighting> = (0..self.fleet.len()).map(|server| self.sighting(&post, server)).collect();
        for sighting in &sightings {
            let server = &self.fleet[sighting.server];
            match how.streamed {
                true => server.show(&post, sighting.id, now_ms),
                false => server.keep(&post, sighting.id, now_ms),
            }
        }
        let uri = post.uri(&self.map);
        self.by_hand.insert(uri.clone(), (post, sightings));
        (uri, post.origin_id)
    }

    /// Edits a post that was published by hand, everywhere at once. False if there is none with that uri.
    pub(crate) fn edit_by_hand(&mut self, uri: &str, now_ms: i64) -> bool {
        let Some((post, sightings)) = self.by_hand.get_mut(uri) else { return false };
        *post = edited(post, self.config.seed, now_ms);
        for sighting in sightings.iter() {
            self.fleet[sighting.server].edit(post, sighting.id);
        }
        true
    }

    /// Deletes a post that was published by hand, everywhere at once. False if there is none with that uri.
    pub(crate) fn delete_by_hand(&mut self, uri: &str, now_ms: i64) -> bool {
        let Some((post, sightings)) = self.by_hand.remove(uri) else { return false };
        for sighting in sightings {
            self.fleet[sighting.server].delete(&post, sighting.id, now_ms);
        }
        true
    }

    /// Takes a post that was published by hand off all servers, which tell it to nobody.
    pub(crate) fn hide_by_hand(&mut self, uri: &str, now_ms: i64) -> bool {
        let Some((post, sightings)) = self.by_hand.remove(uri) else { return false };
        for sighting in sightings {
            self.fleet[sighting.server].hide(&post, sighting.id, now_ms);
        }
        true
    }

    fn perform(&self, due: &Due, now_ms: i64) {
        let server = &self.fleet[due.sighting.server];
        match due.act {
            Act::Show => server.show(&due.post, due.sighting.id, now_ms),
            Act::Edit => server.edit(&due.post, due.sighting.id),
            Act::Delete => server.delete(&due.post, due.sighting.id, now_ms),
        }
    }

    /// Publishes a new post, and plans its sightings, edits and delete.
    fn publish_one(&mut self, now_ms: i64) {
        let home = self.draw_home();
        let backdated = self.dice.chance(self.config.backdated);
        let created_at_ms = if backdated { now_ms - 60_000 - self.dice.below(1_740_000) as i64 } else { now_ms };
        let post = self.draw_post(home, created_at_ms);
        let sightings = self.draw_sightings(&post);
        let edits = if self.dice.chance(self.config.edits) { 1 + self.dice.below(2) } else { 0 };
        let deleted = self.dice.chance(self.config.deletes);
        let hasty = deleted && edits == 0 && self.dice.chance(0.5);
        let answered = self.draw_answered(&post);
        if !deleted {
            self.remember(post, sightings.clone());
        }
        for sighting in sightings {
            let post = reply(&post, answered.as_ref(), sighting);
            let delay_ms = if home == Home::Server(sighting.server) { 0 } else { self.draw_delay_ms() };
            let shown_at_ms = now_ms + delay_ms;
            if hasty {
                // Regretted at once: the delete is usually sent to the streams before the update.
                let (first, second) =
                    if self.dice.chance(0.9) { (Act::Delete, Act::Show) } else { (Act::Show, Act::Delete) };
                let at_ms = shown_at_ms + self.dice.below(800) as i64;
                self.decide(at_ms, first, post, sighting);
                let then_at_ms = at_ms + self.dice.below(50) as i64;
                self.decide(then_at_ms, second, post, sighting);
                continue;
            }
            self.decide(shown_at_ms, Act::Show, post, sighting);
            let mut newest = post;
            let mut last_at_ms = shown_at_ms;
            for _ in 0..edits {
                let edited_at_ms = newest.edited_at_ms.unwrap_or(now_ms) + edit_after_ms(&post, newest.version);
                newest = edited(&newest, self.config.seed, edited_at_ms);
                last_at_ms = last_at_ms.max(edited_at_ms + delay_ms) + 1;
                self.decide(last_at_ms, Act::Edit, newest, sighting);
            }
            if deleted {
                let at_ms = last_at_ms + 1_000 + (post.number % 20_000) as i64;
                self.decide(at_ms, Act::Delete, newest, sighting);
            }
        }
    }

    fn decide(&mut self, at_ms: i64, act: Act, post: LivePost, sighting: Sighting) {
        self.decided += 1;
        self.schedule.push(Reverse(Due { at_ms, order: self.decided, act, post, sighting }));
    }

    fn draw_home(&mut self) -> Home {
        if self.dice.chance(self.config.local_ratio) {
            Home::Server(self.dice.index(self.fleet.len()))
        } else {
            Home::Elsewhere(1 + self.dice.zipf(HOSTS, ((HOSTS + 1) as f64).log2()))
        }
    }

    fn draw_post(&mut self, home: Home, created_at_ms: i64) -> LivePost {
        let number = self.posts;
        self.posts += 1;
        let person = match home {
            Home::Server(server) => {
                first_member(server) + self.dice.zipf(MEMBERS as usize, ((MEMBERS + 1) as f64).log2()) as u64
            }
            Home::Elsewhere(host) => {
                let span = (OTHERS.end - OTHERS.start) / HOSTS as u64;
                OTHERS.start + (host as u64 - 1) * span + self.dice.below(span)
            }
        };
        let language = people::traits(self.config.seed, person).language;
        let origin_id = match home {
            Home::Server(server) => self.fleet[server].timeline().free_id(created_at_ms, number),
            Home::Elsewhere(_) => ((created_at_ms as u64) << 16) | (number & 0xffff),
        };
        LivePost {
            number,
            person,
            home,
            origin_id,
            created_at_ms,
            edited_at_ms: None,
            version: 0,
            characters: people::draw_characters(language, &mut self.dice),
            says_language: self.dice.chance(0.95),
            answers: None,
        }
    }

    /// The post that `post` answers, if it is a reply: an earlier one of the last, mostly a fresh one.
    fn draw_answered(&mut self, post: &LivePost) -> Option<(LivePost, Vec<Sighting>)> {
        let known = self.recent.len();
        let is_reply = !people::traits(self.config.seed, post.person).bot && self.dice.chance(REPLIES);
        if !is_reply || known == 0 {
            return None;
        }
        let back = self.dice.zipf(known, ((known + 1) as f64).log2());
        let answered = &self.recent[known - 1 - back.min(known - 1)];
        (answered.0.created_at_ms <= post.created_at_ms).then(|| answered.clone())
    }

    fn remember(&mut self, post: LivePost, sightings: Vec<Sighting>) {
        if self.recent.len() == ANSWERED_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back((post, sightings));
    }

    /// The servers that will show a post: its home if that is one of them, and some that follow its author.
    fn draw_sightings(&mut self, post: &LivePost) -> Vec<Sighting> {
        let servers = self.fleet.len();
        let mut at: Vec<usize> = match post.home {
            Home::Server(server) => vec![server],
            Home::Elsewhere(_) => Vec::new(),
        };
        let wanted = self.config.reach.clamp(1, servers);
        while at.len() < wanted {
            let server = self.dice.index(servers);
            if !at.contains(&server) {
                at.push(server);
            }
        }
        at.into_iter().map(|server| self.sighting(post, server)).collect()
    }

    fn sighting(&self, post: &LivePost, server: usize) -> Sighting {
        let id = if post.home == Home::Server(server) {
            post.origin_id
        } else {
            let low_bits = post.number.wrapping_add(server as u64 * 7_919);
            self.fleet[server].timeline().free_id(post.created_at_ms, low_bits)
        };
        Sighting { server, id }
    }

    fn draw_delay_ms(&mut self) -> i64 {
        if self.config.tail > 0.0 {
            let (from, to) = match self.dice.below(1_000) {
                0..950 => (100.0, 2_000.0),
                950..990 => (2_000.0, 12_000.0),
                990..998 => (12_000.0, 60_000.0),
                _ => (60_000.0, 300_000.0_f64),
            };
            // As many in the lower half of an octave as in the upper.
            return (self.config.tail * from * (to / from).powf(self.dice.unit())) as i64;
        }
        let usual = self.config.delay.as_millis() as f64;
        if self.dice.chance(self.config.late) {
            // As many between 1% and 10% of the longest as above.
            let share = 10_f64.powi(-2) * 100_f64.powf(self.dice.below(1_000_000) as f64 / 1e6);
            return (self.config.late_max.as_millis() as f64 * share) as i64;
        }
        let drawn = usual * (0.9 * self.dice.normal()).exp();
        drawn.min(usual * 20.0) as i64
    }
}

/// `post` as the server of `sighting` shows it: it names the answered post by that server's own id.
fn reply(post: &LivePost, answered: Option<&(LivePost, Vec<Sighting>)>, sighting: Sighting) -> LivePost {
    let answers = answered.map(|(answered, seen)| Answered {
        person: answered.person,
        home: answered.home,
        id: seen.iter().find(|seen| seen.server == sighting.server).map(|seen| seen.id),
    });
    LivePost { answers, ..*post }
}

/// The next version of a post.
fn edited(post: &LivePost, seed: u64, edited_at_ms: i64) -> LivePost {
    let language = people::traits(seed, post.person).language;
    let version = post.version + 1;
    let mut dice = Dice::new(seed, Purpose::Edit, post.number << 8 | u64::from(version & 0xff));
    let characters = people::draw_characters(language, &mut dice).max(1);
    LivePost { version, edited_at_ms: Some(edited_at_ms), characters, ..*post }
}

/// The same at every server: an edit has one time.
fn edit_after_ms(post: &LivePost, version: u32) -> i64 {
    let mut dice = Dice::new(post.origin_id, Purpose::Edit, u64::from(version));
    2_000 + dice.below(20_000) as i64
}
