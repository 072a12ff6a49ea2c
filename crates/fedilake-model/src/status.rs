//! A status as the API gives it, read leniently.
//!
//! Servers of a dozen makes speak this API, each with its own idea of it. So every field may be missing, null or of any
//! type: what cannot be used counts as missing and costs only itself. Unknown fields are skipped, of repeated ones the
//! last counts.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

use crate::json::Object;
use crate::time;

/// The fields that a post is made of. Texts are not empty.
#[derive(Default)]
pub(crate) struct Status<'a> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) uri: Option<&'a str>,
    pub(crate) url: Option<&'a str>,
    pub(crate) created_at: Option<DateTime<Utc>>,
    pub(crate) edited_at: Option<DateTime<Utc>>,
    pub(crate) account: Option<Account<'a>>,
    pub(crate) content: Option<&'a str>,
    pub(crate) spoiler_text: Option<&'a str>,
    pub(crate) language: Option<&'a str>,
    pub(crate) visibility: Option<&'a str>,
    pub(crate) sensitive: Option<bool>,
    pub(crate) favourites: Option<i64>,
    pub(crate) reblogs: Option<i64>,
    pub(crate) replies: Option<i64>,
    pub(crate) in_reply_to_id: Option<Cow<'a, str>>,
    pub(crate) in_reply_to_account_id: Option<Cow<'a, str>>,
    pub(crate) is_boost: bool,
    pub(crate) has_poll: bool,
    pub(crate) quote: Option<Quote<'a>>,
    pub(crate) application_name: Option<&'a str>,
    pub(crate) media: Vec<Media<'a>>,
    pub(crate) mentions: Vec<Mention<'a>>,
    pub(crate) tags: Vec<&'a str>,
}

/// The author.
#[derive(Default)]
pub(crate) struct Account<'a> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) acct: Option<&'a str>,
    pub(crate) username: Option<&'a str>,
    pub(crate) url: Option<&'a str>,
    pub(crate) uri: Option<&'a str>,
    pub(crate) note: Option<&'a str>,
    pub(crate) created_at: Option<DateTime<Utc>>,
    pub(crate) bot: Option<bool>,
    pub(crate) followers: Option<i64>,
    pub(crate) indexable: Option<bool>,
    pub(crate) noindex: Option<bool>,
}

/// A quoted post, with its uri where the server shows it.
pub(crate) struct Quote<'a> {
    pub(crate) uri: Option<&'a str>,
}

/// An attachment.
pub(crate) struct Media<'a> {
    pub(crate) kind: Option<&'a str>,
    pub(crate) is_described: bool,
}

/// A mentioned account.
#[derive(Default)]
pub(crate) struct Mention<'a> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) acct: Option<&'a str>,
    pub(crate) url: Option<&'a str>,
}

impl Object {
    /// The object as a status.
    pub(crate) fn status(&self) -> Status<'_> {
        let mut status = Status::default();
        let Some(fields) = self.value().as_object() else { return status };
        for (key, value) in fields {
            match key {
                "id" => status.id = id(value),
                "uri" => status.uri = text(value),
                "url" => status.url = text(value),
                "created_at" => status.created_at = moment(value),
                "edited_at" => status.edited_at = moment(value),
                "account" => status.account = account(value),
                "content" => status.content = text(value),
                "spoiler_text" => status.spoiler_text = text(value),
                "language" => status.language = text(value),
                "visibility" => status.visibility = text(value),
                "sensitive" => status.sensitive = value.as_bool(),
                "favourites_count" => status.favourites = count(value),
                "reblogs_count" => status.reblogs = count(value),
                "replies_count" => status.replies = count(value),
                "in_reply_to_id" => status.in_reply_to_id = id(value),
                "in_reply_to_account_id" => status.in_reply_to_account_id = id(value),
                // Whatever stands there, it is not the author's own post.
                "reblog" => status.is_boost = !value.is_null() && value.as_bool() != Some(false),
                "poll" => status.has_poll = value.is_object(),
                "quote" => status.quote = quote(value),
                "application" => status.application_name = text_field(value, "name"),
                "media_attachments" => status.media = elements(value).map(media).collect(),
                "mentions" => status.mentions = elements(value).map(mention).collect(),
                "tags" => status.tags = elements(value).filter_map(|tag| text_field(tag, "name")).collect(),
                _ => {}
            }
        }
        status
    }
}

fn account(value: &Value) -> Option<Account<'_>> {
    let mut account = Account::default();
    for (key, value) in value.as_object()? {
        match key {
            "id" => account.id = id(value),
            "acct" => account.acct = text(value),
            "username" => account.username = text(value),
            "url" => account.url = text(value),
            "uri" => account.uri = text(value),
            "note" => account.note = text(value),
            "created_at" => account.created_at = moment(value),
            "bot" => account.bot = value.as_bool(),
            "followers_count" => account.followers = count(value),
            "indexable" => account.indexable = value.as_bool(),
            "noindex" => account.noindex = value.as_bool(),
            _ => {}
        }
    }
    Some(account)
}

/// Mastodon's `{state, quoted_status}`, or Akkoma's bare status.
fn quote(value: &Value) -> Option<Quote<'_>> {
    let status = value.get("quoted_status").filter(|status| status.is_object()).unwrap_or(value);
    value.is_object().then(|| Quote { uri: text_field(status, "uri") })
}

fn media(value: &Value) -> Media<'_> {
    let is_described = text_field(value, "description").is_some_and(|text| !text.trim().is_empty());
    Media { kind: text_field(value, "type"), is_described }
}

fn mention(value: &Value) -> Mention<'_> {
    let mut mention = Mention::default();
    for (key, value) in value.as_object().into_iter().flat_map(|fields| fields.iter()) {
        match key {
            "id" => mention.id = id(value),
            "acct" => mention.acct = text(value),
            "url" => mention.url = text(value),
            _ => {}
        }
    }
    mention
}

fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flat_map(|list| list.iter())
}

fn text_field<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    let (_, value) = value.as_object()?.iter().filter(|(name, _)| *name == key).last()?;
    text(value)
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// An opaque id: text, or a number as some servers have it.
fn id(value: &Value) -> Option<Cow<'_, str>> {
    let number = || value.as_raw_number().map(|number| Cow::Owned(number.as_str().to_owned()));
    text(value).map(Cow::Borrowed).or_else(number)
}

fn moment(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str().and_then(time::from_rfc3339)
}

fn count(value: &Value) -> Option<i64> {
    value.as_i64().filter(|count| *count >= 0)
}
