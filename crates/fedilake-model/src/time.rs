//! Moments as servers write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// Reads RFC 3339. A moment without an offset is taken as UTC, a bare date as its midnight.
pub(crate) fn from_rfc3339(text: &str) -> Option<DateTime<Utc>> {
    usual_form(text.as_bytes()).or_else(|| any_form(text))
}

/// `2023-02-03T04:05:06.789Z`, which nearly every server writes.
fn usual_form(text: &[u8]) -> Option<DateTime<Utc>> {
    let [
        y0,
        y1,
        y2,
        y3,
        b'-',
        mo0,
        mo1,
        b'-',
        d0,
        d1,
        b'T',
        h0,
        h1,
        b':',
        mi0,
        mi1,
        b':',
        s0,
        s1,
        b'.',
        f0,
        f1,
        f2,
        b'Z',
    ] = *text
    else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0u32, |n, digit| digit.is_ascii_digit().then(|| n * 10 + u32::from(digit - b'0')))
    };
    NaiveDate::from_ymd_opt(number(&[y0, y1, y2, y3])?.try_into().ok()?, number(&[mo0, mo1])?, number(&[d0, d1])?)?
        .and_hms_milli_opt(number(&[h0, h1])?, number(&[mi0, mi1])?, number(&[s0, s1])?, number(&[f0, f1, f2])?)
        .map(|moment| moment.and_utc())
}

fn any_form(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let with_offset = || DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc());
    let without = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok().map(|moment| moment.and_utc());
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|moment| moment.and_utc());
    with_offset().or_else(without).or_else(date)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_moment_is_read() {
        let cases = [
            ("2023-02-03T04:05:06.789Z", "2023-02-03T04:05:06.789+00:00"),
            ("2023-02-03T04:05:06Z", "2023-02-03T04:05:06+00:00"),
            ("2023-02-03T04:05:06.789+02:00", "2023-02-03T02:05:06.789+00:00"),
            ("2023-02-03T04:05:06", "2023-02-03T04:05:06+00:00"),
            ("1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00+00:00"),
            ("2016-12-31", "2016-12-31T00:00:00+00:00"),
        ];
        for (text, moment) in cases {
            assert_eq!(from_rfc3339(text).unwrap().to_rfc3339(), moment, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in
            ["", "yesterday", "2023-13-03T04:05:06.789Z", "2023-02-30T04:05:06.789Z", "20x3-02-03T04:05:06.789Z", "é"]
        {
            assert_eq!(from_rfc3339(text), None, "{text}");
        }
    }
}
