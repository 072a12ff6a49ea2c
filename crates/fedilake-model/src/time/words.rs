//! Times with the month in English letters: RFC 2822, HTTP, asctime, Twitter's, JavaScript's.

use chrono::{DateTime, Days, NaiveDate, TimeZone, Utc};

use super::iso::Rest;

/// Reads a day, a month's name and a year in any unambiguous order, with or without a time and an offset.
pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
    let mut parts = Parts::default();
    let text = text.split_once('(').map_or(text, |(text, _)| text);
    for word in text.split([' ', ',', '@']).filter(|word| !word.is_empty()) {
        parts.take(word)?;
    }
    parts.moment()
}

#[derive(Default)]
struct Parts<'a> {
    day: Option<u32>,
    month: Option<u32>,
    year: Option<i32>,
    time: Option<&'a str>,
    half: &'a str,
    zone: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Takes one word of the text. `None` if the word is not understood, or its field is already set.
    fn take(&mut self, word: &'a str) -> Option<()> {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        if let Some((day, rest)) = word.split_once('/') {
            // As web servers log it: 01/May/2023:10:11:12.
            let (month_name, rest) = rest.split_once('/')?;
            put(&mut self.day, day.parse().ok()?)?;
            put(&mut self.month, month(month_name)?)?;
            let (year, time) = rest.split_once(':').map_or((rest, None), |(year, time)| (year, Some(time)));
            put(&mut self.year, year.parse().ok().filter(|_| year.len() == 4)?)?;
            return time.map_or(Some(()), |time| put(&mut self.time, time));
        }
        if word.contains(':') && !word.starts_with(['+', '-']) {
            return put(&mut self.time, word);
        }
        if is_number && word.len() == 4 {
            return put(&mut self.year, word.parse().ok()?);
        }
        if is_number && word.len() == 2 && self.day.is_some() && self.month.is_some() && self.year.is_none() {
            // As RFC 822 had it.
            return put(&mut self.year, full_year(word)?);
        }
        if is_number && word.len() <= 2 {
            return put(&mut self.day, word.parse().ok()?);
        }
        if let Some(month) = month(word) {
            return put(&mut self.month, month);
        }
        if is_weekday(word) && self.time.is_none() {
            return Some(());
        }
        if let Some((day, rest)) = word.split_once('-').filter(|(day, _)| !day.is_empty()) {
            let (month_name, year) = rest.split_once('-')?;
            put(&mut self.day, day.parse().ok()?)?;
            put(&mut self.month, month(month_name)?)?;
            return put(&mut self.year, full_year(year)?);
        }
        if word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm") {
            self.half = word;
            return Some(());
        }
        put(&mut self.zone, word)
    }

    fn moment(self) -> Option<DateTime<Utc>> {
        let date = NaiveDate::from_ymd_opt(self.year?, self.month?, self.day?)?;
        let time = format!("{}{}", self.time.unwrap_or("00:00"), self.half);
        let mut rest = Rest(&time);
        let (days, time) = rest.time()?;
        let zone = self.zone.unwrap_or_default();
        let offset = if rest.0.is_empty() { Rest(zone).offset()? } else { return None };
        let local = date.checked_add_days(Days::new(days))?.and_time(time);
        Some(offset.from_local_datetime(&local).single()?.to_utc())
    }
}

fn put<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

fn month(word: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    is_short_for(word, &MONTHS).and_then(|nth| u32::try_from(nth + 1).ok())
}

fn is_weekday(word: &str) -> bool {
    const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    is_short_for(word, &DAYS).is_some()
}

/// The index of the name in `names` that `word` is, in full or shortened to at least three letters.
fn is_short_for(word: &str, names: &[&str]) -> Option<usize> {
    let word = word.trim_end_matches('.').to_ascii_lowercase();
    names.iter().position(|name| word.len() >= 3 && name.starts_with(&word))
}

/// Completes the two-digit years of RFC 850.
fn full_year(year: &str) -> Option<i32> {
    let number: i32 = year.parse().ok()?;
    match year.len() {
        4 => Some(number),
        2 if number >= 69 => Some(1900 + number),
        2 => Some(2000 + number),
        _ => None,
    }
}

/// The offset of a zone that RFC 2822 names.
pub(super) fn named(zone: &str) -> Option<&'static str> {
    Some(match zone {
        "EDT" => "-0400",
        "EST" | "CDT" => "-0500",
        "CST" | "MDT" => "-0600",
        "MST" | "PDT" => "-0700",
        "PST" => "-0800",
        _ => return None,
    })
}
