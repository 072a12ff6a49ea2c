//! The server that shows a post, and whose posts it may speak for.

use std::borrow::Cow;

use crate::{Server, domain};

/// A server that shows an event, with the domain in its members' handles.
///
/// That domain often differs from the server's host: `ann@ann.example` may have its home on `social.ann.example`. The
/// server names the domain in its instance document, and other servers use it in its members' handles.
/// [`Server::trusted_domain`] says which claims count.
#[derive(Clone, Copy, Debug)]
pub struct ShownBy<'a> {
    server: &'a Server,
    domain: Option<&'a str>,
}

/// An account by its full name.
pub(crate) struct Named {
    /// `user@domain`.
    pub(crate) acct: String,
    pub(crate) domain: String,
    /// True if the account is a member of the server that shows it.
    pub(crate) is_local: bool,
}

impl Server {
    /// `claimed` in its one spelling, if this server may claim it as the domain in its members' handles.
    ///
    /// A server that is read by its name may claim this name or a domain above it, because the owner of that domain
    /// gave out the name. It can never speak for other domains. A server that is read by an IP address or as
    /// localhost may claim any domain: whoever configured it knows which server it is.
    pub fn trusted_domain(&self, claimed: &str) -> Option<String> {
        let domain = domain::named(claimed)?;
        let host = self.as_str();
        let is_trusted = domain::is_address(host) || domain::is_same_or_below(host, &domain);
        is_trusted.then(|| domain.into_owned())
    }
}

impl<'a> ShownBy<'a> {
    /// `server` with its members' `domain`, as [`Server::trusted_domain`] returned it.
    pub fn new(server: &'a Server, domain: Option<&'a str>) -> ShownBy<'a> {
        ShownBy { server, domain }
    }

    pub(crate) fn server(&self) -> &'a Server {
        self.server
    }

    /// The full name of an account, whose pages are at `urls`. Servers name their own members without a domain.
    ///
    /// If the domain is not a valid host, the domain of the pages counts. The domain of the pages also counts for the
    /// members of a server that is read by an IP address and whose domain is unknown. Members of a server that is
    /// read by its name have no other domain.
    pub(crate) fn named(&self, acct: &str, urls: &[Option<&str>]) -> Option<Named> {
        let (user, given) = domain::split_acct(acct);
        if user.is_empty() {
            return None;
        }
        let host = self.server.as_str();
        let of_pages = || urls.iter().flatten().find_map(|url| domain::of_uri(url));
        let domain = match (given, self.domain) {
            (Some(given), _) => domain::named(given).or_else(of_pages)?,
            (None, Some(domain)) => Cow::Borrowed(domain),
            (None, None) if domain::is_address(host) => of_pages().unwrap_or(Cow::Borrowed(host)),
            (None, None) => Cow::Borrowed(host),
        };
        let is_local = given.is_none() || domain == host || Some(&*domain) == self.domain;
        Some(Named { acct: [user, "@", &domain].concat(), domain: domain.into_owned(), is_local })
    }

    /// True if a post of this uri was made on this server.
    pub(crate) fn is_origin_of(&self, uri: &str) -> bool {
        let host = self.server.as_str();
        let is_of = |one: &str| domain::of_uri(uri).is_some_and(|host| domain::are_related(&host, one));
        domain::is_address(host) || is_of(host) || self.domain.is_some_and(is_of)
    }
}

impl<'a> From<&'a Server> for ShownBy<'a> {
    /// A server without a known instance document.
    fn from(server: &'a Server) -> ShownBy<'a> {
        ShownBy::new(server, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_speaks_for_its_name_and_for_what_is_above_it() {
        for (server, claimed, trusted) in [
            ("social.ann.example", "ann.example", Some("ann.example")),
            ("social.ann.example", "Social.Ann.Example", Some("social.ann.example")),
            ("social.ann.example", "https://ann.example", Some("ann.example")),
            ("social.ann.example:8443", "ann.example", Some("ann.example")),
            ("xn--bcher-kva.example", "Bücher.example", Some("xn--bcher-kva.example")),
            ("127.0.0.1:4000", "ann.example", Some("ann.example")),
            ("[::1]:4000", "ann.example", Some("ann.example")),
            ("localhost", "ann.example", Some("ann.example")),
            ("social.ann.example", "example", None),
            ("ann.example", "social.ann.example", None),
            ("ann.example", "bob.example", None),
            ("evilann.example", "ann.example", None),
            ("ann.example", "", None),
            ("127.0.0.1:4000", "a b", None),
        ] {
            assert_eq!(Server::new(server).trusted_domain(claimed).as_deref(), trusted, "{server} {claimed}");
        }
    }

    #[test]
    fn an_account_has_one_whole_name() {
        let page = Some("https://social.ann.example/@ann");
        for (server, domain, acct, url, expected) in [
            ("social.ann.example", Some("ann.example"), "ann", page, Some(("ann@ann.example", true))),
            ("social.ann.example", None, "ann", page, Some(("ann@social.ann.example", true))),
            ("social.ann.example", Some("ann.example"), "ann@ann.example", page, Some(("ann@ann.example", true))),
            ("far.example", Some("far.example"), "ann@ann.example", page, Some(("ann@ann.example", false))),
            ("far.example", None, "Ann@Bücher.example", page, Some(("Ann@xn--bcher-kva.example", false))),
            ("far.example", None, "ann@ann.example:443", page, Some(("ann@ann.example", false))),
            // A server names its own members, whatever their pages' host.
            ("far.example", None, "ann", page, Some(("ann@far.example", true))),
            ("127.0.0.1:4000", None, "ann", page, Some(("ann@social.ann.example", true))),
            ("127.0.0.1:4000", Some("ann.example"), "ann", page, Some(("ann@ann.example", true))),
            ("127.0.0.1:4000", None, "ann", None, Some(("ann@127.0.0.1:4000", true))),
            ("far.example", None, "ann@a b", page, Some(("ann@social.ann.example", false))),
            ("far.example", None, "ann@a b", None, None),
            ("far.example", None, "@", page, None),
        ] {
            let server = Server::new(server);
            let named = ShownBy::new(&server, domain).named(acct, &[url]);
            let found = named.as_ref().map(|named| (named.acct.as_str(), named.is_local));
            assert_eq!(found, expected, "{server} {domain:?} {acct}");
        }
    }

    #[test]
    fn a_server_is_the_origin_of_what_is_at_its_host_or_domain() {
        for (server, domain, uri, expected) in [
            ("a.example", None, "https://a.example/1", true),
            ("a.example", None, "https://A.example:443/1", true),
            ("a.example", None, "tag:a.example,2017-04-01:objectId=1", true),
            ("social.a.example", None, "https://a.example/1", true),
            ("social.a.example", Some("a.example"), "https://web.a.example/1", true),
            ("social.a.example", None, "https://web.a.example/1", false),
            ("a.example", None, "https://b.example/1", false),
            ("a.example", None, "odd", false),
            ("127.0.0.1:4000", None, "https://b.example/1", true),
        ] {
            let server = Server::new(server);
            assert_eq!(ShownBy::new(&server, domain).is_origin_of(uri), expected, "{server} {domain:?} {uri}");
        }
    }
}
