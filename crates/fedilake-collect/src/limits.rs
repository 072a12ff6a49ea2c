//! A server's rate limits: what it tells, and what we know of Mastodon's.
//!
//! Mastodon allows 300 requests in 5 minutes and tells what is left (`X-RateLimit-*`). It allows 300 requests in 15 minutes
//! that page a timeline by id, of which its headers tell nothing until it answers 429: that budget is kept here, in windows
//! that begin where the server's begin. Pure: time is an argument.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The time in which a number of paged requests is allowed.
pub const PAGED_WINDOW: Duration = Duration::from_secs(PAGED_WINDOW_SECONDS as u64);
const PAGED_WINDOW_SECONDS: i64 = 900;
/// Requests left to others who use the same token or address.
const REMAINING_MIN: u64 = 5;
/// A longer wait is not believed.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// Where a 429 does not say how long.
const WAIT_UNTOLD: Duration = Duration::from_secs(60);

/// What may still be asked of one server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// No request before this.
    closed_until: Option<DateTime<Utc>>,
    /// The number of the window since 1970, and paged requests made in it.
    paged: (i64, u32),
    paged_max: u32,
}

impl Limits {
    /// Nothing asked yet; at most `paged_max` paged requests in 15 minutes.
    pub fn new(paged_max: u32) -> Limits {
        Limits { closed_until: None, paged: (0, 0), paged_max }
    }

    /// How long to wait before a request at `now`; paged ones have a budget of their own.
    pub fn wait(&self, is_paged: bool, now: DateTime<Utc>) -> Option<Duration> {
        let mut until = self.closed_until;
        let (window, used) = self.paged;
        if is_paged && used >= self.paged_max && window == window_of(now) {
            until = until.max(DateTime::from_timestamp((window + 1) * PAGED_WINDOW_SECONDS, 0));
        }
        (until? - now).to_std().ok().filter(|wait| !wait.is_zero())
    }

    /// Counts a paged request made at `now`.
    pub fn count_paged(&mut self, now: DateTime<Utc>) {
        let window = window_of(now);
        let used = if self.paged.0 == window { self.paged.1 } else { 0 };
        self.paged = (window, used + 1);
    }

    /// Takes what the headers of an answer, good or not, say about the next request.
    pub fn take(&mut self, headers: &HeaderMap, now: DateTime<Utc>) {
        let remaining = text(headers, "x-ratelimit-remaining").and_then(|left| left.parse::<u64>().ok());
        if remaining.is_some_and(|left| left < REMAINING_MIN)
            && let Some(wait) = until_reset(headers, now)
        {
            self.closed_until = Some(now + wait.min(WAIT_MAX));
        }
    }
}

/// How long a 429 tells us to wait.
pub fn wait_told(headers: &HeaderMap, now: DateTime<Utc>) -> Duration {
    let retry_after = text(headers, RETRY_AFTER.as_str()).and_then(|seconds| seconds.parse().ok());
    let told = retry_after.map(Duration::from_secs).or_else(|| until_reset(headers, now));
    told.unwrap_or(WAIT_UNTOLD).min(WAIT_MAX)
}

/// From now to the reset, by the server's own clock where it tells it.
fn until_reset(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let reset = DateTime::parse_from_rfc3339(text(headers, "x-ratelimit-reset")?).ok()?.to_utc();
    let server_now = text(headers, DATE.as_str()).and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let wait = reset - server_now.map_or(now, |date| date.to_utc());
    Some(wait.to_std().unwrap_or_default())
}

fn window_of(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(PAGED_WINDOW_SECONDS)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use reqwest::header::HeaderName;

    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().unwrap()
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn nothing_is_asked_when_the_budget_is_used_up_until_the_reset() {
        let now = at("2026-01-01T00:00:00Z");
        for (remaining, wait) in [("290", None), ("5", None), ("0", Some(120)), ("4", Some(120)), ("x", None)] {
            let mut limits = Limits::new(280);
            let told =
                headers(&[("x-ratelimit-remaining", remaining), ("x-ratelimit-reset", "2026-01-01T00:02:00.000000Z")]);
            limits.take(&told, now);
            assert_eq!(limits.wait(false, now), wait.map(Duration::from_secs), "{remaining} left");
            assert_eq!(limits.wait(false, at("2026-01-01T00:02:00Z")), None);
        }
    }

    #[test]
    fn a_reset_is_read_by_the_servers_clock_and_not_believed_beyond_an_hour() {
        let now = at("2026-01-01T00:00:00Z");
        let reset = "2026-01-01T05:01:30Z";
        for (told, seconds) in [
            (headers(&[("x-ratelimit-reset", reset), ("date", "Thu, 01 Jan 2026 05:00:00 GMT")]), 90),
            (headers(&[("x-ratelimit-reset", reset)]), 3600),
            (headers(&[("x-ratelimit-reset", "2025-12-31T00:00:00Z")]), 0),
            (headers(&[("x-ratelimit-reset", "1767225600")]), 60),
            (headers(&[("retry-after", "7"), ("x-ratelimit-reset", reset)]), 7),
            (headers(&[]), 60),
        ] {
            assert_eq!(wait_told(&told, now), Duration::from_secs(seconds), "{told:?}");
        }
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
