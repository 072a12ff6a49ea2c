//! Times as numbers: the time since 1970, and dates of digits alone.

use chrono::{DateTime, Datelike, Utc};

use super::iso;

/// The years of epoch times: nobody wrote in the fediverse before.
const YEARS: std::ops::Range<i32> = 2005..2200;

/// Reads a number.
///
/// The digits before the point tell the unit: ten or eleven are seconds, and each three more mean the next finer unit. A
/// number counts only if it makes a time of [`YEARS`]: others are in a unit or from a start that is not known here,
/// such as .NET's ticks. Eight, twelve, fourteen or seventeen digits are a date if they make one of our time, because as
/// an epoch time they would not.
pub(super) fn read(number: &str) -> Option<DateTime<Utc>> {
    if number.contains(['e', 'E']) {
        let float: f64 = number.parse().ok()?;
        return (float.abs() < 1e20).then(|| read(&format!("{float:.6}")))?;
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    if let Some(date) = date(whole).filter(|_| fraction.is_empty()) {
        return Some(date);
    }
    let digits_of_a_second: usize = match whole.len() {
        9..=11 => 0,
        12..=14 => 3,
        15..=17 => 6,
        18..=20 => 9,
        _ => return None,
    };
    let (seconds, subseconds) = whole.split_at(whole.len() - digits_of_a_second);
    let nanos: String = subseconds.chars().chain(fraction.chars()).chain(std::iter::repeat('0')).take(9).collect();
    DateTime::from_timestamp(seconds.parse().ok()?, nanos.parse().ok()?).filter(|at| YEARS.contains(&at.year()))
}

/// `20230501`, `202305011011`, `20230501101112`, `20230501101112345`.
fn date(digits: &str) -> Option<DateTime<Utc>> {
    if !matches!(digits.len(), 8 | 12 | 14 | 17) || !("1970"..="2199").contains(&&digits[..4]) {
        return None;
    }
    let date = iso::compact(digits)?;
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), |part| part.parse().ok());
    let millis = digits.get(14..).filter(|part| !part.is_empty()).map_or(Some(0), |part| part.parse().ok())?;
    Some(date.and_hms_milli_opt(part(8)?, part(10)?, part(12)?, millis)?.and_utc())
}
