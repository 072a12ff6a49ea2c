//! Keeps servers from leading this process to this machine or into a private network.
//!
//! A server names other addresses: in redirects, in its document for its streams, and through names that resolve to
//! any address. Followed blindly, they would make this process read services that only it can reach. So a request
//! goes to an address of this machine or of a private network only if the operator listed that server, or if the
//! server that leads there is itself such an address. The addresses of listed names are used as they resolve.
//!
//! Behind an HTTP proxy the proxy resolves names, so that only literal addresses are refused here.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

/// The cause of reqwest's error for a refused host.
#[derive(Debug, thiserror::Error)]
#[error("{0} is an address of this machine or of a private network")]
pub(crate) struct ForbiddenHost(pub(crate) String);

/// The listed servers, and the addresses that they allow.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// The number of sources for each host and port.
    listed: Mutex<HashMap<(String, u16), usize>>,
    /// Hosts of the environment's proxies.
    proxies: Vec<String>,
}

impl Guard {
    /// A guard before any server is listed.
    pub(crate) fn new() -> Guard {
        let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
        let proxies = names.iter().filter_map(|name| std::env::var(name).ok()).filter_map(|typed| {
            let url = if typed.contains("://") { Url::parse(&typed) } else { Url::parse(&format!("http://{typed}")) };
            url.ok()?.host_str().map(str::to_owned)
        });
        Guard { listed: Mutex::default(), proxies: proxies.collect() }
    }

    /// Allows the server at `base`, which the operator listed.
    pub(crate) fn list(&self, base: &Url) {
        *self.listed().entry(place(base)).or_default() += 1;
    }

    /// Undoes one [`Guard::list`].
    pub(crate) fn unlist(&self, base: &Url) {
        let mut listed = self.listed();
        if let Some(count) = listed.get_mut(&place(base)) {
            *count -= 1;
            if *count == 0 {
                listed.remove(&place(base));
            }
        }
    }

    /// Fails if the server at `from` may not lead to `to`.
    pub(crate) fn check(&self, from: &Url, to: &Url) -> Result<(), ForbiddenHost> {
        let may =
            place(from) == place(to) || is_inside(from) || !is_inside(to) || self.listed().contains_key(&place(to));
        if may { Ok(()) } else { Err(ForbiddenHost(to.host_str().unwrap_or_default().to_owned())) }
    }

    /// True if a name may resolve to any address. [`Guard::check`] decides about `localhost` before.
    fn may_be_inside(&self, name: &str) -> bool {
        is_localhost(name)
            || self.proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(name))
            || self.listed().keys().any(|(host, _)| host.eq_ignore_ascii_case(name))
    }

    fn listed(&self) -> MutexGuard<'_, HashMap<(String, u16), usize>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The system's resolver, without the addresses that a name may not have.
#[derive(Clone, Debug)]
pub(crate) struct GuardedResolver(pub(crate) Arc<Guard>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let may_be_inside = self.0.may_be_inside(name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> =
                found.filter(|address| may_be_inside || !is_private(address.ip())).collect();
            if addresses.is_empty() {
                return Err(ForbiddenHost(name.as_str().to_owned()).into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

fn place(url: &Url) -> (String, u16) {
    (url.host_str().unwrap_or_default().to_owned(), url.port_or_known_default().unwrap_or_default())
}

/// True if the URL itself names this machine or an address of a private network.
pub(crate) fn is_inside(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_private(address.into()),
        Some(Host::Ipv6(address)) => is_private(address.into()),
        Some(Host::Domain(name)) => is_localhost(name),
        None => false,
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// True for addresses that are not part of the public internet.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => match v4_within(address) {
            Some(within) => is_private_v4(within),
            None => {
                address.is_loopback()
                    || address.is_unspecified()
                    || address.is_unique_local()
                    || address.is_unicast_link_local()
                    || address.is_multicast()
            }
        },
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || first == 0
        // Shared by a provider's customers (RFC 6598).
        || (first == 100 && (64..128).contains(&second))
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, or behind NAT64 (RFC 6052).
fn v4_within(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let is_nat64 = address.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    if is_nat64 {
        let [.., a, b, c, d] = address.octets();
        return Some(Ipv4Addr::new(a, b, c, d));
    }
    let is_v6 = address.is_loopback() || address.is_unspecified();
    address.to_ipv4().filter(|_| !is_v6)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const INSIDE: &[&str] = &[
        "http://127.0.0.1:9200",
        "http://127.1",
        "http://2130706433",
        "http://0x7f000001",
        "http://0.0.0.0",
        "http://10.0.0.1",
        "http://172.16.5.4",
        "http://192.168.1.1",
        "http://100.64.0.1",
        "http://169.254.169.254",
        "http://255.255.255.255",
        "http://[::1]:9200",
        "http://[::]",
        "http://[::ffff:127.0.0.1]",
        "http://[::127.0.0.1]",
        "http://[64:ff9b::7f00:1]",
        "http://[fe80::1]",
        "http://[fd00::1]",
        "http://localhost:9200",
        "http://LOCALHOST.",
        "http://db.localhost",
    ];

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn strangers_do_not_lead_inside() {
        let guard = Guard::new();
        for to in INSIDE {
            assert!(guard.check(&url("https://a.example"), &url(to)).is_err(), "{to}");
            assert!(guard.check(&url("https://8.8.8.8"), &url(to)).is_err(), "{to}");
        }
        for to in ["https://b.example", "http://8.8.8.8", "http://[2001:4860:4860::8888]", "http://[64:ff9b::808:808]"]
        {
            assert!(guard.check(&url("https://a.example"), &url(to)).is_ok(), "{to}");
        }
    }

    #[test]
    fn listed_servers_and_servers_inside_lead_inside() {
        let guard = Guard::new();
        for to in INSIDE {
            assert!(guard.check(&url("http://127.0.0.1:4000"), &url(to)).is_ok(), "{to}");
        }
        let (stranger, ours) = (url("https://a.example"), url("http://127.0.0.1:4000"));
        guard.list(&ours);
        guard.list(&ours);
        guard.unlist(&ours);
        assert!(guard.check(&stranger, &url("http://127.0.0.1:4000/api")).is_ok());
        assert!(guard.check(&stranger, &url("http://127.0.0.1:4001/api")).is_err());
        guard.unlist(&ours);
        assert!(guard.check(&stranger, &url("http://127.0.0.1:4000/api")).is_err());
    }

    #[tokio::test]
    async fn a_name_resolves_inside_only_where_the_operator_listed_it() {
        let guard = Arc::new(Guard { proxies: Vec::new(), ..Guard::default() });
        let resolve = |name: &str| GuardedResolver(guard.clone()).resolve(name.parse().unwrap());
        // The name is a literal address, because no other name resolves without a network.
        assert!(resolve("127.0.0.1").await.is_err());
        assert!(resolve("169.254.169.254").await.is_err());
        assert!(resolve("8.8.8.8").await.is_ok());
        guard.list(&url("http://127.0.0.1:4000"));
        assert!(resolve("127.0.0.1").await.is_ok());
    }
}
