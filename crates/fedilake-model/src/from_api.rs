//! The translation of a server's frame into an event of a post. Only this module does it.

use std::borrow::Cow;
use std::collections::HashSet;

use chrono::{DateTime, Utc};

use crate::json::Object;
use crate::status::Mention;
use crate::text::{self, Text};
use crate::time::Moment;
use crate::{
    Consent, Deletion, Flaw, Flaws, Frame, FrameKind, InReplyTo, Post, PostEvent, Rejected, RejectedReason, Server,
    ShownBy, caps, consent,
};

impl PostEvent {
    /// Translates `frame`, which a server showed at `observed_at`. `shown_by` is a [`Server`], or a [`ShownBy`] with
    /// the domain of the server's members.
    ///
    /// A field that is missing, of the wrong type or longer than its column holds costs only itself, and adds one of
    /// the post's [`Flaws`]. A status without id, uri or account is rejected.
    pub fn from_api<'a>(
        frame: &Frame,
        shown_by: impl Into<ShownBy<'a>>,
        observed_at: DateTime<Utc>,
    ) -> Result<PostEvent, Rejected> {
        let shown_by = shown_by.into();
        let event = match frame.kind {
            FrameKind::Update => post(&frame.data, shown_by, observed_at).map(PostEvent::Created),
            FrameKind::StatusUpdate => post(&frame.data, shown_by, observed_at).map(PostEvent::Edited),
            FrameKind::Delete => deletion(&frame.data, shown_by.server(), observed_at).map(PostEvent::Deleted),
        };
        event.map_err(|reason| Rejected::new(reason, &frame.data))
    }
}

impl Frame {
    /// The status's id and time of writing, as [`PostEvent::from_api`] reads them. Works also for a status that is
    /// otherwise unreadable.
    pub fn id_and_date(&self) -> Option<(String, Option<DateTime<Utc>>)> {
        let json = Object::parse(&self.data).ok()?;
        let status = json.status();
        Some((status.id?.into_owned(), status.created_at.at()))
    }
}

/// Reads a delete: a bare id, perhaps with white space or quotes around it.
fn deletion(payload: &[u8], server: &Server, observed_at: DateTime<Utc>) -> Result<Deletion, RejectedReason> {
    let id = std::str::from_utf8(payload).map_err(|_| RejectedReason::NoId)?;
    let id = id.trim_matches(|c: char| c.is_whitespace() || c == '"');
    let is_id = !id.is_empty() && !id.starts_with(['{', '[']) && !id.contains(char::is_whitespace);
    if !is_id {
        return Err(RejectedReason::NoId);
    }
    if id.len() > caps::ID || id.contains(char::is_control) {
        return Err(RejectedReason::BadId);
    }
    Ok(Deletion { server: server.clone(), id: id.to_owned(), observed_at })
}

fn post(payload: &[u8], shown_by: ShownBy<'_>, observed_at: DateTime<Utc>) -> Result<Box<Post>, RejectedReason> {
    let json = Object::parse(payload)?;
    let status = json.status();
    let id = status.id.ok_or(RejectedReason::NoId)?;
    let uri = status.uri.ok_or(RejectedReason::NoUri)?;
    let account = status.account.ok_or(RejectedReason::NoAccount)?;
    let acct = account.acct.or(account.username).ok_or(RejectedReason::NoAccount)?;
    let author = shown_by.named(acct, &[account.url, account.uri, Some(uri)]).ok_or(RejectedReason::NoAccount)?;

    let mentioned = |mention: &Mention<'_>| shown_by.named(mention.acct?, &[mention.url]).map(|named| named.acct);
    let mentions: Vec<Option<String>> = status.mentions.iter().map(mentioned).collect();
    let in_reply_to = match (&status.in_reply_to_id, &status.in_reply_to_account_id) {
        (None, None) => InReplyTo::None,
        (_, Some(answered)) if account.id.as_ref() == Some(answered) => InReplyTo::SelfPost,
        _ => InReplyTo::Other,
    };
    let in_reply_to_author = match (in_reply_to, &status.in_reply_to_account_id) {
        (InReplyTo::SelfPost, _) => Some(author.acct.clone()),
        (InReplyTo::Other, Some(answered)) => {
            let place = status.mentions.iter().position(|mention| mention.id.as_ref() == Some(answered));
            place.and_then(|place| mentions[place].clone())
        }
        _ => None,
    };
    let Text { text, links } = text::from_html(status.content.unwrap_or_default(), status.quote.is_set);
    let (nobot, noindex) = consent::of_profile(&account.statements);
    let mut flaws = Flaws::default();
    flaws.add_if(status.created_at == Moment::Missing, Flaw::CreatedAtMissing);
    flaws.add_if(status.created_at == Moment::Unreadable, Flaw::CreatedAtUnreadable);
    flaws.add_if(status.edited_at == Moment::Unreadable, Flaw::EditedAtUnreadable);
    flaws.add_if(account.created_at == Moment::Unreadable, Flaw::AuthorCreatedAtUnreadable);
    flaws.add_if(status.has_unreadable || account.has_unreadable, Flaw::FieldUnreadable);

    let post = Post {
        server: shown_by.server().clone(),
        id: id.into_owned(),
        uri: uri.to_owned(),
        url: status.url.map(str::to_owned),
        created_at: status.created_at.at(),
        edited_at: status.edited_at.at(),
        observed_at,
        from_origin: author.is_local && shown_by.is_origin_of(uri),
        author: author.acct,
        author_domain: author.domain,
        author_created_at: account.created_at.at(),
        author_bot: account.bot.unwrap_or(false),
        author_followers: account.followers,
        author_indexable: account.indexable.unwrap_or(false),
        language: status.language.map(str::to_owned),
        characters: column_count(text.chars().count()),
        words: column_count(words(&text)),
        text,
        spoiler_text: status.spoiler_text.unwrap_or_default().to_owned(),
        tags: tags(&status.tags),
        mentions: mentions.into_iter().flatten().collect(),
        links,
        media: column_count(status.media.len()),
        media_described: column_count(status.media.iter().filter(|media| media.is_described).count()),
        poll: status.has_poll,
        in_reply_to,
        quote_uri: status.quote.uri.map(str::to_owned),
        app: status.application_name.map(str::to_owned),
        visibility: status.visibility.unwrap_or_default().to_owned(),
        sensitive: status.sensitive.unwrap_or(false),
        favourites: column_count(status.favourites.unwrap_or(0)),
        reblogs: column_count(status.reblogs.unwrap_or(0)),
        replies: column_count(status.replies.unwrap_or(0)),
        in_reply_to_id: status.in_reply_to_id.map(Cow::into_owned),
        in_reply_to_author,
        media_types: status.media.iter().map(|media| media.kind.unwrap_or("unknown").to_owned()).collect(),
        consent: Consent {
            boost: status.is_boost,
            nobot,
            noindex: noindex || account.noindex,
            suspended: account.suspended,
        },
        flaws,
    };
    post.within_caps().map(Box::new)
}

/// Hashtags without `#`, lower case, each once.
fn tags(names: &[&str]) -> Vec<String> {
    let names = names.iter().map(|name| name.trim_start_matches('#').to_lowercase());
    let mut tags: Vec<String> = names.filter(|tag| !tag.is_empty()).collect();
    if tags.len() > 1 {
        let mut seen = HashSet::with_capacity(tags.len());
        tags.retain(|tag| seen.insert(tag.clone()));
    }
    tags
}

/// Counts the parts of `text` between Unicode white space. Gives the same result as `split_whitespace` in a third of
/// the time.
fn words(text: &str) -> usize {
    let (words, _) = text.chars().fold((0, true), |(words, after_space), c| {
        let is_space = c.is_whitespace();
        (words + usize::from(after_space && !is_space), is_space)
    });
    words
}

/// Converts a count to its column's type; a larger one becomes the greatest value of the type.
fn column_count(n: impl TryInto<i32>) -> i32 {
    n.try_into().unwrap_or(i32::MAX)
}
