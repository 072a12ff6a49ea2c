//! The documents in which a server describes itself.

use serde_json::{Value, json};

use super::access::Feed;
use super::server::Server;

const VERSION: &str = "4.5.0";

/// `/api/v2/instance`.
pub(crate) fn v2(server: &Server) -> Value {
    let name = server.name();
    let feed = |feed: Feed, needs_token: bool| match feed {
        Feed::Public if needs_token => "authenticated",
        feed => feed.as_str(),
    };
    let live = feed(server.feed, server.stream_needs_token);
    let timeline = feed(server.feed, false);
    json!({
        "domain": name,
        "title": format!("Simulated server {}", server.index),
        "version": VERSION,
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
    json!({
        "uri": name,
        "title": format!("Simulated server {}", server.index),
        "short_description": "Everything here is invented.",
        "description": "Everything here is invented.",
        "email": "",
        "version": VERSION,
        "urls": {"streaming_api": format!("ws://{name}")},
        "stats": {"user_count": 1_000, "status_count": server.totals().updates, "domain_count": 8_309},
        "thumbnail": null,
        "languages": ["en"],
        "registrations": false,
        "approval_required": false,
        "invites_enabled": false,
        "configuration": {"statuses": {"max_characters": 500, "max_media_attachments": 4}},
        "contact_account": null,
        "rules": rules()
    })
}

/// `/api/v1/instance/rules`.
pub(crate) fn rules() -> Value {
    json!([{"id": "1", "text": "Be kind.", "hint": ""}, {"id": "2", "text": "Invent everything.", "hint": ""}])
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
        "software": {"name": "mastodon", "version": VERSION},
        "protocols": ["activitypub"],
        "services": {"outbound": [], "inbound": []},
        "usage": {"users": {"total": 1_000, "activeMonth": 1_000, "activeHalfyear": 1_000},
                  "localPosts": server.totals().updates},
        "openRegistrations": false,
        "metadata": {"nodeName": format!("Simulated server {}", server.index)}
    })
}

/// `/robots.txt`, as Mastodon's.
pub(crate) const ROBOTS: &str =
    "# See http://www.robotstxt.org/robotstxt.html for documentation on how to use the robots.txt file

User-agent: GPTBot
Disallow: /

User-agent: *
Disallow: /media_proxy/
Disallow: /interact/
";
