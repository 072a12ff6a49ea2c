//! The filter flags of reports, parsed.

use anyhow::{Context, bail};
use chrono::{DateTime, Days, LocalResult, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use fedilake_model::{Moment, Server};
use fedilake_query::{Calendar, Filter, Names};

use crate::cli::{self, Filters};

/// Turns times into a half-open range in UTC, and URLs into hosts. Days are those of the time zone `zone`.
pub fn filter(typed: &Filters, zone: &str) -> anyhow::Result<Filter> {
    read(typed, zone, Edge::To, "--")
}

/// The same for the parameters of a URL, whose `to` is not included, a day neither.
pub fn filter_of_url(typed: &Filters, zone: &str) -> anyhow::Result<Filter> {
    read(typed, zone, Edge::From, "")
}

/// Reads a filter whose `to` is meant as `edge`; `sign` stands before the names of what was typed.
fn read(typed: &Filters, zone: &str, edge: Edge, sign: &str) -> anyhow::Result<Filter> {
    let name = |name: &str| format!("{sign}{name}");
    let from = typed.from.as_deref().map(|text| instant(text, zone, Edge::From)).transpose().context(name("from"))?;
    let to = typed.to.as_deref().map(|text| instant(text, zone, edge)).transpose().context(name("to"))?;
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        bail!(
            "{sign}from {} is not before {sign}to {}",
            typed.from.as_deref().unwrap_or_default(),
            typed.to.as_deref().unwrap_or_default()
        );
    }
    Ok(Filter {
        from: from.map(millis).transpose().context(name("from"))?,
        to: to.map(millis).transpose().context(name("to"))?,
        bot: match (typed.bot, typed.no_bot) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        },
        only: Names {
            origins: hosts(&typed.origins).context(name("origin"))?,
            servers: hosts(&typed.servers).context(name("server"))?,
            languages: trimmed(&typed.languages),
            apps: trimmed(&typed.apps),
            hashtags: trimmed(&typed.hashtags),
            about: typed.about.clone(),
        },
        without: Names {
            origins: hosts(&typed.not_origins).context(name("not-origin"))?,
            servers: hosts(&typed.not_servers).context(name("not-server"))?,
            languages: trimmed(&typed.not_languages),
            apps: trimmed(&typed.not_apps),
            hashtags: trimmed(&typed.not_hashtags),
            about: typed.not_about.clone(),
        },
    })
}

/// The calendar that was asked for.
pub fn calendar(typed: &cli::Calendar) -> anyhow::Result<Calendar> {
    let by = typed.by.as_deref().map(str::parse).transpose().map_err(anyhow::Error::msg).context("--by")?;
    let default = Calendar::default();
    Ok(Calendar { zone: typed.timezone.clone().unwrap_or(default.zone), by: by.unwrap_or(default.by) })
}

/// The filter in a sentence: which posts are counted, and in which time zone.
pub fn said(filter: &Filter, calendar: &Calendar) -> String {
    let at = |ms: i64| {
        DateTime::from_timestamp_millis(ms)
            .map_or_else(|| ms.to_string(), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
    };
    let mut parts = vec![match filter.bot {
        Some(true) => "Posts of bots".to_owned(),
        Some(false) => "Posts of people".to_owned(),
        None if *filter == Filter::default() => "All posts".to_owned(),
        None => "Posts".to_owned(),
    }];
    parts.extend(filter.from.map(|from| format!("from {}", at(from))));
    parts.extend(filter.to.map(|to| format!("before {}", at(to))));
    for (without, names) in [("", &filter.only), ("not ", &filter.without)] {
        let lists = [
            ("origin", &names.origins),
            ("server", &names.servers),
            ("language", &names.languages),
            ("app", &names.apps),
            ("hashtag", &names.hashtags),
            ("about", &names.about),
        ];
        let lists = lists.into_iter().filter(|(_, names)| !names.is_empty());
        parts.extend(lists.map(|(what, names)| format!("{without}{what} {}", names.join(" or "))));
    }
    format!("{}; days and hours of {}", parts.join(", "), calendar.zone)
}

fn hosts(typed: &[String]) -> anyhow::Result<Vec<String>> {
    typed.iter().map(|typed| host(typed)).collect()
}

fn trimmed(typed: &[String]) -> Vec<String> {
    typed.iter().map(|typed| typed.trim().to_owned()).collect()
}

#[derive(Clone, Copy)]
enum Edge {
    From,
    /// The end of the range: a day counts up to its end.
    To,
}

/// The instant that is meant: a day begins at midnight in `zone`, a time without an offset is UTC.
fn instant(text: &str, zone: &str, edge: Edge) -> anyhow::Result<DateTime<Utc>> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let day = match edge {
            Edge::From => Some(day),
            Edge::To => day.checked_add_days(Days::new(1)),
        };
        let zone = Tz::from_str_insensitive(zone).map_err(|_| {
            anyhow::anyhow!("invalid time zone `{zone}`: expected a name such as Europe/Berlin, Asia/Tokyo or UTC")
        })?;
        return day.and_then(|day| midnight(day, zone)).with_context(|| format!("date `{text}` is too late"));
    }
    // A number alone could be a year as well as a time since 1970.
    if text.contains([':', 'T', 't'])
        && let Some(at) = Moment::of_text(text).at()
    {
        return Ok(at);
    }
    bail!(
        "invalid date `{text}`: expected YYYY-MM-DD or an RFC 3339 time\nhint: write 2023-02-04 or 2023-02-04T12:00:00Z (UTC)"
    )
}

/// The first moment of a day, which is later than midnight where clocks are put forward at midnight; None beyond the years that
/// can be counted.
fn midnight(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let midnight = day.and_time(NaiveTime::MIN);
    let at = match zone.from_local_datetime(&midnight) {
        LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at,
        LocalResult::None => {
            let hours = TimeDelta::hours(3);
            zone.from_local_datetime(&midnight.checked_sub_signed(hours)?).earliest()? + hours
        }
    };
    Some(at.to_utc())
}

/// A filter's milliseconds. A finer time is refused, because cutting it would count other posts than were meant.
fn millis(at: DateTime<Utc>) -> anyhow::Result<i64> {
    if !at.timestamp_subsec_nanos().is_multiple_of(1_000_000) {
        bail!(
            "a time finer than a millisecond: expected at most three digits\nhint: `fedilake sql` compares microseconds"
        );
    }
    Ok(at.timestamp_millis())
}

/// The host in its one spelling, as in the table. Accepts a URL, Unicode and punycode.
fn host(typed: &str) -> anyhow::Result<String> {
    let server = Server::parse(typed);
    Ok(server.with_context(|| format!("invalid host `{typed}`: expected a name such as mastodon.social"))?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: &str, to: &str) -> anyhow::Result<(Option<i64>, Option<i64>)> {
        let typed = Filters { from: Some(from.to_owned()), to: Some(to.to_owned()), ..Filters::default() };
        filter(&typed, "UTC").map(|filter| (filter.from, filter.to))
    }

    /// A day is as long as clocks make it, and begins where they let it begin.
    #[test]
    fn a_day_is_that_of_the_chosen_time_zone() -> anyhow::Result<()> {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp_millis();
        let cases = [
            ("Europe/Berlin", "2023-02-04", "2023-02-03T23:00:00Z", "2023-02-04T23:00:00Z"),
            ("europe/berlin", "2023-03-26", "2023-03-25T23:00:00Z", "2023-03-26T22:00:00Z"),
            ("Europe/Berlin", "2023-10-29", "2023-10-28T22:00:00Z", "2023-10-29T23:00:00Z"),
            ("Asia/Kolkata", "2023-02-04", "2023-02-03T18:30:00Z", "2023-02-04T18:30:00Z"),
            // Clocks went from midnight to one o'clock.
            ("Africa/Cairo", "2023-04-28", "2023-04-27T22:00:00Z", "2023-04-28T21:00:00Z"),
            // Midnight came twice.
            ("America/Havana", "2023-11-05", "2023-11-05T04:00:00Z", "2023-11-06T05:00:00Z"),
            ("UTC", "2023-03-26", "2023-03-26T00:00:00Z", "2023-03-27T00:00:00Z"),
        ];
        for (zone, day, from, to) in cases {
            let typed = Filters { from: Some(day.to_owned()), to: Some(day.to_owned()), ..Filters::default() };
            let Filter { from: begins, to: ends, .. } = filter(&typed, zone)?;
            assert_eq!((begins, ends), (Some(at(from)), Some(at(to))), "{zone} {day}");
            let typed = Filters { from: Some(day.to_owned()), ..Filters::default() };
            assert_eq!(filter_of_url(&typed, zone)?.from, Some(at(from)), "{zone} {day}");
            // A time says by itself which moment it is.
            let typed = Filters { from: Some(from.to_owned()), ..Filters::default() };
            assert_eq!(filter(&typed, zone)?.from, Some(at(from)), "{zone} {day}");
        }
        let typed = Filters { from: Some("2023-02-04".to_owned()), ..Filters::default() };
        let refused = format!("{:#}", filter(&typed, "Middle/Earth").unwrap_err());
        assert_eq!(
            refused,
            "--from: invalid time zone `Middle/Earth`: expected a name such as Europe/Berlin, Asia/Tokyo or UTC"
        );
        Ok(())
    }

    #[test]
    fn a_filter_is_said_in_a_sentence() {
        let calendar = Calendar::default();
        assert_eq!(said(&Filter::default(), &calendar), "All posts; days and hours of UTC");
        let names = |languages: &[&str]| Names {
            languages: languages.iter().map(|name| (*name).to_owned()).collect(),
            ..Names::default()
        };
        let filter = Filter {
            from: Some(0),
            bot: Some(false),
            only: names(&["de", "fr"]),
            without: names(&["de-CH"]),
            ..Filter::default()
        };
        assert_eq!(
            said(&filter, &calendar),
            "Posts of people, from 1970-01-01 00:00:00 UTC, language de or fr, not language de-CH; days and hours of UTC"
        );
    }

    #[test]
    fn a_day_is_meant_whole() -> anyhow::Result<()> {
        let day_ms = 24 * 3_600_000;
        let (from, to) = range("2023-02-04", "2023-02-04")?;
        assert_eq!(to.zip(from).map(|(to, from)| to - from), Some(day_ms));
        assert_eq!(range("2023-02-04T00:00:00Z", "2023-02-05T01:00:00+01:00")?, (from, to));
        assert_eq!(range("2023-02-04 00:00", "2023-02-05T00:00:00")?, (from, to));
        assert_eq!(range("2023-02-04T00:00Z", "2023-02-05T05:30:00+0530")?, (from, to));
        assert_eq!(range("20230204T000000Z", "2023-02-05T00:00:00.000")?, (from, to));
        assert_eq!(range("2023-02-04T00:00:00.123", "2023-02-05")?.0, from.map(|from| from + 123));
        Ok(())
    }

    #[test]
    fn the_end_in_a_url_is_not_included() -> anyhow::Result<()> {
        let typed = |from: &str, to: &str| Filters {
            from: Some(from.to_owned()),
            to: Some(to.to_owned()),
            ..Filters::default()
        };
        let days = filter_of_url(&typed("2023-02-04", "2023-02-05"), "UTC")?;
        assert_eq!((days.from, days.to), range("2023-02-04", "2023-02-04")?);
        let empty = filter_of_url(&typed("2023-02-04", "2023-02-04"), "UTC").unwrap_err().to_string();
        assert_eq!(empty, "from 2023-02-04 is not before to 2023-02-04");
        Ok(())
    }

    #[test]
    fn a_wrong_time_and_an_empty_range_are_refused() {
        assert!(format!("{:#}", range("yesterday", "2023-02-04").unwrap_err()).contains("hint: write 2023-02-04"));
        for odd in ["", "2023", "2023-02", "1675512000", "T", "12:00", "2023-02-30T10:00", "0000-01-01T00:00Z"] {
            assert!(range(odd, "2023-02-04").is_err(), "{odd}");
        }
        assert!(range("2023-02-05", "2023-02-04").unwrap_err().to_string().contains("is not before"));
        let finer = range("2023-02-04T10:00:00.000001Z", "2023-02-05").unwrap_err();
        assert!(format!("{finer:#}").contains("finer than a millisecond"), "{finer:#}");
    }

    #[test]
    fn servers_and_origins_may_be_typed_in_any_spelling() -> anyhow::Result<()> {
        let spellings = [
            ("http://127.0.0.1:4000/", "127.0.0.1:4000"),
            (" https://Mastodon.Social/@ann", "mastodon.social"),
            ("mastodon.social:443", "mastodon.social"),
            ("wss://mastodon.social/api/v1/streaming", "mastodon.social"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ];
        for (typed, host) in spellings {
            let typed = vec![typed.to_owned()];
            let filter = filter(&Filters { servers: typed.clone(), origins: typed, ..Filters::default() }, "UTC")?;
            assert_eq!((filter.only.servers, filter.only.origins), (vec![host.to_owned()], vec![host.to_owned()]));
        }
        assert!(filter(&Filters { origins: vec!["a b".to_owned()], ..Filters::default() }, "UTC").is_err());
        Ok(())
    }
}
