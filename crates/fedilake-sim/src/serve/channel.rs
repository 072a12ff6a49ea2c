//! Channels: the named streams of a server, over SSE and WebSocket.

use axum::http::StatusCode;

use super::live_post::LivePost;
use super::message::{Message, MessageKind, Subject};
use super::timeline::Scope;
use crate::content::status::Facts;

/// A channel that a reader listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Public {
        scope: Scope,
        media: bool,
    },
    Hashtag {
        /// As the reader wrote it.
        tag: String,
        local: bool,
    },
    List(List),
    /// A channel of a member's own, which carries nothing here: `user`, `user:notification`, `direct`.
    Own(&'static str),
}

/// A list of a member's: every fourth author is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct List(u64);

/// Lists that each member has.
const LISTS: u64 = 4;

impl List {
    /// `"1"` to `"4"`.
    pub(crate) fn parse(id: &str) -> Option<List> {
        List::all().find(|list| list.id() == id)
    }

    pub(crate) fn all() -> impl Iterator<Item = List> {
        (1..=LISTS).map(List)
    }

    pub(crate) fn id(self) -> String {
        self.0.to_string()
    }

    pub(crate) fn holds(self, post: &LivePost) -> bool {
        post.person % LISTS == self.0 - 1
    }
}

/// Parameters of a channel.
#[derive(Debug, Default)]
pub(crate) struct Given<'a> {
    pub(crate) tag: Option<&'a str>,
    pub(crate) list: Option<&'a str>,
    /// The reader is a member, who has lists.
    pub(crate) is_member: bool,
}

/// The refusal of a channel, in the streaming server's words.
pub(crate) type Refused = (StatusCode, &'static str);

impl Channel {
    /// From a stream's name, `public:local`.
    pub(crate) fn parse(stream: &str, given: &Given<'_>) -> Result<Channel, Refused> {
        let public = |scope, media| Ok(Channel::Public { scope, media });
        let hashtag = |local| match given.tag.filter(|tag| !tag.is_empty()) {
            Some(tag) => Ok(Channel::Hashtag { tag: tag.to_owned(), local }),
            None => Err((StatusCode::BAD_REQUEST, "Missing tag name parameter")),
        };
        match stream {
            "public" => public(Scope::All, false),
            "public:media" => public(Scope::All, true),
            "public:local" => public(Scope::Local, false),
            "public:local:media" => public(Scope::Local, true),
            "public:remote" => public(Scope::Remote, false),
            "public:remote:media" => public(Scope::Remote, true),
            "hashtag" => hashtag(false),
            "hashtag:local" => hashtag(true),
            "list" => match given.list.filter(|id| !id.is_empty()) {
                None => Err((StatusCode::BAD_REQUEST, "Missing list name parameter")),
                Some(id) => match List::parse(id).filter(|_| given.is_member) {
                    Some(list) => Ok(Channel::List(list)),
                    None => Err((StatusCode::UNAUTHORIZED, "Not authorized to stream this list")),
                },
            },
            "user" => Ok(Channel::Own("user")),
            "user:notification" => Ok(Channel::Own("user:notification")),
            "direct" => Ok(Channel::Own("direct")),
            _ => Err((StatusCode::BAD_REQUEST, "Unknown stream type")),
        }
    }

    /// The name and its parameter, as WebSocket frames say them in `stream`.
    pub(crate) fn labels(&self) -> Vec<String> {
        match self {
            Channel::Public { scope, media } => {
                let scope = match scope {
                    Scope::All => "public",
                    Scope::Local => "public:local",
                    Scope::Remote => "public:remote",
                };
                vec![if *media { format!("{scope}:media") } else { scope.to_owned() }]
            }
            Channel::Hashtag { tag, local } => {
                vec![if *local { "hashtag:local" } else { "hashtag" }.to_owned(), tag.clone()]
            }
            Channel::List(list) => vec!["list".to_owned(), list.id()],
            Channel::Own(name) => vec![(*name).to_owned()],
        }
    }

    /// True if the message goes to this channel; raw bytes go to every one. With `is_disabled` the live feeds pass deletes only.
    pub(crate) fn carries(&self, message: &Message, is_disabled: bool) -> bool {
        let Some(Subject { post, facts, local }) = &message.subject else { return true };
        let passes = message.kind == MessageKind::Delete || !is_disabled;
        match self {
            Channel::Public { scope, media } => passes && scope.holds(*local) && (facts.media || !media),
            Channel::Hashtag { tag, local: wants_local } => has_tag(facts, tag) && (*local || !wants_local),
            Channel::List(list) => list.holds(post),
            Channel::Own(_) => false,
        }
    }
}

/// True if the post bears the tag, whatever the case of its letters.
pub(crate) fn has_tag(facts: &Facts, tag: &str) -> bool {
    let wanted = tag.trim_start_matches('#').to_lowercase();
    facts.tags.iter().any(|tag| tag.to_lowercase() == wanted)
}
