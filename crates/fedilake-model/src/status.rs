//! A status as the API gives it, read leniently.
//!
//! A dozen server programs speak this API, each in its own way. So every field may be missing, null or of any type:
//! an unusable value counts as missing and costs only its own field, and is noted unless programs write it for nothing.
//! Unknown fields are skipped; of repeated fields the last counts.

use std::borrow::Cow;

use sonic_rs::{JsonContainerTrait, JsonValueTrait, Value};

use crate::consent::Statement;
use crate::domain;
use crate::json::Object;
use crate::time::Moment;

/// The fields that a post is made of. Texts are never empty here.
#[derive(Default)]
pub(crate) struct Status<'a> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) uri: Option<&'a str>,
    pub(crate) url: Option<&'a str>,
    pub(crate) created_at: Moment,
    pub(crate) edited_at: Moment,
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
    pub(crate) quote: Quote<'a>,
    pub(crate) application_name: Option<&'a str>,
    pub(crate) media: Vec<Media<'a>>,
    pub(crate) mentions: Vec<Mention<'a>>,
    pub(crate) tags: Vec<&'a str>,
    /// The pages of these hashtags.
    pub(crate) tag_urls: Vec<&'a str>,
    /// True if a field, other than a time, has a value that cannot be read.
    pub(crate) has_unreadable: bool,
}

/// The author's account.
#[derive(Default)]
pub(crate) struct Account<'a> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) acct: Option<&'a str>,
    pub(crate) username: Option<&'a str>,
    pub(crate) url: Option<&'a str>,
    pub(crate) uri: Option<&'a str>,
    pub(crate) statements: Vec<Statement<'a>>,
    pub(crate) created_at: Moment,
    pub(crate) bot: Option<bool>,
    pub(crate) followers: Option<i64>,
    pub(crate) indexable: Option<bool>,
    pub(crate) noindex: bool,
    pub(crate) suspended: bool,
    /// True if a field, other than a time, has a value that cannot be read.
    pub(crate) has_unreadable: bool,
}

/// A quoted post, wherever the server's software puts it.
#[derive(Default)]
pub(crate) struct Quote<'a> {
    pub(crate) is_set: bool,
    /// The quoted post's uri, if the server gives it.
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
    pub(crate) username: Option<&'a str>,
    pub(crate) url: Option<&'a str>,
}

impl Mention<'_> {
    /// True for an element that says nothing, such as null or an empty object.
    pub(crate) fn is_empty(&self) -> bool {
        self.id.is_none() && self.acct.is_none() && self.username.is_none() && self.url.is_none()
    }
}

impl Object {
    /// Reads the object as a status.
    pub(crate) fn status(&self) -> Status<'_> {
        let mut status = Status::default();
        let Some(fields) = self.value().as_object() else { return status };
        let odd = &mut false;
        for (key, value) in fields {
            match key {
                "id" => status.id = id(value),
                "uri" => status.uri = text(value),
                "url" => status.url = read(value, text, odd),
                "created_at" => status.created_at = Moment::of(value),
                "edited_at" => status.edited_at = Moment::of(value),
                "account" => status.account = account(value),
                "content" => status.content = read(value, text, odd),
                "spoiler_text" => status.spoiler_text = read(value, text, odd),
                "language" => status.language = read(value, text, odd),
                "visibility" => status.visibility = text(value),
                "sensitive" => status.sensitive = read(value, flag, odd),
                "favourites_count" => status.favourites = read(value, count, odd),
                "reblogs_count" => status.reblogs = read(value, count, odd),
                "replies_count" => status.replies = read(value, count, odd),
                "in_reply_to_id" => status.in_reply_to_id = read(value, id, odd),
                "in_reply_to_account_id" => status.in_reply_to_account_id = read(value, id, odd),
                // Whatever the value is, the status is not the author's own post.
                "reblog" => status.is_boost = !value.is_null() && flag(value) != Some(false),
                "poll" => status.has_poll = value.is_object(),
                "quote" => status.quote.add(quote(value)),
                "quote_id" => status.quote.add(quote_by_id(value)),
                "quote_url" | "quote_uri" => status.quote.add(quote_by_uri(value)),
                "pleroma" | "akkoma" | "misskey" | "friendica" => status.quote.add(extension(value)),
                "application" => status.application_name = application_name(value, odd),
                "media_attachments" => status.media = list(value, odd).map(media).collect(),
                "mentions" => status.mentions = list(value, &mut *odd).map(|value| mention(value, odd)).collect(),
                "tags" => {
                    status.tags = list(value, &mut *odd).filter_map(|value| read(value, tag, odd)).collect();
                    status.tag_urls = elements(value).filter_map(|tag| text_field(tag, "url")).collect();
                }
                _ => {}
            }
        }
        status.has_unreadable = *odd;
        status
    }
}

/// Texts of most profiles: the note, the display name, and the names and values of four fields, also as they were written.
const STATEMENTS_USUAL: usize = 20;

fn account(value: &Value) -> Option<Account<'_>> {
    let mut account = Account { statements: Vec::with_capacity(STATEMENTS_USUAL), ..Account::default() };
    let odd = &mut false;
    for (key, value) in value.as_object()? {
        match key {
            "id" => account.id = id(value),
            "acct" => account.acct = text(value),
            "username" => account.username = text(value),
            "url" => account.url = text(value),
            "uri" => account.uri = text(value),
            "note" => Statement::add_all(value, Statement::Html, &mut account.statements),
            "display_name" => Statement::add_all(value, Statement::Plain, &mut account.statements),
            "fields" => add_fields(value, &mut account.statements),
            // The profile as its owner wrote it.
            "source" => value.as_object().into_iter().flatten().for_each(|(key, value)| match key {
                "note" => Statement::add_all(value, Statement::Plain, &mut account.statements),
                "fields" => add_fields(value, &mut account.statements),
                _ => {}
            }),
            // The same person's new account; its profile counts too.
            "moved" => {
                if let Some(moved) = self::account(value) {
                    account.statements.extend(moved.statements);
                    account.noindex |= moved.noindex;
                }
            }
            "created_at" => account.created_at = Moment::of(value),
            "bot" => account.bot = read(value, flag, odd),
            "followers_count" => account.followers = read(value, count, odd),
            "indexable" => account.indexable = read(value, flag, odd),
            "noindex" => account.noindex |= is_wish(value),
            "suspended" => account.suspended = is_wish(value),
            _ => {}
        }
    }
    account.has_unreadable = *odd;
    Some(account)
}

/// Adds what the fields of a profile say: a list of names and values, or whatever else a program makes of them.
fn add_fields<'a>(value: &'a Value, statements: &mut Vec<Statement<'a>>) {
    if !value.is_array() {
        return Statement::add_all(value, Statement::Plain, statements);
    }
    for field in elements(value) {
        let Some(members) = field.as_object() else {
            Statement::add_all(field, Statement::Plain, statements);
            continue;
        };
        for (key, value) in members {
            match key {
                "name" => Statement::add_all(value, Statement::Plain, statements),
                "value" => Statement::add_all(value, Statement::Html, statements),
                _ => {
                    statements.push(Statement::Plain(key));
                    Statement::add_all(value, Statement::Plain, statements);
                }
            }
        }
    }
}

/// Reads a flag that protects a person: a value that nobody understands counts as set; null, an empty text, an empty
/// list and an empty object say nothing.
fn is_wish(value: &Value) -> bool {
    let is_empty = || {
        value.is_null()
            || value.as_array().is_some_and(|list| list.is_empty())
            || value.as_object().is_some_and(|object| object.is_empty())
    };
    flag(value).unwrap_or_else(|| !is_empty())
}

impl<'a> Quote<'a> {
    fn add(&mut self, other: Quote<'a>) {
        self.is_set |= other.is_set;
        self.uri = self.uri.or(other.uri);
    }
}

/// Reads Mastodon's `{state, quoted_status}`, or the bare status of other programs.
fn quote(value: &Value) -> Quote<'_> {
    let status = value.get("quoted_status").filter(|status| status.is_object()).unwrap_or(value);
    Quote { is_set: value.is_object(), uri: text_field(status, "uri") }
}

fn quote_by_id(value: &Value) -> Quote<'_> {
    Quote { is_set: id(value).is_some(), uri: None }
}

fn quote_by_uri(value: &Value) -> Quote<'_> {
    let uri = text(value).filter(|uri| domain::of_uri(uri).is_some());
    Quote { is_set: uri.is_some(), uri }
}

/// Reads the object of extensions that Pleroma and related programs add to a status.
fn extension(value: &Value) -> Quote<'_> {
    let mut found = Quote::default();
    for (key, value) in value.as_object().into_iter().flatten() {
        match key {
            "quote" => found.add(quote(value)),
            "quote_id" => found.add(quote_by_id(value)),
            "quote_url" | "quote_uri" => found.add(quote_by_uri(value)),
            _ => {}
        }
    }
    found
}

/// Reads `value` with `reader`. Sets `is_odd` if the value is not empty but `reader` cannot read it.
fn read<'a, T>(value: &'a Value, reader: impl FnOnce(&'a Value) -> Option<T>, is_odd: &mut bool) -> Option<T> {
    let found = reader(value);
    *is_odd |= found.is_none() && !says_nothing(value);
    found
}

/// The elements of a list; `is_odd` becomes true where the value says something and is no list.
fn list<'a>(value: &'a Value, is_odd: &mut bool) -> impl Iterator<Item = &'a Value> + use<'a> {
    *is_odd |= !value.is_array() && !says_nothing(value);
    elements(value)
}

/// True for values that programs write for "nothing", such as a negative number for a hidden count.
fn says_nothing(value: &Value) -> bool {
    value.is_null()
        || value.as_bool() == Some(false)
        || value.as_str().is_some_and(|text| text.trim().is_empty())
        || value.as_array().is_some_and(|list| list.is_empty())
        || value.as_object().is_some_and(|object| object.is_empty())
        || value.as_f64().is_some_and(|number| number < 0.0)
}

/// A hashtag's name; some dumps have it bare.
fn tag(value: &Value) -> Option<&str> {
    text_field(value, "name").or_else(|| text(value))
}

fn media(value: &Value) -> Media<'_> {
    let is_described = text_field(value, "description").is_some_and(|text| !text.trim().is_empty());
    Media { kind: text_field(value, "type"), is_described }
}

/// The client's name, in its object or bare.
fn application_name<'a>(value: &'a Value, is_odd: &mut bool) -> Option<&'a str> {
    let name = match value.as_object().filter(|object| !object.is_empty()) {
        Some(object) => object.iter().filter(|(name, _)| *name == "name").last().map(|(_, name)| name),
        None => Some(value),
    };
    *is_odd |= name.is_none();
    read(name?, text, is_odd)
}

/// A mentioned account; some dumps have its name bare.
fn mention<'a>(value: &'a Value, is_odd: &mut bool) -> Mention<'a> {
    let mut mention = Mention { acct: text(value), ..Mention::default() };
    *is_odd |= mention.acct.is_none() && !value.is_object() && !says_nothing(value);
    for (key, value) in value.as_object().into_iter().flat_map(|fields| fields.iter()) {
        match key {
            "id" => mention.id = id(value),
            "acct" => mention.acct = text(value),
            "username" => mention.username = text(value),
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

/// Reads an opaque id: a text, or a number as some servers send it.
fn id(value: &Value) -> Option<Cow<'_, str>> {
    let number = || value.as_raw_number().map(|number| Cow::Owned(number.as_str().to_owned()));
    text(value).map(Cow::Borrowed).or_else(number)
}

/// Reads a boolean in any of the ways in which programs write one.
fn flag(value: &Value) -> Option<bool> {
    if let Some(number) = value.as_f64() {
        return (number == 0.0 || number == 1.0).then_some(number == 1.0);
    }
    let is_one_of =
        |words: [&str; 6]| value.as_str().is_some_and(|text| words.iter().any(|w| w.eq_ignore_ascii_case(text.trim())));
    let is_true = is_one_of(["true", "1", "yes", "y", "t", "on"]);
    let is_false =
        is_one_of(["false", "0", "no", "n", "f", "off"]) || value.as_str().is_some_and(|text| text.trim().is_empty());
    value.as_bool().or(is_true.then_some(true)).or(is_false.then_some(false))
}

/// A count, as a number or as text.
fn count(value: &Value) -> Option<i64> {
    let whole = |number: f64| (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64);
    let read = || value.as_f64().and_then(whole).or_else(|| value.as_str()?.trim().parse().ok());
    value.as_i64().or_else(read).filter(|count| *count >= 0)
}
