//! The one translation: what a server sends → what happened to a post.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use crate::status::{Account, Mention, NoStatus, Status};
use crate::{
    Consent, Deletion, Frame, FrameKind, InReplyTo, Post, PostEvent, Rejected, RejectedReason, Server, consent, domain,
    text,
};

impl PostEvent {
    /// What `frame`, which `server` showed at `observed_at`, says.
    ///
    /// A field that is missing or of the wrong type costs only itself; what has no id, uri or account is rejected.
    pub fn from_api(frame: &Frame, server: &Server, observed_at: DateTime<Utc>) -> Result<PostEvent, Rejected> {
        let event = match frame.kind {
            FrameKind::Update => post(&frame.data, server, observed_at).map(PostEvent::Created),
            FrameKind::StatusUpdate => post(&frame.data, server, observed_at).map(PostEvent::Edited),
            FrameKind::Delete => deletion(&frame.data, server, observed_at).map(PostEvent::Deleted),
        };
        event.map_err(|reason| Rejected::new(reason, &frame.data))
    }
}

/// A bare id; white space and quotes around it are not a part of it.
fn deletion(payload: &[u8], server: &Server, observed_at: DateTime<Utc>) -> Result<Deletion, RejectedReason> {
    let id = std::str::from_utf8(payload).map_err(|_| RejectedReason::NoId)?;
    let id = id.trim_matches(|c: char| c.is_whitespace() || c == '"');
    let is_id = !id.is_empty() && !id.starts_with(['{', '[']) && !id.contains(char::is_whitespace);
    if !is_id {
        return Err(RejectedReason::NoId);
    }
    Ok(Deletion { server: server.clone(), id: id.to_owned(), observed_at })
}

fn post(payload: &[u8], server: &Server, observed_at: DateTime<Utc>) -> Result<Box<Post>, RejectedReason> {
    let status = Status::from_json(payload).map_err(|reason| match reason {
        NoStatus::NotJson => RejectedReason::NotJson,
        NoStatus::TooDeep => RejectedReason::TooDeep,
    })?;
    let id = status.id.0.ok_or(RejectedReason::NoId)?;
    let uri = status.uri.0.ok_or(RejectedReason::NoUri)?;
    let account = status.account;
    let (author, author_domain) = author(&account, &uri, server).ok_or(RejectedReason::NoAccount)?;

    let in_reply_to = match (&status.in_reply_to_id.0, &status.in_reply_to_account_id.0) {
        (None, None) => InReplyTo::None,
        (_, Some(answered)) if account.id.0.as_ref() == Some(answered) => InReplyTo::SelfPost,
        _ => InReplyTo::Other,
    };
    let html = status.content.0.unwrap_or_default();
    let text::Text { text, links } = text::from_html(&html, status.quote.is_there);
    let (nobot, noindex) = consent::of_note(account.note.0.as_deref().unwrap_or_default());
    let described = status.media.0.iter().filter(|media| media.description.0).count();

    Ok(Box::new(Post {
        server: server.clone(),
        id: id.into_owned(),
        uri: uri.into_owned(),
        url: status.url.0.map(Cow::into_owned),
        created_at: status.created_at.0,
        edited_at: status.edited_at.0,
        observed_at,
        author,
        author_domain,
        author_created_at: account.created_at.0,
        author_bot: account.bot.0.unwrap_or(false),
        author_followers: account.followers.0,
        author_indexable: account.indexable.0.unwrap_or(false),
        language: status.language.0.map(Cow::into_owned),
        characters: count(text.chars().count()),
        words: count(text.split_whitespace().count()),
        text,
        spoiler_text: status.spoiler_text.0.map(Cow::into_owned).unwrap_or_default(),
        tags: tags(status.tags.0.into_iter().filter_map(|tag| tag.name.0)),
        mentions: status.mentions.0.iter().filter_map(|mention| mentioned_domain(mention, server)).collect(),
        links,
        media: count(status.media.0.len()),
        media_described: count(described),
        poll: status.poll.0,
        in_reply_to,
        quote_uri: status.quote.quoted_uri().map(Cow::into_owned),
        app: status.application.name.0.map(Cow::into_owned),
        visibility: status.visibility.0.map(Cow::into_owned).unwrap_or_default(),
        sensitive: status.sensitive.0.unwrap_or(false),
        favourites: count(status.favourites.0.unwrap_or(0)),
        reblogs: count(status.reblogs.0.unwrap_or(0)),
        replies: count(status.replies.0.unwrap_or(0)),
        consent: Consent { boost: status.reblog.0, nobot, noindex: noindex || account.noindex.0 == Some(true) },
    }))
}

/// `acct@domain` and the domain.
///
/// A server names its own members without a domain. Theirs is that of their profile, which is right also where the server
/// is read under another address; failing that, that of the post; failing that, the server.
fn author(account: &Account<'_>, post_uri: &str, server: &Server) -> Option<(String, String)> {
    if !account.is_there {
        return None;
    }
    let acct = account.acct.0.as_deref().or(account.username.0.as_deref())?;
    let (user, domain) = domain::split_acct(acct);
    let of_url = |url: &Option<Cow<'_, str>>| url.as_deref().and_then(domain::of_url).map(str::to_lowercase);
    let domain = domain
        .map(str::to_lowercase)
        .or_else(|| of_url(&account.url.0))
        .or_else(|| of_url(&account.uri.0))
        .or_else(|| domain::of_url(post_uri).map(str::to_lowercase))
        .unwrap_or_else(|| server.as_str().to_owned());
    (!user.is_empty()).then(|| (format!("{user}@{domain}"), domain))
}

fn mentioned_domain(mention: &Mention<'_>, server: &Server) -> Option<String> {
    let (_, domain) = domain::split_acct(mention.acct.0.as_deref()?);
    let domain = domain.or_else(|| domain::of_url(mention.url.0.as_deref()?));
    Some(domain.map_or_else(|| server.as_str().to_owned(), str::to_lowercase))
}

/// Hashtags without `#`, lower case, each once.
fn tags<'a>(names: impl Iterator<Item = Cow<'a, str>>) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for name in names {
        let tag = name.trim_start_matches('#').to_lowercase();
        if !tag.is_empty() && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// A count as its column holds it; one that does not fit is the greatest that does.
fn count(n: impl TryInto<i32>) -> i32 {
    n.try_into().unwrap_or(i32::MAX)
}
