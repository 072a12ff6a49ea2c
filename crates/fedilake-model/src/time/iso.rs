//! ISO 8601, and the forms that people derive from it.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveTime, TimeZone, Utc, Weekday};

/// Reads a date, optionally a time, and optionally an offset.
pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
    let mut rest = Rest(text);
    let date = date(&mut rest)?;
    let has_time =
        rest.skip(|c| matches!(c, 'T' | 't' | ' ' | ',')) > 0 && rest.0.starts_with(|c: char| c.is_ascii_digit());
    let (days, time) = if has_time { rest.time()? } else { (0, NaiveTime::MIN) };
    let offset = rest.offset()?;
    let local = date.checked_add_days(Days::new(days))?.and_time(time);
    Some(offset.from_local_datetime(&local).single()?.to_utc())
}

/// Reads `2023-05-01`, `20230501`, `2023-W18-1`, `2023W181`, `2023-121` or `2023121`, also with the year as `+2023` or `+002023`. Only the
/// first form may have other separators than the hyphen.
fn date(rest: &mut Rest<'_>) -> Option<NaiveDate> {
    let has_sign = rest.take('+').is_some();
    let digits = rest.digits();
    if let (8, Some(date)) = (digits.len(), compact(digits)) {
        return Some(date);
    }
    if let (7, Some((year, day))) = (digits.len(), digits.split_at_checked(4)) {
        return NaiveDate::from_yo_opt(year.parse().ok()?, day.parse().ok()?);
    }
    let digits = digits.strip_prefix("00").filter(|year| has_sign && year.len() == 4).unwrap_or(digits);
    let year = (digits.len() == 4).then(|| digits.parse().ok())??;
    if rest.take_any(&['W', 'w']).is_some() {
        let digits = rest.digits();
        let (week, day) = digits.split_at_checked(2).filter(|_| digits.len() == 3)?;
        return of_week(year, week.parse().ok()?, day.parse().ok()?);
    }
    let separator = rest.0.chars().next()?;
    if !matches!(separator, '-' | '/' | '.' | ' ') {
        return None;
    }
    rest.take(separator)?;
    if separator == '-' && rest.take_any(&['W', 'w']).is_some() {
        let week = rest.number(2..=2)?;
        rest.take('-')?;
        return of_week(year, week, rest.number(1..=1)?);
    }
    let next = rest.digits();
    if next.len() == 3 {
        return NaiveDate::from_yo_opt(year, next.parse().ok().filter(|_| separator == '-')?);
    }
    let month = (1..=2).contains(&next.len()).then(|| next.parse().ok())??;
    rest.take(separator)?;
    NaiveDate::from_ymd_opt(year, month, rest.number(1..=2)?)
}

/// The day of a week, from 1 for Monday.
fn of_week(year: i32, week: u32, day: u32) -> Option<NaiveDate> {
    let day = Weekday::try_from(u8::try_from(day.checked_sub(1)?).ok()?).ok()?;
    NaiveDate::from_isoywd_opt(year, week, day)
}

/// Reads `20230501`.
pub(super) fn compact(digits: &str) -> Option<NaiveDate> {
    let part = |range: std::ops::Range<usize>| digits.get(range);
    NaiveDate::from_ymd_opt(part(0..4)?.parse().ok()?, part(4..6)?.parse().ok()?, part(6..8)?.parse().ok()?)
}

/// The rest of a text that is not read yet.
pub(super) struct Rest<'a>(pub(super) &'a str);

impl<'a> Rest<'a> {
    /// Reads `10:11:12.345`, `101112.345` or a less precise time, perhaps followed by am or pm. Returns the days to
    /// add and the time: 24:00 is the next day's midnight.
    pub(super) fn time(&mut self) -> Option<(u64, NaiveTime)> {
        let digits = self.digits();
        let (mut hour, minute, second) = match digits.len() {
            1 | 2 if self.take(':').is_some() => {
                let minute = self.number(2..=2)?;
                let second = if self.take(':').is_some() { Some(self.number(2..=2)?) } else { None };
                (digits.parse().ok()?, minute, second)
            }
            2 => (digits.parse().ok()?, 0, None),
            4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?, None),
            6 => (digits[..2].parse().ok()?, digits[2..4].parse().ok()?, Some(digits[4..].parse().ok()?)),
            _ => return None,
        };
        let nanos = if second.is_some() && self.take_any(&['.', ',']).is_some() { self.fraction()? } else { 0 };
        if let Some(is_pm) = self.half_of_day() {
            hour = hour % 12 + if (1..=12).contains(&hour) { 12 * u32::from(is_pm) } else { return None };
        }
        match (hour, minute, second.unwrap_or(0)) {
            (24, 0, 0) if nanos == 0 => Some((1, NaiveTime::MIN)),
            // A leap second, in chrono's notation.
            (_, _, 60) => Some((0, NaiveTime::from_hms_nano_opt(hour, minute, 59, 1_000_000_000 + nanos)?)),
            (_, _, second) => Some((0, NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)?)),
        }
    }

    /// Reads `Z`, `+02:00` or `UTC+2`, perhaps followed by the zone's name, to the end of the text. No offset means
    /// UTC.
    pub(super) fn offset(&mut self) -> Option<FixedOffset> {
        self.skip(|c| c == ' ');
        let zero = FixedOffset::east_opt(0)?;
        if self.0.is_empty() {
            return Some(zero);
        }
        if let Some(named) = super::words::named(self.0) {
            self.0 = named;
        }
        let names = ["UTC", "GMT", "UT", "Z"];
        let name = names.iter().find_map(|name| {
            let head = self.0.get(..name.len())?;
            head.eq_ignore_ascii_case(name).then(|| &self.0[name.len()..])
        });
        if let Some(rest) = name {
            self.0 = rest;
        }
        let offset = match self.take_any(&['+', '-', '\u{2212}']) {
            Some(sign) => {
                let seconds = i32::try_from(self.offset_seconds()?).ok()?;
                FixedOffset::east_opt(if sign == '+' { seconds } else { -seconds })?
            }
            None if name.is_some() => zero,
            None => return None,
        };
        self.is_remark().then_some(offset)
    }

    fn offset_seconds(&mut self) -> Option<u32> {
        let digits = self.digits();
        let (hours, minutes) = match digits.len() {
            1 | 2 if self.take(':').is_some() => (digits.parse::<u32>().ok()?, self.number(2..=2)?),
            1 | 2 => (digits.parse().ok()?, 0),
            4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
            _ => return None,
        };
        (hours < 24 && minutes < 60).then_some(hours * 3_600 + minutes * 60)
    }

    /// True if the rest only names the zone whose offset was read: ` CEST`, `[Europe/Berlin]`, ` (…)`, Go's `
    /// m=+0.1`.
    fn is_remark(&self) -> bool {
        let mut words = self.0.split(' ').filter(|word| !word.is_empty());
        let rest = self.0.trim();
        let is_name =
            |word: &str| word.len() <= 5 && word.bytes().all(|b| b.is_ascii_uppercase()) || word.starts_with("m=");
        rest.starts_with('(') && rest.ends_with(')')
            || rest.starts_with('[') && rest.ends_with(']')
            || words.all(is_name)
    }

    /// Reads am or pm; true for pm.
    fn half_of_day(&mut self) -> Option<bool> {
        let rest = self.0.trim_start_matches([' ', '\u{202f}']);
        let half = rest.get(..2)?;
        let is_pm = half.eq_ignore_ascii_case("pm");
        (is_pm || half.eq_ignore_ascii_case("am")).then(|| {
            self.0 = &rest[2..];
            is_pm
        })
    }

    /// Reads the digits after the point as nanoseconds; further digits are cut.
    fn fraction(&mut self) -> Option<u32> {
        let digits = self.digits();
        let nanos: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
        (!digits.is_empty()).then(|| nanos.parse().ok())?
    }

    fn number(&mut self, lengths: std::ops::RangeInclusive<usize>) -> Option<u32> {
        let digits = self.digits();
        lengths.contains(&digits.len()).then(|| digits.parse().ok())?
    }

    fn digits(&mut self) -> &'a str {
        let end = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        digits
    }

    fn take(&mut self, c: char) -> Option<()> {
        self.0 = self.0.strip_prefix(c)?;
        Some(())
    }

    fn take_any(&mut self, chars: &[char]) -> Option<char> {
        let c = self.0.chars().next().filter(|c| chars.contains(c))?;
        self.0 = &self.0[c.len_utf8()..];
        Some(c)
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) -> usize {
        let rest = self.0.trim_start_matches(is_skipped);
        let skipped = self.0.len() - rest.len();
        self.0 = rest;
        skipped
    }
}
