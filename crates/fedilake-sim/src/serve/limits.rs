//! Rate limits: Mastodon's throttles and their headers.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// A count of requests in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests to the API in a window, for a token or for an address without one.
    pub requests: u32,
    /// Length of that window.
    pub requests_window_seconds: u32,
    /// Requests with `min_id`, `max_id` or `since_id` in a window.
    pub paged: u32,
    /// Length of that window.
    pub paged_window_seconds: u32,
}

impl Default for RateLimits {
    /// Mastodon's: 300 in 5 minutes, 300 paged ones in 15.
    fn default() -> RateLimits {
        RateLimits { requests: 300, requests_window_seconds: 300, paged: 300, paged_window_seconds: 900 }
    }
}

/// Counts of the present windows. Windows begin at multiples of their length, as Mastodon's do.
pub(crate) struct Throttle {
    limits: RateLimits,
    counts: HashMap<(Kind, String), (i64, u32)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Request,
    Paged,
}

/// A client's standing in a window, as the rate limit headers say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) reset_at_s: i64,
    pub(crate) refused: bool,
}

/// Counts are swept when there are this many, so that clients that went away are forgotten.
const COUNTS_MAX: usize = 4_096;

impl Throttle {
    pub(crate) fn new(limits: RateLimits) -> Throttle {
        Throttle { limits, counts: HashMap::new() }
    }

    /// Counts one request by `client`; returns its standing in the window with the fewest requests left.
    pub(crate) fn count(&mut self, client: &str, paged: bool, now_s: i64) -> Standing {
        if self.counts.len() >= COUNTS_MAX {
            let window = i64::from(self.limits.requests_window_seconds.max(self.limits.paged_window_seconds));
            self.counts.retain(|_, (start, _)| *start + window > now_s);
        }
        let RateLimits { requests, requests_window_seconds, paged: paged_max, paged_window_seconds } = self.limits;
        let any = self.count_in(Kind::Request, client, requests, requests_window_seconds, now_s);
        if !paged {
            return any;
        }
        let paged = self.count_in(Kind::Paged, client, paged_max, paged_window_seconds, now_s);
        let least = if paged.remaining <= any.remaining { paged } else { any };
        Standing { refused: any.refused || paged.refused, ..least }
    }

    fn count_in(&mut self, kind: Kind, client: &str, limit: u32, window_s: u32, now_s: i64) -> Standing {
        let window_s = i64::from(window_s.max(1));
        let start = now_s - now_s.rem_euclid(window_s);
        let count = self.counts.entry((kind, client.to_owned())).or_insert((start, 0));
        if count.0 != start {
            *count = (start, 0);
        }
        count.1 = count.1.saturating_add(1);
        Standing {
            limit,
            remaining: limit.saturating_sub(count.1),
            reset_at_s: start + window_s,
            refused: count.1 > limit,
        }
    }
}

impl Standing {
    /// Adds `X-RateLimit-*`; the reset is a time as ISO 8601.
    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        let reset = chrono::DateTime::from_timestamp(self.reset_at_s, 0).unwrap_or_default();
        for (name, value) in [
            ("x-ratelimit-limit", self.limit.to_string()),
            ("x-ratelimit-remaining", self.remaining.to_string()),
            ("x-ratelimit-reset", reset.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).expect("digits and marks"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_beyond_the_limit_is_refused_until_the_window_ends() {
        let mut throttle = Throttle::new(RateLimits { requests: 2, ..RateLimits::default() });
        let standings: Vec<Standing> = (0..3).map(|_| throttle.count("::1", false, 1_000)).collect();
        assert_eq!(
            standings.iter().map(|s| (s.remaining, s.refused)).collect::<Vec<_>>(),
            [(1, false), (0, false), (0, true)]
        );
        assert_eq!(standings[0].reset_at_s, 1_200);
        assert!(!throttle.count("::2", false, 1_000).refused, "another client has its own count");
        assert!(!throttle.count("::1", false, 1_200).refused, "the next window starts anew");
    }

    #[test]
    fn paged_requests_have_a_window_of_their_own() {
        let mut throttle = Throttle::new(RateLimits { paged: 1, ..RateLimits::default() });
        assert!(!throttle.count("::1", true, 0).refused);
        assert_eq!(
            throttle.count("::1", true, 299),
            Standing { limit: 1, remaining: 0, reset_at_s: 900, refused: true }
        );
        assert!(!throttle.count("::1", false, 299).refused);
        assert!(throttle.count("::1", true, 899).refused);
        assert!(!throttle.count("::1", true, 900).refused);
    }
}
