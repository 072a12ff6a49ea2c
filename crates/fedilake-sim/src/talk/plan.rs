//! Every post of the ten days, decided before the first one is written: 16 bytes each.

use std::collections::HashMap;
use std::num::NonZeroU32;

use super::hours::Hours;
use super::lengths;
use super::people::{self, Member};
use super::targets::{DAY_MS, FIRST_DAY_MS, Targets};
use super::totals::{DayTotals, Refused, Totals};
use crate::content::account::Wish;
use crate::content::hosts;
use crate::content::language::LANGUAGES;
use crate::content::people::draw_characters;
use crate::dice::{Dice, Purpose};

/// The servers that are read: the largest origins.
pub(crate) const SERVERS: usize = 5;
/// How much more often posts of elsewhere are first seen at one of them than at another.
const SEEN_AT: [u64; SERVERS] = [58, 14, 11, 9, 8];

/// Posts that are edited; what counts is the last version.
const EDITED: f64 = 0.015;
/// Posts that a second server shows too.
const COPIED: f64 = 0.06;
/// Posts of people that go on from their author's last one, and that answer another's.
const THREADS: f64 = 0.06;
const REPLIES: f64 = 0.08;
/// Draws for a post that the same server shows: people answer what they see.
const TRIES: usize = 12;
/// How far back among a day's posts the answered one lies at most.
const ANSWERED_BACK_MAX: u64 = 400;
/// Posts beside the counted ones that are deleted again.
const DELETED: f64 = 0.02;
/// Deletes of posts that nobody saw.
const DELETES_OF_UNSEEN: f64 = 0.003;
/// Posts beside the counted ones that must not be kept.
const REFUSED: f64 = 0.004;

/// A post of the plan; its number is its index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Post {
    pub(crate) author: u32,
    pub(crate) characters: u32,
    /// Milliseconds since midnight.
    pub(crate) at_ms: u32,
    /// The server that shows it first.
    pub(crate) server: u8,
    pub(crate) says_language: bool,
    pub(crate) fate: Fate,
}

/// The fate of a post.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Kept,
    /// Kept, in its second version.
    Edited,
    /// Beside the counted ones: deleted.
    Deleted,
    /// Beside the counted ones: it must not be kept.
    Refused(Reason),
}

/// The reason why a post must not be kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    NoBot,
    NoIndexNote,
    NoIndexFlag,
    Unlisted,
    Boost,
}

impl Reason {
    const ALL: [Reason; 5] = [Reason::NoBot, Reason::NoIndexNote, Reason::NoIndexFlag, Reason::Unlisted, Reason::Boost];

    /// Returns the author's request.
    pub(crate) fn wish(self) -> Wish {
        match self {
            Reason::NoBot => Wish::NoBot,
            Reason::NoIndexNote => Wish::NoIndexNote,
            Reason::NoIndexFlag => Wish::NoIndexFlag,
            Reason::Unlisted | Reason::Boost => Wish::None,
        }
    }
}

/// The whole plan.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Midnight of the first day, UTC.
    pub(crate) first_day_ms: i64,
    pub(crate) members: Vec<Member>,
    /// The seed of the hosts.
    pub(crate) hosts_seed: u64,
    /// Host names by origin.
    pub(crate) hosts: Vec<String>,
    pub(crate) days: Vec<DayPlan>,
    pub(crate) totals: Totals,
}

/// The posts of one day, those that count before the others, each part in order of time.
pub(crate) struct DayPlan {
    /// The number of the first counted post.
    pub(crate) first_number: u64,
    pub(crate) counted: Vec<Post>,
    /// For each counted post the one that it answers, as its place among them.
    pub(crate) answered: Vec<Option<NonZeroU32>>,
    /// The number of the first other post; they are numbered apart from the counted ones.
    pub(crate) first_extra_number: u64,
    pub(crate) extra: Vec<Post>,
    /// Times of deletes of posts that were never seen, in milliseconds since midnight, and at which server.
    pub(crate) deletes_of_unseen: Vec<(u32, u8)>,
    pub(crate) last_ms: u32,
}

impl Plan {
    /// The plan of a copy of the days: other people of the same servers, later.
    pub(crate) fn new(hosts_seed: u64, posts: u64, copy: u32) -> Plan {
        let seed = hosts_seed.wrapping_add(u64::from(copy));
        let targets = Targets::of(posts);
        let first_day_ms = FIRST_DAY_MS + i64::from(copy) * targets.days.len() as i64 * DAY_MS;
        let members = people::plan(seed, &targets);
        let hosts = (0..targets.origins.max(SERVERS as u64) as usize).map(|at| hosts::host(hosts_seed, at)).collect();
        let mut spoken = vec![false; members.len()];
        let mut days: Vec<DayPlan> = Vec::with_capacity(targets.days.len());
        for day in 0..targets.days.len() {
            days.push(plan_day(seed, day, &targets, &members, &mut spoken, &days));
        }
        calibrate_lengths(&mut days, &members, &targets);
        let totals = count(&targets, &members, &days);
        Plan { seed, first_day_ms, members, hosts_seed, hosts, days, totals }
    }

    /// The number of the refused author of that extra post: beyond all members, a few posts each.
    pub(crate) fn refused_author(&self, extra_number: u64, reason: Reason) -> u64 {
        self.members.len() as u64 + 1_000 * (reason as u64 + 1) + extra_number % 97
    }
}

fn plan_day(
    seed: u64,
    day: usize,
    targets: &Targets,
    members: &[Member],
    spoken: &mut [bool],
    before: &[DayPlan],
) -> DayPlan {
    let target = &targets.days[day];
    let hours = Hours::of(target);
    let mut dice = Dice::new(seed, Purpose::Hours, day as u64);
    let authors: Vec<u32> = (0..members.len() as u32).filter(|at| members[*at as usize].days >> day & 1 == 1).collect();
    let counts = posts_of_each(&authors, members, target.posts, &mut dice);
    let mut counted = Vec::with_capacity(target.posts as usize);
    for (author, count) in authors.iter().zip(counts) {
        for _ in 0..count {
            // An author's first post says its language, so that each language is there.
            let says_language = !std::mem::replace(&mut spoken[*author as usize], true) || dice.chance(0.955);
            let fate = if dice.chance(EDITED) { Fate::Edited } else { Fate::Kept };
            counted.push(draw_post(*author, members, &hours, says_language, fate, &mut dice));
        }
    }
    counted.sort_unstable_by_key(|post| (post.at_ms, post.author));
    let answered = draw_answered(seed, day, &counted, members);
    let mut extra = Vec::new();
    if !counted.is_empty() {
        let mut dice = Dice::new(seed, Purpose::Extras, day as u64);
        for _ in 0..(DELETED * target.posts as f64).ceil() as u64 {
            let author = dice.pick(&counted).author;
            extra.push(draw_post(author, members, &hours, true, Fate::Deleted, &mut dice));
        }
        for at in 0..(REFUSED * target.posts as f64).ceil() as usize {
            let reason = Reason::ALL[(day + at) % Reason::ALL.len()];
            let mut post =
                draw_post(dice.pick(&counted).author, members, &hours, true, Fate::Refused(reason), &mut dice);
            if reason == Reason::Boost {
                post.characters = 0;
            }
            extra.push(post);
        }
        extra.sort_unstable_by_key(|post| (post.at_ms, post.author));
    }
    let unseen = (DELETES_OF_UNSEEN * target.posts as f64) as u64;
    let deletes_of_unseen = (0..unseen).map(|_| (hours.draw(0, &mut dice), draw_server(&mut dice) as u8)).collect();
    DayPlan {
        first_number: before.last().map_or(0, |day| day.first_number + day.counted.len() as u64),
        first_extra_number: before.last().map_or(0, |day| day.first_extra_number + day.extra.len() as u64),
        counted,
        answered,
        extra,
        deletes_of_unseen,
        last_ms: hours.last_ms(),
    }
}

/// The post that each counted post answers: its author's last one, or another's before it. Never the day's first, which saves
/// half of the memory.
fn draw_answered(seed: u64, day: usize, counted: &[Post], members: &[Member]) -> Vec<Option<NonZeroU32>> {
    let mut dice = Dice::new(seed, Purpose::Answers, day as u64);
    let mut last_of: HashMap<u32, u32> = HashMap::new();
    let draw = |(at, post): (u32, &Post)| {
        let own = last_of.insert(post.author, at);
        if members[post.author as usize].traits.bot {
            return None;
        }
        let place = match dice.unit() {
            kind if kind < THREADS => own,
            kind if kind < THREADS + REPLIES => {
                let mut drawn = (0..TRIES).filter_map(|_| at.checked_sub(1 + dice.below(ANSWERED_BACK_MAX) as u32));
                drawn.find(|other| {
                    let other = &counted[*other as usize];
                    other.author != post.author && other.server == post.server
                })
            }
            _ => None,
        };
        place.and_then(NonZeroU32::new)
    };
    (0..).zip(counted).map(draw).collect()
}

/// One for each author of the day; the rest in proportion to how much they post.
fn posts_of_each(authors: &[u32], members: &[Member], posts: u64, dice: &mut Dice) -> Vec<u32> {
    let mut counts = vec![1; authors.len()];
    let mut sum = 0.0;
    let up_to: Vec<f64> = authors
        .iter()
        .map(|author| {
            sum += f64::from(members[*author as usize].weight);
            sum
        })
        .collect();
    for _ in authors.len() as u64..posts {
        let at = dice.unit() * sum;
        counts[up_to.partition_point(|up_to| *up_to <= at).min(authors.len() - 1)] += 1;
    }
    counts
}

fn draw_post(author: u32, members: &[Member], hours: &Hours, says_language: bool, fate: Fate, dice: &mut Dice) -> Post {
    let member = &members[author as usize];
    let server = match member.origin as usize {
        origin if origin < SERVERS && dice.chance(0.9) => origin,
        _ => draw_server(dice),
    };
    Post {
        author,
        characters: draw_characters(member.traits.language, dice),
        at_ms: hours.draw(member.hours_ahead, dice),
        server: server as u8,
        says_language,
        fate,
    }
}

/// One of the servers that are read.
pub(crate) fn draw_server(dice: &mut Dice) -> usize {
    let mut at = dice.below(SEEN_AT.iter().sum());
    for (server, share) in SEEN_AT.iter().enumerate() {
        if at < *share {
            return server;
        }
        at -= share;
    }
    0
}

/// Returns the second server that shows a post, if one does.
pub(crate) fn second_server(first: u8, dice: &mut Dice) -> Option<u8> {
    dice.chance(COPIED).then(|| {
        let other = draw_server(dice) as u8;
        if other == first { (first + 1) % SERVERS as u8 } else { other }
    })
}

fn calibrate_lengths(days: &mut [DayPlan], members: &[Member], targets: &Targets) {
    let mut lengths: Vec<u32> = days.iter().flat_map(|day| day.counted.iter().map(|post| post.characters)).collect();
    // The longest post is a person's, in the most spoken language, from the middle of the ten days.
    let authors: Vec<u32> = days.iter().flat_map(|day| day.counted.iter().map(|post| post.author)).collect();
    let fits =
        |at: &usize| members[authors[*at] as usize].traits.language == 0 && !members[authors[*at] as usize].traits.bot;
    let longest = (authors.len() / 2..authors.len()).find(fits).unwrap_or(0);
    lengths::calibrate(&mut lengths, longest, targets);
    for (post, characters) in days.iter_mut().flat_map(|day| day.counted.iter_mut()).zip(lengths) {
        post.characters = characters;
    }
}

/// Counts the plan's posts, rather than repeating the targets.
fn count(targets: &Targets, members: &[Member], days: &[DayPlan]) -> Totals {
    let mut totals = Totals { characters_min: u64::MAX, ..Totals::default() };
    let mut authors = vec![false; members.len()];
    let mut origins = vec![false; targets.origins as usize];
    let mut languages = vec![false; LANGUAGES.len() + 1];
    for day in days {
        let mut of_day = DayTotals { posts: day.counted.len() as u64, ..DayTotals::default() };
        let (mut day_authors, mut day_origins) = (vec![false; authors.len()], vec![false; origins.len()]);
        for post in &day.counted {
            let member = &members[post.author as usize];
            day_authors[post.author as usize] = true;
            day_origins[member.origin as usize] = true;
            languages[if post.says_language { member.traits.language } else { LANGUAGES.len() }] = true;
            totals.characters_sum += u64::from(post.characters);
            totals.characters_min = totals.characters_min.min(u64::from(post.characters));
            totals.characters_max = totals.characters_max.max(u64::from(post.characters));
            totals.edited += u64::from(post.fate == Fate::Edited);
        }
        of_day.authors = merge(&mut authors, &day_authors);
        of_day.origins = merge(&mut origins, &day_origins);
        totals.posts += of_day.posts;
        totals.days.push(of_day);
        totals.deletes_of_unseen += day.deletes_of_unseen.len() as u64;
        for post in &day.extra {
            match post.fate {
                Fate::Refused(reason) => totals.refused.add(reason),
                Fate::Deleted | Fate::Kept | Fate::Edited => totals.deleted += 1,
            }
        }
    }
    totals.characters_min = totals.characters_min.min(totals.characters_max);
    totals.authors = authors.iter().filter(|seen| **seen).count() as u64;
    totals.origins = origins.iter().filter(|seen| **seen).count() as u64;
    totals.languages = languages.iter().filter(|seen| **seen).count() as u64;
    totals
}

/// Adds a day's to all; returns how many the day has.
fn merge(all: &mut [bool], of_day: &[bool]) -> u64 {
    all.iter_mut().zip(of_day).for_each(|(all, of_day)| *all |= of_day);
    of_day.iter().filter(|seen| **seen).count() as u64
}

impl Refused {
    fn add(&mut self, reason: Reason) {
        match reason {
            Reason::NoBot => self.nobot += 1,
            Reason::NoIndexNote | Reason::NoIndexFlag => self.noindex += 1,
            Reason::Unlisted => self.visibility += 1,
            Reason::Boost => self.boost += 1,
        }
    }
}
