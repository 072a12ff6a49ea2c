//! A post and what happens to it.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::{Flaw, Flaws, domain};

/// A Mastodon server that we read, as `host` or `host:port`.
///
/// The host has one spelling: ASCII (Unicode as punycode), lower case, no dot at its end, no port that is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Server(String);

impl Server {
    /// Takes a host, with a port if it is not the default one. What is no host stays as it is, in lower case.
    pub fn new(host: &str) -> Server {
        Server(domain::named(host).map_or_else(|| host.to_lowercase(), Cow::into_owned))
    }

    /// Reads whatever names a server: a host, a URL, an address with a user or a path. `None` where no host can be told.
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

/// What a frame says, by the name of its event.
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
    /// What it announces.
    pub kind: FrameKind,
    /// Its payload as received.
    pub data: Bytes,
}

/// What happened to a post, by the name that the server gave it.
///
/// Servers send `status.update` for edits, and also when reactions or a quote's state changed; then `edited_at` is that of
/// the last edit, or `None`. So an event's kind does not order versions: the one with the greatest
/// (edited_at, observed_at, log position) is the newest, no edit being before any.
#[derive(Clone, Debug, PartialEq)]
pub enum PostEvent {
    /// `update`, or a status of a timeline page. With `edited_at` when it was edited before we saw it.
    Created(Box<Post>),
    /// `status.update`.
    Edited(Box<Post>),
    /// `delete`.
    Deleted(Deletion),
}

impl PostEvent {
    /// `server/id`: one server's events of one post share it.
    pub fn key(&self) -> String {
        let (server, id) = match self {
            PostEvent::Created(post) | PostEvent::Edited(post) => (&post.server, &post.id),
            PostEvent::Deleted(deletion) => (&deletion.server, &deletion.id),
        };
        format!("{server}/{id}")
    }

    /// Adds a flaw to the post; a deletion has none.
    pub fn add_flaw(&mut self, flaw: Flaw) {
        match self {
            PostEvent::Created(post) | PostEvent::Edited(post) => post.flaws.add(flaw),
            PostEvent::Deleted(_) => {}
        }
    }

    /// The post as it now is, unless it was deleted.
    pub fn post(&self) -> Option<&Post> {
        match self {
            PostEvent::Created(post) | PostEvent::Edited(post) => Some(post),
            PostEvent::Deleted(_) => None,
        }
    }
}

/// A post as one server showed it. Counts are those of that moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// The server that showed it.
    pub server: Server,
    /// Local to the server; opaque.
    pub id: String,
    /// The identity of the post, the same on every server.
    pub uri: String,
    /// Where a person reads it.
    pub url: Option<String>,
    /// The author's claim; `None` where the server did not say it in a readable way.
    pub created_at: Option<DateTime<Utc>>,
    /// The author's claim of the last edit.
    pub edited_at: Option<DateTime<Utc>>,
    /// When we saw it.
    pub observed_at: DateTime<Utc>,
    /// `acct@domain`.
    pub author: String,
    /// The origin: the author's home server.
    pub author_domain: String,
    /// When the account was made, to the day.
    pub author_created_at: Option<DateTime<Utc>>,
    /// The account says that it is automated.
    pub author_bot: bool,
    /// As this server knows them.
    pub author_followers: Option<i64>,
    /// FEP-5feb; missing means false.
    pub author_indexable: bool,
    /// The language tag as given.
    pub language: Option<String>,
    /// Plain text of the content.
    pub text: String,
    /// The content warning; empty when there is none.
    pub spoiler_text: String,
    /// Unicode scalar values of `text`.
    pub characters: i32,
    /// Parts of `text` between Unicode white space.
    pub words: i32,
    /// Hashtags without `#`, lower case.
    pub tags: Vec<String>,
    /// `acct@domain` of each mentioned account.
    pub mentions: Vec<String>,
    /// The http and https URLs that the text links to, each once; mentions and hashtags are not links.
    pub links: Vec<String>,
    /// Attachments.
    pub media: i32,
    /// Attachments with a description.
    pub media_described: i32,
    /// Carries a poll.
    pub poll: bool,
    /// Whom it answers.
    pub in_reply_to: InReplyTo,
    /// The quoted post, where the server shows it.
    pub quote_uri: Option<String>,
    /// The client's name; servers know it of their own members only.
    pub app: Option<String>,
    /// Empty where the server did not say it.
    pub visibility: String,
    /// The author marked it.
    pub sensitive: bool,
    /// As this server knows them.
    pub favourites: i32,
    /// As this server knows them.
    pub reblogs: i32,
    /// As this server knows them.
    pub replies: i32,
    /// The id of the answered post, local to the server.
    pub in_reply_to_id: Option<String>,
    /// `acct@domain` of the answered post's author, where the server names them.
    pub in_reply_to_author: Option<String>,
    /// The kind of each attachment, in Mastodon's words: `image`, `video`, `gifv`, `audio`, `unknown`.
    pub media_types: Vec<String>,
    /// The server is the post's own: its word outranks others'.
    pub from_origin: bool,
    /// Asked at admission; not stored.
    pub consent: Consent,
    /// What was wrong with the status; counted, not stored.
    pub flaws: Flaws,
}

/// What decides whether a post may be kept, beside its visibility. Not stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// The status is a boost of another.
    pub boost: bool,
    /// #nobot stands in the author's profile: note, fields or display name.
    pub nobot: bool,
    /// #noindex stands there, or the account says `noindex`.
    pub noindex: bool,
    /// The server has suspended the account, and then shows nothing of what the profile says.
    pub suspended: bool,
}

/// A server's word that a post is gone there.
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
    /// Nobody.
    None,
    /// The author's own post: a thread.
    SelfPost,
    /// Another's post, or one of nobody known.
    Other,
}

impl InReplyTo {
    /// As the column `in_reply_to` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            InReplyTo::None => "none",
            InReplyTo::SelfPost => "self",
            InReplyTo::Other => "other",
        }
    }
}
