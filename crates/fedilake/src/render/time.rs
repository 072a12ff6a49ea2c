//! Dates, times and intervals as text, over DuckDB's whole range: its dates reach millions of years further than
//! other libraries' calendars.

use std::io::Write;

/// DuckDB's `'infinity'::date`, in days since 1970; `'-infinity'` is its negative.
pub(super) const DATE_INFINITY: i32 = i32::MAX;
/// DuckDB's `'-infinity'::timestamp`, in any unit; `i64::MAX` is `'infinity'`.
pub(super) const INSTANT_BEFORE_ALL: i64 = -i64::MAX;

const DAY_SECONDS: i64 = 86_400;

/// Writes a day, counted from 1970, as `2024-05-01`. Years beyond 9999 have more digits; years before 1 are as in ISO
/// 8601: `-0043` is 44 BC. DuckDB reads both.
pub(super) fn date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    let sign = if year < 0 { "-" } else { "" };
    put(out, format_args!("{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs()));
}

/// Writes a time counted in units of which `a_second` make a second, with `between` between the day and the time of
/// day.
pub(super) fn instant(instant: i64, a_second: i64, between: u8, out: &mut Vec<u8>) {
    let (seconds, part) = (instant.div_euclid(a_second), instant.rem_euclid(a_second));
    date(seconds.div_euclid(DAY_SECONDS), out);
    out.push(between);
    clock(seconds.rem_euclid(DAY_SECONDS) * a_second + part, a_second, out);
}

/// Writes a time of day as `12:00:00`, with three, six or nine digits below a second if needed. DuckDB has a
/// `24:00:00`.
pub(super) fn clock(time: i64, a_second: i64, out: &mut Vec<u8>) {
    let (seconds, part) = (time / a_second, time % a_second);
    put(out, format_args!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
    match part * (1_000_000_000 / a_second) {
        0 => {}
        nanos if nanos % 1_000_000 == 0 => put(out, format_args!(".{:03}", nanos / 1_000_000)),
        nanos if nanos % 1_000 == 0 => put(out, format_args!(".{:06}", nanos / 1_000)),
        nanos => put(out, format_args!(".{nanos:09}")),
    }
}

/// Writes an interval in DuckDB's own words, which DuckDB can read: `1 year 2 months 3 days 04:05:06.789`.
pub(super) fn interval(months: i32, days: i32, micros: i64, out: &mut Vec<u8>) {
    let start = out.len();
    for (number, unit) in [(months / 12, "year"), (months % 12, "month"), (days, "day")] {
        if number != 0 {
            let plural = if number.abs() == 1 { "" } else { "s" };
            put(out, format_args!("{number} {unit}{plural} "));
        }
    }
    if micros == 0 && out.len() > start {
        out.pop();
        return;
    }
    if micros < 0 {
        out.push(b'-');
    }
    let micros = micros.unsigned_abs();
    let (seconds, part) = (micros / 1_000_000, micros % 1_000_000);
    put(out, format_args!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60));
    if part > 0 {
        let digits = format!("{part:06}");
        put(out, format_args!(".{}", digits.trim_end_matches('0')));
    }
}

/// The microseconds of an interval that DuckDB passed to Arrow. Arrow counts nanoseconds, and DuckDB's multiplication
/// by 1,000 silently wraps around beyond 292 years. The lowest three bits of the product are zeros, and 125 has an
/// inverse modulo 2^61: multiplying by it recovers every interval up to 36,500 years.
pub(super) fn micros_of_interval(nanos: i64) -> i64 {
    const INVERSE_OF_125: u64 = 0x1CAC_0831_26E9_78D5;
    // The product has 61 bits; the shift moves its sign to bit 63.
    let micros = ((nanos as u64) >> 3).wrapping_mul(INVERSE_OF_125);
    ((micros << 3) as i64) >> 3
}

/// The year, month and day of a day counted from 1970, in the Gregorian calendar without limits: Howard Hinnant's
/// `civil_from_days` (<https://howardhinnant.github.io/date_algorithms.html>).
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a value is written to memory");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn days_agree_with_chrono_where_it_reaches() {
        let first = chrono::NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        for days in (-800_000..3_000_000).step_by(37).chain(-1000..1000) {
            let day = first + chrono::TimeDelta::days(days);
            if (0..10_000).contains(&chrono::Datelike::year(&day)) {
                assert_eq!(written(|out| date(days, out)), day.to_string());
            }
        }
    }

    #[test]
    fn an_interval_survives_the_product_that_wraps() {
        for micros in [
            0,
            1,
            -1,
            7,
            1_500_000,
            -1_500_000,
            3_000_000 * 3_600_000_000,
            -9_300_000_000_000_000,
            (1 << 60) - 1,
            -(1 << 60),
        ] {
            assert_eq!(micros_of_interval(i64::wrapping_mul(micros, 1000)), micros);
        }
    }

    #[test]
    fn an_interval_reads_as_duckdb_writes_it() {
        for (months, days, micros, text) in [
            (0, 0, 0, "00:00:00"),
            (12, 0, 0, "1 year"),
            (26, 3, 14_706_789_000, "2 years 2 months 3 days 04:05:06.789"),
            (-3, -5, -1_500_000, "-3 months -5 days -00:00:01.5"),
            (-14, 0, 0, "-1 year -2 months"),
            (0, 0, 10_800_000_000_000_000, "3000000:00:00"),
        ] {
            assert_eq!(written(|out| interval(months, days, micros, out)), text);
        }
    }
}
