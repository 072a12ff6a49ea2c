//! Times as APIs and other people's files write them.
//!
//! | form | examples |
//! |---|---|
//! | ISO 8601, extended and basic, with a space for the T, with and without seconds, fraction and offset | `2023-05-01T10:11:12.345Z`, `2023-05-01 10:11:12,345+0200`, `20230501T101112Z`, `2023-W18-1`, `2023-05-01` |
//! | epoch, as number or text: seconds, milliseconds, microseconds or nanoseconds, told apart by the number of digits | `1682935872`, `1682935872345`, `"1682935872.345"` |
//! | words: RFC 2822, HTTP, asctime, Twitter's, JavaScript's, Go's | `Mon, 01 May 2023 10:11:12 GMT`, `Mon May 01 10:11:12 +0000 2023` |
//! | wrapped: MongoDB's, Firestore's, Java's, Parse's, DynamoDB's, PHP's, pandas', Python's, .NET's | `{"$date": …}`, `{"seconds": …, "nanos": …}`, `{"date": …, "timezone": "UTC"}`, `Timestamp('…')`, `/Date(1682935872345)/` |
//!
//! A time without an offset is UTC; a date alone is its midnight. Numeric dates in another order than year, month,
//! day are ambiguous and are not read; neither are years before 1 and beyond 9999. A number that no unit makes a time of
//! the fediverse is not guessed at.

mod epoch;
mod iso;
mod words;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

/// The time in a field, if there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Moment {
    /// The field is missing, null, empty or says "none" in some way.
    #[default]
    Missing,
    /// The field's value is not a time, or an impossible one.
    Unreadable,
    /// The field holds this time.
    At(DateTime<Utc>),
}

impl Moment {
    /// Reads a time from a text.
    pub fn of_text(text: &str) -> Moment {
        match usual_form(text.as_bytes()).or_else(|| any_form(text.trim())) {
            Some(moment) if is_possible(&moment) => Moment::At(moment),
            None if is_nothing(text.trim()) => Moment::Missing,
            _ => Moment::Unreadable,
        }
    }

    /// The time, if it could be read.
    pub fn at(self) -> Option<DateTime<Utc>> {
        match self {
            Moment::At(moment) => Some(moment),
            Moment::Missing | Moment::Unreadable => None,
        }
    }

    /// Reads a time from a JSON number.
    pub(crate) fn of_number(number: &str) -> Moment {
        epoch::read(number).filter(is_possible).map_or(Moment::Unreadable, Moment::At)
    }

    pub(crate) fn of(value: &Value) -> Moment {
        if value.is_null() {
            return Moment::Missing;
        }
        if let Some(text) = value.as_str() {
            return Moment::of_text(text);
        }
        match value.as_raw_number() {
            Some(number) => Moment::of_number(number.as_str()),
            None => wrapped(value).filter(is_possible).map_or(Moment::Unreadable, Moment::At),
        }
    }
}

/// True for the years that every reader of our tables can hold.
fn is_possible(moment: &DateTime<Utc>) -> bool {
    (1..=9999).contains(&moment.year())
}

/// True for the texts that programs write for "no time".
fn is_nothing(text: &str) -> bool {
    ["", "null", "none", "nil", "nat", "nan", "n/a", "undefined"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Reads `2023-02-03T04:05:06.789Z`, the form that nearly every server writes.
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
    iso::read(text).or_else(|| epoch::read(text)).or_else(|| words::read(text)).or_else(|| unwrapped(text))
}

/// Reads the time in a JSON object. The recursion is bounded by the JSON's depth.
fn wrapped(value: &Value) -> Option<DateTime<Utc>> {
    let field = |names: &[&str]| names.iter().find_map(|name| value.as_object()?.get(name));
    let names =
        ["$date", "$numberLong", "$numberDouble", "$numberDecimal", "$numberInt", "$timestamp", "t", "iso", "S", "N"];
    if let Some(inner) = field(&names) {
        return Moment::of(inner).at();
    }
    // PHP's DateTime; a zone by its place's name would need the tables of all places.
    if let (Some(date), Some(zone)) = (field(&["date"]), field(&["timezone"])) {
        return iso::read(&format!("{} {}", date.as_str()?.trim(), zone.as_str()?.trim()));
    }
    let seconds = field(&["seconds", "_seconds", "epochSecond"])?;
    let seconds = seconds.as_i64().or_else(|| seconds.as_str()?.parse().ok())?;
    let nanos = field(&["nanos", "nanoseconds", "_nanoseconds", "nano"]).and_then(|nanos| nanos.as_u64()).unwrap_or(0);
    DateTime::from_timestamp(seconds, u32::try_from(nanos).ok()?)
}

/// Reads a time written as source code of some language.
fn unwrapped(text: &str) -> Option<DateTime<Utc>> {
    let (name, inner) = text.trim_matches('/').strip_suffix(')')?.split_once('(')?;
    if let Some(quoted) = inner.strip_prefix(['\'', '"']) {
        let (quoted, rest) = quoted.split_once(['\'', '"'])?;
        let is_utc = !rest.contains("tz") || rest.to_ascii_uppercase().contains("UTC");
        return is_utc.then(|| iso::read(quoted.trim()))?;
    }
    if name.ends_with("Date") || name == "NumberLong" || name == "Timestamp" {
        return epoch::read(inner.split(['+', '-', ',']).next()?);
    }
    if !name.ends_with("datetime") {
        return None;
    }
    // Python's datetime.datetime(2023, 5, 1, 10, 11, 12, 345000, tzinfo=datetime.timezone.utc)
    let (numbers, zone) = inner.split_once("tzinfo=").unwrap_or((inner, "utc"));
    let parts = numbers.split(',').map(str::trim).filter(|part| !part.is_empty());
    let parts: Vec<u32> = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let part = |nth: usize| parts.get(nth).copied().unwrap_or(0);
    let is_utc = zone.to_ascii_lowercase().contains("utc") && !zone.contains("timedelta");
    let date = NaiveDate::from_ymd_opt(part(0).try_into().ok()?, part(1), part(2)).filter(|_| is_utc)?;
    Some(date.and_hms_micro_opt(part(3), part(4), part(5), part(6))?.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Moment {
        let object = crate::json::Object::parse(format!("{{\"at\":{json}}}").as_bytes()).unwrap();
        object.value().get("at").map(Moment::of).unwrap()
    }

    #[test]
    fn each_spelling_of_a_moment_is_read() {
        let whole = "2023-05-01T10:11:12.345+00:00";
        let seconds = "2023-05-01T10:11:12+00:00";
        let minutes = "2023-05-01T10:11:00+00:00";
        let day = "2023-05-01T00:00:00+00:00";
        let cases: &[(&str, &[&str])] = &[
            (
                whole,
                &[
                    r#""2023-05-01T10:11:12.345Z""#,
                    r#""2023-05-01T10:11:12.345""#,
                    r#""2023-05-01t10:11:12.345z""#,
                    r#""+2023-05-01T10:11:12.345Z""#,
                    r#""+002023-05-01T10:11:12.345Z""#,
                    r#""2023W181T101112.345Z""#,
                    r#""2023121T101112.345Z""#,
                    r#"{"$date":{"$numberDouble":"1682935872345"}}"#,
                    r#""2023-05-01T10:11:12,345Z""#,
                    r#""2023-05-01T10:11:12.345000000Z""#,
                    r#""2023-05-01T10:11:12.3450000001Z""#,
                    r#""2023-05-01T12:11:12.345+02:00""#,
                    r#""2023-05-01T12:11:12.345+0200""#,
                    r#""2023-05-01T12:11:12.345+02""#,
                    r#""2023-05-01T05:11:12.345-05:00""#,
                    r#""2023-05-01T05:11:12.345−05:00""#,
                    r#""2023-05-01T15:41:12.345+05:30""#,
                    r#""2023-05-01 10:11:12.345000+00:00""#,
                    r#""2023-05-01 10:11:12.345000""#,
                    r#""2023-05-01 10:11:12.345 UTC""#,
                    r#""2023-05-01 10:11:12.345 +0000 UTC""#,
                    r#""2023-05-01 12:11:12.345 +0200 CEST m=+0.000000001""#,
                    r#""2023-05-01T12:11:12.345+02:00[Europe/Berlin]""#,
                    r#""20230501T101112.345Z""#,
                    r#""20230501T121112.345+0200""#,
                    r#""20230501101112345""#,
                    r#""2023/05/01 10:11:12.345""#,
                    r#""2023-W18-1T10:11:12.345Z""#,
                    r#""2023-121T10:11:12.345Z""#,
                    "1682935872345",
                    "1682935872345000",
                    "1682935872345000000",
                    "1682935872.345",
                    "1.682935872345e12",
                    "1682935872345.0",
                    r#""1682935872345""#,
                    r#""1682935872.345""#,
                    r#""1682935872345000""#,
                    r#"{"$date":"2023-05-01T10:11:12.345Z"}"#,
                    r#"{"$date":1682935872345}"#,
                    r#"{"$date":{"$numberLong":"1682935872345"}}"#,
                    r#"{"seconds":1682935872,"nanos":345000000}"#,
                    r#"{"_seconds":"1682935872","_nanoseconds":345000000}"#,
                    r#""Timestamp('2023-05-01 10:11:12.345000')""#,
                    r#""Timestamp('2023-05-01 10:11:12.345000+0000', tz='UTC')""#,
                    r#""ISODate(\"2023-05-01T10:11:12.345Z\")""#,
                    r#"{"epochSecond":1682935872,"nano":345000000}"#,
                    r#"{"__type":"Date","iso":"2023-05-01T10:11:12.345Z"}"#,
                    r#"{"S":"2023-05-01T10:11:12.345Z"}"#,
                    r#"{"N":"1682935872345"}"#,
                    r#"{"date":"2023-05-01 10:11:12.345000","timezone_type":3,"timezone":"UTC"}"#,
                    r#"{"date":"2023-05-01 12:11:12.345000","timezone_type":1,"timezone":"+02:00"}"#,
                    r#"{"date":"2023-05-01 06:11:12.345000","timezone_type":2,"timezone":"EDT"}"#,
                    r#""May 1, 2023 @ 10:11:12.345""#,
                    r#""/Date(1682935872345)/""#,
                    r#""/Date(1682935872345+0200)/""#,
                    r#""datetime.datetime(2023, 5, 1, 10, 11, 12, 345000, tzinfo=datetime.timezone.utc)""#,
                    r#"" 2023-05-01T10:11:12.345Z\n""#,
                ],
            ),
            (
                seconds,
                &[
                    r#""2023-05-01T10:11:12Z""#,
                    r#""2023-05-01 10:11:12""#,
                    r#""2023-05-01 10:11:12+00:00""#,
                    r#""2023-05-01 10:11:12Z""#,
                    r#""2023-05-01 10:11:12 GMT""#,
                    r#""2023-05-01 10:11:12 -0000""#,
                    r#""2023-05-01 05:11:12 EST""#,
                    r#""2023-05-01T03:11:12 PDT""#,
                    r#""01/May/2023:10:11:12 +0000""#,
                    r#""01/May/2023:12:11:12 +0200""#,
                    r#""01/May/2023 10:11:12""#,
                    r#""2023-05-01, 10:11:12""#,
                    r#""2023 05 01 10:11:12""#,
                    r#""20230501101112""#,
                    r#""20230501T101112""#,
                    "1682935872",
                    r#""1682935872""#,
                    r#""Mon, 01 May 2023 10:11:12 GMT""#,
                    r#""Mon, 01 May 23 10:11:12 GMT""#,
                    r#""Mon, 1 May 2023 12:11:12 +0200""#,
                    r#""Mon, 01 May 2023 05:11:12 EST""#,
                    r#""01 May 2023 10:11:12 UT""#,
                    r#""Monday, 01-May-23 10:11:12 GMT""#,
                    r#""Mon May 01 10:11:12 +0000 2023""#,
                    r#""Mon May  1 10:11:12 2023""#,
                    r#""Mon May  1 10:11:12 UTC 2023""#,
                    r#""Mon May 01 2023 10:11:12 GMT+0000 (Coordinated Universal Time)""#,
                    r#""Mon May 01 2023 12:11:12 GMT+0200 (Mitteleuropäische Sommerzeit)""#,
                    r#""May 1, 2023, 10:11:12 AM""#,
                    r#""1 May 2023 10:11:12""#,
                    r#"{"$timestamp":{"t":1682935872,"i":1}}"#,
                    r#""datetime.datetime(2023, 5, 1, 10, 11, 12)""#,
                ],
            ),
            (
                minutes,
                &[
                    r#""2023-05-01T10:11Z""#,
                    r#""2023-05-01T10:11""#,
                    r#""2023-05-01 12:11+0200""#,
                    r#""20230501T1011Z""#,
                    r#""202305011011""#,
                    r#""May 1, 2023 10:11 am""#,
                ],
            ),
            (
                day,
                &[
                    r#""2023-05-01""#,
                    r#""20230501""#,
                    "20230501",
                    r#""2023-05-01Z""#,
                    r#""1 May 2023""#,
                    r#""2023-5-1""#,
                ],
            ),
            ("2023-05-01T22:11:00+00:00", &[r#""May 1, 2023, 10:11 PM""#, r#""2023-05-01 10:11 pm""#]),
            ("1970-01-01T00:00:00+00:00", &[r#""1970-01-01T00:00:00.000Z""#]),
            ("9999-12-31T23:59:59.999+00:00", &[r#""9999-12-31T23:59:59.999Z""#]),
            ("0001-01-01T00:00:00+00:00", &[r#""0001-01-01T00:00:00Z""#]),
            ("2016-12-31T23:59:60+00:00", &[r#""2016-12-31T23:59:60Z""#]),
            ("2023-05-02T00:00:00+00:00", &[r#""2023-05-01T24:00:00Z""#]),
        ];
        for (moment, spellings) in cases {
            for spelling in *spellings {
                assert_eq!(read(spelling).at().map(|at| at.to_rfc3339()).as_deref(), Some(*moment), "{spelling}");
            }
        }
    }

    #[test]
    fn what_is_no_moment_is_unreadable_and_not_missing() {
        for json in [
            r#""yesterday""#,
            r#""2023""#,
            r#""2023-05""#,
            r#""05/01/2023 10:11""#,
            r#""01.05.2023""#,
            r#""2023-13-03T04:05:06.789Z""#,
            r#""2023-02-30T04:05:06.789Z""#,
            r#""20x3-02-03T04:05:06.789Z""#,
            r#""2023-05-01T25:00:00Z""#,
            r#""2023-05-01T10:61:00Z""#,
            r#""2023-05-01T10:11:12+99:00""#,
            r#""2023-05-01T10:11:12 CEST""#,
            r#""2023-05-01T10:11:12[Europe/Berlin]""#,
            r#""2023-05-01T10:11:12Z and more""#,
            r#""Mon, 32 May 2023 10:11:12 GMT""#,
            r#""1 May 2 May 2023""#,
            r#""Timestamp('2023-05-01 12:11:12', tz='Europe/Berlin')""#,
            r#""/Date()/""#,
            r#""Date(é)""#,
            r#""+010000-01-01T00:00:00Z""#,
            r#""10000-01-01T00:00:00Z""#,
            r#""0000-01-01T00:00:00Z""#,
            r#""-0044-03-15T00:00:00Z""#,
            r#""9999-12-31T23:59:59-01:00""#,
            r#""infinity""#,
            r#""é""#,
            // A spreadsheet's day number, and other small numbers.
            "45047.42",
            "0",
            "5",
            "-1",
            "1e300",
            // Ticks of .NET and of Windows, and numbers that would be a time before the fediverse or long after us.
            "638185326720000000",
            "133274094720000000",
            "168293587234",
            "168293587234500",
            "16829358723450000",
            "99999999999",
            "946684800",
            r#""638185326720000000""#,
            r#"{"date":"2023-05-01 10:11:12","timezone":"Europe/Berlin"}"#,
            r#"{"date":7,"timezone":"UTC"}"#,
            r#""01/02/2023:10:11:12 +0000""#,
            "99999999999999999999999",
            "true",
            "[]",
            "[\"2023-05-01\"]",
            "{}",
            r#"{"$date":{"$date":{}}}"#,
            r#"{"seconds":1e300}"#,
        ] {
            assert_eq!(read(json), Moment::Unreadable, "{json}");
        }
    }

    #[test]
    fn a_word_for_nothing_is_missing() {
        for json in ["null", r#""""#, r#"" ""#, r#""None""#, r#""NaT""#, r#""null""#] {
            assert_eq!(read(json), Moment::Missing, "{json}");
        }
    }
}
