//! The manner in which a server says how long to wait: the forms of its headers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use chrono::{DateTime, TimeDelta, Utc};

use super::limits::Standing;
use super::software::Software;

/// The forms of `X-RateLimit-Reset` and `Retry-After`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// The end of a window, in every answer with limits.
    pub reset: Reset,
    /// The wait, in 429 and 503; `None`: a 429 has none, and a 503 both forms in turn.
    pub retry_after: Option<RetryAfter>,
}

/// A form of `X-RateLimit-Reset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reset {
    /// `2023-02-03T21:40:00.000000Z`, Mastodon's.
    #[default]
    Iso8601,
    /// Seconds since 1970.
    EpochSeconds,
    /// Seconds from the answer on.
    SecondsToGo,
    /// No header.
    Untold,
}

/// A form of `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// Seconds from the answer on.
    Seconds,
    /// `Fri, 03 Feb 2023 21:40:00 GMT`.
    HttpDate,
}

impl Manner {
    /// A manner for each software, so that every form occurs among them. Mastodon's is as observed; the others are drawn by lot.
    pub(crate) fn of(software: Software) -> Manner {
        let (reset, retry_after) = match software {
            Software::Mastodon => return Manner::default(),
            Software::Pleroma => (Reset::EpochSeconds, None),
            Software::Akkoma => (Reset::EpochSeconds, Some(RetryAfter::HttpDate)),
            Software::GoToSocial => (Reset::EpochSeconds, Some(RetryAfter::Seconds)),
            Software::Pixelfed => (Reset::SecondsToGo, Some(RetryAfter::Seconds)),
            Software::Friendica => (Reset::SecondsToGo, None),
            Software::Hollo => (Reset::Untold, Some(RetryAfter::HttpDate)),
        };
        Manner { reset, retry_after }
    }

    /// Adds `X-RateLimit-*`, and `Retry-After` if the request was refused.
    pub(crate) fn tell(self, standing: &Standing, now: DateTime<Utc>, headers: &mut HeaderMap) {
        let reset_at = DateTime::from_timestamp(standing.reset_at_s, 0).unwrap_or_default();
        let to_go = reset_at - now;
        let reset = match self.reset {
            Reset::Iso8601 => Some(reset_at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()),
            Reset::EpochSeconds => Some(standing.reset_at_s.to_string()),
            Reset::SecondsToGo => Some(whole_seconds(to_go).to_string()),
            Reset::Untold => None,
        };
        for (name, value) in [
            ("x-ratelimit-limit", Some(standing.limit.to_string())),
            ("x-ratelimit-remaining", Some(standing.remaining.to_string())),
            ("x-ratelimit-reset", reset),
        ] {
            if let Some(value) = value {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).expect("digits and marks"));
            }
        }
        if let Some(retry_after) = self.retry_after.filter(|_| standing.refused) {
            headers.insert(header::RETRY_AFTER, retry_after.value(to_go, now));
        }
    }

    /// `Retry-After` of a server that is not available.
    pub(crate) fn retry_after(self, wait: TimeDelta, now: DateTime<Utc>) -> HeaderValue {
        let in_turn = if now.timestamp() % 2 == 0 { RetryAfter::Seconds } else { RetryAfter::HttpDate };
        self.retry_after.unwrap_or(in_turn).value(wait, now)
    }
}

impl RetryAfter {
    fn value(self, wait: TimeDelta, now: DateTime<Utc>) -> HeaderValue {
        match self {
            RetryAfter::Seconds => HeaderValue::from(whole_seconds(wait)),
            RetryAfter::HttpDate => http_date(now + wait),
        }
    }
}

/// As HTTP writes times: `Fri, 03 Feb 2023 21:40:00 GMT`.
pub(crate) fn http_date(at: DateTime<Utc>) -> HeaderValue {
    HeaderValue::from_str(&at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()).expect("a date is ASCII")
}

/// Never less than the wait.
fn whole_seconds(wait: TimeDelta) -> u64 {
    u64::try_from(wait.num_milliseconds()).unwrap_or(0).div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_says_the_same_time() {
        let now = DateTime::from_timestamp(1_000, 500_000_000).unwrap();
        let standing = Standing { limit: 300, remaining: 0, reset_at_s: 1_200, refused: true };
        for (reset, expected) in [
            (Reset::Iso8601, Some("1970-01-01T00:20:00.000000Z")),
            (Reset::EpochSeconds, Some("1200")),
            (Reset::SecondsToGo, Some("200")),
            (Reset::Untold, None),
        ] {
            for (retry_after, wait) in [
                (None, None),
                (Some(RetryAfter::Seconds), Some("200")),
                (Some(RetryAfter::HttpDate), Some("Thu, 01 Jan 1970 00:20:00 GMT")),
            ] {
                let mut headers = HeaderMap::new();
                Manner { reset, retry_after }.tell(&standing, now, &mut headers);
                let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
                assert_eq!((text("x-ratelimit-reset"), text("retry-after")), (expected, wait));
                assert_eq!((text("x-ratelimit-limit"), text("x-ratelimit-remaining")), (Some("300"), Some("0")));
            }
        }
    }

    #[test]
    fn a_request_that_was_answered_is_not_told_to_wait() {
        let manner = Manner { retry_after: Some(RetryAfter::Seconds), ..Manner::default() };
        let standing = Standing { limit: 300, remaining: 0, reset_at_s: 1_200, refused: false };
        let mut headers = HeaderMap::new();
        manner.tell(&standing, DateTime::from_timestamp(1_000, 0).unwrap(), &mut headers);
        assert!(!headers.contains_key("retry-after"));
    }
}
