//! A post, and the events that happen to it.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::{Flaws, domain};

/// A Mastodon server that we read, as `host` or `host:port`.
///
/// The host has one spelling: ASCII (Unicode as punycode), lower case, no dot at its end, no port that is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Server(String);

impl Server {
    /// Takes a host, with a port if it is not the default one. A text that is not a host is kept in lower case.
    pub fn new(host: &str) -> Server {
        Server(domain::named(host).map_or_else(|| host.to_lowercase(), Cow::into_owned))
    }

    /// Reads any text that names a server: a host, a URL, or an address with a user or a path. `None` if it contains
    /// no host.
    pub fn parse(text: &str) -> Option<Server> {
        domain::named(text).map(|host| Server(host.into_owned()))
    }

    /// The server at an http or https URL; `None` for anything else.
    pub fn of_url(url: &str) -> Option<Server> {
        domain::of_url(url).map(|host| Server(host.into_owned()))
    }

    /// The host as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The kind of a frame, from the name of its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// `update`: a new status, as JSON.
    Update,
    /// `status.update`: an edited status, as JSON.
    StatusUpdate,
    /// `delete`: a bare id, local to the server.
    Delete,
}

/// One SSE or WebSocket block, or one status of a timeline page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The kind of event that the frame announces.
    pub kind: FrameKind,
    /// The frame's payload as received.
    pub data: Bytes,
}

/// An event of a post, named as the server named it.
///
/// Servers send `status.update` for edits, and also when reactions or a quote's state changed; `edited_at` is then
/// the time of the last edit. So an event's kind does not order versions: the newest version is the one with the
/// greatest (edited_at, observed_at, log position), where "never edited" comes before any edit. A `status.update`
/// without a date that can be read is an edit all the same, made when it was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum PostEvent {
    /// `update`, or a status of a timeline page. `edited_at` is set if the post was edited before we saw it.
    Created(Box<Post>),
    /// `status.update`; `edited_at` is always set.
    Edited(Box<Post>),
    /// `delete`.
    Deleted(Deletion),
}

impl PostEvent {
    /// The values of the column `kind`.
    pub(crate) const KINDS: [&'static str; 3] = ["created", "edited", "deleted"];

    /// The value of the column `kind`.
    pub(crate) fn kind(&self) -> &'static str {
        let [created, edited, deleted] = PostEvent::KINDS;
        match self {
            PostEvent::Created(_) => created,
            PostEvent::Edited(_) => edited,
            PostEvent::Deleted(_) => deleted,
        }
    }

    /// The record's key, `server/id`: the same for all events of one post on one server.
    pub fn key(&self) -> String {
        let (server, id) = match self {
            PostEvent::Created(post) | PostEvent::Edited(post) => (&post.server, &post.id),
            PostEvent::Deleted(deletion) => (&deletion.server, &deletion.id),
        };
        [server.as_str(), "/", id].concat()
    }

    /// The post, unless the event is a deletion.
    pub fn post(&self) -> Option<&Post> {
        match self {
            PostEvent::Created(post) | PostEvent::Edited(post) => Some(post),
            PostEvent::Deleted(_) => None,
        }
    }
}

/// A post as one server showed it. Its counts are those of that time.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// The server that showed it.
    pub server: Server,
    /// The post's id, local to the server; opaque.
    pub id: String,
    /// The identity of the post, the same on every server: scheme and host in their one spelling.
    pub uri: String,
    /// Where a person reads it.
    pub url: Option<String>,
    /// When the author claims to have written it; `None` if missing or unreadable.
    pub created_at: Option<DateTime<Utc>>,
    /// When the author claims to have last edited it; for an edit without a readable claim, when it was seen.
    pub edited_at: Option<DateTime<Utc>>,
    /// When the collector saw it.
    pub observed_at: DateTime<Utc>,
    /// `acct@domain`.
    pub author: String,
    /// The domain of the author's home server: the origin.
    pub author_domain: String,
    /// When the account was made, to the day.
    pub author_created_at: Option<DateTime<Utc>>,
    /// True if the account says that it is automated.
    pub author_bot: bool,
    /// Followers of the author, as this server counts them.
    pub author_followers: Option<i64>,
    /// True if the author agrees to be indexed (FEP-5feb).
    pub author_indexable: bool,
    /// The language tag as given.
    pub language: Option<String>,
    /// Plain text of the content.
    pub text: String,
    /// The content warning; empty when there is none.
    pub spoiler_text: String,
    /// The number of Unicode scalar values of `text`.
    pub characters: i32,
    /// The number of parts of `text` between Unicode white space.
    pub words: i32,
    /// Hashtags without `#`, lower case.
    pub tags: Vec<String>,
    /// `acct@domain` of each mentioned account.
    pub mentions: Vec<String>,
    /// The http and https URLs that the text links to, each once; mentions and hashtags are not links.
    pub links: Vec<String>,
    /// The number of attachments.
    pub media: i32,
    /// The number of attachments with a description.
    pub media_described: i32,
    /// True if the post has a poll.
    pub poll: bool,
    /// Whom the post answers.
    pub in_reply_to: InReplyTo,
    /// The quoted post's uri, if the server gives it.
    pub quote_uri: Option<String>,
    /// The name of the author's client; servers know it of their own members only.
    pub app: Option<String>,
    /// Empty if the server did not give one.
    pub visibility: String,
    /// True if the author marked the post as sensitive.
    pub sensitive: bool,
    /// Favourites, as this server counts them.
    pub favourites: i32,
    /// Boosts, as this server counts them.
    pub reblogs: i32,
    /// Replies, as this server counts them.
    pub replies: i32,
    /// The id of the answered post, local to the server.
    pub in_reply_to_id: Option<String>,
    /// `acct@domain` of the answered post's author, if the server gives it.
    pub in_reply_to_author: Option<String>,
    /// The kind of each attachment, in Mastodon's words: `image`, `video`, `gifv`, `audio`, `unknown`.
    pub media_types: Vec<String>,
    /// True if the server is the post's own: what it says outranks what others say.
    pub from_origin: bool,
    /// True if the post counts without its author's name: id, uri and author are keyed hashes, and the record has null for
    /// every text of it.
    pub hashed: bool,
    /// The author's wishes. Admission reads them; the table does not store them.
    pub consent: Consent,
    /// Defects of the status; counted, not stored.
    pub flaws: Flaws,
}

/// The properties of a status, beside its visibility, that decide whether the post may be kept. Not stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// The status is a boost of another.
    pub boost: bool,
    /// The author's profile says #nobot, in its note, fields or display name.
    pub nobot: bool,
    /// The author's profile says #noindex, or the account has `noindex` set.
    pub noindex: bool,
    /// The server has suspended the account and hides the profile, so the author's wishes are unknown.
    pub suspended: bool,
}

/// A server's message that a post is gone there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// The server that said it.
    pub server: Server,
    /// The post's id there.
    pub id: String,
    /// When we saw it.
    pub observed_at: DateTime<Utc>,
}

/// Whom a post answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InReplyTo {
    /// The post is not a reply.
    None,
    /// A post of the same author: a thread.
    SelfPost,
    /// Someone else's post, or one whose author is not known.
    Other,
}

impl InReplyTo {
    /// The value of the column `in_reply_to`.
    pub fn as_str(self) -> &'static str {
        match self {
            InReplyTo::None => "none",
            InReplyTo::SelfPost => "self",
            InReplyTo::Other => "other",
        }
    }
}
