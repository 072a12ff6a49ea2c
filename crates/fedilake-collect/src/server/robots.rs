//! robots.txt of a server (RFC 9309): whether its API may be read, and how often.
//!
//! - Read once an hour, by the client that reads everything else. Rules that were read hold until others are; while they
//!   cannot be read for the first time, nothing else is.
//! - 2xx: the rules of the group for `fedilake`, else of the group for `*`. A file without such a group allows everything.
//! - 4xx: there are no rules.
//! - 429, 5xx, no answer: nothing is allowed until there is one.
//! - The longest rule that fits a path counts; of two as long, the one that allows. `*` stands for any characters, `$` for
//!   the path's end.
//! - `Crawl-delay` is no part of the RFC, and GoToSocial sends it: the least time between two requests.
//!
//! A server of the operator's own is exempt ([`CollectorSettings::own_servers`](crate::CollectorSettings)): its robots.txt
//! speaks to others.

use std::time::Duration;

use reqwest::Url;

use crate::server::error::{SourceError, said};

/// The name under which rules for this program stand.
pub const PRODUCT: &str = "fedilake";

/// The most bytes of a file that count; the RFC asks for at least 500 kiB.
pub const BYTES_MAX: usize = 512 << 10;

/// The longest pause between requests that is kept to.
const CRAWL_DELAY_MAX: Duration = Duration::from_secs(24 * 3600);

/// The rules for this program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
    /// The least time between two requests.
    pub crawl_delay: Option<Duration>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    allows: bool,
    /// The path as the file has it, in the one spelling.
    pattern: String,
}

impl Rules {
    /// Reads a file. Lines that mean nothing are passed over.
    pub fn parse(text: &[u8]) -> Rules {
        let text = String::from_utf8_lossy(&text[..text.len().min(BYTES_MAX)]);
        let (mut own, mut others) = (None::<Rules>, None::<Rules>);
        // The group that the line belongs to.
        let (mut is_own, mut is_others, mut is_heading) = (false, false, false);
        for line in text.trim_start_matches('\u{feff}').split(['\n', '\r']) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((key, value)) = line.split_once(':') else { continue };
            let (key, value) = (key.trim(), value.trim());
            if key.eq_ignore_ascii_case("user-agent") {
                if !is_heading {
                    (is_own, is_others, is_heading) = (false, false, true);
                }
                if names_product(value) {
                    is_own = true;
                    own.get_or_insert_default();
                } else if value == "*" {
                    is_others = true;
                    others.get_or_insert_default();
                }
                continue;
            }
            // A key that is no rule, such as Sitemap, belongs to no group and ends none.
            let rule = match () {
                () if key.eq_ignore_ascii_case("allow") => Line::Rule(true),
                () if key.eq_ignore_ascii_case("disallow") => Line::Rule(false),
                () if key.eq_ignore_ascii_case("crawl-delay") => Line::Delay,
                () => continue,
            };
            is_heading = false;
            let groups = [own.as_mut().filter(|_| is_own), others.as_mut().filter(|_| is_others)];
            for group in groups.into_iter().flatten() {
                match rule {
                    // An empty rule says nothing.
                    Line::Rule(allows) if !value.is_empty() => {
                        group.rules.push(Rule { allows, pattern: spelled(value) });
                    }
                    Line::Rule(_) => {}
                    Line::Delay => group.crawl_delay = group.crawl_delay.max(seconds(value)),
                }
            }
        }
        own.or(others).unwrap_or_default()
    }

    /// The rule that forbids `path`, as the file has it: `Disallow: /api/`.
    pub fn forbids(&self, path: &str) -> Option<String> {
        let path = spelled(path);
        let fitting = self.rules.iter().filter(|rule| fits(&rule.pattern, &path));
        let rule = fitting.max_by_key(|rule| (rule.pattern.len(), rule.allows))?;
        (!rule.allows).then(|| format!("Disallow: {}", said(&rule.pattern)))
    }

    /// Fails with the rule that forbids a request to `url`.
    pub(crate) fn check(&self, url: &Url) -> Result<(), SourceError> {
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        match self.forbids(&path) {
            Some(rule) => Err(SourceError::Disallowed { path: said(url.path()), rule }),
            None => Ok(()),
        }
    }

    /// True if nothing is forbidden and no pause is asked for.
    pub fn is_empty(&self) -> bool {
        self.rules.iter().all(|rule| rule.allows) && self.crawl_delay.is_none()
    }
}

#[derive(Clone, Copy)]
enum Line {
    Rule(bool),
    Delay,
}

/// True if a group's name is ours: the product's name alone, in any letter case, perhaps with a version.
fn names_product(value: &str) -> bool {
    let end = value.find(|c: char| !(c.is_ascii_alphabetic() || c == '-' || c == '_')).unwrap_or(value.len());
    value[..end].eq_ignore_ascii_case(PRODUCT)
}

fn seconds(value: &str) -> Option<Duration> {
    let seconds: f64 = value.parse().ok()?;
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(CRAWL_DELAY_MAX.as_secs_f64())))
}

/// A path in one spelling: characters that need no escape stand for themselves, all others are escaped in capitals.
fn spelled(path: &str) -> String {
    let bytes = path.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut spelled = String::with_capacity(path.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped = match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => u8::try_from(16 * high + low).ok(),
            _ => None,
        };
        at += if escaped.is_some() { 3 } else { 1 };
        match escaped {
            Some(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => spelled.push(char::from(byte)),
            Some(byte) => spelled.push_str(&format!("%{byte:02X}")),
            None if byte.is_ascii_graphic() => spelled.push(char::from(*byte)),
            None => spelled.push_str(&format!("%{byte:02X}")),
        }
    }
    spelled
}

/// True if `pattern` fits the beginning of `path`, or all of it if the pattern ends in `$`.
fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, is_whole) = match pattern.strip_suffix('$') {
        Some(pattern) => (pattern, true),
        None => (pattern, false),
    };
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let last = parts.pop();
    // The earliest place leaves the most to the parts behind it.
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    match (last, is_whole) {
        (None, true) => rest.is_empty(),
        (None, false) => true,
        (Some(last), true) => rest.ends_with(last),
        (Some(last), false) => rest.contains(last),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const TIMELINE: &str = "/api/v1/timelines/public";

    fn forbids(file: &str, path: &str) -> bool {
        Rules::parse(file.as_bytes()).forbids(path).is_some()
    }

    #[test]
    fn the_longest_rule_of_the_own_group_counts() {
        for (file, expected) in [
            ("", false),
            ("<!doctype html><p>User-agent: *", false),
            ("User-agent: *\nDisallow: /", true),
            ("user-agent:*\ndisallow:/api/ # please", true),
            ("User-agent: *\r\nDisallow: /api/\r\n", true),
            ("\u{feff}User-agent: *\rDisallow: /api/", true),
            ("User-agent: *\nDisallow:", false),
            ("Disallow: /", false),
            ("User-agent: GPTBot\nDisallow: /", false),
            ("User-agent: GPTBot\nUser-agent: *\nDisallow: /", true),
            ("User-agent: GPTBot\nDisallow: /\nUser-agent: *\nDisallow: /media", false),
            ("User-agent: *\nDisallow: /\nUser-agent: fedilake\nDisallow: /auth", false),
            ("User-agent: fedilake\nUser-agent: x\nDisallow: /api\nUser-agent: *\nAllow: /", true),
            ("User-agent: Fedilake/1.0\nDisallow: /", true),
            ("User-agent: fedilaker\nDisallow: /", false),
            // A group may stand in parts.
            (
                "User-agent: fedilake\nAllow: /x\nUser-agent: y\nDisallow: /y\nUser-agent: fedilake\nDisallow: /api",
                true,
            ),
            ("User-agent: *\nDisallow: /api/\nAllow: /api/v1/timelines", false),
            ("User-agent: *\nAllow: /api/v1/timelines\nDisallow: /api/", false),
            ("User-agent: *\nAllow: /api\nDisallow: /api", false),
            ("User-agent: *\nDisallow: /api/v1/timelines/public$", true),
            ("User-agent: *\nDisallow: /api/v1/timelines$", false),
            ("User-agent: *\nDisallow: /*/timelines/", true),
            ("User-agent: *\nDisallow: *public$", true),
            ("User-agent: *\nDisallow: /api/*/*/*/*/", false),
            ("User-agent: *\nDisallow: /%61pi/", true),
            ("User-agent: *\nSitemap: https://a.example/map\nDisallow: /api/", true),
            ("User-agent: *\nCrawl-delay: 5\nUser-agent: z\nDisallow: /", false),
        ] {
            assert_eq!(forbids(file, TIMELINE), expected, "{file:?}");
        }
    }

    #[test]
    fn what_mastodon_and_gotosocial_send_is_read_as_they_mean_it() {
        let mastodon = "# See https://www.robotstxt.org/\nUser-agent: GPTBot\nDisallow: /\n\nUser-agent: *\nDisallow: /media_proxy/\nDisallow: /interact/\n";
        assert!(!forbids(mastodon, TIMELINE) && forbids(mastodon, "/media_proxy/1"));
        let gotosocial = "User-agent: *\nCrawl-delay: 500\nDisallow: /api/\nDisallow: /auth/\nDisallow: /users/\n";
        let rules = Rules::parse(gotosocial.as_bytes());
        assert_eq!(rules.forbids(TIMELINE).as_deref(), Some("Disallow: /api/"));
        assert_eq!(rules.crawl_delay, Some(Duration::from_secs(500)));
    }

    #[test]
    fn a_pause_is_a_number_of_seconds_of_the_own_group() {
        for (file, expected) in [
            ("User-agent: *\nCrawl-delay: 1.5", Some(1_500)),
            ("User-agent: *\nCrawl-delay: 1\nCrawl-delay: 10", Some(10_000)),
            ("User-agent: *\nCrawl-delay: 10\nUser-agent: fedilake\nAllow: /", None),
            ("User-agent: *\nCrawl-delay: -1", None),
            ("User-agent: *\nCrawl-delay: soon", None),
            ("User-agent: *\nCrawl-delay: NaN", None),
            ("User-agent: *\nCrawl-delay: 1e300", Some(86_400_000)),
        ] {
            let delay = Rules::parse(file.as_bytes()).crawl_delay;
            assert_eq!(delay.map(|delay| delay.as_millis()), expected, "{file:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_some_rules(bytes in proptest::collection::vec(any::<u8>(), 0..300), path in "/[a-z/%$*é]{0,20}") {
            let _ = Rules::parse(&bytes).forbids(&path);
        }

        #[test]
        fn a_pattern_fits_as_a_slow_comparison_says(pattern in "/[ab*]{0,6}[$]?", path in "/[ab]{0,8}") {
            fn slow(pattern: &[u8], path: &[u8]) -> bool {
                match (pattern, path) {
                    ([], _) => true,
                    ([b'$'], path) => path.is_empty(),
                    ([b'*', rest @ ..], path) => (0..=path.len()).any(|at| slow(rest, &path[at..])),
                    ([c, rest @ ..], [d, more @ ..]) => c == d && slow(rest, more),
                    _ => false,
                }
            }
            prop_assert_eq!(fits(&pattern, &path), slow(pattern.as_bytes(), path.as_bytes()));
        }
    }
}
