//! Software behind Mastodon's API: each with ids, documents and streams of its own.

use std::fmt;
use std::str::FromStr;

use crate::content::ids::Ids;

/// The software of a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Software {
    /// Mastodon 4.5.
    #[default]
    Mastodon,
    /// Ids of 18 characters; WebSocket, no SSE.
    Pleroma,
    /// As Pleroma, without `/api/v2/instance`; a quote is a bare status.
    Akkoma,
    /// ULIDs; WebSocket only; nothing without a token; robots are asked to stay away from the API.
    GoToSocial,
    /// No streaming: its address is null.
    Pixelfed,
    /// No streaming: the document does not mention it.
    Friendica,
    /// UUIDs; no streaming.
    Hollo,
}

impl Software {
    /// Every software, for tests that go through them.
    pub const ALL: [Software; 7] = [
        Software::Mastodon,
        Software::Pleroma,
        Software::Akkoma,
        Software::GoToSocial,
        Software::Pixelfed,
        Software::Friendica,
        Software::Hollo,
    ];

    /// The name in nodeinfo.
    pub fn as_str(self) -> &'static str {
        match self {
            Software::Mastodon => "mastodon",
            Software::Pleroma => "pleroma",
            Software::Akkoma => "akkoma",
            Software::GoToSocial => "gotosocial",
            Software::Pixelfed => "pixelfed",
            Software::Friendica => "friendica",
            Software::Hollo => "hollo",
        }
    }

    /// The version in nodeinfo.
    pub(crate) fn own_version(self) -> &'static str {
        match self {
            Software::Mastodon => "4.5.0",
            Software::Pleroma => "2.7.0",
            Software::Akkoma => "3.12.2-0-g0123456",
            Software::GoToSocial => "0.16.0+git-0123456",
            Software::Pixelfed => "0.12.3",
            Software::Friendica => "2024.08-1571",
            Software::Hollo => "0.6.0",
        }
    }

    /// The version in the instance documents, which names Mastodon's for clients that look for it.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Software::Mastodon => "4.5.0",
            Software::Pleroma => "2.7.2 (compatible; Pleroma 2.7.0)",
            Software::Akkoma => "2.7.2 (compatible; Akkoma 3.12.2-0-g0123456)",
            Software::GoToSocial => "0.16.0+git-0123456",
            Software::Pixelfed => "3.5.3 (compatible; Pixelfed 0.12.3)",
            Software::Friendica => "2.8.0 (compatible; Friendica 2024.08)",
            Software::Hollo => "4.2.0 (compatible; Hollo 0.6.0)",
        }
    }

    pub(crate) fn ids(self) -> Ids {
        match self {
            Software::Mastodon | Software::Pixelfed | Software::Friendica => Ids::Snowflake,
            Software::Pleroma | Software::Akkoma => Ids::Flake,
            Software::GoToSocial => Ids::Ulid,
            Software::Hollo => Ids::Uuid,
        }
    }

    /// True if streams are served as server-sent events.
    pub(crate) fn has_events(self) -> bool {
        self == Software::Mastodon
    }

    /// True if streams are served over WebSocket.
    pub(crate) fn has_sockets(self) -> bool {
        matches!(self, Software::Mastodon | Software::Pleroma | Software::Akkoma | Software::GoToSocial)
    }

    /// True if its members can have another domain than the server's host.
    pub(crate) fn has_domain_apart(self) -> bool {
        matches!(self, Software::Mastodon | Software::GoToSocial)
    }

    /// True if `GET /api/v1/statuses?id[]=` is known.
    pub(crate) fn has_many_statuses(self) -> bool {
        matches!(self, Software::Mastodon | Software::Pleroma | Software::Akkoma)
    }

    /// The fields that a status has beside Mastodon's, behind a comma. `quoted` writes the status that it may quote.
    pub(crate) fn write_fields(self, quotes: bool, quoted: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
        match self {
            Software::Mastodon => {}
            Software::Pleroma => out.extend_from_slice(
                b",\"pleroma\":{\"local\":false,\"conversation_id\":1,\"direct_conversation_id\":null,\"emoji_reactions\":[],\"thread_muted\":false,\"quote\":null,\"quote_id\":null,\"quote_url\":null,\"quote_visible\":false}",
            ),
            Software::Akkoma => {
                out.extend_from_slice(b",\"emoji_reactions\":[],\"pleroma\":{\"local\":false,\"context\":\"tag:example\"},\"akkoma\":{\"source\":null},\"quote\":");
                if quotes {
                    quoted(out);
                } else {
                    out.extend_from_slice(b"null");
                }
            }
            Software::GoToSocial => out.extend_from_slice(
                b",\"favourited\":false,\"reblogged\":false,\"muted\":false,\"bookmarked\":false,\"pinned\":false,\"interaction_policy\":{\"can_favourite\":{\"always\":[\"public\"],\"with_approval\":[]},\"can_reply\":{\"always\":[\"public\"],\"with_approval\":[]},\"can_reblog\":{\"always\":[\"public\"],\"with_approval\":[]}}",
            ),
            Software::Pixelfed => {
                out.extend_from_slice(b",\"shortcode\":null,\"taggedPeople\":[],\"pf_type\":\"photo\",\"place\":null,\"label\":{\"covid\":false}")
            }
            Software::Friendica => out.extend_from_slice(b",\"friendica\":{\"title\":\"\",\"dislikes_count\":0}"),
            Software::Hollo => out.extend_from_slice(b",\"quote_id\":null,\"quote\":null,\"emoji_reactions\":[]"),
        }
    }
}

impl fmt::Display for Software {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Software {
    type Err = UnknownSoftware;

    fn from_str(name: &str) -> Result<Software, UnknownSoftware> {
        let known = Software::ALL.into_iter().find(|software| software.as_str() == name);
        known.ok_or_else(|| UnknownSoftware(name.to_owned()))
    }
}

/// The error for a name that no software has.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown software {0:?}: expected mastodon, pleroma, akkoma, gotosocial, pixelfed, friendica or hollo")]
pub struct UnknownSoftware(String);
