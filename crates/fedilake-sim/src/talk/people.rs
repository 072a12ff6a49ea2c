//! Authors by day: exact counts of authors and origins, of each day and of all days.
//!
//! Each origin has a home day, which makes the total of origins exact; the other days are filled up with origins drawn
//! by size, so that large ones are there every day and most small ones once or twice. Then each origin's days are
//! covered by one member each, members without a day get one of their origin's, and each day is filled up with
//! members drawn by how active they are. So both counts are exact, an origin has an author on each of its days, and
//! there are heavy, regular and one-off authors.

use super::targets::{Targets, largest_remainder};
use crate::content::language::LANGUAGES;
use crate::content::people::{self, Traits};
use crate::dice::{Dice, Purpose};

/// An author of the plan; their number is their index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) origin: u32,
    pub(crate) traits: Traits,
    /// Hours ahead of UTC.
    pub(crate) hours_ahead: i8,
    /// A bit for each day on which they post; 0 for a member who never does, which only the smallest sizes have.
    pub(crate) days: u16,
    /// Weight of the author in draws of posts.
    pub(crate) weight: f32,
}

/// All members, those of one origin together.
pub(crate) fn plan(seed: u64, targets: &Targets) -> Vec<Member> {
    let sizes = origin_sizes(targets);
    let origin_days = origin_days(seed, targets, &sizes);
    let mut members = invent(seed, &sizes);
    force_languages(seed, &mut members);
    let mut active = cover(seed, targets, &origin_days, &sizes, &mut members);
    fill(seed, targets, &origin_days, &mut active, &mut members);
    members
}

/// Members of each origin: the largest has a sixth of all, the rest falls off by Zipf's law, each has one.
fn origin_sizes(targets: &Targets) -> Vec<u64> {
    let shares: Vec<f64> = (0..targets.origins)
        .map(|origin| if origin == 0 { 1.6 } else { 1.0 / (origin as f64 + 6.0).powf(1.02) })
        .collect();
    largest_remainder(&shares, targets.authors - targets.origins).into_iter().map(|beyond| beyond + 1).collect()
}

/// A bit for each day on which an origin is seen.
fn origin_days(seed: u64, targets: &Targets, sizes: &[u64]) -> Vec<u16> {
    let mut dice = Dice::new(seed, Purpose::Origins, 0);
    let wanted: Vec<f64> = targets.days.iter().map(|day| day.origins as f64).collect();
    let mut homes: Vec<u16> = largest_remainder(&wanted, targets.origins)
        .into_iter()
        .enumerate()
        .flat_map(|(day, count)| std::iter::repeat_n(1 << day, count as usize))
        .collect();
    dice.shuffle(&mut homes);
    let mut days = homes;
    for (day, target) in targets.days.iter().enumerate() {
        let bit = 1_u16 << day;
        let there = days.iter().filter(|days| **days & bit != 0).count();
        let candidates = (0..days.len()).filter(|origin| days[*origin] & bit == 0);
        let keyed = candidates
            .map(|origin| {
                // The largest is there every day.
                let weight = if origin == 0 { f64::INFINITY } else { sizes[origin] as f64 };
                (dice.exponential() / weight, origin)
            })
            .collect();
        for origin in smallest(keyed, (target.origins as usize).saturating_sub(there)) {
            days[origin] |= bit;
        }
    }
    days
}

/// The items with the `count` smallest keys: with exponential keys over weights, a draw without replacement in
/// proportion to the weights (Efraimidis and Spirakis, 2006).
fn smallest(mut keyed: Vec<(f64, usize)>, count: usize) -> impl Iterator<Item = usize> {
    let count = count.min(keyed.len());
    if count > 0 && count < keyed.len() {
        keyed.select_nth_unstable_by(count - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    }
    keyed.truncate(count);
    keyed.into_iter().map(|(_, item)| item)
}

fn invent(seed: u64, sizes: &[u64]) -> Vec<Member> {
    let origins =
        sizes.iter().enumerate().flat_map(|(origin, size)| std::iter::repeat_n(origin as u32, *size as usize));
    origins
        .enumerate()
        .map(|(number, origin)| {
            let mut dice = Dice::new(seed, Purpose::Amounts, number as u64);
            let traits = people::traits(seed, number as u64);
            let active = (1.25 * dice.normal()).exp() * if traits.bot { 3.0 } else { 1.0 };
            Member { origin, traits, hours_ahead: hours_ahead(&traits, &mut dice), days: 0, weight: active as f32 }
        })
        .collect()
}

fn hours_ahead(traits: &Traits, dice: &mut Dice) -> i8 {
    const ENGLISH: [i8; 10] = [-8, -8, -6, -5, -5, 0, 0, 0, 1, 10];
    if LANGUAGES[traits.language].code == "en" {
        *dice.pick(&ENGLISH)
    } else {
        LANGUAGES[traits.language].hours_ahead + *dice.pick(&[0, 0, 0, 1, -1])
    }
}

/// Lets each language have an author, as far as there are enough authors.
fn force_languages(seed: u64, members: &mut [Member]) {
    let mut counts = [0_u32; LANGUAGES.len()];
    members.iter().for_each(|member| counts[member.traits.language] += 1);
    // The most spoken language gives the authors, and keeps half of its own.
    let spare = counts[0] as usize / 2;
    let missing: Vec<usize> = (0..LANGUAGES.len()).filter(|language| counts[*language] == 0).take(spare).collect();
    let mut dice = Dice::new(seed, Purpose::Person, u64::MAX);
    for language in missing {
        let from = dice.index(members.len());
        let (before, after) = members.split_at_mut(from);
        if let Some(member) = after.iter_mut().chain(before).find(|member| member.traits.language == 0) {
            member.traits.language = language;
        }
    }
}

/// Gives each origin an author on each of its days, and each author a day; returns the authors of each day.
fn cover(seed: u64, targets: &Targets, origin_days: &[u16], sizes: &[u64], members: &mut [Member]) -> Vec<u64> {
    let mut dice = Dice::new(seed, Purpose::Days, 0);
    let mut active = vec![0_u64; targets.days.len()];
    let mut first = 0;
    for (days, size) in origin_days.iter().zip(sizes) {
        let mut to_cover: Vec<usize> = (0..targets.days.len()).filter(|day| days >> day & 1 == 1).collect();
        dice.shuffle(&mut to_cover);
        for (at, day) in to_cover.into_iter().enumerate() {
            members[first + at % *size as usize].days |= 1 << day;
            active[day] += 1;
        }
        first += *size as usize;
    }
    for member in members.iter_mut().filter(|member| member.days == 0) {
        let days = origin_days[member.origin as usize];
        let room =
            |day: usize| if days >> day & 1 == 1 { targets.days[day].authors.saturating_sub(active[day]) } else { 0 };
        let total: u64 = (0..targets.days.len()).map(room).sum();
        if total == 0 {
            continue;
        }
        let at = dice.below(total);
        let mut sum = 0;
        let day = (0..targets.days.len()).find(|day| {
            sum += room(*day);
            at < sum
        });
        if let Some(day) = day {
            member.days = 1 << day;
            active[day] += 1;
        }
    }
    active
}

/// Fills each day up to its authors, the active ones first of all.
fn fill(seed: u64, targets: &Targets, origin_days: &[u16], active: &mut [u64], members: &mut [Member]) {
    for (day, target) in targets.days.iter().enumerate() {
        let mut dice = Dice::new(seed, Purpose::Days, 1 + day as u64);
        let bit = 1_u16 << day;
        let keyed = members
            .iter()
            .enumerate()
            .filter(|(_, member)| member.days & bit == 0 && origin_days[member.origin as usize] & bit != 0)
            .map(|(at, member)| (dice.exponential() / f64::from(member.weight), at))
            .collect();
        for at in smallest(keyed, target.authors.saturating_sub(active[day]) as usize) {
            members[at].days |= bit;
            active[day] += 1;
        }
    }
}
