//! A post and what happens to it.

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};

/// A Mastodon server that we read, as `host` or `host:port`, lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Server(String);

impl Server {
    /// Takes a bare host, with a port if it is not the default one.
    pub fn new(host: &str) -> Server {
        Server(host.to_ascii_lowercase())
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
    pub kind: FrameKind,
    pub data: Bytes,
}

/// What happened to a post.
#[derive(Clone, Debug, PartialEq)]
pub enum PostEvent {
    Created(Box<Post>),
    Edited(Box<Post>),
    Deleted(Deletion),
}

/// A post as one server showed it. Counts are those of that moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    pub server: Server,
    /// Local to the server; opaque.
    pub id: String,
    /// The identity of the post, the same on every server.
    pub uri: String,
    pub url: Option<String>,
    /// The author's claim.
    pub created_at: DateTime<Utc>,
    pub edited_at: Option<DateTime<Utc>>,
    /// When we saw it.
    pub observed_at: DateTime<Utc>,
    /// `acct@domain`.
    pub author: String,
    /// The origin: the author's home server.
    pub author_domain: String,
    pub author_created_at: Option<DateTime<Utc>>,
    pub author_bot: bool,
    pub author_followers: Option<i64>,
    /// FEP-5feb; missing means false.
    pub author_indexable: bool,
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
    /// Domains of the mentioned accounts.
    pub mentions: Vec<String>,
    /// Domains that the text links to.
    pub links: Vec<String>,
    pub media: i32,
    pub media_described: i32,
    pub poll: bool,
    pub in_reply_to: InReplyTo,
    pub quote_uri: Option<String>,
    /// The client's name; servers know it of their own members only.
    pub app: Option<String>,
    pub visibility: String,
    pub sensitive: bool,
    pub favourites: i32,
    pub reblogs: i32,
    pub replies: i32,
    /// Asked at admission; not stored.
    pub consent: Consent,
}

/// What decides whether a post may be kept, beside its visibility. Not stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// The status is a boost of another.
    pub boost: bool,
    /// #nobot stands in the author's note.
    pub nobot: bool,
    /// #noindex stands in the author's note, or the account says `noindex`.
    pub noindex: bool,
}

/// A server's word that a post is gone there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    pub server: Server,
    pub id: String,
    pub observed_at: DateTime<Utc>,
}

/// Whom a post answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InReplyTo {
    None,
    /// The author's own post: a thread.
    SelfPost,
    Other,
}
