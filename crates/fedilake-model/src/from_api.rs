//! The translation of a server's frame into an event of a post. Only this module does it.

use std::borrow::Cow;
use std::collections::HashSet;

use chrono::{DateTime, Utc};

use crate::json::{Object, SUM_BYTES, count};
use crate::status::Mention;
use crate::text::{self, Text};
use crate::time::Moment;
use crate::{
    Consent, Deletion, Flaw, Frame, FrameKind, InReplyTo, Post, PostEvent, Rejected, RejectedReason, Server, ShownBy,
    caps, consent, domain,
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
            FrameKind::StatusUpdate => post(&frame.data, shown_by, observed_at).map(edited).map(PostEvent::Edited),
            FrameKind::Delete => deletion(&frame.data, shown_by.server(), observed_at).map(PostEvent::Deleted),
        };
        event.map_err(|reason| Rejected::new(reason, &frame.data))
    }

    /// Takes an edit that is dated after `latest`, where nobody knows when it was seen, for one without a date: otherwise
    /// it would hide the edits of the time until `latest`.
    pub fn doubt_edit_after(&mut self, latest: DateTime<Utc>) {
        let (post, known) = match self {
            PostEvent::Created(post) => (post, None),
            PostEvent::Edited(post) => {
                let observed_at = post.observed_at;
                (post, Some(observed_at))
            }
            PostEvent::Deleted(_) => return,
        };
        if post.edited_at.is_some_and(|edited_at| edited_at > latest) {
            post.edited_at = known;
            post.flaws.add(Flaw::EditedAtUnreadable);
        }
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

/// A post that a server calls edited without a date that can be read: edited when it was seen. Otherwise any dated
/// edit from before would hide it.
fn edited(mut post: Box<Post>) -> Box<Post> {
    post.edited_at.get_or_insert(post.observed_at);
    post
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
    let uri = status.uri.map(domain::spelled_uri).filter(|uri| !uri.is_empty()).ok_or(RejectedReason::NoUri)?;
    let account = status.account.ok_or(RejectedReason::NoAccount)?;
    let pages = [account.url, account.uri, Some(&*uri)];
    let by_acct = account.acct.and_then(|acct| shown_by.named(acct, &pages));
    let is_acct_unreadable = account.acct.is_some() && by_acct.is_none();
    let by_name = || shown_by.named(account.username?, &pages);
    let author = by_acct.or_else(by_name).ok_or(RejectedReason::NoAccount)?;

    let mentions: Vec<Option<String>> = status.mentions.iter().map(|mention| mentioned(mention, shown_by)).collect();
    let is_mention_unreadable =
        mentions.iter().zip(&status.mentions).any(|(name, mention)| name.is_none() && !mention.is_empty());
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
    let Text { text, mut links } = text::from_html(status.content.unwrap_or_default(), status.quote.is_set);
    remove_pages(&mut links, status.mentions.iter().filter_map(|mention| mention.url).chain(status.tag_urls));
    let (nobot, noindex) = consent::of_profile(&account.statements);
    let mut flaws = json.mends();
    flaws.add_if(status.created_at == Moment::Missing, Flaw::CreatedAtMissing);
    flaws.add_if(status.created_at == Moment::Unreadable, Flaw::CreatedAtUnreadable);
    flaws.add_if(status.edited_at == Moment::Unreadable, Flaw::EditedAtUnreadable);
    flaws.add_if(account.created_at == Moment::Unreadable, Flaw::AuthorCreatedAtUnreadable);
    let has_unreadable = status.has_unreadable || account.has_unreadable;
    flaws.add_if(has_unreadable || is_acct_unreadable || is_mention_unreadable, Flaw::FieldUnreadable);

    let post = Post {
        server: shown_by.server().clone(),
        id: id.into_owned(),
        from_origin: author.is_local && shown_by.is_origin_of(&uri),
        uri: uri.into_owned(),
        url: status.url.map(str::to_owned),
        created_at: status.created_at.at(),
        edited_at: status.edited_at.at(),
        observed_at,
        author: author.acct,
        author_domain: author.domain,
        author_created_at: account.created_at.at(),
        author_bot: account.bot.unwrap_or(false),
        author_followers: account.followers,
        author_indexable: account.indexable.unwrap_or(false),
        language: status.language.map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned),
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
        quote_uri: status.quote.uri.map(|uri| domain::spelled_uri(uri).into_owned()),
        app: status.application_name.map(str::to_owned),
        visibility: status.visibility.unwrap_or_default().to_owned(),
        sensitive: status.sensitive.unwrap_or(false),
        favourites: column_count(status.favourites.unwrap_or(0)),
        reblogs: column_count(status.reblogs.unwrap_or(0)),
        replies: column_count(status.replies.unwrap_or(0)),
        in_reply_to_id: status.in_reply_to_id.map(Cow::into_owned),
        in_reply_to_author,
        media_types: status.media.iter().map(|media| media.kind.unwrap_or("unknown").to_owned()).collect(),
        hashed: false,
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

/// The full name of a mentioned account. Without an acct the user name counts, at the host of the account's page.
fn mentioned(mention: &Mention<'_>, shown_by: ShownBy<'_>) -> Option<String> {
    let by_acct = mention.acct.and_then(|acct| shown_by.named(acct, &[mention.url]));
    let by_page = || {
        let host = mention.url.and_then(domain::of_url).filter(|host| *host != shown_by.server().as_str());
        match (mention.username, host) {
            (Some(user), Some(host)) if !user.contains('@') => shown_by.named(&format!("{user}@{host}"), &[]),
            (Some(user), _) => shown_by.named(user, &[]),
            (None, _) => shown_by.named(mention.url?, &[]),
        }
    };
    by_acct.or_else(by_page).map(|named| named.acct)
}

/// Leaves out the links to the pages of mentioned accounts and of hashtags.
fn remove_pages<'a>(links: &mut Vec<String>, pages: impl Iterator<Item = &'a str>) {
    if links.is_empty() {
        return;
    }
    let pages: Vec<_> = pages.map(domain::spelled_uri).collect();
    let pages: HashSet<&str> = pages.iter().map(|page| page.trim_end_matches('/')).collect();
    links.retain(|link| !pages.contains(link.trim_end_matches('/')));
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

/// Counts the parts of `text` between Unicode white space, as `split_whitespace` does in a multiple of the time.
fn words(text: &str) -> usize {
    let bytes = text.as_bytes();
    // White space beyond ASCII begins with one of these bytes.
    let may_begin_space = |byte: u8| matches!(byte, 0xc2 | 0xe1..=0xe3);
    if bytes.iter().fold(false, |found, byte| found | may_begin_space(*byte)) {
        return text.split_whitespace().count();
    }
    let is_space = |byte: u8| matches!(byte, b'\t'..=b'\r' | b' ');
    let Some((first, later)) = bytes.split_first() else { return 0 };
    let beginnings = bytes.chunks(SUM_BYTES).zip(later.chunks(SUM_BYTES)).map(|(before, here)| {
        count(before.iter().zip(here).map(|(before, byte)| is_space(*before) & !is_space(*byte)))
    });
    usize::from(!is_space(*first)) + beginnings.sum::<usize>()
}

/// Converts a count to its column's type; a larger one becomes the greatest value of the type.
fn column_count(n: impl TryInto<i32>) -> i32 {
    n.try_into().unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn words_are_counted_as_by_splitting(
            text in prop_oneof!["[a \t\n\u{b}\u{1c}]{0,600}", "[a \u{85}\u{a0}\u{1680}\u{2003}\u{3000}\u{e9}語🎉]{0,40}", ".{0,40}"],
        ) {
            prop_assert_eq!(words(&text), text.split_whitespace().count());
        }
    }
}
