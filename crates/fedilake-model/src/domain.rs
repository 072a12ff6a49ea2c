//! The domain in a URL or in an account's name.

/// The host of an http or https URL as written, with its port if it names one; `None` for anything else.
pub(crate) fn of_url(url: &str) -> Option<&str> {
    let rest = strip_prefix_ignore_case(url, "https://").or_else(|| strip_prefix_ignore_case(url, "http://"))?;
    let authority = &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (!host.is_empty() && !host.contains(char::is_whitespace)).then_some(host)
}

/// `user@domain` apart; the domain is `None` where the account is the server's own.
pub(crate) fn split_acct(acct: &str) -> (&str, Option<&str>) {
    let acct = acct.strip_prefix('@').unwrap_or(acct);
    match acct.split_once('@') {
        Some((user, domain)) => (user, Some(domain).filter(|d| !d.is_empty())),
        None => (acct, None),
    }
}

fn strip_prefix_ignore_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_url_is_what_stands_between_scheme_and_path() {
        let cases = [
            ("https://mastodon.social/@a", Some("mastodon.social")),
            ("HTTPS://Mastodon.Social", Some("Mastodon.Social")),
            ("http://localhost:3000/ap/1", Some("localhost:3000")),
            ("https://user:pass@host.example?q", Some("host.example")),
            ("https://[::1]:4000/x", Some("[::1]:4000")),
            ("https:///path", None),
            ("https://a b/", None),
            ("tag:example.org,2020:1", None),
            ("ftp://example.org/", None),
            ("https:/é", None),
            ("", None),
        ];
        for (url, host) in cases {
            assert_eq!(of_url(url), host, "{url}");
        }
    }

    #[test]
    fn an_acct_without_a_domain_is_local() {
        assert_eq!(split_acct("ann"), ("ann", None));
        assert_eq!(split_acct("@ann"), ("ann", None));
        assert_eq!(split_acct("ann@"), ("ann", None));
        assert_eq!(split_acct("ann@Example.org"), ("ann", Some("Example.org")));
    }
}
