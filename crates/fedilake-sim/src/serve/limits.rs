//! Rate limits: Mastodon's throttles.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// A count of requests in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests to the API in a window, for a token or for an address without one.
    pub requests: u32,
    /// Length of that window.
    pub requests_window_seconds: u32,
    /// Requests with `min_id`, `max_id` or `since_id` in a window, for a token or for an address without one.
    pub paged: u32,
    /// Length of that window.
    pub paged_window_seconds: u32,
}

/// The limit of Mastodon for a user with all of her tokens together, in the window of [`RateLimits::requests`].
pub(crate) const USER_REQUESTS: u32 = 1_500;

impl Default for RateLimits {
    /// Mastodon's: 300 in 5 minutes, 300 paged ones in 15.
    fn default() -> RateLimits {
        RateLimits { requests: 300, requests_window_seconds: 300, paged: 300, paged_window_seconds: 900 }
    }
}

/// Counts of the present windows. Windows begin at multiples of their length, as Mastodon's do.
pub(crate) struct Throttle {
    limits: RateLimits,
    user_requests: u32,
    counts: HashMap<(Kind, String), (i64, u32)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Request,
    User,
    Paged,
}

/// A client: a token, or an address without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Client {
    /// The token, or the address, of which IPv6 has the /64 only.
    name: String,
    /// The token is one of the member's; a server has one member who has tokens.
    is_member: bool,
}

impl Client {
    pub(crate) fn token(token: String, is_member: bool) -> Client {
        Client { name: token, is_member }
    }

    pub(crate) fn at(address: IpAddr) -> Client {
        let name = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).to_string(),
        };
        Client { name, is_member: false }
    }
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
    pub(crate) fn new(limits: RateLimits, user_requests: u32) -> Throttle {
        Throttle { limits, user_requests, counts: HashMap::new() }
    }

    /// Counts one request by `client`; returns the standing in the window with the fewest requests left.
    pub(crate) fn count(&mut self, client: &Client, paged: bool, now_s: i64) -> Standing {
        if self.counts.len() >= COUNTS_MAX {
            let window = i64::from(self.limits.requests_window_seconds.max(self.limits.paged_window_seconds));
            self.counts.retain(|_, (start, _)| *start + window > now_s);
        }
        let RateLimits { requests, requests_window_seconds, paged: paged_max, paged_window_seconds } = self.limits;
        let mut least = self.count_in(Kind::Request, &client.name, requests, requests_window_seconds, now_s);
        if client.is_member {
            let user = self.count_in(Kind::User, "", self.user_requests, requests_window_seconds, now_s);
            least = least.or(user);
        }
        if paged {
            least = least.or(self.count_in(Kind::Paged, &client.name, paged_max, paged_window_seconds, now_s));
        }
        least
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
    /// The narrower of both, refused if one of them is.
    fn or(self, other: Standing) -> Standing {
        let refused = self.refused || other.refused;
        Standing { refused, ..if other.remaining <= self.remaining { other } else { self } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Client {
        Client::at(address.parse().unwrap())
    }

    #[test]
    fn the_request_beyond_the_limit_is_refused_until_the_window_ends() {
        let mut throttle = Throttle::new(RateLimits { requests: 2, ..RateLimits::default() }, USER_REQUESTS);
        let standings: Vec<Standing> = (0..3).map(|_| throttle.count(&at("::1"), false, 1_000)).collect();
        assert_eq!(
            standings.iter().map(|s| (s.remaining, s.refused)).collect::<Vec<_>>(),
            [(1, false), (0, false), (0, true)]
        );
        assert_eq!(standings[0].reset_at_s, 1_200);
        assert!(!throttle.count(&at("1::"), false, 1_000).refused, "another client has its own count");
        assert!(!throttle.count(&at("::1"), false, 1_200).refused, "the next window starts anew");
    }

    #[test]
    fn paged_requests_have_a_window_of_their_own() {
        let mut throttle = Throttle::new(RateLimits { paged: 1, ..RateLimits::default() }, USER_REQUESTS);
        assert!(!throttle.count(&at("::1"), true, 0).refused);
        assert_eq!(
            throttle.count(&at("::1"), true, 299),
            Standing { limit: 1, remaining: 0, reset_at_s: 900, refused: true }
        );
        assert!(!throttle.count(&at("::1"), false, 299).refused);
        assert!(throttle.count(&at("::1"), true, 899).refused);
        assert!(!throttle.count(&at("::1"), true, 900).refused);
    }

    #[test]
    fn a_user_has_a_limit_for_all_tokens_together_and_a_network_one_for_all_its_addresses() {
        let mut throttle = Throttle::new(RateLimits { requests: 2, ..RateLimits::default() }, 3);
        let member = |token: &str| Client::token(token.to_owned(), true);
        let mut is_refused = |client: &Client| throttle.count(client, false, 0).refused;
        assert_eq!(["a", "a", "a", "b"].map(|token| is_refused(&member(token))), [false, false, true, true]);
        assert_eq!(["2::1", "2::2", "2::3", "2:0:0:1::"].map(|ip| is_refused(&at(ip))), [false, false, true, false]);
    }
}
