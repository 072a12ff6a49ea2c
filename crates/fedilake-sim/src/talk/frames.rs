//! The frames of one day, in the order in which they were seen.

use super::plan::{DayPlan, Fate, Plan, Post, Reason, second_server};
use super::targets::DAY_MS;
use super::totals::FrameCounts;
use crate::content::account::{Author, Viewpoint, Wish};
use crate::content::hosts::{self, Software};
use crate::content::ids::Ids;
use crate::content::language::LANGUAGES;
use crate::content::language::Script;
use crate::content::names;
use crate::content::people::draw_characters;
use crate::content::status::{self, Answered, Draft, Person, Visibility};
use crate::dice::{Dice, Purpose};

/// Numbers of posts beside the counted ones begin here.
const EXTRA_NUMBERS: u64 = 1 << 32;

/// A frame to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned {
    /// Milliseconds since midnight.
    pub(crate) observed_ms: u32,
    pub(crate) server: u8,
    what: What,
    /// Index among the day's counted posts, then the extra ones, then the deletes of the unseen.
    at: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    /// A post, in its first version.
    First,
    /// A post in its second version, as its edit.
    Second,
    Delete,
    DeleteOfUnseen,
}

impl Planned {
    pub(crate) fn event(&self) -> &'static str {
        match self.what {
            What::First => "update",
            What::Second => "status.update",
            What::Delete | What::DeleteOfUnseen => "delete",
        }
    }

    pub(crate) fn is_status(&self) -> bool {
        matches!(self.what, What::First | What::Second)
    }
}

/// One day, ready to be written.
pub(crate) struct DayFrames<'a> {
    plan: &'a Plan,
    day: &'a DayPlan,
    midnight_ms: i64,
}

impl<'a> DayFrames<'a> {
    pub(crate) fn of(plan: &'a Plan, day: usize) -> DayFrames<'a> {
        DayFrames { plan, day: &plan.days[day], midnight_ms: plan.first_day_ms + day as i64 * DAY_MS }
    }

    /// Milliseconds since 1970.
    pub(crate) fn observed_at_ms(&self, frame: &Planned) -> i64 {
        self.midnight_ms + i64::from(frame.observed_ms)
    }

    /// Returns the day's number of frames for each event.
    pub(crate) fn count(&self, counts: &mut FrameCounts) {
        let mut frames = Vec::new();
        for at in 0..self.day.counted.len() + self.day.extra.len() {
            frames.clear();
            self.plan_post(at as u32, &mut frames);
            for frame in &frames {
                match frame.what {
                    What::First => counts.updates += 1,
                    What::Second => counts.edits += 1,
                    What::Delete | What::DeleteOfUnseen => counts.deletes += 1,
                }
            }
        }
        counts.deletes += self.day.deletes_of_unseen.len() as u64;
    }

    /// All frames of the day, in the order of `observed_at`.
    pub(crate) fn plan(&self) -> Vec<Planned> {
        let counted = self.day.counted.len();
        let mut frames = Vec::with_capacity(counted + counted / 8 + 16);
        for at in 0..counted + self.day.extra.len() {
            self.plan_post(at as u32, &mut frames);
        }
        for (at, (observed_ms, server)) in self.day.deletes_of_unseen.iter().enumerate() {
            let (observed_ms, server) = (*observed_ms, *server);
            frames.push(Planned { observed_ms, server, what: What::DeleteOfUnseen, at: at as u32 });
        }
        frames.sort_by_key(|frame| frame.observed_ms);
        frames
    }

    fn plan_post(&self, at: u32, frames: &mut Vec<Planned>) {
        let (post, number) = self.post(at);
        let mut dice = Dice::new(self.plan.seed, Purpose::Extras, number | 1 << 60);
        let last = self.day.last_ms;
        let sightings = self.sightings(post, &mut dice);
        for (observed_ms, server) in &sightings {
            frames.push(Planned { observed_ms: *observed_ms, server: *server, what: What::First, at });
        }
        match post.fate {
            Fate::Kept | Fate::Refused(_) => {}
            Fate::Edited => {
                for (first_seen_ms, server) in sightings {
                    let edited_ms = self.edited_ms(post, number);
                    let observed_ms = seen_after(edited_ms, 900.0, &mut dice).min(last).max(first_seen_ms);
                    frames.push(Planned { observed_ms, server, what: What::Second, at });
                }
            }
            Fate::Deleted => {
                // Some are regretted at once, and then the delete mostly overtakes the update. A second server does not
                // always pass a delete on, unless it is the author's own.
                let origin = self.plan.members[post.author as usize].origin;
                let at_once = dice.chance(0.4);
                let second_too = dice.chance(0.7);
                for (nth, (first_seen_ms, server)) in sightings.into_iter().enumerate() {
                    if nth > 0 && !second_too && u32::from(server) != origin {
                        continue;
                    }
                    let observed_ms = if at_once {
                        first_seen_ms.saturating_sub(dice.below(300) as u32).max(post.at_ms)
                    } else {
                        first_seen_ms.saturating_add(10_000 + (dice.exponential() * 1_200_000.0) as u32)
                    };
                    frames.push(Planned { observed_ms: observed_ms.min(last), server, what: What::Delete, at });
                }
            }
        }
    }

    /// When and where a post is seen first, and a second time.
    fn sightings(&self, post: &Post, dice: &mut Dice) -> Vec<(u32, u8)> {
        let last = self.day.last_ms;
        let observed_ms = seen_after(post.at_ms, 900.0, dice).min(last);
        let mut sightings = vec![(observed_ms, post.server)];
        if let (false, Some(other)) = (matches!(post.fate, Fate::Refused(_)), second_server(post.server, dice)) {
            sightings.push((seen_after(observed_ms, 2_500.0, dice).min(last), other));
        }
        sightings
    }

    /// The counted post that the post at `at` answers, its number, and its id at `server`, if that shows it.
    fn answered(&self, at: u32, server: u8) -> Option<(&'a Post, Option<u64>)> {
        let answered = (*self.day.answered.get(at as usize)?)?.get();
        let (post, number) = self.post(answered);
        let mut dice = Dice::new(self.plan.seed, Purpose::Extras, number | 1 << 60);
        let is_there = self.sightings(post, &mut dice).iter().any(|(_, seen_at)| *seen_at == server);
        let at_home = self.plan.members[post.author as usize].origin == u32::from(server);
        let created_at_ms = self.midnight_ms + i64::from(post.at_ms);
        Some((post, is_there.then(|| id_of(created_at_ms, number, (!at_home).then_some(server)))))
    }

    /// When the author edited; the same at every server.
    fn edited_ms(&self, post: &Post, number: u64) -> u32 {
        let mut dice = Dice::new(self.plan.seed, Purpose::Edit, number);
        post.at_ms.saturating_add(20_000 + (dice.exponential() * 600_000.0) as u32).min(self.day.last_ms)
    }

    fn post(&self, at: u32) -> (&'a Post, u64) {
        let at = at as usize;
        match at.checked_sub(self.day.counted.len()) {
            None => (&self.day.counted[at], self.day.first_number + at as u64),
            Some(extra) => (&self.day.extra[extra], EXTRA_NUMBERS + self.day.first_extra_number + extra as u64),
        }
    }

    /// Appends the payload: a status as JSON, or a bare id.
    pub(crate) fn write_payload(&self, frame: &Planned, views: &[View], out: &mut Vec<u8>) {
        if frame.what == What::DeleteOfUnseen {
            let mut dice = Dice::new(self.plan.seed, Purpose::Extras, u64::from(frame.at) | 1 << 61);
            // From before the ten days: no post of theirs has this id.
            let id = ((self.plan.first_day_ms - 1_000 * dice.below(1 << 24) as i64) as u64) << 16 | dice.below(1 << 16);
            return out.extend_from_slice(id.to_string().as_bytes());
        }
        let (post, number) = self.post(frame.at);
        let member = &self.plan.members[post.author as usize];
        let at_home = member.origin == u32::from(frame.server);
        let created_at_ms = self.midnight_ms + i64::from(post.at_ms);
        let origin_id = id_of(created_at_ms, number, None);
        let mut id = if at_home { origin_id } else { id_of(created_at_ms, number, Some(frame.server)) };
        let mut author_number = u64::from(post.author);
        let mut origin = member.origin as usize;
        let reason = if let Fate::Refused(reason) = post.fate { Some(reason) } else { None };
        if let Some(reason) = reason {
            author_number = self.plan.refused_author(number - EXTRA_NUMBERS, reason);
            if reason == Reason::NoIndexFlag {
                // Servers say `noindex` of their own members only.
                origin = usize::from(frame.server);
                id = origin_id;
            }
        }
        if frame.what == What::Delete {
            return out.extend_from_slice(id.to_string().as_bytes());
        }
        let traits = member.traits;
        let username = names::username(self.plan.seed, author_number, traits.bot);
        let host = &self.plan.hosts[origin];
        let base = format!("https://{host}");
        let author = Author {
            number: author_number,
            username: &username,
            host,
            base: &base,
            software: if reason.is_some() { Software::Mastodon } else { hosts::software(self.plan.hosts_seed, origin) },
            bot: traits.bot,
            language: traits.language,
            wish: reason.map_or(Wish::None, Reason::wish),
        };
        let second = frame.what == What::Second;
        let answered = self.answered(frame.at, frame.server).map(|(post, id)| {
            let member = &self.plan.members[post.author as usize];
            let host = &self.plan.hosts[member.origin as usize];
            let username = names::username(self.plan.seed, u64::from(post.author), member.traits.bot);
            (u64::from(post.author), username, host, format!("https://{host}"), id)
        });
        let draft = Draft {
            seed: self.plan.seed,
            number,
            origin_id,
            author,
            created_at_ms,
            edited_at_ms: second.then(|| self.midnight_ms + i64::from(self.edited_ms(post, number))),
            version: u32::from(second),
            characters: if post.fate == Fate::Edited && !second {
                first_length(self.plan.seed, number, traits.language)
            } else {
                post.characters as usize
            },
            language: post.says_language.then_some(traits.language),
            topic: topic(self.plan.seed, number, self.midnight_ms - self.plan.first_day_ms, traits.language),
            visibility: if reason == Some(Reason::Unlisted) { Visibility::Unlisted } else { Visibility::Public },
            boost: reason == Some(Reason::Boost),
            answers: answered.as_ref().map(|(number, username, host, base, id)| Answered {
                author: Person { number: *number, username, host, base },
                id: *id,
            }),
        };
        status::write_status(&draft, &views[usize::from(frame.server)].viewpoint(), id, out);
    }
}

/// The id of a post at its origin, or at a server that is not its origin. Two posts of one millisecond have numbers
/// close to one another, so that no id comes twice; counted posts have even ids, the others odd ones.
fn id_of(created_at_ms: i64, number: u64, elsewhere: Option<u8>) -> u64 {
    let turned = elsewhere.map_or(0, |server| 2 * 4_973 * (u64::from(server) + 1));
    let low_bits = (number * 2 + number / EXTRA_NUMBERS + turned) & 0xffff;
    ((created_at_ms as u64) << 16) | low_bits
}

fn seen_after(at_ms: u32, median_ms: f64, dice: &mut Dice) -> u32 {
    at_ms.saturating_add((median_ms * (0.8 * dice.normal()).exp()) as u32)
}

/// The length of a post before its edit.
fn first_length(seed: u64, number: u64, language: usize) -> usize {
    draw_characters(language, &mut Dice::new(seed, Purpose::Edit, number | 1 << 62)).min(5_000) as usize
}

/// Topics of the days: a balloon shot down on the 4th and more objects on the 10th to 12th, an earthquake on
/// the 6th, a football game on the 12th, and chat machines more each day. Chances by day, in thousandths.
const TOPICS: [(&str, [u32; 10]); 4] = [
    ("balloon", [9, 14, 8, 3, 2, 2, 2, 4, 6, 8]),
    ("earthquake", [0, 0, 1, 16, 12, 9, 7, 5, 4, 3]),
    ("superbowl", [0, 0, 1, 1, 1, 1, 2, 3, 5, 18]),
    ("chatgpt", [3, 3, 3, 4, 5, 6, 7, 7, 8, 8]),
];

fn topic(seed: u64, number: u64, since_first_day_ms: i64, language: usize) -> Option<&'static str> {
    if LANGUAGES[language].script != Script::Latin {
        return None;
    }
    let day = (since_first_day_ms / DAY_MS) as usize;
    let mut at = Dice::new(seed, Purpose::Post, number | 1 << 63).below(1_000) as u32;
    TOPICS.iter().find_map(|(word, chances)| {
        let chance = chances.get(day).copied().unwrap_or(0);
        let hit = at < chance;
        at = at.wrapping_sub(chance);
        hit.then_some(*word)
    })
}

/// A server that is read, as its posts' addresses name it.
pub(crate) struct View {
    pub(crate) server: String,
    base: String,
    files: String,
}

impl View {
    pub(crate) fn of(host: &str) -> View {
        View { server: host.to_owned(), base: format!("https://{host}"), files: format!("https://files.{host}") }
    }

    fn viewpoint(&self) -> Viewpoint<'_> {
        Viewpoint { server: &self.server, base: &self.base, files: &self.files, ids: Ids::Snowflake }
    }
}
