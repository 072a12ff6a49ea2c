//! A server's rate limits: those that it announces, and those known of Mastodon.
//!
//! Mastodon allows 300 requests in 5 minutes and announces what is left (`X-RateLimit-*`). It also allows 300
//! requests in 15 minutes that page a timeline by id. Its headers do not mention that budget before it answers 429,
//! so the budget is counted here, in windows that begin when the server's windows begin. It outlives the process: a server counts what
//! it was asked before a restart too. Pure: time is an argument.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The time in which a number of paged requests is allowed.
pub const PAGED_WINDOW: Duration = Duration::from_secs(PAGED_WINDOW_SECONDS as u64);
const PAGED_WINDOW_SECONDS: i64 = 900;
/// Requests left to others who use the same token or address.
const REMAINING_MIN: f64 = 5.0;
/// The longest wait that one answer of a server can impose. Afterwards the server is asked again and can repeat it.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// The wait after a 429 that names none.
const WAIT_UNTOLD: Duration = Duration::from_secs(60);

/// A wait that a server asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The time without requests: `said`, but at most an hour.
    pub kept: Duration,
    /// The server's own number; `None` if it named no wait.
    pub said: Option<Duration>,
}

impl Wait {
    fn of(said: Option<Duration>) -> Wait {
        Wait { kept: said.unwrap_or(WAIT_UNTOLD).min(WAIT_MAX), said }
    }
}

/// The requests that one server still allows.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// No request is sent before this time.
    closed_until: Option<DateTime<Utc>>,
    /// No paged request is sent before this time.
    paged_closed_until: Option<DateTime<Utc>>,
    /// The number of the window since 1970, and the paged requests made in it.
    paged: (i64, u32),
    paged_max: u32,
    /// What the last answer announced that paged nothing.
    announced: Option<Announced>,
}

/// Requests that a server still allows, by its own word.
#[derive(Clone, Copy, Debug)]
struct Announced {
    limit: f64,
    remaining: f64,
    until: DateTime<Utc>,
}

impl Limits {
    /// Limits before the first request, with at most `paged_max` paged requests in 15 minutes.
    pub fn new(paged_max: u32) -> Limits {
        Limits { closed_until: None, paged_closed_until: None, paged: (0, 0), paged_max, announced: None }
    }

    /// The same, to be shared by the timelines of a server.
    pub(crate) fn shared(paged_max: u32) -> Arc<Mutex<Limits>> {
        Arc::new(Mutex::new(Limits::new(paged_max)))
    }

    /// How long to wait before a request at `now`; paged ones have a budget of their own.
    pub fn wait(&self, is_paged: bool, now: DateTime<Utc>) -> Option<Duration> {
        let mut until = self.closed_until;
        if is_paged {
            until = until.max(self.paged_closed_until);
            let (window, used) = self.paged;
            if used >= self.paged_max && window == window_of(now) {
                until = until.max(DateTime::from_timestamp((window + 1) * PAGED_WINDOW_SECONDS, 0));
            }
        }
        (until? - now).to_std().ok().filter(|wait| !wait.is_zero())
    }

    /// The interval between requests that would use what the server announced, all but a third of its limit, by the end of its
    /// window; `None` where it announced nothing or no more is left.
    pub(crate) fn spare_interval(&self, now: DateTime<Utc>) -> Option<Duration> {
        let Announced { limit, remaining, until } = self.announced?;
        let spare = remaining - limit / 3.0;
        let left = (until - now).to_std().ok()?;
        (spare >= 1.0).then(|| left.div_f64(spare))
    }

    /// Counts a paged request made at `now`.
    pub fn count_paged(&mut self, now: DateTime<Utc>) {
        let window = window_of(now);
        let used = if self.paged.0 == window { self.paged.1 } else { 0 };
        self.paged = (window, used + 1);
    }

    /// The lines that keep them over a restart.
    pub(crate) fn to_lines(&self, now: DateTime<Utc>) -> Vec<String> {
        let mut lines = Vec::new();
        let (window, used) = self.paged;
        if window == window_of(now) && used > 0 {
            lines.push(format!("pages {window} {used}"));
        }
        for (what, until) in [("closed", self.closed_until), ("closed-to-pages", self.paged_closed_until)] {
            if let Some(until) = until.filter(|until| *until > now) {
                lines.push(format!("{what} {}", until.timestamp_millis()));
            }
        }
        lines
    }

    /// Takes over a line that was kept: what is known already, by another timeline of the server, is not made less. One that cannot be
    /// read, or asks for a longer wait than a server can impose, is passed over.
    pub(crate) fn restore(&mut self, line: &str, now: DateTime<Utc>) {
        let until = |text: &str| {
            let until = DateTime::from_timestamp_millis(text.parse().ok()?)?;
            (until - now <= TimeDelta::from_std(WAIT_MAX).ok()?).then_some(until)
        };
        match *line.split(' ').collect::<Vec<_>>() {
            ["pages", window, used] => {
                if let (Ok(window), Ok(used)) = (window.parse(), used.parse())
                    && window <= window_of(now)
                {
                    self.paged = self.paged.max((window, used));
                }
            }
            ["closed", at] => self.closed_until = until(at).max(self.closed_until),
            ["closed-to-pages", at] => self.paged_closed_until = until(at).max(self.paged_closed_until),
            _ => {}
        }
    }

    /// Reads from any answer when the next request may follow. A refused paged request stops paged requests only: the
    /// newest page and the stream have limits of their own. Returns the wait after a good answer that used up the
    /// budget.
    pub fn take(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        is_paged: bool,
        now: DateTime<Utc>,
    ) -> Option<Wait> {
        if let Some(wait) = wait_told(status, headers, now) {
            let until = Some(now + wait.kept);
            let closed = if is_paged { &mut self.paged_closed_until } else { &mut self.closed_until };
            *closed = until.max(*closed);
            return None;
        }
        let remaining = number(headers, "x-ratelimit-remaining")?;
        let wait = Wait::of(Some(until(headers, "x-ratelimit-reset", now)?));
        let until = now + wait.kept;
        if !is_paged {
            let limit = number(headers, "x-ratelimit-limit").filter(|limit| *limit >= remaining);
            self.announced = limit.map(|limit| Announced { limit, remaining, until });
        }
        if remaining < REMAINING_MIN {
            self.closed_until = Some(until);
            return Some(wait);
        }
        None
    }
}

/// The wait that an answer imposes: 429 always does, a failure (500 and above) does with `Retry-After`.
pub fn wait_told(status: StatusCode, headers: &HeaderMap, now: DateTime<Utc>) -> Option<Wait> {
    let retry_after = || until(headers, RETRY_AFTER.as_str(), now);
    if status == StatusCode::TOO_MANY_REQUESTS {
        Some(Wait::of(retry_after().or_else(|| until(headers, "x-ratelimit-reset", now))))
    } else if status.is_server_error() {
        retry_after().map(|said| Wait::of(Some(said)))
    } else {
        None
    }
}

/// The time by the server's clock, or by ours if the server does not send it.
pub fn time_of(headers: &HeaderMap, now: DateTime<Utc>) -> DateTime<Utc> {
    text(headers, DATE.as_str()).and_then(date).unwrap_or(now)
}

/// The time from now to the time in a header; zero for a time in the past.
///
/// Servers and proxies write a date in the forms of HTTP, RFC 2822 or RFC 3339, a number of seconds to wait, or the
/// time since 1970 in seconds down to nanoseconds. The numbers do not overlap for times between 1973 and 5138.
fn until(headers: &HeaderMap, name: &str, now: DateTime<Utc>) -> Option<Duration> {
    let told = text(headers, name)?;
    let server_now = time_of(headers, now);
    let Ok(number) = told.parse::<f64>() else {
        return Some((date(told)? - server_now).to_std().unwrap_or_default());
    };
    let since_1970 = match number {
        n if n.is_nan() => return None,
        n if n < 1e8 => return Some(bounded(n)),
        n if n < 1e11 => n,
        n if n < 1e14 => n / 1e3,
        n if n < 1e17 => n / 1e6,
        n => n / 1e9,
    };
    Some(bounded(since_1970 - server_now.timestamp_micros() as f64 / 1e6))
}

/// `seconds` (not NaN) as a duration between zero and a century.
fn bounded(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.0, 3.2e9))
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    let http = httpdate::parse_http_date(text).ok().map(DateTime::<Utc>::from);
    http.or_else(|| {
        DateTime::parse_from_rfc3339(text)
            .or_else(|_| DateTime::parse_from_rfc2822(text))
            .ok()
            .map(|date| date.to_utc())
    })
}

fn window_of(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(PAGED_WINDOW_SECONDS)
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    text(headers, name)?.parse().ok()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use reqwest::header::HeaderName;

    use super::*;

    const OK: StatusCode = StatusCode::OK;
    const LIMITED: StatusCode = StatusCode::TOO_MANY_REQUESTS;

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn limits_outlive_the_process_and_are_never_made_less() {
        let now = at("2026-01-01T00:05:00Z");
        let mut before = Limits::new(280);
        (0..280).for_each(|_| before.count_paged(now));
        before.take(LIMITED, &headers(&[("retry-after", "90")]), false, now);
        before.take(LIMITED, &headers(&[("retry-after", "30")]), true, now);
        let lines = before.to_lines(now);
        assert_eq!(lines.len(), 3);
        let mut after = Limits::new(280);
        for _ in 0..2 {
            lines.iter().for_each(|line| after.restore(line, now));
            assert_eq!(after.wait(false, now), Some(Duration::from_secs(90)));
            assert_eq!(after.wait(true, now), Some(Duration::from_secs(600)));
        }
        // What is over, of another time, or no limit at all, holds nothing up.
        assert_eq!(before.to_lines(at("2026-01-01T00:20:00Z")), [] as [String; 0]);
        let mut fresh = Limits::new(280);
        for odd in ["closed 9999999999999", "closed soon", "pages 9999999999 280", "pages 1", "pages 1 280", "closed"] {
            fresh.restore(odd, now);
            assert_eq!((fresh.wait(true, now), fresh.wait(false, now)), (None, None), "{odd}");
        }
    }

    #[test]
    fn nothing_is_asked_when_the_budget_is_used_up_until_the_reset() {
        let now = at("2026-01-01T00:00:00Z");
        for (remaining, wait) in
            [("290", None), ("5", None), ("0", Some(120)), ("4", Some(120)), ("0.0", Some(120)), ("x", None)]
        {
            let mut limits = Limits::new(280);
            let told =
                headers(&[("x-ratelimit-remaining", remaining), ("x-ratelimit-reset", "2026-01-01T00:02:00.000000Z")]);
            assert_eq!(limits.take(OK, &told, false, now).map(|wait| wait.kept), wait.map(Duration::from_secs));
            assert_eq!(limits.wait(false, now), wait.map(Duration::from_secs), "{remaining} left");
            assert_eq!(limits.wait(false, at("2026-01-01T00:02:00Z")), None);
        }
    }

    #[test]
    fn what_a_server_announces_is_shared_out_over_its_window_but_a_third() {
        let now = at("2026-01-01T00:00:00Z");
        let announced = |limit, remaining| {
            headers(&[
                ("x-ratelimit-limit", limit),
                ("x-ratelimit-remaining", remaining),
                ("x-ratelimit-reset", "2026-01-01T00:05:00Z"),
            ])
        };
        for (limit, remaining, seconds) in [
            ("300", "300", Some(1.5)),
            ("300", "250", Some(2.0)),
            ("1500", "1500", Some(0.3)),
            ("300", "100", None),
            ("300", "3", None),
            ("300", "301", None),
            ("inf", "300", None),
            ("x", "300", None),
            ("300", "NaN", None),
        ] {
            let mut limits = Limits::new(280);
            assert_eq!(limits.spare_interval(now), None);
            limits.take(OK, &announced(limit, remaining), false, now);
            assert_eq!(limits.spare_interval(now), seconds.map(Duration::from_secs_f64), "{remaining} of {limit}");
            assert_eq!(limits.spare_interval(at("2026-01-01T00:05:01Z")), None, "of a window that is over");
        }
        // Pages have a limit of their own, which says nothing of this one.
        let mut limits = Limits::new(280);
        limits.take(OK, &announced("300", "300"), false, now);
        limits.take(OK, &announced("300", "150"), true, now);
        assert_eq!(limits.spare_interval(now), Some(Duration::from_millis(1_500)));
    }

    #[test]
    fn a_time_is_read_in_every_form_that_servers_write() {
        let now = at("2026-01-01T00:00:00Z");
        for (told, seconds) in [
            ("90", Some(90.0)),
            ("90.5", Some(90.5)),
            (" 90 ", Some(90.0)),
            ("0", Some(0.0)),
            ("-5", Some(0.0)),
            ("1767225690", Some(90.0)),
            ("1767225690.25", Some(90.25)),
            ("1767225690000", Some(90.0)),
            ("1767225690000000", Some(90.0)),
            ("1767225690000000000", Some(90.0)),
            ("1767225600", Some(0.0)),
            ("1000000000", Some(0.0)),
            ("2026-01-01T00:01:30Z", Some(90.0)),
            ("2026-01-01T00:01:30.000000Z", Some(90.0)),
            ("2026-01-01T01:01:30+01:00", Some(90.0)),
            ("Thu, 01 Jan 2026 00:01:30 GMT", Some(90.0)),
            ("Thursday, 01-Jan-26 00:01:30 GMT", Some(90.0)),
            ("Thu Jan  1 00:01:30 2026", Some(90.0)),
            ("Thu, 01 Jan 2026 00:01:30 +0000", Some(90.0)),
            ("Wed, 31 Dec 2025 23:59:00 GMT", Some(0.0)),
            ("", None),
            ("soon", None),
            ("NaN", None),
            ("Thu, 45 Jan 2026 00:01:30 GMT", None),
        ] {
            for name in ["retry-after", "x-ratelimit-reset"] {
                let read = until(&headers(&[(name, told)]), name, now);
                assert_eq!(read, seconds.map(Duration::from_secs_f64), "{name}: {told}");
            }
        }
    }

    #[test]
    fn an_absurd_wait_is_kept_for_an_hour_and_no_longer() {
        let now = at("2026-01-01T00:00:00Z");
        for told in [
            "31536000",
            "99999999",
            "1e300",
            "inf",
            "18446744073709551615",
            "99999999999999999999999999",
            "9999-12-31T23:59:59Z",
            "Fri, 31 Dec 9999 23:59:59 GMT",
        ] {
            let wait = wait_told(LIMITED, &headers(&[("retry-after", told)]), now).unwrap();
            assert_eq!(wait.kept, Duration::from_secs(3600), "{told}");
            assert!(wait.said.unwrap() > wait.kept, "{told}");
        }
    }

    #[test]
    fn a_reset_is_read_by_the_servers_clock() {
        let now = at("2026-01-01T00:00:00Z");
        let date = ("date", "Thu, 01 Jan 2026 05:00:00 GMT");
        let reset = "2026-01-01T05:01:30Z";
        for (told, seconds) in [
            (headers(&[("x-ratelimit-reset", reset), date]), 90),
            (headers(&[("x-ratelimit-reset", "1767243690"), date]), 90),
            (headers(&[("retry-after", "Thu, 01 Jan 2026 05:01:30 GMT"), date]), 90),
            (headers(&[("x-ratelimit-reset", reset)]), 3600),
            (headers(&[("x-ratelimit-reset", reset), ("date", "now")]), 3600),
            (headers(&[("x-ratelimit-reset", "2025-12-31T00:00:00Z")]), 0),
            (headers(&[("retry-after", "7"), ("x-ratelimit-reset", reset)]), 7),
            (headers(&[("retry-after", "?"), ("x-ratelimit-reset", "9")]), 9),
            (headers(&[]), 60),
        ] {
            let wait = wait_told(LIMITED, &told, now).unwrap();
            assert_eq!(wait.kept, Duration::from_secs(seconds), "{told:?}");
        }
    }

    #[test]
    fn a_failure_closes_a_server_only_where_it_says_for_how_long() {
        let now = at("2026-01-01T00:00:00Z");
        for (status, told, seconds) in [
            (StatusCode::SERVICE_UNAVAILABLE, Some("120"), Some(120)),
            (StatusCode::SERVICE_UNAVAILABLE, Some("Thu, 01 Jan 2026 00:02:00 GMT"), Some(120)),
            (StatusCode::BAD_GATEWAY, Some("120"), Some(120)),
            (StatusCode::SERVICE_UNAVAILABLE, None, None),
            (OK, Some("120"), None),
            (LIMITED, None, Some(60)),
        ] {
            let told = told.map_or_else(HeaderMap::new, |told| headers(&[("retry-after", told)]));
            let mut limits = Limits::new(280);
            limits.take(status, &told, false, now);
            assert_eq!(limits.wait(false, now), seconds.map(Duration::from_secs), "{status} {told:?}");
        }
    }

    #[test]
    fn a_refused_paged_request_leaves_the_others_open() {
        let now = at("2026-01-01T00:00:00Z");
        let mut limits = Limits::new(280);
        limits.take(LIMITED, &headers(&[("retry-after", "120")]), true, now);
        assert_eq!(limits.wait(true, now), Some(Duration::from_secs(120)));
        assert_eq!(limits.wait(false, now), None);
    }

    #[test]
    fn paged_requests_have_a_budget_of_their_own_in_the_servers_windows() {
        let mut limits = Limits::new(280);
        let now = at("2026-01-01T00:10:00Z");
        for _ in 0..280 {
            assert_eq!(limits.wait(true, now), None);
            limits.count_paged(now);
        }
        assert_eq!(limits.wait(true, now), Some(Duration::from_secs(300)));
        assert_eq!(limits.wait(false, now), None);
        assert_eq!(limits.wait(true, at("2026-01-01T00:15:00Z")), None);
    }
}
