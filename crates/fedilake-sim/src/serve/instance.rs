//! The documents in which a server describes itself.

use serde_json::{Value, json};

use super::access::Feed;
use super::scopes::Scopes;
use super::server::Server;
use super::software::Software;

/// `/api/v2/instance`; `None` where the software has none.
pub(crate) fn v2(server: &Server) -> Option<Value> {
    let software = server.software();
    let mut document = mastodon(server);
    document["version"] = software.version().into();
    if software != Software::Mastodon {
        let fields = document.as_object_mut().expect("a document is an object");
        fields.remove("api_versions");
        fields["configuration"].as_object_mut().expect("likewise").remove("timelines_access");
        fields["configuration"].as_object_mut().expect("likewise").remove("limited_federation");
    }
    match software {
        Software::Mastodon => {}
        Software::Akkoma => return None,
        Software::Pleroma => document["pleroma"] = pleroma(),
        Software::GoToSocial => {
            document["domain"] = server.name().into();
            document["account_domain"] = server.domain().into();
            document["terms"] = "".into();
        }
        Software::Pixelfed => document["configuration"]["urls"] = json!({"streaming": null, "status": null}),
        Software::Friendica => {
            document["configuration"].as_object_mut().expect("likewise").remove("urls");
            document["friendica"] = json!({"version": "2024.08", "codename": "Yellow Archangel", "db_version": 1_571});
        }
        Software::Hollo => document["configuration"]["urls"] = json!({}),
    }
    Some(document)
}

/// What Pleroma and Akkoma say of themselves.
fn pleroma() -> Value {
    json!({"metadata": {
        "features": ["pleroma_api", "mastodon_api", "mastodon_api_streaming", "polls", "editing", "quote_posting", "multifetch"],
        "federation": {"enabled": true},
        "post_formats": ["text/plain", "text/html", "text/markdown", "text/bbcode"]
    }, "stats": {"mau": 1_000}})
}

fn mastodon(server: &Server) -> Value {
    let name = server.name();
    let feed = |feed: Feed, needs_token: bool| match feed {
        Feed::Public if needs_token => "authenticated",
        feed => feed.as_str(),
    };
    let live = feed(server.feed, server.stream_needs_token);
    let timeline = feed(server.feed, false);
    json!({
        "domain": server.domain(),
        "title": format!("Simulated server {}", server.index),
        "version": Software::Mastodon.version(),
        "source_url": "https://github.com/mastodon/mastodon",
        "description": "Everything here is invented.",
        "usage": {"users": {"active_month": 1_000}},
        "thumbnail": {"url": format!("http://{name}/system/thumbnail.png")},
        "languages": ["en"],
        "configuration": {
            "urls": {"streaming": format!("ws://{name}"), "status": null, "about": format!("http://{name}/about")},
            "accounts": {"max_featured_tags": 10, "max_pinned_statuses": 5},
            "statuses": {"max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23},
            "polls": {
                "max_options": 4, "max_characters_per_option": 50, "min_expiration": 300, "max_expiration": 2_629_746
            },
            "translation": {"enabled": false},
            "timelines_access": {
                "live_feeds": {"local": live, "remote": live},
                "hashtag_feeds": {"local": timeline, "remote": timeline},
                "trending_link_feeds": {"local": timeline, "remote": timeline}
            },
            "limited_federation": server.feed == Feed::LimitedFederation
        },
        "registrations": {"enabled": false, "approval_required": false, "message": null, "url": null},
        "api_versions": {"mastodon": 7},
        "contact": {"email": "", "account": null},
        "rules": rules()
    })
}

/// `/api/v1/instance`.
pub(crate) fn v1(server: &Server) -> Value {
    let name = server.name();
    let software = server.software();
    let streaming = software.has_sockets().then(|| format!("ws://{name}"));
    let urls = if software == Software::Friendica { Value::Null } else { json!({"streaming_api": streaming}) };
    let mut document = json!({
        "uri": server.domain(),
        "title": format!("Simulated server {}", server.index),
        "short_description": "Everything here is invented.",
        "description": "Everything here is invented.",
        "email": "",
        "version": software.version(),
        "urls": urls,
        "stats": {"user_count": 1_000, "status_count": server.totals().updates, "domain_count": 8_309},
        "thumbnail": null,
        "languages": ["en"],
        "registrations": false,
        "approval_required": false,
        "invites_enabled": false,
        "configuration": {"statuses": {"max_characters": 500, "max_media_attachments": 4}},
        "contact_account": null,
        "rules": rules()
    });
    if matches!(software, Software::Pleroma | Software::Akkoma) {
        document["uri"] = format!("http://{name}").into();
        document["max_toot_chars"] = 5_000.into();
        document["pleroma"] = pleroma();
    }
    document
}

/// `/api/v1/instance/rules`.
pub(crate) fn rules() -> Value {
    json!([{"id": "1", "text": "Be kind.", "hint": ""}, {"id": "2", "text": "Invent everything.", "hint": ""}])
}

/// `/.well-known/oauth-authorization-server` (RFC 8414), since Mastodon 4.3.
pub(crate) fn oauth_server(server: &Server) -> Value {
    let at = |path: &str| format!("http://{}{path}", server.name());
    json!({
        "issuer": at("/"),
        "service_documentation": "https://docs.joinmastodon.org/",
        "authorization_endpoint": at("/oauth/authorize"),
        "token_endpoint": at("/oauth/token"),
        "app_registration_endpoint": at("/api/v1/apps"),
        "revocation_endpoint": at("/oauth/revoke"),
        "scopes_supported": Scopes::offered(),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "code_challenge_methods_supported": ["S256"]
    })
}

/// `/.well-known/nodeinfo`.
pub(crate) fn well_known_nodeinfo(server: &Server) -> Value {
    let href = format!("http://{}/nodeinfo/2.0", server.name());
    json!({"links": [{"rel": "http://nodeinfo.diaspora.software/ns/schema/2.0", "href": href}]})
}

/// `/nodeinfo/2.0`.
pub(crate) fn nodeinfo(server: &Server) -> Value {
    json!({
        "version": "2.0",
        "software": {"name": server.software().as_str(), "version": server.software().own_version()},
        "protocols": ["activitypub"],
        "services": {"outbound": [], "inbound": []},
        "usage": {"users": {"total": 1_000, "activeMonth": 1_000, "activeHalfyear": 1_000},
                  "localPosts": server.totals().updates},
        "openRegistrations": false,
        "metadata": {"nodeName": format!("Simulated server {}", server.index)}
    })
}

/// `/robots.txt`.
pub(crate) fn robots(server: &Server) -> &'static str {
    match server.software() {
        Software::GoToSocial => {
            "User-agent: *\nCrawl-delay: 500\nDisallow: /api/\nDisallow: /auth/\nDisallow: /oauth/\n"
        }
        _ => ROBOTS,
    }
}

const ROBOTS: &str = "# See http://www.robotstxt.org/robotstxt.html for documentation on how to use the robots.txt file

User-agent: GPTBot
Disallow: /

User-agent: *
Disallow: /media_proxy/
Disallow: /interact/
";
